//! The requests of a frame, and how it is made of them: headers, charges, protection, and what is wrong on purpose.

use replay_ir::StepId;
use smb_vocabulary::WireEdits;
use smb_wire::framing::PREFIX;
use smb_wire::{Command, Dialect, Flags, Header, HeaderForm, Request};

use super::compose::Composer;
use super::pending::{Content, Pending, Waiter};
use super::sessions::{Session, Tree};
use super::transport::{NO_SESSION, Transport};
use super::wire_edit;

/// One request of a frame.
pub(super) struct Item {
    /// The bytes of content that the credit charge counts.
    pub(super) payload: u32,
    /// Works on what the request before it in the frame worked on.
    pub(super) related: bool,
    /// SessionId and TreeId are all ones: the server takes those of the request before it in the frame.
    pub(super) inherit: bool,
    /// Who waits for the answer.
    pub(super) waiter: Waiter,
    /// Signed even in a session that does not require it.
    pub(super) sign: bool,
    /// The session, as an index into the connection's.
    pub(super) session: u16,
    /// The tree; `None` is the one that the session works on by default.
    pub(super) tree: Option<Tree>,
    /// SMB2_FLAGS_REPLAY_OPERATION.
    pub(super) replay: bool,
    /// ChannelSequence.
    pub(super) channel_sequence: u16,
    /// CreditRequest, where the trace says it.
    pub(super) credits: Option<u16>,
    /// CreditCharge, where the trace says it.
    pub(super) charge: Option<u16>,
    /// The step whose handle ends with the answer.
    pub(super) closes: Option<StepId>,
    /// What makes it wrong on purpose.
    pub(super) edits: Option<WireEdits>,
    /// Its body.
    pub(super) body: Request,
}

impl Item {
    /// A request that the connection makes on its own account.
    pub(super) fn own(body: Request) -> Self {
        Self {
            payload: 0,
            related: false,
            inherit: false,
            waiter: Waiter::Nobody,
            sign: false,
            session: 0,
            tree: None,
            replay: false,
            channel_sequence: 0,
            credits: None,
            charge: None,
            closes: None,
            edits: None,
            body,
        }
    }
}

impl Transport {
    /// Composes the frame; its requests are then in flight.
    pub(super) fn compose(&mut self, items: &[Item], out: &mut Vec<u8>) -> Result<(), String> {
        let encrypted = self.encrypts(items);
        let signed = !encrypted && items.iter().any(|item| self.signs(item));
        let mut composer = Composer::new(out);
        let mut edited = Vec::new();
        for item in items {
            let charge = self.charge(item);
            let Some(message_id) = self.credits.take(charge) else {
                return Err("the credits are gone".to_owned());
            };
            let start =
                composer.request(&self.header(item, message_id, charge, signed), &item.body);
            if let Some(edits) = &item.edits {
                wire_edit::resize(edits, composer.bytes(), start)?;
            }
            if items.iter().any(|item| item.edits.is_some()) {
                edited.push((start, message_id));
            }
            self.pending.add(Pending {
                message_id,
                async_id: None,
                command: item.body.command(),
                session: item.session,
                tree: self.tree(item),
                // A replayed CREATE may be about an open that was there before, an edited one asks for anything.
                content: match item.replay || item.edits.is_some() {
                    true if item.body.command() == Command::CREATE => Content::Plain,
                    _ => Content::of(&item.body),
                },
                waiter: item.waiter,
                closes: item.closes,
                signed,
                encrypted,
                inherit: item.inherit,
                edited: false,
            });
        }
        if !edited.is_empty() {
            return self.finish_edited(items, composer, &edited, signed, encrypted);
        }
        let recorder = self.recorder.as_ref();
        let steps = || items.iter().map(|item| item.waiter.step());
        // The members of a compound come from one client, so from one session.
        let slot = items.first().map_or(0, |item| item.session);
        let Some(session) = self.sessions.get_mut(usize::from(slot)) else {
            return Err(NO_SESSION.to_owned());
        };
        if encrypted {
            if let Some(recorder) = recorder {
                recorder.sent(composer.frame(), true, steps());
            }
            return composer.finish_encrypted(&mut session.security, session.id);
        }
        composer.finish(signed.then_some(&session.security))?;
        if let Some(recorder) = recorder {
            recorder.sent(&out[PREFIX..], false, steps());
        }
        Ok(())
    }

