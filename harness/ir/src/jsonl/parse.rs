//! Lines of JSON to the assembler.

use smallvec::SmallVec;

use super::scan::{Malformed, Scanner};
use crate::assemble::Assembler;
use crate::error::{Problem, Span};
use crate::name::{excerpt, nearest};
use crate::parsed::{Parsed, parse};
use crate::raw::{At, RawArg, RawDeclaration, RawStep, RawTime, RawValue, Str};
use crate::vocabulary::ArgKind;

/// The keys of the outermost object of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Do,
    Client,
    At,
    Compound,
    Label,
    With,
    Expect,
    After,
    Within,
    Declare,
    On,
    Given,
    Check,
    Version,
    Title,
    Mode,
    Needs,
}

const NAMES: [(Key, &str); 17] = [
    (Key::Do, "do"),
    (Key::Client, "c"),
    (Key::At, "at"),
    (Key::Compound, "compound"),
    (Key::Label, "label"),
    (Key::With, "with"),
    (Key::Expect, "expect"),
    (Key::After, "after"),
    (Key::Within, "within"),
    (Key::Declare, "client"),
    (Key::On, "on"),
    (Key::Given, "given"),
    (Key::Check, "check"),
    (Key::Version, "ir"),
    (Key::Title, "title"),
    (Key::Mode, "mode"),
    (Key::Needs, "needs"),
];

impl Key {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "do" => Key::Do,
            "c" => Key::Client,
            "at" => Key::At,
            "compound" => Key::Compound,
            "label" => Key::Label,
            "with" => Key::With,
            "expect" => Key::Expect,
            "after" => Key::After,
            "within" => Key::Within,
            "client" => Key::Declare,
            "on" => Key::On,
            "given" => Key::Given,
            "check" => Key::Check,
            "ir" => Key::Version,
            "title" => Key::Title,
            "mode" => Key::Mode,
            "needs" => Key::Needs,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        NAMES
            .iter()
            .find(|(key, _)| *key == self)
            .map_or("", |&(_, name)| name)
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// A kind of line: the key that only it has, and all that it may have.
struct Kind {
    name: &'static str,
    mark: Key,
    keys: &'static [Key],
}

const KINDS: [Kind; 5] = [
    Kind {
        name: "header",
        mark: Key::Version,
        keys: &[Key::Version, Key::Title, Key::Mode, Key::Needs],
    },
    Kind {
        name: "client",
        mark: Key::Declare,
        keys: &[Key::Declare, Key::On, Key::With],
    },
    Kind {
        name: "given",
        mark: Key::Given,
        keys: &[Key::Given, Key::With],
    },
    Kind {
        name: "check",
        mark: Key::Check,
        keys: &[Key::Check],
    },
    Kind {
        name: "step",
        mark: Key::Do,
        keys: &[
            Key::Do,
            Key::Client,
            Key::At,
            Key::Compound,
            Key::Label,
            Key::With,
            Key::Expect,
            Key::After,
            Key::Within,
        ],
    },
];

/// Reads the lines of one trace.
pub(crate) struct Parser {
    begun: bool,
}

/// The values of a line that are not those of a step.
#[derive(Default)]
struct Other<'s> {
    version: Option<At<RawValue<'s>>>,
    title: Option<At<Str<'s>>>,
    mode: Option<At<RawValue<'s>>>,
    needs: Strings<'s>,
    client: Option<At<Str<'s>>>,
    on: Option<At<Str<'s>>>,
    given: Option<At<Str<'s>>>,
    check: Option<At<Str<'s>>>,
}

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
        let mut raw = RawStep::default();
        let mut reader = Reader {
            assembler,
            number,
            raw: &mut raw,
            other: Other::default(),
            keys: 0,
        };
        let read = scanner
            .object(|scanner, key, span| reader.member(scanner, &key.get(), span))
            .and_then(|()| scanner.end());
        let (other, keys) = (reader.other, reader.keys);
        raw.whole = Span::new(start, text.trim_end().len());
        let begun = std::mem::replace(&mut self.begun, true);
        if !begun && keys & Key::Version.bit() == 0 && read.is_ok() {
            assembler.error(number, raw.whole, || Problem::NoVersion { json: true });
        }
        match read {
            Ok(()) => dispatch(assembler, number, text, &raw, other, keys, begun),
            Err(Malformed(malformed)) => {
                let (span, problem) = *malformed;
                assembler.error(number, span, || problem);
                if keys & (Key::Do.bit() | Key::Client.bit()) != 0 {
                    assembler.damaged_step(number, &raw);
                }
            }
        }
    }

    /// Ends the trace; an empty one has no version.
    pub(crate) fn finish(self, assembler: &mut Assembler) {
        if !self.begun {
            assembler.error(1, Span::default(), || Problem::NoVersion { json: true });
        }
    }
}

