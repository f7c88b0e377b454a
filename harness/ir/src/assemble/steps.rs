//! One step: its words, values, time, expectation and handles.

use std::borrow::Cow;

use super::Assembler;
use super::handles::Use;
use super::order::{Reference, ReferenceKind};
use crate::error::{Place, Problem, Span};
use crate::model::{ClientId, Milestone, Mode, StepId};
use crate::name::{excerpt, is_name, is_plain_name, nearest, parse_int};
use crate::parsed::{Parsed, parse};
use crate::raw::{At, RawArg, RawStep, RawTime, RawValue, Str};
use crate::store::{Flags, NO_VERB, Record, Writer};
use crate::time::format_duration;
use crate::vocabulary::{ArgKind, DATA_FIELDS, FieldSpec, Role, VerbSpec, core_field};

/// What a step expects, as far as the other checks need it.
#[derive(Debug, Clone, Copy)]
struct Expected {
    /// It may end with a success, now or after an interim answer.
    can_succeed: bool,
}

/// The handles that a step names, by what it does to them.
#[derive(Debug, Default)]
struct Handles {
    opened: Option<Use>,
    used: Option<Use>,
    /// Further ones; hardly a verb has two.
    more: Vec<Use>,
    ended: Option<Use>,
}

impl Assembler {
    pub(crate) fn step(&mut self, line: u32, raw: &RawStep<'_>) {
        let id = StepId(self.store.records.len() as u32);
        let Ok(parts) = u32::try_from(self.store.arena.len()) else {
            return self.too_large(line);
        };
        let client = self.step_client(line, raw);
        let mut record = Record {
            at: 0,
            parts,
            client: client.0,
            line,
            opened_by: 0,
            verb: NO_VERB,
            flags: Flags::default(),
        };
        if raw.compounded.is_some() {
            record.flags.set(Flags::COMPOUNDED);
        }
        let verb = self.step_verb(line, raw);
        record.at = self.step_time(line, raw, client, verb.map(|(_, verb)| verb));
        match verb {
            Some((index, verb)) => {
                record.verb = index;
                if self.write_step(line, raw, id, verb, &mut record).is_none() {
                    self.too_large(line);
                }
            }
            None => {
                self.doubt_all(raw, client);
                self.scratch.block.clear();
                self.store.arena.block(&[]);
                self.label(line, raw, id, &mut record);
            }
        }
        self.store.records.push(record);
        if let Some(lane) = self.lanes.get_mut(client.0 as usize) {
            lane.last = Some(id);
            lane.due = record.at;
        }
    }

    /// A step whose line is broken, which is already reported: what it may have opened and its label count as known.
    pub(crate) fn damaged_step(&mut self, line: u32, raw: &RawStep<'_>) {
        let (Some(client), Ok(parts)) = (&raw.client, u32::try_from(self.store.arena.len())) else {
            return;
        };
        let Some(&client) = self.client_ids.get(&*client.value.get()) else {
            return;
        };
        let id = StepId(self.store.records.len() as u32);
        let at = self.lanes[client.0 as usize].due;
        let flags = Flags::default();
        let mut record = Record {
            at,
            parts,
            client: client.0,
            line,
            opened_by: 0,
            verb: NO_VERB,
            flags,
        };
        self.doubt_all(raw, client);
        self.store.arena.block(&[]);
        self.label(line, raw, id, &mut record);
        self.store.records.push(record);
        self.lanes[client.0 as usize].last = Some(id);
    }

    fn too_large(&mut self, line: u32) {
        let limit = u64::from(u32::MAX);
        self.error(line, Span::default(), || Problem::TooLarge {
            limit,
            unit: "bytes of steps",
        });
    }

    fn step_client(&mut self, line: u32, raw: &RawStep<'_>) -> ClientId {
        match &raw.client {
            Some(client) => self
                .declared_client(line, client.span, &client.value.get())
                .unwrap_or(ClientId(0)),
            None => {
                self.error(line, raw.whole, || Problem::Expected {
                    expected: "a client".into(),
                    found: "nothing".into(),
                });
                ClientId(0)
            }
        }
    }

