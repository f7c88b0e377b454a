//! Clients of a backend that report to one queue, as those of a run do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use replay_engine::{
    Backend, ClientContext, Connection, Event, EventKind, EventQueue, Op, Outcome, RunState,
};
use replay_ir::{ClientId, StepId, Trace, load_str};
use samba_servers::CaseSite;
use smb_vocabulary::VOCABULARY;

use crate::{Figures, process};

/// What is created and closed is what smbtorture opens in the bench beside, a directory that is there.
const TRACE: &str = r#"ir 1
client A user=alice
A echo
A create f "" access=read-attributes share=rwd disposition=open options=open-reparse-point
A close f
A create g "data" access=rw disposition=open-if
A write g len=4096 fill=7 -> OK len=4096
A read g len=4096 -> OK len=4096
"#;

/// The step that opens the file which is read and written.
const OPEN: u32 = 3;

/// They all do the same, each with one operation in flight.
#[derive(Default)]
pub(crate) struct Clients {
    connections: Vec<Box<dyn Connection>>,
    queue: EventQueue,
    batch: Vec<Event>,
}

impl Clients {
    /// One more, with its file open; the first also fills it.
    pub(crate) async fn connect(&mut self, backend: &dyn Backend, site: &CaseSite) {
        let trace: Arc<Trace> = Arc::new(load_str("bench", TRACE, &VOCABULARY).expect("a trace"));
        let number = self.connections.len();
        let context = ClientContext {
            trace,
            client: ClientId(0),
            target: site.target.clone(),
            identity: Some(site.identities["alice"].clone()),
            sids: Arc::default(),
            events: self.queue.events(ClientId(number as u32)),
            run: RunState::default(),
        };
        self.connections.push(backend.client(context));
        let fills = (number == 0).then_some(Op::Step(StepId(OPEN + 1)));
        let ops = [Op::Connect, Op::Step(StepId(OPEN))];
        for op in ops.into_iter().chain(fills) {
            self.connections[number].submit(&[op]);
            self.answers(1).await;
        }
    }

    /// Waits for so many answers, whoever's.
    async fn answers(&mut self, mut missing: usize) {
        while missing > 0 {
            self.arrived().await;
            let answered = self.batch.iter().filter(|event| is_answer(event)).count();
            missing = missing.saturating_sub(answered);
        }
    }

    /// Takes what has arrived.
    async fn arrived(&mut self) {
        self.queue.arrived().await;
        self.queue.take(&mut self.batch);
    }

    /// One operation after the other for `warm`, and then for the `window` in which they are counted.
    pub(crate) async fn work(
        &mut self,
        steps: &[u32],
        warm: Duration,
        window: Duration,
    ) -> Figures {
        let start = Instant::now();
        let (opens, closes) = (start + warm, start + warm + window);
        // The step that each has in flight, and since when its operation goes on.
        let mut flying = vec![(0, start); self.connections.len()];
        let mut latencies: Vec<u32> = Vec::with_capacity(1 << 20);
        let (mut began, mut ended) = (None, None);
        for connection in &mut self.connections {
            connection.submit(&[Op::Step(StepId(steps[0]))]);
        }
        let mut working = self.connections.len();
        while working > 0 {
            self.arrived().await;
            for event in self.batch.iter().filter(|event| is_answer(event)) {
                let client = event.client.0 as usize;
                let (step, since) = &mut flying[client];
                *step += 1;
                if *step == steps.len() {
                    *step = 0;
                    if began.is_some() && ended.is_none() {
                        let took = event.at.saturating_duration_since(*since);
                        latencies.push(took.as_nanos().try_into().unwrap_or(u32::MAX));
                    }
                    *since = event.at;
                    if began.is_none() && event.at >= opens {
                        began = Some((Instant::now(), process::cpu_us("self")));
                    }
                    if ended.is_none() && event.at >= closes {
                        ended = Some((Instant::now(), process::cpu_us("self")));
                    }
                }
                if ended.is_some() && *step == 0 {
                    working -= 1;
                } else {
                    self.connections[client].submit(&[Op::Step(StepId(steps[*step]))]);
                }
            }
        }
        let ((began, cpu_before), (ended, cpu_after)) = began.zip(ended).expect("a window");
        let seconds = (ended - began).as_secs_f64();
        let figures = Figures::new(latencies.len() as f64, seconds, cpu_after - cpu_before);
        latencies.sort_unstable();
        let quantile =
            |q: f64| f64::from(latencies[((latencies.len() - 1) as f64 * q) as usize]) / 1e3;
        Figures {
            p50_us: quantile(0.5),
            p99_us: quantile(0.99),
            ..figures
        }
    }

    pub(crate) async fn close(self) {
        for connection in self.connections {
            connection.close().await.expect("the client closes");
        }
    }
}

/// True for the answer `ok`; what else may come of an operation ends the bench.
fn is_answer(event: &Event) -> bool {
    match &event.kind {
        EventKind::Done(_, Outcome::Answered(answer)) if answer.status == 0 => true,
        EventKind::Interim(..) => false,
        other => panic!("{other:?}"),
    }
}
