//! What the table cannot say about a trace: arguments that exclude each other, and values with a form of their own.

use crate::client::ClientSettings;
use crate::given::GivenItem;
use crate::operation::Operation;
use replay_ir::{StepId, Trace};

/// Something wrong with a trace that has been loaded. Its message is a sentence fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line in the source, from 1.
    pub line: u32,
    /// The step, unless it is a `client` or a `given` line.
    pub step: Option<StepId>,
    /// What is wrong.
    pub message: String,
}

/// Everything that is wrong with a trace beyond what loading finds, in the order of the lines of each kind. A trace
/// without problems can be decoded step by step without an error.
pub fn check_trace(trace: &Trace) -> Vec<Problem> {
    let clients = trace.clients().iter().filter_map(|client| {
        let message = ClientSettings::decode(client).err()?.to_string();
        Some(Problem {
            line: client.line(),
            step: None,
            message,
        })
    });
    let givens = trace.givens().iter().filter_map(|given| {
        let message = GivenItem::decode(given).err()?.to_string();
        Some(Problem {
            line: given.line(),
            step: None,
            message,
        })
    });
    let steps = trace.steps().filter_map(|step| {
        let decoded = Operation::decode(&step).map(drop);
        let checked = decoded.and_then(|()| crate::security::check_expected(&step));
        let message = checked.err()?.to_string();
        Some(Problem {
            line: step.line(),
            step: Some(step.id()),
            message,
        })
    });
    clients.chain(givens).chain(steps).collect()
}
