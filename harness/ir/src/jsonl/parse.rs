//! Lines of JSON to the assembler.
//!
//! Steps are read in one pass: nearly every line has its keys in the order in which they are written, and `do` before
//! `with`, so that arguments go to the assembler as they come. What comes too early, and what belongs to other lines, is
//! read over and looked at again when the line's kind is known.

mod members;

use smallvec::SmallVec;

use super::keys::{KINDS, Key, NAMES, STEP_KEYS};
use super::scan::{Malformed, Scanner};
use crate::assemble::Assembler;
use crate::error::{Problem, Span};
use crate::name::{excerpt, nearest};
use crate::raw::{At, RawDeclaration, RawStep, RawTime, RawValue, Str};

use members::{any_argument, argument, placed, short_value, shown};

/// Reads the lines of one trace.
pub(crate) struct Parser {
    begun: bool,
}

type Read<T> = Result<T, Malformed>;
type Strings<'s> = SmallVec<[At<Str<'s>>; 2]>;

impl Parser {
    pub(crate) fn new() -> Self {
        Parser { begun: false }
    }

    /// Reads one line, without its line break. Blank lines are passed over.
    pub(crate) fn line(&mut self, assembler: &mut Assembler, number: u32, text: &str) {
        let mut scanner = Scanner::new(text);
        let start = scanner.start();
        if start == text.len() {
            return;
        }
        let mut line = Line {
            assembler,
            number,
            text,
            raw: RawStep::default(),
            keys: 0,
            next: 0,
            later: SmallVec::new(),
            drafted: false,
        };
        let read = line.members(&mut scanner).and_then(|()| scanner.end());
        line.raw.whole = Span::new(start, scanner.position());
        let begun = std::mem::replace(&mut self.begun, true);
        match read.and_then(|()| line.end(begun)) {
            Ok(()) => {}
            Err(Malformed(malformed)) => line.malformed(*malformed),
        }
    }

    /// Ends the trace; an empty one has no version.
    pub(crate) fn finish(self, assembler: &mut Assembler) {
        if !self.begun {
            assembler.error(1, Span::default(), || Problem::NoVersion { json: true });
        }
    }
}

/// One line while it is read.
struct Line<'r, 's> {
    assembler: &'r mut Assembler,
    number: u32,
    text: &'s str,
    raw: RawStep<'s>,
    /// The keys that it has, a bit each.
    keys: u32,
    /// Where in [`NAMES`] the next key is expected.
    next: usize,
    /// Keys whose values are read when the kind of the line is known, and where those begin.
    later: SmallVec<[(Key, usize); 4]>,
    /// The assembler has begun a step.
    drafted: bool,
}

