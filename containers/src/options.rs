//! How a server is started: which sources may be asked, and what is said while it takes long.

use std::{env, fmt, sync::Arc};

use crate::{ServerError, Source};

/// Who is told, a line at a time, what takes long (an image being built). Without one only `tracing` hears of it.
pub type Progress = Arc<dyn Fn(&str) + Send + Sync>;

/// How [`start`](crate::start) goes about it.
#[derive(Clone)]
pub struct StartOptions {
    /// The sources that may be asked, in this order. [`Source::External`] counts only where `SMB_REPLAY_SERVER` names a
    /// server, and then no other is asked.
    pub sources: Vec<Source>,
    /// Takes a local `smbd` of another version than the one asked for.
    pub any_version: bool,
    /// Lines for the `[global]` section of the server's smb.conf, each `name = value`.
    pub extra: Vec<String>,
    /// Who is told what takes long.
    pub progress: Option<Progress>,
    /// The test run whose processes share the server, normally `NEXTEST_RUN_ID`; `None` for a server of this process's
    /// own.
    pub run: Option<String>,
}

impl Default for StartOptions {
    fn default() -> Self {
        let sources = vec![Source::External, Source::Docker, Source::Local];
        Self {
            sources,
            any_version: false,
            extra: Vec::new(),
            progress: None,
            run: None,
        }
    }
}

impl StartOptions {
    /// What the environment asks for: `SMB_REPLAY_SOURCE` (`auto`, `external`, `docker`, `local`),
    /// `SMB_REPLAY_ANY_VERSION` (`1` or `0`) and `NEXTEST_RUN_ID`.
    ///
    /// # Errors
    ///
    /// [`ServerError::Environment`] when a variable holds something else.
    pub fn from_env() -> Result<Self, ServerError> {
        Self::read(|name| env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ServerError> {
        let mut options = Self::default();
        if let Some(value) = variable("SMB_REPLAY_SOURCE") {
            options.sources = match value.as_str() {
                "auto" => options.sources,
                "external" => vec![Source::External],
                "docker" => vec![Source::Docker],
                "local" => vec![Source::Local],
                _ => {
                    return Err(bad(
                        "SMB_REPLAY_SOURCE",
                        value,
                        "it may be auto, external, docker or local",
                    ));
                }
            };
        }
        options.any_version = match variable("SMB_REPLAY_ANY_VERSION") {
            None => false,
            Some(value) if value == "0" => false,
            Some(value) if value == "1" => true,
            Some(value) => return Err(bad("SMB_REPLAY_ANY_VERSION", value, "it may be 0 or 1")),
        };
        options.run = variable("NEXTEST_RUN_ID");
        Ok(options)
    }
}

fn bad(variable: &'static str, value: String, reason: &str) -> ServerError {
    ServerError::Environment {
        variable,
        value,
        reason: reason.to_owned(),
    }
}

impl fmt::Debug for StartOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartOptions")
            .field("sources", &self.sources)
            .field("any_version", &self.any_version)
            .field("extra", &self.extra)
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<StartOptions, ServerError> {
        StartOptions::read(|name| {
            pairs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_environment_chooses_sources_and_run() {
        let options = read(&[]).expect("empty is fine");
        assert_eq!(
            options.sources,
            [Source::External, Source::Docker, Source::Local]
        );
        assert_eq!((options.any_version, options.run), (false, None));
        let pairs = [
            ("SMB_REPLAY_SOURCE", "local"),
            ("SMB_REPLAY_ANY_VERSION", "1"),
            ("NEXTEST_RUN_ID", "r1"),
        ];
        let options = read(&pairs).expect("all known");
        assert_eq!(
            (options.sources, options.any_version),
            (vec![Source::Local], true)
        );
        assert_eq!(options.run.as_deref(), Some("r1"));
    }

    #[test]
    fn a_wrong_value_says_what_is_right() {
        let error = read(&[("SMB_REPLAY_SOURCE", "podman")])
            .expect_err("unknown")
            .to_string();
        assert!(
            error.contains("podman") && error.contains("auto, external, docker or local"),
            "{error}"
        );
        assert!(read(&[("SMB_REPLAY_ANY_VERSION", "yes")]).is_err());
    }
}
