//! The NEGOTIATE that tells whether a server is ready: a TCP connection that is accepted says nothing, because Docker's
//! proxy accepts before anything listens behind it.
//!
//! One request with every dialect from 2.0.2 to 3.1.1 (MS-SMB2 2.2.3), and as much of the response (2.2.4) as names the
//! dialect and the server. Logging in is left to the backends.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
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

/// What the server said of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Negotiated {
    /// The dialect it chose, for instance 0x0311.
    pub(crate) dialect: u16,
    /// Its ServerGuid. Samba puts its NetBIOS name there.
    pub(crate) guid: [u8; 16],
}

impl Negotiated {
    /// Whether this is the Samba that was started with the NetBIOS name `name`, and not another server which has the
    /// port by chance.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        let name = name.as_bytes();
        self.guid[..name.len().min(16)].eq_ignore_ascii_case(&name[..name.len().min(16)])
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
    let mut prefix = [0; 4];
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
    let mut random = [0; 48];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let (client_guid, salt) = random.split_at(16);

    let mut message = Vec::with_capacity(180);
    message.extend_from_slice(b"\xfeSMB");
    message.extend_from_slice(&64u16.to_le_bytes()); // StructureSize of the header
    message.extend_from_slice(&[0; 8]); // CreditCharge, Status, Command: NEGOTIATE
    message.extend_from_slice(&1u16.to_le_bytes()); // CreditRequest
    message.resize(64, 0); // Flags, NextCommand, MessageId, TreeId, SessionId, Signature

    let dialects = [0x0202u16, 0x0210, 0x0300, 0x0302, 0x0311];
    message.extend_from_slice(&36u16.to_le_bytes()); // StructureSize
    message.extend_from_slice(&(dialects.len() as u16).to_le_bytes());
    message.extend_from_slice(&1u16.to_le_bytes()); // SecurityMode: signing enabled
    message.extend_from_slice(&[0; 6]); // Reserved, Capabilities
    message.extend_from_slice(client_guid);
    message.extend_from_slice(&112u32.to_le_bytes()); // NegotiateContextOffset: 64 + 36 + 10, aligned to 8
    message.extend_from_slice(&1u32.to_le_bytes()); // NegotiateContextCount, Reserved2
    for dialect in dialects {
        message.extend_from_slice(&dialect.to_le_bytes());
    }
    message.resize(112, 0);
    // SMB2_PREAUTH_INTEGRITY_CAPABILITIES (2.2.3.1.1): SHA-512 and a salt of 32 bytes.
    for field in [1u16, 38, 0, 0, 1, 32, 1] {
        message.extend_from_slice(&field.to_le_bytes());
    }
    message.extend_from_slice(salt);

    let mut frame = (message.len() as u32).to_be_bytes().to_vec();
    frame.append(&mut message);
    Ok(frame)
}

/// Reads a response without its Direct TCP prefix. The bytes are whatever a server sent.
fn parse(response: &[u8]) -> io::Result<Negotiated> {
    let field = |at: usize| {
        response
            .get(at..at + 2)
            .map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
    };
    if response.get(..4) != Some(b"\xfeSMB") {
        return Err(bad("the response is not SMB2"));
    }
    let status = response
        .get(8..12)
        .map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    match (status, field(12), field(64)) {
        (Some(0), Some(0), Some(65)) => {}
        (Some(status), Some(0), _) if status != 0 => {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the NEGOTIATE was answered with status 0x{status:08x}"),
            ));
        }
        _ => return Err(bad("the response is no NEGOTIATE response")),
    }
    match (
        field(68),
        response.get(72..88).and_then(|guid| guid.try_into().ok()),
    ) {
        (Some(dialect), Some(guid)) => Ok(Negotiated { dialect, guid }),
        _ => Err(bad("the NEGOTIATE response is cut short")),
    }
}

fn bad(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn response() -> Vec<u8> {
        let mut bytes = vec![0; 129];
        bytes[..4].copy_from_slice(b"\xfeSMB");
        bytes[64] = 65;
        bytes[68..70].copy_from_slice(&0x0311u16.to_le_bytes());
        bytes[72..79].copy_from_slice(b"SR1A2B3");
        bytes
    }

    #[test]
    fn the_request_has_the_layout_of_ms_smb2() {
        let frame = request().expect("random bytes");
        assert_eq!(
            u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]) as usize,
            frame.len() - 4
        );
        let message = &frame[4..];
        assert_eq!(
            message.len(),
            112 + 8 + 38,
            "one context of 38 bytes, at the offset that is announced"
        );
        assert_eq!(
            &message[92..96],
            &112u32.to_le_bytes(),
            "NegotiateContextOffset"
        );
        assert_eq!(
            &message[112..116],
            &[1, 0, 38, 0],
            "ContextType and DataLength"
        );
    }

    #[test]
    fn a_response_gives_dialect_and_name() {
        let negotiated = parse(&response()).expect("well formed");
        assert_eq!(negotiated.dialect, 0x0311);
        assert!(negotiated.is_named("sr1a2b3") && !negotiated.is_named("SR1A2B4"));
    }

    #[test]
    fn whatever_a_server_sends_is_an_error_and_no_panic() {
        let good = response();
        for length in 0..88 {
            assert!(parse(&good[..length]).is_err(), "{length} bytes");
        }
        for at in [0, 8, 12, 64] {
            let mut bytes = good.clone();
            bytes[at] ^= 0x5a;
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
