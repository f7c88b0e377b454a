//! A `client` line as plain data: who logs in how, and what the client offers.

use crate::args::{ArgError, Args};
use replay_ir::{Client, ClientId, Trace, Value};
use smb_wire::{Cipher, Dialect, SigningAlgorithm};

/// The dialects that a client can offer, in order (MS-SMB2 2.2.3).
const DIALECTS: [Dialect; 5] = [
    Dialect::SMB_2_0_2,
    Dialect::SMB_2_1,
    Dialect::SMB_3_0,
    Dialect::SMB_3_0_2,
    Dialect::SMB_3_1_1,
];

/// What a client is, as its line says or by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSettings<'t> {
    /// The identity's name in the trace; `None` for an anonymous client and for a lane on another's session.
    pub user: Option<&'t str>,
    /// A connection of its own, bound to the session of the client that it is on (MS-SMB2 3.2.4.2.3).
    pub channel: bool,
    /// Offers SMB2_GLOBAL_CAP_MULTI_CHANNEL, whether it has channels or not.
    pub multichannel: bool,
    /// Logs in without a name.
    pub anonymous: bool,
    /// Logs in with a password that is not the identity's.
    pub wrong_password: bool,
    /// Logs in with a name that no account has.
    pub unknown_user: bool,
    /// Signs the requests that bind the channel with a key that is not the session's.
    pub wrong_key: bool,
    /// Leaves SMB2_SESSION_FLAG_BINDING out of the requests that would bind the channel.
    pub no_binding: bool,
    /// The client whose ClientGuid it has, too; `None` for one of its own.
    pub client_guid: Option<&'t str>,
    /// Overrides the identity's domain.
    pub domain: Option<&'t str>,
    /// The groups that the user is a member of, besides those of `given` lines.
    pub groups: Vec<&'t str>,
    /// The mechanism; `None` leaves it to the run, and then to the backend.
    pub mechanism: Option<Mechanism>,
    /// How long the tickets of a login by Kerberos last, in seconds; `None` leaves it to the KDC.
    pub ticket_lifetime: Option<u64>,
    /// The share; `None` is the run's.
    pub share: Option<&'t str>,
    /// What is offered in NEGOTIATE.
    pub dialects: Dialects,
    /// SMB2_NEGOTIATE_SIGNING_REQUIRED rather than only enabled.
    pub signing_required: bool,
    /// Whether the client encrypts.
    pub encryption: Encryption,
    /// How many credits it tries to hold; `None` leaves it to the backend.
    pub credits: Option<u16>,
    /// The ciphers to offer, most wanted first; empty leaves it to the backend.
    pub ciphers: Vec<Cipher>,
    /// The signing algorithms to offer, most wanted first; empty leaves it to the backend.
    pub signing_algorithms: Vec<SigningAlgorithm>,
}

/// A security mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// MS-NLMP.
    Ntlm,
    /// MS-KILE.
    Kerberos,
}

impl Mechanism {
    /// The word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Ntlm => "ntlm",
            Self::Kerberos => "kerberos",
        }
    }
}

/// Whether a client encrypts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// It does not say that it could.
    Off,
    /// Where the server asks for it.
    Offered,
    /// All that can be encrypted.
    Required,
}

/// A range of dialects, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialects {
    /// The lowest.
    pub min: Dialect,
    /// The highest.
    pub max: Dialect,
}

impl Dialects {
    /// Every dialect from 2.0.2 to 3.1.1.
    pub const ALL: Self = Self {
        min: Dialect::SMB_2_0_2,
        max: Dialect::SMB_3_1_1,
    };

    /// The dialects in ascending order, as NEGOTIATE lists them.
    pub fn list(self) -> impl Iterator<Item = Dialect> {
        DIALECTS
            .into_iter()
            .filter(move |dialect| (self.min..=self.max).contains(dialect))
    }

    /// Reads `3.0.2` or `2.1..3.0`. The error is a sentence fragment for the user.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (min, max) = text.split_once("..").unwrap_or((text, text));
        let range = Self {
            min: dialect(min)?,
            max: dialect(max)?,
        };
        match range.min <= range.max {
            true => Ok(range),
            false => Err(format!("`{text}` is empty; the lower dialect comes first")),
        }
    }
}

fn dialect(text: &str) -> Result<Dialect, String> {
    let known = Dialect::from_word(text).filter(|dialect| DIALECTS.contains(dialect));
    known.ok_or_else(|| {
        format!("`{text}` is no dialect; one may write 2.0.2, 2.1, 3.0, 3.0.2 or 3.1.1")
    })
}

