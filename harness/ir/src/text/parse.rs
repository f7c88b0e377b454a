//! Lines of text to the assembler.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::lex::{Line, Token};
use crate::assemble::{Assembler, KEYWORDS};
use crate::error::{Problem, Span};
use crate::name::{excerpt, unquote};
use crate::raw::{At, RawArg, RawDeclaration, RawStep, RawTime, RawValue, Str};
use crate::time::parse_duration;

/// Reads the lines of one text.
pub(crate) struct Parser {
    begun: bool,
}

impl Parser {
    pub(crate) fn new() -> Self {
        Parser { begun: false }
    }

    /// Reads one line, without its line break.
    pub(crate) fn line(&mut self, assembler: &mut Assembler, number: u32, text: &str) {
        let lexed = &Line::new(text);
        let Some(first) = lexed.tokens.first() else {
            return;
        };
        let begun = std::mem::replace(&mut self.begun, true);
        if first.text == "ir" {
            return version(assembler, number, lexed, begun);
        }
        if !begun {
            assembler.error(number, first.span(), || Problem::NoVersion { json: false });
        }
        if let Some(quote) = lexed.open_quote {
            assembler.error(number, Span::new(quote, text.len()), || Problem::OpenQuote);
            if !KEYWORDS.contains(&first.text) {
                let whole = lexed.tokens.len() - 1;
                let mut raw = RawStep::default();
                step(assembler, number, &lexed.tokens[..whole], &mut raw);
                assembler.damaged_step(&raw);
            }
            return;
        }
        let rest = &lexed.tokens[1..];
        match first.text {
            "title" => {
                let Some(token) = only(assembler, number, *first, rest, "a title") else {
                    return;
                };
                match quoted(token) {
                    Ok(title) => assembler.title(number, At::new(&title.value, title.span)),
                    Err(problem) => assembler.error(number, token.span(), || problem),
                }
            }
            "mode" => {
                let Some(token) = only(assembler, number, *first, rest, "a mode") else {
                    return;
                };
                assembler.mode(number, At::new(token.text, token.span()));
            }
            "needs" => {
                if rest.is_empty() {
                    nothing(assembler, number, *first, "a word");
                }
                for token in rest {
                    assembler.need(number, At::new(token.text, token.span()));
                }
            }
            "client" => {
                if let Some(raw) = declaration(assembler, number, lexed, "a name") {
                    assembler.client(number, raw);
                }
            }
            "given" => {
                if let Some(raw) = declaration(assembler, number, lexed, "a kind") {
                    assembler.given(number, raw);
                }
            }
            "check" => {
                let end = lexed.tokens.last().map_or(first.end(), Token::end);
                let span = Span::new(first.end(), end);
                assembler.check(
                    number,
                    At {
                        value: &text[first.end()..end],
                        span,
                    },
                );
            }
            _ => {
                let mut raw = RawStep::default();
                step(assembler, number, &lexed.tokens, &mut raw);
                assembler.finish_step(&raw);
            }
        }
    }

    /// Ends the text; an empty one has no version.
    pub(crate) fn finish(self, assembler: &mut Assembler) {
        if !self.begun {
            assembler.error(1, Span::default(), || Problem::NoVersion { json: false });
        }
    }
}

fn version(assembler: &mut Assembler, number: u32, lexed: &Line<'_>, begun: bool) {
    let first = lexed.tokens[0];
    if begun {
        return assembler.error(number, first.span(), || Problem::SecondHeader("ir"));
    }
    let version = only(assembler, number, first, &lexed.tokens[1..], "a version");
    if let Some(version) = version.filter(|version| version.text != "1") {
        let text = excerpt(version.text);
        assembler.error(number, version.span(), || Problem::UnknownVersion(text));
    }
}

/// The one token that may follow.
fn only<'s>(
    assembler: &mut Assembler,
    number: u32,
    first: Token<'s>,
    rest: &[Token<'s>],
    wanted: &str,
) -> Option<Token<'s>> {
    match rest {
        [] => nothing(assembler, number, first, wanted),
        [_, more, ..] => assembler.error(number, more.span(), || Problem::Expected {
            expected: "the end of the line".into(),
            found: format!("`{}`", excerpt(more.text)),
        }),
        _ => {}
    }
    rest.first().copied()
}

fn nothing(assembler: &mut Assembler, number: u32, after: Token<'_>, wanted: &str) {
    assembler.error(number, after.span(), || Problem::Expected {
        expected: wanted.to_owned(),
        found: format!("nothing after `{}`", excerpt(after.text)),
    });
}

fn quoted(token: Token<'_>) -> Result<At<Cow<'_, str>>, Problem> {
    if !token.text.starts_with('"') {
        return Err(Problem::Expected {
            expected: "text in quotes".into(),
            found: format!("`{}`", excerpt(token.text)),
        });
    }
    Ok(At::new(unquote(token.text)?, token.span()))
}

fn declaration<'s>(
    assembler: &mut Assembler,
    number: u32,
    lexed: &Line<'s>,
    wanted: &str,
) -> Option<RawDeclaration<'s>> {
    let [first, rest @ ..] = &lexed.tokens[..] else {
        return None;
    };
    let [name, rest @ ..] = rest else {
        nothing(assembler, number, *first, wanted);
        return None;
    };
    let last = rest.last().unwrap_or(name);
    let mut raw = RawDeclaration {
        whole: Span::new(first.start, last.end()),
        name: At::new(Str::plain(name.text), name.span()),
        on: None,
        args: SmallVec::new(),
    };
    let is_client = first.text == "client";
    for token in rest {
        match named(token) {
            Some(("on", on)) if is_client => {
                let on = At::new(Str::plain(on), token.span());
                if raw.on.replace(on).is_some() {
                    twice(assembler, number, *token, "on");
                }
            }
            _ => raw.args.push(argument(token)),
        }
    }
    Some(raw)
}

