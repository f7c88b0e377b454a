//! The trace of what was understood.

use super::answer::LARGEST_FILLED;
use super::content::Source;
use super::draft::{Data, Draft, StepIndex};
use super::names::Names;
use super::trees::CLOSED_SHARE;
use super::world::World;
use crate::error::ImportErrors;
use crate::report::ImportReport;
use replay_ir::{
    ExpectSpec, ExpectStatus, Milestone, Mode, OwnedValue, StepSpec, Trace, TraceBuilder,
};
use smb_vocabulary::{VOCABULARY, words};
use smb_wire::ntstatus;
use std::collections::{BTreeSet, HashMap, HashSet};

impl World {
    /// Ends the import.
    pub(super) fn into_trace(
        mut self,
        name: &str,
    ) -> Result<(Trace, ImportReport, Names), ImportErrors> {
        self.write_descriptors();
        self.pipes_alone();
        let given_users = self.given_users();
        let order = self.settle();
        let labels = self.labels(&order);
        let names = self.lane_names();
        let mut trace = TraceBuilder::new(&VOCABULARY, name);
        trace.title("imported from a capture");
        let verbs: HashSet<&str> = order.iter().map(|&step| self.drafts[step].verb).collect();
        let asks = |arg: &str| {
            order.iter().any(|&step| {
                let args = &self.drafts[step].args;
                args.iter().any(|(name, _)| name == arg)
            })
        };
        let (oplocks, leases) = (asks("oplock"), asks("lease-key"));
        let breaks = ["break", "on-break", "no-break", "acknowledge"];
        if oplocks || leases || breaks.iter().any(|verb| verbs.contains(verb)) {
            trace.mode(Mode::Breaks);
        }
        let of_states = |words: &[&str]| given_users.iter().any(|(_, word)| words.contains(word));
        let needs = [
            ("oplocks", oplocks),
            ("leases", leases),
            (
                "durable-handles",
                asks("durable") || verbs.contains("reconnect"),
            ),
            ("multichannel", self.has_channels(&order)),
            (
                "share-permissions",
                order
                    .iter()
                    .any(|&step| self.drafts[step].arg_is("share", CLOSED_SHARE)),
            ),
            ("account-states", of_states(&["disabled", "must-change"])),
            ("domain", of_states(&["expired", "locked-out"])),
        ];
        for (word, _) in needs.into_iter().filter(|&(_, needed)| needed) {
            trace.need(word);
        }
        // To leases and durable opens it matters whose ClientGuid a connection has.
        let guids = leases || asks("durable") || verbs.contains("reconnect");
        self.clients(&mut trace, &order, &names, guids);
        for (user, state) in &given_users {
            let args = [
                ("name".into(), user.clone().into()),
                ("state".into(), OwnedValue::Word(state)),
            ];
            trace.given("user", &args);
        }
        self.givens(&mut trace);
        self.steps(&mut trace, &order, &labels, &names);
        Ok((trace.build()?, self.report, self.names))
    }

