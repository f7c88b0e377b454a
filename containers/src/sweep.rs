//! Removing what killed runs left, when even their keepers were killed: containers and private servers whose owner is
//! gone. What still has its owner, or an owner that cannot be judged from here, is not touched.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use crate::{
    ServerError, docker,
    local::{self, Private},
    process::OwnerState,
    registry::{Record, Registry, Resource},
};

/// What a sweep removed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct SweepReport {
    /// What was removed, a line each.
    pub removed: Vec<String>,
    /// What should have been removed and could not be, with the reason.
    pub failed: Vec<String>,
    /// What was not looked at, with the reason: no Docker engine, for instance.
    pub skipped: Vec<String>,
}

impl SweepReport {
    fn note(&mut self, what: String, result: Result<(), ServerError>) {
        match result {
            Ok(()) => self.removed.push(what),
            Err(error) => self.failed.push(format!("{what}: {error}")),
        }
    }
}

/// Removes what killed runs left. Touches nothing whose owner runs; every start of a server does it too.
pub async fn sweep() -> SweepReport {
    match Registry::open() {
        Ok(registry) => run(&registry).await,
        Err(error) => SweepReport {
            failed: vec![error.to_string()],
            ..SweepReport::default()
        },
    }
}

/// The sweep of a start: what it does is only logged.
pub(crate) async fn quietly(registry: &Registry) {
    let report = run(registry).await;
    for line in &report.removed {
        tracing::info!("removed {line}, which a killed run left");
    }
    for line in &report.failed {
        tracing::warn!("not removed: {line}");
    }
}

async fn run(registry: &Registry) -> SweepReport {
    let mut report = SweepReport::default();
    for record in registry.records() {
        if record.owner.state() == OwnerState::Gone {
            report.note(describe(&record), remove(registry, &record).await);
        }
    }
    folders(&mut report).await;
    if let Err(error) = containers(&mut report).await {
        report.skipped.push(format!("containers: {error}"));
    }
    report
}

fn describe(record: &Record) -> String {
    match &record.resource {
        Resource::Docker { container } => format!("container {container}"),
        Resource::Local(private) => format!("private smbd {}", private.directory.display()),
    }
}

/// Removes the server of `record` and then the record; what is gone already is no error.
pub(crate) async fn remove(registry: &Registry, record: &Record) -> Result<(), ServerError> {
    match &record.resource {
        Resource::Docker { container } => {
            docker::Container::attach(container).await?.remove().await?
        }
        Resource::Local(private) => private.remove().await?,
    }
    registry.remove(&record.id);
    Ok(())
}

/// Folders of private servers whose record is lost, or was never written because the start was cut short.
async fn folders(report: &mut SweepReport) {
    let Ok(parent) = local::parent() else { return };
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    let user = rustix::process::geteuid().as_raw();
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let ours = path
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with(local::PREFIX))
            && fs::symlink_metadata(&path)
                .is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == user);
        if let Some((record, private)) = ours.then(|| read_folder(&path)).flatten()
            && record.owner.state() == OwnerState::Gone
        {
            report.note(describe(&record), private.remove().await);
        }
    }
}

/// The record in a server's folder, if it is that folder's.
fn read_folder(path: &Path) -> Option<(Record, Private)> {
    let record: Record = serde_json::from_slice(&fs::read(path.join(local::RECORD)).ok()?).ok()?;
    match record.resource.clone() {
        Resource::Local(private) if private.directory == path => Some((record, private)),
        _ => None,
    }
}

/// Containers that carry our label and whose record is lost.
async fn containers(report: &mut SweepReport) -> Result<(), ServerError> {
    let engine = docker::engine().await?;
    for (container, owner, runs) in docker::list(&engine).await? {
        let gone = owner.is_some_and(|owner| owner.state() == OwnerState::Gone);
        if gone || !runs {
            report.note(
                format!("container {}", container.name()),
                container.remove().await,
            );
        }
    }
    Ok(())
}
