//! What `smb-replay run` knows about running a trace for many clients at the same time, and about measuring it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use replay_engine::{CONNECT_PARALLEL, Copies, RunOptions};
use replay_ir::{Client, Trace};
use smb_vocabulary::is_channel;

use super::values::{duration, time};
use super::{Exit, say};

/// Descriptors that the program needs beside its connections, with room.
const OTHER_DESCRIPTORS: u64 = 256;

/// Options of `smb-replay run`.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Many clients")]
pub(super) struct ManyArguments {
    /// Run so many copies of the trace at the same time that there are this many clients with a connection of their
    /// own; rounded up to whole copies. Each copy has a directory of its own.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    clients: Option<u32>,
    /// Decides by how much each copy's times are shifted: the same seed, the same shifts.
    #[arg(long, value_name = "S", default_value_t = 1, requires = "clients")]
    seed: u64,
    /// Each copy's times are shifted by a random part of this; 0s for not at all [default: the longest time between two
    /// steps of a client].
    #[arg(long, value_name = "TIME", value_parser = spread, requires = "clients")]
    spread: Option<Duration>,
    /// So many accounts stand for each `user=` name, used in turn by the copies [default: one a copy, at most 64, on a
    /// server of our own; otherwise 1]. On other servers they are the identities `alice`, `alice-2`, `alice-3` ….
    #[arg(long, value_name = "N", requires = "clients", value_parser = clap::value_parser!(u32).range(1..=2_000))]
    pub(super) identities: Option<u32>,
    /// At most so many clients begin to connect in a second: 200 or 200/s.
    #[arg(long, value_name = "R/s", value_parser = rate)]
    ramp: Option<f64>,
    /// At most so many clients connect at the same time. More than a server's listen queue holds (50 of Samba) can
    /// leave some waiting for a minute.
    #[arg(long, value_name = "N", default_value_t = CONNECT_PARALLEL as u16, value_parser = clap::value_parser!(u16).range(1..))]
    connecting: u16,
    /// The longest that connecting and logging in may take for one client.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10s")]
    connect_timeout: Duration,
}

/// Options of `smb-replay run`.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Measuring")]
pub(super) struct MeasureArguments {
    /// Let a thread sleep until the same moments at the same time, and show how late it woke: what this machine can do.
    #[arg(long)]
    calibrate: bool,
    /// Steps may leave so much later than they are due, to leave together: 100us. Less work, more drift.
    #[arg(long, value_name = "TIME", value_parser = short)]
    coalesce: Option<Duration>,
    /// Look at the clock without sleeping for so long before a step is due, at most 1ms: 50us. Less drift, a busy core.
    #[arg(long, value_name = "TIME", value_parser = short)]
    spin: Option<Duration>,
    /// Show counters in the Prometheus text format at http://ADDRESS/metrics while the run goes on: 127.0.0.1:9100, or port 0
    /// for one that is free.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) metrics: Option<SocketAddr>,
    /// Write the same counters as JSON, every second and at the end.
    #[arg(long, value_name = "FILE.json")]
    pub(super) metrics_file: Option<PathBuf>,
}

impl ManyArguments {
    /// Whether the trace runs more than once.
    pub(super) fn is_many(&self) -> bool {
        self.clients.is_some()
    }

    /// What of it the engine must know. Identities are left at one: what is the default is for the server to say.
    pub(super) fn apply(&self, trace: &Trace, options: &mut RunOptions) {
        options.connect_rate = self.ramp;
        options.connect_parallel = usize::from(self.connecting);
        options.connect_timeout = self.connect_timeout;
        if let Some(clients) = self.clients {
            options.copies = Copies {
                count: clients.div_ceil(connections(trace).max(1)),
                seed: self.seed,
                spread: self.spread.unwrap_or_else(|| longest_gap(trace)),
                identities: 1,
            };
        }
    }
}

