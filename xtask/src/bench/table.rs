//! Figures with their bars, for people and as JSON.

use std::fmt;
use std::path::Path;
use std::time::SystemTime;

use serde_json::{Value, json};

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) value: f64,
    pub(super) unit: String,
}

impl Figure {
    pub(super) fn new(name: impl Into<String>, value: f64, unit: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value,
            unit: unit.into(),
        }
    }

    fn bar(&self) -> Option<Bar> {
        let bar = BARS.iter().find(|(end, _)| self.name.ends_with(end));
        bar.map(|(_, bar)| *bar)
    }

    /// Where a busy moment can only make it worse, the better of two is the truer.
    fn better(self, other: Self) -> Self {
        let more = match self.bar() {
            Some(Bar::AtLeast(_)) => true,
            Some(Bar::AtMost(_)) => false,
            None => self.unit == "M ops/s",
        };
        if (other.value > self.value) == more {
            other
        } else {
            self
        }
    }
}

/// What a figure must reach.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Bar {
    AtLeast(f64),
    AtMost(f64),
}

/// By how a figure's name ends.
const BARS: &[(&str, Bar)] = &[
    ("drift p50 / probe p50", Bar::AtMost(1.5)),
    ("drift p99 / max(probe p99, 150 µs)", Bar::AtMost(3.0)),
    ("drift p50 / p50 of a task per client", Bar::AtMost(0.1)),
    (
        "asap, 1000 clients, 1000000 operations, best of 3",
        Bar::AtLeast(3.0),
    ),
    ("asap: instructions an operation", Bar::AtMost(800.0)),
    (
        "native: KiB a connection with an open file",
        Bar::AtMost(12.0),
    ),
    ("native / smbtorture: ops/s", Bar::AtLeast(1.0)),
    ("native / smbtorture: CPU an operation", Bar::AtMost(1.0)),
    ("native / Impacket: ops/s", Bar::AtLeast(10.0)),
    ("operations issued and not completed", Bar::AtMost(0.0)),
    (
        "steps that were not as expected, or not run",
        Bar::AtMost(0.0),
    ),
    ("1000 clients on smbd: lag p99", Bar::AtMost(10.0)),
    (
        "5000 clients on smbd: client process, peak",
        Bar::AtMost(256.0),
    ),
    ("growth of the memory an operation", Bar::AtMost(1.0)),
    ("descriptors, last sample less first", Bar::AtMost(0.0)),
    ("descriptors, after less before", Bar::AtMost(0.0)),
    ("tasks, last sample less first", Bar::AtMost(0.0)),
    ("tasks, after less before", Bar::AtMost(0.0)),
];

impl Bar {
    fn is_met(self, value: f64) -> bool {
        match self {
            Bar::AtLeast(least) => value >= least,
            Bar::AtMost(most) => value <= most,
        }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bar::AtLeast(least) => write!(f, "≥ {least}"),
            Bar::AtMost(most) => write!(f, "≤ {most}"),
        }
    }
}

/// The rows `| NAME | NUMBER UNIT |` of what a bench printed; others have no number.
pub(super) fn rows(text: &str) -> Vec<Figure> {
    let row = |line: &str| {
        let cells = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let (name, value) = cells.split_once(" | ")?;
        let (number, unit) = value.split_once(' ').unwrap_or((value, ""));
        Some(Figure::new(name, number.parse().ok()?, unit))
    };
    text.lines().filter_map(row).collect()
}

/// The best of each figure of several runs, in the order of the first.
pub(super) fn best(rounds: Vec<Vec<Figure>>) -> Vec<Figure> {
    let mut rounds = rounds.into_iter();
    let mut best = rounds.next().unwrap_or_default();
    for round in rounds {
        for figure in round {
            if let Some(known) = best.iter_mut().find(|known| known.name == figure.name) {
                *known = known.clone().better(figure);
            }
        }
    }
    best
}

/// Everything that was measured.
#[derive(Debug, Default)]
pub(super) struct Table {
    figures: Vec<Figure>,
    troubles: Vec<String>,
    notes: Vec<String>,
}

impl Table {
    pub(super) fn add(&mut self, figures: Vec<Figure>) {
        self.figures.extend(figures);
    }

    /// Something could not be measured.
    pub(super) fn trouble(&mut self, what: String) {
        println!("{what}");
        self.troubles.push(what);
    }

    /// What a bench printed beside its rows.
    pub(super) fn note(&mut self, text: &str) {
        let others = text.lines().filter(|line| !line.starts_with('|'));
        self.notes.extend(others.map(str::to_owned));
    }

