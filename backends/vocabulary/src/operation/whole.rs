//! A step with everything that stands beside its operation.

use crate::args::{self, ArgError};
use crate::chain::{self, Chain};
use crate::wire_edit::WireEdits;
use replay_ir::Step;

use super::{HeaderOptions, Operation};

/// All that a step says of its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRequest<'t> {
    /// What it does.
    pub operation: Operation<'t>,
    /// What it says of the header.
    pub header: HeaderOptions<'t>,
    /// Its place in a compound; `None` where that goes by its handle.
    pub chain: Option<Chain>,
    /// What makes it wrong on purpose.
    pub edits: Option<WireEdits>,
}

impl<'t> StepRequest<'t> {
    /// Reads the step's arguments once, for all of it. A step that passed [`check_trace`](crate::check_trace) has no
    /// error.
    ///
    /// # Errors
    /// Those of [`Operation::decode`], [`HeaderOptions::decode`] and [`WireEdits::decode`].
    pub fn decode(step: &Step<'t>) -> Result<Self, ArgError> {
        let args = args::of_step(step);
        Ok(Self {
            operation: Operation::read(step, &args)?,
            header: HeaderOptions::read(&args)?,
            chain: args.str(chain::CHAIN.name).and_then(chain::of_word),
            edits: WireEdits::read(step.verb(), &args)?,
        })
    }
}
