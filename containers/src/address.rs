//! The address of a server that somebody else runs: `smb://host[:port]/share[/directory]`.

use std::{fmt, net::SocketAddr, str::FromStr};

use crate::ServerError;

/// The port of SMB over TCP (MS-SMB2 2.1).
const SMB_PORT: u16 = 445;

/// Where a server that is not ours listens, and the share (and directory in it) to work in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ExternalAddress {
    /// A name or an IP address, without brackets.
    pub host: String,
    /// The TCP port, 445 unless given.
    pub port: u16,
    /// The share.
    pub share: String,
    /// The directory in the share below which every trace gets a directory of its own; empty for the share's root.
    pub directory: String,
}

impl ExternalAddress {
    /// The first address that the name stands for.
    ///
    /// # Errors
    ///
    /// [`ServerError::Resolve`] when it stands for none.
    pub(crate) async fn resolve(&self) -> Result<SocketAddr, ServerError> {
        let error = |reason: String| ServerError::Resolve {
            host: self.host.clone(),
            reason,
        };
        let mut found = tokio::net::lookup_host((self.host.as_str(), self.port))
            .await
            .map_err(|source| error(source.to_string()))?;
        found
            .next()
            .ok_or_else(|| error("it has no address".to_owned()))
    }
}

impl FromStr for ExternalAddress {
    type Err = ServerError;

    fn from_str(text: &str) -> Result<Self, ServerError> {
        let bad = |reason: &'static str| ServerError::Address {
            text: redacted(text),
            reason,
        };
        let rest = text
            .strip_prefix("smb://")
            .ok_or_else(|| bad("it must begin with smb://"))?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err(bad(
                "accounts do not belong in the address: see SMB_REPLAY_IDENTITIES",
            ));
        }
        let (host, port) = split_port(authority).ok_or_else(|| bad("a [ of the host has no ]"))?;
        let port = match port {
            Some(port) => match port.parse() {
                Ok(port) if port != 0 => port,
                _ => return Err(bad("the port must be a number from 1 to 65535")),
            },
            None => SMB_PORT,
        };
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let share = parts.next().unwrap_or_default();
        let directory = parts.collect::<Vec<_>>().join("/");
        if host.is_empty() {
            return Err(bad("the host is missing"));
        }
        if share.is_empty() {
            return Err(bad("the share is missing"));
        }
        if host.contains(':') != authority.starts_with('[') {
            return Err(bad(
                "an IPv6 address needs brackets, and only it: smb://[::1]:445/share",
            ));
        }
        if rest.contains(['\\', '\0', '?', '#']) || rest.chars().any(char::is_control) {
            return Err(bad("it may hold no \\, ?, # or control character"));
        }
        if directory.split('/').any(|part| part == "." || part == "..") {
            return Err(bad("the directory may hold no . or .."));
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            share: share.to_owned(),
            directory,
        })
    }
}

/// `text` without what stands before an `@`: people put passwords there.
fn redacted(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_, host)) => format!("smb://…@{host}"),
        None => text.to_owned(),
    }
}

/// Host and port of an authority; `None` when a bracket is not closed.
fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(port))),
            None if rest.is_empty() => Some((host, None)),
            None => None,
        };
    }
    Some(match authority.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    })
}

impl fmt::Display for ExternalAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "smb://[{}]:{}/{}", self.host, self.port, self.share)?;
        } else {
            write!(f, "smb://{}:{}/{}", self.host, self.port, self.share)?;
        }
        if !self.directory.is_empty() {
            write!(f, "/{}", self.directory)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (String, u16, String, String) {
        let address: ExternalAddress = text.parse().expect(text);
        (address.host, address.port, address.share, address.directory)
    }

    #[test]
    fn reads_host_port_share_and_directory() {
        assert_eq!(
            parsed("smb://nas/data"),
            ("nas".into(), 445, "data".into(), String::new())
        );
        assert_eq!(
            parsed("smb://10.0.0.7:1445/d$/a//b/"),
            ("10.0.0.7".into(), 1445, "d$".into(), "a/b".into())
        );
        assert_eq!(
            parsed("smb://[fe80::1]:4450/x"),
            ("fe80::1".into(), 4450, "x".into(), String::new())
        );
        assert_eq!(
            parsed("smb://[::1]/x"),
            ("::1".into(), 445, "x".into(), String::new())
        );
    }

    #[test]
    fn refuses_what_is_no_address() {
        for (text, reason) in [
            ("nas/data", "must begin with smb://"),
            ("smb:///data", "host is missing"),
            ("smb://nas", "share is missing"),
            ("smb://nas:0/data", "from 1 to 65535"),
            ("smb://nas:65536/data", "from 1 to 65535"),
            ("smb://nas:/data", "from 1 to 65535"),
            ("smb://[::1/data", "has no ]"),
            ("smb://[::1]x/data", "has no ]"),
            ("smb://::1/data", "needs brackets"),
            ("smb://[nas]/data", "needs brackets"),
            ("smb://nas/data/../x", ". or .."),
            ("smb://nas/da\\ta", "control character"),
        ] {
            let error = text.parse::<ExternalAddress>().expect_err(text).to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn a_password_in_the_address_is_refused_and_not_repeated() {
        let error = "smb://bob:hunter2@nas/data"
            .parse::<ExternalAddress>()
            .expect_err("account")
            .to_string();
        assert!(
            error.contains("SMB_REPLAY_IDENTITIES") && !error.contains("hunter2"),
            "{error}"
        );
    }

    proptest::proptest! {
        /// An address that is taken reads the same when it is written again; one that is not, shows no password.
        #[test]
        fn addresses_are_read_as_they_are_written(
            user in "(hunter2@|hunter2:hunter2@)?", host in "(\\[[0-9a-f:]{1,6}\\]|[a-z.ü]{0,6}|[0-9a-f:]{0,6})",
            port in "(:[0-9]{0,6})?", path in "[a-z$/.\\\\? ]{0,12}",
        ) {
            let text = format!("smb://{user}{host}{port}/{path}");
            match text.parse::<ExternalAddress>() {
                Ok(address) => {
                    let again = address.to_string().parse::<ExternalAddress>();
                    proptest::prop_assert_eq!(again.map(|again| again.to_string()).ok(), Some(address.to_string()));
                    proptest::prop_assert!(user.is_empty() && address.port > 0);
                }
                Err(error) => proptest::prop_assert!(!error.to_string().contains("hunter2"), "{}", error),
            }
        }
    }
}
