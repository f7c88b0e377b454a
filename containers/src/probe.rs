//! The NEGOTIATE that tells whether a server is ready: a TCP connection that is accepted says nothing, because Docker's
//! proxy accepts before anything listens behind it.
//!
//! One request with every dialect from 2.0.2 to 3.1.1 (MS-SMB2 2.2.3), and of the response (2.2.4) who the server is.
//! Logging in is left to the backends.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use smb_wire::{
    Command, Dialect, Guid, HashAlgorithm, Header, Request, Response, SecurityMode, encode_request,
    framing,
    messages::{NegotiateContext, NegotiateRequest},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

/// How long one NEGOTIATE may take.
const ATTEMPT: Duration = Duration::from_secs(1);
/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(15);
/// Longer responses are not read: a security blob has a few hundred bytes.
const LONGEST: usize = 64 * 1024;

/// A server that has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Negotiated {
    /// Its ServerGuid. Samba puts its NetBIOS name there.
    guid: Guid,
}

impl Negotiated {
    /// Whether this is the Samba that was started with the NetBIOS name `name`, and not another server which has the
    /// port by chance.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        let name = name.as_bytes();
        let name = &name[..name.len().min(16)];
        self.guid.0[..name.len()].eq_ignore_ascii_case(name)
    }
}

/// Negotiates once, within `limit`.
pub(crate) async fn negotiate(address: SocketAddr, limit: Duration) -> io::Result<Negotiated> {
    timeout(limit, exchange(address)).await.unwrap_or_else(|_| {
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "no answer to a NEGOTIATE in time",
        ))
    })
}

/// Negotiates until it succeeds or `limit` has passed; gives the last attempt's error. `gone` is asked before each
/// attempt and ends the wait with its reason.
pub(crate) async fn ready<F>(
    address: SocketAddr,
    limit: Duration,
    mut gone: F,
) -> io::Result<Negotiated>
where
    F: AsyncFnMut() -> Option<String>,
{
    let end = Instant::now() + limit;
    loop {
        if let Some(reason) = gone().await {
            return Err(io::Error::other(reason));
        }
        match negotiate(address, ATTEMPT).await {
            Ok(negotiated) => return Ok(negotiated),
            Err(error) if Instant::now() >= end => return Err(error),
            Err(_) => sleep(PAUSE).await,
        }
    }
}

async fn exchange(address: SocketAddr) -> io::Result<Negotiated> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    stream.write_all(&request()?).await?;
    let mut prefix = [0; framing::PREFIX];
    stream.read_exact(&mut prefix).await?;
    let length = u32::from_be_bytes(prefix) as usize;
    if length > LONGEST {
        return Err(bad("the response is too long"));
    }
    let mut response = vec![0; length];
    stream.read_exact(&mut response).await?;
    parse(&response)
}

/// The request with its Direct TCP prefix (MS-SMB2 2.1).
fn request() -> io::Result<Vec<u8>> {
    let (mut client_guid, mut salt) = ([0; 16], vec![0; 32]);
    for random in [&mut client_guid[..], &mut salt[..]] {
        getrandom::fill(random).map_err(io::Error::other)?;
    }
    let request = Request::Negotiate(NegotiateRequest {
        security_mode: SecurityMode::SIGNING_ENABLED,
        client_guid: Guid(client_guid),
        dialects: vec![
            Dialect::SMB_2_0_2,
            Dialect::SMB_2_1,
            Dialect::SMB_3_0,
            Dialect::SMB_3_0_2,
            Dialect::SMB_3_1_1,
        ],
        negotiate_contexts: vec![NegotiateContext::PreauthIntegrity {
            hash_algorithms: vec![HashAlgorithm::SHA_512],
            salt,
        }],
        ..Default::default()
    });
    let header = Header {
        credits: 1,
        ..Header::default()
    };
    let mut frame = Vec::new();
    framing::append_frame(&mut frame, &encode_request(&header, &request))
        .map_err(io::Error::other)?;
    Ok(frame)
}

/// Reads a response without its Direct TCP prefix. The bytes are whatever a server sent.
fn parse(response: &[u8]) -> io::Result<Negotiated> {
    let header = Header::decode(response).map_err(bad)?;
    if header.command != Command::NEGOTIATE || !header.is_response() {
        return Err(bad("the response is no NEGOTIATE response"));
    }
    if header.status != 0 {
        let status = header.status;
        return Err(bad(format!(
            "the NEGOTIATE was answered with status 0x{status:08x}"
        )));
    }
    match Response::decode(response).map_err(bad)? {
        Response::Negotiate(response) => Ok(Negotiated {
            guid: response.server_guid,
        }),
        _ => Err(bad("the response is no NEGOTIATE response")),
    }
}

fn bad(text: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use smb_wire::{Flags, FrameBuilder, messages::NegotiateResponse};
    use tokio::net::TcpListener;

    use super::*;

    fn response() -> Vec<u8> {
        let response = Response::Negotiate(NegotiateResponse {
            dialect_revision: Dialect::SMB_3_1_1,
            server_guid: Guid(*b"SR1A2B3\0\0\0\0\0\0\0\0\0"),
            ..Default::default()
        });
        let header = Header {
            flags: Flags::SERVER_TO_REDIR,
            ..Header::default()
        };
        let mut builder = FrameBuilder::new();
        builder.response(&header, &response);
        builder.finish()
    }

    #[test]
    fn every_dialect_is_offered() {
        let frame = request().expect("random bytes");
        let message = &frame[framing::PREFIX..];
        assert_eq!(frame[..framing::PREFIX], [0, 0, 0, 158]);
        let Ok(Request::Negotiate(request)) = Request::decode(message) else {
            panic!("{message:?}")
        };
        let dialects: Vec<_> = request.dialects.iter().map(|dialect| dialect.0).collect();
        assert_eq!(dialects, [0x0202, 0x0210, 0x0300, 0x0302, 0x0311]);
        assert_ne!(request.client_guid, Guid::default());
    }

    #[test]
    fn a_response_gives_the_name() {
        let negotiated = parse(&response()).expect("well formed");
        assert!(negotiated.is_named("sr1a2b3") && !negotiated.is_named("SR1A2B4"));
    }

    #[test]
    fn whatever_a_server_sends_is_an_error_and_no_panic() {
        let good = response();
        for length in 0..128 {
            assert!(parse(&good[..length]).is_err(), "{length} bytes");
        }
        // ProtocolId, Status, Command, Flags, StructureSize.
        for at in [0, 8, 12, 16, 64] {
            let mut bytes = good.clone();
            bytes[at] ^= 0x5b;
            assert!(parse(&bytes).is_err(), "byte {at}");
        }
        assert!(parse(&[0xff; 400]).is_err());
    }

    #[tokio::test]
    async fn a_server_that_accepts_and_says_nothing_is_not_ready() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let begun = Instant::now();
        let error = negotiate(address, Duration::from_millis(200))
            .await
            .expect_err("silent");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() < Duration::from_secs(2));
    }

    #[tokio::test]
    async fn waiting_ends_when_the_server_is_gone() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        drop(listener);
        let mut asked = 0;
        let error = ready(address, Duration::from_secs(30), async || {
            asked += 1;
            (asked > 3).then(|| "it exited".to_owned())
        })
        .await
        .expect_err("nobody listens");
        assert!(error.to_string().contains("it exited"));
    }
}
