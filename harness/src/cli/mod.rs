//! The `smb-replay` program: its command line, and which exit code means what.
//!
//! Each command is a module. Results go to stdout, everything else to stderr; a reader that goes
//! away (`smb-replay … | head`) ends neither in a panic nor in another exit code.

mod backends;
mod capture;
mod compare;
mod convert;
mod cut;
mod dbench;
mod many;
mod output;
mod progress;
mod run;
mod sweep;
mod traces;
mod validate;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

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
  SMB_REPLAY_SERVER=smb://nas:445/data SMB_REPLAY_IDENTITIES=ids smb-replay run traces/lock.ir
  smb-replay import dbench /usr/share/dbench/client.txt -o client.ir.jsonl
  smb-replay import pcap customer.pcapng -o customer.ir

Exit codes:
  0    passed; the files are well
  1    failed: the server answered otherwise than the trace says; `fmt --check` found differences
  2    bad input: a trace or file that cannot be read or does not load
  3    no server can be had
  4    broken: the server or the connection to it went away
  5    skipped: the backend cannot do what the trace needs
  64   the command line is wrong
  130  interrupted (SIGINT); 143: terminated (SIGTERM)

Environment:
  SMB_REPLAY_SERVER      smb://host:port/share: a server that runs already
  SMB_REPLAY_IDENTITIES  its accounts: a file with mode 0600
  SMB_REPLAY_LACKS       what it does not have, in words of `needs` lines: leases,streams
  SMB_REPLAY_SOURCE      auto, external, docker or local: where a server comes from
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

