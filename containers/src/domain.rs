//! The domain of a controller that runs in a container: where its services are, and an administrator for this process.
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

use crate::{ServerError, case, docker::Container};

/// Makes the administrator and waits until the controller is ready.
const SCRIPT: &str = include_str!("../ad/domain.sh");
/// The controller's NetBIOS name, by which a NEGOTIATE response shows that it is the one which answers.
pub(crate) const NETBIOS_NAME: &str = "DC1";
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
    /// The controller's name, as in service principal names: `dc1.ad.test`.
    pub host: String,
    /// Where LDAPS is served. The certificate is good for 127.0.0.1.
    pub ldaps: SocketAddr,
    /// Where LDAP is served, for StartTLS.
    pub ldap: SocketAddr,
    /// Where Kerberos is served, by TCP.
    pub kdc: SocketAddr,
    /// The certificate of the authority that vouches for the controller's, PEM.
    pub authority: String,
    /// An account that may do anything in the domain and in the share; it goes with the container.
    pub administrator: Identity,
}

impl Domain {
    /// Makes an administrator in `container`, whose ports are published at `address`, and waits until it can log in.
    pub(crate) async fn join(container: &Container, address: IpAddr) -> Result<Self, ServerError> {
        let account = format!("admin-{}", case::random(10)?);
        let password = SecretString::from(case::random(24)?);
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
            host: "dc1.ad.test".to_owned(),
            ldaps: SocketAddr::new(address, container.published(636).await?),
            ldap: SocketAddr::new(address, container.published(389).await?),
            kdc: SocketAddr::new(address, container.published(88).await?),
            authority,
            administrator: Identity {
                name: case::SETUP.to_owned(),
                account,
                domain: netbios.clone(),
                sid: None,
                password,
            },
            netbios,
        })
    }
}
