//! The Impacket library, driven in a loop.

use std::io::Write as _;
use std::process::{Command, Stdio};

use samba_servers::CaseSite;
use secrecy::ExposeSecret as _;

use crate::Figures;

/// Reads 4 KiB again and again with the Impacket library; `None` without a Python that has it.
pub(crate) fn read(site: &CaseSite, seconds: u64) -> Option<Figures> {
    const SCRIPT: &str = r#"
import json, sys, time
from impacket.smbconnection import SMBConnection
place = json.load(sys.stdin)
connection = SMBConnection("*SMBSERVER", place["host"], sess_port=place["port"])
connection.login(place["account"], place["password"], place["domain"])
tree = connection.connectTree(place["share"])
file = connection.openFile(tree, place["root"] + "\data")
begun, cpu, count = time.perf_counter(), time.process_time(), 0
while time.perf_counter() - begun < place["seconds"]:
    if len(connection.readFile(tree, file, 0, 4096)) != 4096:
        sys.exit("a short read")
    count += 1
took, cpu = time.perf_counter() - begun, time.process_time() - cpu
connection.close()
print(count, took, cpu)
"#;
    let python = std::env::var_os("SMB_REPLAY_BENCH_PYTHON").filter(|path| !path.is_empty())?;
    let (target, identity) = (&site.target, &site.identities["alice"]);
    let text = |value: &str| format!("{value:?}");
    let place = format!(
        "{{\"host\": {}, \"port\": {}, \"account\": {}, \"password\": {}, \"domain\": {}, \
         \"share\": {}, \"root\": {}, \"seconds\": {}}}",
        text(&target.address.ip().to_string()),
        target.address.port(),
        text(&identity.account),
        text(identity.password.expose_secret()),
        text(&identity.domain),
        text(&target.share),
        text(&target.root.replace('/', "\\")),
        seconds,
    );
    let mut child = Command::new(python)
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    // The password goes by the pipe: arguments can be seen by everybody.
    child.stdin.take()?.write_all(place.as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut numbers = text.split_whitespace().filter_map(|word| word.parse().ok());
    let (count, seconds) = (numbers.next()?, numbers.next()?);
    Some(Figures::new(count, seconds, numbers.next()? * 1e6))
}
