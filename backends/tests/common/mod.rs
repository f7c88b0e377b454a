//! What tests against a real server need: the server, and a way to play a trace on a backend without the engine, step
//! by step in file order, so that a backend is judged by itself.

// Each test binary uses its own part of this.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use replay_engine::{
    Backend, BreakEvent, ClientContext, CloseError, Connection, Event, EventKind, EventQueue,
    Identity, Op, Outcome, Reaction, RunState, Target,
};
use replay_ir::{Answer, ClientId, Role, Step, StepId, Trace, Value, load_str};
use samba_servers::{CaseAccounts, CaseSite, Server, ServerSpec, Source, StartOptions};
use smb_vocabulary::VOCABULARY;

/// The longest that any single event may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server, or `None` after the reason has been printed. Panics instead when SMB_REPLAY_REQUIRE is 1.
pub(crate) async fn server() -> Option<Server> {
    server_with(&[]).await
}

/// The same with lines for the `[global]` section of its smb.conf.
pub(crate) async fn server_with(lines: &[&str]) -> Option<Server> {
    let spec = ServerSpec::samba("4.17").expect("a known version");
    let mut options = StartOptions::from_env().expect("the environment is in order");
    options.any_version = true;
    if !lines.is_empty() {
        options.extra = lines.iter().map(|line| (*line).to_owned()).collect();
        // It is nobody else's, and there is none at an address.
        options.run = None;
        options.sources.retain(|source| *source != Source::External);
    }
    match samba_servers::start(&spec, &options).await {
        Ok(server) => Some(server),
        Err(error) if std::env::var("SMB_REPLAY_REQUIRE").as_deref() == Ok("1") => {
            panic!("SMB_REPLAY_REQUIRE=1, and there is no server: {error}")
        }
        Err(error) => {
            println!("skipped, there is no server: {error}");
            None
        }
    }
}

/// Loads a trace whose text is in a test.
pub(crate) fn trace(name: &str, text: &str) -> Arc<Trace> {
    let text = format!("ir 1\n{text}");
    Arc::new(load_str(name, &text, &VOCABULARY).unwrap_or_else(|errors| panic!("{errors}")))
}

/// A trace's own place on the server, with the accounts that its clients name. The root directory is there.
pub(crate) async fn site(server: &Server, case: &str, trace: &Trace) -> CaseSite {
    let users = trace
        .clients()
        .iter()
        .filter_map(|client| Some(client.arg("user")?.as_str()?.to_owned()));
    server
        .open_case(case, &CaseAccounts::users(users))
        .await
        .expect("the case gets its place")
}

/// What a check works with.
pub(crate) struct Stage {
    /// The backend under test.
    pub(crate) backend: Arc<dyn Backend>,
    /// The trace with the clients.
    pub(crate) trace: Arc<Trace>,
    /// Where they go.
    pub(crate) target: Target,
    /// As whom.
    pub(crate) identities: BTreeMap<String, Identity>,
}

/// The clients of a trace on one backend.
pub(crate) struct Player {
    trace: Arc<Trace>,
    queue: EventQueue,
    clients: Vec<Option<Box<dyn Connection>>>,
    /// Events that nobody has asked for yet, in order.
    seen: Vec<Event>,
}

impl Player {
    /// Makes all clients; nothing is connected.
    pub(crate) fn new(stage: &Stage) -> Self {
        let Stage {
            backend,
            trace,
            target,
            identities,
        } = stage;
        let queue = EventQueue::new();
        let run = RunState::default();
        let mut clients: Vec<Option<Box<dyn Connection>>> = Vec::new();
        for (index, client) in trace.clients().iter().enumerate() {
            let id = ClientId(index as u32);
            let user = client
                .arg("user")
                .and_then(|user| user.as_str().map(str::to_owned));
            let context = ClientContext {
                trace: trace.clone(),
                client: id,
                target: target.clone(),
                identity: user.and_then(|user| identities.get(&user).cloned()),
                sids: Arc::default(),
                events: queue.events(id),
                run: run.clone(),
            };
            let connection = match client.on() {
                None => backend.client(context),
                Some(on) => {
                    let owner = clients[on.0 as usize].as_mut().expect("owners come first");
                    owner
                        .lane(context)
                        .expect("the backend can share a connection")
                }
            };
            clients.push(Some(connection));
        }
        Self {
            trace: trace.clone(),
            queue,
            clients,
            seen: Vec::new(),
        }
    }

    /// Connects every client whose first step is not `connect`.
    pub(crate) async fn connect(&mut self) {
        for index in 0..self.clients.len() {
            let id = ClientId(index as u32);
            let first = self.trace.steps().find(|step| step.client() == id);
            if first.is_some_and(|step| step.role() == Role::Connect) {
                continue;
            }
            self.submit(id, &[Op::Connect]);
            let outcome = self.done(Op::Connect, Some(id)).await;
            assert!(
                matches!(&outcome, Outcome::Answered(answer) if answer.status == 0),
                "{outcome:?}"
            );
        }
    }

    /// Submits for a client.
    pub(crate) fn submit(&mut self, client: ClientId, ops: &[Op]) {
        let connection = self.clients[client.0 as usize]
            .as_mut()
            .expect("the client is open");
        connection.submit(ops);
    }

