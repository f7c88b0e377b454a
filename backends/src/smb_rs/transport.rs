//! The byte stream below the `smb` crate: one TCP connection with TCP_NODELAY set, and one write for each frame.
//!
//! The crate's own `TcpTransport` leaves Nagle's algorithm on and writes a frame's length and its body apart, so that
//! the body waits for the delayed acknowledgement of the length: 44 ms an operation. Here a frame is one buffer and
//! one write. The two halves are shared, so that the crate can negotiate on the connection
//! (`Connection::from_transport`) and give it back afterwards. What is in a frame is left to [`super::channel`].
//!
//! Frames are those of direct TCP transport, MS-SMB2 2.1: a zero byte, a length of 24 bits, the message.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use smb::transport::{IoVec, SmbTransport, SmbTransportRead, SmbTransportWrite, TransportError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// What the methods of the crate's transport traits return (the same type as `futures_core::future::BoxFuture`).
type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T, TransportError>> + Send + 'a>>;

/// The longest message that a frame can hold.
const LONGEST_MESSAGE: usize = 0x00ff_ffff;

/// The receiving half. Clones share the connection.
pub(super) struct FrameReader<R>(Arc<Mutex<Incoming<R>>>);

struct Incoming<R> {
    stream: BufReader<R>,
    /// The first message on the connection, of which the crate keeps only a part.
    first: Option<Vec<u8>>,
}

/// The sending half. Clones share the connection.
pub(super) struct FrameWriter<W>(Arc<Mutex<W>>);

/// Both halves and the address of the other end.
#[derive(Clone)]
pub(super) struct NoDelayTransport {
    /// What comes in.
    pub(super) reader: FrameReader<OwnedReadHalf>,
    /// What goes out.
    pub(super) writer: FrameWriter<OwnedWriteHalf>,
    peer: SocketAddr,
}

impl<R> Clone for FrameReader<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<W> Clone for FrameWriter<W> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl NoDelayTransport {
    /// Connects within `bound`.
    pub(super) async fn connect(address: SocketAddr, bound: Duration) -> io::Result<Self> {
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, format!("no answer in {bound:?}"));
        let stream = timeout(bound, TcpStream::connect(address))
            .await
            .map_err(late)??;
        Self::over(stream)
    }

    fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let peer = stream.peer_addr()?;
        let (reader, writer) = stream.into_split();
        Ok(Self {
            reader: FrameReader::new(reader),
            writer: FrameWriter::new(writer),
            peer,
        })
    }
}

impl<R: AsyncRead + Unpin + Send> FrameReader<R> {
    fn new(inner: R) -> Self {
        const BUFFER: usize = 64 * 1024;
        let stream = BufReader::with_capacity(BUFFER, inner);
        Self(Arc::new(Mutex::new(Incoming {
            stream,
            first: None,
        })))
    }

    /// The first message that the crate received.
    pub(super) async fn take_first(&self) -> Option<Vec<u8>> {
        self.0.lock().await.first.take()
    }

    /// The next message without its length. The end of the stream is [`io::ErrorKind::UnexpectedEof`].
    pub(super) async fn next(&self) -> io::Result<Vec<u8>> {
        let stream = &mut self.0.lock().await.stream;
        let [kind, length @ ..] = stream.read_u32().await?.to_be_bytes();
        if kind != 0 {
            let what = format!("a frame that starts with {kind:#04x} instead of a zero byte");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        let length = length
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        // A hostile length costs no memory before its bytes have arrived.
        let mut message = Vec::with_capacity(length.min(64 * 1024));
        stream.take(length as u64).read_to_end(&mut message).await?;
        if message.len() < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(message)
    }
}

impl<W: AsyncWrite + Unpin + Send> FrameWriter<W> {
    fn new(inner: W) -> Self {
        Self(Arc::new(Mutex::new(inner)))
    }

    /// Sends the parts of one message as one frame, in one write where the socket takes it whole.
    pub(super) async fn send(&self, parts: &[IoVec]) -> io::Result<()> {
        let length = parts.iter().map(IoVec::total_size).sum::<usize>();
        if length > LONGEST_MESSAGE {
            let what = format!("a message of {length} bytes does not fit into a frame");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let mut frame = Vec::with_capacity(4 + length);
        frame.extend_from_slice(&(length as u32).to_be_bytes());
        for part in parts.iter().flat_map(|part| part.iter()) {
            frame.extend_from_slice(part);
        }
        self.0.lock().await.write_all(&frame).await
    }

    /// Says to the other end that nothing more will come.
    pub(super) async fn shutdown(&self) -> io::Result<()> {
        self.0.lock().await.shutdown().await
    }
}

/// Every error ends the crate's receive loop: on any other than `NotConnected` it would log and try again for ever.
fn ended(error: io::Error) -> TransportError {
    tracing::debug!(%error, "transport ended");
    TransportError::NotConnected
}

impl<R: AsyncRead + Unpin + Send> SmbTransportRead for FrameReader<R> {
    fn receive_exact<'a>(&'a mut self, out: &'a mut [u8]) -> Boxed<'a, ()> {
        Box::pin(async move {
            self.0
                .lock()
                .await
                .stream
                .read_exact(out)
                .await
                .map(drop)
                .map_err(ended)
        })
    }

