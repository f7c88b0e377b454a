//! The parts of a [`Vocabulary`](crate::Vocabulary)'s verbs, each in a line. `doc` is for the reference page.

use crate::{ArgKind, ArgSpec, FieldSpec};

/// An argument that is written as `name=value` and may be left out.
pub const fn optional(name: &'static str, kind: ArgKind, doc: &'static str) -> ArgSpec {
    ArgSpec {
        name,
        kind,
        positional: false,
        required: false,
        doc,
    }
}

/// An argument that is written as `name=value` and must be there.
pub const fn required(name: &'static str, kind: ArgKind, doc: &'static str) -> ArgSpec {
    ArgSpec {
        name,
        kind,
        positional: false,
        required: true,
        doc,
    }
}

/// An argument that is written by position and must be there.
pub const fn positional(name: &'static str, kind: ArgKind, doc: &'static str) -> ArgSpec {
    ArgSpec {
        name,
        kind,
        positional: true,
        required: true,
        doc,
    }
}

/// An argument that is written by position and may be left out.
pub const fn trailing(name: &'static str, kind: ArgKind, doc: &'static str) -> ArgSpec {
    ArgSpec {
        name,
        kind,
        positional: true,
        required: false,
        doc,
    }
}

/// A flag.
pub const fn flag(name: &'static str, doc: &'static str) -> ArgSpec {
    optional(name, ArgKind::Flag, doc)
}

/// A field of an answer.
pub const fn field(name: &'static str, kind: ArgKind, doc: &'static str) -> FieldSpec {
    FieldSpec { name, kind, doc }
}
