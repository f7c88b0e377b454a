//! LOGOFF (MS-SMB2 2.2.7, 2.2.8).

use super::empty_body;

empty_body! {
    /// LOGOFF request (MS-SMB2 2.2.7).
    LogoffRequest, "LOGOFF request"
}

empty_body! {
    /// LOGOFF response (MS-SMB2 2.2.8).
    LogoffResponse, "LOGOFF response"
}