    /// Leaves out what depends on steps that are left out, and gives the order of the others.
    fn settle(&mut self) -> Vec<StepIndex> {
        // The capture may lack what an open came to while it has what was done with it.
        let opens = |status: &ExpectStatus| match status {
            ExpectStatus::OneOf(all) => {
                all.contains(&ntstatus::SUCCESS) || all.contains(&ntstatus::PENDING)
            }
            _ => true,
        };
        let never: HashMap<String, Option<u64>> = self
            .opens
            .iter()
            .filter_map(|open| {
                let by = &self.drafts[open.created_by];
                let frame = by.frame.filter(|_| !by.dropped);
                (by.dropped || !opens(&by.status)).then(|| (open.name.clone(), frame))
            })
            .collect();
        for step in 0..self.drafts.len() {
            let handle = self.drafts[step]
                .args
                .iter()
                .find(|(name, _)| name == "handle")
                .and_then(|(_, value)| value.as_value().as_str().map(str::to_owned));
            if !matches!(self.drafts[step].verb, "create" | "reconnect")
                && let Some(frame) = handle.and_then(|name| never.get(&name))
                // What follows in the same compound fails as it did.
                && (frame.is_none() || *frame != self.drafts[step].frame)
            {
                self.drop_step(step, "what opened its handle is not in the trace");
            }
        }
        for step in 0..self.drafts.len() {
            if let Some(target) = self.drafts[step].target
                && self.drafts[target].dropped
            {
                self.drop_step(step, "the step that it is about is not in the trace");
            }
        }
        // What changes a directory waits until the server has the request to be told: a change that comes before the
        // interim answer would be told without one.
        for step in 0..self.drafts.len() {
            let mut after = std::mem::take(&mut self.drafts[step].after);
            for (other, milestone) in &mut after {
                if *milestone == Milestone::Sent && self.drafts[*other].verb == "notify" {
                    *milestone = Milestone::Pending;
                }
            }
            self.drafts[step].after = after;
        }
        // What expects no interim answer may have none.
        for step in 0..self.drafts.len() {
            let mut after = std::mem::take(&mut self.drafts[step].after);
            for (other, milestone) in &mut after {
                let pending = ExpectStatus::OneOf(vec![ntstatus::PENDING]);
                if *milestone == Milestone::Pending && self.drafts[*other].status != pending {
                    *milestone = Milestone::Sent;
                }
            }
            self.drafts[step].after = after;
        }
        // Who waits for an open waits for what is said about its breaks, too.
        let mut said: HashMap<StepIndex, StepIndex> = HashMap::new();
        for step in 0..self.drafts.len() {
            if let Some(place) = self.drafts[step].behind {
                said.insert(place, step);
            }
        }
        if !said.is_empty() {
            for step in 0..self.drafts.len() {
                let more: Vec<_> = self.drafts[step]
                    .after
                    .iter()
                    .filter_map(|(other, milestone)| Some((*said.get(other)?, *milestone)))
                    .filter(|&(other, milestone)| other != step && milestone == Milestone::Done)
                    .collect();
                self.drafts[step].after.extend(more);
            }
        }
        self.drafts.order()
    }

    /// Labels of the steps that others name.
    fn labels(&self, order: &[StepIndex]) -> HashMap<StepIndex, String> {
        let named: HashSet<StepIndex> = order
            .iter()
            .flat_map(|&step| {
                let draft = &self.drafts[step];
                draft
                    .after
                    .iter()
                    .map(|&(other, _)| other)
                    .chain(draft.target)
            })
            .collect();
        let mut labels = HashMap::new();
        for (number, &step) in order.iter().enumerate() {
            if named.contains(&step) {
                let verb = self.drafts[step].verb;
                labels.insert(step, format!("{verb}-{}", number + 1));
            }
        }
        labels
    }

    /// What each lane is called: A, B, and A_2 for the second lane of A.
    fn lane_names(&self) -> Vec<String> {
        let clients: Vec<String> = (0..self.clients.len())
            .map(|client| self.client_name(client))
            .collect();
        let lanes = self.lanes.all();
        lanes
            .map(|(client, lane)| {
                let client = &clients[client];
                match lane {
                    0 => client.clone(),
                    lane => format!("{client}_{}", lane + 1),
                }
            })
            .collect()
    }

    /// The lines of the clients; where `guids`, with who has whose ClientGuid.
    fn clients(
        &self,
        trace: &mut TraceBuilder,
        order: &[StepIndex],
        names: &[String],
        guids: bool,
    ) {
        let used: HashSet<usize> = order.iter().map(|&step| self.drafts[step].lane).collect();
        let mut owners: BTreeSet<usize> = used
            .iter()
            .map(|&lane| self.lanes.client_of(lane))
            .collect();
        let of_channels = owners
            .iter()
            .filter_map(|&client| self.clients[client].channel_of);
        owners.extend(of_channels.collect::<Vec<_>>());
        let guids = match guids {
            true => self.client_guids(&owners),
            false => HashMap::new(),
        };
        for (lane, (client, place)) in self.lanes.all().enumerate() {
            if place == 0 && owners.contains(&client) {
                let mut args = self.client_args(client);
                let first = guids.get(&self.clients[client].client_guid);
                if let Some(&other) = first.filter(|&&other| other != client) {
                    let name = OwnedValue::Token(self.client_name(other));
                    args.push(("client-guid".into(), name));
                }
                match self.clients[client].channel_of {
                    Some(owner) => trace.client_on(&names[lane], &self.client_name(owner), &args),
                    None => trace.client(&names[lane], &args),
                };
            } else if used.contains(&lane) {
                trace.lane(&names[lane], &self.client_name(client));
            }
        }
    }

