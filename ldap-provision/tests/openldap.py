"""A private OpenLDAP for tests: Debian's slapd with a folder, ports and certificates of its own."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

BASE = "dc=example,dc=test"
MANAGER = f"cn=manager,{BASE}"
#: May look and nothing else.
READER = f"cn=reader,{BASE}"
SLAPD = shutil.which("slapd") or "/usr/sbin/slapd"

_CONFIG = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
pidfile {folder}/slapd.pid
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/cert.pem
TLSCertificateKeyFile {folder}/key.pem
TLSVerifyClient never
security tls=1
database mdb
maxsize 268435456
suffix "{base}"
directory {folder}/data
dbnosync
rootdn "cn=root,{base}"
access to attrs=userPassword by dn.exact="{manager}" write by anonymous auth by * none
access to * by dn.exact="{manager}" manage by * read
overlay ppolicy
ppolicy_default "cn=policy,{base}"
"""

_ENTRIES = """
dn: {base}
objectClass: dcObject
objectClass: organization
dc: example
o: example

dn: cn=policy,{base}
objectClass: applicationProcess
objectClass: pwdPolicy
cn: policy
pwdAttribute: userPassword
pwdCheckQuality: 2
pwdMinLength: 6
pwdLockout: TRUE
pwdMustChange: TRUE
pwdSafeModify: FALSE

dn: {manager}
objectClass: applicationProcess
objectClass: simpleSecurityObject
cn: manager
userPassword: {password}

dn: {reader}
objectClass: applicationProcess
objectClass: simpleSecurityObject
cn: reader
userPassword: {password}
"""


def available() -> str:
    """Why there is no OpenLDAP here; empty when there is one."""
    if not os.access(SLAPD, os.X_OK):
        return "slapd is not installed (Debian's package slapd)"
    if not shutil.which("openssl"):
        return "openssl is not installed"
    return ""


def make_authority(folder: Path, name: str) -> None:
    """An authority `name`.pem with its key beside it."""
    _run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{folder}/{name}-key.pem")
    _run(
        *("openssl", "req", "-x509", "-new", "-key", f"{folder}/{name}-key.pem", "-sha256", "-days", "2"),
        *("-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-out", f"{folder}/{name}.pem"),
    )


def _run(*command: str, text: str = "") -> None:
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass
class OpenLdapServer:
    """One that runs; `stop` ends it."""

    folder: Path
    process: subprocess.Popen[bytes]
    ldap: str
    ldaps: str
    password: str

    @property
    def ca(self) -> str:
        """The certificate of its authority."""
        return str(self.folder / "ca.pem")

    @property
    def other_ca(self) -> str:
        """That of an authority that has nothing to do with it."""
        return str(self.folder / "other.pem")

    def stop(self) -> None:
        """Ends it."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(20)


def start(folder: Path) -> OpenLdapServer:
    """Starts one in an empty folder."""
    for name in ("ca", "other"):
        make_authority(folder, name)
    _run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{folder}/key.pem")
    request = ("openssl", "req", "-new", "-key", f"{folder}/key.pem", "-subj", "/CN=localhost", "-out", f"{folder}/request.pem")
    _run(*request)
    (folder / "extensions").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n", encoding="utf-8")
    _run(
        *("openssl", "x509", "-req", "-in", f"{folder}/request.pem", "-CA", f"{folder}/ca.pem", "-sha256", "-days", "2"),
        *("-CAkey", f"{folder}/ca-key.pem", "-CAcreateserial", "-extfile", f"{folder}/extensions"),
        *("-out", f"{folder}/cert.pem"),
    )
    password = secrets.token_hex(12)
    (folder / "data").mkdir()
    config = folder / "slapd.conf"
    config.write_text(_CONFIG.format(folder=folder, base=BASE, manager=MANAGER), encoding="utf-8")
    entries = _ENTRIES.format(base=BASE, manager=MANAGER, reader=READER, password=password)
    # As the database's own, before it runs: nobody else may do it, and policies do not bind it.
    _run(str(Path(SLAPD).with_name("slapadd")), "-f", str(config), text=entries)
    plain, secure = _free_port(), _free_port()
    ldap, ldaps = f"ldap://127.0.0.1:{plain}", f"ldaps://127.0.0.1:{secure}"
    process = subprocess.Popen(
        [SLAPD, "-f", str(config), "-h", f"{ldap} {ldaps}", "-d", "0"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    server = OpenLdapServer(folder, process, ldap, ldaps, password)
    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", secure), 1).close()
            return server
        except OSError:
            if time.monotonic() > end or process.poll() is not None:
                server.stop()
                raise AssertionError("slapd does not run") from None
            time.sleep(0.05)
