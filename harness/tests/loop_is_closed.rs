//! What the program writes of a run (`--frames`) is a capture: imported again it is the trace that was run, up to names,
//! times and the orderly end of each client.
//!
//! Without a server these tests say so and pass, unless `SMB_REPLAY_REQUIRE` is set.

mod common;

use std::path::{Path, PathBuf};

use common::{is_without_server, run, text};
use replay_ir::{ClientId, Step, Trace};
use smb_vocabulary::{ClientSettings, is_channel};

/// Traces of the suite that pass against every server, of all kinds that a capture shows in full.
const TRACES: [&str; 62] = [
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
    "lease/broken-when-a-connection-has-ended.ir",
    "lease/epoch-of-the-same-state.ir",
    "lease/raised-on-another-connection.ir",
    "lease/supersede-breaks-to-none.ir",
    "lease/version-2-epoch.ir",
    "lock/blocking-closed.ir",
    "multichannel/acknowledged-on-the-other-channel.ir",
    "multichannel/bind-to-an-old-dialect.ir",
    "multichannel/bind-with-a-wrong-password.ir",
    "multichannel/bind-without-the-flag.ir",
    "multichannel/bind-with-an-old-dialect.ir",
    "multichannel/bind-with-another-dialect.ir",
    "multichannel/bind.ir",
    "multichannel/bound-again.ir",
    "multichannel/create-sent-again.ir",
    "multichannel/dialect-30.ir",
    "multichannel/dialect-302.ir",
    "multichannel/encrypted.ir",
    "multichannel/lease-break.ir",
    "multichannel/one-channel-ends.ir",
    "multichannel/open-on-one-close-on-the-other.ir",
    "multichannel/oplock-break-after-the-loss.ir",
    "multichannel/oplock-break.ir",
    "multichannel/reauthenticated.ir",
    "multichannel/refused-binding-is-signed.ir",
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
    "durable/allocation-is-asked-for-once.ir",
    "durable/v2-reconnect.ir",
    "sharemode/read-write-matrix.ir",
];

/// A trace to which Samba answers otherwise than the specification has it, so that it fails as it stands: what is replaced in it is
/// what Samba does.
struct Otherwise {
    name: &'static str,
    replaced: &'static [(&'static str, &'static str)],
    /// The program's exit code with that.
    code: i32,
}

const OTHERWISE: [Otherwise; 4] = [
    Otherwise {
        name: "multichannel/bind-by-another-user.ir",
        replaced: &[("NOT_SUPPORTED", "ACCESS_DENIED")],
        code: 0,
    },
    Otherwise {
        name: "multichannel/bind-with-another-cipher.ir",
        replaced: &[
            (
                "-> OK stage=session-setup",
                "-> INVALID_PARAMETER stage=session-setup",
            ),
            ("   A2 read f len=10 after=b  -> OK len=10 fill=1\n", ""),
        ],
        code: 0,
    },
    Otherwise {
        name: "multichannel/bind-with-another-signing-algorithm.ir",
        replaced: &[
            (
                "a: A2 connect       -> OK",
                "a: A2 connect -> REQUEST_OUT_OF_SEQUENCE",
            ),
            (
                "b: B2 connect       -> OK",
                "b: B2 connect -> NOT_SUPPORTED",
            ),
            ("   A2 read f len=10 -> OK len=10 fill=1 after=a\n", ""),
            ("   B2 read g len=10 -> OK len=10 fill=1 after=b\n", ""),
        ],
        code: 0,
    },
    // The client does not take the answer, since its signature is wrong; it came all the same.
    Otherwise {
        name: "multichannel/refused-binding-of-another-dialect-is-signed.ir",
        replaced: &[("INVALID_PARAMETER", "REQUEST_OUT_OF_SEQUENCE")],
        code: 1,
    },
];

