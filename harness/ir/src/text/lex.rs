//! The tokens of a line: what stands between blanks, quotes kept together, up to a comment.

use smallvec::SmallVec;

use crate::error::Span;

/// A token and where it begins in the line, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'s> {
    pub(crate) text: &'s str,
    pub(crate) start: usize,
}

impl Token<'_> {
    pub(crate) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    pub(crate) fn span(&self) -> Span {
        Span::new(self.start, self.end())
    }
}

/// A line taken apart.
#[derive(Debug, Default)]
pub(crate) struct Line<'s> {
    pub(crate) tokens: SmallVec<[Token<'s>; 16]>,
    /// Where the comment begins, its `#` included.
    pub(crate) comment: Option<usize>,
    /// Where a quote begins that is never closed.
    pub(crate) open_quote: Option<usize>,
}

impl<'s> Line<'s> {
    pub(crate) fn new(line: &'s str) -> Self {
        let mut lexed = Line::default();
        let bytes = line.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            match bytes[at] {
                b' ' | b'\t' => at += 1,
                b'#' => {
                    lexed.comment = Some(at);
                    break;
                }
                _ => {
                    let end = lexed.token_end(bytes, at);
                    lexed.tokens.push(Token {
                        text: &line[at..end],
                        start: at,
                    });
                    at = end;
                }
            }
        }
        lexed
    }

    /// Where the token that begins at `start` ends. All that can end it is ASCII, so it ends between characters.
    fn token_end(&mut self, bytes: &[u8], start: usize) -> usize {
        let mut at = start;
        while at < bytes.len() {
            match bytes[at] {
                b' ' | b'\t' | b'#' => break,
                b'"' => match quote_end(bytes, at) {
                    Some(end) => at = end,
                    None => {
                        self.open_quote = Some(at);
                        return bytes.len();
                    }
                },
                _ => at += 1,
            }
        }
        at
    }
}

/// The position after the quote that closes the one at `start`.
fn quote_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str) -> Vec<&str> {
        Line::new(line)
            .tokens
            .iter()
            .map(|token| token.text)
            .collect()
    }

    #[test]
    fn blanks_part_tokens_and_quotes_hold_them() {
        assert_eq!(
            texts("a: A\tcreate f \"x # y\" names=\"a b\",\"c\\\"\" -> OK # end"),
            [
                "a:",
                "A",
                "create",
                "f",
                "\"x # y\"",
                "names=\"a b\",\"c\\\"\"",
                "->",
                "OK"
            ]
        );
        assert_eq!(Line::new("A b# c").comment, Some(3));
        assert_eq!(texts("  \t "), [""; 0]);
    }

    #[test]
    fn an_open_quote_is_noted() {
        for line in ["A \"abc", "A \"abc\\", "A \"abc\\\""] {
            assert_eq!(Line::new(line).open_quote, Some(2), "{line}");
        }
    }
}
