"""What a program calls that has Python inside it: text in, text out, errors as exceptions with attributes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ldap_provision import provision
from ldap_provision.errors import PlanError
from ldap_provision.plan import read_plan
from ldap_provision.schema import SCHEMAS
from ldap_provision.wire import Ldap3, Server


class Session:
    """A connection that is logged in. `settings` is JSON: url, bind, password, base, schema, ca (PEM), start_tls, insecure."""

    def __init__(self, settings: str) -> None:
        data: dict[str, Any] = json.loads(settings)
        self._base: str = data["base"]
        name = data.get("schema", "ad")
        if name not in SCHEMAS:
            raise PlanError(f"there is no schema {name!r}", "there are " + ", ".join(sorted(SCHEMAS)))
        self._schema = SCHEMAS[name]()
        server = Server(
            data["url"],
            data["bind"],
            data["password"],
            ca_data=data.get("ca"),
            start_tls=bool(data.get("start_tls")),
            insecure=bool(data.get("insecure")),
        )
        server.check()
        self._wire = Ldap3(server)

    def apply(self, plan: str, progress: Callable[[int, int], None] | None = None) -> str:
        """Brings a plan about; the report as JSON."""
        report = provision.apply(self._wire, self._schema, self._base, read_plan(json.loads(plan)), progress)
        return json.dumps(report.data())

    def remove(self, unit: str) -> bool:
        """Removes a unit of ours."""
        return provision.remove(self._wire, self._schema, self._base, unit)

    def units(self, prefix: str) -> list[str]:
        """The units of ours."""
        return provision.units(self._wire, self._base, prefix)

    def close(self) -> None:
        """Logs out."""
        self._wire.close()
