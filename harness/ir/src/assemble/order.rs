//! Labels, and who waits for whom: unknown ones, milestones that cannot happen, circles.

use super::Assembler;
use crate::error::{Place, Problem};
use crate::model::{Milestone, StepId};
use crate::name::nearest;
use crate::store::{Flags, NO_VERB, Symbol};
use crate::vocabulary::ArgKind;

/// A label that a step names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reference {
    pub(super) from: StepId,
    pub(super) label: Symbol,
    pub(super) kind: ReferenceKind,
    pub(super) place: Place,
}

/// How it is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReferenceKind {
    /// By `after=`.
    After(Milestone),
    /// By the step that takes its final answer.
    Awaited,
    /// By any other argument.
    Named,
}

impl Assembler {
    pub(super) fn resolve_references(&mut self) {
        let mut awaited = rustc_hash::FxHashMap::default();
        for reference in std::mem::take(&mut self.references) {
            let Some(step) = self.resolve(reference.place, reference.label) else {
                continue;
            };
            if self.store.record(step).verb == NO_VERB {
                continue;
            }
            match reference.kind {
                ReferenceKind::After(milestone) => {
                    self.check_milestone(reference.place, step, milestone);
                }
                ReferenceKind::Awaited => {
                    self.check_awaited(reference, step);
                    if let Some(line) = awaited.insert(step, reference.place.line) {
                        let step = self.store.symbols.get(reference.label).to_owned();
                        self.sink
                            .push(reference.place, || Problem::AwaitedTwice { step, line });
                    }
                }
                ReferenceKind::Named => {}
            }
            if reference.kind != ReferenceKind::Named {
                self.edges.push((reference.from, step, reference.place));
            }
        }
    }

    /// The step of a label.
    pub(super) fn resolve(&mut self, place: Place, label: Symbol) -> Option<StepId> {
        let found = self.labels.get(&label).copied();
        if found.is_none() {
            let name = self.store.symbols.get(label).to_owned();
            let labels = self
                .labels
                .keys()
                .map(|&label| self.store.symbols.get(label));
            // A recording may have a million labels; comparing with some is enough for a hint.
            const COMPARED: usize = 10_000;
            let like = nearest(&name, labels.take(COMPARED));
            self.sink
                .push(place, || Problem::UnknownLabel { name, like });
        }
        found
    }

    /// Refuses to wait for what the other step's own expectation rules out.
    pub(super) fn check_milestone(&mut self, place: Place, step: StepId, milestone: Milestone) {
        let record = self.store.record(step);
        let (line, verb) = (record.line, record.verb);
        match milestone {
            Milestone::Pending if !self.may_be_pending(step) => {
                let (step, pending) = (self.step_name(step), self.pending_name());
                self.sink.push(place, || Problem::NeverPending {
                    step,
                    line,
                    pending,
                });
            }
            Milestone::Break => {
                let opens = self
                    .vocabulary
                    .verbs
                    .get(verb as usize)
                    .is_some_and(|verb| {
                        verb.args
                            .iter()
                            .any(|arg| matches!(arg.kind, ArgKind::NewHandle))
                    });
                if !opens {
                    let step = self.step_name(step);
                    self.sink
                        .push(place, || Problem::NeverBreaks { step, line });
                }
            }
            _ => {}
        }
    }

    fn check_awaited(&mut self, reference: Reference, step: StepId) {
        let (record, from) = (self.store.record(step), self.store.record(reference.from));
        let line = record.line;
        let root = |client: u32| {
            let client = &self.clients[client as usize];
            client
                .on
                .map_or(&client.name, |root| &self.clients[root.0 as usize].name)
        };
        let name = self.store.symbols.get(reference.label).to_owned();
        let problem = if root(record.client) != root(from.client) {
            let client = self.clients[record.client as usize].name.clone();
            Problem::AwaitedElsewhere { step: name, client }
        } else if step >= reference.from {
            Problem::AwaitedTooEarly { step: name, line }
        } else if !self.is_pending(step) {
            Problem::NotPending {
                step: name,
                line,
                pending: self.pending_name(),
            }
        } else {
            return;
        };
        self.sink.push(reference.place, || problem);
    }

    fn pending_name(&self) -> String {
        crate::answer::status_text(self.vocabulary, self.vocabulary.pending)
    }

    fn may_be_pending(&self, step: StepId) -> bool {
        let flags = self.store.record(step).flags;
        if flags.has(Flags::ANYTHING) || flags.has(Flags::UNKNOWN) {
            return true;
        }
        let mut statuses = self.store.parts(step).statuses;
        while !statuses.is_empty() {
            if statuses.small() == self.vocabulary.pending {
                return true;
            }
        }
        false
    }

    fn is_pending(&self, step: StepId) -> bool {
        let mut statuses = self.store.parts(step).statuses;
        !statuses.is_empty() && statuses.small() == self.vocabulary.pending && statuses.is_empty()
    }

    /// The label of a step, or its number.
    pub(super) fn step_name(&self, step: StepId) -> String {
        match self.store.parts(step).label {
            Some(label) => self.store.symbols.get(label).to_owned(),
            None => format!("#{}", step.0 + 1),
        }
    }

