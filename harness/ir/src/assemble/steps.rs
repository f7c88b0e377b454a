//! The rest of a step: its client, time, label, dependencies and statuses; then all of it goes into the store.

use super::Assembler;
use super::order::{Reference, ReferenceKind};
use crate::error::{Place, Problem, Span};
use crate::model::{ClientId, Milestone, Mode, StepId};
use crate::name::{excerpt, is_plain_name, nearest, parse_int};
use crate::raw::{At, RawStep, RawTime, Str};
use crate::store::{Flags, NO_VERB, Record, Writer};
use crate::time::format_duration;
use crate::vocabulary::{Role, VerbSpec};

impl Assembler {
    /// Ends the step that [`Assembler::begin_step`] began.
    pub(crate) fn finish_step(&mut self, raw: &RawStep<'_>) {
        let line = self.draft.line;
        if raw.verb.is_none() && raw.client.is_some() {
            self.error(line, raw.whole, || Problem::Expected {
                expected: "a verb".into(),
                found: "nothing".into(),
            });
        }
        let client = self.step_client(line, raw);
        let verb = self.draft.verb;
        let Some(mut record) = self.record(line, client) else {
            return;
        };
        if raw.compounded.is_some() {
            record.flags.set(Flags::COMPOUNDED);
        }
        record.at = self.step_time(line, raw, client, verb.map(|(_, verb)| verb));
        match verb {
            Some((index, verb)) => {
                record.verb = index;
                let written = self.write_step(line, raw, verb, &mut record);
                if written.is_none() || self.draft.too_large {
                    self.too_large(line);
                }
            }
            None => self.write_doubtful(line, raw, &mut record),
        }
        self.push(record);
    }

    /// Ends a step whose line is broken, which is already reported: what it may have opened and its label count as
    /// known.
    pub(crate) fn damaged_step(&mut self, raw: &RawStep<'_>) {
        let line = self.draft.line;
        let client = raw.client.as_ref().map(|client| client.value.get());
        let Some(&client) = client.and_then(|client| self.client_ids.get(&*client)) else {
            return;
        };
        let Some(mut record) = self.record(line, client) else {
            return;
        };
        let handles = &self.draft.handles;
        let named = handles
            .opened
            .iter()
            .chain(&handles.used)
            .map(|&(name, _)| name);
        self.draft.doubtful.extend(named);
        self.write_doubtful(line, raw, &mut record);
        self.push(record);
    }

    fn record(&mut self, line: u32, client: ClientId) -> Option<Record> {
        let Ok(parts) = u32::try_from(self.store.arena.len()) else {
            self.too_large(line);
            return None;
        };
        Some(Record {
            at: self.lanes.get(client.0 as usize).map_or(0, |lane| lane.due),
            parts,
            client: client.0,
            line,
            opened_by: 0,
            verb: NO_VERB,
            flags: Flags::default(),
        })
    }

    fn push(&mut self, record: Record) {
        let id = self.next_step();
        self.store.records.push(record);
        if let Some(lane) = self.lanes.get_mut(record.client as usize) {
            lane.last = Some(id);
            if !record.flags.has(Flags::COMPOUNDED) {
                lane.chain = Some(id);
            }
            lane.due = record.at;
        }
    }

    fn next_step(&self) -> StepId {
        StepId(self.store.records.len() as u32)
    }

    /// The client whose connection it uses.
    fn connection(&self, client: u32) -> ClientId {
        let on = self
            .clients
            .get(client as usize)
            .and_then(|client| client.on);
        on.unwrap_or(ClientId(client))
    }

    fn too_large(&mut self, line: u32) {
        self.error(line, Span::default(), || Problem::TooLarge {
            limit: u64::from(u32::MAX),
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
        verb: &'static VerbSpec,
        record: &mut Record,
    ) -> Option<()> {
        self.missing(line, verb.name, verb.args, self.draft.seen, raw.whole);
        self.store.arena.block(self.draft.args.sorted());
        self.references.extend(self.draft.references.drain(..));
        self.label(line, raw, record);
        if let Some(within) = &raw.within {
            record.flags.set(Flags::WITHIN);
            self.store.arena.varint(within.value);
        }
        if !raw.after.is_empty() {
            self.write_after(line, raw, record)?;
        }
        let can_succeed = self.write_statuses(line, raw, record);
        let fields = self.draft.fields.sorted();
        self.store.arena.extend_from_slice(fields);
        if !fields.is_empty() {
            record.flags.set(Flags::FIELDS);
        }
        if self.mode != Some(Mode::Breaks)
            && matches!(verb.role, Role::AwaitBreak | Role::NoBreak | Role::OnBreak)
        {
            let span = raw.verb.as_ref().map_or(raw.whole, |verb| verb.span);
            let what = format!("`{}`", verb.name);
            self.error(line, span, || Problem::NeedsBreaks { what });
        }
        let connection = self.connection(record.client);
        let chain = self
            .lanes
            .get(record.client as usize)
            .and_then(|lane| lane.chain);
        let chain = chain.filter(|_| record.flags.has(Flags::COMPOUNDED));
        record.opened_by = self.follow_handles(connection, can_succeed, chain);
        Some(())
    }

    /// Writes a step that is refused, and notes the handles that it may have opened.
    fn write_doubtful(&mut self, line: u32, raw: &RawStep<'_>, record: &mut Record) {
        let connection = self.connection(record.client);
        for name in std::mem::take(&mut self.draft.doubtful) {
            self.doubt_handle(connection, name);
        }
        self.store.arena.block(&[]);
        self.label(line, raw, record);
    }

    fn label(&mut self, line: u32, raw: &RawStep<'_>, record: &mut Record) {
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
        self.labels.insert(symbol, self.next_step());
        record.flags.set(Flags::LABEL);
        self.store.arena.varint(symbol.0.into());
    }

    fn write_after(&mut self, line: u32, raw: &RawStep<'_>, record: &mut Record) -> Option<()> {
        let mut block = std::mem::take(&mut self.block);
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
                from: self.next_step(),
                label,
                kind,
                place,
            });
        }
        record.flags.set(Flags::AFTER);
        self.store.arena.block(&block);
        self.block = block;
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

    /// True when the step may end with a success, now or after an interim answer.
    fn write_statuses(&mut self, line: u32, raw: &RawStep<'_>, record: &mut Record) -> bool {
        if raw.statuses.is_empty() {
            return true;
        }
        for (word, flag) in [("*", Flags::ANYTHING), ("?", Flags::UNKNOWN)] {
            let Some(at) = raw.statuses.iter().find(|status| status.value.is(word)) else {
                continue;
            };
            if raw.statuses.len() > 1 || !self.draft.fields.is_empty() {
                let word = if word == "*" { "*" } else { "?" };
                self.error(line, at.span, || Problem::NotAlone(word));
            }
            record.flags.set(flag);
            return true;
        }
        let (ok, pending) = (self.vocabulary.ok, self.vocabulary.pending);
        let mut block = std::mem::take(&mut self.block);
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
        self.block = block;
        let hopeful = |&status: &u32| status == ok || status == pending;
        statuses.is_empty() || statuses.iter().any(hopeful)
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
}
