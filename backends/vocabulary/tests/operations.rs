//! Steps become operations: defaults, every argument in its place, and combinations that make no sense.

use replay_ir::{OwnedValue, Trace};
use smb_vocabulary::{
    Acknowledge, BreakAction, BreakLevel, ClientSettings, Content, Create, Dialects, Durable,
    Encryption, FileChange, LeaseRequest, Lock, LockKind, LockRange, Mechanism, Notify, OnBreak,
    Operation, VOCABULARY, check_trace, setup_trace, words,
};
use smb_wire::fscc::FullEa;
use smb_wire::{
    AccessMask, CompletionFilter, CreateDisposition, CreateOptions, Dialect, FileAttributes,
    Filetime, Guid, ImpersonationLevel, LeaseState, OplockLevel, ShareAccess,
};

fn trace(lines: &str) -> Trace {
    let text = format!("ir 1\nmode 2\nclient A user=alice\n{lines}\n");
    replay_ir::load_str("test.ir", &text, &VOCABULARY).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The last step of `lines`, decoded, and handed to `look`.
fn operation<T>(lines: &str, look: impl FnOnce(Operation<'_>) -> T) -> T {
    let trace = trace(lines);
    let step = trace.steps().last().expect("a step");
    look(Operation::decode(&step).unwrap_or_else(|error| panic!("{lines}: {error}")))
}

#[test]
fn a_create_has_the_documented_defaults() {
    operation("A create f \"d/x\"", |operation| {
        let expected = Create {
            handle: "f",
            path: "d/x",
            raw_path: false,
            access: AccessMask::from_bits_retain(0x0012_0089),
            share: ShareAccess::from_bits_retain(7),
            disposition: CreateDisposition::OPEN,
            options: CreateOptions::empty(),
            attributes: FileAttributes::empty(),
            impersonation: ImpersonationLevel::IMPERSONATION,
            oplock: OplockLevel::NONE,
            lease: None,
            query_maximal_access: false,
            query_on_disk_id: false,
            allocation: None,
            timewarp: None,
            durable: None,
            ea: Vec::new(),
            sd: None,
            create_guid: None,
            app_instance: None,
            app_instance_version: None,
        };
        assert_eq!(operation, Operation::Create(expected));
    });
}

#[test]
fn every_argument_of_a_create_has_its_place() {
    let line = "A create f \"\\\\x\" raw-path access=generic-all share=none disposition=0x9 \
        options=directory|0x10000000 attributes=hidden impersonation=delegate lease-key=k1 lease-state=rh \
        lease-version=v2 lease-parent=0x000102030405060708090a0b0c0d0e0f lease-epoch=3 query-maximal-access \
        query-on-disk-id allocation=4096 timewarp=1601-01-01T00:00:01Z durable=persistent durable-timeout=2s sd=\"D:(A;;FA;;;WD)\" ea=\"K=v\"";
    operation(line, |operation| {
        let expected = Create {
            handle: "f",
            path: "\\x",
            raw_path: true,
            access: AccessMask::GENERIC_ALL,
            share: ShareAccess::empty(),
            disposition: CreateDisposition(9),
            options: CreateOptions::from_bits_retain(0x1000_0001),
            attributes: FileAttributes::HIDDEN,
            impersonation: ImpersonationLevel::DELEGATE,
            oplock: OplockLevel::LEASE,
            lease: Some(LeaseRequest {
                key: Guid(*b"k1\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
                state: LeaseState::from_bits_retain(3),
                v2: Some(true),
                parent: Some(Guid([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15])),
                epoch: 3,
            }),
            query_maximal_access: true,
            query_on_disk_id: true,
            allocation: Some(4096),
            timewarp: Some(Filetime(10_000_000)),
            create_guid: None,
            app_instance: None,
            app_instance_version: None,
            durable: Some(Durable::V2 {
                timeout: 2000,
                persistent: true,
            }),
            ea: vec![FullEa {
                flags: 0,
                ea_name: b"K".to_vec(),
                ea_value: b"v".to_vec(),
            }],
            sd: Some("D:(A;;FA;;;WD)"),
        };
        assert_eq!(operation, Operation::Create(expected));
    });
}

#[test]
fn what_is_written_is_a_pattern_or_bytes() {
    let content = |line: &str| {
        operation(
            &format!("A create f \"x\"\n{line}"),
            |operation| match operation {
                Operation::Write(write) => {
                    let mut out = Vec::new();
                    write.content.append_to(write.offset, &mut out);
                    assert_eq!(out.len(), write.content.len());
                    out
                }
                other => panic!("{other:?}"),
            },
        )
    };
    assert_eq!(content("A write f len=3"), [0, 0, 0]);
    assert_eq!(content("A write f data=\"añ\""), "añ".as_bytes());
    assert_eq!(content("A write f bytes=hex:00ff"), [0, 255]);
    let whole = content("A write f offset=0 len=64 fill=7");
    assert_eq!(content("A write f offset=13 len=20 fill=7"), whole[13..33]);
    assert_ne!(content("A write f offset=13 len=20 fill=8"), whole[13..33]);
}

#[test]
fn locks_and_changes_are_read_by_their_arguments() {
    operation(
        "A create f \"x\"\nA lock f range=0..1,5..9 shared wait",
        |operation| {
            let ranges = vec![
                LockRange {
                    offset: 0,
                    length: 1,
                },
                LockRange {
                    offset: 5,
                    length: 4,
                },
            ];
            assert_eq!(
                operation,
                Operation::Lock(Lock {
                    handle: "f",
                    kind: LockKind::Shared,
                    wait: true,
                    ranges
                })
            );
        },
    );
    operation(
        "A create f \"x\"\nA lock f offset=0xffffffffffffffff len=2",
        |operation| {
            let ranges = vec![LockRange {
                offset: u64::MAX,
                length: 2,
            }];
            let (kind, wait) = (LockKind::Exclusive, false);
            assert_eq!(
                operation,
                Operation::Lock(Lock {
                    handle: "f",
                    kind,
                    wait,
                    ranges
                })
            );
        },
    );
    let change = |line: &str, expected: FileChange<'_>| {
        operation(
            &format!("A create f \"x\"\nA set-info f {line}"),
            |operation| match operation {
                Operation::SetInfo(set) => assert_eq!(set.change, expected, "{line}"),
                other => panic!("{other:?}"),
            },
        );
    };
    change("disposition", FileChange::Disposition { delete: true });
    change(
        "disposition keep",
        FileChange::Disposition { delete: false },
    );
    change(
        "rename path=\"y\" replace",
        FileChange::Rename {
            path: "y",
            replace: true,
        },
    );
    change("end-of-file size=7", FileChange::EndOfFile(7));
    operation(
        "A create f \"x\"\nA on-break f ack-after 5s level=none",
        |operation| {
            let expected = OnBreak {
                handle: "f",
                action: BreakAction::AcknowledgeAfter(5_000_000_000),
                level: Some(BreakLevel::Oplock(OplockLevel::NONE)),
            };
            assert_eq!(operation, Operation::OnBreak(expected));
        },
    );
}

#[test]
fn the_handle_says_what_is_acknowledged() {
    let oplock = |level| BreakLevel::Oplock(OplockLevel(level));
    let lease = |bits| BreakLevel::Lease(LeaseState::from_bits_retain(bits));
    let key = |name: &[u8]| {
        let mut bytes = [0; 16];
        bytes[..name.len()].copy_from_slice(name);
        Some(Guid(bytes))
    };
    for (create, acknowledge, level, lease_key) in [
        ("oplock=batch", "ii", oplock(1), None),
        ("oplock=batch", "0x3", oplock(3), None),
        ("lease-key=k", "rh", lease(3), None),
        ("lease-key=k", "0x3", lease(3), None),
        ("lease-key=k", "ii as-oplock", oplock(1), None),
        ("oplock=batch", "r lease-key=k2", lease(1), key(b"k2")),
        ("lease-key=k", "none lease-key=k2", lease(0), key(b"k2")),
    ] {
        let lines = format!("A create f \"x\" {create}\nA acknowledge f {acknowledge}");
        operation(&lines, |operation| {
            let expected = Acknowledge {
                handle: "f",
                level,
                lease_key,
            };
            assert_eq!(operation, Operation::Acknowledge(expected), "{lines}");
        });
    }
    for (create, step) in [
        ("oplock=batch", "acknowledge f rh"),
        ("lease-key=k", "acknowledge f ii"),
        ("lease-key=k", "acknowledge f none lease-key=k as-oplock"),
        ("lease-key=k", "on-break f ack level=batch"),
        ("oplock=batch", "on-break f ignore level=ii"),
    ] {
        let trace = trace(&format!("A create f \"x\" {create}\nA {step}"));
        assert_eq!(check_trace(&trace).len(), 1, "{create}: {step}");
    }
}

#[test]
fn a_notify_has_the_documented_defaults() {
    let opened = "A create d \"\" options=directory\n";
    for (line, filter, tree, buffer) in [
        ("A notify d", 0xfff, false, 65_536),
        (
            "A notify d filter=file-name|0x100 tree buffer=0",
            0x101,
            true,
            0,
        ),
    ] {
        operation(&format!("{opened}{line}"), |operation| {
            let expected = Notify {
                handle: "d",
                filter: CompletionFilter::from_bits_retain(filter),
                tree,
                buffer,
            };
            assert_eq!(operation, Operation::Notify(expected), "{line}");
        });
    }
}

#[test]
fn a_client_line_is_read_with_its_defaults() {
    let text = "ir 1\nclient A user=alice\n\
        client B user=bob dialect=3.0..3.0.2 auth=kerberos signing=required encryption=required \
        cipher=aes-256-gcm share=\"other\" domain=\"D\"\nclient C anonymous\n";
    let trace = replay_ir::load_str("test.ir", text, &VOCABULARY).expect("sound");
    let [a, b, c] =
        [0, 1, 2].map(|index| ClientSettings::decode(&trace.clients()[index]).expect("sound"));
    assert_eq!(
        (a.user, a.dialects, a.encryption),
        (Some("alice"), Dialects::ALL, Encryption::Offered)
    );
    assert!(!a.signing_required && a.mechanism.is_none() && a.share.is_none());
    assert_eq!(
        (b.dialects.min, b.dialects.max),
        (Dialect::SMB_3_0, Dialect::SMB_3_0_2)
    );
    assert!(b.signing_required && b.encryption == Encryption::Required);
    assert_eq!(
        (b.mechanism, b.share, b.domain),
        (Some(Mechanism::Kerberos), Some("other"), Some("D"))
    );
    assert!(c.anonymous && c.user.is_none());
}

#[test]
fn what_excludes_itself_is_found_with_its_line() {
    let bad = [
        "A create g1 \"../x\"",
        "A create g2 \"/x\"",
        "A create g3 \"x\" oplock=lease",
        "A create g4 \"x\" lease-state=r",
        "A create g5 \"x\" lease-key=k lease-version=v1 lease-epoch=1",
        "A create g6 \"x\" lease-key=k lease-epoch=65536",
        "A create g7 \"x\" durable-timeout=1s",
        "A create g8 \"x\" durable=v2 durable-timeout=1us",
        "A read f len=4294967296",
        "A write f",
        "A write f len=1 data=\"x\"",
        "A write f data=\"x\" fill=1",
        "A write f len=8388609",
        "A lock f",
        "A lock f range=0..1 exclusive shared",
        "A lock f range=0..1 unlock wait",
        "A lock f range=0..1 offset=1 len=1",
        "A set-info f rename",
        "A set-info f rename path=\"..\"",
        "A set-info f basic size=1",
        "A set-info f end-of-file",
        "A on-break f ack 5s",
        "A on-break f ack-after",
        "A on-break f close level=ii",
    ];
    let trace = trace(&format!("A create f \"x\"\n{}", bad.join("\n")));
    let problems = check_trace(&trace);
    let lines: Vec<u32> = problems.iter().map(|problem| problem.line).collect();
    let expected: Vec<u32> = (5..5 + bad.len() as u32).collect();
    assert_eq!(lines, expected, "{problems:#?}");
    assert_eq!(problems[3].message, "`lease-state=` needs a `lease-key=`");
}

#[test]
fn given_lines_become_steps_that_make_them() {
    let trace = trace(
        "given file \"a/b/f\" size=70000 fill=3 attributes=readonly written=2020-01-01T00:00:00Z\n\
         given file \"a/text\" data=\"hi\" size=10\n\
         given dir \"a\" attributes=hidden",
    );
    assert_eq!(check_trace(&trace), []);
    let setup = setup_trace(&trace, "setup").expect("sound");
    let mut text = Vec::new();
    setup.write_text(&mut text).expect("memory takes it");
    let text = String::from_utf8(text).expect("text is UTF-8");
    let steps: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("setup "))
        .map(|line| line.strip_suffix(" -> OK").unwrap_or(line))
        .collect();
    let expected = [
        "create h \"a\" access=r disposition=open-if options=directory",
        "close h",
        "create h \"a/b\" access=r disposition=open-if options=directory",
        "close h",
        "create h \"a/b/f\" access=rw disposition=create options=non-directory",
        "write h offset=0 len=65536 fill=3",
        "write h offset=65536 len=4464 fill=3",
        "set-info h basic attributes=readonly written=2020-01-01T00:00:00Z",
        "close h",
        "create h \"a/text\" access=rw disposition=create options=non-directory",
        "write h offset=0 bytes=hex:6869",
        "set-info h end-of-file size=10",
        "close h",
        "create h \"a\" access=r|write-attributes disposition=open options=directory",
        "set-info h basic attributes=hidden",
        "close h",
    ];
    assert_eq!(steps, expected);
    assert_eq!(check_trace(&setup), []);
}

#[test]
fn answers_are_written_as_expectations_must_be() {
    let answer = smb_vocabulary::answer::oplock_break(OplockLevel::BATCH, OplockLevel::II);
    let transition = OwnedValue::Token("batch->ii".to_owned());
    assert_eq!(answer.fields.first(), Some(&("transition", transition)));
    let both = FileAttributes::ARCHIVE | FileAttributes::READONLY;
    let text = words::ATTRIBUTES.write(both);
    let line = format!("A create f \"x\" -> OK attributes={text}");
    trace(&line);
    assert_eq!(Content::Bytes(b"").len(), 0);
}
