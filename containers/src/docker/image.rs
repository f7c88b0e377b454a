//! The image of a Samba version: built on first use from what is embedded here, and named by its content, so that a
//! change of the Dockerfile is a new image and an unchanged one is built once.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use futures_util::StreamExt;
use sha2::{Digest, Sha256};
use testcontainers::bollard::{
    Docker, body_full, errors::Error as DockerError, query_parameters::BuildImageOptionsBuilder,
};
use tokio::time::timeout;

use super::{base, failed, late};
use crate::{ServerError, launch::Launch, spec::VERSIONS};

const DOCKERFILE: &str = include_str!("../../standalone/Dockerfile");
const ENTRYPOINT: &str = include_str!("../../standalone/entrypoint.sh");
/// How long building may take in all, a base image included.
const BUILD: Duration = Duration::from_secs(15 * 60);
/// How many of the build's last lines an error shows.
const TAIL: usize = 20;

/// The name and tag of the image of Samba `version`, which is there afterwards.
pub(super) async fn ensure(
    docker: &Docker,
    launch: &Launch<'_>,
    version: &str,
) -> Result<String, ServerError> {
    let tag = tag(version);
    if is_there(docker, &tag).await? {
        return Ok(tag);
    }
    let waiting = || launch.say("another process builds an image; waiting for it");
    let _lock = launch.registry.lock("build", BUILD, waiting).await?;
    if is_there(docker, &tag).await? {
        return Ok(tag);
    }
    timeout(BUILD, build(docker, launch, version, &tag))
        .await
        .map_err(|_| late("building the image", BUILD))??;
    Ok(tag)
}

/// Whether the image `tag` is there.
pub(super) async fn is_there(docker: &Docker, tag: &str) -> Result<bool, ServerError> {
    match timeout(super::REQUEST, docker.inspect_image(tag)).await {
        Ok(Ok(_)) => Ok(true),
        Ok(Err(DockerError::DockerResponseServerError {
            status_code: 404, ..
        })) => Ok(false),
        Ok(Err(error)) => Err(failed("looking for the image", error)),
        Err(_) => Err(late("looking for the image", super::REQUEST)),
    }
}

fn tag(version: &str) -> String {
    let mut hash = Sha256::new();
    for part in [
        DOCKERFILE,
        ENTRYPOINT,
        &base::override_for(suite(version)).unwrap_or_default(),
    ] {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    let hash: String = hash
        .finalize()
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("smb-replay/samba:{version}-{hash}")
}

fn suite(version: &str) -> &'static str {
    // A version comes from a `ServerSpec`, which holds none that is not in the table.
    VERSIONS
        .iter()
        .find(|(known, _)| *known == version)
        .map_or("bookworm", |(_, suite)| suite)
}

async fn build(
    docker: &Docker,
    launch: &Launch<'_>,
    version: &str,
    tag: &str,
) -> Result<(), ServerError> {
    let base = base::ensure(docker, launch, suite(version)).await?;
    launch.say(&format!(
        "building the image {tag} from {base}, once (about a minute)"
    ));
    let arguments = HashMap::from([("BASE", base.as_str()), ("SAMBA", version)]);
    let options = BuildImageOptionsBuilder::new()
        .dockerfile("Dockerfile")
        .t(tag)
        .rm(true)
        .forcerm(true)
        .buildargs(&arguments);
    let context = context().map_err(|error| failed("packing the build's files", error))?;

    let mut output = docker.build_image(options.build(), None, Some(body_full(context.into())));
    let mut lines: VecDeque<String> = VecDeque::new();
    let mut problem = None;
    while let Some(item) = output.next().await {
        match item {
            Ok(info) => {
                for line in info
                    .stream
                    .iter()
                    .flat_map(|text| text.lines())
                    .filter(|line| !line.trim().is_empty())
                {
                    tracing::debug!(target: "samba_servers::build", "{line}");
                    lines.push_back(line.to_owned());
                    if lines.len() > TAIL {
                        lines.pop_front();
                    }
                }
                problem = problem.or(info.error_detail.and_then(|detail| detail.message));
            }
            Err(error) => problem = problem.or(Some(error.to_string())),
        }
    }
    if problem.is_none() && is_there(docker, tag).await? {
        return Ok(());
    }
    Err(ServerError::Build {
        image: tag.to_owned(),
        reason: problem.unwrap_or_else(|| "the engine made no image".to_owned()),
        tail: lines.make_contiguous().join("\n"),
    })
}

/// The build context: a tar with the Dockerfile and what it copies.
fn context() -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, text) in [("Dockerfile", DOCKERFILE), ("entrypoint.sh", ENTRYPOINT)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append_data(&mut header, name, text.as_bytes())?;
    }
    archive.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_tells_versions_apart_and_is_stable() {
        assert_eq!(tag("4.17"), tag("4.17"));
        assert_ne!(tag("4.17"), tag("4.22"));
        let (name, hash) = tag("4.17")
            .rsplit_once('-')
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .expect("a hash");
        assert_eq!(name, "smb-replay/samba:4.17");
        assert!(hash.len() == 12 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(
            (suite("4.13"), suite("4.17"), suite("4.22")),
            ("bullseye", "bookworm", "trixie")
        );
    }

    #[test]
    fn the_context_holds_what_the_dockerfile_copies() {
        let context = context().expect("in memory");
        let mut archive = tar::Archive::new(context.as_slice());
        let names: Vec<_> = archive
            .entries()
            .expect("an archive")
            .map(|entry| {
                entry
                    .expect("whole")
                    .path()
                    .expect("a name")
                    .display()
                    .to_string()
            })
            .collect();
        assert_eq!(names, ["Dockerfile", "entrypoint.sh"]);
        for line in DOCKERFILE
            .lines()
            .filter_map(|line| line.strip_prefix("COPY "))
        {
            let source = line.split_whitespace().next().expect("a source");
            assert!(names.iter().any(|name| name == source), "{line}");
        }
    }
}
