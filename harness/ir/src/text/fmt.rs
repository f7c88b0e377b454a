//! Lays a text out again: columns aligned, one blank between words, comments and blank lines kept.
//!
//! Works on tokens alone, so it also formats a trace with mistakes in it; the words themselves are never changed.

use super::lex::{Line, Token};
use super::{is_ending, is_step};

/// Steps that lie this far to the right do not push the arrows of the others there.
const WIDEST_LEFT: usize = 84;
/// The same for comments behind a line.
const WIDEST_LINE: usize = 100;

/// What may be left away at the end of a line. Other blanks of Unicode belong to words.
const BLANK: [char; 3] = [' ', '\t', '\r'];

/// Formats a text. What it means stays the same; formatting twice changes nothing more.
///
/// Steps that stand together have their clients, arrows and comments aligned, and `after=` and `within=` at the end.
/// A line with an open quote is left alone.
pub fn format(source: &str) -> String {
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    let mut out = String::with_capacity(source.len() + source.len() / 8);
    let mut block: Vec<Row> = Vec::new();
    for line in source.lines() {
        let row = Row::new(line.trim_end_matches(BLANK));
        // A blank line, and the change from declarations to steps, end what is aligned together.
        let ends = match (
            &row,
            block.iter().find(|row| !matches!(row, Row::Comment { .. })),
        ) {
            (Row::Blank, _) => true,
            (Row::Comment { .. } | Row::AsIs(_), _) | (_, None) => false,
            (row, Some(first)) => std::mem::discriminant(row) != std::mem::discriminant(first),
        };
        if ends {
            flush(&mut block, &mut out);
        }
        block.push(row);
    }
    flush(&mut block, &mut out);
    out
}

/// A line in parts.
enum Row<'s> {
    Blank,
    AsIs(&'s str),
    Comment {
        text: &'s str,
        indented: bool,
    },
    Declaration {
        text: String,
        comment: Option<&'s str>,
    },
    Step {
        time: String,
        client: &'s str,
        action: String,
        result: String,
        comment: Option<&'s str>,
    },
}

impl<'s> Row<'s> {
    fn new(line: &'s str) -> Self {
        let lexed = Line::new(line);
        if lexed.open_quote.is_some() {
            return Row::AsIs(line);
        }
        let comment = lexed.comment.map(|at| &line[at..]);
        let Some(first) = lexed.tokens.first() else {
            return match comment {
                Some(text) => Row::Comment {
                    text,
                    indented: line.starts_with([' ', '\t']),
                },
                None => Row::Blank,
            };
        };
        if !is_step(first) {
            return Row::Declaration {
                text: join(lexed.tokens.iter()),
                comment,
            };
        }
        Row::step(&lexed.tokens, comment)
    }

