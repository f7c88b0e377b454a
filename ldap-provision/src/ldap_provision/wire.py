"""The connection: all that the rest knows of LDAP, and the only part that knows the library."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from ldap_provision.errors import ConnectError, DirectoryError

#: Attributes by name; values are text or bytes.
Attributes = Mapping[str, Sequence[str | bytes]]
#: Changes by attribute: the operation (``add``, ``replace``, ``delete``) and the values.
Changes = Mapping[str, tuple[str, Sequence[str | bytes]]]

#: LDAP_SERVER_TREE_DELETE_OID (MS-ADTS 3.1.1.3.4.1.15).
TREE_DELETE = "1.2.840.113556.1.4.805"
#: The control of paged searches (RFC 2696).
PAGED_RESULTS = "1.2.840.113556.1.4.319"
#: How long one operation may take, in seconds: adding a thousand members to a group is one.
LONGEST = 120
#: Entries of one page of a search; Active Directory gives no more than 1000 at a time.
PAGE = 500


@dataclass(frozen=True)
class Entry:
    """An entry that was found."""

    dn: str
    attributes: Mapping[str, Sequence[bytes]]

    def texts(self, name: str) -> list[str]:
        """The values of an attribute as text."""
        values = self.attributes.get(name.lower(), ())
        return [value.decode("utf-8", "replace") for value in values]


class Wire(Protocol):
    """What provisioning asks of a directory. A refused operation raises :class:`DirectoryError`."""

    def add(self, dn: str, attributes: Attributes) -> None:
        """Adds an entry."""

    def modify(self, dn: str, changes: Changes) -> None:
        """Changes an entry, all or nothing."""

    def delete(self, dn: str, *, tree: bool = False) -> None:
        """Deletes an entry; with ``tree`` all below it too, in one operation."""

    def search(self, base: str, scope: str, filter: str, attributes: Sequence[str]) -> list[Entry]:
        """Finds entries: scope ``base``, ``one`` or ``sub``; all pages."""

    def try_bind(self, dn: str, password: str) -> bool:
        """Whether a login on a connection of its own succeeds."""


@dataclass(frozen=True)
class Server:
    """Where the directory is and as whom to log in."""

    url: str
    bind: str
    password: str = field(repr=False)
    #: The authority's certificates: a file, or PEM text.
    ca_file: str | None = None
    ca_data: str | None = None
    start_tls: bool = False
    #: Takes any certificate, and clear text. Only where asked for by name.
    insecure: bool = False

    def check(self) -> tuple[str, int, bool]:
        """Host, port, and whether it is LDAPS; raises :class:`ConnectError` for what is not safe."""
        try:
            parts = urlsplit(self.url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port, parts = None, None, urlsplit("")
        if parts.scheme not in ("ldap", "ldaps") or not host or parts.username or parts.path not in ("", "/"):
            raise ConnectError(f"{self.url!r} is no address of a directory", "write ldaps://host:port or ldap://host:port")
        secure = parts.scheme == "ldaps"
        if secure and self.start_tls:
            raise ConnectError("StartTLS was asked for on ldaps://, which has TLS already", "write ldap://, or leave out StartTLS")
        if not self.insecure:
            if not secure and not self.start_tls:
                raise ConnectError(
                    "ldap:// would send passwords in the clear", "use ldaps:// or StartTLS; --insecure takes it all the same"
                )
            if not self.ca_file and not self.ca_data:
                raise ConnectError(
                    "no authority is given to verify the server's certificate with",
                    "give the CA's certificate (--ca FILE); --insecure takes any certificate",
                )
        return host, port or (636 if secure else 389), secure

    def tls_context(self) -> ssl.SSLContext:
        """How certificates are verified; raises :class:`ConnectError` when the CA cannot be read."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            return context
        try:
            context.load_verify_locations(cafile=self.ca_file, cadata=self.ca_data)
        except (OSError, ssl.SSLError) as error:
            where = self.ca_file or "the text that was given"
            raise ConnectError(f"the CA's certificate cannot be read from {where}: {error}", "it must be PEM") from None
        return context


