//! Cuts a part out of a trace: steps of some clients, of a time, on some paths, or by their numbers, with all that they
//! need, and with the files as they were.
//!
//! What a chosen step needs is kept with it: the step that opened its handle, the members of its compound before it, what
//! it awaits or cancels, the connects and disconnects of its client, and every step that changed one of its files since
//! the first that is kept ([`need`], [`changes`]). What happened before that becomes `given` lines; [`files`] follows it.

mod changes;
mod files;
mod need;
mod order;
mod write;

use replay_ir::{LoadErrors, Step, StepId, Trace};
use smb_vocabulary::subjects::{self, Subjects};
use std::ops::Range;

/// Which steps are wanted: those that all of these let through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Of these clients, by their names, and of those that share their connections; none for all.
    pub clients: Vec<String>,
    /// On these paths or below them; none for all.
    pub paths: Vec<String>,
    /// Due in this time, in nanoseconds from the start.
    pub time: Option<Range<u64>>,
    /// With these numbers, from 1.
    pub steps: Option<Range<usize>>,
}

/// What a cut has kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Steps that were chosen.
    pub chosen: usize,
    /// Steps that those need.
    pub needed: usize,
    /// Steps of the trace.
    pub of: usize,
    /// Checks that were left out with their steps.
    pub checks_left_out: usize,
}

/// Why there is no such cut.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// A client that the trace does not have.
    #[error("the trace has no client `{0}`")]
    NoClient(String),
    /// Nothing is left.
    #[error("no step is chosen")]
    Nothing,
    /// What was cut out makes no trace.
    #[error(transparent)]
    Trace(#[from] LoadErrors),
}

/// Cuts.
///
/// # Errors
/// A client that there is not, or no step at all.
pub fn cut(trace: &Trace, selection: &Selection) -> Result<(Trace, Kept), CutError> {
    for name in &selection.clients {
        if !trace.clients().iter().any(|client| client.name() == name) {
            return Err(CutError::NoClient(name.clone()));
        }
    }
    let subjects = Subjects::new(trace);
    let chosen = selection.chosen(trace, &subjects);
    if chosen.is_empty() {
        return Err(CutError::Nothing);
    }
    let kept = need::with_needs(trace, &subjects, &chosen);
    let (new, checks_left_out) = write::write(trace, &subjects, &kept)?;
    let report = Kept {
        chosen: chosen.len(),
        needed: kept.len() - chosen.len(),
        of: trace.len(),
        checks_left_out,
    };
    Ok((new, report))
}

impl Selection {
    /// The steps that are wanted, in their order.
    fn chosen(&self, trace: &Trace, subjects: &Subjects) -> Vec<StepId> {
        let paths: Vec<String> = self.paths.iter().map(|path| path.to_lowercase()).collect();
        let on_paths = |step: &Step<'_>| {
            let mut own = subjects.paths(step.id());
            own.any(|own| paths.iter().any(|path| subjects::is_below(own, path)))
        };
        trace
            .steps()
            .filter(|step| self.wants(step) && (paths.is_empty() || on_paths(step)))
            .map(|step| step.id())
            .collect()
    }

    fn wants(&self, step: &Step<'_>) -> bool {
        let trace = step.trace();
        let client = trace.client(step.client());
        let owner = client.on().map(|owner| trace.client(owner).name());
        let by_client = self.clients.is_empty()
            || self
                .clients
                .iter()
                .any(|name| name == client.name() || Some(name.as_str()) == owner);
        let by_time = self
            .time
            .as_ref()
            .is_none_or(|time| time.contains(&step.at()));
        let number = step.id().0 as usize + 1;
        let by_number = self
            .steps
            .as_ref()
            .is_none_or(|steps| steps.contains(&number));
        by_client && by_time && by_number
    }
}

/// The steps that a cut keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Steps {
    is_in: Vec<bool>,
    /// In their order.
    all: Vec<StepId>,
}

impl Steps {
    fn new(is_in: Vec<bool>) -> Self {
        let numbered = (0..).map(StepId).zip(&is_in);
        let all = numbered.filter(|(_, is_in)| **is_in).map(|(id, _)| id);
        let all = all.collect();
        Self { is_in, all }
    }

    fn contains(&self, id: StepId) -> bool {
        self.is_in.get(id.0 as usize).is_some_and(|&is_in| is_in)
    }

    fn len(&self) -> usize {
        self.all.len()
    }

