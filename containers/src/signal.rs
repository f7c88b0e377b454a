//! Being asked to end.

use std::future::pending;

use tokio::signal::unix::{SignalKind, signal};

/// Waits until this process is asked to end, by SIGINT (Ctrl-C) or SIGTERM: stop the servers then, and exit with the
/// code that the future gives, 128 and the signal's number.
///
/// From the call on, before the future is awaited, these signals do not end the process by themselves any more. The
/// future never ends where signals cannot be received.
///
/// # Panics
///
/// Outside of a tokio runtime with its drivers enabled.
pub fn shutdown_signal() -> impl Future<Output = i32> + Send {
    let interrupt = signal(SignalKind::interrupt());
    let terminate = signal(SignalKind::terminate());
    async {
        match (interrupt, terminate) {
            (Ok(mut interrupt), Ok(mut terminate)) => tokio::select! {
                _ = interrupt.recv() => 130,
                _ = terminate.recv() => 143,
            },
            _ => pending().await,
        }
    }
}
