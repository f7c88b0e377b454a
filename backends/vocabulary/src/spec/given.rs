//! Kinds of `given` lines, and the words that may follow `needs`.

use super::ea::EA;
use super::security::SD;
use super::{optional, positional};
use crate::accounts::AccountState;
use crate::client::check_identity;
use crate::{time, words};
use replay_ir::{ArgKind, ArgSpec, GivenSpec, NameSpec};

const TIME: ArgKind = ArgKind::Token(time::check);
const ATTRIBUTES: ArgSpec = optional(
    "attributes",
    ArgKind::Token(|text| words::ATTRIBUTES.check(text)),
    "File attributes, joined by `|`. Default: as the server makes them.",
);
const CREATED: ArgSpec = optional(
    "created",
    TIME,
    "CreationTime, for instance `2020-02-29T12:00:00Z`.",
);
const WRITTEN: ArgSpec = optional("written", TIME, "LastWriteTime.");

const NAME: ArgSpec = positional(
    "name",
    ArgKind::Token(check_identity),
    "Its name in the trace; the run maps it to an account.",
);
const MEMBER_OF: ArgSpec = optional(
    "groups",
    ArgKind::List(&ArgKind::Token(check_identity)),
    "The groups that it is a member of.",
);

pub(super) const GIVENS: &[GivenSpec] = &[
    GivenSpec {
        name: "file",
        args: &[
            positional(
                "path",
                ArgKind::Text,
                "Its path, relative to the trace's root. Missing parents are made.",
            ),
            optional(
                "size",
                ArgKind::Int,
                "Its size in bytes. Default 0, or the length of `data`.",
            ),
            optional(
                "fill",
                ArgKind::Int,
                "The fill pattern of its content. Default 0: zeros, not written.",
            ),
            optional(
                "data",
                ArgKind::Text,
                "Its content as UTF-8, instead of a pattern.",
            ),
            ATTRIBUTES,
            CREATED,
            WRITTEN,
            EA,
            SD,
        ],
        doc: "A file that exists before the first step.",
    },
    GivenSpec {
        name: "dir",
        args: &[
            positional(
                "path",
                ArgKind::Text,
                "Its path, relative to the trace's root. Missing parents are made.",
            ),
            ATTRIBUTES,
            CREATED,
            WRITTEN,
            EA,
            SD,
        ],
        doc: "A directory that exists before the first step.",
    },
    GivenSpec {
        name: "user",
        args: &[
            NAME,
            MEMBER_OF,
            optional(
                "state",
                ArgKind::Word(AccountState::WORDS),
                "What a login meets: `enabled` (default) nothing, `disabled` ACCOUNT_DISABLED, `expired` \
                 ACCOUNT_EXPIRED, `locked-out` ACCOUNT_LOCKED_OUT, `must-change` PASSWORD_MUST_CHANGE. `expired` needs \
                 a domain, the others `account-states`.",
            ),
        ],
        doc: "A user with an account of its own. One that a `client` line names need not be given.",
    },
    GivenSpec {
        name: "group",
        args: &[NAME, MEMBER_OF],
        doc: "A group. One that a `groups=` names need not be given, unless it is a member of another, which needs a domain.",
    },
];

const fn need(name: &'static str, doc: &'static str) -> NameSpec {
    NameSpec { name, doc }
}

pub(super) const NEEDS: &[NameSpec] = &[
    need("oplocks", "The server grants oplocks (MS-SMB2 3.3.5.9)."),
    need("leases", "The server grants leases (MS-SMB2 3.3.5.9.8)."),
    need(
        "directory-leases",
        "The server grants leases on directories (MS-SMB2 3.3.5.9.11).",
    ),
    need(
        "durable-handles",
        "The server grants durable handles (MS-SMB2 3.3.5.9.6).",
    ),
    need(
        "persistent-handles",
        "The share is continuously available (MS-SMB2 3.3.5.9.10).",
    ),
    need("streams", "The share keeps named streams (MS-FSA 2.1.1.5)."),
    need(
        "extended-attributes",
        "The share keeps extended attributes (MS-FSCC 2.4.16).",
    ),
    need(
        "acls",
        "The share keeps NT access control lists (MS-DTYP 2.4.6).",
    ),
    need(
        "dos-attributes",
        "The share keeps read-only, hidden, system and archive apart from its permissions.",
    ),
    need(
        "sparse-files",
        "The share keeps holes, and says so (MS-FSCC 2.3.83).",
    ),
    need("encryption", "The server can encrypt (MS-SMB2 3.3.5.4)."),
    need(
        "multichannel",
        "The server binds several connections to a session (MS-SMB2 3.3.5.5).",
    ),
    need(
        "guest",
        "The server lets in as a guest whom it does not know, to the share too (MS-SMB2 3.3.5.5.3).",
    ),
    need(
        "snapshots",
        "The share has previous versions (MS-SMB2 2.2.13.2.7).",
    ),
    need(
        "read-only-share",
        "The server has a share `readonly` that shows the same directory and refuses changes.",
    ),
    need(
        "encrypted-share",
        "The server has a share `encrypted` that shows the same directory and takes encrypted requests only.",
    ),
    need(
        "share-permissions",
        "The server has shares `share-read`, `share-change` and `share-none` that show the same directory and whose own \
         permissions let everybody read, read and change, and do nothing.",
    ),
    need(
        "access-based-enumeration",
        "The server has a share `enumerated` that shows the same directory, and in it only what a user may read.",
    ),
    need(
        "groups",
        "Users can be made members of groups. What is in a domain can do that as well; groups in groups need `domain`.",
    ),
    need(
        "account-states",
        "Accounts can be disabled, locked out, and bound to change their password.",
    ),
    need("domain", "The server is in an Active Directory domain."),
];
