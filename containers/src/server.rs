//! Starting a server from the first source that can give it, sharing it among a run's processes, and working with it.

use std::{env, fmt, net::SocketAddr, time::Duration};

use replay_engine::Target;
use sha2::{Digest, Sha256};

use crate::{
    Attempt, CaseSite, ExternalAddress, NoServer, ServerError, ServerSpec, Source, StartOptions,
    case,
    config::SHARE,
    docker::{self, Container},
    host::Host,
    identities::Identities,
    keeper::Keeper,
    launch::Launch,
    local, probe,
    process::{self, Owner, OwnerState},
    registry::{Record, Registry, Resource},
    sweep,
};

/// How long a running server may take to answer a NEGOTIATE.
const ANSWER: Duration = Duration::from_secs(2);
/// How long one process may wait until another has started the server that both share (it may build an image).
const SHARED_START: Duration = Duration::from_secs(16 * 60);
/// How long removing a server may take.
const REMOVAL: Duration = Duration::from_secs(20);

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

/// A running server.
///
/// Call [`Server::stop`] at the end. When it is dropped without that, or its process ends in whatever way, a server of
/// this process's own is removed too, a moment later and by another process.
#[derive(Debug)]
pub struct Server {
    spec: ServerSpec,
    address: SocketAddr,
    backing: Backing,
    /// Only while this process owns the server.
    keeper: Option<Keeper>,
}

#[derive(Debug)]
enum Backing {
    External {
        address: ExternalAddress,
        identities: Identities,
    },
    Docker {
        container: Container,
        record: Record,
        registry: Registry,
    },
    Local {
        record: Record,
        registry: Registry,
    },
}

/// Starts (or, in a cargo-nextest run, finds) the server that `spec` asks for, from the first source that can give it.
///
/// # Errors
///
/// [`NoServer`] with what was tried.
pub async fn start(spec: &ServerSpec, options: &StartOptions) -> Result<Server, NoServer> {
    let no_server = |attempts| NoServer {
        spec: spec.clone(),
        attempts,
    };
    let external = match spec {
        ServerSpec::External { address } => Some(Ok(address.clone())),
        ServerSpec::Samba { .. } if options.sources.contains(&Source::External) => {
            named_by_environment()
        }
        ServerSpec::Samba { .. } => None,
    };
    if let Some(address) = external {
        // A server that was named is meant: another one in its place would only mislead.
        let server = match address {
            Ok(address) => start_external(spec, address).await,
            Err(error) => Err(error),
        };
        return server.map_err(|error| {
            no_server(vec![Attempt {
                source: Source::External,
                error,
            }])
        });
    }
    let mut attempts = Vec::new();
    for source in &options.sources {
        let tried = match source {
            Source::External if options.sources.len() > 1 => continue,
            Source::External => Err(ServerError::Environment {
                variable: "SMB_REPLAY_SERVER",
                value: String::new(),
                reason: "it must name the server, smb://host:port/share".to_owned(),
            }),
            Source::Docker | Source::Local => start_own(spec, options, *source).await,
        };
        match tried {
            Ok(server) => return Ok(server),
            Err(error) => {
                tracing::info!(%source, %error, "no server from this source");
                attempts.push(Attempt {
                    source: *source,
                    error,
                });
            }
        }
    }
    Err(no_server(attempts))
}

fn named_by_environment() -> Option<Result<ExternalAddress, ServerError>> {
    let text = env::var("SMB_REPLAY_SERVER")
        .ok()
        .filter(|text| !text.is_empty())?;
    Some(text.parse())
}

async fn start_external(
    spec: &ServerSpec,
    address: ExternalAddress,
) -> Result<Server, ServerError> {
    let identities = Identities::from_env()?;
    let resolved = address.resolve().await?;
    probe::negotiate(resolved, 3 * ANSWER)
        .await
        .map_err(|error| ServerError::NotReady {
            address: address.to_string(),
            reason: error.to_string(),
        })?;
    let backing = Backing::External {
        address,
        identities,
    };
    Ok(Server {
        spec: spec.clone(),
        address: resolved,
        backing,
        keeper: None,
    })
}

