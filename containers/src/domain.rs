//! The domain of a controller that runs in a container: where its services are, an administrator for this process, and how
//! other containers become members.
//!
//! The image holds no account that anybody knows a password of. Whoever may run programs in the container makes an
//! administrator there, with a random password that is never written down; so processes that share a controller need
//! not tell each other a secret.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use replay_engine::Identity;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;

use crate::{ServerError, accounts, docker::Container, random::random_letters};

/// Makes the administrator and waits until the controller is ready.
const SCRIPT: &str = include_str!("../ad/domain.sh");
/// Makes a container a member and waits until it is ready.
const MEMBER_SCRIPT: &str = include_str!("../ad/member.sh");
/// The controller's NetBIOS name, by which a NEGOTIATE response shows that it is the one which answers.
pub(crate) const NETBIOS_NAME: &str = "DC1";
const CONTROLLER: &str = "dc1.ad.test";
/// How long it may take from the first NEGOTIATE to the first login, in seconds. On an idle machine it is three.
const READY: u64 = 90;
/// What stands in front of the authority's certificate.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

/// An Active Directory domain, with an administrator's account.
#[derive(Debug, Clone)]
pub struct Domain {
    /// The Kerberos realm: `AD.TEST`.
    pub realm: String,
    /// The NetBIOS name of the domain: `ADTEST`.
    pub netbios: String,
    /// The distinguished name of its root: `DC=ad,DC=test`.
    pub base: String,
    /// The server's name, as in service principal names: `dc1.ad.test`, or that of a member.
    pub host: String,
    /// The controller's name: `dc1.ad.test`.
    pub controller: String,
    /// Where LDAPS is served, `host:port`. The certificate is good for that host.
    pub ldaps: String,
    /// Where LDAP is served, for StartTLS, `host:port`.
    pub ldap: String,
    /// Where Kerberos is served, by TCP.
    pub kdc: SocketAddr,
    /// The certificate of the authority that vouches for the controller's, PEM.
    pub authority: String,
    /// An account that may do anything in the domain and in the share; on a controller of ours it goes with the container.
    pub administrator: Identity,
}

impl Domain {
    /// Makes an administrator in `container`, whose ports are published at `address`, and waits until it can log in.
    pub(crate) async fn join(container: &Container, address: IpAddr) -> Result<Self, ServerError> {
        let account = format!("admin-{}", random_letters(10)?);
        let password = SecretString::from(random_letters(24)?);
        let seconds = READY.to_string();
        let input = format!("{}\n", password.expose_secret());
        let limit = Duration::from_secs(READY + 30);
        let arguments = [account.as_str(), seconds.as_str()];
        let said = timeout(limit, container.run(SCRIPT, &arguments, input))
            .await
            .map_err(|_| ServerError::Timeout {
                what: "a domain controller's first login".to_owned(),
                limit,
            })?
            .map_err(|error| ServerError::NotReady {
                address: address.to_string(),
                reason: error.to_string(),
            })?;
        let authority = said
            .find(CERTIFICATE)
            .map(|at| said[at..].trim().to_owned())
            .ok_or_else(|| ServerError::NotReady {
                address: address.to_string(),
                reason: "its container shows no certificate".to_owned(),
            })?;
        let netbios = "ADTEST".to_owned();
        Ok(Self {
            realm: "AD.TEST".to_owned(),
            base: "DC=ad,DC=test".to_owned(),
            host: CONTROLLER.to_owned(),
            controller: CONTROLLER.to_owned(),
            ldaps: SocketAddr::new(address, container.published(636).await?).to_string(),
            ldap: SocketAddr::new(address, container.published(389).await?).to_string(),
            kdc: SocketAddr::new(address, container.published(88).await?),
            authority,
            administrator: Identity {
                name: accounts::SETUP.to_owned(),
                account,
                domain: netbios.clone(),
                sid: None,
                password,
            },
            netbios,
        })
    }

    /// Makes `container` a member of this NetBIOS name, and waits until it can be logged in to.
    pub(crate) async fn enrol(
        &self,
        container: &Container,
        netbios: &str,
    ) -> Result<(), ServerError> {
        let seconds = READY.to_string();
        let administrator = &self.administrator;
        let input = format!("{}\n", administrator.password.expose_secret());
        let limit = Duration::from_secs(READY + 30);
        let arguments = [netbios, administrator.account.as_str(), seconds.as_str()];
        let enrolled = timeout(limit, container.run(MEMBER_SCRIPT, &arguments, input)).await;
        enrolled
            .map_err(|_| ServerError::Timeout {
                what: "joining a server to a domain".to_owned(),
                limit,
            })?
            .map(drop)
    }

    /// The same domain, as its member of this NetBIOS name has it.
    pub(crate) fn of_member(&self, netbios: &str) -> Self {
        Self {
            host: format!("{}.{}", netbios, self.realm).to_lowercase(),
            ..self.clone()
        }
    }
}
