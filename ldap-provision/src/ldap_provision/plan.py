"""What should be there, as plain data, and as the JSON that is read from standard input."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ldap_provision.errors import PlanError

#: The longest sAMAccountName of a user (MS-SAMR 3.1.1.6).
LONGEST_USER = 20
#: The longest name of any entry here.
LONGEST = 64
#: Characters that no account may have (MS-SAMR 3.1.1.6), with those that would have to be escaped in a DN or a filter.
FORBIDDEN = frozenset('"/\\[]:;|=,+*?<>@#()&\0')


class State(enum.Enum):
    """What a login of the account should meet."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    EXPIRED = "expired"
    LOCKED_OUT = "locked-out"
    MUST_CHANGE = "must-change"


@dataclass(frozen=True)
class User:
    """An account that can log in, or that its state keeps from it."""

    name: str
    password: str = field(repr=False)
    state: State = State.ENABLED


@dataclass(frozen=True)
class Group:
    """A security group. Members are names of users and groups of the plan."""

    name: str
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """All that should be in one organizational unit, directly below the base DN."""

    unit: str
    users: tuple[User, ...] = ()
    groups: tuple[Group, ...] = ()

    def check(self) -> None:
        """Raises :class:`PlanError` for what no server could carry out."""
        check_name("the unit", self.unit, LONGEST)
        seen: set[str] = set()
        for user in self.users:
            check_name("a user", user.name, LONGEST_USER)
            if not user.password:
                raise PlanError(f"the user {user.name} has no password", "give every user one")
        for group in self.groups:
            check_name("a group", group.name, LONGEST)
        for name in [*(user.name for user in self.users), *(group.name for group in self.groups)]:
            if name.lower() in seen:
                raise PlanError(f"{name} is there twice", "users and groups share their names: rename one")
            seen.add(name.lower())
        for group in self.groups:
            for member in group.members:
                if member.lower() not in seen:
                    raise PlanError(
                        f"the group {group.name} has the member {member}, which the plan does not make",
                        "add it to the users or the groups",
                    )


def check_name(what: str, name: str, longest: int) -> None:
    """Raises :class:`PlanError` for a name that cannot be an account's."""
    if not name or len(name) > longest:
        raise PlanError(f"{what} is called {name!r}", f"names have 1 to {longest} characters")
    bad = sorted({character for character in name if character in FORBIDDEN or character < " "})
    if bad or name != name.strip(" ."):
        raise PlanError(
            f"{what} is called {name!r}", "names have none of \" / \\ [ ] : ; | = , + * ? < > @ # ( ) & and no blank or dot at an end"
        )


def _list(data: Mapping[str, Any], key: str) -> list[Any]:
    value = data.get(key, [])
    if not isinstance(value, list):
        raise PlanError(f"`{key}` is not a list", "see `ldap-provision --help` for the form of the plan")
    return value


def _text(data: object, key: str, what: str, default: str | None = None) -> str:
    value = data.get(key, default) if isinstance(data, dict) else None
    if not isinstance(value, str):
        # Never the value itself: it may be a password.
        raise PlanError(f"{what} has no text `{key}`", "see `ldap-provision --help` for the form of the plan")
    return value


def read_plan(data: object) -> Plan:
    """The plan that parsed JSON describes; checked."""
    if not isinstance(data, dict):
        raise PlanError("the plan is not a JSON object", "see `ldap-provision --help` for the form of the plan")
    unknown = sorted(set(data) - {"unit", "users", "groups"})
    if unknown:
        raise PlanError(f"the plan has no `{unknown[0]}`", "it has unit, users and groups")
    users = []
    for entry in _list(data, "users"):
        name = _text(entry, "name", "a user")
        word = _text(entry, "state", f"the user {name}", State.ENABLED.value)
        try:
            state = State(word)
        except ValueError:
            raise PlanError(
                f"the user {name} has the state {word!r}", "states are " + ", ".join(state.value for state in State)
            ) from None
        users.append(User(name, _text(entry, "password", f"the user {name}"), state))
    groups = []
    for entry in _list(data, "groups"):
        name = _text(entry, "name", "a group")
        members = _list(entry, "members")
        if not all(isinstance(member, str) for member in members):
            raise PlanError(f"the group {name} has a member that is no text", "members are names")
        groups.append(Group(name, tuple(members)))
    plan = Plan(_text(data, "unit", "the plan"), tuple(users), tuple(groups))
    plan.check()
    return plan
