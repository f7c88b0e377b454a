//! `smb-replay check` and `smb-replay fmt`.

use std::path::{Path, PathBuf};

use super::{Exit, output, say};
use crate::{load, whole_file};

/// Loads every file and shows all mistakes of all of them.
pub(super) fn check(files: &[PathBuf]) -> Exit {
    let mut exit = Exit::Passed;
    for file in files {
        let name = file.display();
        match load::trace(file, &name.to_string()) {
            Ok(trace) => {
                let (steps, clients) = (trace.len(), trace.clients().len());
                if !output::write(&format!("{name}: {steps} steps, {clients} clients\n")) {
                    return Exit::BadInput;
                }
            }
            Err(errors) => {
                say(format_args!("{errors}\n"));
                exit = Exit::BadInput;
            }
        }
    }
    exit
}

/// Formats every file in place, or names those that would change.
pub(super) fn format(files: &[PathBuf], check: bool) -> Exit {
    let mut exit = Exit::Passed;
    for file in files {
        match format_one(file, check) {
            Ok(false) => {}
            Ok(true) => {
                let done = if check { "would change" } else { "formatted" };
                if !output::write(&format!("{} {done}\n", file.display())) {
                    return Exit::BadInput;
                }
                if check && exit == Exit::Passed {
                    exit = Exit::Failed;
                }
            }
            Err(reason) => {
                say(format_args!("{}: {reason}", file.display()));
                exit = Exit::BadInput;
            }
        }
    }
    exit
}

/// True when the file changes.
fn format_one(file: &Path, check: bool) -> Result<bool, String> {
    if file.extension().is_none_or(|extension| extension != "ir") {
        return Err("only the text form (.ir) has a layout".to_owned());
    }
    let source = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let formatted = replay_ir::format(&source);
    if formatted == source {
        return Ok(false);
    }
    if !check {
        whole_file::write(file, formatted.as_bytes()).map_err(|error| error.to_string())?;
    }
    Ok(true)
}
