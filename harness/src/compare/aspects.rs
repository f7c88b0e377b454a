//! Which parts of a file's state an answer depends on, and which ones a step changes.
//!
//! That a difference follows from an earlier one is believed only if the two have such a part in common: an open that is
//! refused for its share access says nothing about the bytes of a later read.

use bitflags::bitflags;
use replay_ir::Step;
use smb_vocabulary::subjects::may_succeed;
use smb_wire::ntstatus::{self, Severity};

bitflags! {
    /// Parts of a file's state, and what of a connection's.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) struct Aspects: u16 {
        /// Whether it is there, under which name, and whether it is about to be deleted.
        const EXISTENCE = 1;
        /// Who has it open, and how.
        const OPENS = 1 << 1;
        /// Byte range locks.
        const LOCKS = 1 << 2;
        /// Size, allocation and bytes.
        const CONTENT = 1 << 3;
        /// Attributes, times, extended attributes.
        const ATTRIBUTES = 1 << 4;
        /// The security descriptor.
        const SECURITY = 1 << 5;
        /// Oplocks and leases, their breaks, and durability.
        const CACHING = 1 << 6;
        /// Sessions and trees.
        const SESSION = 1 << 7;
    }
}

/// How many there are.
pub(super) const COUNT: usize = 8;

impl Aspects {
    /// All of a file.
    const FILE: Self = Self::all().difference(Self::SESSION);

    /// The number of each that is in the set.
    pub(super) fn numbers(self) -> impl Iterator<Item = usize> {
        (0..COUNT).filter(move |&number| self.bits() >> number & 1 == 1)
    }

    /// What people call the one with this number.
    pub(super) fn word(number: usize) -> &'static str {
        const WORDS: [&str; COUNT] = [
            "existence",
            "opens",
            "locks",
            "content",
            "attributes",
            "security",
            "caching",
            "session",
        ];
        WORDS.get(number).copied().unwrap_or("state")
    }
}

/// One way in which a step ended otherwise.
#[derive(Debug, Clone, Copy)]
pub(super) enum Otherwise<'a> {
    /// It was not tried.
    NotRun,
    /// A difference: its kind, what was expected, what came.
    Differed(&'a str, &'a str, &'a str),
}

/// What a difference may have its reason in.
pub(super) fn depends_on(step: &Step<'_>, otherwise: Otherwise<'_>) -> Aspects {
    match otherwise {
        Otherwise::NotRun => Aspects::FILE,
        _ => {
            let shows = shows(otherwise);
            match shows.is_empty() {
                false => shows,
                true => of_verb(step),
            }
        }
    }
}

/// What a difference makes different for later steps: what the step did or did not change, and what it shows to be otherwise.
pub(super) fn changes(step: &Step<'_>, otherwise: Otherwise<'_>) -> Aspects {
    let changed = match otherwise {
        Otherwise::NotRun => may_succeed(step),
        Otherwise::Differed("status", _, actual) => may_succeed(step) != is_success(actual),
        Otherwise::Differed("lost" | "violation" | "time", _, actual) => {
            may_succeed(step) && !actual.starts_with("after ")
        }
        Otherwise::Differed(..) => false,
    };
    let shows = shows(otherwise);
    match changed {
        true => shows | effects(step),
        false => shows,
    }
}

/// What the words of a difference are about; nothing where they do not tell.
fn shows(otherwise: Otherwise<'_>) -> Aspects {
    let Otherwise::Differed(kind, expected, actual) = otherwise else {
        return Aspects::empty();
    };
    match kind {
        "status" => expected
            .split('|')
            .chain([actual])
            .map(of_status)
            .fold(Aspects::empty(), |all, one| all | one),
        "field" => of_field(expected.split('=').next().unwrap_or(expected)),
        "data" => Aspects::CONTENT,
        "lost" => Aspects::SESSION,
        _ => Aspects::empty(),
    }
}

fn is_success(status: &str) -> bool {
    let Some(code) = ntstatus::by_name(status) else {
        return status == "OK";
    };
    matches!(
        ntstatus::severity(code),
        Severity::Success | Severity::Informational
    )
}