/// `NAME=VALUE`; a quote before the `=` makes it a value.
fn named<'s>(token: &Token<'s>) -> Option<(&'s str, &'s str)> {
    let equals = memchr::memchr2(b'=', b'"', token.text.as_bytes())?;
    if token.text.as_bytes()[equals] == b'"' || equals == 0 {
        return None;
    }
    Some((&token.text[..equals], &token.text[equals + 1..]))
}

fn argument<'s>(token: &Token<'s>) -> RawArg<'s> {
    let (name, value) = match named(token) {
        Some((name, value)) => (Some(Str::plain(name)), value),
        None => (None, token.text),
    };
    RawArg {
        name,
        value: RawValue::Token(value),
        span: token.span(),
    }
}

fn field<'s>(token: &Token<'s>) -> RawArg<'s> {
    let (name, value) = match named(token) {
        Some((name, value)) => (name, RawValue::Token(value)),
        None => (token.text, RawValue::Present),
    };
    RawArg {
        name: Some(Str::plain(name)),
        value,
        span: token.span(),
    }
}

fn at<'s>(token: &Token<'s>, text: &'s str) -> At<Str<'s>> {
    At::new(Str::plain(text), token.span())
}

/// Reads `[LABEL:] [@TIME] CLIENT [+] VERB ARGUMENTS [-> EXPECTATION]` as far as it goes.
fn step<'s>(assembler: &mut Assembler, number: u32, tokens: &[Token<'s>], raw: &mut RawStep<'s>) {
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else {
        return assembler.begin_step(number, None);
    };
    raw.whole = Span::new(first.start, last.end());
    let mut rest = tokens.iter().peekable();
    if let Some(token) = rest.next_if(|token| token.text.ends_with(':')) {
        raw.label = Some(at(token, &token.text[..token.text.len() - 1]));
    }
    if let Some(token) = rest.next_if(|token| token.text.starts_with('@')) {
        raw.time = time(assembler, number, token);
    }
    raw.client = rest
        .next_if(|token| token.text != "->")
        .map(|token| at(token, token.text));
    raw.compounded = rest.next_if(|token| token.text == "+").map(Token::span);
    raw.verb = rest
        .next_if(|token| token.text != "->")
        .map(|token| at(token, token.text));
    assembler.begin_step(number, raw.verb);
    let mut arrow: Option<&Token<'_>> = None;
    for token in rest {
        match named(token) {
            Some(("after", labels)) => after(assembler, number, token, labels, raw),
            Some(("within", bound)) => within(assembler, number, token, bound, raw),
            _ if token.text == "->" => {
                if arrow.replace(token).is_some() {
                    assembler.error(number, token.span(), || Problem::Expected {
                        expected: "one expectation".into(),
                        found: "a second `->`".into(),
                    });
                }
            }
            _ if arrow.is_none() => assembler.arg(&argument(token)),
            _ if raw.statuses.is_empty() => statuses(token, raw),
            _ => assembler.field(&field(token)),
        }
    }
    if let Some(arrow) = arrow.filter(|_| raw.statuses.is_empty()) {
        nothing(assembler, number, *arrow, "a status");
    }
}

fn statuses<'s>(token: &Token<'s>, raw: &mut RawStep<'s>) {
    let mut start = token.start;
    for status in token.text.split('|') {
        let span = Span::new(start, start + status.len().max(1));
        start += status.len() + 1;
        raw.statuses.push(At {
            value: Str::plain(status),
            span,
        });
    }
}

fn time(assembler: &mut Assembler, number: u32, token: &Token<'_>) -> Option<At<RawTime>> {
    let text = &token.text[1..];
    let time = match text.strip_prefix('+') {
        Some(later) => parse_duration(later).map(RawTime::Later),
        None => parse_duration(text).map(RawTime::Absolute),
    };
    if time.is_none() {
        assembler.error(number, token.span(), || Problem::Expected {
            expected: "a time such as @50ms or @+5ms".into(),
            found: format!("`{}`", excerpt(token.text)),
        });
    }
    time.map(|value| At {
        value,
        span: token.span(),
    })
}

fn after<'s>(
    assembler: &mut Assembler,
    number: u32,
    token: &Token<'s>,
    labels: &'s str,
    raw: &mut RawStep<'s>,
) {
    if !raw.after.is_empty() {
        return twice(assembler, number, *token, "after");
    }
    let mut start = token.end() - labels.len();
    for label in labels.split(',') {
        let span = Span::new(start, start + label.len().max(1));
        start += label.len() + 1;
        raw.after.push(At {
            value: Str::plain(label),
            span,
        });
    }
}

fn within(
    assembler: &mut Assembler,
    number: u32,
    token: &Token<'_>,
    bound: &str,
    raw: &mut RawStep<'_>,
) {
    match parse_duration(bound) {
        Some(_) if raw.within.is_some() => twice(assembler, number, *token, "within"),
        Some(value) => {
            raw.within = Some(At {
                value,
                span: token.span(),
            })
        }
        None => assembler.error(number, token.span(), || Problem::WrongKind {
            name: "within".into(),
            expected: "a length of time such as 5ms".into(),
            found: format!("`{}`", excerpt(bound)),
        }),
    }
}

fn twice(assembler: &mut Assembler, number: u32, token: Token<'_>, name: &str) {
    assembler.error(number, token.span(), || Problem::Twice {
        what: "argument",
        name: name.to_owned(),
    });
}
