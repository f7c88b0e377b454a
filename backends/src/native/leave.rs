//! Leaves a connection: nothing is said on it any more, and the server gets a moment to notice.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::time::{Instant, timeout_at};

/// How long the server gets.
const PATIENCE: Duration = Duration::from_secs(1);

/// Closes this end, and waits until the server has closed its own, which it does once it has noticed; at most a second. What
/// it still sends is read and forgotten, so that the end is one in order (FIN) whenever it comes.
pub(super) async fn leave(mut socket: OwnedWriteHalf) {
    let until = Instant::now() + PATIENCE;
    // An error is an end as well.
    let _ = timeout_at(until, socket.shutdown()).await;
    let mut forgotten = vec![0; 4096];
    while Instant::now() < until {
        let stream = socket.as_ref();
        if !matches!(timeout_at(until, stream.readable()).await, Ok(Ok(()))) {
            return;
        }
        match stream.try_read(&mut forgotten) {
            Ok(0) => return,
            Ok(_) => tokio::task::yield_now().await,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
