//! What can stand on the command line, as `--help` shows it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Subcommand, ValueEnum};

use super::many;
use super::values::{duration, factor, time};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
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
pub(super) enum Import {
    /// A load file of dbench (/usr/share/dbench/client.txt of its Debian package).
    Dbench(DbenchArguments),
    /// A packet capture: pcap or pcapng, as it is or in gzip or zstd.
    Pcap(PcapArguments),
}

/// `smb-replay import pcap`.
#[derive(Debug, clap::Args)]
pub(super) struct PcapArguments {
    /// The capture; several ones become one trace.
    #[arg(required = true)]
    pub(super) files: Vec<PathBuf>,
    /// What is added to the times of the second capture, of the third, …: 1.5s, -20ms; may be given again.
    ///
    /// Without it the clocks are set by what two captures have of the same connection.
    #[arg(long, value_name = "TIME", value_parser = super::capture::offset, allow_hyphen_values = true)]
    pub(super) offset: Vec<i64>,
    /// A port that the server listens on, instead of 445 and 139; may be given again.
    #[arg(long)]
    pub(super) port: Vec<u16>,
    /// Where the trace goes; its name decides the encoding [default: .ir.jsonl on stdout]
    #[arg(short, long)]
    pub(super) output: Option<PathBuf>,
    /// A file with the keys of encrypted sessions: what `smbclient --option=debugencryption=yes` prints, or Wireshark's
    /// smb2_seskey_list; `-` reads them from stdin.
    #[arg(long, value_name = "FILE")]
    pub(super) keys: Option<PathBuf>,
    /// A file with mode 0600 and a line `DOMAIN\user = password` for each account whose NTLM log-ins give the session
    /// keys; `-` reads them from stdin.
    #[arg(long, value_name = "FILE")]
    pub(super) passwords: Option<PathBuf>,
    /// Leave names and accounts as they are.
    ///
    /// Without it every name of a file, a directory, a stream and an account is replaced by another one of the same
    /// shape. Data is never kept.
    #[arg(long)]
    pub(super) no_anonymize: bool,
    /// A name, part of a path, that stays; may be given again.
    #[arg(long, value_name = "NAME", conflicts_with = "no_anonymize")]
    pub(super) keep: Vec<String>,
    /// A file with a secret of at least 16 bytes, with mode 0600: captures that are imported with the same one get the same
    /// names.
    #[arg(long, value_name = "FILE", conflicts_with = "no_anonymize")]
    pub(super) key_file: Option<PathBuf>,
    /// Where a list of what was replaced goes: the capture's name, a tab, the trace's name.
    #[arg(long, value_name = "FILE", conflicts_with = "no_anonymize")]
    pub(super) replaced: Option<PathBuf>,
    /// A file with a line `DOMAIN\user = identity` for each account that becomes a certain identity.
    #[arg(long, value_name = "FILE")]
    pub(super) identity_map: Option<PathBuf>,
    /// A file with a line `customer/path = lab/path` for each path that becomes a certain one.
    #[arg(long, value_name = "FILE")]
    pub(super) path_map: Option<PathBuf>,
    /// Fail when anything of the capture is not in the trace.
    #[arg(long)]
    pub(super) strict: bool,
}

impl PcapArguments {
    /// The files that it reads.
    pub(super) fn inputs(&self) -> Vec<&Path> {
        let others = [
            &self.keys,
            &self.passwords,
            &self.key_file,
            &self.identity_map,
            &self.path_map,
        ];
        let others = others.into_iter().flatten();
        self.files
            .iter()
            .chain(others)
            .map(PathBuf::as_path)
            .collect()
    }
}

/// `smb-replay compare`.
#[derive(Debug, clap::Args)]
pub(super) struct CompareArguments {
    /// The trace, for instance one that a capture was imported to.
    pub(super) trace: PathBuf,
    /// What `smb-replay run TRACE --report FILE.json` wrote; of several runs what differs in all of them is told from
    /// what does in some.
    #[arg(required = true)]
    pub(super) reports: Vec<PathBuf>,
    /// Print JSON, of everything.
    #[arg(long)]
    pub(super) json: bool,
    /// Leave nothing out of the text.
    #[arg(long)]
    pub(super) all: bool,
}

