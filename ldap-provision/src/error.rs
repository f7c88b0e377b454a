//! What can go wrong, as the Python package tells it.

/// Why accounts could not be made or removed. Never holds a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The build has no Python.
    #[error(
        "accounts over LDAP need Python, which this build is without: build with the cargo feature `ad`"
    )]
    NotBuilt,
    /// A Python package is not installed.
    #[error(
        "the Python package {package} is missing: run `cargo xtask regressions`, or `python3 -m pip install {package}`"
    )]
    MissingPackage {
        /// Its name.
        package: String,
    },
    /// A plan that cannot be carried out; nothing was changed.
    #[error("{what}; {advice}")]
    Plan {
        /// What is wrong.
        what: String,
        /// What to do.
        advice: String,
    },
    /// No usable connection: not reached, not trusted, or not let in.
    #[error("{what}; {advice}")]
    Connect {
        /// What happened.
        what: String,
        /// What to do.
        advice: String,
        /// The LDAP result code (RFC 4511 4.1.9), where the server gave one.
        code: Option<u32>,
    },
    /// The server refused an operation.
    #[error("{what}; {advice}")]
    Directory {
        /// What happened, with DN, code and the server's text.
        what: String,
        /// What to do.
        advice: String,
        /// The entry's distinguished name.
        dn: String,
        /// The LDAP result code (RFC 4511 4.1.9).
        code: u32,
        /// The server's own words.
        text: String,
    },
    /// Python failed in a way that nobody foresaw.
    #[error("Python: {0}")]
    Python(String),
}