impl<'s> Line<'_, 's> {
    /// Reads the outermost object.
    fn members(&mut self, scanner: &mut Scanner<'s>) -> Read<()> {
        let mut more = scanner.begin_object()?;
        while more {
            let start = scanner.start();
            match self.expected_key(scanner) {
                Some(key) => self.member(scanner, key, start)?,
                None => self.any_member(scanner)?,
            }
            more = scanner.next_member()?;
        }
        Ok(())
    }

    /// Takes the next key if it is one that is expected here.
    #[inline]
    fn expected_key(&mut self, scanner: &mut Scanner<'s>) -> Option<Key> {
        const AHEAD: usize = 3;
        for (ahead, (key, name)) in NAMES[self.next..].iter().take(AHEAD).enumerate() {
            if scanner.take_key(name) {
                self.next += ahead + 1;
                return Some(*key);
            }
        }
        None
    }

    fn any_member(&mut self, scanner: &mut Scanner<'s>) -> Read<()> {
        let start = scanner.start();
        let (name, span) = scanner.key()?;
        let name = name.get();
        let Some(key) = Key::of(&name) else {
            let all = NAMES.map(|(_, name)| name);
            self.error(span, || Problem::Unknown {
                what: "key",
                name: excerpt(&name),
                like: nearest(&name, all.into_iter()),
            });
            return scanner.value().map(drop);
        };
        let after = NAMES.iter().position(|&(known, _)| known == key);
        self.next = after.map_or(0, |at| at + 1);
        self.member(scanner, key, start)
    }

    /// Reads the value of a key that begins at `start`.
    fn member(&mut self, scanner: &mut Scanner<'s>, key: Key, start: usize) -> Read<()> {
        if self.keys & key.bit() != 0 {
            let span = Span::new(start, scanner.position());
            let name = key.name().to_owned();
            self.error(span, || Problem::Twice { what: "key", name });
            return scanner.value().map(drop);
        }
        self.keys |= key.bit();
        match key {
            Key::Client => self.raw.client = self.string(scanner, key.name())?,
            Key::Do => self.raw.verb = self.string(scanner, key.name())?,
            Key::At => {
                let at = self.duration(scanner, key)?;
                self.raw.time = at.map(|at| At::new(RawTime::Absolute(at.value), at.span));
            }
            Key::Within => self.raw.within = self.duration(scanner, key)?,
            Key::Label => self.raw.label = self.string(scanner, key.name())?,
            Key::Compound => self.compound(scanner, start)?,
            Key::After => self.raw.after = self.strings(scanner, key.name())?,
            Key::With if self.raw.verb.is_some() => self.arguments(scanner)?,
            Key::Expect if self.raw.verb.is_some() => self.expectation(scanner)?,
            _ => {
                self.later.push((key, scanner.start()));
                scanner.value()?;
            }
        }
        Ok(())
    }

    /// Begins the step once.
    fn draft(&mut self) {
        if !self.drafted {
            self.drafted = true;
            self.assembler.begin_step(self.number, self.raw.verb);
        }
    }

    /// Reads the arguments of a step.
    fn arguments(&mut self, scanner: &mut Scanner<'s>) -> Read<()> {
        self.draft();
        if !scanner.is_object() {
            return self.not_an_object(scanner, Key::With);
        }
        let mut more = scanner.begin_object()?;
        while more {
            let start = scanner.start();
            match self.assembler.next_arg() {
                Some((index, spec)) if scanner.take_key(spec.name) => {
                    let value = short_value(scanner)?;
                    let span = Span::new(start, scanner.position());
                    self.assembler.known_arg(index, value, span);
                }
                _ => {
                    let arg = any_argument(scanner)?;
                    self.assembler.arg(&arg);
                }
            }
            more = scanner.next_member()?;
        }
        Ok(())
    }

    /// Reads what a step expects.
    fn expectation(&mut self, scanner: &mut Scanner<'s>) -> Read<()> {
        self.draft();
        if !scanner.is_object() {
            return self.not_an_object(scanner, Key::Expect);
        }
        let mut more = scanner.begin_object()?;
        while more {
            let start = scanner.start();
            let (name, _) = scanner.key()?;
            if name.is("status") {
                self.statuses(scanner)?;
            } else {
                let field = argument(scanner, name, start)?;
                self.assembler.field(&field);
            }
            more = scanner.next_member()?;
        }
        Ok(())
    }

    fn statuses(&mut self, scanner: &mut Scanner<'s>) -> Read<()> {
        if scanner.is_array() {
            let statuses = self.strings(scanner, "status")?;
            self.raw.statuses.extend(statuses);
        } else {
            let status = self.string(scanner, "status")?;
            self.raw.statuses.extend(status);
        }
        Ok(())
    }

    /// The line is read: gives to the assembler what it does not have yet.
    fn end(&mut self, begun: bool) -> Read<()> {
        if !begun && self.keys & Key::Version.bit() == 0 {
            self.error(self.raw.whole, || Problem::NoVersion { json: true });
        }
        if self.has(Key::Do) && self.keys & !STEP_KEYS == 0 {
            return self.step();
        }
        let marked = KINDS.iter().find(|kind| self.keys & kind.mark.bit() != 0);
        // A step that lacks its verb is still a step.
        let marked = marked.or_else(|| KINDS.last().filter(|_| self.has(Key::Client)));
        let Some(kind) = marked else {
            self.error(self.raw.whole, || Problem::Expected {
                expected: "a line with `do`, `client`, `given`, `check` or `ir`".into(),
                found: "another object".into(),
            });
            return Ok(());
        };
        if self.wrong_keys(kind) && kind.mark != Key::Do && self.drafted {
            // Its arguments were taken for those of a step.
            return Ok(());
        }
        match kind.mark {
            Key::Version => self.header(begun),
            Key::Check => self.check(),
            Key::Declare | Key::Given => self.declaration(kind.mark),
            _ => self.step(),
        }
    }

    fn step(&mut self) -> Read<()> {
        self.draft();
        if let Some(mut scanner) = self.later(Key::With) {
            self.arguments(&mut scanner)?;
        }
        if let Some(mut scanner) = self.later(Key::Expect) {
            self.expectation(&mut scanner)?;
        }
        self.assembler.finish_step(&self.raw);
        Ok(())
    }

    fn malformed(&mut self, (span, problem): (Span, Problem)) {
        self.error(span, || problem);
        if self.has(Key::Do) || self.has(Key::Client) {
            self.draft();
            self.assembler.damaged_step(&self.raw);
        }
    }

    fn header(&mut self, begun: bool) -> Read<()> {
        if let Some(mut scanner) = self.later(Key::Version) {
            let version = placed(&mut scanner)?;
            if begun {
                self.error(version.span, || Problem::SecondHeader("ir"));
            } else if !matches!(version.value, RawValue::Int(1)) {
                self.error(version.span, || {
                    Problem::UnknownVersion(shown(&version.value))
                });
            }
        }
        if let Some(title) = self.later_string(Key::Title)? {
            self.assembler
                .title(self.number, At::new(&title.value.get(), title.span));
        }
        if let Some(mut scanner) = self.later(Key::Mode) {
            let mode = placed(&mut scanner)?;
            let text = shown(&mode.value);
            self.assembler.mode(self.number, At::new(&text, mode.span));
        }
        if let Some(mut scanner) = self.later(Key::Needs) {
            for need in self.strings(&mut scanner, "needs")? {
                self.assembler
                    .need(self.number, At::new(&need.value.get(), need.span));
            }
        }
        Ok(())
    }

    fn check(&mut self) -> Read<()> {
        if let Some(check) = self.later_string(Key::Check)? {
            self.assembler
                .check(self.number, At::new(&check.value.get(), check.span));
        }
        Ok(())
    }

    fn declaration(&mut self, mark: Key) -> Read<()> {
        let Some(name) = self.later_string(mark)? else {
            return Ok(());
        };
        let mut raw = RawDeclaration {
            whole: self.raw.whole,
            name,
            on: self.later_string(Key::On)?,
            args: SmallVec::new(),
        };
        if let Some(mut scanner) = self.later(Key::With) {
            if !scanner.is_object() {
                return self.not_an_object(&mut scanner, Key::With);
            }
            let mut more = scanner.begin_object()?;
            while more {
                raw.args.push(any_argument(&mut scanner)?);
                more = scanner.next_member()?;
            }
        }
        match mark {
            Key::Declare => self.assembler.client(self.number, raw),
            _ => self.assembler.given(self.number, raw),
        }
        Ok(())
    }
}
