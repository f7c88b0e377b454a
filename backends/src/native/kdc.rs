//! The key distribution center: messages to it and back by TCP, and what its refusals mean.
//!
//! sspi makes and reads the messages. A refusal (KRB-ERROR) is looked at here as well, since SMB clients report it as the
//! NTSTATUS that a login by NTLM would have given.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use smb_wire::ntstatus;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::tickets::ShortTickets;

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(10);
/// Longer answers are not read: a ticket with many groups has some 64 KiB.
const LONGEST: usize = 1 << 20;

/// STATUS_ACCOUNT_DISABLED.
const ACCOUNT_DISABLED: u32 = 0xC000_0072;
/// STATUS_ACCOUNT_EXPIRED.
const ACCOUNT_EXPIRED: u32 = 0xC000_0193;
/// STATUS_PASSWORD_MUST_CHANGE.
const PASSWORD_MUST_CHANGE: u32 = 0xC000_0224;

/// KRB-ERROR, `[APPLICATION 30]` (RFC 4120 5.9.1).
const KRB_ERROR: u8 = 0x7e;
const SEQUENCE: u8 = 0x30;
/// `error-code [6]` and `e-data [12]` of it.
const ERROR_CODE: u8 = 0xa6;
const E_DATA: u8 = 0xac;
const OCTET_STRING: u8 = 0x04;

/// A realm's KDC.
pub(super) struct Kdc {
    address: SocketAddr,
    /// How long the tickets that are asked for last; `None` is as long as sspi asks for.
    short: Option<ShortTickets>,
    /// What the last answer refused, as an NTSTATUS.
    refusal: Option<u32>,
}

impl Kdc {
    pub(super) fn new(address: SocketAddr, short: Option<ShortTickets>) -> Self {
        Self {
            address,
            short,
            refusal: None,
        }
    }

    /// What the last answer refused.
    pub(super) fn refusal(&self) -> Option<u32> {
        self.refusal
    }

    /// Sends a message with its length in front (RFC 4120 7.2.2); the answer has it too.
    pub(super) async fn ask(&mut self, message: &[u8]) -> io::Result<Vec<u8>> {
        self.refusal = None;
        let mut message = message.to_vec();
        if let Some(short) = &self.short {
            let unfit = |why| io::Error::other(format!("a ticket's length cannot be set: {why}"));
            short.asked(&mut message).map_err(unfit)?;
        }
        let answer = timeout(ANSWER, exchange(self.address, &message))
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(|error| {
                let text = format!("the KDC at {}: {error}", self.address);
                io::Error::new(error.kind(), text)
            })?;
        self.refusal = answer.get(4..).and_then(refusal);
        if let Some(short) = &mut self.short {
            short.answered(&answer);
        }
        Ok(answer)
    }
}

async fn exchange(address: SocketAddr, message: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    stream.write_all(message).await?;
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    let size = u32::from_be_bytes(length) as usize;
    if size > LONGEST {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("an answer of {size} bytes"),
        ));
    }
    let mut answer = vec![0; 4 + size];
    answer[..4].copy_from_slice(&length);
    stream.read_exact(&mut answer[4..]).await?;
    Ok(answer)
}

/// The NTSTATUS of a KRB-ERROR about the client's account.
fn refusal(message: &[u8]) -> Option<u32> {
    let (tag, content, _) = element(message)?;
    let (inner, mut fields, _) = element(content)?;
    if tag != KRB_ERROR || inner != SEQUENCE {
        return None;
    }
    let (mut code, mut status) = (None, None);
    while let Some((tag, content, rest)) = element(fields) {
        match tag {
            ERROR_CODE => code = element(content).and_then(|(_, number, _)| integer(number)),
            E_DATA => status = extended(content, 4),
            _ => {}
        }
        fields = rest;
    }
    match (code?, status) {
        // KDC_ERR_PREAUTH_REQUIRED asks, it does not refuse.
        (25, _) => None,
        (_, Some(status)) => Some(status),
        // KDC_ERR_NAME_EXP, C_PRINCIPAL_UNKNOWN, CLIENT_REVOKED, KEY_EXPIRED, PREAUTH_FAILED.
        (1, _) => Some(ACCOUNT_EXPIRED),
        (6 | 24, _) => Some(ntstatus::LOGON_FAILURE),
        (18, _) => Some(ACCOUNT_DISABLED),
        (23, _) => Some(PASSWORD_MUST_CHANGE),
        _ => None,
    }
}

