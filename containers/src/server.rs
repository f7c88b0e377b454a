//! Working with a server that runs: its cases, whether it still answers, its log, its end.

use std::{collections::BTreeMap, fmt, net::SocketAddr, time::Duration};

use replay_engine::{Identity, Realm, Target};

use crate::{
    CaseAccounts, CaseSite, ExternalAddress, ServerError, ServerSpec, Source, case, config::SHARE,
    docker::Container, domain::Domain, host::Host, identities::Identities, keeper::Keeper,
    launch::netbios_name, local::Private, probe, registry::Registry,
};

/// How long a running server may take to answer a NEGOTIATE.
pub(crate) const ANSWER: Duration = Duration::from_secs(2);
/// How long removing a server may take.
const REMOVAL: Duration = Duration::from_secs(20);

/// A running server.
///
/// Call [`Server::stop`] at the end. When it is dropped without that, or its process ends in whatever way, a server of
/// this process's own is removed too, a moment later and by another process.
#[derive(Debug)]
pub struct Server {
    pub(crate) spec: ServerSpec,
    pub(crate) address: SocketAddr,
    pub(crate) backing: Backing,
    /// Only for a server in a domain of ours.
    pub(crate) domain: Option<Domain>,
    /// Only for a member: the controller of its domain, which ends after it.
    pub(crate) controller: Option<Box<Server>>,
    /// Only for a server that is this process's own.
    pub(crate) owned: Option<Owned>,
}

/// What stands behind a server.
#[derive(Debug)]
pub(crate) enum Backing {
    External {
        address: ExternalAddress,
        identities: Identities,
    },
    Docker(Container),
    Local(Private),
}

/// What ends a server.
#[derive(Debug)]
pub(crate) struct Owned {
    pub(crate) keeper: Keeper,
    /// Its record.
    pub(crate) id: String,
    pub(crate) registry: Registry,
}

impl Server {
    /// A line for people: what it is, from where, at which address.
    #[must_use]
    pub fn describe(&self) -> String {
        let address = self.address;
        match &self.backing {
            Backing::External { address: named, .. } => format!("{named} (external)"),
            Backing::Docker(container) => {
                format!(
                    "{} in the container {} at {address}",
                    self.spec,
                    container.name()
                )
            }
            Backing::Local(Private {
                version, directory, ..
            }) => {
                format!("smbd {version} in {} at {address}", directory.display())
            }
        }
    }

    /// Where it came from.
    #[must_use]
    pub fn source(&self) -> Source {
        match self.backing {
            Backing::External { .. } => Source::External,
            Backing::Docker(_) => Source::Docker,
            Backing::Local(_) => Source::Local,
        }
    }

    /// What was asked for.
    #[must_use]
    pub fn spec(&self) -> &ServerSpec {
        &self.spec
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether somebody else runs it, at an address: its accounts are given, not made.
    #[must_use]
    pub fn is_external(&self) -> bool {
        matches!(self.backing, Backing::External { .. })
    }

    /// Whether other processes of the test run use it too; then [`Server::stop`] leaves it running.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.owned.is_none()
    }

    /// Makes a directory and accounts of its own for `case` (a test's name), those that are `wanted`. On a server that is not
    /// ours nothing is made: the accounts are those of the identities file, and the directory is left to the set-up
    /// account.
    ///
    /// # Errors
    ///
    /// A server that went away; an account that a standalone server cannot have ([`ServerError::Unsupported`]); an identity
    /// without an account, or a group without a table, on an external server.
    pub async fn open_case(
        &self,
        case: &str,
        wanted: &CaseAccounts,
    ) -> Result<CaseSite, ServerError> {
        let target = |host: String, share: &str| Target {
            address: self.address,
            host,
            share: share.to_owned(),
            root: String::new(),
            realm: None,
        };
        let host = match &self.backing {
            Backing::External {
                address,
                identities,
            } => {
                let target = target(address.host.clone(), &address.share);
                return case::external(identities, target, &address.directory, case, wanted);
            }
            Backing::Docker(container) => Host::Docker(container.clone()),
            Backing::Local(private) => Host::Local(private.directory.clone()),
        };
        case::open(
            &host,
            target(self.address.ip().to_string(), SHARE),
            case,
            wanted,
        )
        .await
    }

    /// The domain that the server is in, as its controller or a member, with an administrator's account of this process's own.
    #[must_use]
    pub fn domain(&self) -> Option<&Domain> {
        self.domain.as_ref()
    }

