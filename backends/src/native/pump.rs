//! Moves the bytes of an established connection: reads frames for [`Shared::receive`], and writes what the socket did
//! not take at once. One task for each connection, without a buffer of its own while nothing is under way.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::net::tcp::OwnedReadHalf;

use super::connection::{End, Shared};
use super::frame::Inbox;

/// The reading side of a connection, with what the login has read beyond its last answer.
pub(super) struct Reader {
    /// The socket.
    pub(super) socket: OwnedReadHalf,
    /// The beginning of a frame.
    pub(super) inbox: Inbox,
}

/// Runs until the connection ends.
pub(super) async fn run(shared: Arc<Shared>, generation: u32, mut reader: Reader) {
    let end = poll_fn(|context| poll(&shared, generation, &mut reader, context)).await;
    if let Some(end) = end {
        shared.end_of(generation, end);
    }
}

/// `Ready(None)`: whoever looked at the last frame has ended the connection.
fn poll(
    shared: &Arc<Shared>,
    generation: u32,
    reader: &mut Reader,
    context: &mut Context<'_>,
) -> Poll<Option<End>> {
    let goes_on = Cell::new(true);
    let mut take = |frame: &[u8]| {
        goes_on.set(shared.receive(generation, frame));
        goes_on.get()
    };
    while let Poll::Ready(read) = reader
        .inbox
        .poll_read(&mut reader.socket, context, &mut take)
    {
        match read {
            Ok(0) if reader.inbox.is_partial() => {
                return lost("the server closed the connection in the middle of a frame");
            }
            Ok(0) => return lost("the server closed the connection"),
            Ok(_) if !goes_on.get() => return Poll::Ready(None),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Poll::Ready(Some(End::Violation(None, error.to_string())));
            }
            Err(error) => return lost(&format!("receiving failed: {error}")),
        }
    }
    flush(shared, generation, reader, context)
}

fn flush(
    shared: &Shared,
    generation: u32,
    reader: &Reader,
    context: &mut Context<'_>,
) -> Poll<Option<End>> {
    let mut state = shared.lock();
    if state.generation != generation {
        return Poll::Ready(None);
    }
    let Some(transport) = state.transport() else {
        return Poll::Ready(None);
    };
    match transport.poll_flush(reader.socket.as_ref(), context) {
        Poll::Ready(Err(error)) => lost(&format!("sending failed: {error}")),
        _ => Poll::Pending,
    }
}

fn lost(why: &str) -> Poll<Option<End>> {
    Poll::Ready(Some(End::Lost(why.to_owned())))
}
