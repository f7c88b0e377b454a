//! SMB2/3 traces as `cargo test` cases against a real Samba server.
