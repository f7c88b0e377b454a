//! What may follow `client NAME`.

use super::{flag, optional};
use crate::client::{check_client_name, check_dialects, check_identity};
use replay_ir::{ArgKind, ArgSpec};

pub(super) const ARGS: &[ArgSpec] = &[
    optional(
        "user",
        ArgKind::Token(check_identity),
        "The identity, a name that the run maps to an account. Every client has one, or `anonymous`, or shares \
         another's session by `on=`. With `on=` it has a session and a tree of its own on the other's connection.",
    ),
    flag(
        "channel",
        "With `on=`: a connection of its own that its `connect`, which is its first step, binds to the other client's \
         session, as a further channel (MS-SMB2 3.2.4.2.3). It offers what the other offers, and logs in as the same \
         user, unless its line says something else; trees and handles are those of the session.",
    ),
    flag(
        "multichannel",
        "Offers SMB2_GLOBAL_CAP_MULTI_CHANNEL, as a client that has channels does without it (MS-SMB2 2.2.3).",
    ),
    flag(
        "wrong-password",
        "Logs in with a password that is not the identity's.",
    ),
    flag(
        "unknown-user",
        "Logs in with a name that no account has, in place of the identity's.",
    ),
    flag(
        "wrong-key",
        "With `channel`: signs the requests that bind it with a key that is not the session's (MS-SMB2 3.3.5.2.4).",
    ),
    flag(
        "no-binding",
        "With `channel`: its SESSION_SETUP names the session and is signed with its key, but has no \
         SMB2_SESSION_FLAG_BINDING (MS-SMB2 3.3.5.5).",
    ),
    optional(
        "client-guid",
        ArgKind::Token(check_client_name),
        "The client whose ClientGuid it has, too (MS-SMB2 2.2.3): to the server both are connections of one client, so that \
         lease keys are the same leases on both (MS-SMB2 3.3.1.11). Default one of its own.",
    ),
    flag("anonymous", "Logs in without a name (MS-NLMP 3.2.5.1.2)."),
    optional(
        "domain",
        ArgKind::Text,
        "The domain to log in to, instead of the one that the run's identity has.",
    ),
    optional(
        "groups",
        ArgKind::List(&ArgKind::Token(check_identity)),
        "Groups that the user is a member of.",
    ),
    optional(
        "auth",
        ArgKind::Word(&["ntlm", "kerberos"]),
        "The mechanism; without it the run chooses.",
    ),
    optional(
        "ticket-lifetime",
        ArgKind::Duration,
        "Asks the KDC for tickets that end so soon, a whole number of seconds from 1 on; the session ends with its \
         ticket (MS-SMB2 3.3.6.3). Needs `auth=kerberos`.",
    ),
    optional(
        "share",
        ArgKind::Text,
        "The share; without it the one that the run works in. Another share is expected to show the same directory.",
    ),
    optional(
        "dialect",
        ArgKind::Token(check_dialects),
        "The dialects to offer: one (`3.0.2`) or a range (`2.0.2..3.0`). Default `2.0.2..3.1.1`.",
    ),
    optional(
        "signing",
        ArgKind::Word(&["enabled", "required"]),
        "SecurityMode of the client (MS-SMB2 2.2.3). Default `enabled`.",
    ),
    optional(
        "encryption",
        ArgKind::Word(&["off", "offered", "required"]),
        "`off`: the client does not offer it; `offered` (default): it encrypts where the server asks for it; \
         `required`: it encrypts everything.",
    ),
    optional(
        "credits",
        ArgKind::Int,
        "How many credits the client tries to hold on its connection, 1..=65535 (MS-SMB2 3.2.4.1.2). Default 256.",
    ),
    optional(
        "cipher",
        ArgKind::List(&ArgKind::Word(&[
            "aes-128-ccm",
            "aes-128-gcm",
            "aes-256-ccm",
            "aes-256-gcm",
        ])),
        "The ciphers of the negotiate context, most wanted first (MS-SMB2 2.2.3.1.2). Default all, AES-128-GCM first.",
    ),
    optional(
        "signing-algorithm",
        ArgKind::List(&ArgKind::Word(&["hmac-sha256", "aes-cmac", "aes-gmac"])),
        "The algorithms of the negotiate context, most wanted first (MS-SMB2 2.2.3.1.7). Default all, AES-GMAC first.",
    ),
];