    fn step_verb(&mut self, line: u32, raw: &RawStep<'_>) -> Option<(u16, &'static VerbSpec)> {
        let Some(name) = &raw.verb else {
            self.error(line, raw.whole, || Problem::Expected {
                expected: "a verb".into(),
                found: "nothing".into(),
            });
            return None;
        };
        let (name, span) = (name.value.get(), name.span);
        let found = self.verbs.find(self.vocabulary, &name);
        if found.is_none() {
            let verbs = self.vocabulary.verbs;
            self.error(line, span, || Problem::Unknown {
                what: "verb",
                name: excerpt(&name),
                like: nearest(&name, verbs.iter().map(|verb| verb.name)),
            });
        }
        found
    }

    /// The time of the step, checked against its client's previous one.
    fn step_time(
        &mut self,
        line: u32,
        raw: &RawStep<'_>,
        client: ClientId,
        verb: Option<&'static VerbSpec>,
    ) -> u64 {
        let lane = self
            .lanes
            .get(client.0 as usize)
            .copied()
            .unwrap_or_default();
        if let Some(plus) = raw.compounded {
            self.check_join(line, plus, client, verb);
        }
        let Some(time) = &raw.time else {
            return lane.due;
        };
        let at = match time.value {
            RawTime::Absolute(at) => at,
            RawTime::Later(later) => match lane.due.checked_add(later) {
                Some(at) => at,
                None => {
                    self.error(line, time.span, || Problem::TimeOverflow);
                    lane.due
                }
            },
        };
        if at < lane.due {
            let client = self.clients[client.0 as usize].name.clone();
            self.error(line, time.span, || Problem::Backwards {
                client,
                previous: format_duration(lane.due),
                at: format_duration(at),
            });
            return lane.due;
        }
        if raw.compounded.is_some() && at != lane.due {
            self.error(line, time.span, || Problem::JoinedTime);
        }
        at
    }

    fn check_join(
        &mut self,
        line: u32,
        plus: Span,
        client: ClientId,
        verb: Option<&'static VerbSpec>,
    ) {
        let last = self.lanes.get(client.0 as usize).and_then(|lane| lane.last);
        let Some(last) = last else {
            let client = self
                .clients
                .get(client.0 as usize)
                .map(|client| client.name.clone());
            let client = client.unwrap_or_default();
            return self.error(line, plus, || Problem::NothingToJoin(client));
        };
        let before = self.store.record(last).verb;
        let before = self.vocabulary.verbs.get(before as usize);
        let odd = [before, verb]
            .into_iter()
            .flatten()
            .find(|verb| verb.role != Role::Operation);
        if let Some(verb) = odd {
            self.error(line, plus, || Problem::NotJoinable(verb.name.to_owned()));
        }
    }

    /// Writes all parts of a step to the arena. `None` when the trace has too many strings.
    fn write_step(
        &mut self,
        line: u32,
        raw: &RawStep<'_>,
        id: StepId,
        verb: &'static VerbSpec,
        record: &mut Record,
    ) -> Option<()> {
        let client = ClientId(record.client);
        let handles = self.write_args(line, raw, id, verb, client)?;
        self.label(line, raw, id, record);
        if let Some(within) = &raw.within {
            record.flags.set(Flags::WITHIN);
            self.store.arena.varint(within.value);
        }
        self.write_after(line, raw, id, record)?;
        let expected = self.write_statuses(line, raw, record);
        self.write_fields(line, raw, verb)?;

        if self.mode != Some(Mode::Breaks)
            && matches!(verb.role, Role::AwaitBreak | Role::NoBreak | Role::OnBreak)
        {
            let span = raw.verb.as_ref().map_or(raw.whole, |verb| verb.span);
            let what = format!("`{}`", verb.name);
            self.error(line, span, || Problem::NeedsBreaks { what });
        }
        for used in handles.more {
            self.use_handle(used);
        }
        if let Some(opener) = handles.used.and_then(|used| self.use_handle(used)) {
            record.opened_by = opener.0 + 1;
        }
        if let Some(ended) = handles.ended.filter(|_| expected.can_succeed) {
            self.end_handle(ended);
        }
        if let Some(opened) = handles.opened {
            self.open_handle(opened, id, expected.can_succeed);
        }
        Some(())
    }

