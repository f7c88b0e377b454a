//! A failed run for a person: the trace's lines with what was expected and what came, the last
//! steps of each client, who waited for whom, and how to go on from there.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use replay_engine::{Difference, End, Place, Record, RunReport};
use replay_ir::{ClientId, Step, Trace};

use crate::reactions;

/// At most this many differences are shown; all are in the report.
const DIFFERENCES: usize = 5;
/// How many of each client's last steps are shown, and of how many clients.
const LAST_STEPS: usize = 6;
const CLIENTS: usize = 8;
/// So many lost connections are shown.
const LOST: usize = 20;
/// At most this many characters of an answer are shown there; all are in the event log.
const ANSWER: usize = 72;

/// What the text says beyond the run itself.
#[derive(Debug, Default)]
pub(crate) struct Surroundings<'a> {
    /// The trace as it is called from where people type commands.
    pub(crate) shown: &'a str,
    /// The server, in a line.
    pub(crate) server: &'a str,
    /// Where the artefacts are.
    pub(crate) artifacts: Option<&'a Path>,
    /// Where the case's directory was left on the server.
    pub(crate) kept: Option<&'a str>,
    /// The command that runs it again.
    pub(crate) again: Option<&'a str>,
}

/// The whole text. Empty lines separate its parts; it ends with a line end.
pub(crate) fn failure(trace: &Trace, run: &RunReport, around: &Surroundings<'_>) -> String {
    let mut text = String::new();
    let differences = run.differences.iter().take(DIFFERENCES);
    for difference in differences {
        text.push_str(&of_copy(run, difference.copy));
        show_difference(&mut text, trace, difference, around.shown);
        text.push('\n');
    }
    let all: usize = run.differences_by_kind.values().sum();
    if all > DIFFERENCES {
        let _ = writeln!(text, "… and {} more differences\n", all - DIFFERENCES);
    }
    show_not_run(&mut text, trace, run);
    if let Some(picture) = &run.stuck {
        let _ = writeln!(text, "{}", picture.display(trace));
    }
    show_last_steps(&mut text, trace, run);
    for record in run
        .reactions
        .iter()
        .filter(|record| reactions::matters(trace, record))
    {
        let _ = writeln!(text, "{}", reactions::sentence(trace, record));
    }
    for lost in run.lost.iter().take(LOST) {
        let client = trace.client(lost.client).name();
        let _ = writeln!(
            text,
            "{}{client} lost its connection at {}: {}",
            of_copy(run, lost.copy),
            ms(lost.at),
            lost.reason
        );
    }
    if run.lost.len() > LOST {
        let _ = writeln!(
            text,
            "… and {} more lost connections",
            run.lost.len() - LOST
        );
    }
    for error in &run.close_errors {
        let _ = writeln!(text, "{error}");
    }
    show_surroundings(&mut text, run, around);
    text
}

/// Which copy of the trace is meant, where there are several.
fn of_copy(run: &RunReport, copy: u32) -> String {
    if run.copies > 1 {
        format!("copy {copy}: ")
    } else {
        String::new()
    }
}

fn show_difference(text: &mut String, trace: &Trace, difference: &Difference, shown: &str) {
    let line = match difference.place {
        Place::Step(id) => Some(trace.step(id).line()),
        Place::Client(id) => Some(trace.client(id).line()),
        Place::Check(line) => Some(line),
        Place::Run => None,
    };
    let title = difference.to_string();
    let mut group = Group::with_title(Level::ERROR.primary_title(&title));
    let label = shortened(format!("got {}", difference.actual));
    let source = line
        .and_then(|line| trace.source_line(line))
        .unwrap_or_default();
    let line = line.map(|line| line as usize);
    group = match line {
        Some(line) if !source.is_empty() => {
            let marked = AnnotationKind::Primary
                .span(mark(source, difference))
                .label(&label);
            let snippet = Snippet::source(source).path(shown).line_start(line);
            group.element(snippet.annotation(marked))
        }
        Some(line) => group.element(Origin::path(shown).line(line)),
        None => group.element(Origin::path(shown)),
    };
    let renderer = Renderer::plain().decor_style(DecorStyle::Ascii);
    let _ = writeln!(text, "{}", renderer.render(&[group]));
    for detail in &difference.detail {
        let _ = writeln!(text, "    {detail}");
    }
}

/// Which bytes of the line the difference is about: the expectation that was not met where it is
/// written, otherwise the whole of what the line says.
fn mark(source: &str, difference: &Difference) -> Range<usize> {
    let step = source
        .find(" -> ")
        .map(|arrow| arrow + 4)
        .filter(|_| difference.step().is_some());
    let from = step.unwrap_or(0);
    if let Some(at) = source[from..]
        .find(&difference.expected)
        .filter(|_| step.is_some())
    {
        return from + at..from + at + difference.expected.len();
    }
    let end = source.find(" #").unwrap_or(source.len()).max(from);
    let said = &source[from..end];
    let start = from + said.len() - said.trim_start().len();
    start..(from + said.trim_end().len()).max(start)
}

