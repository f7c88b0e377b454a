//! Servers in containers, through testcontainers and the Docker client that it brings.
//!
//! Containers are ended by their keeper and, should that be killed too, by their time to live; so they are started as
//! ones that testcontainers never removes by itself.

mod base;
mod image;

use std::{
    collections::{HashMap, VecDeque},
    env, fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::StreamExt;
use testcontainers::{
    GenericImage, ImageExt, ReuseDirective,
    bollard::{
        Docker,
        container::LogOutput,
        errors::Error as DockerError,
        exec::{CreateExecOptions, StartExecOptions, StartExecResults},
        models::PortBinding,
        query_parameters::{
            InspectContainerOptions, ListContainersOptionsBuilder, LogsOptionsBuilder,
            RemoveContainerOptionsBuilder,
        },
    },
    core::{IntoContainerPort, WaitFor, client::docker_client_instance, logs::LogFrame},
    runners::AsyncRunner,
};
use tokio::{io::AsyncWriteExt, time::timeout};

use crate::{
    ServerError,
    config::Config,
    keeper::Keeper,
    launch::{LOG_LIMIT, Launch},
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

/// A container, by its name.
#[derive(Clone)]
pub(crate) struct Container {
    docker: Docker,
    name: String,
    /// What it has printed since its start, if this process started it.
    printed: Option<Arc<Mutex<VecDeque<u8>>>>,
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Container").field(&self.name).finish()
    }
}

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

/// Starts a container of Samba `version` and waits until it is ready.
pub(crate) async fn start(
    launch: &Launch<'_>,
    version: &str,
) -> Result<(Container, Record, Keeper), ServerError> {
    let docker = engine().await?;
    let tag = image::ensure(&docker, launch, version).await?;
    launch.say(&format!("starting {} in a container", launch.spec));

    let name = format!("smb-replay-{}", launch.id);
    // Before the container is there: whenever this process is killed, somebody knows the name.
    let mut keeper = launch.keep(&["docker".into(), name.clone().into()], &[])?;
    let container = Container {
        docker,
        name,
        printed: Some(Arc::default()),
    };
    match run(launch, &container, &tag).await {
        Ok(record) => Ok((container, record, keeper)),
        Err(error) => {
            let log = container.log().await;
            if container.remove().await.is_ok() {
                keeper.removed();
            }
            keeper.finish(REQUEST).await;
            Err(match error {
                ServerError::NotReady { address, reason } if !log.is_empty() => {
                    ServerError::NotReady {
                        address,
                        reason: format!("{reason}; its log ends:\n{}", tail(&log, 20)),
                    }
                }
                other => other,
            })
        }
    }
}

async fn run(launch: &Launch<'_>, container: &Container, tag: &str) -> Result<Record, ServerError> {
    let netbios = launch.netbios_name();
    let config = Config {
        name: &netbios,
        directory: Path::new(DIRECTORY),
        port: 445,
        loopback: false,
        extra: &launch.options.extra,
    };
    let (host, binding) = reach().await?;
    let printed = container.printed.clone().unwrap_or_default();
    let owner =
        serde_json::to_string(launch.owner).map_err(|error| failed("the owner's label", error))?;
    let (name, version) = tag.rsplit_once(':').unwrap_or((tag, "latest"));

    let request = GenericImage::new(name, version)
        .with_exposed_port(445.tcp())
        .with_wait_for(WaitFor::Nothing)
        .with_container_name(&container.name)
        .with_hostname(&netbios)
        .with_label(LABEL_ID, launch.id)
        .with_label(LABEL_OWNER, owner)
        .with_label("org.smb-replay.spec", launch.spec)
        .with_label("org.smb-replay.started", Record::now().to_string())
        .with_env_var("SMB_REPLAY_TTL", time_to_live()?.to_string())
        .with_copy_to(
            format!("{DIRECTORY}/smb.conf"),
            config.render()?.into_bytes(),
        )
        .with_host_config_modifier(move |host| {
            host.auto_remove = Some(true);
            host.publish_all_ports = Some(false);
            let binding = PortBinding {
                host_ip: Some(binding.to_string()),
                host_port: Some(String::new()),
            };
            host.port_bindings = Some(HashMap::from([("445/tcp".to_owned(), Some(vec![binding]))]));
        })
        .with_log_consumer(move |frame: &LogFrame| remember(&printed, frame))
        .with_reuse(ReuseDirective::Always)
        .with_startup_timeout(READY);
    let started = request
        .start()
        .await
        .map_err(|error| failed("starting the container", error))?;
    let port = started
        .get_host_port_ipv4(445)
        .await
        .map_err(|error| failed("finding the container's port", error))?;
    let address = SocketAddr::new(host, port);

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
            container: container.name.clone(),
        },
    );
    launch.registry.write(&record)?;
    Ok(record)
}

impl Container {
    /// The container of a record that another process wrote.
    pub(crate) async fn attach(name: &str) -> Result<Self, ServerError> {
        Ok(Self {
            docker: engine().await?,
            name: name.to_owned(),
            printed: None,
        })
    }

