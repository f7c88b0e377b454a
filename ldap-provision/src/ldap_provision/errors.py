"""What goes wrong, with what to do about it. No error ever holds a password."""

from __future__ import annotations


class ProvisionError(Exception):
    """The base of all errors: what happened and what to do."""

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(what)
        self.what = what
        self.advice = advice
        #: The entry that it is about; empty when it is about none.
        self.dn = ""
        #: The LDAP result code (RFC 4511 4.1.9); ``None`` when no server answered.
        self.code: int | None = None
        #: The server's own words.
        self.text = ""

    def __str__(self) -> str:
        return f"{self.what}; {self.advice}" if self.advice else self.what


class PlanError(ProvisionError):
    """A plan that cannot be carried out: found before anything is changed."""


class ConnectError(ProvisionError):
    """No usable connection: refused, untrusted, or not permitted to log in."""

    def __init__(self, what: str, advice: str, code: int | None = None, text: str = "") -> None:
        super().__init__(what, advice)
        self.code = code
        self.text = text


class DirectoryError(ProvisionError):
    """The server refused an operation."""

    def __init__(self, operation: str, dn: str, code: int, name: str, text: str, advice: str = "") -> None:
        said = f": {text}" if text else ""
        super().__init__(f"{operation} {dn or 'the root'} gave {name} ({code}){said}", advice or _ADVICE.get(code, ""))
        self.operation = operation
        self.dn = dn
        self.code = code
        self.name = name
        self.text = text


#: What to do about a result code, where that does not depend on the operation.
_ADVICE: dict[int, str] = {
    1: "the server could not do it now; its own log says why",
    8: "the server wants TLS before a login: use ldaps:// or StartTLS",
    13: "the server wants TLS before a login: use ldaps:// or StartTLS",
    16: "the schema lacks the attribute: is this the right --schema?",
    17: "the server does not know the attribute: is this the right --schema?",
    19: "the server's policy forbids the value: a password may be too short, too plain or used before",
    21: "the value has the wrong form for the server's schema: is this the right --schema?",
    32: "the entry above it does not exist: is the base DN right?",
    34: "the DN is malformed: is the base DN right?",
    49: "the account or its password is wrong, or the account may not log in",
    50: "the account that is logged in lacks the right: use one that may create entries there",
    51: "the server is busy: try again",
    52: "the server is not available: try again",
    53: "the server refuses it by policy: Active Directory takes passwords over TLS only, and weak ones never",
    65: "the entry does not fit the server's schema: is this the right --schema?",
    66: "the entry still has others below it",
    68: "something of that name is there already: remove it, or choose another name",
    71: "the change would touch several servers: connect to the one that holds the entry",
}
