//! Looks a vocabulary over: whether every verb can be written, read and told from others in both encodings.

use crate::name::{is_bare, is_plain_name};
use crate::vocabulary::{ArgKind, ArgSpec, Role, VerbSpec, Vocabulary};

/// Arguments that the core gives to every step or client.
const STEP_WORDS: [&str; 2] = ["after", "within"];
const CLIENT_WORDS: [&str; 1] = ["on"];
const FIELD_WORDS: [&str; 3] = ["after", "within", "status"];

/// A step's arguments are a bit each; fields and verbs are numbered in what is left of a byte and a word.
const MOST_ARGS: usize = 64;
const MOST_FIELDS: usize = 240;
const MOST_VERBS: usize = u16::MAX as usize;

impl Vocabulary {
    /// Everything that is wrong with the table itself, as sentences for whoever wrote it. A test of the crate that
    /// provides it should hold that there is nothing; loading relies on that.
    pub fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        unique("verb", self.verbs.iter().map(|verb| verb.name), &mut found);
        unique(
            "given",
            self.givens.iter().map(|given| given.name),
            &mut found,
        );
        unique("need", self.needs.iter().map(|need| need.name), &mut found);
        if self.verbs.len() >= MOST_VERBS {
            found.push(format!("{} verbs are too many", self.verbs.len()));
        }
        for verb in self.verbs {
            check_verb(verb, &mut found);
        }
        check_args("client", self.client_args, &CLIENT_WORDS, &mut found);
        for given in self.givens {
            check_args(given.name, given.args, &[], &mut found);
        }
        for status in [self.ok, self.pending] {
            let name = (self.status_name)(status).filter(|_| status != self.ok);
            if let Some(name) = name.filter(|name| (self.status_by_name)(name) != Some(status)) {
                found.push(format!(
                    "`{name}` is the name of {status:#010x}, but names another status"
                ));
            }
        }
        found
    }
}

fn unique<'n>(what: &str, names: impl Iterator<Item = &'n str>, found: &mut Vec<String>) {
    let mut seen = Vec::new();
    for name in names {
        if !is_plain_name(name) {
            found.push(format!("`{name}` is not a name"));
        }
        if seen.contains(&name) {
            found.push(format!("a second {what} `{name}`"));
        }
        seen.push(name);
    }
}

fn check_verb(verb: &VerbSpec, found: &mut Vec<String>) {
    check_args(verb.name, verb.args, &STEP_WORDS, found);
    let labels = verb
        .args
        .iter()
        .filter(|arg| matches!(arg.kind, ArgKind::Label))
        .count();
    if verb.role == Role::Await && labels != 1 {
        found.push(format!(
            "`{}`: a verb that awaits needs one label argument",
            verb.name
        ));
    }
    let fields = || verb.answer.iter().map(|field| field.name);
    if fields().count() > MOST_FIELDS {
        found.push(format!("`{}`: too many answer fields", verb.name));
    }
    for (index, field) in verb.answer.iter().enumerate() {
        check_name(
            verb.name,
            field.name,
            &FIELD_WORDS,
            fields().take(index),
            found,
        );
        check_kind(verb.name, field.name, &field.kind, found);
        if matches!(
            field.kind,
            ArgKind::NewHandle | ArgKind::Handle | ArgKind::EndHandle | ArgKind::Label
        ) {
            found.push(format!(
                "`{}`: an answer has no handles and labels: `{}`",
                verb.name, field.name
            ));
        }
    }
}

fn check_args(owner: &str, args: &[ArgSpec], words: &[&str], found: &mut Vec<String>) {
    if args.len() > MOST_ARGS {
        found.push(format!("`{owner}`: more than {MOST_ARGS} arguments"));
    }
    for (index, arg) in args.iter().enumerate() {
        let before = &args[..index];
        check_name(
            owner,
            arg.name,
            words,
            before.iter().map(|arg| arg.name),
            found,
        );
        check_kind(owner, arg.name, &arg.kind, found);
        if arg.positional && before.iter().any(|arg| !arg.positional) {
            let name = arg.name;
            found.push(format!(
                "`{owner}`: the positional argument `{name}` stands behind another one"
            ));
        }
        if arg.positional && matches!(arg.kind, ArgKind::Flag) {
            found.push(format!(
                "`{owner}`: the flag `{}` cannot be positional",
                arg.name
            ));
        }
    }
}

fn check_name<'n>(
    owner: &str,
    name: &str,
    words: &[&str],
    mut before: impl Iterator<Item = &'n str>,
    found: &mut Vec<String>,
) {
    if !is_plain_name(name) {
        found.push(format!("`{owner}`: `{name}` is not a name"));
    }
    if words.contains(&name) {
        found.push(format!("`{owner}`: `{name}` is a word of the core"));
    }
    if before.any(|earlier| earlier == name) {
        found.push(format!("`{owner}`: a second `{name}`"));
    }
}

fn check_kind(owner: &str, name: &str, kind: &ArgKind, found: &mut Vec<String>) {
    match kind {
        ArgKind::Word(words) => {
            for word in words
                .iter()
                .filter(|word| !is_bare(word) || word.contains(','))
            {
                found.push(format!(
                    "`{owner}`: `{name}`: `{word}` cannot stand in a trace"
                ));
            }
        }
        ArgKind::List(ArgKind::List(_) | ArgKind::Flag) => {
            found.push(format!("`{owner}`: `{name}` is a list of flags or lists"));
        }
        ArgKind::List(kind) => check_kind(owner, name, kind, found),
        _ => {}
    }
}
