//! A single client outside of a run.

use std::sync::Arc;

use replay_engine::{
    Backend, ClientContext, Connection, EventKind, EventQueue, Identity, Op, Outcome, RunState,
    Target,
};
use replay_ir::{ClientId, StepId, Trace};
use smb_backends::smb_rs::SmbRs;
use tokio::time::timeout;

use super::BOUND;

/// A client of its own, and what it reports.
pub(crate) struct Lone {
    pub(crate) connection: Box<dyn Connection>,
    pub(crate) reports: Reports,
}

pub(crate) struct Reports {
    queue: EventQueue,
    batch: std::collections::VecDeque<Outcome>,
}

impl Reports {
    /// The next end of an operation.
    pub(crate) async fn next(&mut self) -> Outcome {
        loop {
            if let Some(outcome) = self.batch.pop_front() {
                return outcome;
            }
            self.queue.arrived().await;
            let mut batch = Vec::new();
            self.queue.take(&mut batch);
            let ends = batch.into_iter().filter_map(|event| match event.kind {
                EventKind::Done(_, outcome) => Some(outcome),
                _ => None,
            });
            self.batch.extend(ends);
        }
    }
}

impl Lone {
    pub(crate) fn new(trace: &Arc<Trace>, target: &Target, identity: &Identity) -> Self {
        let queue = EventQueue::new();
        let connection = SmbRs::new().client(ClientContext {
            trace: trace.clone(),
            client: ClientId(0),
            target: target.clone(),
            identity: Some(identity.clone()),
            sids: Arc::default(),
            events: queue.events(ClientId(0)),
            run: RunState::default(),
        });
        Self {
            connection,
            reports: Reports {
                queue,
                batch: Default::default(),
            },
        }
    }

    /// The end of an operation that is submitted now.
    pub(crate) async fn run(&mut self, op: Op) -> Outcome {
        self.connection.submit(&[op]);
        timeout(BOUND, self.reports.next()).await.expect("a report")
    }

    pub(crate) async fn step(&mut self, step: u32) -> Outcome {
        self.run(Op::Step(StepId(step))).await
    }

    pub(crate) async fn close(self) {
        timeout(BOUND, self.connection.close())
            .await
            .expect("a bound")
            .expect("good order");
    }
}