pub(crate) fn check_dialects(text: &str) -> Result<(), String> {
    Dialects::parse(text).map(drop)
}

/// Accepts the names that clients can have.
pub(crate) fn check_client_name(text: &str) -> Result<(), String> {
    name(text, "client")
}

/// Accepts the names of trees.
pub(crate) fn check_name(text: &str) -> Result<(), String> {
    name(text, "tree")
}

fn name(text: &str, what: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    match !text.is_empty() && text.chars().all(fits) {
        true => Ok(()),
        false => Err(format!(
            "`{text}` is no name of a {what}, which has letters, digits, `_` and `-`"
        )),
    }
}

/// Accepts the names that identities can have.
pub(crate) fn check_identity(text: &str) -> Result<(), String> {
    let fits = |c: char| c.is_alphanumeric() || "_.-".contains(c);
    match !text.is_empty() && text.chars().all(fits) {
        true => Ok(()),
        false => Err(format!(
            "`{text}` is no identity; its name has letters, digits, `_`, `.` and `-`"
        )),
    }
}

impl<'t> ClientSettings<'t> {
    /// What `client` says, with defaults for what it does not. A channel offers what the client offers that it is on,
    /// where its own line says nothing else.
    pub fn of(trace: &'t Trace, client: &'t Client) -> Result<Self, ArgError> {
        let owner = client
            .on()
            .filter(|_| is_channel(client))
            .map(|owner| trace.client(owner));
        Self::decode_with(client, owner)
    }

    /// The same for a client that is no channel.
    pub fn decode(client: &'t Client) -> Result<Self, ArgError> {
        Self::decode_with(client, None)
    }

    fn decode_with(client: &'t Client, owner: Option<&'t Client>) -> Result<Self, ArgError> {
        let inherited = |name: &str| {
            let owner = owner.filter(|_| OFFERED.contains(&name))?;
            owner.arg(name)
        };
        let args = Args(|name: &str| client.arg(name).or_else(|| inherited(name)));
        let settings = Self {
            user: args.str("user"),
            channel: args.has("channel"),
            multichannel: args.has("multichannel"),
            anonymous: args.has("anonymous"),
            wrong_password: args.has("wrong-password"),
            unknown_user: args.has("unknown-user"),
            wrong_key: args.has("wrong-key"),
            no_binding: args.has("no-binding"),
            client_guid: args.str("client-guid"),
            domain: args.str("domain"),
            groups: args
                .list("groups")
                .iter()
                .filter_map(Value::as_str)
                .collect(),
            mechanism: args.parsed("auth", |word| match word {
                "ntlm" => Ok(Mechanism::Ntlm),
                "kerberos" => Ok(Mechanism::Kerberos),
                other => Err(format!("`{other}` is no mechanism")),
            })?,
            ticket_lifetime: args
                .nanoseconds("ticket-lifetime")
                .map(whole_seconds)
                .transpose()?,
            share: args.str("share"),
            dialects: args
                .parsed("dialect", Dialects::parse)?
                .unwrap_or(Dialects::ALL),
            signing_required: args.str("signing") == Some("required"),
            encryption: match args.str("encryption") {
                Some("off") => Encryption::Off,
                Some("required") => Encryption::Required,
                _ => Encryption::Offered,
            },
            credits: args.int("credits")?,
            ciphers: words(&args.list("cipher"), Cipher::from_word),
            signing_algorithms: words(&args.list("signing-algorithm"), SigningAlgorithm::from_word),
        };
        settings.check(client)?;
        Ok(settings)
    }

