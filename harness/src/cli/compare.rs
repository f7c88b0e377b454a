//! `smb-replay compare`: which answers of runs differ from those of their trace, first by cause.

use super::commands::CompareArguments;
use super::{Exit, output, say};
use crate::compare::{Comparison, Outcome, to_json, to_text};
use crate::load;

/// Shows the differences of runs, each cause once.
pub(super) fn compare(arguments: &CompareArguments) -> Exit {
    let shown = arguments.trace.to_string_lossy();
    let trace = match load::trace(&arguments.trace, &shown) {
        Ok(trace) => trace,
        Err(errors) => {
            say(errors);
            return Exit::BadInput;
        }
    };
    let comparison = match Comparison::new(&trace, &shown, &arguments.reports) {
        Ok(comparison) => comparison,
        Err(message) => {
            say(message);
            return Exit::BadInput;
        }
    };
    let text = match arguments.json {
        true => format!("{:#}\n", to_json(&comparison)),
        false => to_text(&comparison, arguments.all),
    };
    if !output::write(&text) {
        return Exit::BadInput;
    }
    match comparison.outcome() {
        Outcome::Agrees => Exit::Passed,
        Outcome::Differs => Exit::Failed,
        Outcome::Skipped(reason) => {
            say(format_args!("skipped: {reason}"));
            Exit::Skipped
        }
        Outcome::Broken(reason) => {
            say(format_args!("broken: {reason}"));
            Exit::Broken
        }
    }
}
