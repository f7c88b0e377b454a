//! A comparison for people: what differed most, where it began, and what followed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{By, Cause, Comparison, Group, Otherwise, Place, Run};

/// How many kinds of causes are shown, causes of each, and consequences of a cause.
const GROUPS: usize = 20;
const CAUSES: usize = 3;
const CONSEQUENCES: usize = 5;
/// How many rows the table of statuses has.
const ROWS: usize = 20;
/// A step and what was otherwise are cut off at so many characters each.
const WIDTH: usize = 120;
/// How many answers of one step are told apart.
const ANSWERS: usize = 4;

/// The whole text; with `all` nothing is left out of it.
pub(crate) fn to_text(comparison: &Comparison<'_>, all: bool) -> String {
    let mut text = String::new();
    for run in &comparison.runs {
        summary(&mut text, &comparison.shown, run);
    }
    let found = &comparison.causes;
    if comparison.replays > 1 {
        let steady = |seen: usize| seen == comparison.replays;
        let always = found.iter().filter(|cause| steady(cause.what.seen)).count();
        let _ = writeln!(
            text,
            "in all {} replays: {}; in some only: {}",
            comparison.replays,
            counted(always as u64, "cause"),
            found.len() - always
        );
    }
    if found.is_empty() {
        return text;
    }
    let mut shown = Shown {
        text,
        comparison,
        all,
    };
    shown.causes();
    shown.table();
    shown.text
}

fn summary(text: &mut String, trace: &str, run: &Run) {
    let share = run
        .share()
        .map_or(String::new(), |share| format!(" ({share:.2} %)"));
    let _ = write!(
        text,
        "{trace} against {}: {} of {} steps agree{share}",
        run.shown, run.agreed, run.steps
    );
    if run.copies > 1 {
        let _ = write!(text, " in {} copies", run.copies);
    }
    let _ = writeln!(
        text,
        "; {}, {}",
        counted(run.causes, "cause"),
        counted(run.consequences, "consequence")
    );
    if run.not_listed > 0 {
        let _ = writeln!(
            text,
            "  the report lists the first differences only: {} more steps differed",
            run.not_listed
        );
    }
    if let "broken" | "skipped" = &*run.verdict {
        let reason = run.reason.as_deref().unwrap_or("no reason");
        let _ = writeln!(text, "  the run is {}: {reason}", run.verdict);
    }
}

struct Shown<'a, 't> {
    text: String,
    comparison: &'a Comparison<'t>,
    all: bool,
}

