//! Steps in memory: a fixed record each, and one arena of bytes for all that differs from verb to verb.
//!
//! A step of a recording (client, time, verb, four arguments, an expected length) takes about 50 bytes. Reading one
//! decodes it in place and allocates nothing. Nothing here judges: the assembler writes only what it has checked.

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;
use std::hash::BuildHasher;

use crate::model::{Milestone, StepId};
use crate::value::Value;
use crate::vocabulary::ArgKind;

/// A string that is kept once; an index into [`Symbols`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Symbol(pub(crate) u32);

/// The strings of a trace, each once.
#[derive(Debug, Default)]
pub(crate) struct Symbols {
    text: String,
    /// Where each symbol ends in `text`; it begins where the one before it ends.
    ends: Vec<u32>,
}

impl Symbols {
    pub(crate) fn get(&self, symbol: Symbol) -> &str {
        let index = symbol.0 as usize;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.text[start as usize..self.ends[index] as usize]
    }

    fn bytes(&self) -> usize {
        self.text.capacity() + self.ends.capacity() * size_of::<u32>()
    }
}

/// Finds the symbol of a string; needed only while a trace is made.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    table: HashTable<Symbol>,
}

impl Interner {
    /// The symbol of `text`, made on first use. `None` when the strings of the trace pass 4 GiB.
    pub(crate) fn intern(&mut self, symbols: &mut Symbols, text: &str) -> Option<Symbol> {
        let hash = FxBuildHasher.hash_one(text);
        if let Some(&symbol) = self.table.find(hash, |&symbol| symbols.get(symbol) == text) {
            return Some(symbol);
        }
        let end = u32::try_from(symbols.text.len().checked_add(text.len())?).ok()?;
        let symbol = Symbol(u32::try_from(symbols.ends.len()).ok()?);
        symbols.text.push_str(text);
        symbols.ends.push(end);
        self.table.insert_unique(hash, symbol, |&symbol| {
            FxBuildHasher.hash_one(symbols.get(symbol))
        });
        Some(symbol)
    }
}

/// The fixed part of a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record {
    /// Nanoseconds from the start.
    pub(crate) at: u64,
    /// Where its parts begin in the arena; they end where the next record's begin.
    pub(crate) parts: u32,
    pub(crate) client: u32,
    pub(crate) line: u32,
    /// The index of the step that opened its handle, plus one; 0 without a handle.
    pub(crate) opened_by: u32,
    /// Index into the vocabulary's verbs; [`NO_VERB`] for a step that was refused.
    pub(crate) verb: u16,
    pub(crate) flags: Flags,
}

/// Marks a step with an unknown verb, which exists only in a trace that fails to load.
pub(crate) const NO_VERB: u16 = u16::MAX;

/// Which parts a step has.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Flags(u16);

impl Flags {
    pub(crate) const COMPOUNDED: u16 = 1;
    pub(crate) const LABEL: u16 = 1 << 1;
    pub(crate) const WITHIN: u16 = 1 << 2;
    pub(crate) const AFTER: u16 = 1 << 3;
    /// The expected statuses stand in the arena; without it they are the vocabulary's `ok` alone.
    pub(crate) const STATUSES: u16 = 1 << 4;
    pub(crate) const ANYTHING: u16 = 1 << 5;
    pub(crate) const UNKNOWN: u16 = 1 << 6;
    /// Fields are expected.
    pub(crate) const FIELDS: u16 = 1 << 7;

    pub(crate) fn set(&mut self, flag: u16) {
        self.0 |= flag;
    }

    pub(crate) fn has(self, flag: u16) -> bool {
        self.0 & flag != 0
    }
}

/// All steps of a trace.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) records: Vec<Record>,
    pub(crate) arena: Vec<u8>,
    pub(crate) symbols: Symbols,
    /// Labels and their steps, ordered by symbol.
    pub(crate) labels: Vec<(Symbol, StepId)>,
}

impl Store {
    pub(crate) fn record(&self, id: StepId) -> &Record {
        &self.records[id.0 as usize]
    }

    /// The parts of a step.
    pub(crate) fn parts(&self, id: StepId) -> Parts<'_> {
        let index = id.0 as usize;
        let record = &self.records[index];
        let end = self
            .records
            .get(index + 1)
            .map_or(self.arena.len(), |next| next.parts as usize);
        let mut cursor = Cursor(&self.arena[record.parts as usize..end]);
        let args = cursor.take_block();
        let label = record
            .flags
            .has(Flags::LABEL)
            .then(|| Symbol(cursor.small()));
        let within = record.flags.has(Flags::WITHIN).then(|| cursor.varint());
        let after = if record.flags.has(Flags::AFTER) {
            cursor.take_block()
        } else {
            Cursor(&[])
        };
        let statuses = if record.flags.has(Flags::STATUSES) {
            cursor.take_block()
        } else {
            Cursor(&[])
        };
        Parts {
            args,
            label,
            within,
            after,
            statuses,
            fields: cursor,
        }
    }

    /// The step with this label.
    pub(crate) fn labelled(&self, label: Symbol) -> Option<StepId> {
        let index = self
            .labels
            .binary_search_by_key(&label, |&(symbol, _)| symbol)
            .ok()?;
        Some(self.labels[index].1)
    }

    pub(crate) fn shrink(&mut self) {
        self.records.shrink_to_fit();
        self.arena.shrink_to_fit();
        self.symbols.text.shrink_to_fit();
        self.symbols.ends.shrink_to_fit();
        self.labels.shrink_to_fit();
    }

    pub(crate) fn bytes(&self) -> usize {
        self.records.capacity() * size_of::<Record>()
            + self.arena.capacity()
            + self.symbols.bytes()
            + self.labels.capacity() * size_of::<(Symbol, StepId)>()
    }
}