    fn givens(&mut self, trace: &mut TraceBuilder) {
        let initial = std::mem::take(&mut self.initial);
        for existing in initial.into_existing() {
            self.report.givens += 1;
            let path = self.names.path(&existing.path);
            let mut args = vec![("path".into(), OwnedValue::Text(path))];
            let directory = existing.directory.unwrap_or(false);
            if !directory {
                if existing.size > 0 {
                    args.push(("size".into(), existing.size.into()));
                }
                let fill = existing.node.and_then(|node| self.nodes[node].given_fill);
                match fill {
                    Some(fill) if existing.size <= LARGEST_FILLED => {
                        args.push(("fill".into(), fill.into()));
                    }
                    Some(_) => {
                        self.adapt("given", "a file beyond 64 MiB holds zeros; what reads of it return is not expected");
                        if let Some(node) = existing.node {
                            self.nodes[node].given_fill = None;
                            self.nodes[node].existed = false;
                        }
                    }
                    None => {}
                }
            }
            if !existing.attributes.is_empty() {
                let attributes = words::ATTRIBUTES.write(existing.attributes);
                args.push(("attributes".into(), attributes.into()));
            }
            let descriptor = existing
                .node
                .and_then(|node| self.given_descriptors.get(&node));
            if let Some(descriptor) = descriptor.filter(|_| !existing.path.contains(':')) {
                args.push(("sd".into(), OwnedValue::Text(descriptor.clone())));
            }
            trace.given(if directory { "dir" } else { "file" }, &args);
        }
    }

    fn steps(
        &mut self,
        trace: &mut TraceBuilder,
        order: &[StepIndex],
        labels: &HashMap<StepIndex, String>,
        names: &[String],
    ) {
        let start = self.start.unwrap_or(0);
        // Of each lane: the frame of its last step, and when that was due.
        let mut last: HashMap<usize, (Option<u64>, u64)> = HashMap::new();
        for &step in order {
            let data = self.data(step);
            let draft = &mut self.drafts[step];
            let before = last.entry(draft.lane).or_insert((None, 0));
            let compounded = draft.frame.is_some() && draft.frame == before.0;
            let mut spec = StepSpec::new(names[draft.lane].clone(), draft.verb);
            spec.label = labels.get(&step).cloned();
            spec.compounded = compounded;
            if let Some(sent) = draft.sent.filter(|_| !compounded) {
                let at = sent.saturating_sub(start).max(before.1) / 1000 * 1000;
                before.1 = before.1.max(at);
                spec.at = (at > 0).then_some(at);
            }
            before.0 = draft.frame;
            spec.args = std::mem::take(&mut draft.args);
            if let Some(label) = draft.target.and_then(|target| labels.get(&target)) {
                let name = if draft.verb == "reconnect" {
                    "of"
                } else {
                    "step"
                };
                spec.args.push((name.into(), label.clone().into()));
            }
            spec.within = draft.within;
            spec.expect = expectation(draft, data);
            let after = std::mem::take(&mut draft.after);
            for (other, milestone) in after {
                if let Some(label) = labels.get(&other)
                    && !spec.after.iter().any(|(known, _)| known == label)
                {
                    spec.after.push((label.clone(), milestone));
                }
            }
            let kind = self.drafts[step].kind;
            self.report.kinds.entry(kind).or_default().steps += 1;
            trace.step(&spec);
        }
    }

    /// The fill that a read returns.
    fn data(&self, step: StepIndex) -> Option<u64> {
        let Data::From {
            source,
            node,
            zeros,
        } = self.drafts[step].data
        else {
            return None;
        };
        match source {
            Source::Fill(fill) => Some(fill),
            Source::Unknown => None,
            Source::Given if !self.nodes[node].existed => None,
            Source::Given => match (self.nodes[node].given_fill, zeros) {
                (Some(fill), false) => Some(fill),
                (None, true) => Some(0),
                // Some of it is zeros and some is not; one fill cannot say both.
                _ => None,
            },
        }
    }
}

fn expectation(draft: &mut Draft, data: Option<u64>) -> ExpectSpec {
    let mut fields = std::mem::take(&mut draft.fields);
    if let Some(fill) = data {
        fields.push(("fill".into(), fill.into()));
    }
    let status = std::mem::replace(&mut draft.status, ExpectStatus::Ok);
    ExpectSpec { status, fields }
}