async fn start_own(
    spec: &ServerSpec,
    options: &StartOptions,
    source: Source,
) -> Result<Server, ServerError> {
    let registry = Registry::open()?;
    let Some(run) = &options.run else {
        sweep::quietly(&registry).await;
        return launch(spec, options, source, &registry, "", &Owner::current()).await;
    };
    let key = key(spec, options, source, run);
    if let Some(server) = find(spec, &registry, &key).await {
        return Ok(server);
    }
    let waiting =
        || tracing::info!("another process of this run starts the server; waiting for it");
    let _lock = registry.lock("start", SHARED_START, waiting).await?;
    if let Some(server) = find(spec, &registry, &key).await {
        return Ok(server);
    }
    sweep::quietly(&registry).await;
    launch(
        spec,
        options,
        source,
        &registry,
        &key,
        &process::nextest_runner(),
    )
    .await
}

/// What two processes must agree on to share a server.
fn key(spec: &ServerSpec, options: &StartOptions, source: Source, run: &str) -> String {
    let text = format!("{spec}\n{source}\n{run}\n{:?}", options.extra);
    Sha256::digest(text)
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The shared server of `key`, if it runs and answers.
async fn find(spec: &ServerSpec, registry: &Registry, key: &str) -> Option<Server> {
    let record = registry
        .records()
        .into_iter()
        .find(|record| record.key == key)?;
    if record.owner.state() == OwnerState::Gone {
        return None;
    }
    let backing = match &record.resource {
        Resource::Docker { container } => {
            let container = Container::attach(container).await.ok()?;
            Backing::Docker {
                container,
                record: record.clone(),
                registry: registry.clone(),
            }
        }
        Resource::Local { .. } => Backing::Local {
            record: record.clone(),
            registry: registry.clone(),
        },
    };
    let server = Server {
        spec: spec.clone(),
        address: record.address,
        backing,
        keeper: None,
    };
    match server.is_alive().await {
        Liveness::Alive | Liveness::Unresponsive { .. } => Some(server),
        Liveness::Gone { reason } => {
            tracing::warn!(%reason, "the server that this run shares has ended; starting another");
            if let Err(error) = sweep::remove(registry, &record).await {
                tracing::warn!(%error, "what is left of it cannot be removed");
            }
            None
        }
    }
}

async fn launch(
    spec: &ServerSpec,
    options: &StartOptions,
    source: Source,
    registry: &Registry,
    key: &str,
    owner: &Owner,
) -> Result<Server, ServerError> {
    let ServerSpec::Samba { version } = spec else {
        return Err(ServerError::UnknownServer {
            text: spec.to_string(),
        });
    };
    let id = case::random(10)?;
    let name = spec.to_string();
    let launch = Launch {
        id: &id,
        spec: &name,
        key,
        owner,
        options,
        registry,
    };
    let registry = registry.clone();
    let (address, backing, keeper) = match source {
        Source::Docker => {
            let (container, record, keeper) = docker::start(&launch, version).await?;
            (
                record.address,
                Backing::Docker {
                    container,
                    record,
                    registry,
                },
                keeper,
            )
        }
        _ => {
            let (record, keeper) = local::start(&launch, version).await?;
            (record.address, Backing::Local { record, registry }, keeper)
        }
    };
    // A shared server is its run's: its keeper goes on alone.
    let keeper = key.is_empty().then_some(keeper);
    Ok(Server {
        spec: spec.clone(),
        address,
        backing,
        keeper,
    })
}

impl Server {
    /// A line for people: what it is, from where, at which address.
    #[must_use]
    pub fn describe(&self) -> String {
        let address = self.address;
        match &self.backing {
            Backing::External { address: named, .. } => format!("{named} (external)"),
            Backing::Docker { container, .. } => {
                format!(
                    "{} in the container {} at {address}",
                    self.spec,
                    container.name()
                )
            }
            Backing::Local { record, .. } => match &record.resource {
                Resource::Local {
                    version, directory, ..
                } => {
                    format!("smbd {version} in {} at {address}", directory.display())
                }
                Resource::Docker { .. } => format!("{} at {address}", self.spec),
            },
        }
    }

    /// Where it came from.
    #[must_use]
    pub fn source(&self) -> Source {
        match self.backing {
            Backing::External { .. } => Source::External,
            Backing::Docker { .. } => Source::Docker,
            Backing::Local { .. } => Source::Local,
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

    /// Whether other processes of the test run use it too; then [`Server::stop`] leaves it running.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.keeper.is_none()
    }

    /// Makes a directory and accounts of its own for `case` (a test's name), one account for each of `users` (the names
    /// of identities in the trace). On a server that is not ours nothing is made: the accounts are those of the
    /// identities file, and the directory is left to the set-up account.
    ///
    /// # Errors
    ///
    /// A server that went away, or an identity without an account on an external server.
    pub async fn open_case(&self, case: &str, users: &[String]) -> Result<CaseSite, ServerError> {
        let target = |host: String, share: &str| Target {
            address: self.address,
            host,
            share: share.to_owned(),
            root: String::new(),
        };
        match &self.backing {
            Backing::External {
                address,
                identities,
            } => external_site(
                identities,
                target(address.host.clone(), &address.share),
                address,
                case,
                users,
            ),
            Backing::Docker { container, .. } => {
                let host = Host::Docker(container.clone());
                case::open(
                    &host,
                    target(self.address.ip().to_string(), SHARE),
                    case,
                    users,
                )
                .await
            }
            Backing::Local { record, .. } => {
                let Resource::Local { directory, .. } = &record.resource else {
                    return Err(ServerError::UnknownServer {
                        text: self.describe(),
                    });
                };
                let host = Host::Local(directory.clone());
                case::open(
                    &host,
                    target(self.address.ip().to_string(), SHARE),
                    case,
                    users,
                )
                .await
            }
        }
    }

    /// Whether it still answers; takes a few seconds at most, and milliseconds when all is well.
    pub async fn is_alive(&self) -> Liveness {
        let stopped = match &self.backing {
            Backing::External { .. } => None,
            Backing::Docker { container, .. } => match container.stopped().await {
                Ok(stopped) => stopped,
                Err(error) => {
                    return Liveness::Unresponsive {
                        reason: error.to_string(),
                    };
                }
            },
            Backing::Local { record, .. } => match record.resource {
                Resource::Local { group, start, .. } => local::stopped(group, start),
                Resource::Docker { .. } => None,
            },
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
            Backing::Docker { container, .. } => container.log().await,
            Backing::Local { record, .. } => match &record.resource {
                Resource::Local { directory, .. } => local::log(directory),
                Resource::Docker { .. } => String::new(),
            },
        }
    }

    /// Ends the server and removes all it had. One that is external, or shared with other processes of the run, is left
    /// running; the latter ends with its run.
    ///
    /// # Errors
    ///
    /// What could not be removed.
    pub async fn stop(self) -> Result<(), ServerError> {
        let Some(mut keeper) = self.keeper else {
            return Ok(());
        };
        match self.backing {
            Backing::External { .. } => Ok(()),
            Backing::Docker {
                container,
                record,
                registry,
            } => {
                let removed = container.remove().await;
                if removed.is_ok() {
                    keeper.removed();
                }
                keeper.finish(REMOVAL).await;
                registry.remove(&record.id);
                removed
            }
            Backing::Local { record, registry } => {
                keeper.finish(REMOVAL).await;
                // Does nothing when the keeper did its work.
                sweep::remove(&registry, &record).await
            }
        }
    }
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

/// A case's place on a server that is not ours.
fn external_site(
    identities: &Identities,
    target: Target,
    address: &ExternalAddress,
    case: &str,
    users: &[String],
) -> Result<CaseSite, ServerError> {
    let found = users
        .iter()
        .map(|user| Ok((user.clone(), identities.get(user)?)));
    let found: std::collections::BTreeMap<_, _> = found.collect::<Result<_, ServerError>>()?;
    // Nobody need give a set-up account an own line: the first user can make the state as well.
    let setup = match (identities.get("setup"), found.values().next()) {
        (Ok(setup), _) => setup,
        (Err(_), Some(first)) => first.clone(),
        (Err(error), None) => return Err(error),
    };
    let root = case::root(case)?;
    let root = if address.directory.is_empty() {
        root
    } else {
        format!("{}/{root}", address.directory)
    };
    Ok(CaseSite {
        target: Target { root, ..target },
        identities: found,
        setup,
        root_exists: false,
        host: Host::External,
    })
}