    /// What loading does not know of already.
    fn check(&self, client: &Client) -> Result<(), ArgError> {
        let about_user = self.wrong_password || self.unknown_user || !self.groups.is_empty();
        if self.user.is_none() && about_user {
            let name = client.name();
            return Err(ArgError::Conflict(format!(
                "client {name}: `wrong-password`, `unknown-user` and `groups=` need a `user=`"
            )));
        }
        if self.ticket_lifetime.is_some() && self.mechanism != Some(Mechanism::Kerberos) {
            let name = client.name();
            return Err(ArgError::Conflict(format!(
                "client {name}: `ticket-lifetime=` needs `auth=kerberos`"
            )));
        }
        if self.channel && (client.on().is_none() || self.anonymous) {
            let name = client.name();
            return Err(ArgError::Conflict(format!(
                "client {name}: a `channel` is bound to the session of the client that `on=` names, and not anonymous"
            )));
        }
        if self.channel && self.client_guid.is_some() {
            let name = client.name();
            return Err(ArgError::Conflict(format!(
                "client {name}: a `channel` has the ClientGuid of the client that it is on"
            )));
        }
        if (self.wrong_key || self.no_binding) && !self.channel {
            let name = client.name();
            return Err(ArgError::Conflict(format!(
                "client {name}: `wrong-key` and `no-binding` are for a `channel`, and say how it is bound"
            )));
        }
        if client.on().is_some() && !self.channel {
            // What NEGOTIATE settles is the connection's, which another client has made.
            let settled = [
                "dialect",
                "cipher",
                "signing-algorithm",
                "credits",
                "client-guid",
                "multichannel",
            ];
            if let Some(arg) = settled.into_iter().find(|arg| client.arg(arg).is_some()) {
                return Err(ArgError::Conflict(format!(
                    "client {}: `{arg}` has no effect on another client's connection",
                    client.name()
                )));
            }
        }
        if self.credits == Some(0) {
            let reason = "without credits nothing can be sent".to_owned();
            let name = "credits";
            return Err(ArgError::Value { name, reason });
        }
        let encrypts = self.encryption == Encryption::Required;
        if encrypts && self.dialects.max < Dialect::SMB_3_0 {
            let name = client.name();
            return Err(ArgError::Conflict(format!(
                "client {name}: `encryption=required` needs a dialect from 3.0 on"
            )));
        }
        Ok(())
    }
}

/// Tickets end at whole seconds (RFC 4120 5.2.3).
fn whole_seconds(nanoseconds: u64) -> Result<u64, ArgError> {
    const SECOND: u64 = 1_000_000_000;
    match nanoseconds {
        SECOND.. if nanoseconds.is_multiple_of(SECOND) => Ok(nanoseconds / SECOND),
        _ => Err(ArgError::Value {
            name: "ticket-lifetime",
            reason: "it must be a whole number of seconds from 1 on".to_owned(),
        }),
    }
}

/// What a channel takes from the line of the client that it is on.
const OFFERED: [&str; 6] = [
    "dialect",
    "signing",
    "encryption",
    "cipher",
    "signing-algorithm",
    "auth",
];

/// Whether a client is a further channel of another's session.
pub fn is_channel(client: &Client) -> bool {
    client.on().is_some() && client.arg("channel").is_some()
}

/// Whether another client is a channel of this one's session.
pub fn has_channels(trace: &Trace, client: ClientId) -> bool {
    let mut clients = trace.clients().iter();
    clients.any(|other| other.on() == Some(client) && is_channel(other))
}

/// The client whose ClientGuid a client with a connection of its own has.
pub fn client_guid_of(trace: &Trace, client: ClientId) -> ClientId {
    let named = trace.client(client).arg("client-guid");
    let named = named.and_then(|name| name.as_str());
    let owner = named.and_then(|name| {
        let mut clients = trace.clients().iter();
        clients.position(|other| other.name() == name)
    });
    owner.map_or(client, |owner| ClientId(owner as u32))
}

/// Whether other clients have this one's ClientGuid.
pub fn is_client_guid_shared(trace: &Trace, owner: ClientId) -> bool {
    let name = trace.client(owner).name();
    let mut clients = trace.clients().iter();
    clients.any(|other| {
        let of = other.arg("client-guid");
        of.is_some_and(|of| of.as_str() == Some(name))
    })
}

