//! A step while its line is read: arguments and expected fields go into the form of the store as they come.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::Assembler;
use super::handles::Handles;
use super::order::{Reference, ReferenceKind};
use crate::error::{Place, Problem, Span};
use crate::model::StepId;
use crate::name::{excerpt, is_name, nearest};
use crate::parsed::{Parsed, parse};
use crate::raw::{At, RawArg, RawValue, Str};
use crate::store::{Symbol, Writer};
use crate::vocabulary::{ArgKind, ArgSpec, DATA_FIELDS, Role, VerbSpec, core_field};

/// The step that is being read.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(super) line: u32,
    pub(super) verb: Option<(u16, &'static VerbSpec)>,
    /// The arguments that it has, a bit each.
    pub(super) seen: u64,
    pub(super) args: Parts,
    pub(super) fields: Parts,
    pub(super) handles: Handles,
    /// The labels that its arguments name.
    pub(super) references: SmallVec<[Reference; 1]>,
    /// Names in a step that is refused, which it may have opened.
    pub(super) doubtful: SmallVec<[Symbol; 2]>,
    /// The strings of the trace pass what fits.
    pub(super) too_large: bool,
}

/// Arguments or fields in the form of the store: of each its index in its table and its value.
#[derive(Debug, Default)]
pub(super) struct Parts {
    bytes: Vec<u8>,
    /// Index of each, and where it begins in `bytes`.
    starts: SmallVec<[(u8, u32); 16]>,
}

impl Parts {
    fn clear(&mut self) {
        self.bytes.clear();
        self.starts.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Begins the one with this index; its value follows in `bytes`.
    fn begin(&mut self, index: u8) {
        self.starts.push((index, self.bytes.len() as u32));
        self.bytes.push(index);
    }

    fn has(&self, index: u8) -> bool {
        self.starts.iter().any(|&(known, _)| known == index)
    }

    /// All of them, in the order of their table.
    pub(super) fn sorted(&mut self) -> &[u8] {
        if !self.starts.is_sorted_by_key(|&(index, _)| index) {
            let length = self.bytes.len() as u32;
            let ends = self.starts.iter().skip(1).map(|&(_, start)| start);
            let ends = ends.chain([length]);
            let mut parts: Vec<_> = self.starts.iter().copied().zip(ends).collect();
            parts.sort_unstable_by_key(|&((index, _), _)| index);
            let mut sorted = Vec::with_capacity(self.bytes.len());
            for ((_, start), end) in parts {
                sorted.extend_from_slice(&self.bytes[start as usize..end as usize]);
            }
            self.bytes = sorted;
        }
        &self.bytes
    }
}

impl Assembler {
    /// Begins a step. Its arguments and fields come next, then [`Assembler::finish_step`] or
    /// [`Assembler::damaged_step`].
    pub(crate) fn begin_step(&mut self, line: u32, verb: Option<At<Str<'_>>>) {
        let draft = &mut self.draft;
        draft.line = line;
        draft.seen = 0;
        draft.args.clear();
        draft.fields.clear();
        draft.handles.clear();
        draft.references.clear();
        draft.doubtful.clear();
        draft.too_large = false;
        self.draft.verb = verb.and_then(|verb| self.find_verb(line, verb));
    }

    fn find_verb(&mut self, line: u32, name: At<Str<'_>>) -> Option<(u16, &'static VerbSpec)> {
        let text = name.value.get();
        let found = self.verbs.find(self.vocabulary, &text);
        if found.is_none() {
            let verbs = self.vocabulary.verbs;
            self.error(line, name.span, || Problem::Unknown {
                what: "verb",
                name: excerpt(&text),
                like: nearest(&text, verbs.iter().map(|verb| verb.name)),
            });
        }
        found
    }

    /// The argument that comes next when they come in the order of the table, and its index.
    #[inline]
    pub(crate) fn next_arg(&self) -> Option<(usize, &'static ArgSpec)> {
        let (_, verb) = self.draft.verb?;
        let next = (u64::BITS - self.draft.seen.leading_zeros()) as usize;
        Some((next, verb.args.get(next)?))
    }

    /// Adds an argument to the step.
    #[inline]
    pub(crate) fn arg(&mut self, arg: &RawArg<'_>) {
        let Some((_, verb)) = self.draft.verb else {
            return self.doubtful_arg(&arg.value);
        };
        let in_order =
            |&(_, spec): &(usize, &ArgSpec)| arg.name.is_some_and(|name| name.is(spec.name));
        if let Some((next, _)) = self.next_arg().filter(in_order) {
            return self.known_arg(next, arg.value_for(&verb.args[next].kind), arg.span);
        }
        let (line, seen) = (self.draft.line, self.draft.seen);
        if let Some(index) = self.argument(line, verb.name, verb.args, arg, seen) {
            self.known_arg(index, arg.value_for(&verb.args[index].kind), arg.span);
        }
    }