    fn iter(&self) -> impl Iterator<Item = StepId> {
        self.all.iter().copied()
    }
}

/// The client on whose connection a step is.
fn owner(step: &Step<'_>) -> u32 {
    let client = step.client();
    step.trace().client(client).on().unwrap_or(client).0
}

/// The step of the same client before each.
fn before(trace: &Trace) -> Vec<Option<StepId>> {
    let mut last: Vec<Option<StepId>> = vec![None; trace.clients().len()];
    trace
        .steps()
        .map(|step| last[step.client().0 as usize].replace(step.id()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use smb_vocabulary::VOCABULARY;

    const TRACE: &str = r#"ir 1
title "two clients"
client A user=alice
client B user=bob
given file "d/old" size=10 fill=3
made: A create f "d/new" access=rw disposition=create -> OK action=created
A write f len=100 fill=7 -> OK len=100
A close f
@1s A create g "d/old" access=rw -> OK action=opened
mark: @2s B create h "d/new" access=rw -> OK action=opened after=made
@3s B write h offset=50 len=10 fill=9 -> OK len=10
@4s A read g len=10 -> OK fill=3
a: @5s B read h len=50 -> OK fill=7
b: @6s A close g after=a
check order mark < a
check order a < b
check max read < 1s
"#;

    fn cut_to_text(selection: &Selection) -> (String, Kept) {
        let trace = replay_ir::load_str("a.ir", TRACE, &VOCABULARY).expect("a trace");
        let (new, kept) = cut(&trace, selection).expect("a cut");
        let mut text = Vec::new();
        new.write_text(&mut text).expect("text");
        (String::from_utf8(text).expect("UTF-8"), kept)
    }

    #[test]
    fn a_client_is_cut_out_with_the_files_that_it_finds() {
        let (text, kept) = cut_to_text(&Selection {
            clients: vec!["B".to_owned()],
            ..Selection::default()
        });
        assert!(
            text.contains("given file \"d/new\" size=100 fill=7\n"),
            "{text}"
        );
        assert!(
            text.contains("given file \"d/old\" size=10 fill=3\n"),
            "{text}"
        );
        assert!(
            !text.contains("alice") && !text.contains("after="),
            "{text}"
        );
        assert!(
            text.contains("check order mark < a") && text.contains("check max read"),
            "{text}"
        );
        assert_eq!(
            (kept.chosen, kept.needed, kept.of, kept.checks_left_out),
            (3, 0, 9, 1)
        );
        assert!(
            text.contains("\nmark: B create h") && text.contains("@3s B read")
                || text.contains("@3000ms B read"),
            "{text}"
        );
    }

    #[test]
    fn a_time_is_cut_out_with_opens_and_changes_that_it_needs() {
        let (text, kept) = cut_to_text(&Selection {
            time: Some(5_000_000_000..6_000_000_000),
            ..Selection::default()
        });
        // The read, what opened its handle, and the write in between.
        assert_eq!((kept.chosen, kept.needed), (1, 2), "{text}");
        assert!(text.contains("B write h offset=50 len=10 fill=9"), "{text}");
        let (text, kept) = cut_to_text(&Selection {
            paths: vec!["D/OLD".to_owned()],
            ..Selection::default()
        });
        assert_eq!((kept.chosen, kept.needed), (3, 0), "{text}");
    }

    #[test]
    fn bytes_that_no_given_can_say_are_written_again() {
        let trace = r#"ir 1
client A user=alice
client B user=bob
A create f "x" access=rw disposition=create -> OK action=created
A write f len=100 fill=7 -> OK len=100
A write f offset=50 len=10 fill=9 -> OK len=10
done: A close f
B create g "x" -> OK action=opened after=done
B read g len=50 -> OK fill=7
"#;
        let trace = replay_ir::load_str("a.ir", trace, &VOCABULARY).expect("a trace");
        let selection = Selection {
            steps: Some(6..7),
            ..Selection::default()
        };
        let (new, kept) = cut(&trace, &selection).expect("a cut");
        assert_eq!((new.len(), kept.needed, new.givens().len()), (6, 5, 0));
        let waits: Vec<_> = new.step(StepId(4)).after().map(|on| on.step).collect();
        assert_eq!(waits, [StepId(3)]);
        let none = Selection {
            clients: vec!["Z".to_owned()],
            ..Selection::default()
        };
        assert!(matches!(cut(&trace, &none), Err(CutError::NoClient(name)) if name == "Z"));
    }
}
