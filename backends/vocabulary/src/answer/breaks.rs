//! What a server says to the acknowledgement of a break.

use super::Fields;
use crate::words::{LEASE, OPLOCK};
use replay_ir::Answer;
use smb_wire::messages::{LeaseBreakResponse, OplockBreakResponse};

/// The answer to the acknowledgement of an oplock break, when it succeeded (MS-SMB2 2.2.25.1).
pub fn oplock_acknowledged(response: &OplockBreakResponse) -> Answer {
    Fields::default()
        .token("oplock", OPLOCK.write(response.oplock_level))
        .ok()
}

/// The answer to the acknowledgement of a lease break, when it succeeded (MS-SMB2 2.2.25.2).
pub fn lease_acknowledged(response: &LeaseBreakResponse) -> Answer {
    Fields::default()
        .token("lease-state", LEASE.write(response.lease_state))
        .ok()
}