    fn write_args(
        &mut self,
        line: u32,
        raw: &RawStep<'_>,
        id: StepId,
        verb: &'static VerbSpec,
        client: ClientId,
    ) -> Option<Handles> {
        let connection = self
            .clients
            .get(client.0 as usize)
            .and_then(|client| client.on)
            .unwrap_or(client);
        let mut handles = Handles::default();
        let mut seen = 0;
        self.scratch.clear();
        for arg in &raw.args {
            // Arguments mostly come in the order of the table.
            let next = (u64::BITS - u64::leading_zeros(seen)) as usize;
            let in_order =
                |name: Str<'_>| verb.args.get(next).is_some_and(|spec| name.is(spec.name));
            let index = if arg.name.is_some_and(in_order) {
                next
            } else {
                match self.argument(line, verb.name, verb.args, arg, seen) {
                    Some(index) => index,
                    None => continue,
                }
            };
            seen |= 1 << index;
            let spec = &verb.args[index];
            let span = arg.span;
            if let (ArgKind::Int, RawValue::Int(value)) = (&spec.kind, arg.value) {
                // Most of a recording.
                self.scratch.begin(index as u8);
                self.scratch.values.varint(value);
                continue;
            }
            let value = match parse(&spec.kind, arg.value_for(&spec.kind)) {
                Ok(Parsed::Absent) => continue,
                Ok(value) => value,
                Err(misfit) => {
                    self.error(line, span, || misfit.problem(spec.name));
                    continue;
                }
            };
            self.scratch.begin(index as u8);
            match &value {
                Parsed::Bare(text) => {
                    let name = self.interner.intern(&mut self.store.symbols, text)?;
                    self.scratch.values.varint(name.0.into());
                    let named = Use {
                        connection,
                        name,
                        line,
                        span,
                    };
                    self.note_name(&spec.kind, named, id, verb, &mut handles);
                }
                value => self.encode(value)?,
            }
        }
        self.missing(line, verb.name, verb.args, seen, raw.whole);
        self.store.arena.block(self.scratch.sorted());
        Some(handles)
    }

    /// Remembers a handle or label that an argument names.
    fn note_name(
        &mut self,
        kind: &ArgKind,
        named: Use,
        id: StepId,
        verb: &'static VerbSpec,
        handles: &mut Handles,
    ) {
        match kind {
            ArgKind::NewHandle => handles.opened = Some(named),
            ArgKind::Handle | ArgKind::EndHandle => {
                if matches!(kind, ArgKind::EndHandle) {
                    handles.ended = Some(named);
                }
                if let Some(first) = handles.used.replace(named) {
                    handles.more.push(first);
                }
            }
            ArgKind::Label => self.references.push(Reference {
                from: id,
                label: named.name,
                kind: match verb.role {
                    Role::Await => ReferenceKind::Awaited,
                    _ => ReferenceKind::Named,
                },
                place: Place {
                    line: named.line,
                    span: named.span,
                },
            }),
            _ => {}
        }
    }