/// The status in KERB-EXT-ERROR (MS-KILE 2.2.2): 12 bytes, the status, zeros, and flags with the lowest bit. It is wrapped
/// in different ways, so it is looked for at most `depth` elements deep.
fn extended(mut bytes: &[u8], depth: u32) -> Option<u32> {
    while let Some((tag, content, rest)) = element(bytes) {
        if let (OCTET_STRING, [a, b, c, d, 0, 0, 0, 0, flags, ..]) = (tag, content)
            && content.len() == 12
            && flags & 1 == 1
        {
            return Some(u32::from_le_bytes([*a, *b, *c, *d]));
        }
        if depth > 0
            && let Some(status) = extended(content, depth - 1)
        {
            return Some(status);
        }
        bytes = rest;
    }
    None
}

/// The first element of some DER: its tag, its content, and what stands behind it.
pub(super) fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = digits
                .iter()
                .fold(0, |length, digit| length << 8 | usize::from(*digit));
            (length, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn integer(bytes: &[u8]) -> Option<u32> {
    let short = !bytes.is_empty() && bytes.len() <= 4;
    short.then(|| {
        bytes
            .iter()
            .fold(0, |number, digit| number << 8 | u32::from(*digit))
    })
}

/// An element of this tag, with a length of two bytes.
#[cfg(test)]
pub(super) fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u16).to_be_bytes();
    [&[tag, 0x82], &length[..], content].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn krb_error(code: u8, data: Option<&[u8]>) -> Vec<u8> {
        let mut fields = tagged(0xa0, &[2, 1, 5]);
        fields.extend(tagged(ERROR_CODE, &[2, 1, code]));
        if let Some(data) = data {
            fields.extend(tagged(E_DATA, &tagged(OCTET_STRING, data)));
        }
        tagged(KRB_ERROR, &tagged(SEQUENCE, &fields))
    }

    #[test]
    fn refusals_are_the_statuses_of_a_login() {
        assert_eq!(refusal(&krb_error(24, None)), Some(ntstatus::LOGON_FAILURE));
        assert_eq!(refusal(&krb_error(18, None)), Some(ACCOUNT_DISABLED));
        assert_eq!(refusal(&krb_error(25, None)), None);
        assert_eq!(refusal(&krb_error(60, None)), None);
        let locked_out = [0x34, 0x02, 0, 0xc0, 0, 0, 0, 0, 1, 0, 0, 0];
        let error = krb_error(18, Some(&locked_out));
        assert_eq!(refusal(&error), Some(0xC000_0234));
    }

    #[test]
    fn whatever_a_kdc_sends_is_no_panic() {
        let good = krb_error(18, Some(&[7; 12]));
        for length in 0..good.len() {
            let _ = refusal(&good[..length]);
        }
        for at in 0..good.len() {
            for value in [0, 0x30, 0x7f, 0x80, 0x84, 0xff] {
                let mut bytes = good.clone();
                bytes[at] = value;
                let _ = refusal(&bytes);
            }
        }
    }

    #[tokio::test]
    async fn a_silent_or_endless_kdc_is_an_error() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("bound");
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            stream.write_all(&[0xff; 8]).await.expect("sent");
        });
        let error = Kdc::new(address, None)
            .ask(b"\0\0\0\0")
            .await
            .expect_err("too long");
        assert!(
            error.to_string().contains("an answer of 4294967295 bytes"),
            "{error}"
        );
        server.await.expect("it ended");
        assert!(
            Kdc::new(address, None).ask(b"\0\0\0\0").await.is_err(),
            "nobody listens"
        );
    }
}
