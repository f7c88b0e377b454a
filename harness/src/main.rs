//! The `smb-replay` program; all of it is in the library's `cli` module.

use std::process::ExitCode;

fn main() -> ExitCode {
    smb_replay::cli::main()
}
