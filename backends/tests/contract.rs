//! What every backend must do alike, against a real server: one list of checks, run on each backend that is compiled in.
//!
//! Most checks are a trace that is played step by step, without the engine. A backend that says beforehand that it
//! cannot do one (`Backend::missing`) has it ignored with that reason; `native` has no such excuse.
//!
//! Without a server all are ignored with the reason, unless SMB_REPLAY_REQUIRE=1.

#[path = "contract/checks.rs"]
mod checks;
#[path = "contract/code.rs"]
mod code;
mod common;

use std::sync::Arc;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use replay_engine::Backend;
use samba_servers::Server;
use tokio::runtime::Runtime;

use checks::{Body, CHECKS};
use common::{Player, Stage};

fn main() {
    let arguments = Arguments::from_args();
    let runtime = Arc::new(Runtime::new().expect("a runtime"));
    // Listing must not start anything.
    let server = match arguments.list {
        true => None,
        false => runtime.block_on(common::server()).map(Arc::new),
    };
    let trials = smb_backends::all().into_iter().flat_map(|backend| {
        let (runtime, server) = (runtime.clone(), server.clone());
        CHECKS.iter().map(move |&(name, body)| {
            let (runtime, server, backend) = (runtime.clone(), server.clone(), backend.clone());
            let title = format!("{}::{name}", backend.name());
            Trial::ignorable_test(title, move || match &server {
                None => Ok(Completion::ignored_with("there is no server")),
                Some(server) => runtime.block_on(check(backend, name, body, server)),
            })
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    if let Some(server) = server.and_then(Arc::into_inner) {
        runtime.block_on(server.stop()).expect("the server stops");
    }
    std::process::exit(i32::from(conclusion.has_failed()));
}

async fn check(
    backend: Arc<dyn Backend>,
    name: &str,
    body: Body,
    server: &Server,
) -> Result<Completion, Failed> {
    let (Body::Trace(text) | Body::Code(text, _)) = body;
    let trace = common::trace(name, text);
    let missing = backend.missing(&trace);
    if let Some(missing) = missing.first() {
        if backend.name() == "native" {
            return Err(format!("native cannot do {}", missing.what).into());
        }
        return Ok(Completion::ignored_with(format!(
            "cannot do {}",
            missing.what
        )));
    }
    let site = common::site(server, name, &trace).await;
    let stage = Stage {
        backend,
        trace,
        target: site.target.clone(),
        identities: site.identities.clone(),
    };
    match body {
        Body::Code(_, code) => code(stage).await,
        Body::Trace(_) => {
            let mut player = Player::new(&stage);
            player.connect().await;
            player.play().await;
            let rest = player.close().await;
            assert!(rest.is_empty(), "reported, and not asked for: {rest:?}");
        }
    }
    site.close(false)
        .await
        .map_err(|error| Failed::from(error.to_string()))?;
    Ok(Completion::Completed)
}