    /// Plays all steps in file order and panics at the first that does not go as the trace says.
    pub(crate) async fn play(&mut self) {
        let trace = self.trace.clone();
        let mut steps = trace.steps().peekable();
        while let Some(first) = steps.next() {
            let mut frame = vec![first];
            while let Some(step) = steps.next_if(|step| step.compounded()) {
                frame.push(step);
            }
            match first.role() {
                Role::Operation | Role::Connect | Role::OnBreak => {
                    let ops: Vec<_> = frame.iter().map(|step| Op::Step(step.id())).collect();
                    self.submit(first.client(), &ops);
                    for step in frame {
                        let outcome = match step.expect().is_pending() {
                            true => Outcome::Answered(self.interim(step.id()).await),
                            false => self.done(Op::Step(step.id()), None).await,
                        };
                        judge(&step, &outcome);
                    }
                }
                Role::Await => {
                    let target = first.target().expect("an await names a step");
                    let outcome = self.done(Op::Step(target), None).await;
                    judge(&first, &outcome);
                }
                Role::AwaitBreak => {
                    let opened_by = first.opened_by().expect("a break is of a handle");
                    let event = self.broken(opened_by).await;
                    judge(&first, &Outcome::Answered(event.answer));
                }
                Role::NoBreak | Role::Pause => {}
            }
        }
    }

    /// The end of an operation (of this client, if given).
    pub(crate) async fn done(&mut self, op: Op, client: Option<ClientId>) -> Outcome {
        let what = format!("the end of {op:?}");
        let found = self.wait(&what, |event| {
            matches!(&event.kind, EventKind::Done(done, _) if *done == op)
                && client.is_none_or(|client| client == event.client)
        });
        match found.await.kind {
            EventKind::Done(_, outcome) => outcome,
            other => unreachable!("{other:?}"),
        }
    }

    /// The interim answer of a step.
    pub(crate) async fn interim(&mut self, step: StepId) -> Answer {
        let what = format!("the interim answer of {step:?}");
        let found = self.wait(
            &what,
            |event| matches!(&event.kind, EventKind::Interim(Op::Step(id), _) if *id == step),
        );
        match found.await.kind {
            EventKind::Interim(_, answer) => answer,
            other => unreachable!("{other:?}"),
        }
    }

    /// A break of the handle that a step opened.
    pub(crate) async fn broken(&mut self, step: StepId) -> BreakEvent {
        let what = format!("a break of the handle of {step:?}");
        let found = self.wait(
            &what,
            |event| matches!(&event.kind, EventKind::Break(event) if event.opened_by == Some(step)),
        );
        match found.await.kind {
            EventKind::Break(event) => event,
            other => unreachable!("{other:?}"),
        }
    }

    /// What a break makes a client do next.
    pub(crate) async fn reaction(&mut self) -> Reaction {
        let found = self.wait("a reaction to a break", |event| {
            matches!(event.kind, EventKind::Reaction(_))
        });
        match found.await.kind {
            EventKind::Reaction(reaction) => reaction,
            other => unreachable!("{other:?}"),
        }
    }

    /// The loss of a client's connection, with its reason.
    pub(crate) async fn lost(&mut self, client: ClientId) -> String {
        let found = self.wait("the loss of a connection", |event| {
            event.client == client && matches!(event.kind, EventKind::Lost(_))
        });
        match found.await.kind {
            EventKind::Lost(reason) => reason,
            other => unreachable!("{other:?}"),
        }
    }

    /// The next event that fits; the others stay.
    async fn wait(&mut self, what: &str, fits: impl Fn(&Event) -> bool) -> Event {
        let mut batch = Vec::new();
        loop {
            if let Some(at) = self.seen.iter().position(&fits) {
                return self.seen.remove(at);
            }
            self.queue.take(&mut batch);
            if batch.is_empty() {
                let arrived = tokio::time::timeout(PATIENCE, self.queue.arrived()).await;
                assert!(
                    arrived.is_ok(),
                    "no {what} within {PATIENCE:?}; there is {:?}",
                    self.seen
                );
            }
            self.seen.append(&mut batch);
        }
    }

    /// Closes one client.
    pub(crate) async fn close_one(&mut self, client: ClientId) -> Result<(), CloseError> {
        let client = self.clients[client.0 as usize]
            .take()
            .expect("the client is open");
        client.close().await
    }

    /// Closes all clients, lanes first, and gives what nobody has asked for, except interim answers, as a server may give
    /// one to any request, and what breaks made the client do.
    pub(crate) async fn close(mut self) -> Vec<Event> {
        for client in self.clients.iter_mut().rev() {
            if let Some(client) = client.take() {
                client
                    .close()
                    .await
                    .expect("the client closes in good order");
            }
        }
        let mut batch = Vec::new();
        self.queue.take(&mut batch);
        self.seen.append(&mut batch);
        self.seen
            .retain(|event| !matches!(event.kind, EventKind::Interim(..) | EventKind::Reaction(_)));
        self.seen
    }
}

/// Panics unless the outcome is what the step expects.
fn judge(step: &Step<'_>, outcome: &Outcome) {
    let line = step.to_text();
    let Outcome::Answered(answer) = outcome else {
        panic!("{line}\n  came: {outcome:?}")
    };
    let came = answer.to_text(&VOCABULARY);
    let expect = step.expect();
    if !expect.anything() {
        assert!(
            expect.statuses().any(|status| status == answer.status),
            "{line}\n  came: {came}"
        );
    }
    for (spec, wanted) in expect.fields() {
        let fits = match (spec.name, &wanted) {
            ("fill", Value::Int(fill)) => {
                let offset = step
                    .arg("offset")
                    .and_then(|offset| offset.as_int())
                    .unwrap_or(0);
                let data = answer.data.as_deref().unwrap_or_default();
                replay_ir::fill::verify(*fill, offset, data).is_ok()
            }
            ("data", Value::Text(text)) => answer.data.as_deref() == Some(text.as_bytes()),
            (name, wanted) => {
                let found = answer.fields.iter().find(|(field, _)| *field == name);
                found.is_some_and(|(_, value)| value.as_value() == *wanted)
            }
        };
        assert!(fits, "{line}\n  field {}, came: {came}", spec.name);
    }
}
