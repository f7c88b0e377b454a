//! A vocabulary for tests and fuzzing, with every kind of argument.

use replay_ir::{
    ArgKind, ArgSpec, FieldSpec, GivenSpec, NameSpec, Role, VerbSpec, Vocabulary, spec,
};

const fn arg(name: &'static str, kind: ArgKind) -> ArgSpec {
    spec::optional(name, kind, "An argument.")
}

const fn positional(name: &'static str, kind: ArgKind) -> ArgSpec {
    spec::positional(name, kind, "An argument.")
}

const fn required(name: &'static str, kind: ArgKind) -> ArgSpec {
    spec::required(name, kind, "An argument.")
}

const fn field(name: &'static str, kind: ArgKind) -> FieldSpec {
    spec::field(name, kind, "A field.")
}

const fn verb(
    name: &'static str,
    role: Role,
    args: &'static [ArgSpec],
    answer: &'static [FieldSpec],
    example: &'static str,
) -> VerbSpec {
    VerbSpec {
        name,
        role,
        doc: "Does something.",
        section: "TEST 1",
        args,
        answer,
        example,
    }
}

fn access(token: &str) -> Result<(), String> {
    match token.bytes().find(|byte| !b"rwdx|".contains(byte)) {
        Some(byte) => Err(format!("`{}` is no right", char::from(byte))),
        None => Ok(()),
    }
}

fn level(token: &str) -> Result<(), String> {
    match token.split_once("->") {
        Some(("batch" | "exclusive", "ii" | "none")) => Ok(()),
        _ => Err("a change of level is written `batch->ii`".into()),
    }
}

fn anything(_: &str) -> Result<(), String> {
    Ok(())
}

const STATUSES: &[(&str, u32)] = &[
    ("PENDING", 0x103),
    ("ACCESS_DENIED", 0xc000_0022),
    ("OBJECT_NAME_NOT_FOUND", 0xc000_0034),
    ("OBJECT_NAME_COLLISION", 0xc000_0035),
];

fn status_by_name(name: &str) -> Option<u32> {
    STATUSES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|&(_, status)| status)
}

fn status_name(status: u32) -> Option<&'static str> {
    STATUSES
        .iter()
        .find(|&&(_, known)| known == status)
        .map(|&(name, _)| name)
}

const OPLOCKS: ArgKind = ArgKind::Word(&["none", "ii", "exclusive", "batch"]);

pub static VOCABULARY: Vocabulary = Vocabulary {
    verbs: &[
        verb(
            "create",
            Role::Operation,
            &[
                positional("handle", ArgKind::NewHandle),
                positional("path", ArgKind::Text),
                arg("access", ArgKind::Token(access)),
                arg("oplock", OPLOCKS),
                arg("share", ArgKind::Token(access)),
                arg("disposition", ArgKind::Word(&["open", "create", "open-if"])),
            ],
            &[field("oplock", OPLOCKS), field("size", ArgKind::Int)],
            "A create f \"a.txt\" access=rw -> OK oplock=none",
        ),
        verb(
            "write",
            Role::Operation,
            &[
                positional("handle", ArgKind::Handle),
                required("offset", ArgKind::Int),
                arg("len", ArgKind::Int),
                arg("fill", ArgKind::Int),
                arg("data", ArgKind::Bytes),
                arg("through", ArgKind::Flag),
            ],
            &[field("len", ArgKind::Int)],
            "A write f offset=0 len=4096 fill=7 -> OK len=4096",
        ),
        verb(
            "read",
            Role::Operation,
            &[
                positional("handle", ArgKind::Handle),
                required("offset", ArgKind::Int),
                required("len", ArgKind::Int),
            ],
            &[field("len", ArgKind::Int)],
            "A read f offset=0 len=4096 -> OK len=4096 fill=7",
        ),
        verb(
            "lock",
            Role::Operation,
            &[
                positional("handle", ArgKind::Handle),
                required("range", ArgKind::Range),
                arg("exclusive", ArgKind::Flag),
                arg("wait", ArgKind::Flag),
                arg("timeout", ArgKind::Duration),
            ],
            &[],
            "A lock f range=0..1 exclusive",
        ),
        verb(
            "list",
            Role::Operation,
            &[
                positional("handle", ArgKind::Handle),
                ArgSpec {
                    positional: true,
                    ..arg("pattern", ArgKind::Text)
                },
                arg("classes", ArgKind::List(&ArgKind::Token(anything))),
                arg("levels", ArgKind::List(&ArgKind::Int)),
                arg("restart", ArgKind::Flag),
            ],
            &[
                field("count", ArgKind::Int),
                field("names", ArgKind::List(&ArgKind::Text)),
                field("key", ArgKind::Bytes),
                field("took", ArgKind::Duration),
                field("span", ArgKind::Range),
                field("last", ArgKind::Flag),
                field("mask", ArgKind::Token(anything)),
            ],
            "A list f \"*\" restart -> OK names=\"a\",\"b\" last",
        ),
        verb("echo", Role::Operation, &[], &[], "A echo"),
        verb(
            "flush",
            Role::Operation,
            &[positional("handle", ArgKind::Handle)],
            &[],
            "A flush f",
        ),
        verb(
            "close",
            Role::Operation,
            &[positional("handle", ArgKind::EndHandle)],
            &[],
            "A close f",
        ),
        verb(
            "copy",
            Role::Operation,
            &[
                positional("from", ArgKind::Handle),
                positional("to", ArgKind::Handle),
            ],
            &[],
            "A copy f g",
        ),
        verb(
            "break",
            Role::AwaitBreak,
            &[
                positional("handle", ArgKind::Handle),
                positional("levels", ArgKind::Token(level)),
            ],
            &[],
            "A break f batch->ii within=1s",
        ),
        verb(
            "await",
            Role::Await,
            &[positional("step", ArgKind::Label)],
            &[],
            "A await lk -> OK",
        ),
        verb(
            "cancel",
            Role::Operation,
            &[positional("step", ArgKind::Label)],
            &[],
            "A cancel lk",
        ),
        verb("pause", Role::Pause, &[], &[], "A pause"),
    ],
    client_args: &[
        arg("user", ArgKind::Token(anything)),
        arg("anonymous", ArgKind::Flag),
        arg("dialect", ArgKind::Word(&["2.1", "3.1.1"])),
        arg("note", ArgKind::Text),
    ],
    givens: &[
        GivenSpec {
            name: "file",
            args: &[
                positional("path", ArgKind::Text),
                arg("size", ArgKind::Int),
                arg("fill", ArgKind::Int),
            ],
            doc: "A file.",
        },
        GivenSpec {
            name: "dir",
            args: &[positional("path", ArgKind::Text)],
            doc: "A directory.",
        },
    ],
    needs: &[
        NameSpec {
            name: "oplocks",
            doc: "The server grants oplocks.",
        },
        NameSpec {
            name: "leases",
            doc: "The server grants leases.",
        },
    ],
    status_by_name,
    status_name,
    ok: 0,
    pending: 0x103,
};
