//! The image of a Samba version: built on first use from what is embedded here, and named by its content, so that a
//! change of the Dockerfile is a new image and an unchanged one is built once.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    time::Duration,
};

use futures_util::StreamExt;
use sha2::{Digest, Sha256};
use smb_wire::hex;
use testcontainers::bollard::{
    Docker, body_full, errors::Error as DockerError, query_parameters::BuildImageOptionsBuilder,
};
use tokio::time::timeout;

use super::{base, failed, late};
use crate::{Domain, ServerError, launch::Launch, spec::VERSIONS};

/// What an image is built from: names in the build context, and their text.
type Files = &'static [(&'static str, &'static str)];

const STANDALONE: Files = &[
    ("Dockerfile", include_str!("../../standalone/Dockerfile")),
    (
        "entrypoint.sh",
        include_str!("../../standalone/entrypoint.sh"),
    ),
    ("shares.sh", include_str!("../../shares.sh")),
];
const DOMAIN_CONTROLLER: Files = &[
    ("Dockerfile", include_str!("../../ad/Dockerfile")),
    ("entrypoint.sh", include_str!("../../ad/entrypoint.sh")),
    ("provision.sh", include_str!("../../ad/provision.sh")),
    ("smb.conf", include_str!("../../ad/smb.conf")),
    ("common.conf", include_str!("../../ad/common.conf")),
    ("member.conf", include_str!("../../ad/member.conf")),
    ("shares.sh", include_str!("../../shares.sh")),
];
/// The only version that a domain controller is made of.
const DOMAIN_CONTROLLER_VERSION: &str = "4.17";
/// How long building may take in all, a base image included.
const BUILD: Duration = Duration::from_secs(15 * 60);
/// How many of the build's last lines an error shows.
const TAIL: usize = 20;

/// What a container is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Image<'a> {
    /// A standalone file server of this version.
    Standalone {
        /// Major and minor version.
        version: &'a str,
    },
    /// An Active Directory domain controller.
    DomainController,
    /// A member of the domain of another container, which is of the same image.
    Member {
        /// The domain.
        domain: &'a Domain,
        /// Where the controller's container is reached from others.
        controller: IpAddr,
    },
}

impl Image<'_> {
    /// The TCP ports that are published.
    pub(super) fn ports(self) -> &'static [u16] {
        match self {
            Self::Standalone { .. } | Self::Member { .. } => &[445],
            // Kerberos, LDAP for StartTLS, SMB, LDAPS.
            Self::DomainController => &[88, 389, 445, 636],
        }
    }

    fn files(self) -> Files {
        match self {
            Self::Standalone { .. } => STANDALONE,
            Self::DomainController | Self::Member { .. } => DOMAIN_CONTROLLER,
        }
    }

    fn version(&self) -> &str {
        match self {
            Self::Standalone { version } => version,
            Self::DomainController | Self::Member { .. } => DOMAIN_CONTROLLER_VERSION,
        }
    }

    /// The image's name, by its content.
    fn tag(self) -> String {
        let mut hash = Sha256::new();
        let base = base::override_for(suite(self.version())).unwrap_or_default();
        for part in self
            .files()
            .iter()
            .map(|(_, text)| *text)
            .chain([base.as_str()])
        {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        let hash = hex::encode(&hash.finalize()[..6]);
        let name = match self {
            Self::Standalone { .. } => "samba",
            Self::DomainController | Self::Member { .. } => "samba-ad",
        };
        format!("smb-replay/{name}:{}-{hash}", self.version())
    }
}

/// The name and tag of `image`, which is there afterwards.
pub(super) async fn ensure(
    docker: &Docker,
    launch: &Launch<'_>,
    image: Image<'_>,
) -> Result<String, ServerError> {
    let tag = image.tag();
    if is_there(docker, &tag).await? {
        return Ok(tag);
    }
    let waiting = || launch.say("another process builds an image; waiting for it");
    let _lock = launch.registry.lock("build", BUILD, waiting).await?;
    if is_there(docker, &tag).await? {
        return Ok(tag);
    }
    timeout(BUILD, build(docker, launch, image, &tag))
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
    image: Image<'_>,
    tag: &str,
) -> Result<(), ServerError> {
    let version = image.version();
    let base = base::ensure(docker, launch, suite(version)).await?;
    launch.say(&format!(
        "building the image {tag} from {base}, once (a minute or two)"
    ));
    let arguments = HashMap::from([("BASE", base.as_str()), ("SAMBA", version)]);
    let options = BuildImageOptionsBuilder::new()
        .dockerfile("Dockerfile")
        .t(tag)
        .rm(true)
        .forcerm(true)
        .buildargs(&arguments);
    let context =
        context(image.files()).map_err(|error| failed("packing the build's files", error))?;

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
fn context(files: Files) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, text) in files {
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

    fn standalone(version: &str) -> Image<'_> {
        Image::Standalone { version }
    }

    #[test]
    fn the_tag_tells_images_apart_and_is_stable() {
        assert_eq!(standalone("4.17").tag(), standalone("4.17").tag());
        assert_ne!(standalone("4.17").tag(), standalone("4.22").tag());
        for (image, expected) in [
            (standalone("4.17"), "smb-replay/samba:4.17"),
            (Image::DomainController, "smb-replay/samba-ad:4.17"),
        ] {
            let tag = image.tag();
            let (name, hash) = tag.rsplit_once('-').expect("a hash");
            assert_eq!(name, expected);
            assert!(hash.len() == 12 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
        }
        assert_eq!(
            (suite("4.13"), suite("4.17"), suite("4.22")),
            ("bullseye", "bookworm", "trixie")
        );
    }

    #[test]
    fn the_context_holds_what_the_dockerfile_copies() {
        for files in [STANDALONE, DOMAIN_CONTROLLER] {
            let context = context(files).expect("in memory");
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
            assert_eq!(names.len(), files.len());
            let (_, dockerfile) = files.first().expect("the Dockerfile is the first");
            for line in dockerfile
                .lines()
                .filter_map(|line| line.strip_prefix("COPY "))
            {
                let mut sources = line.split_whitespace().collect::<Vec<_>>();
                sources.pop().expect("where to");
                for source in sources {
                    assert!(names.iter().any(|name| name == source), "{line}");
                }
            }
        }
    }
}
