//! Answers of connecting.

use super::Fields;
use crate::Mechanism;
use replay_ir::Answer;
use smb_wire::messages::{NegotiateResponse, TreeConnectResponse};
use smb_wire::{Dialect, SecurityMode, SessionFlags, ShareFlags, ShareType, ntstatus};

/// The exchange that gave a `connect` step its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// NEGOTIATE.
    Negotiate,
    /// SESSION_SETUP.
    SessionSetup,
    /// TREE_CONNECT.
    TreeConnect,
}

/// What is known of a connection when a `connect` step ends.
#[derive(Debug, Clone, Copy)]
pub struct Connected<'a> {
    /// The exchange that came last.
    pub stage: Stage,
    /// Its status.
    pub status: u32,
    /// The server's NEGOTIATE answer, if it came that far.
    pub negotiate: Option<&'a NegotiateResponse>,
    /// SessionFlags of the last SESSION_SETUP answer, if the session was established.
    pub session: Option<SessionFlags>,
    /// The mechanism by which the session was established.
    pub mechanism: Option<Mechanism>,
    /// The server's TREE_CONNECT answer, if it came that far.
    pub tree: Option<&'a TreeConnectResponse>,
}

/// The answer of a `connect` step.
pub fn connect(connected: &Connected<'_>) -> Answer {
    let stage = match connected.stage {
        Stage::Negotiate => "negotiate",
        Stage::SessionSetup => "session-setup",
        Stage::TreeConnect => "tree-connect",
    };
    let mut fields = Fields::default().word("stage", stage);
    if let Some(negotiate) = connected.negotiate {
        fields = negotiated(fields, negotiate);
    }
    if let Some(flags) = connected.session {
        let encrypted_share = connected
            .tree
            .is_some_and(|tree| tree.share_flags.contains(ShareFlags::ENCRYPT_DATA));
        let encryption = match (flags.contains(SessionFlags::ENCRYPT_DATA), encrypted_share) {
            (true, _) => "session",
            (false, true) => "share",
            (false, false) => "none",
        };
        let account = match (
            flags.contains(SessionFlags::IS_NULL),
            flags.contains(SessionFlags::IS_GUEST),
        ) {
            (true, _) => "anonymous",
            (false, true) => "guest",
            (false, false) => "user",
        };
        fields = fields
            .word("encryption", encryption)
            .word("account", account);
    }
    fields = by_mechanism(fields, connected.mechanism);
    if let Some(tree) = connected.tree {
        fields = tree_fields(fields, tree);
    }
    fields.with_status(connected.status)
}

/// The answer of a `reauthenticate` step; the mechanism is that of a login that succeeded.
pub fn reauthenticate(status: u32, mechanism: Option<Mechanism>) -> Answer {
    by_mechanism(Fields::default(), mechanism).with_status(status)
}

fn by_mechanism(fields: Fields, mechanism: Option<Mechanism>) -> Fields {
    match mechanism {
        Some(mechanism) => fields.word("mechanism", mechanism.word()),
        None => fields,
    }
}

/// The answer of a `tree-connect` step that succeeded.
pub fn tree_connect(response: &TreeConnectResponse) -> Answer {
    tree_fields(Fields::default(), response).with_status(ntstatus::SUCCESS)
}

/// The answer of an `echo` step that succeeded.
pub fn echo(credits: u16) -> Answer {
    let fields = Fields::default().int("credits", credits.into());
    fields.with_status(ntstatus::SUCCESS)
}

fn negotiated(fields: Fields, response: &NegotiateResponse) -> Fields {
    let required = response
        .security_mode
        .contains(SecurityMode::SIGNING_REQUIRED);
    let fields = match response.dialect_revision {
        Dialect::WILDCARD => fields,
        dialect => fields.word_of("dialect", dialect.word()),
    };
    fields
        .word("signing", if required { "required" } else { "enabled" })
        .int("max-read", response.max_read_size.into())
        .int("max-write", response.max_write_size.into())
        .int("max-transact", response.max_transact_size.into())
}

fn tree_fields(fields: Fields, response: &TreeConnectResponse) -> Fields {
    let share_type: ShareType = response.share_type;
    fields
        .word_of("share-type", share_type.word())
        .hex("maximal-access", response.maximal_access.bits())
}

impl Fields {
    fn word_of(self, name: &'static str, word: Option<&'static str>) -> Self {
        match word {
            Some(word) => self.word(name, word),
            None => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use replay_ir::OwnedValue;

    #[test]
    fn a_refused_login_says_where_it_ended() {
        let negotiate = NegotiateResponse {
            dialect_revision: Dialect::SMB_3_1_1,
            ..NegotiateResponse::default()
        };
        let answer = connect(&Connected {
            stage: Stage::SessionSetup,
            status: ntstatus::LOGON_FAILURE,
            negotiate: Some(&negotiate),
            session: None,
            mechanism: None,
            tree: None,
        });
        assert_eq!(answer.status, ntstatus::LOGON_FAILURE);
        assert_eq!(
            answer.fields[0],
            ("stage", OwnedValue::Word("session-setup"))
        );
        assert_eq!(answer.fields[1], ("dialect", OwnedValue::Word("3.1.1")));
        assert!(!answer.fields.iter().any(|(name, _)| *name == "account"));
    }
}