    /// Adds the argument of this index, which the step does not have yet.
    #[inline]
    pub(crate) fn known_arg(&mut self, index: usize, value: RawValue<'_>, span: Span) {
        let Some((_, verb)) = self.draft.verb else {
            return;
        };
        self.draft.seen |= 1 << index;
        let spec = &verb.args[index];
        // Most of a recording takes one of the short ways.
        match (&spec.kind, value) {
            (ArgKind::Int, RawValue::Int(value)) => {
                self.draft.args.begin(index as u8);
                self.draft.args.bytes.varint(value);
            }
            (ArgKind::Handle, RawValue::Text(text)) => {
                match text.as_plain().filter(|name| is_name(name)) {
                    Some(name) => self.named_arg(index, spec, verb, name, span),
                    None => self.other_arg(index, spec, verb, value, span),
                }
            }
            _ => self.other_arg(index, spec, verb, value, span),
        }
    }

    /// Adds an argument that is a name.
    fn named_arg(
        &mut self,
        index: usize,
        spec: &'static ArgSpec,
        verb: &'static VerbSpec,
        name: &str,
        span: Span,
    ) {
        let Some(name) = self.interner.intern(&mut self.store.symbols, name) else {
            self.draft.too_large = true;
            return;
        };
        self.draft.args.begin(index as u8);
        self.draft.args.bytes.varint(name.0.into());
        self.note_name(spec, name, span, verb);
    }

    fn other_arg(
        &mut self,
        index: usize,
        spec: &'static ArgSpec,
        verb: &'static VerbSpec,
        value: RawValue<'_>,
        span: Span,
    ) {
        let value = match parse(&spec.kind, value) {
            Ok(Parsed::Absent) => return,
            Ok(value) => value,
            Err(misfit) => {
                return self.error(self.draft.line, span, || misfit.problem(spec.name));
            }
        };
        if let Parsed::Bare(text) = &value {
            return self.named_arg(index, spec, verb, text, span);
        }
        self.draft.args.begin(index as u8);
        let (interner, symbols) = (&mut self.interner, &mut self.store.symbols);
        let encoded = value.encode(interner, symbols, &mut self.draft.args.bytes);
        self.draft.too_large |= encoded.is_none();
    }

    /// Remembers a handle or label that an argument names.
    fn note_name(&mut self, spec: &ArgSpec, name: Symbol, span: Span, verb: &'static VerbSpec) {
        match &spec.kind {
            // The handle that a verb is about stands by position; it comes first, wherever the line has it.
            ArgKind::Handle if spec.positional => self.draft.handles.used.insert(0, (name, span)),
            ArgKind::NewHandle => self.draft.handles.opened = Some((name, span)),
            ArgKind::Handle => self.draft.handles.used.push((name, span)),
            ArgKind::EndHandle => {
                self.draft.handles.used.push((name, span));
                self.draft.handles.ended = Some((name, span));
            }
            ArgKind::Label => self.draft.references.push(Reference {
                from: StepId(self.store.records.len() as u32),
                label: name,
                kind: match verb.role {
                    Role::Await => ReferenceKind::Awaited,
                    _ => ReferenceKind::Named,
                },
                place: Place {
                    line: self.draft.line,
                    span,
                },
            }),
            _ => {}
        }
    }

    /// Takes a name in a step with an unknown verb as a handle that it may have opened.
    fn doubtful_arg(&mut self, value: &RawValue<'_>) {
        let name = match value {
            RawValue::Token(token) => Cow::Borrowed(*token),
            RawValue::Text(text) => text.get(),
            _ => return,
        };
        if is_name(&name) {
            let symbol = self.interner.intern(&mut self.store.symbols, &name);
            self.draft.doubtful.extend(symbol);
        }
    }

    /// Adds a field that the answer must have.
    pub(crate) fn field(&mut self, field: &RawArg<'_>) {
        let Some((_, verb)) = self.draft.verb else {
            return;
        };
        let line = self.draft.line;
        let name = field.name.map(Str::get).unwrap_or_default();
        let Some((index, spec)) = verb.field_index(&name) else {
            return self.error(line, field.span, || unknown_field(verb, &name));
        };
        if self.draft.fields.has(index) {
            return self.error(line, field.span, || Problem::Twice {
                what: "field",
                name: spec.name.to_owned(),
            });
        }
        if let (ArgKind::Int, RawValue::Int(value)) = (&spec.kind, field.value) {
            self.draft.fields.begin(index);
            return self.draft.fields.bytes.varint(value);
        }
        match parse(&spec.kind, field.value) {
            Ok(Parsed::Absent) => {}
            Ok(value) => {
                self.draft.fields.begin(index);
                let (interner, symbols) = (&mut self.interner, &mut self.store.symbols);
                let encoded = value.encode(interner, symbols, &mut self.draft.fields.bytes);
                self.draft.too_large |= encoded.is_none();
            }
            Err(misfit) => self.error(line, field.span, || misfit.problem(spec.name)),
        }
    }
}

fn unknown_field(verb: &VerbSpec, name: &str) -> Problem {
    let own = verb.answer.iter().map(|field| field.name);
    let core = DATA_FIELDS.iter().map(|field| field.name);
    let core = core.filter(|name| core_field(verb, name).is_some());
    Problem::UnknownIn {
        owner: verb.name.to_owned(),
        what: "answer field",
        name: excerpt(name),
        like: nearest(name, own.chain(core)),
    }
}
