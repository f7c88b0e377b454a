"""Bringing a plan about, and taking it back."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field

from ldap_provision.errors import DirectoryError, PlanError
from ldap_provision.plan import Group, Plan, State, User, check_name
from ldap_provision.schema import MARK, Schema, escape_filter
from ldap_provision.wire import Attributes, Entry, Wire

NO_SUCH_OBJECT = 32
NO_SUCH_ATTRIBUTE = 16
ALREADY_EXISTS = 68

#: Told how many of how many entries are done.
Progress = Callable[[int, int], None]


@dataclass
class Account:
    """A user or group that is there now."""

    name: str
    dn: str
    #: The security identifier as in `S-1-5-21-…`; empty where the directory has none.
    sid: str = ""


@dataclass
class Report:
    """What was done."""

    unit: str
    created: int = 0
    #: Found, and made the same as new ones.
    adopted: int = 0
    #: Found in our unit without being in the plan.
    removed: int = 0
    accounts: list[Account] = field(default_factory=list)

    def data(self) -> dict[str, object]:
        """As JSON has it."""
        return asdict(self)


def sid_text(raw: bytes) -> str:
    """A binary SID as text (MS-DTYP 2.4.2)."""
    if len(raw) < 8 or len(raw) != 8 + 4 * raw[1]:
        return ""
    authority = int.from_bytes(raw[2:8], "big")
    parts = struct.unpack(f"<{raw[1]}I", raw[8:])
    return "-".join(["S", str(raw[0]), str(authority), *map(str, parts)])


def apply(wire: Wire, schema: Schema, base: str, plan: Plan, progress: Progress | None = None) -> Report:
    """Makes everything in the plan; what is there already is made the same as new, and what is in the unit beyond the
    plan is removed. Raises :class:`PlanError` before anything is changed, :class:`DirectoryError` where the server
    refuses; then the next call goes on from there."""
    plan.check()
    for user in plan.users:
        if not schema.supports(user.state):
            raise PlanError(f"the user {user.name} cannot be {user.state.value} in this schema", "use --schema ad")
    unit_dn = schema.unit_dn(plan.unit, base)
    report = Report(unit_dn)
    total = len(plan.users) + len(plan.groups)
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, total)

    there = _open_unit(wire, schema, unit_dn, report)
    planned = [*(user.name for user in plan.users), *(group.name for group in plan.groups)]
    names = {name.lower() for name in planned}
    for name, entry in there.items():
        if name not in names:
            wire.delete(entry.dn)
            report.removed += 1
    dns = {name.lower(): schema.dn(name, unit_dn) for name in planned}
    for user in plan.users:
        _user(wire, schema, user, dns[user.name.lower()], base, there.get(user.name.lower()), report)
        step()
    # All groups before their members: a group may be a member of another, whatever the plan's order.
    made = [_group(wire, schema, group, dns, there.get(group.name.lower()), report) for group in plan.groups]
    for group, created in zip(plan.groups, made, strict=True):
        _members(wire, schema, group, dns, None if created else there.get(group.name.lower()), created)
        step()
    report.accounts = _accounts(wire, schema, unit_dn, names)
    return report


def _open_unit(wire: Wire, schema: Schema, unit_dn: str, report: Report) -> dict[str, Entry]:
    """Makes the unit or adopts ours; what is in it by name."""
    try:
        wire.add(unit_dn, {"objectClass": ["top", "organizationalUnit"], "description": [MARK]})
        report.created += 1
        return {}
    except DirectoryError as error:
        if error.code != ALREADY_EXISTS:
            raise
    _expect_ours(wire, unit_dn)
    report.adopted += 1
    found = wire.search(unit_dn, "one", "(objectClass=*)", [*schema.read, schema.member])
    return {_rdn(entry.dn).lower(): entry for entry in found}


def _expect_ours(wire: Wire, unit_dn: str) -> None:
    found = wire.search(unit_dn, "base", "(objectClass=*)", ["description", "objectClass"])
    if not found or MARK not in found[0].texts("description"):
        raise PlanError(f"{unit_dn} is there, and this tool did not make it", "choose another unit")


def _rdn(dn: str) -> str:
    """The value of the first part of a DN. No name of ours holds a comma, so an escaped one may stand for the rest."""
    return dn.split(",", 1)[0].split("=", 1)[-1].replace("\\", "")


def _add_or(wire: Wire, schema: Schema, dn: str, attributes: Attributes, is_kind: Callable[[Entry], bool]) -> bool:
    """Adds an entry; false when one of the same kind is at the DN already."""
    try:
        wire.add(dn, attributes)
        return True
    except DirectoryError as error:
        if error.code != ALREADY_EXISTS:
            raise
        try:
            found = wire.search(dn, "base", "(objectClass=*)", schema.read)
        except DirectoryError as missing:
            if missing.code != NO_SUCH_OBJECT:
                raise
            # Not there, but another entry has the account's name.
            raise _elsewhere(error, dn) from None
        if not found:
            raise _elsewhere(error, dn) from None
        if not is_kind(found[0]):
            kind = ", ".join(found[0].texts("objectClass"))
            advice = f"an entry of another kind ({kind}) is there: remove it, or choose another name"
            raise DirectoryError("adding", dn, error.code, error.name, error.text, advice) from None
        return False


def _elsewhere(error: DirectoryError, dn: str) -> DirectoryError:
    advice = "an account of that name is elsewhere in the directory: remove it, or choose another name"
    return DirectoryError("adding", dn, ALREADY_EXISTS, error.name, error.text, advice)


def _user(
    wire: Wire, schema: Schema, user: User, dn: str, base: str, there: Entry | None, report: Report
) -> None:
    known = there is not None and schema.is_user(there)
    if not known and _add_or(wire, schema, dn, schema.user(user, dn), schema.is_user):
        report.created += 1
    else:
        wire.modify(dn, schema.user_again(user))
        report.adopted += 1
    if user.state is State.LOCKED_OUT:
        schema.lock_out(wire, user, dn, base)


def _group_entry(schema: Schema, group: Group, dns: Mapping[str, str]) -> tuple[str, list[str], Attributes]:
    """A group's DN, its members' DNs, each once, and its entry."""
    dn = dns[group.name.lower()]
    members = [dns[member.lower()] for member in dict.fromkeys(member.lower() for member in group.members)]
    return dn, members, schema.group(group.name, dn, members)


def _group(
    wire: Wire, schema: Schema, group: Group, dns: Mapping[str, str], there: Entry | None, report: Report
) -> bool:
    """Makes a group's entry, or adopts it; true when it is new."""
    dn, _, attributes = _group_entry(schema, group, dns)
    known = there is not None and schema.is_group(there)
    created = not known and _add_or(wire, schema, dn, attributes, schema.is_group)
    report.created += created
    report.adopted += not created
    return created


