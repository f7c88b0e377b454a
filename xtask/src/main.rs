//! Set-up, checks and measurements of the repository: `cargo xtask regressions`, `cargo xtask test`,
//! `cargo xtask repeat`, `cargo xtask mutate`, `cargo xtask bench` and `cargo xtask soak`.
//!
//! Nothing here knows how a server is started or a trace replayed; it installs what is missing,
//! calls cargo, and shows a table of what happened.

mod agree;
mod arrows;
mod bench;
mod book;
mod command;
mod plan;
mod repeat;
mod setup;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Set-up and checks of the smb-replay repository.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    after_help = "All can be run any number of times. As root the \
    first two install missing Debian packages without asking, otherwise through sudo, and say so first."
)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Bring up what is missing and run the regression suite.
    Regressions {
        /// Install nothing; use what is there.
        #[arg(long)]
        no_install: bool,
        /// Filters and options for the suite, as after `cargo test --test regressions --`.
        #[arg(last = true)]
        rest: Vec<String>,
    },
    /// Everything that CI checks: format, lints, tests, documentation, the suite on every source of
    /// servers that this machine has.
    Test {
        /// Install nothing; use what is there.
        #[arg(long)]
        no_install: bool,
    },
    /// Run the regression suite several times and list every case whose verdict was not always the
    /// same.
    Repeat(repeat::Repeat),
    /// Replay the suite's traces through a proxy that changes one answer a run, and list what was
    /// not noticed.
    Mutate {
        /// As of the program: `--seed N`, `--count N`, `--server NAME`, a folder of traces.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// Measure what the engine, the clients and runs of many clients cost; print a table with bars and write it as
    /// JSON.
    Bench(bench::Bench),
    /// Run mixed work for long, and show whether memory, descriptors and tasks stay what they are.
    Soak(bench::Soak),
    /// Import captures, replay them, and show how many answers are as they were.
    Agree(agree::Agree),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let root = root();
    let interrupted = match command::Interrupted::listen() {
        Ok(interrupted) => interrupted,
        Err(error) => {
            eprintln!("cannot listen for signals: {error}");
            return ExitCode::FAILURE;
        }
    };
    let runner = command::Runner::new(&root, interrupted);
    match arguments.what {
        What::Regressions { no_install, rest } => plan::regressions(&runner, !no_install, &rest),
        What::Test { no_install } => plan::test(&runner, !no_install),
        What::Mutate { rest } => plan::mutate(&runner, &rest),
        What::Repeat(repeat) => repeat::repeat(&runner, &repeat),
        What::Bench(bench) => bench::bench(&runner, &bench),
        What::Soak(soak) => bench::soak(&runner, &soak),
        What::Agree(agree) => agree::agree(&runner, &agree),
    }
}

/// The workspace: the parent of this package.
fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}
