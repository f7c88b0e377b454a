//! How a step stands to the one before it in a compound (MS-SMB2 3.2.4.1.4).

use replay_ir::{ArgKind, ArgSpec, Step};

/// How a request is put into a chain, where the trace says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chain {
    /// SMB2_FLAGS_RELATED_OPERATIONS, and a FileId of all ones: the server takes the one before.
    Related,
    /// The same, and SessionId and TreeId of all ones too.
    Inherit,
    /// No flag, and a FileId of its own.
    Unrelated,
}

/// The words of `chain=`.
const WORDS: &[&str] = &["related", "inherit", "unrelated"];

/// `chain=`, of every verb that is one request.
pub(crate) const CHAIN: ArgSpec = ArgSpec {
    name: "chain",
    kind: ArgKind::Word(WORDS),
    positional: false,
    required: false,
    doc: "How the request stands in its compound (MS-SMB2 3.2.4.1.4). `related`: to the one before, whose FileId the \
          server takes; `inherit`: the same, and SessionId and TreeId are all ones too; `unrelated`: by itself. \
          Default: `related` for a `+` step on the handle that the step before it opened or used.",
};

/// What a step says about its place in a compound; `None` where that goes by its handle.
pub fn chain(step: &Step<'_>) -> Option<Chain> {
    of_word(step.arg(CHAIN.name)?.as_str()?)
}

pub(crate) fn of_word(word: &str) -> Option<Chain> {
    match word {
        "related" => Some(Chain::Related),
        "inherit" => Some(Chain::Inherit),
        "unrelated" => Some(Chain::Unrelated),
        _ => None,
    }
}
