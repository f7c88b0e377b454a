//! A backend without a server: every operation is answered at once with what its step expects. It measures the
//! engine, and it shows that a trace can be run at all. Breaks never come.

use async_trait::async_trait;
use replay_ir::{Answer, Mode, Role, Trace};

use crate::backend::{
    Backend, Capabilities, ClientContext, CloseError, Connection, Op, Outcome, Unsupported,
};
use crate::expected::{expected_answer, final_answer, interim_answer};

/// See the module's documentation.
#[derive(Debug)]
pub struct NullBackend {
    capabilities: Capabilities,
}

impl Default for NullBackend {
    fn default() -> Self {
        let limits = vec![("break", "no server is there to break anything")];
        Self {
            capabilities: Capabilities {
                mode: Mode::Breaks,
                verbs: Vec::new(),
                limits,
            },
        }
    }
}

#[async_trait]
impl Backend for NullBackend {
    fn name(&self) -> &'static str {
        "null"
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn missing(&self, trace: &Trace) -> Vec<Unsupported> {
        let breaks = trace.steps().filter(|step| step.role() == Role::AwaitBreak);
        breaks
            .map(|step| Unsupported {
                step: Some(step.id()),
                what: step.verb().name.to_owned(),
            })
            .collect()
    }

    fn client(&self, context: ClientContext) -> Box<dyn Connection> {
        Box::new(NullConnection { context })
    }
}

fn ok(trace: &Trace) -> Answer {
    Answer {
        status: trace.vocabulary().ok,
        fields: Vec::new(),
        data: None,
    }
}

struct NullConnection {
    context: ClientContext,
}

#[async_trait]
impl Connection for NullConnection {
    fn submit(&mut self, ops: &[Op]) {
        let ClientContext { trace, events, .. } = &self.context;
        for &op in ops {
            let answer = match op {
                Op::Step(id) => {
                    let step = trace.step(id);
                    let expect = step.expect();
                    if expect.is_plain() {
                        events.done_plainly(id);
                        continue;
                    } else if expect.is_pending() {
                        // The final answer comes after the interim one, which takes its own look at the clock.
                        events.interim(op, interim_answer(trace));
                        events.done(op, Outcome::Answered(final_answer(trace, id)));
                        continue;
                    } else {
                        expected_answer(step)
                    }
                }
                Op::Connect | Op::RoundTrip => ok(trace),
            };
            events.done_at_once(op, Outcome::Answered(answer));
        }
    }

    fn lane(&mut self, context: ClientContext) -> Result<Box<dyn Connection>, Unsupported> {
        Ok(Box::new(NullConnection { context }))
    }

    async fn close(self: Box<Self>) -> Result<(), CloseError> {
        Ok(())
    }
}