    fn receive<'a>(&'a mut self) -> Boxed<'a, Vec<u8>> {
        Box::pin(async move {
            let message = self.next().await.map_err(ended)?;
            self.0
                .lock()
                .await
                .first
                .get_or_insert_with(|| message.clone());
            Ok(message)
        })
    }
}

impl<W: AsyncWrite + Unpin + Send> SmbTransportWrite for FrameWriter<W> {
    fn send_raw<'a>(&'a mut self, bytes: &'a [u8]) -> Boxed<'a, ()> {
        Box::pin(async move { self.0.lock().await.write_all(bytes).await.map_err(ended) })
    }

    fn send<'a>(&'a mut self, message: &'a IoVec) -> Boxed<'a, ()> {
        let parts = std::slice::from_ref(message);
        Box::pin(async move { FrameWriter::send(self, parts).await.map_err(ended) })
    }
}

impl SmbTransportRead for NoDelayTransport {
    fn receive_exact<'a>(&'a mut self, out: &'a mut [u8]) -> Boxed<'a, ()> {
        self.reader.receive_exact(out)
    }

    fn receive<'a>(&'a mut self) -> Boxed<'a, Vec<u8>> {
        self.reader.receive()
    }
}

impl SmbTransportWrite for NoDelayTransport {
    fn send_raw<'a>(&'a mut self, bytes: &'a [u8]) -> Boxed<'a, ()> {
        self.writer.send_raw(bytes)
    }

    fn send<'a>(&'a mut self, message: &'a IoVec) -> Boxed<'a, ()> {
        SmbTransportWrite::send(&mut self.writer, message)
    }
}

impl SmbTransport for NoDelayTransport {
    fn connect<'a>(&'a mut self, _server: &'a str, _address: SocketAddr) -> Boxed<'a, ()> {
        Box::pin(async { Err(TransportError::AlreadyConnected) })
    }

    fn default_port(&self) -> u16 {
        445
    }

    fn split(
        self: Box<Self>,
    ) -> Result<(Box<dyn SmbTransportRead>, Box<dyn SmbTransportWrite>), TransportError> {
        Ok((Box::new(self.reader), Box::new(self.writer)))
    }

    fn remote_address(&self) -> Result<SocketAddr, TransportError> {
        Ok(self.peer)
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll};

    use tokio::net::TcpListener;

    use super::*;

    /// Takes everything that it is given and counts how often that is.
    #[derive(Default)]
    struct Counting {
        writes: usize,
        bytes: Vec<u8>,
    }

    impl AsyncWrite for Counting {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.writes += 1;
            self.bytes.extend_from_slice(bytes);
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn a_message_of_several_parts_is_one_write() {
        let mut writer = FrameWriter::new(Counting::default());
        let mut message = IoVec::from(b"header".to_vec());
        message.add_shared(Arc::from(&b"payload"[..]));
        SmbTransportWrite::send(&mut writer, &message)
            .await
            .unwrap();
        {
            let sent = writer.0.lock().await;
            assert_eq!(sent.writes, 1);
            assert_eq!(sent.bytes, b"\x00\x00\x00\x0dheaderpayload");
        }
        writer.send(&[message.clone(), message]).await.unwrap();
        assert_eq!(writer.0.lock().await.writes, 2);
    }

    #[tokio::test]
    async fn a_message_that_no_frame_can_hold_is_refused() {
        let writer = FrameWriter::new(Counting::default());
        let error = writer
            .send(&[IoVec::from(vec![0; LONGEST_MESSAGE + 1])])
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(writer.0.lock().await.writes, 0);
    }

    #[tokio::test]
    async fn the_connection_sends_without_delay() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let transport = NoDelayTransport::connect(address, Duration::from_secs(5))
            .await
            .unwrap();
        assert!(transport.writer.0.lock().await.as_ref().nodelay().unwrap());
        assert_eq!(transport.remote_address().unwrap(), address);
    }

    #[tokio::test]
    async fn frames_are_read_one_by_one() {
        let reader = FrameReader::new(&b"\0\0\0\x02ab\0\0\0\0\0\0\0\x01c"[..]);
        assert_eq!(reader.next().await.unwrap(), b"ab");
        assert_eq!(reader.next().await.unwrap(), b"");
        assert_eq!(reader.next().await.unwrap(), b"c");
        assert_eq!(
            reader.next().await.unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );
    }

    #[tokio::test]
    async fn a_frame_that_is_cut_off_or_no_frame_is_an_error() {
        let cut = FrameReader::new(&b"\0\xff\xff\xffshort"[..]);
        assert_eq!(
            cut.next().await.unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );
        let other = FrameReader::new(&b"HTTP/1.1 400"[..]);
        assert_eq!(
            other.next().await.unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
    }

    #[tokio::test]
    async fn the_crate_is_told_that_the_connection_ended_whatever_the_error() {
        let mut other = FrameReader::new(&b"HTTP/1.1 400"[..]);
        assert!(matches!(
            other.receive().await,
            Err(TransportError::NotConnected)
        ));
    }
}