/// Traces of `multichannel` that do not come out, and why.
const LOST: [(&str, &str); 2] = [
    (
        "multichannel/bind-after-logoff.ir",
        "a session that has done nothing when it is logged off is no client of an import",
    ),
    (
        "multichannel/bind-with-a-wrong-key.ir",
        "no key is in the frames, so that a signature by another one (`wrong-key`) looks like any",
    ),
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

/// The client whose connection a step belongs to. A break is its session's: the server chooses the channel (MS-SMB2 3.3.4.6).
fn place(trace: &Trace, step: &Step<'_>) -> ClientId {
    let client = connection(trace, step.client());
    match trace.client(client).on() {
        Some(owner) if step.verb().name == "break" => owner,
        _ => client,
    }
}

/// The steps of a client and of those that share its connection, in their order, without what is said about breaks: that an
/// acknowledgement took its time may be the machine's doing.
fn steps_of(trace: &Trace, client: ClientId) -> Vec<Step<'_>> {
    let own = trace.steps().filter(|step| place(trace, step) == client);
    own.filter(|step| step.verb().name != "on-break").collect()
}

/// As whom a client logs in; `None` for nobody.
fn user(trace: &Trace, client: ClientId) -> (Option<&str>, bool) {
    let client = trace.client(client);
    let own = ClientSettings::of(trace, client).expect("a client that loads");
    let owner = client.on().filter(|_| own.user.is_none() && !own.anonymous);
    let of_session = owner.and_then(|owner| user(trace, owner).0);
    (own.user.or(of_session), own.wrong_password)
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

/// Whether a step belongs to the orderly end of a client. A handle that another one has closed is closed by the request as it was.
fn is_end(step: &Step<'_>) -> bool {
    let closes = || {
        let wire = step.arg("wire").map(|edits| edits.to_text());
        wire.is_some_and(|edits| edits.starts_with("header.command=6,"))
    };
    let end = ["close", "tree-disconnect", "logoff", "disconnect"];
    end.contains(&step.verb().name) || step.verb().name == "ioctl" && closes()
}

/// Whether the steps of a client have come out: all of them, and then nothing but its orderly end. Breaks that the trace says nothing of
/// may have come, too.
fn came_out(expected: &[Step<'_>], imported: &[Step<'_>]) -> bool {
    let mut imported = imported.iter();
    let came = |step: &Step<'_>| {
        let mut next = imported
            .by_ref()
            .skip_while(|other| other.verb().name == "break" && !is_same(step, other));
        next.next().is_some_and(|other| is_same(step, other))
    };
    expected.iter().all(came) && imported.all(|step| is_end(step) || step.verb().name == "break")
}

fn owners(trace: &Trace) -> Vec<ClientId> {
    let all = trace.steps().map(|step| place(trace, &step));
    let mut owners: Vec<ClientId> = all.collect();
    owners.sort_unstable();
    owners.dedup();
    owners
}

/// Runs a trace and imports its frames: what came out, or `None` without a server.
fn through(folder: &Path, trace: &Path, code: i32) -> Option<String> {
    let given = trace.to_string_lossy();
    let arguments = [
        "run",
        &given,
        "--clock",
        "asap",
        "--frames",
        "frames.pcapng",
    ];
    let ran = run(folder, &arguments);
    if is_without_server(&ran) {
        return None;
    }
    let said = text(&ran.stdout) + &text(&ran.stderr);
    assert_eq!(ran.status.code(), Some(code), "{given}: {said}");
    let import = [
        "import",
        "pcap",
        "--no-anonymize",
        "frames.pcapng",
        "-o",
        "out.ir",
    ];
    let imported = run(folder, &import);
    let said = text(&imported.stderr);
    assert_eq!(imported.status.code(), Some(0), "{given}: {said}");
    Some(std::fs::read_to_string(folder.join("out.ir")).expect("a trace"))
}

/// The clients that have not come out of the loop.
fn missing(before: &Trace, after: &Trace) -> Vec<String> {
    let mut left: Vec<ClientId> = owners(after);
    let mut missing = Vec::new();
    for client in owners(before) {
        let expected = steps_of(before, client);
        let is_it = |other: ClientId| {
            user(before, client) == user(after, other)
                && came_out(&expected, &steps_of(after, other))
        };
        match left.iter().position(|&other| is_it(other)) {
            Some(at) => drop(left.remove(at)),
            None => missing.push(before.client(client).name().to_owned()),
        }
    }
    missing
}