class Ldap3:
    """A :class:`Wire` over ldap3."""

    def __init__(self, server: Server) -> None:
        import ldap3
        from ldap3.core import exceptions

        self._ldap3: Any = ldap3
        self._exceptions: Any = exceptions
        self._given = server
        self._connection = self._connect(server.bind, server.password)

    def close(self) -> None:
        """Logs out."""
        self._connection.unbind()

    def _open(self, bind: str, password: str) -> Any:
        """A connection with TLS and without a login."""
        ldap3 = self._ldap3
        host, port, secure = self._given.check()
        context = self._given.tls_context()

        class Tls(ldap3.Tls):  # type: ignore[misc,name-defined]
            """The standard library's verification, host name included, instead of ldap3's own."""

            def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
                connection.socket = context.wrap_socket(
                    connection.socket, do_handshake_on_connect=do_handshake, server_hostname=connection.server.host
                )

        server = ldap3.Server(host, port, use_ssl=secure, tls=Tls(), connect_timeout=10, get_info=ldap3.NONE)
        connection = ldap3.Connection(
            server,
            user=bind,
            password=password,
            authentication=ldap3.SIMPLE,
            client_strategy=ldap3.SYNC,
            raise_exceptions=False,
            receive_timeout=LONGEST,
            check_names=False,
            return_empty_attributes=False,
        )
        try:
            connection.open(read_server_info=False)
            if self._given.start_tls and not connection.start_tls(read_server_info=False):
                raise ConnectError("the server refused StartTLS", "use ldaps://", *self._result(connection))
        except (self._exceptions.LDAPException, OSError) as error:
            raise self._unreachable(error) from None
        return connection

    def _unreachable(self, error: Exception) -> ConnectError:
        text = " ".join(str(error).split())
        if "CERTIFICATE_VERIFY_FAILED" in text or "certificate verify failed" in text:
            advice = "the CA that was given did not sign it, or it is for another name"
            return ConnectError(f"the certificate of {self._given.url} is not trusted: {text}", advice)
        return ConnectError(f"{self._given.url} cannot be reached: {text}", "is the server running, and the port right?")

    def _connect(self, bind: str, password: str) -> Any:
        connection = self._open(bind, password)
        try:
            bound = connection.bind(read_server_info=False)
        except (self._exceptions.LDAPException, OSError) as error:
            raise self._unreachable(error) from None
        if not bound:
            code, text = self._result(connection)
            connection.unbind()
            raise ConnectError(
                f"the login as {bind} gave {code}: {text}", "the account or its password is wrong, or it may not log in", code, text
            )
        return connection

    @staticmethod
    def _result(connection: Any) -> tuple[int, str]:
        result = connection.result or {}
        return int(result.get("result", 80)), " ".join(str(result.get("message", "")).replace("\0", "").split())

    def _do(self, operation: str, dn: str, request: str, *arguments: Any, **named: Any) -> None:
        try:
            getattr(self._connection, request)(dn, *arguments, **named)
        except self._exceptions.LDAPInvalidDnError as error:
            raise DirectoryError(operation, dn, 34, "invalidDNSyntax", str(error)) from None
        except (self._exceptions.LDAPException, OSError) as error:
            raise self._unreachable(error) from None
        code, text = self._result(self._connection)
        if code != 0:
            name = str((self._connection.result or {}).get("description", "other"))
            raise DirectoryError(operation, dn, code, name, text)

    def add(self, dn: str, attributes: Attributes) -> None:
        """See :class:`Wire`."""
        self._do("adding", dn, "add", attributes={name: list(values) for name, values in attributes.items()})

    def modify(self, dn: str, changes: Changes) -> None:
        """See :class:`Wire`."""
        words = {
            "add": self._ldap3.MODIFY_ADD,
            "replace": self._ldap3.MODIFY_REPLACE,
            "delete": self._ldap3.MODIFY_DELETE,
        }
        translated = {name: [(words[word], list(values))] for name, (word, values) in changes.items()}
        self._do("changing", dn, "modify", translated)

    def delete(self, dn: str, *, tree: bool = False) -> None:
        """See :class:`Wire`."""
        self._do("deleting", dn, "delete", controls=[(TREE_DELETE, True, None)] if tree else None)

    def search(self, base: str, scope: str, filter: str, attributes: Sequence[str]) -> list[Entry]:
        """See :class:`Wire`."""
        ldap3 = self._ldap3
        scopes = {"base": ldap3.BASE, "one": ldap3.LEVEL, "sub": ldap3.SUBTREE}
        cookie: Any = None
        entries: list[Entry] = []
        while True:
            self._do(
                "searching",
                base,
                "search",
                filter,
                search_scope=scopes[scope],
                attributes=list(attributes),
                paged_size=None if scope == "base" else PAGE,
                paged_cookie=cookie,
            )
            for found in self._connection.response or []:
                if found.get("type") == "searchResEntry":
                    raw = found["raw_attributes"]
                    entries.append(Entry(found["dn"], {name.lower(): list(values) for name, values in raw.items()}))
            controls = (self._connection.result or {}).get("controls", {})
            cookie = controls.get(PAGED_RESULTS, {}).get("value", {}).get("cookie")
            if not cookie:
                return entries

    def try_bind(self, dn: str, password: str) -> bool:
        """See :class:`Wire`."""
        connection = self._open(dn, password)
        try:
            return bool(connection.bind(read_server_info=False))
        except (self._exceptions.LDAPException, OSError) as error:
            raise self._unreachable(error) from None
        finally:
            connection.unbind()
