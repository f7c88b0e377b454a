//! Servers in containers, through testcontainers and the Docker client that it brings.
//!
//! Containers are ended by their keeper and, should that be killed too, by their time to live; so they are started as
//! ones that testcontainers never removes by itself.

mod base;
mod container;
mod image;

use std::{
    collections::HashMap,
    env, fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

pub(crate) use container::Container;
pub(crate) use image::Image;
use testcontainers::{
    GenericImage, ImageExt, ReuseDirective,
    bollard::{
        Docker, errors::Error as DockerError, models::PortBinding,
        query_parameters::ListContainersOptionsBuilder,
    },
    core::{Host as HostAddress, IntoContainerPort, WaitFor, client::docker_client_instance},
    runners::AsyncRunner,
};
use tokio::time::timeout;

use crate::{
    ServerError,
    config::{self, Config},
    domain,
    keeper::Keeper,
    launch::Launch,
    probe,
    process::Owner,
    registry::{Record, Resource},
};

/// The folder with everything a server has, in its container.
const DIRECTORY: &str = "/srv/smb-replay";
/// How long a container may take from its start to its first NEGOTIATE.
const READY: Duration = Duration::from_secs(30);
/// How long the engine may take for one plain request.
const REQUEST: Duration = Duration::from_secs(20);
/// How long a container lives whatever happens, in seconds, unless `SMB_REPLAY_TTL` says otherwise.
const TIME_TO_LIVE: u64 = 6 * 3600;

const LABEL_ID: &str = "org.smb-replay.id";
const LABEL_OWNER: &str = "org.smb-replay.owner";

/// The engine's client, after one answer from the engine.
pub(crate) async fn engine() -> Result<Docker, ServerError> {
    let docker = docker_client_instance()
        .await
        .map_err(|error| failed("no engine", error))?;
    within(
        "the engine's answer to a ping",
        Duration::from_secs(5),
        docker.ping(),
    )
    .await?;
    Ok(docker)
}

/// Starts a container of `image` and waits until it answers a NEGOTIATE.
pub(crate) async fn start(
    launch: &Launch<'_>,
    image: Image<'_>,
) -> Result<(Container, Record, Keeper), ServerError> {
    let docker = engine().await?;
    let tag = image::ensure(&docker, launch, image).await?;
    launch.say(&format!("starting {} in a container", launch.spec));

    let name = format!("smb-replay-{}", launch.id);
    // Before the container is there: whenever this process is killed, somebody knows the name.
    let keeper = launch.keep(&["docker".into(), name.clone().into()], &[])?;
    let container = Container::named(docker, name);
    match run(launch, &container, image, &tag).await {
        Ok(record) => Ok((container, record, keeper)),
        Err(error) => {
            let said = container.log().await;
            // Should the engine not answer, the keeper tries again when its owner ends.
            if container.remove().await.is_ok() {
                keeper.dismiss().await;
                launch.registry.remove(launch.id);
            }
            Err(error.with_log(&said))
        }
    }
}

async fn run(
    launch: &Launch<'_>,
    container: &Container,
    image: Image<'_>,
    tag: &str,
) -> Result<Record, ServerError> {
    let extra = &launch.options.extra;
    let (netbios, file, config) = match image {
        Image::Standalone { .. } => {
            let netbios = launch.netbios_name();
            let config = Config {
                name: &netbios,
                directory: Path::new(DIRECTORY),
                port: 445,
                loopback: false,
                extra,
            };
            let text = config.render()?;
            (netbios, "smb.conf", text)
        }
        // Its name is the domain's matter.
        Image::DomainController => (
            domain::NETBIOS_NAME.to_owned(),
            "extra.conf",
            config::lines(extra)?,
        ),
        Image::Member { .. } => (launch.netbios_name(), "extra.conf", config::lines(extra)?),
    };
    let ports = image.ports();
    let (host, binding) = reach().await?;
    let owner =
        serde_json::to_string(launch.owner).map_err(|error| failed("the owner's label", error))?;
    let (name, version) = tag.rsplit_once(':').unwrap_or((tag, "latest"));

    let mut request = GenericImage::new(name, version);
    for port in ports {
        request = request.with_exposed_port(port.tcp());
    }
    let request = request
        .with_wait_for(WaitFor::Nothing)
        .with_container_name(container.name())
        .with_hostname(&netbios)
        .with_label(LABEL_ID, launch.id)
        .with_label(LABEL_OWNER, owner)
        .with_label("org.smb-replay.spec", launch.spec)
        .with_label("org.smb-replay.started", Record::now().to_string())
        .with_env_var("SMB_REPLAY_TTL", time_to_live()?.to_string())
        .with_copy_to(format!("{DIRECTORY}/{file}"), config.into_bytes())
        .with_host_config_modifier(move |host| {
            host.auto_remove = Some(true);
            host.publish_all_ports = Some(false);
            let binding = PortBinding {
                host_ip: Some(binding.to_string()),
                host_port: Some(String::new()),
            };
            let ports = ports.iter();
            let bound = ports.map(|port| (format!("{port}/tcp"), Some(vec![binding.clone()])));
            host.port_bindings = Some(bound.collect());
        })
        .with_log_consumer(container.reader())
        .with_reuse(ReuseDirective::Always)
        .with_startup_timeout(READY);
    let request = match image {
        Image::Member { domain, controller } => request
            .with_host(&domain.controller, HostAddress::Addr(controller))
            .with_cmd(["member"]),
        _ => request,
    };
    let started = request
        .start()
        .await
        .map_err(|error| failed("starting the container", error))?;
    let port = started
        .get_host_port_ipv4(445)
        .await
        .map_err(|error| failed("finding the container's port", error))?;
    let address = SocketAddr::new(host, port);

    if let Image::Member { domain, .. } = image {
        domain.enrol(container, &netbios).await?;
    }
    let gone = async || match container.stopped().await {
        Ok(None) | Err(_) => None,
        Ok(Some(reason)) => Some(reason),
    };
    let not_ready = |reason: String| ServerError::NotReady {
        address: address.to_string(),
        reason,
    };
    let negotiated = probe::ready(address, READY, gone)
        .await
        .map_err(|error| not_ready(error.to_string()))?;
    if !negotiated.is_named(&netbios) {
        return Err(not_ready("another server answered there".to_owned()));
    }
    let record = launch.record(
        address,
        Resource::Docker {
            container: container.name().to_owned(),
        },
    );
    launch.registry.write(&record)?;
    Ok(record)
}

/// The containers of this tool, with their owners (`None`: not readable) and whether they run.
pub(crate) async fn list(
    docker: &Docker,
) -> Result<Vec<(Container, Option<Owner>, bool)>, ServerError> {
    let filters = HashMap::from([("label".to_owned(), vec![LABEL_OWNER.to_owned()])]);
    let options = ListContainersOptionsBuilder::new()
        .all(true)
        .filters(&filters)
        .build();
    let found = within(
        "the engine's list",
        REQUEST,
        docker.list_containers(Some(options)),
    )
    .await?;
    Ok(found
        .into_iter()
        .filter_map(|summary| {
            let name = summary.names?.first()?.trim_start_matches('/').to_owned();
            let owner = summary
                .labels
                .and_then(|labels| serde_json::from_str(labels.get(LABEL_OWNER)?).ok());
            let state = summary
                .state
                .map(|state| state.to_string())
                .unwrap_or_default();
            // A container that is being created counts as running: its owner decides.
            let runs = !matches!(state.as_str(), "exited" | "dead");
            Some((Container::named(docker.clone(), name), owner, runs))
        })
        .collect())
}

/// Where published ports are reached, and the address to publish them at: loopback only, unless the engine is elsewhere.
async fn reach() -> Result<(IpAddr, IpAddr), ServerError> {
    let everywhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let host = match (
        env::var("TESTCONTAINERS_HOST_OVERRIDE"),
        env::var("DOCKER_HOST"),
    ) {
        (Ok(host), _) if !host.is_empty() => host,
        (_, Ok(engine)) if !engine.is_empty() && !engine.starts_with("unix:") => {
            let authority = engine
                .split_once("://")
                .map_or(engine.as_str(), |(_, rest)| rest);
            let host = authority
                .rsplit_once(':')
                .map_or(authority, |(host, _)| host);
            host.trim_matches(['[', ']', '/']).to_owned()
        }
        _ => return Ok((Ipv4Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into())),
    };
    let found = tokio::net::lookup_host((host.as_str(), 445))
        .await
        .map_err(|error| ServerError::Resolve {
            host: host.clone(),
            reason: error.to_string(),
        })?
        .find(SocketAddr::is_ipv4);
    match found {
        Some(address) if address.ip().is_loopback() => {
            Ok((address.ip(), Ipv4Addr::LOCALHOST.into()))
        }
        Some(address) => Ok((address.ip(), everywhere)),
        None => Err(ServerError::Resolve {
            host,
            reason: "it has no IPv4 address".to_owned(),
        }),
    }
}

fn time_to_live() -> Result<u64, ServerError> {
    let Ok(value) = env::var("SMB_REPLAY_TTL") else {
        return Ok(TIME_TO_LIVE);
    };
    match value.parse() {
        Ok(seconds @ 10..=604_800) => Ok(seconds),
        _ => Err(ServerError::Environment {
            variable: "SMB_REPLAY_TTL",
            value,
            reason: "it must be a number of seconds from 10 to 604800".to_owned(),
        }),
    }
}

fn failed(action: &str, reason: impl fmt::Display) -> ServerError {
    ServerError::Docker {
        action: action.to_owned(),
        reason: reason.to_string(),
    }
}

fn late(what: &str, limit: Duration) -> ServerError {
    ServerError::Timeout {
        what: what.to_owned(),
        limit,
    }
}

async fn within<T>(
    what: &str,
    limit: Duration,
    request: impl Future<Output = Result<T, DockerError>>,
) -> Result<T, ServerError> {
    timeout(limit, request)
        .await
        .map_err(|_| late(what, limit))?
        .map_err(|error| failed(what, error))
}
