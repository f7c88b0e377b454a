//! A client whose steps are played, and the server that answers them and breaks what it has granted.

use std::time::Duration;

use replay_engine::{Op, Outcome, Reaction};
use replay_ir::{ClientId, StepId};
use smb_vocabulary::VOCABULARY;
use smb_wire::messages::*;
use smb_wire::*;

use super::common::Player;
use super::fake::{Fake, answer_to, connected};

pub(crate) const A: ClientId = ClientId(0);
pub(crate) const CLIENT: &str = "mode 2\nclient A anonymous dialect=2.0.2..2.1\n";
pub(crate) const KEY: Guid = Guid(*b"k\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");

pub(crate) fn id(volatile: u64) -> FileId {
    FileId {
        persistent: 11,
        volatile,
    }
}

pub(crate) fn step(number: u32) -> Op {
    Op::Step(StepId(number))
}

pub(crate) fn lease(bits: u32) -> LeaseState {
    LeaseState::from_bits_retain(bits)
}

/// The server, and the client whose steps it plays.
pub(crate) struct Scene {
    pub(crate) player: Player,
    pub(crate) fake: Fake,
    /// A header of the session, to make others of.
    pub(crate) header: Header,
}

impl Scene {
    /// A client that has logged in.
    pub(crate) async fn new(steps: &str) -> Self {
        let (player, fake, _) = connected(&format!("{CLIENT}{steps}")).await;
        Self {
            player,
            fake,
            header: Header::default(),
        }
    }

    /// A client whose step 0 has got a batch oplock, which the server has broken to II after step 1 said what to do then.
    pub(crate) async fn broken_batch(steps: &str) -> Self {
        let mut scene = Self::new(steps).await;
        scene.open(0, OplockLevel::BATCH).await;
        scene.done(1).await;
        scene.break_oplock(0, OplockLevel::II).await;
        scene.broken(0).await;
        scene
    }

    /// Plays a step that needs no answer of the server.
    pub(crate) async fn done(&mut self, number: u32) {
        self.player.submit(A, &[step(number)]);
        self.status(number, 0).await;
    }

    /// Plays the CREATE of a step, which gets this FileId and this oplock level.
    pub(crate) async fn open(&mut self, number: u32, level: OplockLevel) {
        let created = CreateResponse {
            oplock_level: level,
            file_id: id(number.into()),
            ..Default::default()
        };
        self.play(number, created).await;
    }

    /// The same with a lease of [`KEY`].
    pub(crate) async fn open_lease(&mut self, number: u32, state: u32) {
        let granted = Lease {
            lease_key: KEY,
            lease_state: lease(state),
            ..Default::default()
        };
        let created = CreateResponse {
            oplock_level: OplockLevel::LEASE,
            file_id: id(number.into()),
            create_contexts: vec![ResponseContext::Lease(granted)],
            ..Default::default()
        };
        self.play(number, created).await;
    }

    pub(crate) async fn play(&mut self, number: u32, created: CreateResponse) {
        self.player.submit(A, &[step(number)]);
        let (header, request) = self.fake.request().await;
        assert!(matches!(request, Request::Create(_)), "{request:?}");
        self.header = answer_to(&header);
        self.fake
            .send(&self.header, &Response::Create(created))
            .await;
        self.status(number, 0).await;
    }

    /// Waits until a step has ended, with this status.
    pub(crate) async fn status(&mut self, number: u32, status: u32) {
        let outcome = self.player.done(step(number), None).await;
        assert!(
            matches!(&outcome, Outcome::Answered(answer) if answer.status == status),
            "{outcome:?}"
        );
    }

    /// Sends a break.
    pub(crate) async fn send_break(&mut self, body: Response) {
        let unasked = Header {
            command: Command::OPLOCK_BREAK,
            message_id: Header::UNSOLICITED,
            session_id: 0,
            form: HeaderForm::default(),
            ..self.header
        };
        self.fake.send(&unasked, &body).await;
    }

    pub(crate) async fn break_oplock(&mut self, number: u32, level: OplockLevel) {
        self.send_break(Response::OplockBreakNotification(OplockBreakNotification {
            oplock_level: level,
            file_id: id(number.into()),
        }))
        .await;
    }

    pub(crate) async fn break_lease(&mut self, from: u32, to: u32) {
        self.send_break(Response::LeaseBreakNotification(LeaseBreakNotification {
            flags: LeaseFlags::BREAK_ACK_REQUIRED,
            lease_key: KEY,
            current_lease_state: lease(from),
            new_lease_state: lease(to),
            ..Default::default()
        }))
        .await;
    }

    /// What the break of a step's handle said.
    pub(crate) async fn broken(&mut self, number: u32) -> String {
        let event = self.player.broken(StepId(number)).await;
        event.answer.to_text(&VOCABULARY)
    }

    /// The next request must be an acknowledgement of this oplock; it is answered with `status`.
    pub(crate) async fn acknowledged(&mut self, number: u32, level: OplockLevel, status: u32) {
        let (header, request) = self.fake.request().await;
        let expected = OplockBreakAcknowledgment {
            oplock_level: level,
            file_id: id(number.into()),
        };
        assert_eq!(request, Request::OplockBreak(expected));
        let response = match status {
            0 => Response::OplockBreak(OplockBreakResponse {
                oplock_level: level,
                file_id: id(number.into()),
            }),
            _ => Response::Error(ErrorResponse::default()),
        };
        let header = Header {
            status,
            ..answer_to(&header)
        };
        self.fake.send(&header, &response).await;
    }

    /// The next request must be an acknowledgement of the lease; it is answered with success.
    pub(crate) async fn acknowledged_lease(&mut self, state: u32) {
        let (header, request) = self.fake.request().await;
        let Request::LeaseBreak(body) = request else {
            panic!("{request:?}")
        };
        assert_eq!((body.lease_key, body.lease_state), (KEY, lease(state)));
        let response = LeaseBreakResponse {
            lease_key: KEY,
            lease_state: lease(state),
            ..Default::default()
        };
        self.fake
            .send(&answer_to(&header), &Response::LeaseBreak(response))
            .await;
    }

    /// The next request must be this one; it is answered with success.
    pub(crate) async fn expect(&mut self, command: Command) {
        let (header, request) = self.fake.request().await;
        assert_eq!(request.command(), command, "{request:?}");
        let response = match request {
            Request::Echo(_) => Response::Echo(EchoResponse),
            Request::Flush(_) => Response::Flush(FlushResponse),
            Request::Close(_) => Response::Close(CloseResponse::default()),
            other => panic!("{other:?}"),
        };
        self.fake.send(&answer_to(&header), &response).await;
    }

    /// Nothing has been sent but an ECHO, which is step `number`.
    pub(crate) async fn silence(&mut self, number: u32) {
        self.player.submit(A, &[step(number)]);
        self.expect(Command::ECHO).await;
        self.status(number, 0).await;
    }

    pub(crate) async fn answered(&mut self, expected: &str) -> Option<Duration> {
        match self.player.reaction().await {
            Reaction::Answered { with, latency, .. } if with == expected => latency,
            other => panic!("{expected}: {other:?}"),
        }
    }

    pub(crate) async fn settled(&mut self, expected: &str, expected_status: u32) {
        match self.player.reaction().await {
            Reaction::Settled { with, answer, .. } => {
                assert_eq!((&*with, answer.status), (expected, expected_status));
            }
            other => panic!("{expected}: {other:?}"),
        }
    }

    pub(crate) async fn end(self) {
        let ((), rest) = tokio::join!(self.fake.wind_up(), self.player.close());
        assert!(rest.is_empty(), "{rest:?}");
    }
}
