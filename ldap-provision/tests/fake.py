"""A directory in memory with as much of Active Directory's behaviour as the tests need."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from ldap_provision.errors import DirectoryError
from ldap_provision.wire import Attributes, Changes, Entry

NAMES = {16: "noSuchAttribute", 19: "constraintViolation", 20: "attributeOrValueExists", 32: "noSuchObject"}
NAMES |= {50: "insufficientAccessRights", 66: "notAllowedOnNonLeaf", 68: "entryAlreadyExists"}


class Killed(BaseException):
    """Stands for `kill -9`: nothing catches it."""


class FakeDirectory:
    """A :class:`ldap_provision.wire.Wire`. `kill_after` operations that change something it raises :class:`Killed`."""

    def __init__(self, base: str = "DC=ad,DC=test") -> None:
        self.entries: dict[str, tuple[str, dict[str, list[bytes]]]] = {}
        self.base = base
        self.put(base, {"objectClass": [b"domain"], "lockoutThreshold": [b"3"]})
        self.refuse: dict[str, tuple[int, str]] = {}
        self.kill_after: int | None = None
        self.changes = 0
        self.wrong_passwords: dict[str, int] = {}
        self.members_must_exist = False
        self.deleted: list[str] = []

    def put(self, dn: str, attributes: dict[str, list[bytes]]) -> None:
        self.entries[dn.lower()] = (dn, {name.lower(): values for name, values in attributes.items()})

    def get(self, dn: str) -> dict[str, list[bytes]]:
        return self.entries[dn.lower()][1]

    def fail(self, operation: str, dn: str, code: int, text: str = "00002071: text of the server") -> DirectoryError:
        return DirectoryError(operation, dn, code, NAMES.get(code, "other"), text)

    def change(self, operation: str, dn: str) -> None:
        if dn.lower() in self.refuse:
            raise self.fail(operation, dn, *self.refuse[dn.lower()])
        if self.kill_after is not None and self.changes >= self.kill_after:
            raise Killed
        self.changes += 1

    @staticmethod
    def encode(values: Sequence[str | bytes]) -> list[bytes]:
        return [value.encode() if isinstance(value, str) else value for value in values]

    def add(self, dn: str, attributes: Attributes) -> None:
        self.change("adding", dn)
        parent = dn.split(",", 1)[1].lower()
        if parent not in self.entries:
            raise self.fail("adding", dn, 32)
        names = {name.lower(): self.encode(values) for name, values in attributes.items()}
        account = names.get("samaccountname")
        taken = account and any(entry.get("samaccountname") == account for _, entry in self.entries.values())
        if dn.lower() in self.entries or taken:
            raise self.fail("adding", dn, 68)
        if "samaccountname" in names:
            number = 1000 + len(self.entries)
            names["objectsid"] = [b"\x01\x05" + b"\0\0\0\0\0\x05" + struct.pack("<5I", 21, 1, 2, 3, number)]
        self.entries[dn.lower()] = (dn, names)

    def modify(self, dn: str, changes: Changes) -> None:
        self.change("changing", dn)
        if dn.lower() not in self.entries:
            raise self.fail("changing", dn, 32)
        entry = self.get(dn)
        for name, (word, raw) in changes.items():
            values, had = self.encode(raw), entry.get(name.lower(), [])
            if word == "replace":
                entry[name.lower()] = values
            elif word == "add":
                if any(value in had for value in values):
                    raise self.fail("changing", dn, 20)
                if self.members_must_exist and any(value.decode().lower() not in self.entries for value in values):
                    raise self.fail("changing", dn, 32)
                entry[name.lower()] = had + values
            else:
                if any(value not in had for value in values):
                    raise self.fail("changing", dn, 16)
                entry[name.lower()] = [value for value in had if value not in values]

    def delete(self, dn: str, *, tree: bool = False) -> None:
        self.change("deleting", dn)
        self.deleted.append(dn)
        below = [key for key in self.entries if key.endswith("," + dn.lower())]
        if dn.lower() not in self.entries:
            raise self.fail("deleting", dn, 32)
        if below and not tree:
            raise self.fail("deleting", dn, 66)
        for key in [*below, dn.lower()]:
            del self.entries[key]
            for _, entry in self.entries.values():
                entry["member"] = [value for value in entry.get("member", []) if value.decode().lower() != key]

    def search(self, base: str, scope: str, filter: str, attributes: Sequence[str]) -> list[Entry]:
        if base.lower() not in self.entries:
            raise self.fail("searching", base, 32)
        if scope == "base":
            keys = [base.lower()]
        else:
            keys = [key for key in self.entries if key.split(",", 1)[1:] == [base.lower()]]
        if filter.startswith("(objectClass=") and filter != "(objectClass=*)":
            wanted = filter.removeprefix("(objectClass=").removesuffix(")").lower()
            classes = {key: self.entries[key][1].get("objectclass", []) for key in keys}
            keys = [key for key in keys if wanted in {value.decode().lower() for value in classes[key]}]
        elif filter != "(objectClass=*)":
            keys = [key for key in keys if b"made by ldap-provision" in self.entries[key][1].get("description", [])]
        return [Entry(self.entries[key][0], self.entries[key][1]) for key in keys]

    def try_bind(self, dn: str, password: str) -> bool:
        self.wrong_passwords[dn] = self.wrong_passwords.get(dn, 0) + 1
        if self.wrong_passwords[dn] >= 3:
            self.get(dn)["lockouttime"] = [b"1"]
        return False