    /// Finds steps that can never start because each waits for another one.
    ///
    /// A step waits for its client's previous one (that one must at least have been sent), for all in its `after`, and, if
    /// it is an await, for the step whose answer it takes. Compounded steps go out together and wait together. Every
    /// circle has an edge that points forward in the file, so a trace without one is done at once.
    pub(super) fn find_circles(&mut self) {
        let edges = std::mem::take(&mut self.edges);
        let compounded = |step: StepId| self.store.record(step).flags.has(Flags::COMPOUNDED);
        if !edges
            .iter()
            .any(|&(from, to, _)| to >= from || compounded(from))
        {
            return;
        }
        let mut graph = Graph::new(self, edges);
        while let Some(circle) = graph.next_circle() {
            let mut steps: Vec<String> = circle
                .iter()
                .map(|&(step, _)| self.describe(step))
                .collect();
            if let Some(first) = steps.first().cloned() {
                steps.push(first);
            }
            // The circle is shown at the `after` that closes it, the last one in the file.
            let place = circle
                .iter()
                .filter_map(|&(_, place)| place)
                .max_by_key(|p| p.line);
            if let Some(place) = place {
                self.sink.push(place, || Problem::Circle { steps });
            }
        }
    }

    fn describe(&self, step: StepId) -> String {
        let record = self.store.record(step);
        let client = &self.clients[record.client as usize].name;
        format!("{} ({client}, line {})", self.step_name(step), record.line)
    }
}

/// Who waits for whom, by frame.
struct Graph {
    /// The frame of each step: the step itself unless it is compounded.
    frames: Vec<u32>,
    /// For each step its client's previous one, or `u32::MAX`.
    previous: Vec<u32>,
    /// `after` and await edges, ordered by the frame that waits.
    edges: Vec<(u32, u32, Place)>,
    state: Vec<Visit>,
    next: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    New,
    Active,
    Done,
}

/// A frame on the way, how many of its edges were followed, and the place of the edge that is followed now.
struct Visiting {
    step: u32,
    followed: usize,
    place: Option<Place>,
}

impl Graph {
    fn new(assembler: &Assembler, edges: Vec<(StepId, StepId, Place)>) -> Self {
        let records = &assembler.store.records;
        let mut last = vec![u32::MAX; assembler.clients.len()];
        let mut previous = Vec::with_capacity(records.len());
        let mut frames: Vec<u32> = Vec::with_capacity(records.len());
        for (index, record) in records.iter().enumerate() {
            let before = std::mem::replace(&mut last[record.client as usize], index as u32);
            let joined = record.flags.has(Flags::COMPOUNDED) && before != u32::MAX;
            frames.push(if joined {
                frames[before as usize]
            } else {
                index as u32
            });
            previous.push(before);
        }
        let mut edges: Vec<_> = edges
            .into_iter()
            .map(|(from, to, place)| (frames[from.0 as usize], frames[to.0 as usize], place))
            .collect();
        edges.sort_unstable_by_key(|&(from, to, place)| (from, to, place.line));
        let state = vec![Visit::New; records.len()];
        Graph {
            frames,
            previous,
            edges,
            state,
            next: 0,
        }
    }

    /// The `followed`-th frame that `step` waits for.
    fn edge(&self, step: u32, followed: usize) -> Option<(u32, Option<Place>)> {
        let before = self.previous[step as usize];
        let index = match (followed, before) {
            (0, u32::MAX) => 0,
            (0, before) => return Some((self.frames[before as usize], None)),
            (_, u32::MAX) => followed,
            _ => followed - 1,
        };
        let first = self.edges.partition_point(|&(from, ..)| from < step);
        let &(from, to, place) = self.edges.get(first + index)?;
        (from == step).then_some((to, Some(place)))
    }

    /// One more circle: its steps, each with the place that makes it wait for the next, if an edge of its own does.
    fn next_circle(&mut self) -> Option<Vec<(StepId, Option<Place>)>> {
        while (self.next as usize) < self.state.len() {
            let start = self.next;
            self.next += 1;
            if self.frames[start as usize] != start || self.state[start as usize] != Visit::New {
                continue;
            }
            if let Some(circle) = self.visit(start) {
                return Some(circle);
            }
        }
        None
    }

    fn visit(&mut self, start: u32) -> Option<Vec<(StepId, Option<Place>)>> {
        let mut way = vec![Visiting {
            step: start,
            followed: 0,
            place: None,
        }];
        self.state[start as usize] = Visit::Active;
        while let Some(top) = way.last_mut() {
            let step = top.step;
            let edge = self.edge(step, top.followed);
            let Some((to, place)) = edge else {
                self.state[step as usize] = Visit::Done;
                way.pop();
                continue;
            };
            top.followed += 1;
            top.place = place;
            match self.state[to as usize] {
                Visit::Done => {}
                Visit::New => {
                    self.state[to as usize] = Visit::Active;
                    way.push(Visiting {
                        step: to,
                        followed: 0,
                        place: None,
                    });
                }
                Visit::Active => {
                    let from = way
                        .iter()
                        .position(|visiting| visiting.step == to)
                        .unwrap_or(0);
                    let circle = way[from..]
                        .iter()
                        .map(|v| (StepId(v.step), v.place))
                        .collect();
                    // Steps that led here wait for the circle and are not circles of their own.
                    for visiting in &way {
                        self.state[visiting.step as usize] = Visit::Done;
                    }
                    return Some(circle);
                }
            }
        }
        None
    }
}