#[test]
fn the_trace_that_comes_out_is_the_one_that_went_in() {
    let suite = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../suites/traces");
    let folder = tempfile::tempdir().expect("a directory");
    let mut wrong = Vec::new();
    let as_it_is = TRACES.map(|name| Otherwise {
        name,
        replaced: &[],
        code: 0,
    });
    for Otherwise {
        name,
        replaced,
        code,
    } in as_it_is.into_iter().chain(OTHERWISE)
    {
        let mut source = std::fs::read_to_string(suite.join(name)).expect("a trace");
        for &(from, to) in replaced {
            assert!(source.contains(from), "{name} has no {from:?}");
            source = source.replace(from, to);
        }
        let path = folder.path().join("in.ir");
        std::fs::write(&path, source).expect("written");
        let Some(out) = through(folder.path(), &path, code) else {
            return;
        };
        let (before, after) = (load(&path), load(&folder.path().join("out.ir")));
        let guids = [&before, &after].map(|trace| {
            let clients = trace.clients().iter();
            clients
                .filter(|client| client.arg("client-guid").is_some())
                .count()
        });
        assert_eq!(guids[0], guids[1], "{name}: who shares a ClientGuid");
        for client in missing(&before, &after) {
            wrong.push(format!("{name}: {client} of\n{out}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_trace_of_channels_goes_through_the_loop_or_cannot() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../suites/traces/multichannel");
    let known = TRACES
        .into_iter()
        .chain(OTHERWISE.map(|other| other.name))
        .chain(LOST.map(|(name, _)| name));
    let known: Vec<&str> = known.collect();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let name = entry.expect("an entry").file_name();
        let name = format!("multichannel/{}", name.to_string_lossy());
        let places = known.iter().filter(|known| **known == name).count();
        assert_eq!(
            places, 1,
            "{name} belongs into one of TRACES, OTHERWISE and LOST"
        );
    }
}

/// A file with a list of its own: what the capture shows of it is given, and lets the replay's clients do what those of the capture could.
#[test]
fn the_list_of_a_file_that_was_there_is_given() {
    let folder = tempfile::tempdir().expect("a directory");
    let list = "P(A;;FA;;;$alice)(A;;FR;;;WD)";
    let trace = format!(
        "ir 1\nneeds acls\nclient A user=alice\nclient B user=bob\n\
         given file \"kept\" size=10 fill=1 sd=\"D:{list}\"\n\
         A create f \"made\" access=rw disposition=create -> OK\n\
         A query-security f owner -> OK owner=$alice\n\
         a: A create g \"kept\" access=rw -> OK size=10\n\
         A query-security g dacl -> OK dacl=\"{list}\"\n\
         B create h \"kept\" access=rw after=a -> ACCESS_DENIED\n\
         B create i \"kept\" access=r -> OK\nB read i len=10 -> OK len=10 fill=1\n"
    );
    let path = folder.path().join("in.ir");
    std::fs::write(&path, trace).expect("written");
    let Some(out) = through(folder.path(), &path, 0) else {
        return;
    };
    let given = out.lines().find(|line| line.starts_with("given file"));
    let given = given.expect("a file that was there");
    assert!(
        given.contains("kept\"") && given.contains(&format!("sd=\"D:{list}\"")),
        "{out}"
    );
    assert!(out.contains(&format!("-> OK dacl=\"{list}\"")), "{out}");
    let (before, after) = (load(&path), load(&folder.path().join("out.ir")));
    assert_eq!(missing(&before, &after), [""; 0], "{out}");
    let again = through(folder.path(), &folder.path().join("out.ir"), 0);
    assert!(again.is_some_and(|again| again.contains("ACCESS_DENIED")));
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
