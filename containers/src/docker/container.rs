//! One container: what it runs, prints and is asked to do.

use std::{
    collections::VecDeque,
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::StreamExt;
use testcontainers::{
    bollard::{
        Docker,
        container::LogOutput,
        errors::Error as DockerError,
        exec::{CreateExecOptions, StartExecOptions, StartExecResults},
        models::NetworkSettings,
        query_parameters::{
            InspectContainerOptions, LogsOptionsBuilder, RemoveContainerOptionsBuilder,
        },
    },
    core::logs::LogFrame,
};
use tokio::{io::AsyncWriteExt, time::timeout};

use super::{DIRECTORY, REQUEST, engine, failed, late};
use crate::{ServerError, log};

/// A container, by its name.
#[derive(Clone)]
pub(crate) struct Container {
    docker: Docker,
    name: String,
    /// The end of what it has printed since its start, if this process started it.
    printed: Arc<Mutex<VecDeque<u8>>>,
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Container").field(&self.name).finish()
    }
}

impl Container {
    /// The container of that name, whether it is there or not.
    pub(super) fn named(docker: Docker, name: String) -> Self {
        Self {
            docker,
            name,
            printed: Arc::default(),
        }
    }

    /// The container of a record that another process wrote.
    pub(crate) async fn attach(name: &str) -> Result<Self, ServerError> {
        Ok(Self::named(engine().await?, name.to_owned()))
    }

    /// Takes what it prints, from its start on: the engine forgets that together with the container.
    pub(super) fn reader(&self) -> impl Fn(&LogFrame) + Send + Sync + 'static {
        let printed = Arc::clone(&self.printed);
        move |frame| {
            log::append(
                &mut printed.lock().unwrap_or_else(PoisonError::into_inner),
                frame.bytes(),
            )
        }
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

    /// Runs a script in the container; `input` goes to its standard input. What it printed comes back.
    pub(crate) async fn run(
        &self,
        script: &str,
        arguments: &[&str],
        input: String,
    ) -> Result<String, ServerError> {
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
            said.truncate(log::LIMIT);
        }
        match self.docker.inspect_exec(&id).await.map_err(exec)?.exit_code {
            Some(0) => Ok(String::from_utf8_lossy(&said).into_owned()),
            code => {
                let said = String::from_utf8_lossy(&said);
                Err(failed(
                    "running a script in the container",
                    format!("exit code {code:?}: {}", said.trim()),
                ))
            }
        }
    }

    async fn network_settings(&self) -> Result<Option<NetworkSettings>, ServerError> {
        let inspect = self
            .docker
            .inspect_container(&self.name, None::<InspectContainerOptions>);
        let container = timeout(REQUEST, inspect)
            .await
            .map_err(|_| late("the engine's answer", REQUEST))?
            .map_err(|error| failed("inspecting the container", error))?;
        Ok(container.network_settings)
    }

    /// Where the container's TCP `port` is published on the engine's machine.
    pub(crate) async fn published(&self, port: u16) -> Result<u16, ServerError> {
        self.network_settings()
            .await?
            .and_then(|settings| settings.ports)
            .and_then(|ports| ports.get(&format!("{port}/tcp")).cloned().flatten())
            .and_then(|bindings| bindings.first()?.host_port.as_ref()?.parse().ok())
            .ok_or_else(|| {
                failed(
                    "finding the container's port",
                    format!("{port} is not published"),
                )
            })
    }

    /// Where other containers on the engine's default network reach it.
    pub(crate) async fn inner_address(&self) -> Result<IpAddr, ServerError> {
        self.network_settings()
            .await?
            .and_then(|settings| settings.networks)
            .into_iter()
            .flatten()
            .find_map(|(_, network)| network.ip_address?.parse().ok())
            .ok_or_else(|| failed("finding the container's address", "it has none"))
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
                log::append(&mut bytes, &LogOutput::into_bytes(frame));
            }
        };
        // What came until then is better than nothing.
        let _ = timeout(REQUEST, read).await;
        if bytes.is_empty() {
            bytes.clone_from(&self.printed.lock().unwrap_or_else(PoisonError::into_inner));
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
