//! SMB2/3 messages on the wire (MS-SMB2): exact encoding, tolerant decoding that keeps what it does not know, NTSTATUS
//! names, signing and key derivation. No I/O, no clock.
