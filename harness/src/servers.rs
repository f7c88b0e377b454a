//! The servers of a process: each is started when the first case needs it, shared by all that
//! follow, and stopped before the process ends.
//!
//! Where a server comes from is the business of `samba-servers`.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use samba_servers::{Liveness, Server, StartOptions};
pub use samba_servers::{ServerError, ServerSpec};
use tokio::sync::OnceCell;

/// How long stopping one server may take.
const STOPPING: Duration = Duration::from_secs(20);

/// A standalone Samba of this version: `4.13`, `4.17` or `4.22`.
///
/// # Errors
///
/// A version that there is none of.
pub fn samba(version: &str) -> Result<ServerSpec, ServerError> {
    ServerSpec::samba(version)
}

/// A Samba Active Directory domain controller that serves the test shares.
///
/// # Errors
///
/// None; the result is for the sake of the other functions here.
pub fn samba_ad() -> Result<ServerSpec, ServerError> {
    Ok(ServerSpec::samba_ad())
}

/// The same, with clients that log in by Kerberos unless their line says otherwise.
///
/// # Errors
///
/// None, as with [`samba_ad`].
pub fn samba_ad_kerberos() -> Result<ServerSpec, ServerError> {
    Ok(ServerSpec::samba_ad_kerberos())
}

/// A Samba file server that is a member of the domain of such a controller, which is started with it.
///
/// # Errors
///
/// None, as with [`samba_ad`].
pub fn samba_ad_member() -> Result<ServerSpec, ServerError> {
    Ok(ServerSpec::samba_ad_member())
}

/// The same, with clients that log in by Kerberos unless their line says otherwise.
///
/// # Errors
///
/// None, as with [`samba_ad`].
pub fn samba_ad_member_kerberos() -> Result<ServerSpec, ServerError> {
    Ok(ServerSpec::samba_ad_member_kerberos())
}

/// A server that runs already: `smb://host:port/share`.
///
/// # Errors
///
/// An address that cannot be read.
pub fn external(address: &str) -> Result<ServerSpec, ServerError> {
    address.parse()
}

/// The servers of this process.
pub(crate) static POOL: LazyLock<Pool> = LazyLock::new(Pool::default);

/// Servers by what they must be.
#[derive(Default)]
pub(crate) struct Pool {
    slots: Mutex<HashMap<String, Arc<Slot>>>,
}

/// One server, started once; or the reason why there is none.
type Slot = OnceCell<Result<Arc<Shared>, String>>;

/// A running server that several cases use.
pub(crate) struct Shared {
    pub(crate) server: Server,
    /// Why it can be used no more.
    gone: OnceLock<String>,
}

impl Pool {
    /// The server for this text form of a spec, started if it is not there yet. The error is the
    /// message of what was tried; the same for all cases that ask.
    pub(crate) async fn get(
        &self,
        spec: &ServerSpec,
        progress: Option<samba_servers::Progress>,
    ) -> Result<Arc<Shared>, String> {
        let spec = &spec.to_start();
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(spec.to_string()).or_default())
        };
        let start = async || {
            let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
            let external =
                matches!(spec, ServerSpec::External { .. }) || is_set("SMB_REPLAY_SERVER");
            if external && is_set("SMB_REPLAY_AD") || !external && spec.in_domain() {
                let available = tokio::task::spawn_blocking(ldap_provision::available).await;
                available
                    .map_err(|error| error.to_string())?
                    .map_err(|error| error.to_string())?;
            }
            let mut options = StartOptions::from_env().map_err(|error| error.to_string())?;
            options.progress = progress;
            let server = samba_servers::start(spec, &options).await;
            let server = server.map_err(|none| none.to_string())?;
            tracing::info!(server = server.describe(), "the server runs");
            Ok(Arc::new(Shared {
                server,
                gone: OnceLock::new(),
            }))
        };
        slot.get_or_init(start).await.clone()
    }

    /// Stops all of them; what could not be stopped or removed comes back, a line each.
    pub(crate) async fn stop(&self) -> Vec<String> {
        let slots = std::mem::take(&mut *self.slots.lock().unwrap_or_else(PoisonError::into_inner));
        let mut troubles = Vec::new();
        for (spec, slot) in slots {
            let shared = Arc::into_inner(slot)
                .and_then(OnceCell::into_inner)
                .and_then(Result::ok);
            // A case that was abandoned may still hold it; then it ends with the process.
            let Some(shared) = shared.and_then(Arc::into_inner) else {
                continue;
            };
            match tokio::time::timeout(STOPPING, shared.server.stop()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => troubles.push(format!("stopping {spec}: {error}")),
                Err(_) => {
                    let limit = STOPPING.as_secs();
                    troubles.push(format!("stopping {spec} took longer than {limit} s"));
                }
            }
        }
        troubles
    }
}

impl Shared {
    /// Why it can be used no more, if a case has found it gone.
    pub(crate) fn known_gone(&self) -> Option<&str> {
        self.gone.get().map(String::as_str)
    }

    /// Asks whether it is still there; the reason if not. Takes about 2 seconds at most.
    pub(crate) async fn gone(&self) -> Option<String> {
        if let Some(reason) = self.known_gone() {
            return Some(reason.to_owned());
        }
        match self.server.is_alive().await {
            Liveness::Alive => None,
            Liveness::Unresponsive { reason } => Some(format!("the server hangs: {reason}")),
            Liveness::Gone { reason } => {
                let reason = format!("the server went away: {reason}");
                Some(self.gone.get_or_init(|| reason).clone())
            }
        }
    }
}
