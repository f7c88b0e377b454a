//! One run of one trace on a running server, from the case's directory to its removal.
//!
//! Used by the suite's cases and by `smb-replay run` alike. What the result means for a test, and
//! how it is shown, is left to them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use replay_engine::{Backend, Kind, RunOptions, RunReport, Site, Stop, Verdict};
use replay_ir::Trace;
use samba_servers::{CaseSite, Server};

use crate::accounts::{self, Unit};
use crate::servers::Shared;
use crate::site;

/// How long making or removing a case's place on the server may take.
const PREPARING: Duration = Duration::from_secs(60);

/// How often a run is looked at for lost connections.
const LOOK: Duration = Duration::from_millis(250);

/// What is to be run.
pub(crate) struct Request<'a> {
    /// What the case's directory and accounts are named after.
    pub(crate) case: &'a str,
    pub(crate) trace: Arc<Trace>,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) options: RunOptions,
    /// Clients log in by Kerberos unless their line says otherwise.
    pub(crate) kerberos: bool,
    /// Leave the directory on the server when the run was not as expected.
    pub(crate) keep_failed: bool,
    /// Where the clients connect instead of the server; asked once, before they do.
    pub(crate) through: Option<&'a Through<'a>>,
}

/// Puts something between the clients and the server; says where it listens.
pub(crate) type Through<'a> = dyn Fn(&Site) -> io::Result<SocketAddr> + Sync + 'a;

/// What came of it.
pub(crate) struct Replayed {
    pub(crate) run: RunReport,
    /// The server in a line.
    pub(crate) server: String,
    /// The end of the server's log, where the run was not as expected.
    pub(crate) server_log: String,
    /// The directory that was left on the server.
    pub(crate) kept: Option<String>,
    /// What could not be cleaned up.
    pub(crate) troubles: Vec<String>,
}

/// Runs it. An error is the reason why it is broken: the run never began.
pub(crate) async fn replay(shared: &Shared, request: Request<'_>) -> Result<Replayed, String> {
    if let Some(reason) = shared.known_gone() {
        return Err(format!("{reason} (found by an earlier case)"));
    }
    let server = &shared.server;
    let copies = request.options.copies;
    let users = site::users(&request.trace, copies.identities);
    let opened = bounded("opening the case's place", open(server, &request, &users));
    let (mut case, unit) = match opened.await {
        Ok(opened) => opened,
        Err(error) => return Err(shared.gone().await.unwrap_or(error)),
    };
    let stop = request.options.stop.clone();
    let prepared = match site::find_identifiers(&mut case, &request.trace, stop.clone()).await {
        Ok(()) => site::prepare(&case, &request.trace, copies.count(), stop).await,
        Err(reason) => Err(reason),
    };
    let mut place = Site {
        target: case.target.clone(),
        identities: case.identities.clone(),
    };
    let prepared = prepared.and_then(|()| {
        if let Some(through) = request.through {
            let address = through(&place).map_err(|error| error.to_string())?;
            place.target.address = address;
        }
        Ok(())
    });
    let mut run = match prepared {
        Ok(()) => {
            let trace = Arc::clone(&request.trace);
            let run = replay_engine::run(trace, request.backend, &place, &request.options);
            tokio::select! {
                run = run => run,
                never = watch(shared, &request.options) => match never {},
            }
        }
        Err(reason) => {
            let stop = &request.options.stop;
            let reason = match stop.as_ref().is_some_and(Stop::is_asked) {
                true => "the run was stopped before its first step".to_owned(),
                false => reason,
            };
            let gone = shared.gone().await;
            let mut troubles = Vec::new();
            close(case, unit, false, gone.as_deref(), &mut troubles).await;
            let left = troubles.into_iter().map(|trouble| format!("\n{trouble}"));
            return Err(gone.unwrap_or(reason) + &left.collect::<String>());
        }
    };
    // A server that hangs loses no connection: it leaves steps without their answers.
    let in_doubt = !run.lost.is_empty()
        || run.differences_by_kind.contains_key(&Kind::Time)
        || matches!(run.verdict, Verdict::Broken { .. });
    let gone = if in_doubt { shared.gone().await } else { None };
    if let Some(reason) = &gone {
        run = run.into_broken(reason);
    }
    let as_expected = matches!(run.verdict, Verdict::Passed | Verdict::Skipped { .. });
    let server_log = if as_expected {
        String::new()
    } else {
        server.log().await
    };
    let keep = request.keep_failed && !as_expected;
    let kept = keep.then(|| {
        let target = &place.target;
        format!("//{}/{}/{}", target.address, target.share, target.root)
    });
    let mut troubles = Vec::new();
    close(case, unit, keep, gone.as_deref(), &mut troubles).await;
    Ok(Replayed {
        run,
        server: server.describe(),
        server_log,
        kept,
        troubles,
    })
}

/// The case's directory and accounts; in a domain the latter are made over LDAP.
async fn open(
    server: &Server,
    request: &Request<'_>,
    users: &[String],
) -> Result<(CaseSite, Option<Unit>), String> {
    let wanted = accounts::wanted(&request.trace, users);
    match server.domain() {
        Some(domain) => {
            let opened =
                accounts::open(server, domain, request.case, &wanted, request.kerberos).await;
            let (site, unit) = opened?;
            Ok((site, Some(unit)))
        }
        None => {
            let site = server.open_case(request.case, &wanted).await;
            site.map(|site| (site, None))
                .map_err(|error| error.to_string())
        }
    }
}

/// Stops a run whose server has gone, which a trace that waits for its times would find late. The
/// server is asked only after a connection was lost, so that nothing disturbs a run that is well.
async fn watch(shared: &Shared, options: &RunOptions) -> std::convert::Infallible {
    let mut seen = 0;
    loop {
        tokio::time::sleep(LOOK).await;
        let lost = options.progress.as_ref().map_or(0, |progress| {
            progress
                .connections_lost
                .load(std::sync::atomic::Ordering::Relaxed)
        });
        if lost > seen && shared.gone().await.is_some() {
            if let Some(stop) = &options.stop {
                stop.stop();
            }
            std::future::pending::<()>().await;
        }
        seen = lost;
    }
}

/// Removes the case's directory where the server's own source does not, and the rest of the case. A server that is gone is
/// not asked to.
async fn close(
    case: CaseSite,
    unit: Option<Unit>,
    keep: bool,
    gone: Option<&str>,
    troubles: &mut Vec<String>,
) {
    if let Some(unit) = unit
        && !keep
        && let Err(error) = bounded("removing the case's accounts", unit.remove()).await
    {
        troubles.push(error);
    }
    if !case.root_exists && !keep {
        let removed = match gone {
            Some(reason) => Err(reason.to_owned()),
            None => bounded("removing the case's directory", site::remove_root(&case)).await,
        };
        if let Err(error) = removed {
            troubles.push(format!("removing {}: {error}", case.target.root));
        }
    }
    if let Err(error) = bounded("closing the case", case.close(keep)).await {
        troubles.push(error);
    }
}

async fn bounded<T, E: ToString>(
    what: &str,
    future: impl Future<Output = Result<T, E>>,
) -> Result<T, String> {
    match tokio::time::timeout(PREPARING, future).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err(format!("{what} took longer than {} s", PREPARING.as_secs())),
    }
}