#[derive(Debug, Subcommand)]
enum Command {
    /// Load traces and show every mistake in them.
    Check {
        /// Traces: .ir, .ir.jsonl or .ir.jsonl.zst.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Bring .ir files into their canonical form, in place.
    ///
    /// Comments and empty lines stay.
    Fmt {
        /// Traces in text form.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Change nothing; name the files that would change and exit with 1 if there are any.
        #[arg(long)]
        check: bool,
    },
    /// Write a trace in another encoding, which the name of OUT decides.
    ///
    /// Comments of the text form are not carried over.
    Convert {
        /// .ir, .ir.jsonl or .ir.jsonl.zst.
        input: PathBuf,
        /// .ir, .ir.jsonl or .ir.jsonl.zst.
        output: PathBuf,
    },
    /// Replay a trace against a server and judge every answer.
    Run(RunArguments),
    /// Show which answers of runs differ from those of their trace, each cause once.
    ///
    /// A difference that follows from an earlier one (a handle that was not opened, a file that was not made, a lock that was
    /// not taken, a break that could not come) is listed under that one.
    Compare(CompareArguments),
    /// Cut a part out of a trace, with the opens, changes and files that it needs.
    ///
    /// What is chosen by several options must be so by all of them.
    Cut(CutArguments),
    /// Turn what other tools recorded into a trace.
    Import {
        #[command(subcommand)]
        what: Import,
    },
    /// Remove what killed runs left behind: containers and private servers.
    Sweep,
    /// Show what each client of this build can and cannot do.
    Backends,
    /// Run the tests that decide which clients can carry mode 2, and show what was measured.
    Validate {
        /// The server, as for `run`.
        #[arg(long, default_value = "samba-4.17")]
        server: String,
    },
}

#[derive(Debug, Subcommand)]
enum Import {
    /// A load file of dbench (/usr/share/dbench/client.txt of its Debian package).
    Dbench(DbenchArguments),
    /// A packet capture: pcap or pcapng, as it is or in gzip or zstd.
    Pcap(PcapArguments),
}

/// `smb-replay import pcap`.
#[derive(Debug, clap::Args)]
struct PcapArguments {
    /// The capture; several ones become one trace.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// What is added to the times of the second capture, of the third, …: 1.5s, -20ms; may be given again.
    ///
    /// Without it the clocks are set by what two captures have of the same connection.
    #[arg(long, value_name = "TIME", value_parser = capture::offset, allow_hyphen_values = true)]
    offset: Vec<i64>,
    /// A port that the server listens on, instead of 445 and 139; may be given again.
    #[arg(long)]
    port: Vec<u16>,
    /// Where the trace goes; its name decides the encoding [default: .ir.jsonl on stdout]
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// A file with the keys of encrypted sessions: what `smbclient --option=debugencryption=yes` prints, or Wireshark's
    /// smb2_seskey_list; `-` reads them from stdin.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// A file with mode 0600 and a line `DOMAIN\user = password` for each account whose NTLM log-ins give the session
    /// keys; `-` reads them from stdin.
    #[arg(long, value_name = "FILE")]
    passwords: Option<PathBuf>,
    /// Leave names and accounts as they are.
    ///
    /// Without it every name of a file, a directory, a stream and an account is replaced by another one of the same
    /// shape. Data is never kept.
    #[arg(long)]
    no_anonymize: bool,
    /// A name, part of a path, that stays; may be given again.
    #[arg(long, value_name = "NAME", conflicts_with = "no_anonymize")]
    keep: Vec<String>,
    /// A file with a secret: captures that are imported with the same one get the same names.
    #[arg(long, value_name = "FILE", conflicts_with = "no_anonymize")]
    key_file: Option<PathBuf>,
    /// Where a list of what was replaced goes: the capture's name, a tab, the trace's name.
    #[arg(long, value_name = "FILE", conflicts_with = "no_anonymize")]
    replaced: Option<PathBuf>,
    /// A file with a line `DOMAIN\user = identity` for each account that becomes a certain identity.
    #[arg(long, value_name = "FILE")]
    identity_map: Option<PathBuf>,
    /// A file with a line `customer/path = lab/path` for each path that becomes a certain one.
    #[arg(long, value_name = "FILE")]
    path_map: Option<PathBuf>,
    /// Fail when anything of the capture is not in the trace.
    #[arg(long)]
    strict: bool,
}

/// `smb-replay compare`.
#[derive(Debug, clap::Args)]
struct CompareArguments {
    /// The trace, for instance one that a capture was imported to.
    trace: PathBuf,
    /// What `smb-replay run TRACE --report FILE.json` wrote; of several runs what differs in all of them is told from
    /// what does in some.
    #[arg(required = true)]
    reports: Vec<PathBuf>,
    /// Print JSON, of everything.
    #[arg(long)]
    json: bool,
    /// Leave nothing out of the text.
    #[arg(long)]
    all: bool,
}

/// `smb-replay cut`.
#[derive(Debug, clap::Args)]
struct CutArguments {
    /// .ir, .ir.jsonl or .ir.jsonl.zst.
    trace: PathBuf,
    /// Where the part goes; its name decides the encoding [default: .ir on stdout]
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// Steps of this client and of those on its connection; may be given again.
    #[arg(long, value_name = "NAME")]
    client: Vec<String>,
    /// Steps on this path or below it; may be given again.
    #[arg(long)]
    path: Vec<String>,
    /// Steps that are due at this time of the trace or later: 90s, 250ms.
    #[arg(long, value_parser = duration, value_name = "TIME")]
    from: Option<Duration>,
    /// Steps that are due before this time.
    #[arg(long, value_parser = duration, value_name = "TIME")]
    to: Option<Duration>,
    /// Steps by their numbers from 1: 5..90, 5.., ..90.
    #[arg(long, value_parser = cut::steps, value_name = "A..B")]
    steps: Option<std::ops::Range<usize>>,
}

/// `smb-replay import dbench`.
#[derive(Debug, clap::Args)]
struct DbenchArguments {
    /// The load file.
    file: PathBuf,
    /// Where the trace goes; its name decides the encoding [default: .ir.jsonl on stdout]
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// The identity that the one client logs in as.
    #[arg(long, default_value = "alice")]
    user: String,
    /// Only so many operations, from the first.
    #[arg(long)]
    limit: Option<u64>,
}

/// `smb-replay run`.
#[derive(Debug, clap::Args)]
struct RunArguments {
    /// .ir, .ir.jsonl or .ir.jsonl.zst.
    trace: PathBuf,
    /// The client that replays it; `smb-replay backends` shows what each can do.
    #[arg(long, default_value = "native")]
    backend: String,
    /// What decides when a step is due.
    #[arg(long, value_enum, default_value_t = ClockName::Paced)]
    clock: ClockName,
    /// Factor on the recorded times: 0.5 runs twice as fast. Only with --clock paced.
    #[arg(long, value_parser = factor)]
    scale: Option<f64>,
    /// The server: samba-4.13, samba-4.17, samba-4.22, or smb://host:port/share.
    #[arg(long, default_value = "samba-4.17")]
    server: String,
    /// The longest that all steps may take together: 90s, 15m; without one they take what they take.
    #[arg(long, value_parser = duration)]
    timeout: Option<Duration>,
    /// The longest that one step may take.
    #[arg(long, value_parser = duration, default_value = "30s")]
    step_timeout: Duration,
    /// Write every frame of every connection, decrypted, as a capture for Wireshark; of a long run
    /// the last 256 MiB. Of the login's tokens only the user's name is kept.
    #[arg(long, value_name = "FILE.pcapng", conflicts_with = "clients")]
    frames: Option<PathBuf>,
    /// Write everything that was found as JSON.
    #[arg(long, value_name = "FILE.json")]
    report: Option<PathBuf>,
    /// Write the times of all verbs as an HdrHistogram log.
    #[arg(long, value_name = "FILE.hlog")]
    histograms: Option<PathBuf>,
    /// Leave the trace's directory on the server when the run was not as expected.
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    many: many::ManyArguments,
    #[command(flatten)]
    measure: many::MeasureArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ClockName {
    /// The trace's own times.
    Paced,
    /// As fast as order and dependencies allow.
    Asap,
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

/// `250ms`, `90s`, `15m`, `1.5h`; at most a week. As a trace writes a length of time, with minutes and hours besides.
fn duration(text: &str) -> Result<Duration, String> {
    const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
    let nanoseconds = replay_ir::time::parse_long_duration(text);
    let time = nanoseconds.map(Duration::from_nanos);
    let time = time.ok_or("a number with ms, s, m or h is needed, for instance 90s")?;
    match (Duration::from_millis(1)..=WEEK).contains(&time) {
        true => Ok(time),
        false => Err("it must be between 1ms and 168h".to_owned()),
    }
}

fn factor(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if (0.0..=1000.0).contains(&factor) => Ok(factor),
        _ => Err("a number between 0 and 1000 is needed".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn durations_have_a_unit_and_bounds() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for wrong in [
            "", "90", "s", "-1s", "0s", "1e9h", "NaNs", "infs", "5 s", "5us", "5mm", "1nh", "h",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_factor_is_finite_and_not_negative() {
        assert_eq!(factor("0.5"), Ok(0.5));
        assert!(
            ["-1", "NaN", "inf", "x"]
                .iter()
                .all(|text| factor(text).is_err())
        );
    }
}
