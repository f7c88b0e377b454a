//! The `smb-replay` binary.
fn main() {}
