//! One line of a load file: a time that may stand first, a command, its arguments, and the status that came back.

use super::word::{Located, Word, status, time, words};
use crate::error::LineProblem;
use smb_wire::ntstatus;

/// Every command that load files have, as written there.
pub(crate) const COMMANDS: [&str; 18] = [
    "NTCreateX",
    "Close",
    "ReadX",
    "WriteX",
    "Flush",
    "LockX",
    "UnlockX",
    "Rename",
    "Unlink",
    "QUERY_PATH_INFORMATION",
    "QUERY_FILE_INFORMATION",
    "QUERY_FS_INFORMATION",
    "SET_FILE_INFORMATION",
    "FIND_FIRST",
    "Mkdir",
    "Rmdir",
    "Deltree",
    "Sleep",
];

/// An operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line<'s> {
    /// From 1.
    pub(super) number: u64,
    /// Where the command stands, in characters from 1.
    pub(super) column: usize,
    /// Nanoseconds from the start, if the line says so.
    pub(super) at: Option<u64>,
    /// As it is called in the file.
    pub(super) kind: &'static str,
    pub(super) command: Command<'s>,
    /// What came back; `None` for a status that does not matter (`*`).
    pub(super) status: Option<u32>,
}

/// What is done. Paths have `/` between their parts and none at the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command<'s> {
    Create {
        path: String,
        options: u32,
        disposition: u32,
        handle: u64,
    },
    Close {
        handle: u64,
    },
    Read {
        handle: u64,
        offset: u64,
        size: u32,
        returned: u32,
    },
    Write {
        handle: u64,
        offset: u64,
        size: u32,
        returned: u32,
    },
    Flush {
        handle: u64,
    },
    Lock {
        handle: u64,
        offset: u64,
        length: u64,
        unlock: bool,
    },
    Rename {
        from: String,
        to: String,
    },
    Unlink {
        path: String,
    },
    QueryPath {
        path: String,
        level: u32,
    },
    QueryFile {
        handle: u64,
        level: u32,
    },
    QueryFs {
        level: u32,
    },
    SetFile {
        handle: u64,
        level: u32,
    },
    Find {
        directory: String,
        pattern: &'s str,
        level: u32,
        count: u64,
    },
    Mkdir {
        path: String,
    },
    Rmdir {
        path: String,
    },
    Deltree {
        path: String,
    },
    Sleep {
        milliseconds: u64,
    },
}

impl Line<'_> {
    pub(super) fn succeeds(&self) -> bool {
        self.status == Some(ntstatus::SUCCESS)
    }
}

impl<'s> Line<'s> {
    /// Reads a line; `None` for an empty one and for a comment. The error has the column.
    pub(super) fn parse(text: &'s str, number: u64) -> Result<Option<Self>, Located> {
        let words = words(text)?;
        let mut words = words.as_slice();
        if words.first().is_none_or(|word| word.text.starts_with('#')) {
            return Ok(None);
        }
        let at = time(words[0].text);
        if at.is_some() {
            words = &words[1..];
        }
        let Some((name, rest)) = words.split_first() else {
            return Ok(None);
        };
        let kind = COMMANDS.into_iter().find(|command| *command == name.text);
        let kind = kind.ok_or_else(|| {
            (
                name.column,
                LineProblem::UnknownCommand(name.text.to_owned()),
            )
        })?;
        let column = name.column;
        if kind == "Sleep" {
            let milliseconds = Arguments {
                command: kind,
                column,
                expected: "milliseconds",
                words: rest,
            }
            .only()?;
            let command = Command::Sleep { milliseconds };
            return Ok(Some(Self {
                number,
                column,
                at,
                kind,
                command,
                status: Some(ntstatus::SUCCESS),
            }));
        }
        let Some((last, arguments)) = rest.split_last() else {
            return Err((
                column,
                LineProblem::Arguments {
                    command: kind,
                    expected: "a status at its end",
                },
            ));
        };
        let status = status(last)?;
        let command = command(kind, column, arguments)?;
        Ok(Some(Self {
            number,
            column,
            at,
            kind,
            command,
            status,
        }))
    }
}

