//! What the environment says about a run. Read once, in one place; `docs/suites.md` lists it.

use std::path::PathBuf;

/// The settings of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// `SMB_REPLAY_REQUIRE=1` or `CI=true`: a case without a server fails instead of being skipped.
    pub(crate) require: bool,
    /// `SMB_REPLAY_KEEP=1`: the directory of a failed case stays on the server.
    pub(crate) keep: bool,
    /// `SMB_REPLAY_ARTIFACTS`: where artefacts and reports go.
    pub(crate) artifacts: Option<PathBuf>,
    /// `IR_UPDATE`: which expectations are rewritten.
    pub(crate) update: Update,
    /// `SMB_REPLAY_LACKS`: what a server at an address does not have.
    pub(crate) lacks: Vec<String>,
    /// `NEXTEST_RUN_ID`: set when this process runs one test of a run of nextest.
    pub(crate) nextest_run: Option<String>,
}

/// `IR_UPDATE`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Update {
    /// None.
    #[default]
    No,
    /// Those that are `?`.
    New,
    /// All that differ from what came.
    Overwrite,
}

impl Settings {
    /// From the process's environment; the error is a sentence.
    pub(crate) fn from_env() -> Result<Self, String> {
        Self::read(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let get = |name: &str| get(name).filter(|value| !value.is_empty());
        let is_on = |name: &str| {
            get(name).is_some_and(|value| !matches!(value.as_str(), "0" | "false" | "no"))
        };
        let update = match get("IR_UPDATE").as_deref() {
            None | Some("no") => Update::No,
            Some("new") => Update::New,
            Some("overwrite") => Update::Overwrite,
            Some(other) => {
                return Err(format!(
                    "IR_UPDATE={other} is not one of: no, new, overwrite"
                ));
            }
        };
        if update != Update::No && is_on("CI") {
            return Err(
                "IR_UPDATE is refused when CI is set: expectations change only after a look"
                    .to_owned(),
            );
        }
        Ok(Self {
            require: is_on("SMB_REPLAY_REQUIRE") || is_on("CI"),
            keep: is_on("SMB_REPLAY_KEEP"),
            artifacts: get("SMB_REPLAY_ARTIFACTS").map(PathBuf::from),
            update,
            lacks: crate::needs::parse(&get("SMB_REPLAY_LACKS").unwrap_or_default())?,
            nextest_run: get("NEXTEST_RUN_ID"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        Settings::read(|name| {
            pairs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn ci_requires_servers_and_refuses_updates() {
        assert!(read(&[("CI", "true")]).expect("valid").require);
        assert!(!read(&[("CI", "false")]).expect("valid").require);
        assert!(read(&[("SMB_REPLAY_REQUIRE", "1")]).expect("valid").require);
        assert!(read(&[("CI", "true"), ("IR_UPDATE", "new")]).is_err());
        assert!(read(&[("CI", "true"), ("IR_UPDATE", "no")]).is_ok());
    }

    #[test]
    fn an_unknown_update_is_named() {
        let error = read(&[("IR_UPDATE", "yes")]).expect_err("no such word");
        assert!(error.contains("IR_UPDATE=yes"), "{error}");
        assert_eq!(read(&[]).expect("valid"), Settings::default());
    }
}