/// What a status speaks of (MS-ERREF 2.3); those that speak of the request alone are not here.
const STATUSES: &[(Aspects, &[&str])] = &[
    (Aspects::OPENS, &["SHARING_VIOLATION"]),
    (
        Aspects::EXISTENCE,
        &[
            "OBJECT_NAME_NOT_FOUND",
            "OBJECT_PATH_NOT_FOUND",
            "OBJECT_NAME_COLLISION",
            "NO_SUCH_FILE",
            "NO_MORE_FILES",
            "NOT_A_DIRECTORY",
            "FILE_IS_A_DIRECTORY",
            "STOPPED_ON_SYMLINK",
        ],
    ),
    (
        Aspects::EXISTENCE.union(Aspects::OPENS),
        &["DELETE_PENDING", "DIRECTORY_NOT_EMPTY"],
    ),
    (
        Aspects::EXISTENCE.union(Aspects::ATTRIBUTES),
        &["CANNOT_DELETE"],
    ),
    (
        Aspects::LOCKS,
        &["FILE_LOCK_CONFLICT", "LOCK_NOT_GRANTED", "RANGE_NOT_LOCKED"],
    ),
    (
        Aspects::SECURITY
            .union(Aspects::ATTRIBUTES)
            .union(Aspects::OPENS)
            .union(Aspects::EXISTENCE),
        &["ACCESS_DENIED"],
    ),
    (Aspects::CONTENT, &["END_OF_FILE", "DISK_FULL"]),
    (
        Aspects::ATTRIBUTES,
        &["NO_EAS_ON_FILE", "NONEXISTENT_EA_ENTRY"],
    ),
    (
        Aspects::CACHING,
        &["OPLOCK_NOT_GRANTED", "INVALID_OPLOCK_PROTOCOL"],
    ),
    (
        Aspects::OPENS.union(Aspects::LOCKS).union(Aspects::CACHING),
        &["PENDING"],
    ),
    (LISTED, &["NOTIFY_ENUM_DIR"]),
    (
        Aspects::OPENS.union(Aspects::SESSION),
        &["FILE_CLOSED", "NOTIFY_CLEANUP", "CANCELLED"],
    ),
    (
        Aspects::SESSION,
        &[
            "USER_SESSION_DELETED",
            "NETWORK_NAME_DELETED",
            "NETWORK_SESSION_EXPIRED",
            "CONNECTION_DISCONNECTED",
        ],
    ),
];

/// What a field of an answer shows.
const FIELDS: &[(Aspects, &[&str])] = &[
    (
        Aspects::CACHING.union(Aspects::OPENS),
        &["oplock", "lease-state", "lease-epoch", "lease-breaking"],
    ),
    (Aspects::CACHING, &["durable", "durable-timeout"]),
    (
        Aspects::CONTENT,
        &[
            "size",
            "allocation",
            "len",
            "fill",
            "data",
            "blob",
            "ranges",
            "chunks-written",
            "chunk-bytes-written",
            "total-bytes-written",
        ],
    ),
    (
        Aspects::EXISTENCE,
        &["action", "delete-pending", "links", "directory", "streams"],
    ),
    (
        Aspects::ATTRIBUTES,
        &[
            "attributes",
            "created",
            "accessed",
            "written",
            "changed",
            "ea",
            "ea-size",
            "compression",
            "reparse-tag",
        ],
    ),
    (LISTED, &["names", "count", "changes"]),
    (
        Aspects::SECURITY,
        &["maximal-access", "owner", "group", "dacl", "sacl"],
    ),
];

/// What a listing or a notification shows of what is in a directory.
const LISTED: Aspects = Aspects::EXISTENCE
    .union(Aspects::CONTENT)
    .union(Aspects::ATTRIBUTES);

fn of_status(status: &str) -> Aspects {
    look_up(STATUSES, status)
}

fn of_field(field: &str) -> Aspects {
    look_up(FIELDS, field)
}

fn look_up(table: &[(Aspects, &[&str])], word: &str) -> Aspects {
    let found = table.iter().find(|(_, words)| words.contains(&word));
    found.map_or(Aspects::empty(), |(aspects, _)| *aspects)
}

/// What the answer to a verb may depend on, where nothing says it better.
fn of_verb(step: &Step<'_>) -> Aspects {
    match step.verb().name {
        "read" | "write" => Aspects::CONTENT | Aspects::LOCKS,
        "lock" => Aspects::LOCKS,
        "query-security" | "set-security" => Aspects::SECURITY,
        "query-info" | "query-directory" | "notify" => LISTED,
        "connect" | "disconnect" | "reauthenticate" | "tree-connect" | "tree-disconnect"
        | "logoff" => Aspects::SESSION,
        "echo" | "query-fs" | "raw" | "pause" => Aspects::empty(),
        _ => Aspects::FILE,
    }
}

