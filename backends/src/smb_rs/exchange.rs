//! A request, and the wait for its answers: what goes out, what comes in, and whether it may (MS-SMB2 3.2.5.1). Numbers,
//! credits and bytes are [`super::channel`]'s.

use std::sync::Arc;
use std::time::{Duration, Instant};

use smb::msg_handler::IncomingMessage;
use smb::{Command, RequestContent};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::failure::Failure;
use super::frame;

/// How a message is protected (MS-SMB2 3.2.4.1.1, 3.2.4.1.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protection {
    /// Neither signed nor encrypted.
    None,
    /// Signed.
    Signed,
    /// Encrypted.
    Encrypted,
}

/// One request without its number.
#[derive(Debug)]
pub(super) struct Request {
    /// What is asked.
    pub(super) content: RequestContent,
    /// The command in the header; that of the content except where a content of the same layout stands in.
    pub(super) command: Command,
    /// What follows the content: the data of a WRITE.
    pub(super) payload: Option<Arc<[u8]>>,
    /// SessionId; 0 before there is one.
    pub(super) session: u64,
    /// TreeId; 0 before there is one.
    pub(super) tree: u32,
    /// SMB2_FLAGS_RELATED_OPERATIONS: uses the session, tree and file of the request before it.
    pub(super) related: bool,
    /// How it goes out, and how its answer must come in.
    pub(super) protection: Protection,
}

impl Request {
    /// The bytes that decide its CreditCharge (MS-SMB2 3.2.4.1.5).
    pub(super) fn charged_bytes(&self) -> u32 {
        let answer = match &self.content {
            RequestContent::QueryInfo(request) => request.output_buffer_length,
            content => content.expected_resp_size(),
        };
        answer.max(self.content.req_payload_size())
    }
}

/// What CANCEL must know of a request that was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cancellable {
    /// MessageId.
    pub(super) id: u64,
    /// AsyncId, once the interim answer has brought it.
    pub(super) async_id: Option<u64>,
    /// SessionId.
    pub(super) session: u64,
    /// TreeId, for a request that has no AsyncId.
    pub(super) tree: u32,
    /// As the request was.
    pub(super) protection: Protection,
}

/// An answer and when it was taken from the wire.
#[derive(Debug)]
pub(super) struct Arrival {
    /// The answer, or why there will be none.
    pub(super) message: Result<IncomingMessage, Failure>,
    /// When its frame had arrived.
    pub(super) at: Instant,
}

/// A request that was sent.
#[derive(Debug)]
pub(super) struct Pending {
    /// Its MessageId.
    pub(super) id: u64,
    arrivals: mpsc::UnboundedReceiver<Arrival>,
    sent: Sent,
}

/// What the answers to a request must agree with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    command: Command,
    session: u64,
    protection: Protection,
}

impl From<&Request> for Sent {
    fn from(request: &Request) -> Self {
        Self {
            command: request.command,
            session: request.session,
            protection: request.protection,
        }
    }
}

impl Pending {
    /// Waits for what comes in through `arrivals` to the request with this MessageId.
    pub(super) fn new(id: u64, arrivals: mpsc::UnboundedReceiver<Arrival>, sent: Sent) -> Self {
        Self { id, arrivals, sent }
    }

    /// The next answer: interim ones with STATUS_PENDING, then the final one. Waits as long as the connection lives.
    pub(super) async fn next(&mut self) -> Arrival {
        let gone = || Arrival {
            message: Err(Failure::Lost("the connection ended".into())),
            at: Instant::now(),
        };
        let Arrival { message, at } = self.arrivals.recv().await.unwrap_or_else(gone);
        Arrival {
            message: message.and_then(|message| self.verify(message)),
            at,
        }
    }

    /// The final answer within `bound`.
    pub(super) async fn last(
        mut self,
        what: &str,
        bound: Duration,
    ) -> Result<IncomingMessage, Failure> {
        let wait = async {
            loop {
                let message = self.next().await.message?;
                if !frame::is_interim(&message.message.header) {
                    return Ok(message);
                }
            }
        };
        timeout(bound, wait)
            .await
            .unwrap_or_else(|_| Err(Failure::late(what, bound)))
    }

    /// MS-SMB2 3.2.5.1.1, 3.2.5.1.3: the answer is to this command, belongs to the session, and is protected as the
    /// request was. Interim
    /// answers are never signed, and a session that the server does not know it cannot sign for.
    fn verify(&self, message: IncomingMessage) -> Result<IncomingMessage, Failure> {
        let (header, form) = (&message.message.header, &message.form);
        let wrong = |what: &str| {
            Err(Failure::Violation(format!(
                "the answer to message {} {what}",
                self.id
            )))
        };
        let Sent {
            command,
            session,
            protection,
        } = self.sent;
        if header.command != command {
            return wrong(&format!(
                "is one to {} instead of {command}",
                header.command
            ));
        }
        if session != 0 && header.session_id != session {
            return wrong(&format!(
                "belongs to session {:#x} instead of {session:#x}",
                header.session_id
            ));
        }
        let unsigned_by_nature = frame::is_interim(header) || frame::ends_session(header.status);
        match protection {
            Protection::Encrypted if !form.encrypted && !unsigned_by_nature => {
                wrong("is not encrypted")
            }
            Protection::Signed if !form.signed_or_encrypted() && !unsigned_by_nature => {
                wrong("is not signed")
            }
            _ => Ok(message),
        }
    }
}
