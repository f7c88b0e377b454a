//! The JSON Schema of a line of the JSON Lines form, made from a vocabulary.
//!
//! It says what a line may hold, each verb's arguments and answer fields included. What spans lines (handles, labels,
//! order) only loading checks. Keys are documented with the vocabulary's own sentences, so editors show them.

use serde_json::{Map, Value, json};

use crate::vocabulary::{ArgKind, ArgSpec, DATA_FIELDS, VerbSpec, Vocabulary, core_field};

const NAME: &str = "^[A-Za-z_][A-Za-z0-9_-]*$";
const HANDLE: &str = "^[A-Za-z_][A-Za-z0-9_.-]*$";
const DURATION: &str = "^[0-9]+(\\.[0-9]+)?(ns|us|ms|s)$";
const INT: &str = "^([0-9]+|0x[0-9A-Fa-f]+)$";

/// The schema, draft 2020-12. It validates one line.
pub fn json_schema(vocabulary: &Vocabulary) -> Value {
    let mut kinds = vec![
        reference("header"),
        reference("client"),
        reference("given"),
        reference("check"),
    ];
    kinds.extend(
        vocabulary
            .verbs
            .iter()
            .map(|verb| reference(&format!("step-{}", verb.name))),
    );
    let mut definitions = Map::new();
    let mut define = |name: &str, schema: Value| definitions.insert(name.to_owned(), schema);
    define("header", header(vocabulary));
    define("client", client(vocabulary));
    define(
        "given",
        json!({ "oneOf": vocabulary.givens.iter().map(given).collect::<Vec<_>>() }),
    );
    define(
        "check",
        object(
            "A bound on times, or an order of milestones.",
            [(
                "check",
                json!({ "type": "string", "pattern": "^(p[0-9.]+|max|order) " }),
            )],
            &["check"],
        ),
    );
    define("name", json!({ "type": "string", "pattern": NAME }));
    define("time", kind(&ArgKind::Duration));
    define("status", status());
    for verb in vocabulary.verbs {
        define(&format!("step-{}", verb.name), step(verb));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of a trace",
        "description": "One line of an .ir.jsonl file, version 1. The first line is the header.",
        "oneOf": kinds,
        "$defs": definitions,
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

/// An object with these members and no others.
fn object<const N: usize>(
    description: &str,
    members: [(&str, Value); N],
    required: &[&str],
) -> Value {
    let members: Map<String, Value> = members
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect();
    json!({
        "description": description,
        "type": "object",
        "properties": members,
        "required": required,
        "additionalProperties": false,
    })
}

fn header(vocabulary: &Vocabulary) -> Value {
    let needs: Vec<Value> = vocabulary
        .needs
        .iter()
        .map(|need| json!({ "const": need.name, "description": need.doc }))
        .collect();
    // An empty `oneOf` is no schema.
    let need = if needs.is_empty() {
        json!(false)
    } else {
        json!({ "oneOf": needs })
    };
    object(
        "The first line.",
        [
            (
                "ir",
                json!({ "description": "The version of the format.", "const": 1 }),
            ),
            ("title", json!({ "type": "string" })),
            (
                "mode",
                json!({
                    "description": "0 file operations, 1 exact statuses, 2 oplocks, leases and breaks.",
                    "enum": [0, 1, 2],
                    "default": 1,
                }),
            ),
            ("needs", json!({ "type": "array", "items": need })),
        ],
        &["ir"],
    )
}

fn client(vocabulary: &Vocabulary) -> Value {
    object(
        "Declares a client.",
        [
            ("client", reference("name")),
            (
                "on",
                json!({
                    "description": "The client whose connection and session it shares.",
                    "$ref": "#/$defs/name",
                }),
            ),
            ("with", arguments(vocabulary.client_args)),
        ],
        &["client"],
    )
}

fn given(spec: &crate::vocabulary::GivenSpec) -> Value {
    object(
        spec.doc,
        [
            ("given", json!({ "const": spec.name })),
            ("with", arguments(spec.args)),
        ],
        if spec.args.iter().any(|arg| arg.required) {
            &["given", "with"]
        } else {
            &["given"]
        },
    )
}

fn step(verb: &VerbSpec) -> Value {
    let mut required = vec!["c", "do"];
    if verb.args.iter().any(|arg| arg.required) {
        required.push("with");
    }
    object(
        verb.doc,
        [
            (
                "c",
                json!({ "description": "The client.", "$ref": "#/$defs/name" }),
            ),
            (
                "at",
                json!({
                    "description": "Nanoseconds from the start; without it the client's previous due time.",
                    "$ref": "#/$defs/time",
                }),
            ),
            ("do", json!({ "const": verb.name })),
            (
                "compound",
                json!({
                    "description": "Sent in one frame with the client's previous step.",
                    "type": "boolean",
                }),
            ),
            ("label", reference("name")),
            ("with", arguments(verb.args)),
            ("expect", expectation(verb)),
            (
                "after",
                json!({
                    "description": "Milestones of other steps that must have come before it is sent.",
                    "type": "array",
                    "items": {
                        "type": "string",
                        "pattern": "^[A-Za-z_][A-Za-z0-9_-]*(\\.(sent|pending|done|break))?$",
                    },
                }),
            ),
            (
                "within",
                json!({
                    "description": "The bound on the answer's time, in nanoseconds from its dispatch.",
                    "$ref": "#/$defs/time",
                }),
            ),
        ],
        &required,
    )
}

fn arguments(specs: &[ArgSpec]) -> Value {
    let members: Map<String, Value> = specs
        .iter()
        .map(|spec| (spec.name.to_owned(), described(kind(&spec.kind), spec.doc)))
        .collect();
    let required: Vec<&str> = specs
        .iter()
        .filter(|spec| spec.required)
        .map(|spec| spec.name)
        .collect();
    json!({
        "type": "object",
        "properties": members,
        "required": required,
        "additionalProperties": false,
    })
}

fn expectation(verb: &VerbSpec) -> Value {
    let core = DATA_FIELDS
        .iter()
        .filter(|field| core_field(verb, field.name).is_some());
    let mut members = Map::new();
    members.insert("status".into(), reference("status"));
    // A verb's own field goes before the core's of the same name.
    for field in core.chain(verb.answer) {
        members.insert(
            field.name.to_owned(),
            described(kind(&field.kind), field.doc),
        );
    }
    json!({
        "description": "What must come back; without it `OK`.",
        "type": "object",
        "properties": members,
        "additionalProperties": false,
    })
}

fn status() -> Value {
    let one = json!({ "type": "string", "pattern": "^([A-Z][A-Z0-9_]*|0x[0-9A-Fa-f]{1,8})$" });
    json!({
        "description": "A status name without its prefix, `OK`, or hexadecimal; several of which one must come; `*` \
                        for anything; `?` for not known yet. Without it `OK`.",
        "oneOf": [
            { "enum": ["*", "?"] },
            one,
            { "type": "array", "items": one, "minItems": 1, "uniqueItems": true },
        ],
    })
}

fn described(mut schema: Value, doc: &str) -> Value {
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".into(), doc.into());
    }
    schema
}

/// What a value of a kind looks like.
fn kind(kind: &ArgKind) -> Value {
    let integer = json!({ "type": "integer", "minimum": 0, "maximum": u64::MAX });
    match kind {
        ArgKind::NewHandle | ArgKind::Handle | ArgKind::EndHandle => {
            json!({ "type": "string", "pattern": HANDLE })
        }
        ArgKind::Label => json!({ "type": "string", "pattern": NAME }),
        ArgKind::Text => json!({ "type": "string" }),
        ArgKind::Int => json!({ "oneOf": [integer, { "type": "string", "pattern": INT }] }),
        ArgKind::Duration => {
            json!({ "oneOf": [integer, { "type": "string", "pattern": DURATION }] })
        }
        ArgKind::Range => json!({ "oneOf": [
            { "type": "array", "items": integer, "minItems": 2, "maxItems": 2 },
            { "type": "string", "pattern": "^([0-9]+|0x[0-9A-Fa-f]+)\\.\\.([0-9]+|0x[0-9A-Fa-f]+)$" },
        ] }),
        ArgKind::Flag => json!({ "type": "boolean" }),
        ArgKind::Word(words) => json!({ "enum": words }),
        ArgKind::Token(_) => json!({ "type": "string", "pattern": "^[^\\s\"#]+$" }),
        ArgKind::Bytes => json!({ "type": "string", "pattern": "^(hex:)?([0-9A-Fa-f]{2})*$" }),
        ArgKind::List(item) => json!({ "type": "array", "items": self::kind(item) }),
    }
}