    /// Everything was measured and every bar is met.
    pub(super) fn is_whole(&self) -> bool {
        let met = |figure: &Figure| figure.bar().is_none_or(|bar| bar.is_met(figure.value));
        self.troubles.is_empty() && self.figures.iter().all(met)
    }

    /// Writes all of it, with what is to be known about the machine.
    pub(super) fn save(&self, path: &Path, quick: bool, busy: bool) -> std::io::Result<()> {
        let mut text = serde_json::to_string_pretty(&self.document(quick, busy))?;
        text.push('\n');
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, text)
    }

    fn document(&self, quick: bool, busy: bool) -> Value {
        let seconds = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let figures: Vec<Value> = self
            .figures
            .iter()
            .map(|figure| {
                let bar = figure.bar();
                json!({
                    "figure": figure.name,
                    "value": figure.value,
                    "unit": figure.unit,
                    "bar": bar.map(|bar| bar.to_string()),
                    "met": bar.map(|bar| bar.is_met(figure.value)),
                })
            })
            .collect();
        json!({
            "version": 2,
            "unix_time": seconds,
            "quick": quick,
            "busy": busy,
            "machine": {
                "cpus": std::thread::available_parallelism().map_or(0, usize::from),
                "cpu": value_of("/proc/cpuinfo", "model name"),
                "kernel": first_line("/proc/sys/kernel/osrelease"),
                "load": first_line("/proc/loadavg"),
            },
            "figures": figures,
            "not_measured": self.troubles,
            "output": self.notes,
        })
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for note in self.notes.iter().filter(|note| !note.trim().is_empty()) {
            writeln!(f, "{note}")?;
        }
        writeln!(f, "\n| figure | value | bar | met |\n|---|---|---|---|")?;
        for figure in &self.figures {
            let Figure { name, value, unit } = figure;
            let digits = match value.abs() {
                small if small < 10.0 => 3,
                middle if middle < 1000.0 => 1,
                _ => 0,
            };
            write!(f, "| {name} | {value:.digits$} {unit} |")?;
            match figure.bar() {
                Some(bar) => {
                    let met = if bar.is_met(*value) { "yes" } else { "**no**" };
                    writeln!(f, " {bar} | {met} |")?;
                }
                None => writeln!(f, " | |")?,
            }
        }
        for trouble in &self.troubles {
            writeln!(f, "not measured: {trouble}")?;
        }
        let load = first_line("/proc/loadavg").unwrap_or_default();
        write!(f, "load at the end: {load}")
    }
}

fn first_line(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    text.lines().next().map(str::to_owned)
}

/// The value of the first `key : value` line.
fn value_of(path: &str, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_once(':')
        .map(|(_, value)| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_with_a_number_are_figures() {
        let text = "server: x\n| figure | value |\n|---|---|\n| drift | p50 1, p99 2 µs |\n\
            | asap | 3.10 M ops/s |\n| drift p50 / probe p50 | 1.20 |\n";
        let found = rows(text);
        let expected = [
            Figure::new("asap", 3.1, "M ops/s"),
            Figure::new("drift p50 / probe p50", 1.2, ""),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn the_best_of_several_runs_is_that_nearest_to_its_bar() {
        let of = |ratio, rate| {
            vec![
                Figure::new("drift p50 / probe p50", ratio, ""),
                Figure::new("asap", rate, "M ops/s"),
            ]
        };
        assert_eq!(
            best(vec![of(2.0, 3.0), of(1.2, 2.0), of(1.4, 4.0)]),
            of(1.2, 4.0)
        );
    }

    #[test]
    fn a_bar_that_is_missed_or_not_measured_is_seen() {
        let mut table = Table::default();
        table.add(vec![Figure::new("native / Impacket: ops/s", 12.0, "")]);
        assert!(table.is_whole());
        table.add(vec![Figure::new(
            "x: operations issued and not completed",
            1.0,
            "",
        )]);
        assert!(!table.is_whole());
        let document = table.document(false, true);
        assert_eq!(document["figures"][1]["met"], false);
        assert_eq!(document["busy"], true);
        assert!(table.to_string().contains("| ≤ 0 | **no** |"), "{table}");
        let mut table = Table::default();
        table.add(vec![Figure::new(
            "1000 clients on smbd: lag p99",
            f64::NAN,
            "ms",
        )]);
        assert!(!table.is_whole(), "what has no value meets no bar");
    }
}
