//! Puts new expectations into a text and leaves every other byte as it is.

use std::collections::HashMap;

use super::lex::Line;
use super::{is_ending, is_step};
use crate::model::StepId;

/// Replaces the expectations of some steps of a trace in text form. The second part of each edit is what stands behind
/// the arrow, as [`Expect::to_text`](crate::Expect::to_text) and [`Answer::to_text`](crate::Answer::to_text) write it.
///
/// `after=` and `within=` keep their place, as do comments. A step without an arrow gets one. An edit of a step that
/// the source does not have is passed over.
pub fn rewrite_expectations<T: AsRef<str>>(source: &str, edits: &[(StepId, T)]) -> String {
    let edits: HashMap<StepId, &str> = edits
        .iter()
        .map(|(step, text)| (*step, text.as_ref()))
        .collect();
    let mut out = String::with_capacity(source.len() + 32 * edits.len());
    let body = source.strip_prefix('\u{feff}').unwrap_or(source);
    out.push_str(&source[..source.len() - body.len()]);
    let mut step = 0;
    for line in body.split_inclusive('\n') {
        let text = line.trim_end_matches(['\n', '\r']);
        let lexed = Line::new(text);
        if !lexed.tokens.first().is_some_and(is_step) {
            out.push_str(line);
            continue;
        }
        match edits.get(&StepId(step)) {
            Some(edit) if lexed.open_quote.is_none() => {
                rewrite_line(text, &lexed, edit, &mut out);
                out.push_str(&line[text.len()..]);
            }
            _ => out.push_str(line),
        }
        step += 1;
    }
    out
}

fn rewrite_line(text: &str, lexed: &Line<'_>, edit: &str, out: &mut String) {
    let end = lexed.tokens.last().map_or(0, super::lex::Token::end);
    let Some(arrow) = lexed.tokens.iter().position(|token| token.text == "->") else {
        out.push_str(&text[..end]);
        out.push_str(" -> ");
        out.push_str(edit);
        out.push_str(&text[end..]);
        return;
    };
    out.push_str(&text[..lexed.tokens[arrow].end()]);
    out.push(' ');
    out.push_str(edit);
    let behind = lexed.tokens[arrow..].windows(2);
    for pair in behind.filter(|pair| is_ending(&pair[1])) {
        out.push_str(&text[pair[0].end()..pair[1].end()]);
    }
    out.push_str(&text[end..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_expectation_changes() {
        let source = "ir 1\r\nclient A\n\n# -> ?\nx:  A create f \"->\"   ->  ?   after=y  # -> ?\n\
                      A  write f  # none\n@1ms A read f ->  OK len=1 within=1s fill=2\nA close f -> OK";
        let edits = [
            (StepId(0), "OK oplock=ii"),
            (StepId(1), "ACCESS_DENIED"),
            (StepId(2), "OK len=2"),
            (StepId(9), "OK"),
        ];
        assert_eq!(
            rewrite_expectations(source, &edits),
            "ir 1\r\nclient A\n\n# -> ?\nx:  A create f \"->\"   -> OK oplock=ii   after=y  # -> ?\n\
             A  write f -> ACCESS_DENIED  # none\n@1ms A read f -> OK len=2 within=1s\nA close f -> OK"
        );
        let none: [(StepId, &str); 0] = [];
        assert_eq!(rewrite_expectations(source, &none), source);
    }
}