    fn step(tokens: &[Token<'s>], comment: Option<&'s str>) -> Self {
        let head = |token: &&Token<'_>| token.text.ends_with(':') || token.text.starts_with('@');
        let heads = tokens.iter().take(2).take_while(head).count();
        let (heads, rest) = tokens.split_at(heads);
        let time = join(heads.iter());
        let Some((client, rest)) = rest.split_first() else {
            return Row::Declaration {
                text: time,
                comment,
            };
        };
        let arrow = rest
            .iter()
            .position(|token| token.text == "->")
            .unwrap_or(rest.len());
        let (left, right) = rest.split_at(arrow);
        let verb = left.iter().take_while(|token| token.text == "+").count() + 1;
        let endings = || rest.iter().skip(verb).filter(|token| is_ending(token));
        let (lead, args) = left.split_at(verb.min(left.len()));
        let left = lead
            .iter()
            .chain(args.iter().filter(|token| !is_ending(token)));
        let right: Vec<&Token<'_>> = right.iter().filter(|token| !is_ending(token)).collect();
        let (action, result) = if right.is_empty() {
            (join(left.chain(endings())), String::new())
        } else {
            (join(left), join(right.into_iter().chain(endings())))
        };
        Row::Step {
            time,
            client: client.text,
            action,
            result,
            comment,
        }
    }
}

fn join<'t>(tokens: impl Iterator<Item = &'t Token<'t>>) -> String {
    let mut text = String::new();
    for token in tokens {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(token.text);
    }
    text
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// Adds blanks up to a column, and at least so many.
fn pad(text: &mut String, to: usize, least: usize) {
    let blanks = to.saturating_sub(width(text)).max(least);
    text.extend(std::iter::repeat_n(' ', blanks));
}

/// Writes the rows of a block, aligned.
fn flush(block: &mut Vec<Row<'_>>, out: &mut String) {
    let (mut times, mut clients) = (0, 0);
    for row in block.iter() {
        if let Row::Step { time, client, .. } = row {
            times = times.max(width(time) + usize::from(!time.is_empty()));
            clients = clients.max(width(client) + 1);
        }
    }
    let left = |time: &str, client: &str, action: &str| {
        let mut text = time.to_owned();
        pad(&mut text, times, 0);
        text.push_str(client);
        pad(&mut text, times + clients, 0);
        text.push_str(action);
        text.truncate(text.trim_end_matches(' ').len());
        text
    };
    let arrows = block.iter().filter_map(|row| match row {
        Row::Step {
            time,
            client,
            action,
            result,
            ..
        } if !result.is_empty() => {
            Some(width(&left(time, client, action))).filter(|&width| width <= WIDEST_LEFT)
        }
        _ => None,
    });
    let arrow = arrows.max().unwrap_or(0) + 1;
    let lines: Vec<(String, Option<&str>)> = block
        .drain(..)
        .map(|row| match row {
            Row::Blank => (String::new(), None),
            Row::AsIs(line) => (line.to_owned(), None),
            Row::Comment { text, indented } => {
                let mut line = String::new();
                pad(&mut line, if indented { times } else { 0 }, 0);
                line.push_str(text);
                (line, None)
            }
            Row::Declaration { text, comment } => (text, comment),
            Row::Step {
                time,
                client,
                action,
                result,
                comment,
            } => {
                let mut line = left(&time, client, &action);
                if !result.is_empty() {
                    pad(&mut line, arrow, 1);
                    line.push_str(&result);
                }
                (line, comment)
            }
        })
        .collect();
    let commented = lines.iter().filter(|(_, comment)| comment.is_some());
    let widths = commented
        .map(|(line, _)| width(line))
        .filter(|&width| width <= WIDEST_LINE);
    let column = widths.max().unwrap_or(0) + 2;
    for (mut line, comment) in lines {
        if let Some(comment) = comment {
            pad(&mut line, column, 2);
            line.push_str(comment);
        }
        out.push_str(&line);
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::format;

    #[test]
    fn columns_are_aligned_and_comments_kept() {
        let source = "\
ir 1     # version
# about
client A   user=alice  # first
client Bob user=bob


first:   A create f \"a  b\"   within=1s -> OK oplock=batch # granted
   # indented
@50ms Bob write f offset=0 len=4096 fill=7 after=first.break -> OK len=4096
 A + flush f   ->   OK
A pause #none
A x \"open
";
        let expected = "\
ir 1                 # version
# about
client A user=alice  # first
client Bob user=bob


first: A   create f \"a  b\"                  -> OK oplock=batch within=1s  # granted
       # indented
@50ms  Bob write f offset=0 len=4096 fill=7 -> OK len=4096 after=first.break
       A   + flush f                        -> OK
       A   pause                                                          #none
A x \"open
";
        let formatted = format(source);
        assert_eq!(formatted, expected, "\n{formatted}");
        assert_eq!(format(&formatted), formatted);
    }

    #[test]
    fn a_long_step_does_not_push_the_others() {
        let long = format!("A create f \"{}\" -> OK", "x".repeat(200));
        let formatted = format(&format!("A close f -> OK\n{long}\n"));
        assert_eq!(formatted, format!("A close f -> OK\n{long}\n"));
    }
}