fn command<'s>(
    kind: &'static str,
    column: usize,
    words: &[Word<'s>],
) -> Result<Command<'s>, Located> {
    let arguments = |expected| Arguments {
        command: kind,
        column,
        expected,
        words,
    };
    Ok(match kind {
        "NTCreateX" => {
            let [path, options, disposition, handle] =
                arguments("a path, options, a disposition, a handle and a status").all()?;
            Command::Create {
                path: path.path()?,
                options: options.number()?,
                disposition: disposition.number()?,
                handle: handle.number()?,
            }
        }
        "Close" => Command::Close {
            handle: arguments("a handle and a status").only()?,
        },
        "Flush" => Command::Flush {
            handle: arguments("a handle and a status").only()?,
        },
        "ReadX" | "WriteX" => {
            let [handle, offset, size, returned] =
                arguments("a handle, an offset, a size, a returned size and a status").all()?;
            let (handle, offset) = (handle.number()?, offset.number()?);
            let (size, returned) = (size.number()?, returned.number()?);
            match kind {
                "ReadX" => Command::Read {
                    handle,
                    offset,
                    size,
                    returned,
                },
                _ => Command::Write {
                    handle,
                    offset,
                    size,
                    returned,
                },
            }
        }
        "LockX" | "UnlockX" => {
            let [handle, offset, length] =
                arguments("a handle, an offset, a size and a status").all()?;
            let (offset, length) = (offset.number()?, length.number()?);
            Command::Lock {
                handle: handle.number()?,
                offset,
                length,
                unlock: kind == "UnlockX",
            }
        }
        "Rename" => {
            let [from, to] = arguments("two paths and a status").all()?;
            Command::Rename {
                from: from.path()?,
                to: to.path()?,
            }
        }
        "Unlink" => {
            let [path, _attributes] = arguments("a path, attributes and a status").all()?;
            Command::Unlink { path: path.path()? }
        }
        "QUERY_PATH_INFORMATION" => {
            let [path, level] = arguments("a path, a level and a status").all()?;
            Command::QueryPath {
                path: path.path()?,
                level: level.number()?,
            }
        }
        "QUERY_FILE_INFORMATION" | "SET_FILE_INFORMATION" => {
            let [handle, level] = arguments("a handle, a level and a status").all()?;
            let (handle, level) = (handle.number()?, level.number()?);
            match kind {
                "QUERY_FILE_INFORMATION" => Command::QueryFile { handle, level },
                _ => Command::SetFile { handle, level },
            }
        }
        "QUERY_FS_INFORMATION" => Command::QueryFs {
            level: arguments("a level and a status").only()?,
        },
        "FIND_FIRST" => {
            find(arguments("a path with a pattern, a level, a bound, a count and a status").all()?)?
        }
        "Mkdir" | "Rmdir" | "Deltree" => {
            let [path] = arguments("a path and a status").all()?;
            let path = path.path()?;
            match kind {
                "Mkdir" => Command::Mkdir { path },
                "Rmdir" => Command::Rmdir { path },
                _ => Command::Deltree { path },
            }
        }
        other => return Err((column, LineProblem::UnknownCommand(other.to_owned()))),
    })
}

fn find<'s>([mask, level, _bound, count]: [Word<'s>; 4]) -> Result<Command<'s>, Located> {
    let (directory, pattern) = mask
        .text
        .rsplit_once(['\\', '/'])
        .unwrap_or(("", mask.text));
    let directory = Word {
        text: directory,
        column: mask.column,
    }
    .path()?;
    Ok(Command::Find {
        directory,
        pattern,
        level: level.number()?,
        count: count.number()?,
    })
}

/// The words of a command between its name and its status.
struct Arguments<'a, 's> {
    command: &'static str,
    column: usize,
    expected: &'static str,
    words: &'a [Word<'s>],
}

impl<'s> Arguments<'_, 's> {
    fn all<const N: usize>(&self) -> Result<[Word<'s>; N], Located> {
        let problem = LineProblem::Arguments {
            command: self.command,
            expected: self.expected,
        };
        self.words.try_into().map_err(|_| (self.column, problem))
    }

    fn only<T: TryFrom<u64>>(&self) -> Result<T, Located> {
        let [word] = self.all()?;
        word.number()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Line<'_> {
        Line::parse(text, 1)
            .expect("well formed")
            .expect("an operation")
    }

    fn problem(text: &str) -> Located {
        Line::parse(text, 1).expect_err("malformed")
    }

    #[test]
    fn operations_are_read_with_their_status() {
        let line =
            parsed("NTCreateX \"\\dir\\a file.txt\" 0x40 0x2 17 NT_STATUS_OBJECT_NAME_COLLISION\n");
        let path = "dir/a file.txt".to_owned();
        assert_eq!(
            line.command,
            Command::Create {
                path,
                options: 0x40,
                disposition: 2,
                handle: 17
            }
        );
        assert_eq!(
            (line.status, line.at),
            (Some(ntstatus::OBJECT_NAME_COLLISION), None)
        );
        let line = parsed("1.25 FIND_FIRST \"\\d\\<.TMP\" 260 1366 0 NT_STATUS_NO_SUCH_FILE");
        assert_eq!(line.at, Some(1_250_000_000));
        let directory = "d".to_owned();
        assert_eq!(
            line.command,
            Command::Find {
                directory,
                pattern: "<.TMP",
                level: 260,
                count: 0
            }
        );
        assert_eq!(parsed("Close 0x11 *").status, None);
        assert_eq!(
            parsed("Sleep 30").command,
            Command::Sleep { milliseconds: 30 }
        );
        assert_eq!(Line::parse("  # nothing\n", 1), Ok(None));
        assert_eq!(Line::parse("\r\n", 1), Ok(None));
    }

    #[test]
    fn mistakes_have_their_column() {
        assert_eq!(
            problem("  Open 1 NT_STATUS_OK"),
            (3, LineProblem::UnknownCommand("Open".to_owned()))
        );
        assert_eq!(
            problem("Close x NT_STATUS_OK"),
            (7, LineProblem::Number("x".to_owned()))
        );
        assert_eq!(
            problem("Close 1 NT_STATUS_NOPE"),
            (9, LineProblem::Status("NT_STATUS_NOPE".to_owned()))
        );
        assert_eq!(
            problem("Mkdir \"\\a NT_STATUS_OK"),
            (7, LineProblem::OpenQuote)
        );
        assert!(matches!(
            problem("ReadX 1 2 3 NT_STATUS_OK"),
            (
                1,
                LineProblem::Arguments {
                    command: "ReadX",
                    ..
                }
            )
        ));
        assert!(matches!(
            problem("ReadX 1 0 4294967296 0 NT_STATUS_OK"),
            (11, LineProblem::Number(_))
        ));
        assert!(matches!(
            problem("Mkdir \"\\a\\..\\..\\b\" NT_STATUS_OK"),
            (7, LineProblem::Path(_))
        ));
        assert!(matches!(
            problem("Flush"),
            (
                1,
                LineProblem::Arguments {
                    command: "Flush",
                    ..
                }
            )
        ));
    }
}