/// Gives a whole line to the assembler.
fn dispatch<'s>(
    assembler: &mut Assembler,
    number: u32,
    text: &str,
    raw: &RawStep<'s>,
    other: Other<'s>,
    keys: u32,
    begun: bool,
) {
    let marked = KINDS.iter().find(|kind| keys & kind.mark.bit() != 0);
    // A step that lacks its verb is still a step.
    let marked = marked.or_else(|| KINDS.last().filter(|_| keys & Key::Client.bit() != 0));
    let Some(kind) = marked else {
        return assembler.error(number, raw.whole, || Problem::Expected {
            expected: "a line with `do`, `client`, `given`, `check` or `ir`".into(),
            found: "another object".into(),
        });
    };
    let allowed = kind.keys.iter().fold(0, |keys, key| keys | key.bit());
    if keys & !allowed != 0 {
        let names: Vec<&str> = kind.keys.iter().map(|key| key.name()).collect();
        let wrong = NAMES
            .iter()
            .filter(|(key, _)| keys & !allowed & key.bit() != 0);
        for (_, name) in wrong {
            unknown_key(
                assembler,
                number,
                key_span(text, name),
                kind.name,
                &names,
                name,
            );
        }
    }
    match kind.name {
        "header" => header(assembler, number, other, begun),
        "check" => {
            if let Some(check) = other.check {
                assembler.check(number, At::new(&check.value.get(), check.span));
            }
        }
        "step" => assembler.step(number, raw),
        declared => {
            let name = if declared == "client" {
                other.client
            } else {
                other.given
            };
            let Some(name) = name else { return };
            let args = raw.args.clone();
            let raw = RawDeclaration {
                whole: raw.whole,
                name,
                on: other.on,
                args,
            };
            match declared {
                "client" => assembler.client(number, raw),
                _ => assembler.given(number, raw),
            }
        }
    }
}

fn header(assembler: &mut Assembler, number: u32, other: Other<'_>, begun: bool) {
    if let Some(version) = other.version {
        if begun {
            assembler.error(number, version.span, || Problem::SecondHeader("ir"));
        } else if !matches!(version.value, RawValue::Int(1)) {
            let text = shown(&version.value);
            assembler.error(number, version.span, || Problem::UnknownVersion(text));
        }
    }
    if let Some(title) = other.title {
        assembler.title(number, At::new(&title.value.get(), title.span));
    }
    if let Some(mode) = other.mode {
        let text = shown(&mode.value);
        assembler.mode(number, At::new(&text, mode.span));
    }
    for need in &other.needs {
        assembler.need(number, At::new(&need.value.get(), need.span));
    }
}

fn shown(value: &RawValue<'_>) -> String {
    match value {
        RawValue::Int(value) => value.to_string(),
        RawValue::Text(text) => excerpt(&text.get()),
        RawValue::Bool(value) => value.to_string(),
        RawValue::Array(_) => "an array".into(),
        RawValue::Other(what) => (*what).into(),
        _ => String::new(),
    }
}

fn unknown_key(
    assembler: &mut Assembler,
    number: u32,
    span: Span,
    owner: &str,
    allowed: &[&str],
    key: &str,
) {
    assembler.error(number, span, || Problem::UnknownIn {
        owner: format!("{owner} line"),
        what: "key",
        name: excerpt(key),
        like: nearest(key, allowed.iter().copied()),
    });
}

/// Where a key of the outermost object stands.
fn key_span(text: &str, wanted: &str) -> Span {
    let mut found = Span::default();
    let read = Scanner::new(text).object(|scanner, key, span| {
        if key.is(wanted) {
            found = span;
        }
        scanner.value().map(drop)
    });
    drop(read);
    found
}

/// Reads the members of one line.
struct Reader<'r, 's> {
    assembler: &'r mut Assembler,
    number: u32,
    raw: &'r mut RawStep<'s>,
    other: Other<'s>,
    keys: u32,
}

type Strings<'s> = SmallVec<[At<Str<'s>>; 2]>;

type Read<T> = Result<T, Malformed>;