impl<'a> Shown<'a, '_> {
    fn bound(&self, bound: usize) -> usize {
        match self.all {
            true => usize::MAX,
            false => bound,
        }
    }

    /// Causes by what was otherwise, those with the most differences first.
    fn causes(&mut self) {
        let mut by_group: BTreeMap<Group, Vec<&'a Cause>> = BTreeMap::new();
        for cause in &self.comparison.causes {
            let group = self.comparison.group(cause.place, &cause.what);
            by_group.entry(group).or_default().push(cause);
        }
        let weight = |causes: &[&Cause]| -> usize {
            causes
                .iter()
                .map(|cause| 1 + cause.consequences.len())
                .sum()
        };
        let mut groups: Vec<(Group, Vec<&Cause>)> = by_group.into_iter().collect();
        groups.sort_by_key(|(_, causes)| std::cmp::Reverse(weight(causes)));
        let bound = self.bound(GROUPS);
        for (number, (group, causes)) in groups.iter().take(bound).enumerate() {
            let follow = weight(causes) - causes.len();
            let _ = writeln!(
                self.text,
                "\n{}. {}: {}, {}",
                number + 1,
                in_words(group),
                counted(causes.len() as u64, "cause"),
                counted(follow as u64, "consequence"),
            );
            for cause in causes.iter().take(self.bound(CAUSES)) {
                self.cause(cause);
            }
            self.more("  ", causes.len(), CAUSES, "causes like these");
        }
        if groups.len() > bound {
            self.text.push('\n');
        }
        self.more("", groups.len(), GROUPS, "kinds of causes");
    }

    fn cause(&mut self, cause: &Cause) {
        let _ = writeln!(self.text, "  {}", self.place(cause.place));
        self.otherwise("    ", &cause.what);
        if cause.consequences.is_empty() {
            return;
        }
        let _ = writeln!(self.text, "    {} follow:", cause.consequences.len());
        for (&place, consequence) in cause.consequences.iter().take(self.bound(CONSEQUENCES)) {
            let _ = writeln!(self.text, "      {}", self.place(place));
            self.otherwise("        ", &consequence.what);
            let reasons: Vec<String> = consequence
                .follows
                .iter()
                .take(ANSWERS)
                .filter_map(|&(from, by)| self.reason(from, by))
                .collect();
            if !reasons.is_empty() && consequence.what.not_run.is_empty() {
                let _ = writeln!(self.text, "        {}", reasons.join("; "));
            }
        }
        self.more("      ", cause.consequences.len(), CONSEQUENCES, "");
    }

    /// What was otherwise, each of its ways in a line.
    fn otherwise(&mut self, indent: &str, what: &Otherwise) {
        let replays = self.comparison.replays;
        let often = |seen: usize| match replays {
            1 => String::new(),
            _ => format!(" [{seen} of {replays} replays]"),
        };
        let bound = self.bound(ANSWERS);
        for ((kind, expected, actual, detail), &seen) in what.differences.iter().take(bound) {
            let line = format!("{kind}: expected {expected}, got {actual}");
            let line = self.cut(&line);
            let _ = writeln!(self.text, "{indent}{line}{}", often(seen));
            for detail in detail.iter().take(self.bound(ANSWERS)) {
                let _ = writeln!(self.text, "{indent}  {}", self.cut(detail));
            }
        }
        self.more(
            indent,
            what.differences.len(),
            ANSWERS,
            "differences of this step",
        );
        if let Some(why) = what.not_run.first() {
            let _ = writeln!(self.text, "{indent}not run: {why}");
        }
    }

    /// `customer.ir:7: A create f "d/plan"`.
    fn place(&self, place: Place) -> String {
        let (trace, shown) = (self.comparison.trace, &self.comparison.shown);
        let at = self
            .comparison
            .line(place)
            .map_or_else(|| shown.clone(), |line| format!("{shown}:{line}"));
        match place {
            Place::Step(step) => format!("{at}: {}", self.cut(&trace.step(step).to_text())),
            Place::Client(client) => format!("{at}: client {}", trace.client(client).name()),
            Place::Check(_) => format!("{at}: a check"),
            Place::Run => format!("{at}: the run"),
        }
    }

    /// From what something follows, where the text of its difference does not say it.
    fn reason(&self, from: Place, by: By) -> Option<String> {
        let line = self.comparison.line(from)?;
        Some(match by {
            By::Handle => format!("its handle was opened otherwise in line {line}"),
            By::Compound => format!("it is compounded with line {line}"),
            By::Target => format!("it is about line {line}"),
            By::After => format!("it waits for line {line}"),
            By::Connection => format!("its connection was otherwise in line {line}"),
            By::File(_) => format!(
                "otherwise since line {line}: the {} of its file",
                by.aspect().unwrap_or("state")
            ),
            By::RunEnd => return None,
        })
    }

    /// How often each verb had which status or field instead of which.
    fn table(&mut self) {
        let groups = self.comparison.groups();
        let consequences = self.comparison.consequences();
        let causes = self.comparison.causes.len();
        let _ = writeln!(
            self.text,
            "\n{}, {}:\n\n  causes  follow  what",
            counted(causes as u64, "cause"),
            counted(consequences as u64, "consequence"),
        );
        for (group, causes, consequences) in groups.iter().take(self.bound(ROWS)) {
            let _ = writeln!(
                self.text,
                "  {causes:>6}  {consequences:>6}  {}",
                self.cut(&in_words(group))
            );
        }
        self.more("  ", groups.len(), ROWS, "rows");
    }

    /// That something was left out.
    fn more(&mut self, indent: &str, all: usize, bound: usize, what: &str) {
        let more = all.saturating_sub(self.bound(bound));
        if more > 0 {
            let line = format!("{indent}… and {more} more {what}");
            let _ = writeln!(self.text, "{}", line.trim_end());
        }
    }

    fn cut(&self, text: &str) -> String {
        match text.char_indices().nth(WIDTH) {
            Some((at, _)) if !self.all => format!("{}…", &text[..at]),
            _ => text.to_owned(),
        }
    }
}

fn in_words(group: &Group) -> String {
    match &*group.actual {
        "not run" => format!("{}: not run", group.verb),
        actual => format!("{}: expected {}, got {actual}", group.verb, group.expected),
    }
}

/// `1 cause`, `2 causes`.
fn counted(count: u64, what: &str) -> String {
    let more = if count == 1 { "" } else { "s" };
    format!("{count} {what}{more}")
}
