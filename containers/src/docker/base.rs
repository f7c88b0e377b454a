//! The Debian base image: the registry's where one can be reached, otherwise one made here from Debian's packages with
//! mmdebstrap and imported through the engine.

use std::{env, path::Path, process::Stdio, time::Duration};

use futures_util::StreamExt;
use testcontainers::bollard::{
    Docker, body_try_stream, query_parameters::CreateImageOptionsBuilder,
};
use tokio::{io::AsyncReadExt, process::Command, time::timeout};

use super::{failed, image::is_there, late};
use crate::{ServerError, launch::Launch, log};

/// How long the registry may take for a base image (some 30 MB).
const PULL: Duration = Duration::from_secs(180);
/// How long mmdebstrap may take.
const BOOTSTRAP: Duration = Duration::from_secs(10 * 60);

/// The base image that `SMB_REPLAY_BASE_IMAGE` names, `{suite}` in it replaced.
pub(super) fn override_for(suite: &str) -> Option<String> {
    let image = env::var("SMB_REPLAY_BASE_IMAGE")
        .ok()
        .filter(|image| !image.is_empty())?;
    Some(image.replace("{suite}", suite))
}

/// The name of a Debian base image of `suite`, which is there afterwards (an override is left to the build to pull).
pub(super) async fn ensure(
    docker: &Docker,
    launch: &Launch<'_>,
    suite: &str,
) -> Result<String, ServerError> {
    if let Some(image) = override_for(suite) {
        return Ok(image);
    }
    let official = format!("debian:{suite}-slim");
    let own = format!("smb-replay/debian:{suite}");
    for image in [&official, &own] {
        if is_there(docker, image).await? {
            return Ok(image.clone());
        }
    }
    launch.say(&format!("pulling {official}"));
    let refused = match pull(docker, &official).await {
        Ok(()) => return Ok(official),
        Err(error) => error,
    };
    launch.say(&format!(
        "no registry gives {official}; making a base image from Debian's packages with mmdebstrap"
    ));
    match bootstrap(docker, suite, &own).await {
        Ok(()) => Ok(own),
        Err(error) => Err(failed(
            "no base image",
            format!("{official} cannot be pulled ({refused}), and none can be made: {error}"),
        )),
    }
}

async fn pull(docker: &Docker, image: &str) -> Result<(), ServerError> {
    let options = CreateImageOptionsBuilder::new().from_image(image).build();
    let mut progress = docker.create_image(Some(options), None, None);
    let pull = async {
        while let Some(step) = progress.next().await {
            step.map_err(|error| failed("pulling", error))?;
        }
        Ok(())
    };
    timeout(PULL, pull)
        .await
        .map_err(|_| late("pulling", PULL))??;
    if is_there(docker, image).await? {
        Ok(())
    } else {
        Err(failed("pulling", "the image did not come"))
    }
}

/// Makes a minimal Debian `suite` and imports it as `image`.
async fn bootstrap(docker: &Docker, suite: &str, image: &str) -> Result<(), ServerError> {
    let folder = tempfile::Builder::new()
        .prefix("smb-replay-base-")
        .tempdir()
        .map_err(|source| ServerError::File {
            action: "making a folder in",
            path: env::temp_dir(),
            source,
        })?;
    let archive = folder.path().join("base.tar");
    mmdebstrap(suite, &archive).await?;

    let bad = |source| ServerError::File {
        action: "reading",
        path: archive.clone(),
        source,
    };
    let file = tokio::fs::File::open(&archive).await.map_err(bad)?;
    let chunks = futures_util::stream::try_unfold(file, |mut file| async move {
        let mut chunk = vec![0; 256 * 1024];
        let length = file.read(&mut chunk).await?;
        chunk.truncate(length);
        Ok((length > 0).then(|| (bytes::Bytes::from(chunk), file)))
    });
    let (name, tag) = image.split_once(':').unwrap_or((image, "latest"));
    let options = CreateImageOptionsBuilder::new()
        .from_src("-")
        .repo(name)
        .tag(tag)
        .build();
    let mut progress = docker.create_image(Some(options), Some(body_try_stream(chunks)), None);
    while let Some(step) = progress.next().await {
        step.map_err(|error| failed("importing the base image", error))?;
    }
    Ok(())
}

async fn mmdebstrap(suite: &str, archive: &Path) -> Result<(), ServerError> {
    let program = |reason: String| ServerError::Program {
        program: "mmdebstrap".into(),
        reason,
    };
    let child = Command::new("mmdebstrap")
        .args(["--variant=minbase", "--quiet", suite])
        .arg(archive)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                program("it is not installed (apt-get install mmdebstrap)".to_owned())
            }
            _ => program(error.to_string()),
        })?;
    let output = timeout(BOOTSTRAP, child.wait_with_output())
        .await
        .map_err(|_| late("mmdebstrap", BOOTSTRAP))?
        .map_err(|error| program(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(program(format!(
        "{}:\n{}",
        output.status,
        log::tail(&String::from_utf8_lossy(&output.stderr))
    )))
}
