//! What the program writes of a run (`--frames`) is a capture: imported again it is the trace that was run, up to names,
//! times and the orderly end of each client.
//!
//! Without a server these tests say so and pass, unless `SMB_REPLAY_REQUIRE` is set.

mod common;

use std::path::{Path, PathBuf};

use common::{is_without_server, run, text};
use replay_ir::{ClientId, Step, Trace};
use smb_vocabulary::is_channel;

/// Traces of the suite that pass against every server, of all kinds that a capture shows in full.
const TRACES: [&str; 51] = [
    "acl/automatic-inheritance.ir",
    "acl/moved-files-keep-their-list.ir",
    "compound/create-query-close.ir",
    "compound/member-waits-in-the-middle.ir",
    "create/dispositions-existing.ir",
    "delete/last-handle.ir",
    "directory/dos-wildcards.ir",
    "ea/bad-names.ir",
    "ea/small-buffer.ir",
    "info/set-needs-rights.ir",
    "io/large.ir",
    "ioctl/copychunk-and-locks.ir",
    "ioctl/network-interfaces-refused.ir",
    "lease/epoch-of-the-same-state.ir",
    "lease/supersede-breaks-to-none.ir",
    "lease/version-2-epoch.ir",
    "lock/blocking-closed.ir",
    "multichannel/acknowledged-on-the-other-channel.ir",
    "multichannel/bind-to-an-old-dialect.ir",
    "multichannel/bind-with-a-wrong-password.ir",
    "multichannel/bind-with-an-old-dialect.ir",
    "multichannel/bind-with-another-dialect.ir",
    "multichannel/bind.ir",
    "multichannel/bound-again.ir",
    "multichannel/encrypted.ir",
    "multichannel/one-channel-ends.ir",
    "multichannel/open-on-one-close-on-the-other.ir",
    "multichannel/reauthenticated.ir",
    "multichannel/signed.ir",
    "multichannel/three-channels.ir",
    "multichannel/two-clients-two-sessions.ir",
    "multichannel/two-requests-on-a-channel.ir",
    "multichannel/wait-on-one-unlock-on-the-other.ir",
    "multichannel/write-sent-again.ir",
    "notify/a-file.ir",
    "oplock/level-ii-after-break-is-broken-again.ir",
    "oplock/own-write-breaks-level-ii.ir",
    "rename/basics.ir",
    "session/share-connected-again.ir",
    "session/named-trees.ir",
    "session/same-share-twice.ir",
    "session/login-again.ir",
    "session/disconnected-tree.ir",
    "session/reauthentication-refused.ir",
    "session/previous-session.ir",
    "session/stale-handle.ir",
    "ioctl/pipe-transceive.ir",
    "compound/two-trees.ir",
    "notify/second-tree.ir",
    "durable/v2-reconnect.ir",
    "sharemode/read-write-matrix.ir",
];

fn load(path: &Path) -> Trace {
    let source = std::fs::read_to_string(path).expect("a trace");
    replay_ir::load_str(
        &path.to_string_lossy(),
        &source,
        &smb_vocabulary::VOCABULARY,
    )
    .expect("a trace that loads")
}

/// The client whose connection a client uses.
fn connection(trace: &Trace, id: ClientId) -> ClientId {
    let client = trace.client(id);
    let on = client.on().filter(|_| !is_channel(client));
    client.through().or(on).unwrap_or(id)
}

/// The steps of a client and of those that share its connection, in their order, without what is said about breaks: that an
/// acknowledgement took its time may be the machine's doing.
fn steps_of(trace: &Trace, client: ClientId) -> Vec<Step<'_>> {
    let own = trace
        .steps()
        .filter(|step| connection(trace, step.client()) == client);
    own.filter(|step| step.verb().name != "on-break").collect()
}

/// Whether a step of the import is one of the trace: what it does, how it was sent, and an answer that the trace allows.
fn is_same(expected: &Step<'_>, imported: &Step<'_>) -> bool {
    let number = |step: &Step<'_>, name: &str| step.arg(name).and_then(|value| value.as_int());
    let numbers = ["len", "size"].iter().all(|name| {
        let wanted = number(expected, name);
        wanted.is_none() || wanted == number(imported, name)
    });
    let offset = |step: &Step<'_>| number(step, "offset").unwrap_or(0);
    let words = ["class", "code", "disposition", "transition"]
        .iter()
        .all(|name| {
            let wanted = expected.arg(name);
            wanted.is_none() || imported.arg(name).is_none() || wanted == imported.arg(name)
        });
    let answer = expected.expect();
    let came: Vec<u32> = imported.expect().statuses().collect();
    let answers = answer.anything() || answer.statuses().any(|status| came.contains(&status));
    expected.verb().name == imported.verb().name
        && expected.compounded() == imported.compounded()
        && numbers
        && (expected.verb().name == "lock" || offset(expected) == offset(imported))
        && words
        && answers
}

