//! ECHO (MS-SMB2 2.2.28, 2.2.29) and CANCEL (2.2.30), which have no content.

use super::empty_body;

empty_body! {
    /// ECHO request (MS-SMB2 2.2.28).
    EchoRequest, "ECHO request"
}

empty_body! {
    /// ECHO response (MS-SMB2 2.2.29).
    EchoResponse, "ECHO response"
}

empty_body! {
    /// CANCEL request (MS-SMB2 2.2.30). It has no response; its header names what is cancelled, by
    /// AsyncId if an interim response has told one, else by MessageId.
    CancelRequest, "CANCEL request"
}