    fn label(&mut self, line: u32, raw: &RawStep<'_>, id: StepId, record: &mut Record) {
        let Some(At { value, span }) = raw.label else {
            return;
        };
        let label = value.get();
        if !is_plain_name(&label) {
            return self.error(line, span, || Problem::NotAName(excerpt(&label)));
        }
        let Some(symbol) = self.interner.intern(&mut self.store.symbols, &label) else {
            return self.too_large(line);
        };
        if let Some(&first) = self.labels.get(&symbol) {
            let first = self
                .store
                .records
                .get(first.0 as usize)
                .map_or(line, |record| record.line);
            let name = label.into_owned();
            self.error(line, span, || Problem::Second {
                what: "label",
                name,
                line: first,
            });
            return;
        }
        self.labels.insert(symbol, id);
        record.flags.set(Flags::LABEL);
        self.store.arena.varint(symbol.0.into());
    }

    fn write_after(
        &mut self,
        line: u32,
        raw: &RawStep<'_>,
        id: StepId,
        record: &mut Record,
    ) -> Option<()> {
        if raw.after.is_empty() {
            return Some(());
        }
        let mut block = std::mem::take(&mut self.scratch.block);
        block.clear();
        for after in &raw.after {
            let place = Place {
                line,
                span: after.span,
            };
            let text = after.value.get();
            let Some((label, milestone)) = self.milestone(place, &text) else {
                continue;
            };
            let label = self.interner.intern(&mut self.store.symbols, label)?;
            block.dependency(label, milestone);
            let kind = ReferenceKind::After(milestone);
            self.references.push(Reference {
                from: id,
                label,
                kind,
                place,
            });
        }
        record.flags.set(Flags::AFTER);
        self.store.arena.block(&block);
        self.scratch.block = block;
        Some(())
    }