def _members(
    wire: Wire, schema: Schema, group: Group, dns: Mapping[str, str], there: Entry | None, created: bool
) -> None:
    """Makes a group's members those of the plan."""
    dn, members, attributes = _group_entry(schema, group, dns)
    if created and schema.member in attributes:
        return
    wanted = {member.lower(): member for member in members} or (
        {dn.lower(): dn} if schema.member in attributes else {}
    )
    had = {text.lower(): text for text in (there.texts(schema.member) if there else [])}
    # All at once: a change of a thousand members is one operation.
    add = [member for key, member in wanted.items() if key not in had]
    if add:
        wire.modify(dn, {schema.member: ("add", add)})
    gone = [member for key, member in had.items() if key not in wanted]
    if gone:
        try:
            wire.modify(dn, {schema.member: ("delete", gone)})
        except DirectoryError as error:
            # A member that was deleted is a member no more.
            if error.code not in (NO_SUCH_ATTRIBUTE, NO_SUCH_OBJECT):
                raise


def _accounts(wire: Wire, schema: Schema, unit_dn: str, names: set[str]) -> list[Account]:
    accounts = []
    for entry in wire.search(unit_dn, "one", "(objectClass=*)", schema.read):
        name = _rdn(entry.dn)
        if name.lower() in names:
            sid = entry.attributes.get("objectsid", [b""])[0]
            accounts.append(Account(name, entry.dn, sid_text(sid)))
    return sorted(accounts, key=lambda account: account.name)


def remove(wire: Wire, schema: Schema, base: str, unit: str) -> bool:
    """Removes a unit of ours with all in it; false when it is not there."""
    check_name("the unit", unit, 64)
    unit_dn = schema.unit_dn(unit, base)
    try:
        _expect_ours(wire, unit_dn)
    except DirectoryError as error:
        if error.code == NO_SUCH_OBJECT:
            return False
        raise
    try:
        # Groups first: of a large one each user that is deleted before it would be taken out by itself.
        for entry in wire.search(unit_dn, "one", f"(objectClass={schema.group_class})", ["objectClass"]):
            _delete(wire, entry.dn)
        wire.delete(unit_dn, tree=True)
        return True
    except DirectoryError as error:
        if error.code == NO_SUCH_OBJECT:
            return False
        # No tree delete here (OpenLDAP): one entry after the other.
    for entry in wire.search(unit_dn, "one", "(objectClass=*)", ["objectClass"]):
        _delete(wire, entry.dn)
    _delete(wire, unit_dn)
    return True


def _delete(wire: Wire, dn: str) -> None:
    try:
        wire.delete(dn)
    except DirectoryError as error:
        if error.code != NO_SUCH_OBJECT:
            raise


def units(wire: Wire, base: str, prefix: str) -> list[str]:
    """The units of ours whose name begins with `prefix`."""
    wanted = f"(&(objectClass=organizationalUnit)(description={escape_filter(MARK)})(ou={escape_filter(prefix)}*))"
    return sorted(_rdn(entry.dn) for entry in wire.search(base, "one", wanted, ["ou"]))


def enable(wire: Wire, schema: Schema, base: str, unit: str, name: str, enabled: bool) -> None:
    """Enables or disables one account in a unit of ours."""
    unit_dn = schema.unit_dn(unit, base)
    _expect_ours(wire, unit_dn)
    wire.modify(schema.dn(name, unit_dn), schema.enable(enabled))