    /// Makes a directory for `case` on a server in a domain, whose accounts are made over LDAP by the caller:
    /// `identities` by their names in the trace. With `kerberos` clients log in by it unless their line says otherwise.
    ///
    /// # Errors
    ///
    /// A server that is in no domain that is known, or that went away.
    pub async fn open_domain_case(
        &self,
        case: &str,
        identities: BTreeMap<String, Identity>,
        kerberos: bool,
    ) -> Result<CaseSite, ServerError> {
        let Some(domain) = &self.domain else {
            return Err(ServerError::NotReady {
                address: self.address.to_string(),
                reason: "it is in no domain that is known".to_owned(),
            });
        };
        let target = Target {
            address: self.address,
            host: domain.host.clone(),
            share: SHARE.to_owned(),
            root: String::new(),
            realm: Some(Realm {
                name: domain.realm.clone(),
                kdc: domain.kdc,
                by_default: kerberos,
                sid: domain_of(&identities),
            }),
        };
        let administrator = domain.administrator.clone();
        let host = match &self.backing {
            Backing::External {
                address,
                identities: named,
            } => {
                let setup = named.setup().unwrap_or(administrator);
                let target = Target {
                    share: address.share.clone(),
                    ..target
                };
                return case::external_directory(
                    target,
                    &address.directory,
                    case,
                    identities,
                    setup,
                );
            }
            Backing::Docker(container) => Host::Docker(container.clone()),
            Backing::Local(private) => Host::Local(private.directory.clone()),
        };
        case::open_directory(host, target, case, identities, administrator).await
    }

    /// Becomes an administrator of the domain, if the server is in one, and waits until it is ready. A member's `controller`
    /// is ready already; `id` is the server's.
    pub(crate) async fn join(
        &mut self,
        controller: Option<&Server>,
        id: &str,
    ) -> Result<(), ServerError> {
        let domain = controller.and_then(|controller| controller.domain.as_ref());
        match (&self.spec, &self.backing) {
            (ServerSpec::SambaAd { .. }, Backing::Docker(container)) => {
                self.domain = Some(Domain::join(container, self.address.ip()).await?);
            }
            (ServerSpec::SambaAdMember { .. }, _) => {
                self.domain = domain.map(|domain| domain.of_member(&netbios_name(id)));
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether it still answers; takes a few seconds at most, and milliseconds when all is well.
    pub async fn is_alive(&self) -> Liveness {
        let stopped = match &self.backing {
            Backing::External { .. } => None,
            Backing::Docker(container) => match container.stopped().await {
                Ok(stopped) => stopped,
                Err(error) => {
                    return Liveness::Unresponsive {
                        reason: error.to_string(),
                    };
                }
            },
            Backing::Local(private) => private.stopped(),
        };
        if let Some(reason) = stopped {
            return Liveness::Gone { reason };
        }
        match probe::negotiate(self.address, ANSWER).await {
            Ok(_) => Liveness::Alive,
            Err(error) => Liveness::Unresponsive {
                reason: format!("{}: {error}", self.address),
            },
        }
    }

    /// The end of the server's own log, 64 KiB at most; a note instead where there is none.
    pub async fn log(&self) -> String {
        match &self.backing {
            Backing::External { .. } => {
                "(the log of a server that is not ours is not at hand)".to_owned()
            }
            Backing::Docker(container) => container.log().await,
            Backing::Local(private) => private.log(),
        }
    }

    /// Ends the server and removes all it had. One that is external, or shared with other processes of the run, is left
    /// running; the latter ends with its run.
    ///
    /// # Errors
    ///
    /// What could not be removed.
    pub async fn stop(mut self) -> Result<(), ServerError> {
        let controller = self.controller.take();
        let stopped = self.stop_alone().await;
        match controller {
            Some(controller) => {
                let controller = controller.stop_alone().await;
                stopped.and(controller)
            }
            None => stopped,
        }
    }

    async fn stop_alone(self) -> Result<(), ServerError> {
        let Some(Owned {
            mut keeper,
            id,
            registry,
        }) = self.owned
        else {
            return Ok(());
        };
        let removed = match self.backing {
            Backing::External { .. } => Ok(()),
            Backing::Docker(container) => {
                let removed = container.remove().await;
                if removed.is_ok() {
                    keeper.removed();
                }
                keeper.finish(REMOVAL).await;
                removed
            }
            Backing::Local(private) => {
                keeper.finish(REMOVAL).await;
                private.remove().await
            }
        };
        // Kept where something is left, for the next sweep.
        if removed.is_ok() {
            registry.remove(&id);
        }
        removed
    }
}

/// The identifier of the domain that the accounts are in: all but the last part of an account's (MS-DTYP 2.4.2.4).
fn domain_of(identities: &BTreeMap<String, Identity>) -> Option<String> {
    let mut known = identities.values().filter_map(|it| it.sid.as_deref());
    let (domain, _) = known.next()?.rsplit_once('-')?;
    Some(domain.to_owned())
}

/// Whether a server can still be worked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Liveness {
    /// It answered a NEGOTIATE.
    Alive,
    /// It is there but did not answer in time.
    Unresponsive {
        /// What was tried and what came.
        reason: String,
    },
    /// It is gone.
    Gone {
        /// How that is known.
        reason: String,
    },
}

impl fmt::Display for Liveness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alive => f.write_str("it answers"),
            Self::Unresponsive { reason } => write!(f, "it does not answer: {reason}"),
            Self::Gone { reason } => write!(f, "it is gone: {reason}"),
        }
    }
}