    /// Takes `LABEL[.milestone]` apart.
    pub(super) fn milestone<'s>(
        &mut self,
        place: Place,
        text: &'s str,
    ) -> Option<(&'s str, Milestone)> {
        let (label, milestone) = match text.split_once('.') {
            None => (text, Milestone::Done),
            Some((label, "done")) => (label, Milestone::Done),
            Some((label, "sent")) => (label, Milestone::Sent),
            Some((label, "pending")) => (label, Milestone::Pending),
            Some((label, "break")) => (label, Milestone::Break),
            Some((_, other)) => {
                self.sink.push(place, || Problem::Unknown {
                    what: "milestone",
                    name: excerpt(other),
                    like: nearest(other, ["done", "sent", "pending", "break"].into_iter()),
                });
                return None;
            }
        };
        if !is_plain_name(label) {
            self.sink.push(place, || Problem::NotAName(excerpt(label)));
            return None;
        }
        if milestone == Milestone::Break && self.mode != Some(Mode::Breaks) {
            self.sink.push(place, || Problem::NeedsBreaks {
                what: "`.break`".into(),
            });
        }
        Some((label, milestone))
    }

    fn write_statuses(&mut self, line: u32, raw: &RawStep<'_>, record: &mut Record) -> Expected {
        let always = Expected { can_succeed: true };
        for (word, flag) in [("*", Flags::ANYTHING), ("?", Flags::UNKNOWN)] {
            let Some(at) = raw
                .statuses
                .iter()
                .find(|status| status.value.get() == word)
            else {
                continue;
            };
            if raw.statuses.len() > 1 || !raw.fields.is_empty() {
                let word = if word == "*" { "*" } else { "?" };
                self.error(line, at.span, || Problem::NotAlone(word));
            }
            record.flags.set(flag);
            return always;
        }
        let (ok, pending) = (self.vocabulary.ok, self.vocabulary.pending);
        if raw.statuses.is_empty()
            || (raw.statuses.len() == 1 && raw.statuses[0].value.get() == "OK")
        {
            return always;
        }
        let mut block = std::mem::take(&mut self.scratch.block);
        block.clear();
        let mut statuses = Vec::with_capacity(raw.statuses.len());
        for status in &raw.statuses {
            let Some(number) = self.status(line, status) else {
                continue;
            };
            if statuses.contains(&number) {
                let name = status.value.get().into_owned();
                self.error(line, status.span, || Problem::Twice {
                    what: "status",
                    name,
                });
                continue;
            }
            statuses.push(number);
            block.varint(number.into());
        }
        if statuses != [ok] {
            record.flags.set(Flags::STATUSES);
            self.store.arena.block(&block);
        }
        self.scratch.block = block;
        let hopeful = |&status: &u32| status == ok || status == pending;
        Expected {
            can_succeed: statuses.is_empty() || statuses.iter().any(hopeful),
        }
    }

    fn status(&mut self, line: u32, status: &At<Str<'_>>) -> Option<u32> {
        let name = &*status.value.get();
        if name == "OK" {
            return Some(self.vocabulary.ok);
        }
        if let Some(&number) = self.statuses.get(name) {
            return Some(number);
        }
        let number = match name.starts_with("0x") {
            true => parse_int(name).and_then(|number| u32::try_from(number).ok()),
            false => (self.vocabulary.status_by_name)(name),
        };
        match number {
            Some(number) => {
                self.statuses.insert(name.into(), number);
            }
            None => {
                let by_name = self.vocabulary.status_by_name;
                self.error(line, status.span, || Problem::UnknownStatus {
                    name: excerpt(name),
                    like: crate::suggest::status(name, by_name),
                });
            }
        }
        number
    }

    fn write_fields(
        &mut self,
        line: u32,
        raw: &RawStep<'_>,
        verb: &'static VerbSpec,
    ) -> Option<()> {
        if raw.fields.is_empty() {
            return Some(());
        }
        self.scratch.clear();
        for field in &raw.fields {
            let Some((index, spec)) = self.field(line, verb, field) else {
                continue;
            };
            if self.scratch.has(index) {
                let name = spec.name.to_owned();
                self.error(line, field.span, || Problem::Twice {
                    what: "field",
                    name,
                });
                continue;
            }
            let value = match parse(&spec.kind, field.value) {
                Ok(Parsed::Absent) => continue,
                Ok(value) => value,
                Err(misfit) => {
                    self.error(line, field.span, || misfit.problem(spec.name));
                    continue;
                }
            };
            self.scratch.begin(index);
            self.encode(&value)?;
        }
        self.store.arena.extend_from_slice(self.scratch.sorted());
        Some(())
    }

    fn encode(&mut self, value: &Parsed<'_>) -> Option<()> {
        let Self {
            interner,
            store,
            scratch,
            ..
        } = self;
        value.encode(interner, &mut store.symbols, &mut scratch.values)
    }

    fn field(
        &mut self,
        line: u32,
        verb: &'static VerbSpec,
        field: &RawArg<'_>,
    ) -> Option<(u8, &'static FieldSpec)> {
        let name = field.name.map(Str::get).unwrap_or_default();
        let name = &*name;
        let found = verb.field_index(name);
        if found.is_none() {
            self.error(line, field.span, || {
                let own = verb.answer.iter().map(|field| field.name);
                let core = DATA_FIELDS.iter().map(|field| field.name);
                let core = core.filter(|name| core_field(verb, name).is_some());
                Problem::UnknownIn {
                    owner: verb.name.to_owned(),
                    what: "answer field",
                    name: excerpt(name),
                    like: nearest(name, own.chain(core)),
                }
            });
        }
        found
    }

    /// Takes every name in a line with an unknown verb as a handle that it may have opened.
    fn doubt_all(&mut self, raw: &RawStep<'_>, client: ClientId) {
        let connection = self
            .clients
            .get(client.0 as usize)
            .and_then(|client| client.on)
            .unwrap_or(client);
        let names = raw.args.iter().filter_map(|arg| match &arg.value {
            RawValue::Token(token) => Some(Cow::Borrowed(*token)),
            RawValue::Text(text) => Some(text.get()),
            _ => None,
        });
        for name in names.filter(|name| is_name(name)) {
            if let Some(symbol) = self.interner.intern(&mut self.store.symbols, &name) {
                self.doubt_handle(connection, symbol);
            }
        }
    }
}
