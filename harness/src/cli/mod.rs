//! The `smb-replay` program: its command line, and which exit code means what.
//!
//! Each command is a module. Results go to stdout, everything else to stderr; a reader that goes
//! away (`smb-replay … | head`) ends neither in a panic nor in another exit code.

mod backends;
mod beside;
mod capture;
mod commands;
mod compare;
mod convert;
mod cut;
mod dbench;
mod figures;
mod many;
mod output;
mod progress;
mod run;
mod sweep;
mod traces;
mod validate;
mod values;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;

use commands::{Command, Import};

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// Everything was as it should be.
    Passed,
    /// The server answered otherwise than expected, or `fmt --check` found something to change.
    Failed,
    /// A file cannot be read, or does not hold what it should.
    BadInput,
    /// No server can be had.
    NoServer,
    /// The server or the harness went away.
    Broken,
    /// The backend cannot run this trace.
    Skipped,
    /// The command line is wrong (`EX_USAGE` of sysexits.h).
    Usage,
    /// A signal ended it.
    Interrupted(crate::interrupt::Signal),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Passed => 0,
            Exit::Failed => 1,
            Exit::BadInput => 2,
            Exit::NoServer => 3,
            Exit::Broken => 4,
            Exit::Skipped => 5,
            Exit::Usage => 64,
            Exit::Interrupted(signal) => signal.exit_code(),
        })
    }
}

const AFTER_HELP: &str = "\
Examples:
  smb-replay check traces/*.ir
  smb-replay run traces/lock.ir
  smb-replay run traces/lock.ir --clients 1000 --ramp 200/s --calibrate
  smb-replay run big.ir.jsonl.zst --backend smb-rs --clock paced --scale 0.5 --report out.json
  SMB_REPLAY_SERVER=smb://nas:445/data SMB_REPLAY_IDENTITIES=ids.toml smb-replay run traces/lock.ir
  smb-replay import dbench /usr/share/dbench/client.txt -o client.ir.jsonl
  smb-replay import pcap customer.pcapng -o customer.ir
  smb-replay run customer.ir --clock asap --report one.json
  smb-replay compare customer.ir one.json

Exit codes:
  0    passed; the files are well
  1    failed: the server answered otherwise than the trace says; `fmt --check` or `compare` found differences
  2    bad input: a trace or file that cannot be read or does not load, or one that cannot be written
  3    no server can be had
  4    broken: the server or the connection to it went away
  5    skipped: the backend cannot do what the trace needs, or the server lacks it
  64   the command line is wrong
  130  interrupted (SIGINT); 143: terminated (SIGTERM)

Environment:
  SMB_REPLAY_SERVER      smb://host:port/share: a server that runs already
  SMB_REPLAY_IDENTITIES  its accounts: a file with mode 0600
  SMB_REPLAY_LACKS       what it does not have, in words of `needs` lines: leases,streams
  SMB_REPLAY_SOURCE      auto, external, docker or local: where a server comes from
                         (more variables: docs/servers.md)
  RUST_LOG               what is logged to stderr, for instance smb_backends=debug";

/// Replays SMB2/3 traces against a server and judges every answer.
///
/// A trace says what several clients do, when, and what the server must answer.
#[derive(Debug, Parser)]
#[command(name = "smb-replay", version, after_help = AFTER_HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// The whole program.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version come this way too. A closed pipe is nothing to complain about.
            let _ = error.print();
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Passed
            };
            return exit.into();
        }
    };
    log_to_stderr();
    let exit = match arguments.command {
        Command::Check { files } => traces::check(&files),
        Command::Fmt { files, check } => traces::format(&files, check),
        Command::Convert { input, output } => convert::convert(&input, &output),
        Command::Run(arguments) => run::run(&arguments),
        Command::Compare(arguments) => compare::compare(&arguments),
        Command::Cut(arguments) => cut::run(&arguments),
        Command::Import {
            what: Import::Dbench(arguments),
        } => dbench::import(&arguments),
        Command::Import {
            what: Import::Pcap(arguments),
        } => capture::import(&arguments),
        Command::Sweep => sweep::sweep(),
        Command::Validate { server } => validate::validate(&server),
        Command::Backends => backends::show(),
    };
    exit.into()
}

fn log_to_stderr() {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
}

/// A line for people on stderr; a closed stderr is ignored.
fn say(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}
