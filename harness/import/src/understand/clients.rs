//! The clients of the trace: what they are called, and what their lines say.

use super::draft::StepIndex;
use super::lanes::ClientIndex;
use super::state::Client;
use super::trees::PIPES;
use super::world::World;
use replay_ir::OwnedValue;
use smb_wire::{Dialect, Guid, SigningAlgorithm};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

type Arguments = Vec<(Cow<'static, str>, OwnedValue)>;

impl World {
    /// A to Z, then C27 and so on; `A-2` for the second channel of A's session.
    pub(super) fn client_name(&self, client: ClientIndex) -> String {
        let number = self.clients[client].number;
        if let Some(owner) = self.clients[client].channel_of {
            return format!("{}-{}", self.client_name(owner), number + 1);
        }
        match u8::try_from(number) {
            Ok(number @ 1..=26) => char::from(b'A' + number - 1).to_string(),
            _ => format!("C{number}"),
        }
    }

    /// A further client, in a session of its own or in that of another one.
    pub(super) fn add_client(&mut self, mut client: Client) -> ClientIndex {
        let owner = client.channel_of;
        let so_far = match owner {
            Some(owner) => &mut self.clients[owner].channels,
            None => &mut self.with_sessions,
        };
        *so_far += 1;
        client.number = *so_far;
        self.clients.push(client);
        self.lanes.client(owner)
    }

    /// Of these clients the first with each ClientGuid.
    pub(super) fn client_guids(
        &self,
        clients: &BTreeSet<ClientIndex>,
    ) -> HashMap<Guid, ClientIndex> {
        let mut first = HashMap::new();
        for &client in clients {
            first
                .entry(self.clients[client].client_guid)
                .or_insert(client);
        }
        first.remove(&Guid::default());
        first
    }

    /// What the line of a client says; that of a channel what is otherwise than its session's.
    pub(super) fn client_args(&self, index: ClientIndex) -> Arguments {
        let client = &self.clients[index];
        let owner = client.channel_of.map(|owner| &self.clients[owner]);
        let mut args: Arguments = Vec::new();
        match &client.user {
            Some(user) => args.push(("user".into(), user.clone().into())),
            None if owner.is_some() => {}
            None => args.push(("anonymous".into(), OwnedValue::Flag)),
        }
        if owner.is_some() {
            args.push(("channel".into(), OwnedValue::Flag));
        }
        // Where it counts and no channels say it: LOCKs that are sent again (MS-SMB2 3.3.5.14).
        if client.multichannel && client.replays {
            args.push(("multichannel".into(), OwnedValue::Flag));
        }
        if client.no_binding {
            args.push(("no-binding".into(), OwnedValue::Flag));
        }
        if client.wrong_password {
            args.push(("wrong-password".into(), OwnedValue::Flag));
        }
        if client.pipes_only {
            args.push(("share".into(), OwnedValue::Text(PIPES.to_owned())));
        }
        if let Some(word) = client.dialect.and_then(|dialect| dialect.word())
            && owner.is_none_or(|owner| owner.dialect != client.dialect)
        {
            args.push(("dialect".into(), word.into()));
        }
        let signing = match client.signing_required {
            true => "required",
            false => "enabled",
        };
        if client.signing_required != owner.is_some_and(|owner| owner.signing_required) {
            args.push(("signing".into(), signing.into()));
        }
        let negotiated = client.dialect == Some(Dialect::SMB_3_1_1);
        if let Some(algorithms) = client.algorithms.filter(|_| negotiated) {
            let word = algorithms.cipher.and_then(|cipher| cipher.word());
            // What a connection signs by where nothing was said of it (MS-SMB2 3.1.4.1).
            let signing = algorithms
                .signing
                .unwrap_or(SigningAlgorithm::AES_CMAC)
                .word();
            for (name, word) in [("cipher", word), ("signing-algorithm", signing)] {
                if let Some(word) = word {
                    let list = OwnedValue::List(vec![OwnedValue::Token(word.to_owned())]);
                    args.push((name.into(), list));
                }
            }
        }
        args
    }

    /// Whether steps go by further channels, or are to be done as by a client that could have some.
    pub(super) fn has_channels(&self, order: &[StepIndex]) -> bool {
        let offered = |client: &Client| client.replays && client.multichannel;
        if self.clients.iter().any(offered) {
            return true;
        }
        let mut clients = order
            .iter()
            .map(|&step| self.lanes.client_of(self.drafts[step].lane));
        clients.any(|client| self.clients[client].channel_of.is_some())
    }

    /// The accounts that the server did not let in with their passwords, with their states. One that was let in at
    /// another time cannot be said.
    pub(super) fn given_users(&mut self) -> BTreeMap<String, &'static str> {
        let mut states: BTreeMap<String, &'static str> = BTreeMap::new();
        let refused: HashSet<ClientIndex> = self.refused.values().copied().collect();
        let others = self.clients.iter().enumerate();
        let enabled: HashSet<String> = others
            .filter(|(client, _)| !refused.contains(client))
            .filter_map(|(_, client)| client.user.clone())
            .collect();
        for (user, state, step) in std::mem::take(&mut self.states) {
            let known = *states.entry(user.clone()).or_insert(state);
            if enabled.contains(&user) || known != state {
                self.drop_step(
                    step,
                    "the log-in of an account that was in another state before or after",
                );
            }
        }
        states.retain(|user, _| !enabled.contains(user));
        states
    }

    /// Who has connected no share but that of pipes has it without another one.
    pub(super) fn pipes_alone(&mut self) {
        let mut first: HashMap<ClientIndex, String> = HashMap::new();
        for step in 0..self.drafts.len() {
            let client = self.lanes.client_of(self.drafts[step].lane);
            let draft = &mut self.drafts[step];
            let connects = draft.verb == "tree-connect" && draft.arg_is("share", PIPES);
            let owner = self.clients[client].channel_of.unwrap_or(client);
            if connects && !self.clients[owner].disk && !first.contains_key(&owner) {
                let name = draft.args.iter().find(|(name, _)| name == "as");
                let name = name.and_then(|(_, name)| name.as_value().as_str().map(str::to_owned));
                first.insert(owner, name.unwrap_or_default());
                // It is part of the client's connect.
                draft.dropped = true;
                self.clients[owner].pipes_only = true;
            } else if let Some(name) = first.get(&owner) {
                let is_it = |value: &OwnedValue| value.as_value().as_str() == Some(name);
                draft
                    .args
                    .retain(|(arg, value)| arg != "tree" || !is_it(value));
            }
        }
    }
}
