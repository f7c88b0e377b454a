//! An Active Directory that is not ours: where it is, and an account that may make accounts there, from a file that only its
//! owner can read.

use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use replay_engine::Identity;
use serde::Deserialize;

use crate::{
    Domain, ServerError, accounts,
    secret::{SecretText, private},
};

/// The variable that names the file.
const VARIABLE: &str = "SMB_REPLAY_AD";
const FORM: &str = "expected: realm, netbios, base, ldaps = \"host:port\", ca = \"file.pem\", account, password, and if \
                    need be server, kdc = \"host:port\" and ldap = \"host:port\", each a text";

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Directory {
    realm: String,
    netbios: String,
    base: String,
    ldaps: String,
    ldap: Option<String>,
    kdc: Option<String>,
    /// The file server's name in service principal names.
    server: Option<String>,
    ca: PathBuf,
    account: String,
    password: SecretText,
}

impl Domain {
    /// The domain of the file that `SMB_REPLAY_AD` names; `None` without the variable. `host` is the file server's name,
    /// unless the file has another.
    pub(crate) async fn from_env(host: &str) -> Result<Option<Self>, ServerError> {
        match env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
            Some(path) => Self::from_file(Path::new(&path), host).await.map(Some),
            None => Ok(None),
        }
    }

    async fn from_file(path: &Path, host: &str) -> Result<Self, ServerError> {
        let bad = |reason: String| ServerError::Identities {
            path: path.to_owned(),
            reason,
        };
        let text = private(path)?;
        // The error's own text shows the line at fault, which may hold the password.
        let found: Directory = toml::from_str(&text).map_err(|error: toml::de::Error| {
            let end = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text[..end].matches('\n').count() + 1;
            bad(format!("line {line} is not as it should be; {FORM}"))
        })?;
        let ca = path.parent().unwrap_or(Path::new("")).join(&found.ca);
        let authority = fs::read_to_string(&ca)
            .map_err(|error| bad(format!("its ca, {}: {error}", ca.display())))?;
        let (controller, _) = found
            .ldaps
            .rsplit_once(':')
            .ok_or_else(|| bad(format!("`ldaps` is not host:port; {FORM}")))?;
        let kdc = found.kdc.clone();
        let kdc = kdc.unwrap_or_else(|| format!("{controller}:88"));
        let resolved = tokio::net::lookup_host(kdc.as_str()).await;
        let kdc = resolved
            .ok()
            .and_then(|mut found| found.next())
            .ok_or_else(|| ServerError::Resolve {
                host: kdc.clone(),
                reason: "the KDC's name has no address".to_owned(),
            })?;
        Ok(Self::new(&found, host, controller, kdc, authority))
    }

    fn new(
        found: &Directory,
        host: &str,
        controller: &str,
        kdc: SocketAddr,
        authority: String,
    ) -> Self {
        let ldap = found.ldap.clone();
        Self {
            realm: found.realm.to_uppercase(),
            netbios: found.netbios.clone(),
            base: found.base.clone(),
            host: found.server.clone().unwrap_or_else(|| host.to_owned()),
            controller: controller.to_owned(),
            ldaps: found.ldaps.clone(),
            ldap: ldap.unwrap_or_else(|| format!("{controller}:389")),
            kdc,
            authority,
            administrator: Identity {
                name: accounts::SETUP.to_owned(),
                account: found.account.clone(),
                domain: found.netbios.clone(),
                sid: None,
                password: found.password.0.clone(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, os::unix::fs::PermissionsExt};

    use super::*;

    const GOOD: &str = "realm = \"lab.example\"\nnetbios = \"LAB\"\nbase = \"DC=lab,DC=example\"\n\
                        ldaps = \"127.0.0.1:636\"\nca = \"/etc/hostname\"\naccount = \"admin\"\n\
                        password = \"hunter2\"\n";

    fn file(text: &str, mode: u32) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        let mode = fs::Permissions::from_mode(mode);
        file.as_file().set_permissions(mode).expect("ours");
        file
    }

    #[tokio::test]
    async fn a_file_tells_where_a_directory_is_and_hides_its_password() {
        let file = file(GOOD, 0o600);
        let domain = Domain::from_file(file.path(), "nas.lab.example").await;
        let domain = domain.expect("usable");
        assert_eq!(domain.realm, "LAB.EXAMPLE");
        assert_eq!(domain.host, "nas.lab.example");
        assert_eq!(
            (domain.ldap.as_str(), domain.kdc.port()),
            ("127.0.0.1:389", 88)
        );
        assert!(!format!("{domain:?}").contains("hunter2"));
    }

    #[tokio::test]
    async fn a_file_that_others_may_read_or_that_is_wrong_is_refused() {
        let open = Domain::from_file(file(GOOD, 0o640).path(), "h").await;
        assert!(
            open.expect_err("open to others")
                .to_string()
                .contains("chmod 600")
        );
        for wrong in [
            "realm = \"x\"\n",
            "password = hunter2\n",
            &format!("{GOOD}pasword = \"hunter2\"\n"),
        ] {
            let error = Domain::from_file(file(wrong, 0o600).path(), "h").await;
            let text = error.expect_err("wrong").to_string();
            assert!(
                text.contains("line ") && !text.contains("hunter2"),
                "{text}"
            );
        }
    }
}