/// What a step changes that succeeds.
fn effects(step: &Step<'_>) -> Aspects {
    let word = |name: &str| {
        step.arg(name)
            .and_then(|value| value.as_str())
            .unwrap_or("")
    };
    let opened = Aspects::OPENS | Aspects::LOCKS | Aspects::CACHING;
    match step.verb().name {
        "create" => {
            let makes = !matches!(word("disposition"), "" | "open");
            match makes || word("options").contains("delete-on-close") {
                true => Aspects::FILE,
                false => opened,
            }
        }
        "reconnect" => opened,
        "close" => opened | Aspects::EXISTENCE,
        "write" => Aspects::CONTENT | Aspects::ATTRIBUTES,
        "lock" => Aspects::LOCKS,
        "set-info" => match word("class") {
            "rename" | "rename-ex" | "link" | "disposition" | "disposition-ex" => {
                Aspects::EXISTENCE
            }
            "end-of-file" | "allocation" | "valid-data-length" => {
                Aspects::CONTENT | Aspects::ATTRIBUTES
            }
            "position" | "mode" => Aspects::empty(),
            _ => Aspects::ATTRIBUTES,
        },
        "set-security" => Aspects::SECURITY,
        "ioctl" => Aspects::CONTENT | Aspects::ATTRIBUTES,
        "acknowledge" | "break" => Aspects::CACHING | Aspects::OPENS,
        "await" | "cancel" => match step.target() {
            Some(target) if target != step.id() => effects(&step.trace().step(target)),
            _ => Aspects::empty(),
        },
        "connect" | "disconnect" | "reauthenticate" | "tree-connect" | "tree-disconnect"
        | "logoff" => Aspects::SESSION,
        _ => Aspects::empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_have_no_word_that_there_is_not() {
        let statuses = STATUSES.iter().flat_map(|(_, words)| *words);
        for status in statuses {
            assert!(ntstatus::by_name(status).is_some(), "{status}");
        }
        let verbs = smb_vocabulary::VOCABULARY.verbs;
        let known = |field: &&&str| verbs.iter().any(|verb| verb.field(field).is_some());
        let unknown = FIELDS.iter().flat_map(|(_, words)| *words);
        let unknown: Vec<_> = unknown.filter(|field| !known(field)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    #[test]
    fn what_differs_says_what_it_is_about() {
        let source = "ir 1\nmode 2\nclient A user=alice\nA create f \"x\" disposition=create\nA read f len=4\n\
                      A set-info f rename path=\"y\"\nA create g \"z\" -> SHARING_VIOLATION\n\
                      lk: A lock f range=0..1 wait -> PENDING\nA await lk\nA close f\n";
        let trace =
            replay_ir::load_str("a.ir", source, &smb_vocabulary::VOCABULARY).expect("a trace");
        let step = |number: u32| trace.step(replay_ir::StepId(number));
        let differed = Otherwise::Differed;
        let sharing = differed("status", "SHARING_VIOLATION", "OK");
        assert_eq!(depends_on(&step(3), sharing), Aspects::OPENS);
        // It is open once more than it was.
        assert!(changes(&step(3), sharing).contains(Aspects::OPENS | Aspects::CACHING));
        assert!(!changes(&step(3), sharing).contains(Aspects::CONTENT));
        // Another refusal changes nothing, and says what it saw.
        let gone = differed("status", "SHARING_VIOLATION", "OBJECT_NAME_NOT_FOUND");
        assert_eq!(changes(&step(3), gone), Aspects::OPENS | Aspects::EXISTENCE);
        // A read that is refused for its own sake makes nothing different.
        let refused = differed("status", "OK", "INVALID_PARAMETER");
        assert_eq!(changes(&step(1), refused), Aspects::empty());
        assert_eq!(
            depends_on(&step(1), refused),
            Aspects::CONTENT | Aspects::LOCKS
        );
        assert_eq!(changes(&step(2), Otherwise::NotRun), Aspects::EXISTENCE);
        assert_eq!(changes(&step(5), Otherwise::NotRun), Aspects::LOCKS);
        assert_eq!(
            changes(&step(0), differed("field", "size=4", "size=5")),
            Aspects::CONTENT
        );
        // That an answer came late changes nothing, that none came does.
        let late = differed("time", "within=1s", "after 2s");
        assert_eq!(changes(&step(6), late), Aspects::empty());
        let none = differed("time", "OK", "no answer within 30s");
        assert!(changes(&step(6), none).contains(Aspects::OPENS));
        assert_eq!(Aspects::word(6), "caching");
        assert_eq!(Aspects::FILE.numbers().count(), COUNT - 1);
    }
}
