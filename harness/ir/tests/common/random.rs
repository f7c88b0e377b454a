//! Valid traces made from random numbers.

use proptest::prelude::*;
use replay_ir::{
    ExpectSpec, ExpectStatus, Milestone, Mode, OwnedValue, StepSpec, Trace, TraceBuilder,
};

use super::VOCABULARY;

/// Numbers that are used one after the other; 0 when they run out, so that a shorter vector is a simpler trace.
struct Dice<'n> {
    numbers: std::slice::Iter<'n, u64>,
}

impl Dice<'_> {
    fn any(&mut self) -> u64 {
        self.numbers.next().copied().unwrap_or(0)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.any() % bound as u64) as usize
    }

    fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == one_in - 1
    }

    /// Text with whatever may be hard to carry.
    fn text(&mut self) -> String {
        const PIECES: [&str; 16] = [
            "a",
            "dir/file.txt",
            " ",
            "\"",
            "\\",
            "#",
            "->",
            "\n",
            "\0",
            "ü",
            "\u{202e}",
            "=",
            ",",
            "\u{1f600}",
            "\t\r",
            "\u{7f}",
        ];
        let count = self.below(5);
        (0..count)
            .map(|_| PIECES[self.below(PIECES.len())])
            .collect()
    }

    fn number(&mut self) -> u64 {
        match self.below(4) {
            0 => self.any(),
            1 => u64::MAX - self.any() % 3,
            2 => self.any() % 300,
            _ => 0,
        }
    }

    fn token(&mut self) -> String {
        const TOKENS: [&str; 8] = ["x", "a=b", "r|w", "0x1f", "batch->ii", "ä", "--", "x:"];
        TOKENS[self.below(TOKENS.len())].into()
    }
}

/// What has happened so far.
struct Making<'n> {
    dice: Dice<'n>,
    builder: TraceBuilder,
    /// The client of each lane and the connection that it works on.
    clients: Vec<(String, usize)>,
    due: Vec<u64>,
    /// Open handles and their connections.
    open: Vec<(String, usize)>,
    labels: Vec<(String, bool)>,
    /// Labels of steps that wait for their final answer, with their connections.
    pending: Vec<(String, usize)>,
    steps: usize,
}

pub fn traces() -> impl Strategy<Value = Trace> {
    let number = prop_oneof![any::<u64>(), 0_u64..100];
    prop::collection::vec(number, 0..600).prop_map(|numbers| make(&numbers))
}

fn make(numbers: &[u64]) -> Trace {
    let mut dice = Dice {
        numbers: numbers.iter(),
    };
    let mut builder = TraceBuilder::new(&VOCABULARY, "random");
    if dice.chance(2) {
        builder.title(&dice.text());
    }
    builder.mode(Mode::Breaks);
    if dice.chance(2) {
        builder.need("oplocks");
    }
    let mut clients = vec![];
    for index in 0..=dice.below(3) {
        let name = format!("C{index}");
        let mut args = vec![match dice.chance(3) {
            true => ("anonymous".into(), OwnedValue::Flag),
            false => ("user".into(), OwnedValue::Token(dice.token())),
        }];
        if dice.chance(2) {
            args.push(("dialect".into(), "3.1.1".into()));
            args.push(("note".into(), dice.text().into()));
        }
        builder.client(&name, &args);
        clients.push((name.clone(), index));
        if dice.chance(3) {
            let lane = format!("L-{index}");
            builder.lane(&lane, &name);
            clients.push((lane, index));
        }
    }
    for _ in 0..dice.below(3) {
        let size = dice.number();
        builder.given(
            "file",
            &[
                ("size".into(), size.into()),
                ("path".into(), dice.text().into()),
            ],
        );
    }
    let due = vec![0; clients.len()];
    let mut making = Making {
        dice,
        builder,
        clients,
        due,
        open: vec![],
        labels: vec![],
        pending: vec![],
        steps: 0,
    };
    while making.dice.numbers.len() > 0 {
        making.step();
    }
    making.checks();
    making
        .builder
        .build()
        .unwrap_or_else(|errors| panic!("{errors}"))
}

