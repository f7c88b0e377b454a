//! Being asked to end.

/// Returns when this process is asked to end, by SIGINT (Ctrl-C) or SIGTERM: stop the servers, then exit with the code
/// that is returned, 128 and the signal's number. Once it has been called those signals do not end the process by
/// themselves any more. Never returns where signals cannot be received.
pub async fn shutdown_signal() -> i32 {
    use tokio::signal::unix::{SignalKind, signal};

    match (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) {
        (Ok(mut interrupt), Ok(mut terminate)) => tokio::select! {
            _ = interrupt.recv() => 130,
            _ = terminate.recv() => 143,
        },
        _ => std::future::pending().await,
    }
}
