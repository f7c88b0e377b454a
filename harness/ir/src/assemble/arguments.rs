//! Which argument of a table a raw one is.

use rustc_hash::FxHashMap;

use super::Assembler;
use crate::error::{Problem, Span};
use crate::name::{excerpt, nearest};
use crate::raw::{RawArg, RawValue};
use crate::vocabulary::{ArgKind, ArgSpec, VerbSpec, Vocabulary};

/// The verbs by name.
#[derive(Debug)]
pub(super) struct VerbIndex {
    by_name: FxHashMap<&'static str, u16>,
    /// The verb of the last look-up: in a recording the next step often has the same.
    last: u16,
}

impl VerbIndex {
    pub(super) fn new(vocabulary: &'static Vocabulary) -> Self {
        let verbs = vocabulary.verbs.iter().enumerate();
        VerbIndex {
            by_name: verbs
                .map(|(index, verb)| (verb.name, index as u16))
                .collect(),
            last: 0,
        }
    }

    pub(super) fn find(
        &mut self,
        vocabulary: &'static Vocabulary,
        name: &str,
    ) -> Option<(u16, &'static VerbSpec)> {
        if vocabulary
            .verbs
            .get(self.last as usize)
            .is_none_or(|verb| verb.name != name)
        {
            self.last = *self.by_name.get(name)?;
        }
        Some((self.last, &vocabulary.verbs[self.last as usize]))
    }
}

impl Assembler {
    /// Which argument `arg` is. `seen` are those that the line already has, a bit each.
    pub(super) fn argument(
        &mut self,
        line: u32,
        owner: &str,
        specs: &'static [ArgSpec],
        arg: &RawArg<'_>,
        seen: u64,
    ) -> Option<usize> {
        let index = match &arg.name {
            Some(name) => self.named(line, owner, specs, arg, &name.get())?,
            None => self.positional(line, owner, specs, arg, seen)?,
        };
        if seen >> index & 1 == 1 {
            let name = specs[index].name.to_owned();
            self.error(line, arg.span, || Problem::Twice {
                what: "argument",
                name,
            });
            return None;
        }
        Some(index)
    }

    fn named(
        &mut self,
        line: u32,
        owner: &str,
        specs: &'static [ArgSpec],
        arg: &RawArg<'_>,
        name: &str,
    ) -> Option<usize> {
        let index = specs.iter().position(|spec| spec.name == name);
        if index.is_none() {
            self.error(line, arg.span, || Problem::UnknownIn {
                owner: owner.to_owned(),
                what: "argument",
                name: excerpt(name),
                like: nearest(name, specs.iter().map(|spec| spec.name)),
            });
        }
        index
    }

    /// A token without a name: the next positional argument, or a flag.
    ///
    /// A flag's name goes before an optional positional argument, and after a required one.
    fn positional(
        &mut self,
        line: u32,
        owner: &str,
        specs: &'static [ArgSpec],
        arg: &RawArg<'_>,
        seen: u64,
    ) -> Option<usize> {
        let next = specs
            .iter()
            .enumerate()
            .position(|(index, spec)| spec.positional && seen >> index & 1 == 0);
        if let Some(index) = next.filter(|&index| specs[index].required) {
            return Some(index);
        }
        let RawValue::Token(token) = arg.value else {
            return next;
        };
        let flag = |spec: &&ArgSpec| matches!(spec.kind, ArgKind::Flag) && spec.name == token;
        if specs.iter().any(|spec| flag(&spec)) {
            return specs.iter().position(|spec| flag(&spec));
        }
        if next.is_none() {
            let flags = specs
                .iter()
                .filter(|spec| matches!(spec.kind, ArgKind::Flag));
            let like = nearest(token, flags.map(|spec| spec.name));
            self.error(line, arg.span, || match like {
                Some(_) => Problem::UnknownIn {
                    owner: owner.to_owned(),
                    what: "argument",
                    name: excerpt(token),
                    like,
                },
                None => Problem::TooManyPositional {
                    owner: owner.to_owned(),
                },
            });
        }
        next
    }

    /// Reports what is required and not there.
    pub(super) fn missing(
        &mut self,
        line: u32,
        owner: &str,
        specs: &'static [ArgSpec],
        seen: u64,
        span: Span,
    ) {
        let absent = |(index, spec): &(usize, &ArgSpec)| spec.required && seen >> index & 1 == 0;
        if !specs.iter().enumerate().any(|pair| absent(&pair)) {
            return;
        }
        let missing = specs.iter().enumerate().filter(absent);
        let args = missing
            .map(|(_, spec)| format!("`{}`", spec.name))
            .collect();
        self.error(line, span, || Problem::Missing {
            owner: owner.to_owned(),
            args,
        });
    }
}
