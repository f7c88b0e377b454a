//! What a server must be, and where one may come from.

use std::{fmt, str::FromStr};

use crate::{ExternalAddress, ServerError};

/// The Samba versions that a server can be started as, with the Debian suite whose package has it.
pub(crate) const VERSIONS: [(&str, &str); 3] = [
    ("4.13", "bullseye"),
    ("4.17", "bookworm"),
    ("4.22", "trixie"),
];

/// The name of the domain controller.
const AD: &str = "samba-ad";
const AD_KERBEROS: &str = "samba-ad-kerberos";
/// That of a member of its domain.
const AD_MEMBER: &str = "samba-ad-member";
const AD_MEMBER_KERBEROS: &str = "samba-ad-member-kerberos";

/// What a server must be. The text form is what suites and test names use: `samba-4.17`, `samba-ad`, or `smb://host:port/share`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerSpec {
    /// A standalone Samba file server of this version, two numbers: `4.17`.
    Samba {
        /// Major and minor version.
        version: String,
    },
    /// A Samba Active Directory domain controller that serves the test shares itself.
    SambaAd {
        /// Clients whose line does not say how log in by Kerberos instead of NTLM.
        kerberos: bool,
    },
    /// A Samba file server that is a member of the domain of such a controller, which is started with it.
    SambaAdMember {
        /// Clients whose line does not say how log in by Kerberos instead of NTLM.
        kerberos: bool,
    },
    /// A server that runs already and that nobody here starts or stops.
    External {
        /// Where it listens, and the share to work in.
        address: ExternalAddress,
    },
}

impl ServerSpec {
    /// The standalone Samba of `version`, for instance `4.17`.
    ///
    /// # Errors
    ///
    /// [`ServerError::UnknownVersion`] names the versions there are.
    pub fn samba(version: &str) -> Result<Self, ServerError> {
        match VERSIONS.iter().find(|(known, _)| *known == version) {
            Some(_) => Ok(Self::Samba {
                version: version.to_owned(),
            }),
            None => Err(ServerError::UnknownVersion {
                version: version.to_owned(),
                known: VERSIONS.map(|(known, _)| known).join(", "),
            }),
        }
    }

    /// The Active Directory domain controller.
    #[must_use]
    pub fn samba_ad() -> Self {
        Self::SambaAd { kerberos: false }
    }

    /// The same, with clients that log in by Kerberos.
    #[must_use]
    pub fn samba_ad_kerberos() -> Self {
        Self::SambaAd { kerberos: true }
    }

    /// A member of the controller's domain.
    #[must_use]
    pub fn samba_ad_member() -> Self {
        Self::SambaAdMember { kerberos: false }
    }

    /// The same, with clients that log in by Kerberos.
    #[must_use]
    pub fn samba_ad_member_kerberos() -> Self {
        Self::SambaAdMember { kerberos: true }
    }

    /// Whether clients log in by Kerberos unless their line says otherwise.
    #[must_use]
    pub fn kerberos(&self) -> bool {
        matches!(
            self,
            Self::SambaAd { kerberos: true } | Self::SambaAdMember { kerberos: true }
        )
    }

    /// Whether it is in a domain of ours.
    #[must_use]
    pub fn in_domain(&self) -> bool {
        matches!(self, Self::SambaAd { .. } | Self::SambaAdMember { .. })
    }

    /// What is started for it: one server can be several to a suite.
    #[must_use]
    pub fn to_start(&self) -> Self {
        match self {
            Self::SambaAd { .. } => Self::samba_ad(),
            Self::SambaAdMember { .. } => Self::samba_ad_member(),
            other => other.clone(),
        }
    }

    /// The name to use as a part of a test's name, without `/` or `:`: `samba-4.17`, `external`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Samba { version } => format!("samba-{version}"),
            Self::SambaAd { kerberos: false } => AD.to_owned(),
            Self::SambaAd { kerberos: true } => AD_KERBEROS.to_owned(),
            Self::SambaAdMember { kerberos: false } => AD_MEMBER.to_owned(),
            Self::SambaAdMember { kerberos: true } => AD_MEMBER_KERBEROS.to_owned(),
            Self::External { .. } => "external".to_owned(),
        }
    }
}

impl FromStr for ServerSpec {
    type Err = ServerError;

    fn from_str(text: &str) -> Result<Self, ServerError> {
        if text == AD {
            Ok(Self::samba_ad())
        } else if text == AD_KERBEROS {
            Ok(Self::samba_ad_kerberos())
        } else if text == AD_MEMBER {
            Ok(Self::samba_ad_member())
        } else if text == AD_MEMBER_KERBEROS {
            Ok(Self::samba_ad_member_kerberos())
        } else if let Some(version) = text.strip_prefix("samba-") {
            Self::samba(version)
        } else if text.starts_with("smb:") {
            Ok(Self::External {
                address: text.parse()?,
            })
        } else {
            Err(ServerError::UnknownServer {
                text: text.to_owned(),
            })
        }
    }
}

impl fmt::Display for ServerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Samba { version } => write!(f, "samba-{version}"),
            Self::SambaAd { .. } | Self::SambaAdMember { .. } => f.write_str(&self.name()),
            Self::External { address } => address.fmt(f),
        }
    }
}

/// Where a server may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A server that runs already, named by `SMB_REPLAY_SERVER` or by the suite.
    External,
    /// A container, through testcontainers.
    Docker,
    /// A private `smbd` of this machine.
    Local,
}

impl Source {
    /// The word for it in messages and in `SMB_REPLAY_SOURCE`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::External => "external",
            Self::Docker => "docker",
            Self::Local => "local",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips() {
        for text in [
            "samba-4.17",
            "samba-4.22",
            "samba-ad",
            "samba-ad-kerberos",
            "samba-ad-member",
            "samba-ad-member-kerberos",
            "smb://nas.example:1445/data",
            "smb://[::1]/data/sub",
        ] {
            let spec: ServerSpec = text.parse().expect(text);
            assert_eq!(spec.to_string().parse::<ServerSpec>().expect(text), spec);
        }
        let spec: ServerSpec = "samba-4.17".parse().expect("known");
        assert_eq!(
            (spec.to_string(), spec.name()),
            ("samba-4.17".into(), "samba-4.17".into())
        );
    }

    #[test]
    fn unknown_versions_and_servers_say_what_there_is() {
        let error = "samba-4.99"
            .parse::<ServerSpec>()
            .expect_err("no such version")
            .to_string();
        assert!(
            error.contains("4.99") && error.contains("4.13, 4.17, 4.22"),
            "{error}"
        );
        let error = "windows-2025"
            .parse::<ServerSpec>()
            .expect_err("no such server")
            .to_string();
        assert!(
            error.contains("windows-2025") && error.contains("samba-4.17"),
            "{error}"
        );
    }
}
