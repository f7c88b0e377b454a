//! How a server is started: which sources may be asked, and what is said while it takes long.

use std::{fmt, sync::Arc};

use crate::{ServerError, Source};

/// Who is told, a line at a time, what takes long (an image being built). Without one only `tracing` hears of it.
pub type Progress = Arc<dyn Fn(&str) + Send + Sync>;

/// How [`start`](crate::start) goes about it.
#[derive(Clone, Default)]
pub struct StartOptions {
    /// The sources that may be asked, in this order.
    pub sources: Vec<Source>,
    /// Takes a local `smbd` of another version than the one asked for.
    pub any_version: bool,
    /// Lines for the `[global]` section of the server's smb.conf, each `name = value`.
    pub extra: Vec<String>,
    /// Who is told what takes long.
    pub progress: Option<Progress>,
}

impl StartOptions {
    /// What the environment asks for: `SMB_REPLAY_SOURCE` (`auto`, `external`, `docker`, `local`) and
    /// `SMB_REPLAY_ANY_VERSION=1`.
    ///
    /// # Errors
    ///
    /// [`ServerError::Environment`] when a variable holds something else.
    pub fn from_env() -> Result<Self, ServerError> {
        unimplemented!()
    }
}

impl fmt::Debug for StartOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartOptions")
            .field("sources", &self.sources)
            .field("any_version", &self.any_version)
            .field("extra", &self.extra)
            .finish_non_exhaustive()
    }
}