/// The values of a list of words that the vocabulary has already checked.
fn words<T>(values: &[Value<'_>], read: fn(&str) -> Option<T>) -> Vec<T> {
    values
        .iter()
        .filter_map(Value::as_str)
        .filter_map(read)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dialects_are_one_or_a_range() {
        let one = Dialects::parse("3.0.2").map(|range| range.list().collect::<Vec<_>>());
        assert_eq!(one, Ok(vec![Dialect::SMB_3_0_2]));
        let range = Dialects::parse("2.1..3.0").map(|range| range.list().collect::<Vec<_>>());
        assert_eq!(range, Ok(vec![Dialect::SMB_2_1, Dialect::SMB_3_0]));
        assert_eq!(Dialects::ALL.list().count(), 5);
        for bad in ["", "2", "3.0..2.1", "2.x", "3.1.1.."] {
            assert!(Dialects::parse(bad).is_err(), "{bad}");
        }
    }

    fn trace(text: &str) -> Trace {
        let loaded = replay_ir::load_str("x.ir", text, &crate::VOCABULARY);
        loaded.unwrap_or_else(|errors| panic!("{errors}"))
    }

    #[test]
    fn a_channel_offers_what_its_session_was_made_with() {
        let trace = trace(
            "ir 1\nclient A user=alice dialect=3.0.2 signing=required credits=4\nclient B on=A channel\n\
             client C on=A channel user=bob dialect=3.1.1\nB connect\nC connect\nA echo\n",
        );
        assert_eq!(crate::check_trace(&trace), []);
        let of = |index: usize| {
            let client = &trace.clients()[index];
            ClientSettings::of(&trace, client).expect("sound")
        };
        let (owner, same, other) = (of(0), of(1), of(2));
        assert_eq!(
            (same.dialects, same.signing_required),
            (owner.dialects, true)
        );
        assert_eq!((same.user, same.credits), (None, None));
        assert_eq!(
            (other.user, other.dialects.max),
            (Some("bob"), Dialect::SMB_3_1_1)
        );
        assert!(has_channels(&trace, ClientId(0)) && !has_channels(&trace, ClientId(1)));
    }

    #[test]
    fn a_channel_has_lanes_of_its_own() {
        let text = "ir 1\nclient A user=alice\nclient A2 on=A channel\nclient A2b on=A2\nA2 connect\nA2b echo\n";
        let trace = trace(text);
        assert_eq!(crate::check_trace(&trace), []);
        let lane = &trace.clients()[2];
        let (on, through) = (lane.on(), lane.through());
        assert_eq!((on, through), (Some(ClientId(0)), Some(ClientId(1))));
        assert!(!is_channel(lane));
        let mut written = Vec::new();
        trace.write_text(&mut written).expect("written");
        assert!(String::from_utf8_lossy(&written).contains("client A2b on=A2\n"));
        // One with a session of its own would need a connection that is nobody else's session.
        let own = text.replace("on=A2\n", "on=A2 user=bob\n");
        let refused = replay_ir::load_str("x.ir", &own, &crate::VOCABULARY).expect_err("refused");
        assert!(refused.to_string().contains("write `on=A`"), "{refused}");
    }

    fn problems(text: &str) -> String {
        let problems = crate::check_trace(&trace(text));
        let messages = problems.into_iter().map(|problem| problem.message);
        messages.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn clients_can_have_one_client_guid() {
        let text = "ir 1\nclient A user=alice\nclient B user=bob client-guid=A\nclient C user=bob\nA echo\nB echo\nC echo\n";
        assert_eq!(problems(text), "");
        let trace = trace(text);
        let [a, b, c] = [0, 1, 2].map(ClientId);
        assert_eq!(
            [a, b, c].map(|client| client_guid_of(&trace, client)),
            [a, a, c]
        );
        assert!(is_client_guid_shared(&trace, a));
        assert!(!is_client_guid_shared(&trace, b) && !is_client_guid_shared(&trace, c));
    }

    #[test]
    fn a_client_guid_that_cannot_be_is_told() {
        for (line, reason) in [
            ("client B user=bob client-guid=X", "there is no client `X`"),
            ("client B user=bob client-guid=B", "of its own"),
            ("client B user=bob client-guid=A2", "of its own"),
            ("client B user=bob client-guid=C", "of its own"),
            ("client B on=A user=bob client-guid=A", "no effect"),
            (
                "client B on=A channel client-guid=C",
                "of the client that it is on",
            ),
        ] {
            let text = format!(
                "ir 1\nclient A user=alice\nclient A2 on=A\nclient C user=bob client-guid=A\n{line}\nA echo\n"
            );
            let told = problems(&text);
            assert!(told.contains(reason), "{line}: {told}");
        }
    }

    #[test]
    fn a_channel_that_cannot_be_is_told() {
        let alone = problems("ir 1\nclient A user=alice channel\nA connect\n");
        assert!(alone.contains("`on=`"), "{alone}");
        let unbound = "ir 1\nclient A user=alice\nclient B on=A channel\nB echo\n";
        let unbound = problems(unbound);
        assert!(unbound.contains("first step"), "{unbound}");
        let none = problems("ir 1\nclient A user=alice credits=0\nA echo\n");
        assert!(none.contains("credits"), "{none}");
    }
}
