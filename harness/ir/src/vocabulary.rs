//! What the words of a trace mean: verbs, arguments, answer fields and status names.
//!
//! The trace core takes all of them from a [`Vocabulary`], a table of constants that another crate provides.
//! The same table checks a trace when it is loaded, generates the JSON Schema, and generates the reference
//! page of the book; so a verb is described in one place only.

/// Everything that a trace may say beyond the core.
#[derive(Debug)]
pub struct Vocabulary {
    /// The verbs, in the order in which the reference page shows them.
    pub verbs: &'static [VerbSpec],
    /// What may follow `client NAME`, beside the core's own `on=`.
    pub client_args: &'static [ArgSpec],
    /// The kinds of `given` lines.
    pub givens: &'static [GivenSpec],
    /// The words that may follow `needs`.
    pub needs: &'static [NameSpec],
    /// The number of a status name, without prefix (`OBJECT_NAME_NOT_FOUND`).
    pub status_by_name: fn(&str) -> Option<u32>,
    /// The preferred name of a status.
    pub status_name: fn(u32) -> Option<&'static str>,
    /// The status that is written `OK`.
    pub ok: u32,
    /// The status of an interim answer: a step that expects exactly this one frees its client's lane.
    pub pending: u32,
}

/// One verb.
#[derive(Debug)]
pub struct VerbSpec {
    /// As written in a trace, for instance `query-directory`.
    pub name: &'static str,
    /// What the engine does with it.
    pub role: Role,
    /// One paragraph for the reference page.
    pub doc: &'static str,
    /// The section of the specification, for instance `MS-SMB2 2.2.13`.
    pub section: &'static str,
    /// The arguments; positional ones first and in their order.
    pub args: &'static [ArgSpec],
    /// The fields that an answer can carry and an expectation can name. A verb whose answer has a field `len` carries
    /// data, so an expectation can also name [`DATA_FIELDS`] of it.
    pub answer: &'static [FieldSpec],
    /// A complete step line that loads, given fitting declarations; shown in the reference page.
    pub example: &'static str,
}

/// What a verb is to the engine, which knows no other difference between verbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Sent to the backend; ends with an answer.
    Operation,
    /// Sets up the client's connection; a client whose first step has another role is connected before time 0.
    Connect,
    /// Takes the final answer of an earlier step that expected an interim one (its `Label` argument).
    Await,
    /// Ends when a break for the handle has arrived.
    AwaitBreak,
    /// Ends when no break for the handle has arrived within the step's `within`; a failure if one has.
    NoBreak,
    /// Says what the client does when a break arrives; takes effect at once.
    OnBreak,
    /// Ends after the step's time has come; nothing is sent.
    Pause,
}

/// One argument of a verb, a client or a `given`.
#[derive(Debug)]
pub struct ArgSpec {
    /// The name; in text form a positional argument is written without it.
    pub name: &'static str,
    /// What it may hold.
    pub kind: ArgKind,
    /// Written by position in text form. Positional arguments come first in [`VerbSpec::args`].
    pub positional: bool,
    /// A step without it is refused.
    pub required: bool,
    /// One line for the reference page: meaning, unit, range, default, section of the specification.
    pub doc: &'static str,
}

/// What an argument or an answer field may hold.
#[derive(Debug, Clone, Copy)]
pub enum ArgKind {
    /// The name of a handle that the step opens when it is answered with a success.
    NewHandle,
    /// The name of a handle that is open.
    Handle,
    /// The name of a handle that is open and that the step ends.
    EndHandle,
    /// The label of another step.
    Label,
    /// Any text, quoted in text form.
    Text,
    /// `0..=u64::MAX`, decimal or `0x` hexadecimal.
    Int,
    /// A length of time: an integer with `ns`, `us`, `ms` or `s`.
    Duration,
    /// `start..end`, half open; `end` may be 2^64 - 1 at most.
    Range,
    /// Present or absent; written as its bare name.
    Flag,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A bare token that this function accepts; its error is a sentence fragment shown to the user.
    Token(fn(&str) -> Result<(), String>),
    /// Bytes in hexadecimal, written `hex:0a1b`.
    Bytes,
    /// Several of one kind, separated by commas in text form and an array in JSON.
    List(&'static ArgKind),
}

/// One field of an answer.
#[derive(Debug)]
pub struct FieldSpec {
    /// The name, as an expectation writes it.
    pub name: &'static str,
    /// What it holds. Handles and labels do not occur in answers.
    pub kind: ArgKind,
    /// One line for the reference page.
    pub doc: &'static str,
}

/// One kind of `given` line: state that must exist before the first step.
#[derive(Debug)]
pub struct GivenSpec {
    /// The word after `given`.
    pub name: &'static str,
    /// The arguments; the first is the positional name of the thing.
    pub args: &'static [ArgSpec],
    /// One paragraph for the reference page.
    pub doc: &'static str,
}

/// A word with its meaning.
#[derive(Debug)]
pub struct NameSpec {
    /// The word.
    pub name: &'static str,
    /// One line for the reference page.
    pub doc: &'static str,
}

/// What the core itself can expect of an answer's data ([`Answer::data`](crate::Answer::data)), on every verb whose
/// answer has a field `len`.
pub static DATA_FIELDS: [FieldSpec; 3] = [
    FieldSpec {
        name: "fill",
        kind: ArgKind::Int,
        doc: "The data is this fill at the step's offset (see `replay_ir::fill`); 0 is zeros.",
    },
    FieldSpec {
        name: "data",
        kind: ArgKind::Text,
        doc: "The data is this text in UTF-8.",
    },
    FieldSpec {
        name: "blob",
        kind: ArgKind::Token(crate::blob::check),
        doc: "The data is the blob of this hash, `sha256:` and 64 hex digits, in `blobs` next to the trace.",
    },
];

/// Where [`DATA_FIELDS`] begin in the numbering of [`VerbSpec::field_index`].
const CORE_FIELDS: usize = 240;

/// The core's field of this name, if the verb's answer can carry it.
pub(crate) fn core_field(verb: &VerbSpec, name: &str) -> Option<usize> {
    if !verb.answer.iter().any(|field| field.name == "len") {
        return None;
    }
    DATA_FIELDS.iter().position(|field| field.name == name)
}

impl VerbSpec {
    /// The number of a field of the verb's answer, and the field. The verb's own go before the core's.
    pub(crate) fn field_index(&self, name: &str) -> Option<(u8, &'static FieldSpec)> {
        if let Some(index) = self.answer.iter().position(|field| field.name == name) {
            return Some((index as u8, &self.answer[index]));
        }
        let index = core_field(self, name)?;
        Some(((CORE_FIELDS + index) as u8, &DATA_FIELDS[index]))
    }

    /// The field of a number that [`VerbSpec::field_index`] gave.
    pub(crate) fn field_at(&self, index: u8) -> &'static FieldSpec {
        match usize::from(index).checked_sub(CORE_FIELDS) {
            Some(core) => &DATA_FIELDS[core],
            None => &self.answer[usize::from(index)],
        }
    }

    /// The field of this name that an expectation of this verb can have: one of [`VerbSpec::answer`], or of
    /// [`DATA_FIELDS`] where the answer carries data.
    pub fn field(&self, name: &str) -> Option<&'static FieldSpec> {
        self.field_index(name).map(|(_, field)| field)
    }
}

impl Vocabulary {
    /// The verb of this name.
    pub fn verb(&self, name: &str) -> Option<&'static VerbSpec> {
        self.verbs.iter().find(|verb| verb.name == name)
    }
}
