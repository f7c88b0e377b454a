"""How units, users and groups are written in a directory's schema."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from ldap_provision.errors import PlanError
from ldap_provision.plan import State, User
from ldap_provision.wire import Attributes, Changes, Entry, Wire

#: What tells our units from others'. It stands in their description.
MARK = "made by ldap-provision"

# userAccountControl (MS-ADTS 2.2.16)
_ACCOUNTDISABLE = 0x0002
_NORMAL_ACCOUNT = 0x0200
# groupType: global, security enabled (MS-ADTS 2.2.12)
_GLOBAL_SECURITY_GROUP = -2147483646
#: 2000-01-01 as a FILETIME: any time that has passed.
_LONG_AGO = "125911584000000000"


def escape_dn(value: str) -> str:
    """A value for a DN (RFC 4514 2.4)."""
    out = "".join("\\" + character if character in ',+"\\<>;=#' else character for character in value)
    return "\\ " + out[1:] if out.startswith(" ") else out


def escape_filter(value: str) -> str:
    """A value for a filter (RFC 4515 3)."""
    return "".join(f"\\{ord(character):02x}" if character in "\\*()\0" else character for character in value)


class Schema(Protocol):
    """What differs between directories."""

    @property
    def member(self) -> str:
        """The attribute that lists a group's members."""

    @property
    def group_class(self) -> str:
        """The objectClass of groups."""

    @property
    def read(self) -> Sequence[str]:
        """Attributes of entries that are read back."""

    def unit_dn(self, unit: str, base: str) -> str:
        """The DN of a unit."""

    def dn(self, name: str, unit_dn: str) -> str:
        """The DN of a user or group in a unit."""

    def user(self, user: User, dn: str) -> Attributes:
        """A new user's entry, as far as it can be made at once."""

    def user_again(self, user: User) -> Changes:
        """What makes a user that is there already the same as a new one."""

    def group(self, name: str, dn: str, members: Sequence[str]) -> Attributes:
        """A new group's entry; members of an Active Directory group come later."""

    def is_user(self, entry: Entry) -> bool:
        """Whether an entry is a user of this kind."""

    def is_group(self, entry: Entry) -> bool:
        """Whether an entry is a group of this kind."""

    def supports(self, state: State) -> bool:
        """Whether accounts can be brought into this state."""

    def lock_out(self, wire: Wire, user: User, dn: str, base: str) -> None:
        """Locks an account out that is enabled."""

    def enable(self, enabled: bool) -> Changes:
        """What enables or disables an account and leaves the rest."""


class ActiveDirectory:
    """Samba's and Windows' Active Directory (MS-ADTS, MS-SAMR)."""

    member = "member"
    group_class = "group"
    read = ("objectClass", "sAMAccountName", "objectSid", "description")

    def unit_dn(self, unit: str, base: str) -> str:
        """See :class:`Schema`."""
        return f"OU={escape_dn(unit)},{base}"

    def dn(self, name: str, unit_dn: str) -> str:
        """See :class:`Schema`."""
        return f"CN={escape_dn(name)},{unit_dn}"

    def _login(self, user: User) -> dict[str, Sequence[str | bytes]]:
        control = _NORMAL_ACCOUNT | (_ACCOUNTDISABLE if user.state is State.DISABLED else 0)
        return {
            # UTF-16LE between quotes (MS-ADTS 3.1.1.3.1.5).
            "unicodePwd": [f'"{user.password}"'.encode("utf-16-le")],
            "userAccountControl": [str(control)],
            "accountExpires": [_LONG_AGO if user.state is State.EXPIRED else "0"],
            # 0: the password must be changed; -1: it has just been set (MS-ADTS 3.1.1.5.3.2).
            "pwdLastSet": ["0" if user.state is State.MUST_CHANGE else "-1"],
        }

    def user(self, user: User, dn: str) -> Attributes:
        """See :class:`Schema`."""
        realm = ".".join(part[3:] for part in dn.split(",") if part[:3].upper() == "DC=").lower()
        return {
            "objectClass": ["top", "person", "organizationalPerson", "user"],
            "sAMAccountName": [user.name],
            "userPrincipalName": [f"{user.name}@{realm}"],
            **self._login(user),
        }

    def user_again(self, user: User) -> Changes:
        """See :class:`Schema`."""
        changes: dict[str, tuple[str, Sequence[str | bytes]]] = {
            name: ("replace", values) for name, values in self._login(user).items()
        }
        changes["lockoutTime"] = ("replace", ["0"])
        return changes

    def group(self, name: str, dn: str, members: Sequence[str]) -> Attributes:
        """See :class:`Schema`."""
        return {
            "objectClass": ["top", "group"],
            "sAMAccountName": [name],
            "groupType": [str(_GLOBAL_SECURITY_GROUP)],
        }

    def is_user(self, entry: Entry) -> bool:
        """See :class:`Schema`."""
        classes = {text.lower() for text in entry.texts("objectClass")}
        return "user" in classes and "computer" not in classes

    def is_group(self, entry: Entry) -> bool:
        """See :class:`Schema`."""
        return self.group_class.lower() in {text.lower() for text in entry.texts("objectClass")}

    def supports(self, state: State) -> bool:
        """See :class:`Schema`."""
        return True

    def lock_out(self, wire: Wire, user: User, dn: str, base: str) -> None:
        """Logs in with wrong passwords until the domain's policy locks the account: `lockoutTime` itself can only be cleared
        (MS-ADTS 3.1.1.5.3.2)."""
        policy = wire.search(base, "base", "(objectClass=*)", ["lockoutThreshold"])
        text = (policy[0].texts("lockoutThreshold") or ["0"])[0] if policy else "0"
        threshold = int(text) if text.isdigit() else 0
        if not 0 < threshold <= 50:
            raise PlanError(
                f"the user {user.name} cannot be locked out: the domain's lockoutThreshold is {text}",
                "set it to a few attempts (samba-tool domain passwordsettings set --account-lockout-threshold=3)",
            )
        for _ in range(threshold):
            wire.try_bind(dn, user.password + "x")
        found = wire.search(dn, "base", "(objectClass=*)", ["lockoutTime"])
        if not found or (found[0].texts("lockoutTime") or ["0"])[0] == "0":
            raise PlanError(
                f"the user {user.name} is not locked out after {threshold} wrong passwords",
                "does a policy of its own apply to the account?",
            )

    def enable(self, enabled: bool) -> Changes:
        """See :class:`Schema`."""
        return {"userAccountControl": ("replace", [str(_NORMAL_ACCOUNT | (0 if enabled else _ACCOUNTDISABLE))])}


