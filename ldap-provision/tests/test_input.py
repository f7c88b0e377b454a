"""Plans, addresses and the command line: what bad input gets."""

from __future__ import annotations

import io
import json
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from ldap_provision.cli import main
from ldap_provision.errors import ConnectError, PlanError
from ldap_provision.plan import read_plan
from ldap_provision.wire import Server


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "not a JSON object"),
        ({}, "no text `unit`"),
        ({"unit": "u", "user": []}, "no `user`"),
        ({"unit": "u", "users": {}}, "`users` is not a list"),
        ({"unit": "u", "users": [{"name": "a"}]}, "no text `password`"),
        ({"unit": "u", "users": [{"name": "a", "password": 5}]}, "no text `password`"),
        ({"unit": "u", "users": [{"name": "a", "password": ""}]}, "no password"),
        ({"unit": "u", "users": [{"name": "a", "password": "s3cret", "state": "dead"}]}, "must-change"),
        ({"unit": "u", "users": [{"name": "x" * 21, "password": "s3cret"}]}, "1 to 20"),
        ({"unit": "u", "users": [{"name": "a,b", "password": "s3cret"}]}, "'a,b'"),
        ({"unit": "u", "users": [{"name": "a", "password": "s3cret"}], "groups": [{"name": "A"}]}, "twice"),
        ({"unit": "u", "groups": [{"name": "g", "members": ["nobody"]}]}, "does not make"),
        ({"unit": "u", "groups": [{"name": "g", "members": [1]}]}, "no text"),
        ({"unit": "a/b"}, "'a/b'"),
    ],
)
def test_a_bad_plan_is_told_without_its_secrets(data: object, said: str) -> None:
    with pytest.raises(PlanError) as caught:
        read_plan(data)
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("server", "said"),
    [
        (Server("ldaps://h", "b", "p"), "no authority"),
        (Server("ldap://h", "b", "p", ca_data="x"), "in the clear"),
        (Server("ldap://h", "b", "p", start_tls=True), "no authority"),
        (Server("ldaps://h", "b", "p", start_tls=True, insecure=True), "has TLS already"),
        (Server("http://h", "b", "p"), "no address"),
        (Server("ldaps://user:pw@h", "b", "p"), "no address"),
        (Server("ldaps://h:port", "b", "p"), "no address"),
    ],
)
def test_what_is_not_safe_is_refused(server: Server, said: str) -> None:
    with pytest.raises(ConnectError, match=said):
        server.check()


def test_insecure_must_be_asked_for_by_name() -> None:
    assert Server("ldap://h", "b", "p", insecure=True).check() == ("h", 389, False)
    assert Server("ldaps://h:1636", "b", "p", insecure=True).check() == ("h", 1636, True)
    assert Server("ldaps://h", "b", "p", insecure=True).tls_context().verify_mode is ssl.CERT_NONE
    with pytest.raises(ConnectError, match="PEM"):
        Server("ldaps://h", "b", "p", ca_data="not a certificate").tls_context()
    assert "hidden" not in repr(Server("ldaps://h", "b", "hidden"))


ARGUMENTS = ["--url", "ldaps://127.0.0.1:1", "--bind", "b", "--base", "DC=x", "--quiet"]


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, *more: str) -> tuple[int, str]:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    code = main([*ARGUMENTS, *more])
    captured = capsys.readouterr()
    assert captured.out == "" and "s3cret" not in captured.err
    return code, captured.err


def test_the_command_line_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = run(monkeypatch, capsys, '{"password": "s3cret', "apply")
    assert code == 2 and "not JSON (line 1" in said
    code, said = run(monkeypatch, capsys, json.dumps({"plan": {}}), "apply")
    assert code == 2 and "no text `password`" in said
    code, said = run(monkeypatch, capsys, json.dumps({"password": "s3cret"}), "remove", "u")
    assert code == 1 and "--insecure takes any certificate" in said
    code, said = run(monkeypatch, capsys, json.dumps({"password": "s3cret"}), "--insecure", "units")
    assert code == 1 and "cannot be reached" in said


def test_a_package_that_is_missing_is_named_with_the_command() -> None:
    source = str(Path(__file__).parents[1] / "src")
    block = f"import sys; sys.modules['ldap3'] = None; sys.path.insert(0, {source!r}); from ldap_provision.cli import main"
    run_it = f"{block}; sys.exit(main({[*ARGUMENTS, '--insecure', 'units']!r}))"
    done = subprocess.run(
        [sys.executable, "-c", run_it], input='{"password": "s3cret"}', capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2 and done.stdout == ""
    assert "ldap3 is missing" in done.stderr and "pip install ldap3" in done.stderr and "s3cret" not in done.stderr
