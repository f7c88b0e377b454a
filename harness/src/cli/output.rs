//! Results on stdout, and which files may be written. A reader that has gone away is no error: what was found is still in
//! the exit code.

use std::io::{self, Write};
use std::path::Path;

use super::{Exit, say};
use crate::whole_file;

/// Writes text to stdout; true when it got there. A closed pipe counts as written.
pub(super) fn write(text: &str) -> bool {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => true,
        Err(error) => {
            say(format_args!("stdout: {error}"));
            false
        }
    }
}

/// Refuses to write where something is read, or two things to the same file; each output goes by its option's name.
pub(super) fn apart(inputs: &[&Path], outputs: &[(&str, Option<&Path>)]) -> Result<(), Exit> {
    let outputs: Vec<(&str, &Path)> = outputs
        .iter()
        .filter_map(|&(name, path)| Some((name, path?)))
        .collect();
    for (at, &(name, path)) in outputs.iter().enumerate() {
        let shown = path.display();
        if inputs.iter().any(|input| whole_file::is_same(input, path)) {
            say(format_args!(
                "{name}: {shown} is what is read; another file is needed"
            ));
            return Err(Exit::Usage);
        }
        let same = outputs[..at]
            .iter()
            .find(|(_, other)| whole_file::is_same(other, path));
        if let Some((other, _)) = same {
            say(format_args!(
                "{name}: {shown} is what {other} is for; another file is needed"
            ));
            return Err(Exit::Usage);
        }
    }
    Ok(())
}

/// Finds out, before the work is done, which files cannot be written in the end.
pub(super) fn try_out(outputs: &[(&str, Option<&Path>)]) -> Result<(), Exit> {
    for (name, path) in outputs {
        if let Some(path) = path
            && let Err(error) = whole_file::try_out(path)
        {
            say(format_args!("{name}: {}: {error}", path.display()));
            return Err(Exit::BadInput);
        }
    }
    Ok(())
}