/// Whether the steps of a client have come out: all of them, and then nothing but its orderly end.
fn came_out(expected: &[Step<'_>], imported: &[Step<'_>]) -> bool {
    let end = ["close", "tree-disconnect", "logoff", "disconnect"];
    imported.len() >= expected.len()
        && expected.iter().zip(imported).all(|(a, b)| is_same(a, b))
        && imported[expected.len()..]
            .iter()
            .all(|step| end.contains(&step.verb().name))
}

fn owners(trace: &Trace) -> Vec<ClientId> {
    let all = trace.steps().map(|step| connection(trace, step.client()));
    let mut owners: Vec<ClientId> = all.collect();
    owners.sort_unstable();
    owners.dedup();
    owners
}

#[test]
fn the_trace_that_comes_out_is_the_one_that_went_in() {
    let suite = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../suites/traces");
    let folder = tempfile::tempdir().expect("a directory");
    let mut wrong = Vec::new();
    for name in TRACES {
        let path = suite.join(name);
        let given = path.to_string_lossy();
        let arguments = [
            "run",
            &given,
            "--clock",
            "asap",
            "--frames",
            "frames.pcapng",
        ];
        let ran = run(folder.path(), &arguments);
        let said = text(&ran.stdout) + &text(&ran.stderr);
        if is_without_server(&ran) {
            return;
        }
        assert_eq!(ran.status.code(), Some(0), "{name}: {said}");
        let import = [
            "import",
            "pcap",
            "--no-anonymize",
            "frames.pcapng",
            "-o",
            "out.ir",
        ];
        let imported = run(folder.path(), &import);
        let said = text(&imported.stderr);
        assert_eq!(imported.status.code(), Some(0), "{name}: {said}");
        let (before, after) = (load(&path), load(&folder.path().join("out.ir")));
        let mut left: Vec<ClientId> = owners(&after);
        for client in owners(&before) {
            let expected = steps_of(&before, client);
            let found = left
                .iter()
                .position(|&other| came_out(&expected, &steps_of(&after, other)));
            match found {
                Some(at) => drop(left.remove(at)),
                None => wrong.push(format!(
                    "{name}: {} of\n{}",
                    before.client(client).name(),
                    std::fs::read_to_string(folder.path().join("out.ir")).unwrap_or_default()
                )),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_part_of_a_trace_runs_by_itself() {
    let folder = tempfile::tempdir().expect("a directory");
    let trace = "ir 1\nclient A user=alice\nclient B user=bob\ngiven file \"d/old\" size=100 fill=3\n\
        A create f \"d/new\" access=rw disposition=create -> OK action=created\n\
        A write f len=5000 fill=7 -> OK len=5000\nA close f\n\
        moved: A create g \"d/old\" access=rwd -> OK size=100\n\
        A set-info g rename path=\"d/moved\" -> OK\ndone: A close g\n\
        @1s B create h \"d/new\" access=rw after=done -> OK action=opened size=5000\n\
        B read h offset=1000 len=4000 -> OK len=4000 fill=7\n\
        B create i \"d/moved\" -> OK action=opened size=100\n\
        B read i len=100 -> OK len=100 fill=3\nB close h\nB close i\n";
    std::fs::write(folder.path().join("whole.ir"), trace).expect("written");
    let cut = run(
        folder.path(),
        &["cut", "whole.ir", "--client", "B", "-o", "part.ir"],
    );
    assert_eq!(cut.status.code(), Some(0), "{}", text(&cut.stderr));
    assert_eq!(text(&cut.stderr), "6 of 12 steps, and 0 that they need\n");
    for name in ["whole.ir", "part.ir"] {
        let ran = run(folder.path(), &["run", name, "--clock", "asap"]);
        let said = text(&ran.stdout) + &text(&ran.stderr);
        if is_without_server(&ran) {
            return;
        }
        assert_eq!(ran.status.code(), Some(0), "{name}: {said}");
    }
}