/// The variable parts of one step, in the order in which the arena holds them.
pub(crate) struct Parts<'t> {
    pub(crate) args: Cursor<'t>,
    pub(crate) label: Option<Symbol>,
    pub(crate) within: Option<u64>,
    pub(crate) after: Cursor<'t>,
    pub(crate) statuses: Cursor<'t>,
    pub(crate) fields: Cursor<'t>,
}

/// Reads what [`Writer`] wrote.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'t>(&'t [u8]);

impl<'t> Cursor<'t> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let (&byte, rest) = self.0.split_first().expect("the arena holds whole steps");
        self.0 = rest;
        byte
    }

    pub(crate) fn varint(&mut self) -> u64 {
        let mut value = 0;
        let mut shift = 0;
        loop {
            let byte = self.byte();
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return value;
            }
            shift += 7;
        }
    }

    /// A number that was written from a `u32`.
    pub(crate) fn small(&mut self) -> u32 {
        self.varint() as u32
    }

    fn take(&mut self, length: usize) -> &'t [u8] {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    fn take_block(&mut self) -> Cursor<'t> {
        let length = self.varint() as usize;
        Cursor(self.take(length))
    }

    pub(crate) fn dependency(&mut self) -> (Symbol, Milestone) {
        let packed = self.varint();
        let milestone = match packed & 3 {
            0 => Milestone::Done,
            1 => Milestone::Sent,
            2 => Milestone::Pending,
            _ => Milestone::Break,
        };
        (Symbol((packed >> 2) as u32), milestone)
    }

    /// Goes on behind a value that nobody wants.
    pub(crate) fn skip(&mut self, kind: &ArgKind) {
        match kind {
            ArgKind::NewHandle
            | ArgKind::Handle
            | ArgKind::EndHandle
            | ArgKind::Label
            | ArgKind::Token(_)
            | ArgKind::Text
            | ArgKind::Int
            | ArgKind::Duration
            | ArgKind::Word(_) => {
                self.varint();
            }
            ArgKind::Range => {
                self.varint();
                self.varint();
            }
            ArgKind::Flag => {}
            ArgKind::Bytes => {
                self.take_block();
            }
            ArgKind::List(kind) => {
                for _ in 0..self.small() {
                    self.skip(kind);
                }
            }
        }
    }

    pub(crate) fn value(&mut self, kind: &ArgKind, symbols: &'t Symbols) -> Value<'t> {
        match kind {
            ArgKind::NewHandle
            | ArgKind::Handle
            | ArgKind::EndHandle
            | ArgKind::Label
            | ArgKind::Token(_) => Value::Word(symbols.get(Symbol(self.small()))),
            ArgKind::Text => Value::Text(symbols.get(Symbol(self.small()))),
            ArgKind::Int => Value::Int(self.varint()),
            ArgKind::Duration => Value::Duration(self.varint()),
            ArgKind::Range => {
                let start = self.varint();
                Value::Range {
                    start,
                    end: start + self.varint(),
                }
            }
            ArgKind::Flag => Value::Flag,
            ArgKind::Word(words) => Value::Word(words[self.small() as usize]),
            ArgKind::Bytes => Value::Bytes(self.take_block().0),
            ArgKind::List(kind) => {
                let count = self.small();
                Value::List((0..count).map(|_| self.value(kind, symbols)).collect())
            }
        }
    }
}

/// Appends to the arena or to a part that will go there.
pub(crate) trait Writer {
    fn varint(&mut self, value: u64);
    fn block(&mut self, bytes: &[u8]);
    fn dependency(&mut self, label: Symbol, milestone: Milestone);
}

impl Writer for Vec<u8> {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.push(value as u8);
    }

    fn block(&mut self, bytes: &[u8]) {
        self.varint(bytes.len() as u64);
        self.extend_from_slice(bytes);
    }

    fn dependency(&mut self, label: Symbol, milestone: Milestone) {
        let low = match milestone {
            Milestone::Done => 0,
            Milestone::Sent => 1,
            Milestone::Pending => 2,
            Milestone::Break => 3,
        };
        self.varint(u64::from(label.0) << 2 | low);
    }
}