/// `smb-replay cut`.
#[derive(Debug, clap::Args)]
pub(super) struct CutArguments {
    /// .ir, .ir.jsonl or .ir.jsonl.zst.
    pub(super) trace: PathBuf,
    /// Where the part goes; its name decides the encoding [default: .ir on stdout]
    #[arg(short, long)]
    pub(super) output: Option<PathBuf>,
    /// Steps of this client and of those on its connection; may be given again.
    #[arg(long, value_name = "NAME")]
    pub(super) client: Vec<String>,
    /// Steps on this path or below it; may be given again.
    #[arg(long)]
    pub(super) path: Vec<String>,
    /// Steps that are due at this time of the trace or later: 90s, 250ms.
    #[arg(long, value_parser = time, value_name = "TIME")]
    pub(super) from: Option<Duration>,
    /// Steps that are due before this time.
    #[arg(long, value_parser = time, value_name = "TIME")]
    pub(super) to: Option<Duration>,
    /// Steps by their numbers from 1: 5..90, 5.., ..90.
    #[arg(long, value_parser = super::cut::steps, value_name = "A..B")]
    pub(super) steps: Option<std::ops::Range<usize>>,
}

/// `smb-replay import dbench`.
#[derive(Debug, clap::Args)]
pub(super) struct DbenchArguments {
    /// The load file.
    pub(super) file: PathBuf,
    /// Where the trace goes; its name decides the encoding [default: .ir.jsonl on stdout]
    #[arg(short, long)]
    pub(super) output: Option<PathBuf>,
    /// The identity that the one client logs in as.
    #[arg(long, default_value = "alice")]
    pub(super) user: String,
    /// Only so many operations, from the first.
    #[arg(long)]
    pub(super) limit: Option<u64>,
}

/// `smb-replay run`.
#[derive(Debug, clap::Args)]
pub(super) struct RunArguments {
    /// .ir, .ir.jsonl or .ir.jsonl.zst.
    pub(super) trace: PathBuf,
    /// The client that replays it; `smb-replay backends` shows what each can do.
    #[arg(long, default_value = "native")]
    pub(super) backend: String,
    /// What decides when a step is due.
    #[arg(long, value_enum, default_value_t = ClockName::Paced)]
    pub(super) clock: ClockName,
    /// Factor on the recorded times: 0.5 runs twice as fast. Only with --clock paced.
    #[arg(long, value_name = "FACTOR", value_parser = factor)]
    pub(super) scale: Option<f64>,
    /// The server: samba-4.13, samba-4.17, samba-4.22, or smb://host:port/share.
    #[arg(long, default_value = "samba-4.17")]
    pub(super) server: String,
    /// The longest that all steps may take together: 90s, 15m; without one they take what they take.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) timeout: Option<Duration>,
    /// The longest that one step may take.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30s")]
    pub(super) step_timeout: Duration,
    /// Write every frame of every connection, decrypted, as a capture for Wireshark; of a long run
    /// the last 256 MiB. Of the login's tokens only the user's name is kept. Not with
    /// --clients.
    #[arg(long, value_name = "FILE.pcapng", conflicts_with = "clients")]
    pub(super) frames: Option<PathBuf>,
    /// Write everything that was found as JSON.
    #[arg(long, value_name = "FILE.json")]
    pub(super) report: Option<PathBuf>,
    /// Write the times of all verbs as an HdrHistogram log.
    #[arg(long, value_name = "FILE.hlog")]
    pub(super) histograms: Option<PathBuf>,
    /// Leave the trace's directory on the server when the run was not as expected.
    #[arg(long)]
    pub(super) keep: bool,
    #[command(flatten)]
    pub(super) many: many::ManyArguments,
    #[command(flatten)]
    pub(super) measure: many::MeasureArguments,
}

impl RunArguments {
    /// The files that it writes, by their options.
    pub(super) fn outputs(&self) -> [(&'static str, Option<&Path>); 4] {
        [
            ("--frames", self.frames.as_deref()),
            ("--report", self.report.as_deref()),
            ("--histograms", self.histograms.as_deref()),
            ("--metrics-file", self.measure.metrics_file.as_deref()),
        ]
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ClockName {
    /// The trace's own times.
    Paced,
    /// As fast as order and dependencies allow.
    Asap,
}
