"""What provisioning makes of a directory."""

from __future__ import annotations

import sys
from pathlib import Path

import home
import pytest
from fake import FakeDirectory, Killed

from ldap_provision.errors import DirectoryError, PlanError
from ldap_provision.plan import Group, Plan, State, User
from ldap_provision.provision import apply, enable, remove, sid_text, units
from ldap_provision.schema import ActiveDirectory, OpenLdap, escape_dn, escape_filter

BASE = "DC=ad,DC=test"
SCHEMA = ActiveDirectory()
PLAN = Plan(
    "run1",
    (User("alice", "pw-one"), User("bob", "pw-two", State.DISABLED), User("carl", "pw-three", State.LOCKED_OUT)),
    (Group("finance", ("alice",)), Group("all", ("finance", "bob"))),
)


def members(directory: FakeDirectory, group: str) -> set[str]:
    return {value.decode() for value in directory.get(f"CN={group},OU=run1,{BASE}").get("member", [])}


def test_a_plan_is_made_and_a_second_call_changes_nothing() -> None:
    directory = FakeDirectory()
    progress: list[tuple[int, int]] = []
    report = apply(directory, SCHEMA, BASE, PLAN, lambda done, total: progress.append((done, total)))
    assert (report.created, report.adopted, report.removed) == (6, 0, 0)
    assert progress == [(done, 5) for done in range(1, 6)]
    assert [account.name for account in report.accounts] == ["alice", "all", "bob", "carl", "finance"]
    assert all(account.sid.startswith("S-1-5-21-1-2-3-") for account in report.accounts)
    alice = directory.get(f"CN=alice,OU=run1,{BASE}")
    assert alice["unicodepwd"] == ['"pw-one"'.encode("utf-16-le")]
    assert alice["userprincipalname"] == [b"alice@ad.test"]
    assert alice["useraccountcontrol"] == [b"512"]
    assert directory.get(f"CN=bob,OU=run1,{BASE}")["useraccountcontrol"] == [b"514"]
    assert directory.get(f"CN=carl,OU=run1,{BASE}")["lockouttime"] == [b"1"]
    assert members(directory, "all") == {f"CN=finance,OU=run1,{BASE}", f"CN=bob,OU=run1,{BASE}"}

    directory.wrong_passwords.clear()
    again = apply(directory, SCHEMA, BASE, PLAN)
    assert (again.created, again.adopted, again.removed) == (0, 6, 0)
    assert again.accounts == report.accounts


def test_the_order_of_groups_in_a_plan_is_free_and_they_go_first() -> None:
    directory = FakeDirectory()
    plan = Plan("run1", (User("alice", "pw"),), (Group("all", ("finance",)), Group("finance", ("alice",))))
    directory.members_must_exist = True
    apply(directory, SCHEMA, BASE, plan)
    assert members(directory, "all") == {f"CN=finance,OU=run1,{BASE}"}
    assert members(directory, "finance") == {f"CN=alice,OU=run1,{BASE}"}
    directory.deleted.clear()
    assert remove(directory, SCHEMA, BASE, "run1")
    assert directory.deleted[:2] == [f"CN=all,OU=run1,{BASE}", f"CN=finance,OU=run1,{BASE}"]


def test_a_changed_plan_removes_what_it_no_longer_has() -> None:
    directory = FakeDirectory()
    apply(directory, SCHEMA, BASE, PLAN)
    smaller = Plan("run1", (User("bob", "pw-new"),), (Group("all", ("bob",)),))
    report = apply(directory, SCHEMA, BASE, smaller)
    assert report.removed == 3
    assert members(directory, "all") == {f"CN=bob,OU=run1,{BASE}"}
    bob = directory.get(f"CN=bob,OU=run1,{BASE}")
    assert bob["unicodepwd"] == ['"pw-new"'.encode("utf-16-le")] and bob["useraccountcontrol"] == [b"512"]


@pytest.mark.parametrize("operations", range(12))
def test_a_run_that_was_killed_is_taken_up_by_the_next(operations: int) -> None:
    directory = FakeDirectory()
    directory.kill_after = operations
    try:
        apply(directory, SCHEMA, BASE, PLAN)
    except Killed:
        pass
    directory.kill_after = None
    report = apply(directory, SCHEMA, BASE, PLAN)
    assert [account.name for account in report.accounts] == ["alice", "all", "bob", "carl", "finance"]
    assert members(directory, "finance") == {f"CN=alice,OU=run1,{BASE}"}
    assert members(directory, "all") == {f"CN=finance,OU=run1,{BASE}", f"CN=bob,OU=run1,{BASE}"}
    assert remove(directory, SCHEMA, BASE, "run1")
    assert len(directory.entries) == 1


