//! What a step changes in the header of its request.

use crate::args::{ArgError, Args};
use replay_ir::Step;

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
        let mut options = Self::default();
        let number = |name: &'static str| Args(|name: &str| step.arg(name)).int(name);
        // Most steps say nothing: one look at each argument, by its place in the table, tells.
        for (spec, value) in step.args() {
            match spec.name {
                "tree" => options.tree = value.as_str(),
                "replay" => options.replay = true,
                "channel-sequence" => {
                    options.channel_sequence = number("channel-sequence")?;
                }
                "credits" => options.credits = number("credits")?,
                "charge" => options.charge = number("charge")?,
                _ => {}
            }
        }
        Ok(options)
    }
}
