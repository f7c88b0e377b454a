//! `smb-replay cut`: a part of a trace, with the state that it needs.

use std::ops::Range;

use replay_import::{Selection, cut};

use super::commands::CutArguments;
use super::convert::{self, Encoding};
use super::{Exit, output, say};
use crate::load;

/// Writes the part; what was kept goes to stderr.
pub(super) fn run(arguments: &CutArguments) -> Exit {
    let encoding = match arguments.output.as_deref().map(Encoding::of) {
        None => Encoding::Text,
        Some(Some(encoding)) => encoding,
        Some(None) => {
            say("--output: a name in .ir, .ir.jsonl or .ir.jsonl.zst is needed");
            return Exit::Usage;
        }
    };
    let written = [("--output", arguments.output.as_deref())];
    if let Err(exit) = output::apart(&[&arguments.trace], &written) {
        return exit;
    }
    let trace = match load::trace(&arguments.trace, &arguments.trace.to_string_lossy()) {
        Ok(trace) => trace,
        Err(errors) => {
            say(errors);
            return Exit::BadInput;
        }
    };
    let nanoseconds =
        |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let time = match (arguments.from, arguments.to) {
        (None, None) => None,
        (from, to) => Some(from.map_or(0, nanoseconds)..to.map_or(u64::MAX, nanoseconds)),
    };
    let slashes = |path: &String| path.replace('\\', "/").trim_matches('/').to_owned();
    let selection = Selection {
        clients: arguments.client.clone(),
        paths: arguments.path.iter().map(slashes).collect(),
        time,
        steps: arguments.steps.clone(),
    };
    let (part, kept) = match cut(&trace, &selection) {
        Ok(cut) => cut,
        Err(error) => {
            say(format_args!("{}: {error}", arguments.trace.display()));
            return Exit::BadInput;
        }
    };
    say(format_args!(
        "{} of {} steps, and {} that they need",
        kept.chosen, kept.of, kept.needed
    ));
    if kept.checks_left_out > 0 {
        say(format_args!(
            "{} checks are about steps that are left out",
            kept.checks_left_out
        ));
    }
    match &arguments.output {
        Some(path) => convert::write(&part, path, encoding),
        None => convert::write_to_stdout(&part, encoding),
    }
}

/// `5..90`: the steps with these numbers, from 1, the last one included; either end may be left out.
pub(super) fn steps(text: &str) -> Result<Range<usize>, String> {
    let wrong = || "two numbers as in 5..90 are needed; one of them may be left out".to_owned();
    let (first, last) = text.split_once("..").ok_or_else(wrong)?;
    let number = |text: &str, default| match text {
        "" => Ok(default),
        text => text.parse::<usize>().map_err(|_| wrong()),
    };
    let (first, last) = (number(first, 1)?, number(last, usize::MAX - 1)?);
    match first >= 1 && first <= last && last < usize::MAX {
        true => Ok(first..last + 1),
        false => Err("the first step is 1, and the last is not before the first".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_a_range_with_both_ends() {
        assert_eq!(steps("5..90"), Ok(5..91));
        assert_eq!(steps("7..").map(|range| range.start), Ok(7));
        assert_eq!(steps("..7"), Ok(1..8));
        for wrong in ["", "5", "9..8", "0..5", "a..b", "1..99999999999999999999"] {
            assert!(steps(wrong).is_err(), "{wrong}");
        }
    }
}
