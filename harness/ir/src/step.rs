//! One step and its expectation, read from the store.

use crate::model::{ClientId, Dependency, StepId, Trace};
use crate::store::{Flags, Parts, Record, Symbol};
use crate::value::Value;
use crate::vocabulary::{ArgKind, ArgSpec, FieldSpec, Role, VerbSpec};

/// One step, borrowed from its trace.
#[derive(Debug, Clone, Copy)]
pub struct Step<'t> {
    pub(crate) trace: &'t Trace,
    pub(crate) id: StepId,
}

impl<'t> Step<'t> {
    fn record(&self) -> &'t Record {
        self.trace.store.record(self.id)
    }

    fn parts(&self) -> Parts<'t> {
        self.trace.store.parts(self.id)
    }

    /// Its index.
    pub fn id(&self) -> StepId {
        self.id
    }

    /// Its trace.
    pub fn trace(&self) -> &'t Trace {
        self.trace
    }

    /// Its line in the source, from 1.
    pub fn line(&self) -> u32 {
        self.record().line
    }

    /// Who does it.
    pub fn client(&self) -> ClientId {
        ClientId(self.record().client)
    }

    /// When it is due, in nanoseconds from the start; a step without a time has its client's previous one's, and the
    /// first has 0.
    pub fn at(&self) -> u64 {
        self.record().at
    }

    /// Its label.
    pub fn label(&self) -> Option<&'t str> {
        self.parts()
            .label
            .map(|label| self.trace.store.symbols.get(label))
    }

    /// What it does.
    pub fn verb(&self) -> &'static VerbSpec {
        &self.trace.vocabulary.verbs[usize::from(self.record().verb)]
    }

    /// Short for `verb().role`.
    pub fn role(&self) -> Role {
        self.verb().role
    }

    /// True for a step marked `+`: sent in one frame with its client's previous step.
    pub fn compounded(&self) -> bool {
        self.record().flags.has(Flags::COMPOUNDED)
    }

    /// One argument by name.
    pub fn arg(&self, name: &str) -> Option<Value<'t>> {
        let (store, specs) = (&self.trace.store, self.verb().args);
        let mut args = self.parts().args;
        while !args.is_empty() {
            let spec = &specs[usize::from(args.byte())];
            if spec.name == name {
                return Some(args.value(&spec.kind, &store.symbols));
            }
            args.skip(&spec.kind);
        }
        None
    }

    /// All arguments, in the order of the vocabulary.
    pub fn args(&self) -> impl Iterator<Item = (&'static ArgSpec, Value<'t>)> + use<'t> {
        let (store, specs) = (&self.trace.store, self.verb().args);
        let mut args = self.parts().args;
        std::iter::from_fn(move || {
            if args.is_empty() {
                return None;
            }
            let spec = &specs[usize::from(args.byte())];
            Some((spec, args.value(&spec.kind, &store.symbols)))
        })
    }

    /// The step that its `Label` argument names.
    pub fn target(&self) -> Option<StepId> {
        let (store, specs) = (&self.trace.store, self.verb().args);
        let mut args = self.parts().args;
        while !args.is_empty() {
            match &specs[usize::from(args.byte())].kind {
                ArgKind::Label => return store.labelled(Symbol(args.small())),
                other => args.skip(other),
            }
        }
        None
    }

    /// The step that opened the handle which this step uses or ends.
    pub fn opened_by(&self) -> Option<StepId> {
        self.record().opened_by.checked_sub(1).map(StepId)
    }

    /// What it waits for before it may be dispatched.
    pub fn after(&self) -> impl Iterator<Item = Dependency> + use<'t> {
        let store = &self.trace.store;
        let mut after = self.parts().after;
        std::iter::from_fn(move || {
            while !after.is_empty() {
                let (label, milestone) = after.dependency();
                if let Some(step) = store.labelled(label) {
                    return Some(Dependency { step, milestone });
                }
            }
            None
        })
    }

    /// The bound on its answer's time, in nanoseconds from its dispatch (`within=`).
    pub fn within(&self) -> Option<u64> {
        self.parts().within
    }

    /// What people call it: its label, or `#` and its number from 1.
    pub fn name(&self) -> String {
        match self.label() {
            Some(label) => label.to_owned(),
            None => format!("#{}", self.id.0 + 1),
        }
    }

    /// The step as the text form writes it, in one line with single blanks.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        crate::text::write_step(&mut text, self);
        text
    }

    /// What must come back.
    pub fn expect(&self) -> Expect<'t> {
        Expect { step: *self }
    }
}

/// The expectation of a step.
#[derive(Debug, Clone, Copy)]
pub struct Expect<'t> {
    pub(crate) step: Step<'t>,
}

impl<'t> Expect<'t> {
    /// True for `-> *`: whatever comes is right.
    pub fn anything(&self) -> bool {
        self.step.record().flags.has(Flags::ANYTHING)
    }

    /// True for `-> ?`: not known yet; a failure until `IR_UPDATE` has filled it in.
    pub fn unknown(&self) -> bool {
        self.step.record().flags.has(Flags::UNKNOWN)
    }

    /// The statuses of which one must come; none where [`Expect::anything`] or [`Expect::unknown`] is true. A step
    /// without `->` expects the vocabulary's `ok`.
    pub fn statuses(&self) -> impl Iterator<Item = u32> + use<'t> {
        let flags = self.step.record().flags;
        let listed = [Flags::STATUSES, Flags::ANYTHING, Flags::UNKNOWN];
        let default = !listed.iter().any(|&flag| flags.has(flag));
        let mut ok = default.then_some(self.step.trace.vocabulary.ok);
        let mut statuses = self.step.parts().statuses;
        std::iter::from_fn(move || match statuses.is_empty() {
            true => ok.take(),
            false => Some(statuses.small()),
        })
    }

    /// True when the one expected status is the interim one, so that the step frees its lane with it.
    pub fn is_pending(&self) -> bool {
        let mut statuses = self.statuses();
        statuses.next() == Some(self.step.trace.vocabulary.pending) && statuses.next().is_none()
    }

    /// The fields that must be in the answer with these values.
    pub fn fields(&self) -> impl Iterator<Item = (&'static FieldSpec, Value<'t>)> + use<'t> {
        let (store, verb) = (&self.step.trace.store, self.step.verb());
        let mut fields = self.step.parts().fields;
        std::iter::from_fn(move || {
            if fields.is_empty() {
                return None;
            }
            let spec = verb.field_at(fields.byte());
            Some((spec, fields.value(&spec.kind, &store.symbols)))
        })
    }

    /// True for the vocabulary's `ok` alone and no field: what a step without `->` expects.
    pub fn is_plain(&self) -> bool {
        let other = Flags::STATUSES | Flags::ANYTHING | Flags::UNKNOWN | Flags::FIELDS;
        !self.step.record().flags.has(other)
    }

    /// As the text form writes it, without the arrow: `OK|OBJECT_NAME_COLLISION action=created`.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        crate::text::write_expect(&mut text, self);
        text
    }
}