def test_an_entry_of_another_kind_is_left_alone_and_named() -> None:
    directory = FakeDirectory()
    apply(directory, SCHEMA, BASE, Plan("run1"))
    directory.put(f"CN=alice,OU=run1,{BASE}", {"objectClass": [b"computer", b"user"]})
    with pytest.raises(DirectoryError) as caught:
        apply(directory, SCHEMA, BASE, Plan("run1", (User("bob", "x"), User("alice", "x"))))
    assert caught.value.code == 68
    assert caught.value.dn == f"CN=alice,OU=run1,{BASE}"
    assert "another kind (computer, user)" in caught.value.advice


def test_an_account_elsewhere_is_named_as_the_cause() -> None:
    directory = FakeDirectory()
    directory.put(f"CN=someone,{BASE}", {"objectClass": [b"user"], "sAMAccountName": [b"alice"]})
    with pytest.raises(DirectoryError) as caught:
        apply(directory, SCHEMA, BASE, PLAN)
    assert caught.value.code == 68 and "elsewhere" in caught.value.advice
    assert "text of the server" in str(caught.value)


def test_a_unit_of_somebody_else_is_neither_adopted_nor_removed() -> None:
    directory = FakeDirectory()
    directory.put(f"OU=run1,{BASE}", {"objectClass": [b"organizationalUnit"], "description": [b"payroll"]})
    with pytest.raises(PlanError, match="did not make it"):
        apply(directory, SCHEMA, BASE, PLAN)
    with pytest.raises(PlanError, match="did not make it"):
        remove(directory, SCHEMA, BASE, "run1")
    assert len(directory.entries) == 2


def test_a_refusal_says_dn_code_text_and_what_to_do_and_no_password() -> None:
    directory = FakeDirectory()
    directory.refuse[f"cn=alice,ou=run1,{BASE.lower()}"] = (19, "0000052D: the password is too short")
    with pytest.raises(DirectoryError) as caught:
        apply(directory, SCHEMA, BASE, PLAN)
    text = str(caught.value)
    for part in (f"CN=alice,OU=run1,{BASE}", "constraintViolation (19)", "0000052D", "policy"):
        assert part in text
    assert "pw-one" not in text + repr(caught.value) + repr(PLAN)


def test_units_are_found_by_their_mark_and_accounts_enabled_and_disabled() -> None:
    directory = FakeDirectory()
    apply(directory, SCHEMA, BASE, PLAN)
    assert units(directory, BASE, "run") == ["run1"]
    for enabled, value in ((False, b"514"), (True, b"512")):
        enable(directory, SCHEMA, BASE, "run1", "alice", enabled)
        assert directory.get(f"CN=alice,OU=run1,{BASE}")["useraccountcontrol"] == [value]
    assert remove(directory, SCHEMA, BASE, "run1")
    assert not remove(directory, SCHEMA, BASE, "run1")


def test_openldap_has_other_classes_and_no_expiry() -> None:
    directory = FakeDirectory("dc=x")
    schema = OpenLdap()
    plan = Plan("u", (User("alice", "pw"),), (Group("g", ("alice",)), Group("empty")))
    report = apply(directory, schema, "dc=x", plan)
    assert report.created == 4
    assert directory.get("cn=alice,ou=u,dc=x")["objectclass"][-1] == b"inetOrgPerson"
    assert directory.get("cn=g,ou=u,dc=x")["member"] == [b"cn=alice,ou=u,dc=x"]
    assert directory.get("cn=empty,ou=u,dc=x")["member"] == [b"cn=empty,ou=u,dc=x"]
    assert apply(directory, schema, "dc=x", plan).adopted == 4
    with pytest.raises(PlanError, match="expired"):
        apply(directory, schema, "dc=x", Plan("u", (User("bob", "pw", State.EXPIRED),)))


def test_texts() -> None:
    assert sid_text(bytes.fromhex("010500000000000515000000010000000200000003000000f4010000")) == "S-1-5-21-1-2-3-500"
    assert sid_text(b"\x01\x05\x00") == ""
    assert escape_dn(" a,b") == "\\ a\\,b"
    assert escape_filter("a*(b)") == "a\\2a\\28b\\29"


def test_home_is_where_the_shared_library_lies(tmp_path: Path) -> None:
    library = tmp_path / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    library.mkdir(parents=True)
    (library / "os.py").touch()
    shared = tmp_path / "lib" / "x86_64-linux-gnu" / f"libpython{sys.version_info.major}.{sys.version_info.minor}.so.1.0"
    maps = tmp_path / "maps"
    maps.write_text(f"7f00-7f01 r-xp 00000000 08:01 1234    {shared}\n", encoding="utf-8")
    assert home.own_library(str(maps)) == str(library)
    maps.write_text("7f00-7f01 r-xp 00000000 08:01 1234    /usr/lib/libc.so.6\n", encoding="utf-8")
    assert home.own_library(str(maps)) is None
    assert home.own_library(str(tmp_path / "nothing")) is None
