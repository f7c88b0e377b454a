//! `ea=`, which several lines take.

use super::optional;
use replay_ir::{ArgKind, ArgSpec};

pub(super) const EA: ArgSpec = optional(
    "ea",
    ArgKind::List(&ArgKind::Text),
    "Extended attributes as `\"NAME=value\"`, the value as UTF-8 or `hex:0a1b` (MS-FSCC 2.4.16). `create`: adds EA_BUFFER \
     (MS-SMB2 2.2.13.2.1). `set-info full-ea`: an attribute without a value is removed.",
);
