"""The command line. Secrets come on standard input or a file descriptor, never as arguments or in the environment."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from ldap_provision import provision
from ldap_provision.errors import PlanError, ProvisionError
from ldap_provision.plan import read_plan
from ldap_provision.schema import SCHEMAS
from ldap_provision.wire import Ldap3, Server

_INPUT = """
standard input is a JSON object:

  { "password": "that of --bind",
    "plan": { "unit": "lab", "users":  [ {"name": "alice", "password": "...", "state": "enabled"} ],
                             "groups": [ {"name": "finance", "members": ["alice"]} ] } }

`plan` is for `apply` only; states are enabled, disabled, expired, locked-out, must-change. With --password-fd the
password comes from that file descriptor instead. The result is a JSON object on standard output.

exit codes: 0 done, 1 the directory refused, 2 the input or the arguments are wrong
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ldap-provision",
        description="Makes users, groups and organizational units over LDAP, for tests.",
        epilog=_INPUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--url", required=True, help="ldaps://host:port or ldap://host:port")
    parser.add_argument("--bind", required=True, help="the account to log in as: a DN, or user@domain")
    parser.add_argument("--base", required=True, help="the DN below which units are made")
    parser.add_argument("--schema", choices=sorted(SCHEMAS), default="ad", help="default: ad")
    parser.add_argument("--ca", metavar="FILE", help="the certificates that vouch for the server's, PEM")
    parser.add_argument("--start-tls", action="store_true", help="TLS on an ldap:// connection")
    parser.add_argument("--insecure", action="store_true", help="take any certificate, and no TLS")
    parser.add_argument("--password-fd", type=int, metavar="N", help="read the password from this file descriptor")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("apply", help="make what the plan has")
    remove = commands.add_parser("remove", help="remove a unit with all in it")
    remove.add_argument("unit")
    units = commands.add_parser("units", help="list units that this tool made")
    units.add_argument("--prefix", default="", help="those whose name begins so")
    for word in ("enable", "disable"):
        command = commands.add_parser(word, help=f"{word} one account")
        command.add_argument("unit")
        command.add_argument("name")
    return parser


def _read(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.password_fd is not None and arguments.command != "apply":
        data: Any = {}
    else:
        try:
            data = json.loads(sys.stdin.read())
        except ValueError as error:
            place = f"line {error.lineno} column {error.colno}" if isinstance(error, json.JSONDecodeError) else "somewhere"
            # The text itself may hold passwords.
            raise PlanError(f"standard input is not JSON ({place})", "see `ldap-provision --help`") from None
    if not isinstance(data, dict):
        raise PlanError("standard input is not a JSON object", "see `ldap-provision --help`")
    if arguments.password_fd is not None:
        with os.fdopen(arguments.password_fd, encoding="utf-8") as file:
            data["password"] = file.readline().rstrip("\r\n")
    if not isinstance(data.get("password"), str):
        raise PlanError("standard input has no text `password`", "see `ldap-provision --help`")
    return data


class _Bar:
    """Progress on standard error, at most ten lines a second on a terminal and one every two seconds elsewhere."""

    def __init__(self) -> None:
        self.terminal = sys.stderr.isatty()
        self.shown = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done < total and now - self.shown < (0.1 if self.terminal else 2.0):
            return
        self.shown = now
        end = "\n" if done == total or not self.terminal else ""
        start = "\r" if self.terminal else ""
        print(f"{start}{done} of {total} accounts", end=end, file=sys.stderr, flush=True)


def _run(arguments: argparse.Namespace) -> dict[str, object]:
    data = _read(arguments)
    plan = read_plan(data.get("plan")) if arguments.command == "apply" else None
    schema = SCHEMAS[arguments.schema]()
    server = Server(
        arguments.url,
        arguments.bind,
        data["password"],
        ca_file=arguments.ca,
        start_tls=arguments.start_tls,
        insecure=arguments.insecure,
    )
    server.check()
    wire = Ldap3(server)
    try:
        if plan is not None:
            bar = None if arguments.quiet else _Bar()
            return provision.apply(wire, schema, arguments.base, plan, bar).data()
        if arguments.command == "remove":
            return {"removed": provision.remove(wire, schema, arguments.base, arguments.unit)}
        if arguments.command == "units":
            return {"units": provision.units(wire, arguments.base, arguments.prefix)}
        provision.enable(wire, schema, arguments.base, arguments.unit, arguments.name, arguments.command == "enable")
        return {"name": arguments.name, "enabled": arguments.command == "enable"}
    finally:
        wire.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        result = _run(arguments)
    except ModuleNotFoundError as error:
        print(f"ldap-provision: the Python package {error.name} is missing; run: pip install {error.name}", file=sys.stderr)
        return 2
    except ProvisionError as error:
        print(f"ldap-provision: {error}", file=sys.stderr)
        return 2 if isinstance(error, PlanError) else 1
    json.dump(result, sys.stdout)
    print()
    return 0