impl MeasureArguments {
    /// Whether the clock is looked at without sleeping.
    pub(super) fn spins(&self) -> bool {
        self.spin.is_some_and(|spin| !spin.is_zero())
    }

    /// What of it the engine must know.
    pub(super) fn apply(&self, options: &mut RunOptions) {
        options.calibrate = self.calibrate;
        options.coalesce = self.coalesce.unwrap_or_default();
        options.spin = self.spin.unwrap_or_default();
    }
}

/// Clients with a connection of their own; a channel of another's session is one.
fn connections(trace: &Trace) -> u32 {
    let own = |client: &&Client| client.on().is_none() || is_channel(client);
    trace.clients().iter().filter(own).count() as u32
}

/// The longest time between two steps of one client.
fn longest_gap(trace: &Trace) -> Duration {
    let mut last = vec![None; trace.clients().len()];
    let mut longest = 0;
    for step in trace.steps() {
        let last = &mut last[step.client().0 as usize];
        longest = longest.max(step.at().saturating_sub(last.unwrap_or(step.at())));
        *last = Some(step.at());
    }
    Duration::from_nanos(longest)
}

/// Sees to it that so many connections can be open at the same time; what is to be done when they cannot is said.
pub(super) fn make_room(trace: &Trace, copies: u32) -> Result<(), Exit> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let needed = u64::from(connections(trace)) * u64::from(copies) + OTHER_DESCRIPTORS;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    if limit.maximum.is_none_or(|maximum| maximum >= needed) {
        limit.current = Some(needed);
        if setrlimit(Resource::Nofile, limit).is_ok() {
            return Ok(());
        }
    }
    let most = limit.maximum.unwrap_or_default();
    say(format_args!(
        "{needed} descriptors are needed for that many clients, and this process may have {most} (ulimit -Hn)"
    ));
    Err(Exit::Usage)
}

/// `200` or `200/s`.
fn rate(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("/s").unwrap_or(text);
    match number.parse::<f64>() {
        Ok(rate) if (0.01..=1e6).contains(&rate) => Ok(rate),
        _ => {
            Err("a number of clients a second between 0.01 and 1000000 is needed: 200/s".to_owned())
        }
    }
}

/// As other times, and none at all.
fn spread(text: &str) -> Result<Duration, String> {
    match time(text) {
        Ok(Duration::ZERO) => Ok(Duration::ZERO),
        _ => duration(text),
    }
}

/// `50us`, `0.1ms`; at most a second.
fn short(text: &str) -> Result<Duration, String> {
    match replay_ir::time::parse_duration(text).map(Duration::from_nanos) {
        Some(time) if time <= Duration::from_secs(1) => Ok(time),
        _ => Err("a number with us or ms, at most a second, is needed: 50us".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_a_connection_and_a_lane_is_none() {
        let source = "ir 1\nclient A user=alice\nclient A2 on=A channel\nclient L on=A\nclient B user=bob\n\
            A2 connect\nL echo\nB echo\n";
        let trace = replay_ir::load_str("x.ir", source, &smb_vocabulary::VOCABULARY);
        assert_eq!(connections(&trace.expect("a trace")), 3);
    }

    #[test]
    fn rates_and_short_times_have_bounds() {
        assert_eq!(rate("200/s"), Ok(200.0));
        assert_eq!(rate("0.5"), Ok(0.5));
        assert!(
            ["0", "-1", "NaN", "x/s", "200/m"]
                .iter()
                .all(|text| rate(text).is_err())
        );
        assert_eq!(spread("0s"), Ok(Duration::ZERO));
        assert!(spread("2s").is_ok() && spread("0.5us").is_err() && spread("-1s").is_err());
        assert_eq!(short("50us"), Ok(Duration::from_micros(50)));
        assert_eq!(short("0.1ms"), Ok(Duration::from_micros(100)));
        assert!(
            ["50", "-1us", "2000ms", "NaNus", "2s"]
                .iter()
                .all(|text| short(text).is_err())
        );
    }
}