fn show_not_run(text: &mut String, trace: &Trace, run: &RunReport) {
    if run.not_run.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "{} of {} steps did not run:",
        run.not_run.len(),
        run.steps
    );
    for missed in run.not_run.iter().take(DIFFERENCES) {
        let step = trace.step(missed.step);
        let _ = writeln!(
            text,
            "  {}line {}: {}: {}",
            of_copy(run, missed.copy),
            step.line(),
            step.verb().name,
            missed.why
        );
    }
    if run.not_run.len() > DIFFERENCES {
        let _ = writeln!(text, "  …");
    }
    text.push('\n');
}

fn show_last_steps(text: &mut String, trace: &Trace, run: &RunReport) {
    // Of many copies those of the first that differed.
    let copy = run.differences.first().map_or(0, |found| found.copy);
    let active = (0..trace.clients().len() as u32).map(ClientId);
    let mut active = active
        .filter(|client| !run.last_steps(copy, *client, 1).is_empty())
        .peekable();
    if active.peek().is_none() {
        return;
    }
    let _ = writeln!(
        text,
        "{}the last steps of each client (sent at, took):",
        of_copy(run, copy)
    );
    for client in active.by_ref().take(CLIENTS) {
        let _ = writeln!(text, "  {}", trace.client(client).name());
        for record in run.last_steps(copy, client, LAST_STEPS) {
            let differed = run.differences_of(record.step).next().is_some();
            show_record(text, trace, record, differed);
        }
    }
    let rest = active.count();
    if rest > 0 {
        let _ = writeln!(text, "  … and {rest} more clients");
    }
    text.push('\n');
}

fn show_record(text: &mut String, trace: &Trace, record: &Record, differed: bool) {
    let step = trace.step(record.step);
    let moments = record.moments;
    let took = match record.end {
        End::Unfinished => "-".to_owned(),
        _ => format!(
            "+{}",
            ms(moments.completed.saturating_sub(moments.dispatched))
        ),
    };
    let _ = writeln!(
        text,
        "  {} {:>12} {took:>12}  line {:<4} {}  => {}",
        if differed { '!' } else { ' ' },
        ms(moments.dispatched),
        step.line(),
        words(step),
        shortened(ended(trace, record)),
    );
}

/// The step as the trace has it, without its expectation and comment.
fn words(step: Step<'_>) -> String {
    let Some(line) = step.trace().source_line(step.line()) else {
        return step.to_text();
    };
    let words = line.split(" -> ").next().unwrap_or(line);
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(ANSWER) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text,
    }
}

/// How a step ended, in the words of reports: a status's name, or what came instead of an answer.
pub(crate) fn ended(trace: &Trace, record: &Record) -> String {
    if let Some(text) = &record.text {
        return text.to_string();
    }
    match record.end {
        End::Answered(status) => status_name(trace, status),
        End::Pending => status_name(trace, trace.vocabulary().pending),
        End::Lost => "connection lost".to_owned(),
        End::Violation => "protocol violated".to_owned(),
        End::Broken => "the backend failed".to_owned(),
        End::TimedOut => "no answer in time".to_owned(),
        End::Waited => "over".to_owned(),
        End::Unfinished => "no answer yet".to_owned(),
    }
}

fn status_name(trace: &Trace, status: u32) -> String {
    let vocabulary = trace.vocabulary();
    if status == vocabulary.ok {
        return "OK".to_owned();
    }
    (vocabulary.status_name)(status).map_or_else(|| format!("{status:#010x}"), str::to_owned)
}

fn show_surroundings(text: &mut String, run: &RunReport, around: &Surroundings<'_>) {
    let seconds = run.duration.as_secs_f64();
    let _ = writeln!(
        text,
        "{} of {} steps as expected in {seconds:.3} s, {} on {}",
        run.answers_agreed, run.steps, run.backend, around.server
    );
    if let Some(kept) = around.kept {
        let _ = writeln!(text, "kept on the server: {kept}");
    }
    if let Some(artifacts) = around.artifacts {
        let _ = writeln!(text, "artefacts: {}", artifacts.display());
    }
    if let Some(again) = around.again {
        let _ = writeln!(text, "run it again: {again}");
    }
}

/// Nanoseconds as milliseconds to the microsecond.
pub(crate) fn ms(nanoseconds: u64) -> String {
    let micros = nanoseconds / 1_000;
    format!("{}.{:03} ms", micros / 1_000, micros % 1_000)
}

#[cfg(test)]
mod tests {
    use replay_engine::Kind;
    use replay_ir::StepId;

    use super::*;

    fn marked(source: &str, expected: &str) -> String {
        let difference = Difference {
            place: Place::Step(StepId(0)),
            kind: Kind::Status,
            expected: expected.to_owned(),
            actual: String::new(),
            detail: Vec::new(),
            copy: 0,
        };
        source[mark(source, &difference)].to_owned()
    }

    #[test]
    fn the_caret_stands_under_what_was_not_met() {
        assert_eq!(marked("  A read f -> OK len=5  # why", "len=5"), "len=5");
        assert_eq!(marked("  A create f \"ü\" -> OK", "OK"), "OK");
        assert_eq!(marked("  A read f -> A|B  # why", "A or B"), "A|B");
        assert_eq!(marked("  A read f  # why", "OK"), "A read f");
        assert_eq!(marked("", "OK"), "");
    }
}