impl<'s> Reader<'_, 's> {
    fn member(&mut self, scanner: &mut Scanner<'s>, key: &str, span: Span) -> Read<()> {
        let Some(known) = Key::of(key) else {
            let all: Vec<&str> = NAMES.iter().map(|&(_, name)| name).collect();
            unknown_key(self.assembler, self.number, span, "trace", &all, key);
            return scanner.value().map(drop);
        };
        if self.keys & known.bit() != 0 {
            self.assembler.error(self.number, span, || Problem::Twice {
                what: "key",
                name: key.to_owned(),
            });
            return scanner.value().map(drop);
        }
        self.keys |= known.bit();
        match known {
            Key::Client => self.raw.client = self.text(scanner, key)?,
            Key::Do => self.raw.verb = self.text(scanner, key)?,
            Key::At => {
                let at = self.duration(scanner, key)?;
                self.raw.time = at.map(|at| At::new(RawTime::Absolute(at.value), at.span));
            }
            Key::Within => self.raw.within = self.duration(scanner, key)?,
            Key::Label => self.raw.label = self.text(scanner, key)?,
            Key::Compound => self.compound(scanner, span)?,
            Key::With => self.members(scanner, key, false)?,
            Key::Expect => self.members(scanner, key, true)?,
            Key::After => self.raw.after = self.texts(scanner, key)?,
            Key::Declare => self.other.client = self.text(scanner, key)?,
            Key::On => self.other.on = self.text(scanner, key)?,
            Key::Given => self.other.given = self.text(scanner, key)?,
            Key::Check => self.other.check = self.text(scanner, key)?,
            Key::Version => self.other.version = Some(placed(scanner)?),
            Key::Title => self.other.title = self.text(scanner, key)?,
            Key::Mode => self.other.mode = Some(placed(scanner)?),
            Key::Needs => self.other.needs = self.texts(scanner, key)?,
        }
        Ok(())
    }

    fn wrong(&mut self, span: Span, name: &str, expected: &str, found: &RawValue<'_>) {
        let found = match found {
            RawValue::Int(value) => format!("the number {value}"),
            RawValue::Text(text) => format!("`{}`", excerpt(&text.get())),
            other => shown(other),
        };
        self.assembler
            .error(self.number, span, || Problem::WrongKind {
                name: name.to_owned(),
                expected: expected.to_owned(),
                found,
            });
    }

    fn text(&mut self, scanner: &mut Scanner<'s>, key: &str) -> Read<Option<At<Str<'s>>>> {
        let At { value, span } = placed(scanner)?;
        match value {
            RawValue::Text(value) => Ok(Some(At { value, span })),
            other => {
                self.wrong(span, key, "a string", &other);
                Ok(None)
            }
        }
    }

    fn texts(&mut self, scanner: &mut Scanner<'s>, key: &str) -> Read<Strings<'s>> {
        let mut texts = Strings::new();
        if !scanner.is_array() {
            let At { value, span } = placed(scanner)?;
            self.wrong(span, key, "an array of strings", &value);
            return Ok(texts);
        }
        scanner.array(|scanner| {
            texts.extend(self.text(scanner, key)?);
            Ok(())
        })?;
        Ok(texts)
    }

    /// A time: an integer of nanoseconds, or a string as in text form.
    fn duration(&mut self, scanner: &mut Scanner<'s>, key: &str) -> Read<Option<At<u64>>> {
        let At { value, span } = placed(scanner)?;
        match parse(&ArgKind::Duration, value) {
            Ok(Parsed::Duration(value)) => Ok(Some(At { value, span })),
            Ok(_) => Ok(None),
            Err(misfit) => {
                self.assembler
                    .error(self.number, span, || misfit.problem(key));
                Ok(None)
            }
        }
    }

    fn compound(&mut self, scanner: &mut Scanner<'s>, span: Span) -> Read<()> {
        let value = placed(scanner)?;
        match value.value {
            RawValue::Bool(true) => self.raw.compounded = Some(span),
            RawValue::Bool(false) => {}
            other => self.wrong(value.span, "compound", "true or false", &other),
        }
        Ok(())
    }

    /// The object of arguments (`with`) or of what is expected.
    fn members(&mut self, scanner: &mut Scanner<'s>, key: &str, expect: bool) -> Read<()> {
        if !scanner.is_object() {
            let At { value, span } = placed(scanner)?;
            self.wrong(span, key, "an object", &value);
            return Ok(());
        }
        scanner.object(|scanner, name, span| {
            if expect && name.is("status") {
                return self.statuses(scanner);
            }
            let value = scanner.value()?;
            let span = Span {
                start: span.start,
                end: Span::new(0, scanner.position()).end,
            };
            let arg = RawArg {
                name: Some(name),
                value,
                span,
            };
            if expect {
                self.raw.fields.push(arg)
            } else {
                self.raw.args.push(arg)
            }
            Ok(())
        })
    }

    fn statuses(&mut self, scanner: &mut Scanner<'s>) -> Read<()> {
        if scanner.is_array() {
            let statuses = self.texts(scanner, "status")?;
            self.raw.statuses.extend(statuses);
        } else {
            let status = self.text(scanner, "status")?;
            self.raw.statuses.extend(status);
        }
        Ok(())
    }
}

/// A value with its place.
fn placed<'s>(scanner: &mut Scanner<'s>) -> Read<At<RawValue<'s>>> {
    let start = scanner.start();
    let value = scanner.value()?;
    Ok(At {
        value,
        span: Span::new(start, scanner.position()),
    })
}