    /// The container's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Why it does not run, if it does not.
    pub(crate) async fn stopped(&self) -> Result<Option<String>, ServerError> {
        let inspect = self
            .docker
            .inspect_container(&self.name, None::<InspectContainerOptions>);
        let state = match timeout(REQUEST, inspect).await {
            Ok(Ok(container)) => container.state.unwrap_or_default(),
            Ok(Err(DockerError::DockerResponseServerError {
                status_code: 404, ..
            })) => {
                return Ok(Some("its container is gone".to_owned()));
            }
            Ok(Err(error)) => return Err(failed("inspecting the container", error)),
            Err(_) => return Err(late("the engine's answer", REQUEST)),
        };
        if state.running == Some(true) {
            return Ok(None);
        }
        Ok(Some(format!(
            "its container exited with code {}",
            state.exit_code.unwrap_or_default()
        )))
    }

    /// Runs a script in the container; `input` goes to its standard input.
    pub(crate) async fn run(
        &self,
        script: &str,
        arguments: &[&str],
        input: String,
    ) -> Result<(), ServerError> {
        let fixed = ["/bin/sh", "-c", script, "case.sh", DIRECTORY, "/etc/passwd"];
        let options = CreateExecOptions {
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(
                fixed
                    .iter()
                    .chain(arguments)
                    .map(|part| (*part).to_owned())
                    .collect(),
            ),
            ..Default::default()
        };
        let exec = |error| failed("running a script in the container", error);
        let id = self
            .docker
            .create_exec(&self.name, options)
            .await
            .map_err(exec)?
            .id;
        let started = self
            .docker
            .start_exec(&id, None::<StartExecOptions>)
            .await
            .map_err(exec)?;
        let StartExecResults::Attached {
            mut output,
            input: mut pipe,
        } = started
        else {
            return Err(failed(
                "running a script in the container",
                "it was detached",
            ));
        };
        // A script that ended early says why in its output.
        let _ = pipe.write_all(input.as_bytes()).await;
        let _ = pipe.shutdown().await;
        let mut said = Vec::new();
        while let Some(chunk) = output.next().await {
            said.extend_from_slice(&chunk.map_err(exec)?.into_bytes());
            said.truncate(LOG_LIMIT);
        }
        match self.docker.inspect_exec(&id).await.map_err(exec)?.exit_code {
            Some(0) => Ok(()),
            code => {
                let said = String::from_utf8_lossy(&said);
                Err(failed(
                    "running a script in the container",
                    format!("exit code {code:?}: {}", said.trim()),
                ))
            }
        }
    }

    /// The end of what it printed: the engine's word, or what was read along when the container is gone already.
    pub(crate) async fn log(&self) -> String {
        let options = LogsOptionsBuilder::new()
            .stdout(true)
            .stderr(true)
            .tail("500")
            .build();
        let mut frames = self.docker.logs(&self.name, Some(options));
        let mut bytes = VecDeque::new();
        let read = async {
            while let Some(Ok(frame)) = frames.next().await {
                append(&mut bytes, &LogOutput::into_bytes(frame));
            }
        };
        // What came until then is better than nothing.
        let _ = timeout(REQUEST, read).await;
        if let (true, Some(printed)) = (bytes.is_empty(), &self.printed) {
            bytes.clone_from(&printed.lock().unwrap_or_else(PoisonError::into_inner));
        }
        String::from_utf8_lossy(bytes.make_contiguous()).into_owned()
    }

    /// Removes it with its volumes; that it is not there is no error.
    pub(crate) async fn remove(&self) -> Result<(), ServerError> {
        let options = RemoveContainerOptionsBuilder::new()
            .force(true)
            .v(true)
            .build();
        let removed = timeout(
            REQUEST,
            self.docker.remove_container(&self.name, Some(options)),
        )
        .await;
        match removed {
            Ok(
                Ok(())
                | Err(DockerError::DockerResponseServerError {
                    status_code: 404 | 409,
                    ..
                }),
            ) => {}
            Ok(Err(error)) => return Err(failed("removing the container", error)),
            Err(_) => return Err(late("removing the container", REQUEST)),
        }
        // 409: the engine removes it already, because it ended.
        for _ in 0..400 {
            let inspect = self
                .docker
                .inspect_container(&self.name, None::<InspectContainerOptions>);
            if let Ok(Err(DockerError::DockerResponseServerError {
                status_code: 404, ..
            })) = timeout(REQUEST, inspect).await
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        Err(late("removing the container", Duration::from_secs(10)))
    }
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
            Some((
                Container {
                    docker: docker.clone(),
                    name,
                    printed: None,
                },
                owner,
                runs,
            ))
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

fn remember(printed: &Mutex<VecDeque<u8>>, frame: &LogFrame) {
    append(
        &mut printed.lock().unwrap_or_else(PoisonError::into_inner),
        frame.bytes(),
    );
}

/// Appends, keeping the last [`LOG_LIMIT`] bytes.
fn append(log: &mut VecDeque<u8>, bytes: &[u8]) {
    log.extend(&bytes[bytes.len().saturating_sub(LOG_LIMIT)..]);
    let over = log.len().saturating_sub(LOG_LIMIT);
    log.drain(..over);
}

/// The last `count` lines of `text`.
pub(crate) fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_keeps_its_end() {
        let mut log = VecDeque::new();
        append(&mut log, &vec![b'a'; LOG_LIMIT]);
        append(&mut log, b"end");
        assert_eq!(log.len(), LOG_LIMIT);
        assert!(log.make_contiguous().ends_with(b"aend"));
        append(&mut log, &vec![b'b'; 3 * LOG_LIMIT]);
        assert!(log.len() == LOG_LIMIT && log.iter().all(|byte| *byte == b'b'));
        assert_eq!(tail("1\n2\n3\n", 2), "2\n3");
    }
}