class OpenLdap:
    """inetOrgPerson and groupOfNames (RFC 2798, RFC 4519). States need the password policy overlay (slapo-ppolicy)."""

    member = "member"
    group_class = "groupOfNames"
    read = ("objectClass", "uid", "cn", "description")
    _FOREVER = "000001010000Z"

    def unit_dn(self, unit: str, base: str) -> str:
        """See :class:`Schema`."""
        return f"ou={escape_dn(unit)},{base}"

    def dn(self, name: str, unit_dn: str) -> str:
        """See :class:`Schema`."""
        return f"cn={escape_dn(name)},{unit_dn}"

    def _state(self, state: State) -> dict[str, list[str | bytes]]:
        locked: list[str | bytes] = [self._FOREVER] if state in (State.DISABLED, State.LOCKED_OUT) else []
        must: list[str | bytes] = ["TRUE"] if state is State.MUST_CHANGE else []
        return {"pwdAccountLockedTime": locked, "pwdReset": must}

    def user(self, user: User, dn: str) -> Attributes:
        """See :class:`Schema`."""
        entry: dict[str, Sequence[str | bytes]] = {
            "objectClass": ["top", "person", "organizationalPerson", "inetOrgPerson"],
            "uid": [user.name],
            "cn": [user.name],
            "sn": [user.name],
            "userPassword": [user.password],
        }
        return entry | {name: values for name, values in self._state(user.state).items() if values}

    def user_again(self, user: User) -> Changes:
        """See :class:`Schema`. The policy's attributes are touched only where a state asks for them."""
        changes: dict[str, tuple[str, Sequence[str | bytes]]] = {"userPassword": ("replace", [user.password])}
        if user.state is not State.ENABLED:
            changes |= {name: ("replace", values) for name, values in self._state(user.state).items()}
        return changes

    def group(self, name: str, dn: str, members: Sequence[str]) -> Attributes:
        """See :class:`Schema`. A groupOfNames has at least one member: one without others is its own."""
        return {"objectClass": ["top", "groupOfNames"], "cn": [name], "member": list(members) or [dn]}

    def is_user(self, entry: Entry) -> bool:
        """See :class:`Schema`."""
        return "inetorgperson" in {text.lower() for text in entry.texts("objectClass")}

    def is_group(self, entry: Entry) -> bool:
        """See :class:`Schema`."""
        return self.group_class.lower() in {text.lower() for text in entry.texts("objectClass")}

    def supports(self, state: State) -> bool:
        """See :class:`Schema`."""
        return state is not State.EXPIRED

    def lock_out(self, wire: Wire, user: User, dn: str, base: str) -> None:
        """Done with the entry itself."""

    def enable(self, enabled: bool) -> Changes:
        """See :class:`Schema`."""
        return {"pwdAccountLockedTime": ("replace", [] if enabled else [self._FOREVER])}


#: Schemas by the word for them.
SCHEMAS: dict[str, Callable[[], Schema]] = {"ad": ActiveDirectory, "openldap": OpenLdap}
