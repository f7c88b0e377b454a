//! Starting a server from the first source that can give it, and sharing it among a test run's processes.

use std::{env, time::Duration};

use sha2::{Digest, Sha256};
use smb_wire::hex;

use crate::{
    Attempt, Domain, ExternalAddress, Liveness, NoServer, Server, ServerError, ServerSpec, Source,
    StartOptions,
    docker::{self, Container, Image},
    identities::Identities,
    launch::Launch,
    local, probe,
    process::{self, Owner, OwnerState},
    random::random_letters,
    registry::{Registry, Resource},
    server::{ANSWER, Backing, Owned},
    sweep,
};

/// How long one process may wait until another has started the server that both share (it may build an image).
const SHARED_START: Duration = Duration::from_secs(16 * 60);

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
        ServerSpec::Samba { .. }
        | ServerSpec::SambaAd { .. }
        | ServerSpec::SambaAdMember { .. }
            if options.sources.contains(&Source::External) =>
        {
            named_by_environment()
        }
        ServerSpec::Samba { .. }
        | ServerSpec::SambaAd { .. }
        | ServerSpec::SambaAdMember { .. } => None,
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
            Source::Docker | Source::Local => with_controller(spec, options, *source).await,
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
    let domain = Domain::from_env(&address.host).await?;
    let backing = Backing::External {
        address,
        identities,
    };
    Ok(Server {
        spec: spec.clone(),
        address: resolved,
        backing,
        domain,
        controller: None,
        owned: None,
    })
}

/// Starts a server of ours, and the controller of the domain that it is to be a member of first.
async fn with_controller(
    spec: &ServerSpec,
    options: &StartOptions,
    source: Source,
) -> Result<Server, ServerError> {
    let ServerSpec::SambaAdMember { .. } = spec else {
        return start_own(spec, options, source, None).await;
    };
    if source != Source::Docker {
        let spec = spec.to_string();
        return Err(ServerError::OnlyInDocker { spec });
    }
    let options_of_controller = StartOptions {
        extra: Vec::new(),
        ..options.clone()
    };
    let controller = ServerSpec::samba_ad();
    let controller = start_own(&controller, &options_of_controller, source, None).await?;
    match start_own(spec, options, source, Some(&controller)).await {
        Ok(mut server) => {
            server.controller = Some(Box::new(controller));
            Ok(server)
        }
        Err(error) => {
            if let Err(left) = controller.stop().await {
                tracing::warn!(error = %left, "a domain controller cannot be removed");
            }
            Err(error)
        }
    }
}

async fn start_own(
    spec: &ServerSpec,
    options: &StartOptions,
    source: Source,
    controller: Option<&Server>,
) -> Result<Server, ServerError> {
    let registry = Registry::open()?;
    let Some(run) = &options.run else {
        sweep::quietly(&registry).await;
        let start = Start {
            spec,
            options,
            source,
            controller,
        };
        return start.launch(&registry, "", &Owner::current()).await;
    };
    let key = key(spec, options, source, run);
    if let Some(server) = find(spec, &registry, &key, controller).await {
        return Ok(server);
    }
    let waiting =
        || tracing::info!("another process of this run starts the server; waiting for it");
    let _lock = registry.lock("start", SHARED_START, waiting).await?;
    if let Some(server) = find(spec, &registry, &key, controller).await {
        return Ok(server);
    }
    sweep::quietly(&registry).await;
    let start = Start {
        spec,
        options,
        source,
        controller,
    };
    start
        .launch(&registry, &key, &process::nextest_runner())
        .await
}

/// What two processes must agree on to share a server.
fn key(spec: &ServerSpec, options: &StartOptions, source: Source, run: &str) -> String {
    let text = format!("{spec}\n{source}\n{run}\n{:?}", options.extra);
    hex::encode(&Sha256::digest(text)[..16])
}

/// The shared server of `key`, if it runs and answers.
async fn find(
    spec: &ServerSpec,
    registry: &Registry,
    key: &str,
    controller: Option<&Server>,
) -> Option<Server> {
    let record = registry
        .records()
        .into_iter()
        .find(|record| record.key == key)?;
    if record.owner.state() == OwnerState::Gone {
        return None;
    }
    let backing = match &record.resource {
        Resource::Docker { container } => Backing::Docker(Container::attach(container).await.ok()?),
        Resource::Local(private) => Backing::Local(private.clone()),
    };
    let mut server = Server {
        spec: spec.clone(),
        address: record.address,
        backing,
        domain: None,
        controller: None,
        owned: None,
    };
    match server.is_alive().await {
        Liveness::Alive | Liveness::Unresponsive { .. } => {
            match server.join(controller, &record.id).await {
                Ok(()) => Some(server),
                Err(error) => {
                    tracing::warn!(%error, "the domain that this run shares cannot be used; starting another");
                    None
                }
            }
        }
        Liveness::Gone { reason } => {
            tracing::warn!(%reason, "the server that this run shares has ended; starting another");
            if let Err(error) = sweep::remove(registry, &record).await {
                tracing::warn!(%error, "what is left of it cannot be removed");
            }
            None
        }
    }
}

/// What is to be started.
struct Start<'a> {
    spec: &'a ServerSpec,
    options: &'a StartOptions,
    source: Source,
    /// Of the domain that it is to be a member of.
    controller: Option<&'a Server>,
}

impl Start<'_> {
    async fn launch(
        &self,
        registry: &Registry,
        key: &str,
        owner: &Owner,
    ) -> Result<Server, ServerError> {
        let Self {
            spec,
            options,
            source,
            controller,
        } = *self;
        let of =
            controller.and_then(
                |controller| match (&controller.domain, &controller.backing) {
                    (Some(domain), Backing::Docker(container)) => Some((domain, container)),
                    _ => None,
                },
            );
        let image = match (spec, of) {
            (ServerSpec::Samba { version }, _) => Image::Standalone { version },
            (ServerSpec::SambaAd { .. }, _) => Image::DomainController,
            (ServerSpec::SambaAdMember { .. }, Some((domain, container))) => Image::Member {
                domain,
                controller: container.inner_address().await?,
            },
            (ServerSpec::External { .. } | ServerSpec::SambaAdMember { .. }, _) => {
                return Err(ServerError::UnknownServer {
                    text: spec.to_string(),
                });
            }
        };
        let id = random_letters(10)?;
        let name = spec.to_string();
        let launch = Launch {
            id: &id,
            spec: &name,
            key,
            owner,
            options,
            registry,
        };
        let (record, backing, keeper) = match (source, image) {
            (Source::Docker, image) => {
                let (container, record, keeper) = docker::start(&launch, image).await?;
                (record, Backing::Docker(container), keeper)
            }
            (_, Image::Standalone { version }) => {
                let (record, private, keeper) = local::start(&launch, version).await?;
                (record, Backing::Local(private), keeper)
            }
            (_, Image::DomainController | Image::Member { .. }) => {
                return Err(ServerError::OnlyInDocker { spec: name });
            }
        };
        let address = record.address;
        // A shared server is its run's: its keeper goes on alone.
        let owned = key.is_empty().then(|| Owned {
            keeper,
            id: record.id,
            registry: registry.clone(),
        });
        let mut server = Server {
            spec: spec.clone(),
            address,
            backing,
            domain: None,
            controller: None,
            owned,
        };
        match server.join(controller, &id).await {
            Ok(()) => Ok(server),
            Err(error) => {
                let error = error.with_log(&server.log().await);
                if let Err(left) = server.stop().await {
                    tracing::warn!(error = %left, "a domain controller that is not ready cannot be removed");
                }
                Err(error)
            }
        }
    }
}
