//! The command line of a test binary: libtest-mimic's own, and what it lacks of libtest's.
//!
//! Several filters at once, `--no-capture`, and names as people write them (`smb-rs::samba-4.17`).

use std::ffi::OsString;

use libtest_mimic::{Arguments, Trial};

use crate::naming;

/// A parsed command line.
pub(crate) struct CommandLine {
    /// What libtest-mimic reads.
    pub(crate) mimic: Arguments,
    /// Filters of which one must match; set only when there are several.
    filters: Vec<String>,
}

impl CommandLine {
    /// Parses what follows the program's name. Ends the process on `--help` and on mistakes, before
    /// anything has been started.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Self {
        let (rest, mut filters) = split(arguments);
        let mut mimic = Arguments::from_iter(std::iter::once("suite".into()).chain(rest));
        for text in filters.iter_mut().chain(&mut mimic.skip) {
            *text = naming::as_written(text);
        }
        if filters.len() == 1 {
            mimic.filter = filters.pop();
        }
        Self { mimic, filters }
    }

    /// Leaves out the trials that none of several filters matches.
    pub(crate) fn select(&self, trials: &mut Vec<Trial>) {
        if self.filters.is_empty() {
            return;
        }
        trials.retain(|trial| {
            self.filters.iter().any(|filter| match self.mimic.exact {
                true => trial.name() == filter,
                false => trial.name().contains(filter),
            })
        });
    }
}

/// The options, and the filters.
fn split(arguments: impl IntoIterator<Item = OsString>) -> (Vec<OsString>, Vec<String>) {
    const WITH_VALUE: &[&str] = &[
        "--test-threads",
        "--logfile",
        "--skip",
        "--color",
        "--format",
        "-Z",
    ];
    let (mut options, mut filters) = (Vec::new(), Vec::new());
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        if text == "--no-capture" {
            options.push("--nocapture".into());
        } else if WITH_VALUE.contains(&&*text) {
            options.push(argument);
            options.extend(arguments.next());
        } else if text == "--" {
            filters.extend(
                arguments
                    .by_ref()
                    .map(|rest| rest.to_string_lossy().into_owned()),
            );
        } else if text.starts_with('-') {
            options.push(argument);
        } else {
            filters.push(text.into_owned());
        }
    }
    (options, filters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(arguments: &[&str]) -> Vec<String> {
        let line = CommandLine::parse(arguments.iter().map(OsString::from));
        let names = [
            "lock::a::native::s_4_17",
            "lock::b::smb_rs::s_4_17",
            "open::a::native::s_4_17",
        ];
        let mut trials = names.map(|name| Trial::test(name, || Ok(()))).into();
        line.select(&mut trials);
        trials.retain(|trial| !line.mimic.is_filtered_out(trial));
        trials.iter().map(|trial| trial.name().to_owned()).collect()
    }

    #[test]
    fn several_filters_are_alternatives() {
        assert_eq!(selected(&[]).len(), 3);
        assert_eq!(selected(&["lock"]).len(), 2);
        assert_eq!(selected(&["b::", "open"]).len(), 2);
        assert_eq!(
            selected(&["--exact", "lock", "open::a::native::s-4.17"]).len(),
            1
        );
        assert_eq!(selected(&["--skip", "lock", "--no-capture"]).len(), 1);
        assert_eq!(selected(&["smb-rs::s-4.17"]), ["lock::b::smb_rs::s_4_17"]);
        assert_eq!(selected(&["--test-threads", "1", "--", "open"]).len(), 1);
    }
}
