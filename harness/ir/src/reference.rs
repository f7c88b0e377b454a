//! The reference page of a vocabulary: every verb, argument, answer field and word, with an example of each verb.

use std::fmt::Write as _;

use crate::parsed::describe;
use crate::vocabulary::{
    ArgKind, ArgSpec, DATA_FIELDS, FieldSpec, NameSpec, Role, VerbSpec, Vocabulary,
};

/// The page in Markdown, from its second-level headings on.
pub fn markdown(vocabulary: &Vocabulary) -> String {
    let mut page = String::new();
    clients(&mut page, vocabulary);
    if !vocabulary.givens.is_empty() {
        page.push_str("\n## `given` lines\n\nState that must exist before the first step.\n");
        for given in vocabulary.givens {
            let _ = writeln!(page, "\n### `given {}`\n\n{}\n", given.name, given.doc);
            arguments(&mut page, given.args);
        }
    }
    if !vocabulary.needs.is_empty() {
        page.push_str("\n## `needs` words\n\n");
        names(&mut page, vocabulary.needs);
    }
    page.push_str("\n## Verbs\n\n");
    for verb in vocabulary.verbs {
        let _ = writeln!(page, "- [`{0}`](#{0})", verb.name);
    }
    for verb in vocabulary.verbs {
        self::verb(&mut page, verb);
    }
    page.push_str(
        "\n## Data of an answer\n\nWhere an answer has a field `len`, an expectation can say what the data is.\n\n",
    );
    fields(&mut page, &DATA_FIELDS);
    page
}

fn clients(page: &mut String, vocabulary: &Vocabulary) {
    page.push_str(
        "## `client` lines\n\n`client NAME` declares a client with a connection of its own, \
         `client NAME on=OTHER` one that shares the connection and session of another.\n\n",
    );
    arguments(page, vocabulary.client_args);
}

fn names(page: &mut String, names: &[NameSpec]) {
    page.push_str("| word | meaning |\n|---|---|\n");
    for name in names {
        let _ = writeln!(page, "| `{}` | {} |", name.name, cell(name.doc));
    }
}

fn verb(page: &mut String, verb: &VerbSpec) {
    let _ = writeln!(
        page,
        "\n### {}\n\n{} ({}; {})\n",
        verb.name,
        verb.doc,
        verb.section,
        role(verb.role)
    );
    let _ = writeln!(page, "```text\n{}\n```\n", verb.example);
    arguments(page, verb.args);
    if !verb.answer.is_empty() {
        page.push_str("\nFields of the answer:\n\n");
        fields(page, verb.answer);
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Operation => "an operation",
        Role::Connect => "sets up the connection",
        Role::Await => "takes the final answer of an earlier step",
        Role::AwaitBreak => "waits for a break",
        Role::NoBreak => "asserts that no break comes",
        Role::OnBreak => "says what happens on a break",
        Role::Pause => "only waits",
    }
}

fn arguments(page: &mut String, specs: &[ArgSpec]) {
    if specs.is_empty() {
        page.push_str("No arguments.\n");
        return;
    }
    page.push_str("| argument | written | takes | meaning |\n|---|---|---|---|\n");
    for spec in specs {
        let written = match (&spec.kind, spec.positional) {
            (_, true) => format!(
                "by position{}",
                if spec.required {
                    ""
                } else {
                    ", may be left out"
                }
            ),
            (ArgKind::Flag, _) => format!("`{}`", spec.name),
            _ => format!(
                "`{}=…`{}",
                spec.name,
                if spec.required { ", required" } else { "" }
            ),
        };
        let takes = cell(&describe(&spec.kind));
        let _ = writeln!(
            page,
            "| `{}` | {written} | {takes} | {} |",
            spec.name,
            cell(spec.doc)
        );
    }
}

fn fields(page: &mut String, specs: &[FieldSpec]) {
    page.push_str("| field | holds | meaning |\n|---|---|---|\n");
    for spec in specs {
        let holds = cell(&describe(&spec.kind));
        let _ = writeln!(page, "| `{}` | {holds} | {} |", spec.name, cell(spec.doc));
    }
}

/// Text that does not break a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