impl Making<'_> {
    fn step(&mut self) {
        let lane = self.dice.below(self.clients.len());
        let (client, connection) = self.clients[lane].clone();
        let handles: Vec<String> = self
            .open
            .iter()
            .filter(|(_, on)| *on == connection)
            .map(|(name, _)| name.clone())
            .collect();
        let handle = (!handles.is_empty()).then(|| handles[self.dice.below(handles.len())].clone());
        let mut step = match (self.dice.below(9), handle) {
            (0, _) | (1..=5, None) => self.create(&client, connection),
            (1, Some(handle)) => self.write(&client, &handle),
            (2, Some(handle)) => self.list(&client, &handle),
            (3, Some(handle)) => return self.lock(lane, &client, connection, &handle),
            (4, Some(handle)) => {
                self.open
                    .retain(|open| *open != (handle.clone(), connection));
                StepSpec::new(&*client, "close").arg("handle", &*handle)
            }
            (5, Some(handle)) => StepSpec::new(&*client, "break")
                .arg("handle", &*handle)
                .arg("levels", "batch->none"),
            (6, _) => match self.pending.iter().position(|(_, on)| *on == connection) {
                Some(at) => {
                    StepSpec::new(&*client, "await").arg("step", &*self.pending.remove(at).0)
                }
                None => StepSpec::new(&*client, "echo"),
            },
            (7, _) => StepSpec::new(&*client, "pause"),
            _ => StepSpec::new(&*client, "echo"),
        };
        self.decorate(lane, &mut step);
        self.add(step);
    }

    fn create(&mut self, client: &str, connection: usize) -> StepSpec {
        let name = format!("h{}.{}", self.open.len(), self.steps);
        self.open.push((name.clone(), connection));
        let mut step = StepSpec::new(client, "create")
            .arg("path", self.dice.text())
            .arg("handle", name);
        if self.dice.chance(2) {
            step = step.arg("access", "r|w").arg("oplock", "batch");
            step = step.field("oplock", "ii").field("size", self.dice.number());
        }
        match self.dice.below(4) {
            0 => step.expect.status = ExpectStatus::OneOf(vec![0xc000_0022, 0, 0xdead_beef]),
            1 => {
                step.expect = ExpectSpec {
                    status: ExpectStatus::Anything,
                    fields: vec![],
                }
            }
            2 => {
                step.expect = ExpectSpec {
                    status: ExpectStatus::Unknown,
                    fields: vec![],
                }
            }
            _ => {}
        }
        step
    }

    fn write(&mut self, client: &str, handle: &str) -> StepSpec {
        let mut step = StepSpec::new(client, "write")
            .arg("handle", handle)
            .arg("offset", self.dice.number())
            .arg("fill", self.dice.number())
            .field("len", self.dice.number());
        if self.dice.chance(2) {
            let bytes = vec![self.dice.any() as u8; self.dice.below(3)];
            step = step
                .flag("through")
                .arg("data", OwnedValue::Bytes(bytes.into()));
        }
        step
    }

    fn list(&mut self, client: &str, handle: &str) -> StepSpec {
        let mut step = StepSpec::new(client, "list").arg("handle", handle);
        if self.dice.chance(2) {
            step = step.arg("pattern", self.dice.text());
        }
        if self.dice.chance(2) {
            let tokens = (0..self.dice.below(4)).map(|_| OwnedValue::Token(self.dice.token()));
            step = step
                .arg("classes", OwnedValue::List(tokens.collect()))
                .flag("restart");
        }
        if self.dice.chance(2) {
            let levels = (0..self.dice.below(4)).map(|_| OwnedValue::Int(self.dice.number()));
            step = step.arg("levels", OwnedValue::List(levels.collect()));
        }
        let names = (0..self.dice.below(4)).map(|_| OwnedValue::Text(self.dice.text()));
        let names = OwnedValue::List(names.collect());
        let start = self.dice.number();
        let end = start.saturating_add(self.dice.number());
        step.field("names", names)
            .field(
                "key",
                OwnedValue::Bytes(vec![self.dice.any() as u8; 2].into()),
            )
            .field("took", OwnedValue::Duration(self.dice.number()))
            .field("span", OwnedValue::Range { start, end })
            .field("mask", OwnedValue::Token(self.dice.token()))
            .field("last", OwnedValue::Flag)
    }

    /// A lock that waits; it gets a label and its answer is perhaps awaited later.
    fn lock(&mut self, lane: usize, client: &str, connection: usize, handle: &str) {
        let mut step = StepSpec::new(client, "lock")
            .arg("handle", handle)
            .flag("wait");
        let start = self.dice.number();
        step = step
            .arg(
                "range",
                OwnedValue::Range {
                    start,
                    end: u64::MAX,
                },
            )
            .status(0x103);
        self.decorate(lane, &mut step);
        let label = format!("p{}", self.steps);
        self.pending.push((label.clone(), connection));
        step.label = Some(label);
        self.add(step);
    }

    /// Time, label and dependencies.
    fn decorate(&mut self, lane: usize, step: &mut StepSpec) {
        if self.dice.chance(3) {
            let later = self.dice.number() % (1 << 40);
            self.due[lane] = self.due[lane].saturating_add(later);
            step.at = Some(self.due[lane]);
        }
        if self.dice.chance(3) {
            step.label = Some(format!("s{}", self.steps));
        }
        for _ in 0..self.dice.below(3) {
            if self.labels.is_empty() {
                break;
            }
            let (label, opens) = self.labels[self.dice.below(self.labels.len())].clone();
            let milestone = match self.dice.below(3) {
                0 if opens => Milestone::Break,
                1 => Milestone::Sent,
                _ => Milestone::Done,
            };
            step.after.push((label, milestone));
        }
        if self.dice.chance(4) {
            step.within = Some(self.dice.number());
        }
    }

    fn add(&mut self, step: StepSpec) {
        if let Some(label) = &step.label {
            self.labels.push((label.clone(), step.verb == "create"));
        }
        self.builder.step(&step);
        self.steps += 1;
    }

    fn checks(&mut self) {
        if self.steps < 2 {
            return;
        }
        self.builder.check("order 1 < 2.sent");
        if let [(first, _), .., (last, opens)] = &self.labels[..] {
            let milestone = if *opens { ".break" } else { "" };
            self.builder
                .check(&format!("order {first}.sent < {last}{milestone}"));
        }
        if self.steps > 400 {
            self.builder.check("p50 all lag < 1.5x rtt");
        }
    }
}
