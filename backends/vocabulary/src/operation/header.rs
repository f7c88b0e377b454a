//! What a step changes in the header of its request.

use crate::args::{self, ArgError, Args};
use replay_ir::{Step, Value};

/// What a step says of the header; by default nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeaderOptions<'t> {
    /// SMB2_FLAGS_REPLAY_OPERATION.
    pub replay: bool,
    /// ChannelSequence; `None` is the connection's own.
    pub channel_sequence: Option<u16>,
    /// The name of the tree.
    pub tree: Option<&'t str>,
    /// CreditRequest; `None` leaves it to the connection.
    pub credits: Option<u16>,
    /// CreditCharge; `None` is what the payload costs.
    pub charge: Option<u16>,
}

impl<'t> HeaderOptions<'t> {
    /// What `step` says. A step that passed [`check_trace`](crate::check_trace) has no error.
    ///
    /// # Errors
    /// A number that does not fit.
    pub fn decode(step: &Step<'t>) -> Result<Self, ArgError> {
        Self::read(&args::of_step(step))
    }

    pub(super) fn read(args: &Args<impl Fn(&str) -> Option<Value<'t>>>) -> Result<Self, ArgError> {
        Ok(Self {
            replay: args.has("replay"),
            channel_sequence: args.int("channel-sequence")?,
            tree: args.str("tree"),
            credits: args.int("credits")?,
            charge: args.int("charge")?,
        })
    }
}