    /// The same for a frame of which something is wrong on purpose. `members` says where each begins, and its message
    /// id before it was changed.
    fn finish_edited(
        &mut self,
        items: &[Item],
        mut composer: Composer<'_>,
        members: &[(usize, u64)],
        signed: bool,
        encrypted: bool,
    ) -> Result<(), String> {
        let out = composer.bytes();
        let slot = items.first().map_or(0, |item| item.session);
        let Some(session) = self.sessions.get_mut(usize::from(slot)) else {
            return Err(NO_SESSION.to_owned());
        };
        let security = signed.then_some(&session.security);
        for (index, (item, (start, message_id))) in items.iter().zip(members).enumerate() {
            let end = members.get(index + 1).map_or(out.len(), |next| next.0);
            let message = &mut out[*start..end];
            if let Some(edits) = &item.edits {
                wire_edit::change(edits, message)?;
            }
            // What is wrong with one member can be the end of all.
            if let Some(pending) = self.pending.remove(*message_id) {
                let (command, message_id) =
                    wire_edit::identity(message).unwrap_or((pending.command, *message_id));
                self.pending.insert(Pending {
                    message_id,
                    command,
                    edited: true,
                    ..pending
                });
            }
            wire_edit::sign(item.edits.as_ref(), security, message)?;
        }
        if let Some(recorder) = &self.recorder {
            let steps = items.iter().map(|item| item.waiter.step());
            recorder.sent(&out[PREFIX..], encrypted, steps);
        }
        let out = composer.finish_edited(encrypted.then_some(&mut session.security), session.id)?;
        let edits = items.iter().filter_map(|item| item.edits.as_ref());
        for edits in edits {
            wire_edit::frame(edits, encrypted, out)?;
        }
        Ok(())
    }

    fn header(&self, item: &Item, message_id: u64, charge: u16, signed: bool) -> Header {
        let command = item.body.command();
        let mut flags = Flags::empty();
        flags.set(Flags::RELATED_OPERATIONS, item.related);
        flags.set(Flags::SIGNED, signed);
        flags.set(Flags::REPLAY_OPERATION, item.replay);
        let (tree_id, session_id) = match item.inherit {
            true => (u32::MAX, u64::MAX),
            false => (
                self.tree(item).map_or(0, |tree| tree.id),
                self.session(item.session).map_or(0, |session| session.id),
            ),
        };
        Header {
            credit_charge: item.charge.unwrap_or(self.credits.charge_field(charge)),
            status: item.channel_sequence.into(),
            command,
            credits: item.credits.unwrap_or(self.credits.ask(charge)),
            flags,
            message_id,
            form: HeaderForm::Sync {
                reserved: 0,
                tree_id,
            },
            session_id,
            ..Header::default()
        }
    }

    /// The tree of a request, if its command works on one.
    fn tree(&self, item: &Item) -> Option<Tree> {
        match item.body.command() {
            Command::ECHO | Command::LOGOFF | Command::TREE_CONNECT => None,
            _ => item
                .tree
                .or_else(|| self.session(item.session).map(|session| session.tree)),
        }
    }

    /// What a request costs: never more than for what the server takes or gives at once, so that a request beyond
    /// that reaches it and is judged by it.
    pub(super) fn charge(&self, item: &Item) -> u16 {
        if let Some(charge) = item.charge {
            return charge.max(1);
        }
        let bound = match item.body {
            Request::Read(_) => self.negotiated.max_read,
            Request::Write(_) => self.negotiated.max_write,
            _ => self.negotiated.max_transact,
        };
        self.credits.charge(item.payload.min(bound))
    }

    /// MS-SMB2 3.2.4.1.1: all requests of a session that requires it; in dialect 3.1.1 every TREE_CONNECT.
    fn signs(&self, item: &Item) -> bool {
        let always = matches!(item.body, Request::TreeConnect(_))
            && self.negotiated.dialect == Dialect::SMB_3_1_1;
        let signs = |session: &Session| {
            session.security.can_sign() && (session.sign || always || item.sign)
        };
        self.session(item.session).is_some_and(signs)
    }

    /// MS-SMB2 3.2.4.1.8. A frame is encrypted as a whole.
    fn encrypts(&self, items: &[Item]) -> bool {
        items.iter().any(|item| {
            let on_tree = || self.tree(item).is_some_and(|tree| tree.encrypt);
            self.session(item.session).is_some_and(|session| {
                session.security.can_encrypt() && (session.encrypt || on_tree())
            })
        })
    }
}
