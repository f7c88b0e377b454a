//! The orderly end of a connection: handles, tree, session, transport, each awaited, all within a few seconds.

use std::sync::Arc;
use std::time::Duration;

use replay_engine::Outcome;
use smb_wire::messages::{CloseRequest, LogoffRequest, TreeDisconnectRequest};
use smb_wire::{CloseFlags, Request};
use tokio::time::timeout;

use super::connection::{End, Phase, Shared, State};
use super::item::Item;
use super::pending::Waiter;
use super::sessions::{Home, Session};
use super::transport::SendError;

/// The longest that an orderly end may take.
const LIMIT: Duration = Duration::from_secs(3);

/// What is reported for operations that were under way.
const CLOSED: &str = "the client was closed";

/// Ends the connection; the error says what the server did not do.
pub(super) async fn connection(shared: &Arc<Shared>) -> Result<(), String> {
    let ended = timeout(LIMIT, in_order(shared)).await;
    let mut state = shared.lock();
    shared.end(&mut state, End::Lost(CLOSED.to_owned()), false);
    ended.unwrap_or_else(|_| {
        Err(format!(
            "the server did not answer within {} s",
            LIMIT.as_secs()
        ))
    })
}

/// Ends a client that shares another's connection: what it has in flight is reported lost, the connection stays.
pub(super) fn lane(shared: &Shared, lane: u16) {
    shared.lock().abandon(Some(lane));
}

async fn in_order(shared: &Shared) -> Result<(), String> {
    if !shared.lock().abandon(None) || !shared.ends_session() {
        return Ok(());
    }
    exchange(shared, &handles).await?;
    exchange(shared, &trees).await?;
    exchange(shared, &logoffs).await
}

/// A CLOSE for every open handle.
fn handles(state: &mut State) -> Vec<Item> {
    let close = |(file_id, home): (_, Home)| {
        let flags = CloseFlags::empty();
        home.item(Request::Close(CloseRequest { flags, file_id }))
    };
    let group = state.group.number;
    state.opens.lock().open_handles(group).map(close).collect()
}

/// A TREE_DISCONNECT for every tree.
fn trees(state: &mut State) -> Vec<Item> {
    let trees = |(slot, session): (u16, &Session)| {
        let trees: Vec<_> = session.trees().collect();
        trees.into_iter().map(move |tree| {
            let home = Home {
                session: slot,
                tree: Some(tree),
                ..Home::default()
            };
            home.item(Request::TreeDisconnect(TreeDisconnectRequest))
        })
    };
    state.sessions().flat_map(trees).collect()
}

/// A LOGOFF for every session.
fn logoffs(state: &mut State) -> Vec<Item> {
    let logoff = |(session, _): (u16, &Session)| {
        let home = Home {
            session,
            ..Home::default()
        };
        home.item(Request::Logoff(LogoffRequest))
    };
    state.sessions().map(logoff).collect()
}

/// Sends what `requests` asks for, as far as the credits go at a time, until everything has its answer.
async fn exchange(
    shared: &Shared,
    requests: &(dyn Fn(&mut State) -> Vec<Item> + Sync),
) -> Result<(), String> {
    let mut waiting = requests(&mut shared.lock());
    waiting.reverse();
    loop {
        let settled = shared.settled.notified();
        tokio::pin!(settled);
        // Registered before the look at what is in flight, so that an answer in between is not missed.
        settled.as_mut().enable();
        {
            let mut state = shared.lock();
            let Phase::Up(transport) = &mut state.phase else {
                return Err("the connection was lost while it was being closed".to_owned());
            };
            while let Some(item) = waiting.pop() {
                match transport.send(std::slice::from_ref(&item)) {
                    Ok(()) => {}
                    Err(SendError::Credits { .. }) if !transport.pending.is_empty() => {
                        waiting.push(item);
                        break;
                    }
                    Err(error) => return Err(error.to_string()),
                }
            }
            if waiting.is_empty() && transport.pending.is_empty() {
                return Ok(());
            }
        }
        settled.await;
    }
}

impl State {
    /// Reports the operations of one client, or of all, as lost, and asks the server to cancel those that wait there.
    /// False when there is no connection.
    fn abandon(&mut self, only: Option<u16>) -> bool {
        let lost = || Outcome::Lost(CLOSED.to_owned());
        let concerns = |lane: u16| only.is_none_or(|only| only == lane);
        let transport = match &mut self.phase {
            Phase::Up(transport) => transport,
            Phase::Connecting { waiters, .. } => {
                for (lane, op) in waiters.extract_if(.., |(lane, _)| concerns(*lane)) {
                    self.lanes[usize::from(lane)].done(op, lost());
                }
                return false;
            }
            Phase::Down(_) => return false,
        };
        self.setups
            .retain(|setup| !setup.abandoned(concerns, &self.lanes));
        let mut blocked = Vec::new();
        for pending in transport.pending.iter_mut() {
            if let Waiter::Op { lane, op } = pending.waiter
                && concerns(lane)
            {
                pending.waiter = Waiter::Nobody;
                self.lanes[usize::from(lane)].done(op, lost());
                blocked.extend(pending.async_id.map(|_| *pending));
            }
        }
        transport.queue.retain(|(lane, ops)| {
            if concerns(*lane) {
                ops.iter()
                    .for_each(|op| self.lanes[usize::from(*lane)].done(*op, lost()));
            }
            !concerns(*lane)
        });
        transport.held.retain(|held| {
            if concerns(held.lane) {
                let events = &self.lanes[usize::from(held.lane)];
                held.ops.iter().for_each(|op| events.done(*op, lost()));
            }
            !concerns(held.lane)
        });
        for pending in blocked {
            if let Err(error) = transport.cancel(pending) {
                tracing::debug!(%error, "a request that waits could not be cancelled");
            }
        }
        true
    }
}
