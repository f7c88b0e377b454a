//! Replays for tools that put something between the client and the server; not part of the public interface.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use replay_engine::{Backend, RunOptions, RunReport, Site};
use replay_ir::Trace;

use crate::replay::{Request, replay};
use crate::servers::{POOL, ServerSpec, Shared};

/// A running server.
pub struct Lab {
    shared: Arc<Shared>,
}

impl Lab {
    /// Starts the server of this name, as `smb-replay run --server` takes it. The error is a text for a person.
    pub async fn start(server: &str) -> Result<Self, String> {
        let spec: ServerSpec = server
            .parse()
            .map_err(|error| format!("{server}: {error}"))?;
        let shared = POOL
            .get(&spec, Some(Arc::new(|line| eprintln!("{line}"))))
            .await?;
        Ok(Self { shared })
    }

    /// Replays a trace in a directory of its own. `through` is told where the server is and as whom the trace's
    /// clients log in, and says where they connect instead.
    pub async fn replay(
        &self,
        case: &str,
        trace: Arc<Trace>,
        backend: Arc<dyn Backend>,
        options: RunOptions,
        through: &(dyn Fn(&Site) -> io::Result<SocketAddr> + Sync),
    ) -> Result<RunReport, String> {
        let request = Request {
            case,
            trace,
            backend,
            options,
            kerberos: false,
            keep_failed: false,
            through: Some(through),
        };
        replay(&self.shared, request)
            .await
            .map(|replayed| replayed.run)
    }

    /// Stops it; what could not be stopped or removed comes back, a line each.
    pub async fn stop(self) -> Vec<String> {
        drop(self.shared);
        POOL.stop().await
    }
}
