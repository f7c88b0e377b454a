"""The same against a real OpenLDAP: over LDAPS and StartTLS, with its certificate verified."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import openldap
import pytest
from openldap import BASE, MANAGER, READER, OpenLdapServer

from ldap_provision.cli import main
from ldap_provision.errors import ConnectError, DirectoryError
from ldap_provision.plan import Group, Plan, State, User
from ldap_provision.provision import apply, enable, remove, units
from ldap_provision.schema import OpenLdap
from ldap_provision.wire import Ldap3, Server

SCHEMA = OpenLdap()
USERS = (User("alice", "pass-one"), User("bob", "pass-two", State.DISABLED), User("carl", "pass-three", State.LOCKED_OUT))
GROUPS = (Group("finance", ("alice",)), Group("all", ("finance", "bob")), Group("empty"))


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenLdapServer]:
    missing = openldap.available()
    if missing:
        assert os.environ.get("SMB_REPLAY_REQUIRE") != "1", missing
        pytest.skip(missing)
    server = openldap.start(tmp_path_factory.mktemp("slapd"))
    yield server
    server.stop()


def settings(directory: OpenLdapServer, how: str, ca: str | None = None, bind: str = MANAGER) -> Server:
    url = directory.ldaps if how == "ldaps" else directory.ldap
    return Server(url, bind, directory.password, ca_file=ca or directory.ca, start_tls=how == "start-tls")


@pytest.fixture(params=["ldaps", "start-tls"])
def wire(directory: OpenLdapServer, request: pytest.FixtureRequest) -> Iterator[Ldap3]:
    wire = Ldap3(settings(directory, request.param))
    yield wire
    for unit in units(wire, BASE, ""):
        remove(wire, SCHEMA, BASE, unit)
    wire.close()


def members(wire: Ldap3, group: str, unit: str = "u1") -> set[str]:
    [entry] = wire.search(f"cn={group},ou={unit},{BASE}", "base", "(objectClass=*)", ["member"])
    return {text.split(",")[0] for text in entry.texts("member")}


def test_a_plan_is_made_changed_and_removed(wire: Ldap3) -> None:
    report = apply(wire, SCHEMA, BASE, Plan("u1", USERS, GROUPS))
    assert (report.created, report.adopted, report.removed) == (7, 0, 0)
    assert members(wire, "all") == {"cn=finance", "cn=bob"} and members(wire, "empty") == {"cn=empty"}
    again = apply(wire, SCHEMA, BASE, Plan("u1", USERS, GROUPS))
    assert (again.created, again.adopted, again.removed) == (0, 7, 0)
    smaller = apply(wire, SCHEMA, BASE, Plan("u1", USERS[:1], (Group("all", ("alice",)),)))
    assert (smaller.created, smaller.removed) == (0, 4)
    assert members(wire, "all") == {"cn=alice"}
    assert units(wire, BASE, "u") == ["u1"]
    assert remove(wire, SCHEMA, BASE, "u1") and not remove(wire, SCHEMA, BASE, "u1")


def test_only_those_log_in_who_may(wire: Ldap3) -> None:
    apply(wire, SCHEMA, BASE, Plan("u1", USERS))
    dn = {user.name: f"cn={user.name},ou=u1,{BASE}" for user in USERS}
    assert wire.try_bind(dn["alice"], "pass-one")
    assert not wire.try_bind(dn["alice"], "pass-two")
    assert not wire.try_bind(dn["bob"], "pass-two") and not wire.try_bind(dn["carl"], "pass-three")
    enable(wire, SCHEMA, BASE, "u1", "bob", True)
    assert wire.try_bind(dn["bob"], "pass-two")
    enable(wire, SCHEMA, BASE, "u1", "bob", False)
    assert not wire.try_bind(dn["bob"], "pass-two")


def test_what_the_server_refuses_is_told(directory: OpenLdapServer, wire: Ldap3) -> None:
    with pytest.raises(DirectoryError) as weak:
        apply(wire, SCHEMA, BASE, Plan("u1", (User("alice", "abc"),)))
    assert weak.value.code == 19 and weak.value.dn == f"cn=alice,ou=u1,{BASE}" and weak.value.text
    assert "policy" in weak.value.advice and "abc" not in str(weak.value)
    wire.add(f"cn=room,ou=u1,{BASE}", {"objectClass": ["applicationProcess"], "cn": ["room"]})
    with pytest.raises(DirectoryError) as other:
        apply(wire, SCHEMA, BASE, Plan("u1", (User("room", "long-enough"),)))
    assert other.value.code == 68 and "another kind (applicationProcess)" in other.value.advice
    reader = Ldap3(settings(directory, "ldaps", bind=READER))
    with pytest.raises(DirectoryError) as rights:
        apply(reader, SCHEMA, BASE, Plan("u2", USERS))
    reader.close()
    assert rights.value.code == 50 and rights.value.dn == f"ou=u2,{BASE}" and "lacks the right" in str(rights.value)


@pytest.mark.parametrize("how", ["ldaps", "start-tls"])
def test_a_certificate_of_another_authority_is_refused(directory: OpenLdapServer, how: str) -> None:
    with pytest.raises(ConnectError, match="is not trusted") as caught:
        Ldap3(settings(directory, how, directory.other_ca))
    assert "CA" in caught.value.advice
    named = settings(directory, how)
    elsewhere = Server(named.url.replace("127.0.0.1", "127.0.0.2"), MANAGER, directory.password, named.ca_file, start_tls=named.start_tls)
    with pytest.raises(ConnectError):
        Ldap3(elsewhere)


def test_without_tls_and_with_a_wrong_password_nobody_is_let_in(directory: OpenLdapServer) -> None:
    with pytest.raises(ConnectError, match="in the clear"):
        Ldap3(Server(directory.ldap, MANAGER, directory.password, ca_file=directory.ca))
    with pytest.raises(ConnectError) as clear:
        Ldap3(Server(directory.ldap, MANAGER, directory.password, insecure=True))
    assert clear.value.code == 13
    with pytest.raises(ConnectError) as wrong:
        Ldap3(Server(directory.ldaps, MANAGER, "wrong", ca_file=directory.ca))
    assert wrong.value.code == 49 and "wrong" in wrong.value.advice


def command(directory: OpenLdapServer, *more: str) -> list[str]:
    where = ["--url", directory.ldap, "--start-tls", "--ca", directory.ca, "--bind", MANAGER, "--base", BASE]
    return [*where, "--schema", "openldap", "--quiet", *more]


def test_the_command_line_does_it(
    directory: OpenLdapServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = {"unit": "u3", "users": [{"name": "alice", "password": "pass-one"}]}
    for created in (2, 0):
        monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps({"password": directory.password, "plan": plan})))
        assert main(command(directory, "apply")) == 0
        assert json.loads(capsys.readouterr().out)["created"] == created
    for removed in (True, False):
        read, write = os.pipe()
        os.write(write, directory.password.encode() + b"\n")
        os.close(write)
        assert main([*command(directory, "--password-fd", str(read)), "remove", "u3"]) == 0
        assert json.loads(capsys.readouterr().out) == {"removed": removed}


def test_a_command_that_was_killed_is_taken_up_by_the_next(directory: OpenLdapServer, wire: Ldap3) -> None:
    users = [{"name": f"user{number}", "password": f"password-{number}"} for number in range(300)]
    groups = [{"name": "everybody", "members": [user["name"] for user in users]}]
    text = json.dumps({"password": directory.password, "plan": {"unit": "u4", "users": users, "groups": groups}})
    program = [sys.executable, "-m", "ldap_provision", *command(directory, "apply")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "src")}

    def spawn() -> subprocess.Popen[str]:
        started = subprocess.Popen(
            program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        assert started.stdin
        started.stdin.write(text)
        started.stdin.close()
        started.stdin = None
        return started

    def made() -> int:
        try:
            return len(wire.search(f"ou=u4,{BASE}", "one", "(objectClass=*)", ["cn"]))
        except DirectoryError:
            return 0

    killed = spawn()
    end = time.monotonic() + 60
    while made() < 20 and time.monotonic() < end:
        time.sleep(0.01)
    arguments = Path(f"/proc/{killed.pid}/cmdline").read_bytes() + Path(f"/proc/{killed.pid}/environ").read_bytes()
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=20)
    assert killed.returncode == -signal.SIGKILL and 20 <= made() < 300
    assert directory.password.encode() not in arguments and b"password-7" not in arguments
    out, said = spawn().communicate(timeout=120)
    report = json.loads(out)
    assert report["created"] + report["adopted"] == 302 and 20 <= report["adopted"] < 302, said
    assert len(members(wire, "everybody", "u4")) == 300
