//! `smb-replay convert`, and writing of traces in the encoding that a file's name asks for.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use replay_ir::Trace;

use super::{Exit, output, say};
use crate::load;
use crate::whole_file::WholeFile;

/// zstd's own default; recordings shrink to a tenth and less with it.
const COMPRESSION: i32 = 3;

/// Writes a trace in another encoding.
pub(super) fn convert(input: &Path, output: &Path) -> Exit {
    let Some(encoding) = Encoding::of(output) else {
        say(format_args!(
            "{}: a name in .ir, .ir.jsonl or .ir.jsonl.zst is needed",
            output.display()
        ));
        return Exit::Usage;
    };
    if let Err(exit) = output::apart(&[input], &[("OUT", Some(output))]) {
        return exit;
    }
    match load::trace(input, &input.to_string_lossy()) {
        Ok(trace) => write(&trace, output, encoding),
        Err(errors) => {
            say(errors);
            Exit::BadInput
        }
    }
}

/// An encoding of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Text,
    Lines,
    CompressedLines,
}

impl Encoding {
    /// The one that a file's name asks for.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy();
        let by_ending = [
            (".ir", Encoding::Text),
            (".jsonl", Encoding::Lines),
            (".jsonl.zst", Encoding::CompressedLines),
        ];
        let found = by_ending
            .into_iter()
            .find(|(ending, _)| name.ends_with(ending));
        found.map(|(_, encoding)| encoding)
    }

    fn write(self, trace: &Trace, out: impl Write) -> io::Result<()> {
        let mut out = BufWriter::new(out);
        match self {
            Encoding::Text => trace.write_text(&mut out)?,
            Encoding::Lines => trace.write_jsonl(&mut out)?,
            Encoding::CompressedLines => {
                let mut compressed = zstd::Encoder::new(&mut out, COMPRESSION)?;
                trace.write_jsonl(&mut compressed)?;
                compressed.finish()?;
            }
        }
        out.flush()
    }
}

/// Writes the whole file or, when that fails, none of it.
pub(super) fn write(trace: &Trace, path: &Path, encoding: Encoding) -> Exit {
    let written = WholeFile::create(path).and_then(|mut file| {
        encoding.write(trace, &mut file)?;
        file.finish()
    });
    match written {
        Ok(()) => Exit::Passed,
        Err(error) => {
            say(format_args!("{}: {error}", path.display()));
            Exit::BadInput
        }
    }
}

/// Writes to stdout; a closed pipe is no error.
pub(super) fn write_to_stdout(trace: &Trace, encoding: Encoding) -> Exit {
    match encoding.write(trace, io::stdout().lock()) {
        Ok(()) => Exit::Passed,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Passed,
        Err(error) => {
            say(format_args!("stdout: {error}"));
            Exit::BadInput
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_decides() {
        let of = |name| Encoding::of(Path::new(name));
        assert_eq!(of("a/b.ir"), Some(Encoding::Text));
        assert_eq!(of("b.ir.jsonl"), Some(Encoding::Lines));
        assert_eq!(of("b.ir.jsonl.zst"), Some(Encoding::CompressedLines));
        assert_eq!(of("b.json"), None);
        assert_eq!(of(".."), None);
    }
}
