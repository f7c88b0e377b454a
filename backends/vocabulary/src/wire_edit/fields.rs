//! Where the fields of headers and bodies are, by the names that `wire=` has for them.

/// A field by name: its offset and its size in bytes.
pub(super) type Field = (&'static str, usize, usize);

/// MS-SMB2 2.2.1.2.
pub(super) const HEADER: &[Field] = &[
    ("protocol-id", 0, 4),
    ("structure-size", 4, 2),
    ("credit-charge", 6, 2),
    ("status", 8, 4),
    ("command", 12, 2),
    ("credits", 14, 2),
    ("flags", 16, 4),
    ("next-command", 20, 4),
    ("message-id", 24, 8),
    ("reserved", 32, 4),
    ("tree-id", 36, 4),
    ("async-id", 32, 8),
    ("session-id", 40, 8),
];

/// The size of the header in bytes.
pub(super) const BODY: usize = 64;

/// In every body.
pub(super) const STRUCTURE_SIZE: Field = ("structure-size", 0, 2);

/// The fields of the bodies by verb, in bytes from the body's beginning; what has no number in it is left out.
pub(super) const BODIES: &[(&str, &[Field])] = &[
    // MS-SMB2 2.2.9.
    (
        "tree-connect",
        &[
            ("flags", 2, 2),
            ("path-offset", 4, 2),
            ("path-length", 6, 2),
        ],
    ),
    // 2.2.13.
    (
        "create",
        &[
            ("security-flags", 2, 1),
            ("oplock-level", 3, 1),
            ("impersonation-level", 4, 4),
            ("create-flags", 8, 8),
            ("access", 24, 4),
            ("attributes", 28, 4),
            ("share-access", 32, 4),
            ("disposition", 36, 4),
            ("options", 40, 4),
            ("name-offset", 44, 2),
            ("name-length", 46, 2),
            ("contexts-offset", 48, 4),
            ("contexts-length", 52, 4),
        ],
    ),
    // 2.2.15.
    (
        "close",
        &[("flags", 2, 2), ("persistent", 8, 8), ("volatile", 16, 8)],
    ),
    // 2.2.17.
    ("flush", &[("persistent", 8, 8), ("volatile", 16, 8)]),
    // 2.2.19.
    (
        "read",
        &[
            ("padding", 2, 1),
            ("flags", 3, 1),
            ("length", 4, 4),
            ("offset", 8, 8),
            ("persistent", 16, 8),
            ("volatile", 24, 8),
            ("minimum-count", 32, 4),
            ("channel", 36, 4),
            ("remaining-bytes", 40, 4),
            ("channel-offset", 44, 2),
            ("channel-length", 46, 2),
        ],
    ),
    // 2.2.21.
    (
        "write",
        &[
            ("data-offset", 2, 2),
            ("length", 4, 4),
            ("offset", 8, 8),
            ("persistent", 16, 8),
            ("volatile", 24, 8),
            ("channel", 32, 4),
            ("remaining-bytes", 36, 4),
            ("channel-offset", 40, 2),
            ("channel-length", 42, 2),
            ("flags", 44, 4),
        ],
    ),
    // 2.2.26.
    (
        "lock",
        &[
            ("count", 2, 2),
            ("sequence", 4, 4),
            ("persistent", 8, 8),
            ("volatile", 16, 8),
            ("lock-offset", 24, 8),
            ("lock-length", 32, 8),
            ("lock-flags", 40, 4),
        ],
    ),
    // 2.2.31.
    (
        "ioctl",
        &[
            ("code", 4, 4),
            ("persistent", 8, 8),
            ("volatile", 16, 8),
            ("input-offset", 24, 4),
            ("input-length", 28, 4),
            ("max-input", 32, 4),
            ("output-offset", 36, 4),
            ("output-length", 40, 4),
            ("max-output", 44, 4),
            ("flags", 48, 4),
        ],
    ),
    // 2.2.33.
    (
        "query-directory",
        &[
            ("class", 2, 1),
            ("flags", 3, 1),
            ("index", 4, 4),
            ("persistent", 8, 8),
            ("volatile", 16, 8),
            ("name-offset", 24, 2),
            ("name-length", 26, 2),
            ("output-length", 28, 4),
        ],
    ),
    // 2.2.35.
    (
        "notify",
        &[
            ("flags", 2, 2),
            ("output-length", 4, 4),
            ("persistent", 8, 8),
            ("volatile", 16, 8),
            ("filter", 24, 4),
        ],
    ),
    // 2.2.37.
    ("query-info", QUERY_INFO),
    ("query-fs", QUERY_INFO),
    // 2.2.39.
    (
        "set-info",
        &[
            ("type", 2, 1),
            ("class", 3, 1),
            ("buffer-length", 4, 4),
            ("buffer-offset", 8, 2),
            ("additional", 12, 4),
            ("persistent", 16, 8),
            ("volatile", 24, 8),
        ],
    ),
];

const QUERY_INFO: &[Field] = &[
    ("type", 2, 1),
    ("class", 3, 1),
    ("output-length", 4, 4),
    ("input-offset", 8, 2),
    ("input-length", 12, 4),
    ("additional", 16, 4),
    ("flags", 20, 4),
    ("persistent", 24, 8),
    ("volatile", 32, 8),
];
