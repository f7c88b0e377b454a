//! Puts a trace together line by line and checks all that does not depend on how it was written.
//!
//! The encodings and the builder give it [`RawStep`]s and [`RawDeclaration`]s. Words are looked up in the vocabulary,
//! values are brought into the kind of their argument, handles and times are followed. What needs the whole file
//! (labels, circles, samples of checks) comes in [`Assembler::finish`].

mod arguments;
mod checks;
mod draft;
mod handles;
mod order;
mod steps;

use rustc_hash::FxHashMap;

use crate::answer::OwnedValue;
use crate::error::{Place, Problem, Sink, Span};
use crate::model::{Client, ClientId, Given, Mode, StepId, Trace};
use crate::name::{is_plain_name, nearest};
use crate::raw::{At, RawDeclaration, Str};
use crate::store::{Interner, Store, Symbol};
use crate::vocabulary::{ArgSpec, Vocabulary};

use arguments::VerbIndex;
use draft::Draft;
use handles::Handle;
use order::Reference;

/// Words that start other lines of the text form.
pub(crate) const KEYWORDS: [&str; 7] = ["ir", "title", "mode", "needs", "client", "given", "check"];

/// A trace in the making.
pub(crate) struct Assembler {
    pub(crate) vocabulary: &'static Vocabulary,
    pub(crate) sink: Sink,
    verbs: VerbIndex,
    title: Option<String>,
    mode: Option<Mode>,
    needs: Vec<String>,
    clients: Vec<Client>,
    client_ids: FxHashMap<Box<str>, ClientId>,
    lanes: Vec<Lane>,
    givens: Vec<Given>,
    checks: Vec<(Place, String)>,
    store: Store,
    interner: Interner,
    /// The step of each label.
    labels: FxHashMap<Symbol, StepId>,
    handles: FxHashMap<(ClientId, Symbol), Handle>,
    references: Vec<Reference>,
    /// Who names whom by `after` or awaits whom, and where.
    edges: Vec<(StepId, StepId, Place)>,
    /// Status names that were looked up.
    statuses: FxHashMap<Box<str>, u32>,
    draft: Draft,
    /// A buffer for a part of a step.
    block: Vec<u8>,
}

/// What is known of a client while its steps come in.
#[derive(Debug, Clone, Copy, Default)]
struct Lane {
    last: Option<StepId>,
    /// The first step of the compound that `last` is in; itself, if it is in none.
    chain: Option<StepId>,
    due: u64,
}

impl Assembler {
    pub(crate) fn new(vocabulary: &'static Vocabulary) -> Self {
        Assembler {
            vocabulary,
            sink: Sink::default(),
            verbs: VerbIndex::new(vocabulary),
            title: None,
            mode: None,
            needs: Vec::new(),
            clients: Vec::new(),
            client_ids: FxHashMap::default(),
            lanes: Vec::new(),
            givens: Vec::new(),
            checks: Vec::new(),
            store: Store::default(),
            interner: Interner::default(),
            labels: FxHashMap::default(),
            handles: FxHashMap::default(),
            references: Vec::new(),
            edges: Vec::new(),
            statuses: FxHashMap::default(),
            draft: Draft::default(),
            block: Vec::new(),
        }
    }

    pub(crate) fn error(&mut self, line: u32, span: Span, problem: impl FnOnce() -> Problem) {
        self.sink.push(Place { line, span }, problem);
    }

    /// The number of steps so far.
    pub(crate) fn steps(&self) -> usize {
        self.store.records.len()
    }

    /// The number of steps, declarations and checks so far.
    pub(crate) fn items(&self) -> usize {
        self.steps() + self.clients.len() + self.givens.len() + self.checks.len()
    }

    fn header(&mut self, line: u32, span: Span, what: &'static str) {
        if !self.store.records.is_empty() {
            self.error(line, span, || Problem::TooLate(what));
        }
    }

    pub(crate) fn title(&mut self, line: u32, title: At<&str>) {
        self.header(line, title.span, "title");
        if self.title.replace(title.value.to_owned()).is_some() {
            self.error(line, title.span, || Problem::SecondHeader("title"));
        }
    }

    pub(crate) fn mode(&mut self, line: u32, mode: At<&str>) {
        self.header(line, mode.span, "mode");
        let known = match mode.value {
            "0" => Mode::Files,
            "1" => Mode::Exact,
            "2" => Mode::Breaks,
            other => {
                return self.error(line, mode.span, || Problem::UnknownMode(other.to_owned()));
            }
        };
        if self.mode.replace(known).is_some() {
            self.error(line, mode.span, || Problem::SecondHeader("mode"));
        }
    }

    pub(crate) fn need(&mut self, line: u32, word: At<&str>) {
        self.header(line, word.span, "needs");
        let known = self.vocabulary.needs;
        if !known.iter().any(|need| need.name == word.value) {
            let like = || nearest(word.value, known.iter().map(|need| need.name));
            self.error(line, word.span, || Problem::Unknown {
                what: "need",
                name: word.value.to_owned(),
                like: like(),
            });
        } else if !self.needs.iter().any(|need| need == word.value) {
            self.needs.push(word.value.to_owned());
        }
    }

    pub(crate) fn check(&mut self, line: u32, text: At<&str>) {
        self.checks.push((
            Place {
                line,
                span: text.span,
            },
            text.value.to_owned(),
        ));
    }

    pub(crate) fn client(&mut self, line: u32, raw: RawDeclaration<'_>) {
        let name = &*raw.name.value.get();
        if KEYWORDS.contains(&name) {
            self.error(line, raw.name.span, || {
                Problem::ReservedName(name.to_owned())
            });
        } else if !is_plain_name(name) {
            self.error(line, raw.name.span, || Problem::NotAName(name.to_owned()));
        }
        let own = raw.args.len();
        let on = raw.on.as_ref();
        let on = on.and_then(|on| self.lane_root(line, on, own > 0));
        let (on, through) = on.map_or((None, None), |(on, through)| (Some(on), through));
        let owner = format!("client {name}");
        let args = self.declared_args(line, &owner, self.vocabulary.client_args, &raw);
        self.identity(line, &raw, &args);
        if let Some(&earlier) = self.client_ids.get(name) {
            let first = self.clients[earlier.0 as usize].line;
            self.error(line, raw.name.span, || Problem::Second {
                what: "client",
                name: name.to_owned(),
                line: first,
            });
            return;
        }
        self.add_client(Client {
            name: name.to_owned(),
            on,
            through,
            args,
            line,
        });
    }

    fn add_client(&mut self, client: Client) -> ClientId {
        let id = ClientId(self.clients.len() as u32);
        self.client_ids.insert(client.name.as_str().into(), id);
        self.clients.push(client);
        self.lanes.push(Lane::default());
        id
    }

    /// The client whose session is shared, and the one whose connection is, where that is a further one of the same
    /// session. One that says more than `on=` (`own`) can only be on a client that has none itself.
    fn lane_root(
        &mut self,
        line: u32,
        on: &At<Str<'_>>,
        own: bool,
    ) -> Option<(ClientId, Option<ClientId>)> {
        let id = self.declared_client(line, on.span, &on.value.get())?;
        let named = &self.clients[id.0 as usize];
        let root = named.on;
        let connects = named.args.iter().any(|(spec, _)| spec.name == "channel");
        if let Some(root) = root.filter(|_| connects && !own) {
            return Some((root, Some(id)));
        }
        if let Some(root) = root {
            let root = self.clients[root.0 as usize].name.clone();
            self.error(line, on.span, || Problem::OnALane {
                on: on.value.get().into_owned(),
                root,
            });
        }
        Some((root.unwrap_or(id), None))
    }

    /// A client that an earlier line declares. An unknown one is reported once and then taken as declared, so that one
    /// misspelt declaration is one error.
    fn declared_client(&mut self, line: u32, span: Span, name: &str) -> Option<ClientId> {
        if let Some(&id) = self.client_ids.get(name) {
            return Some(id);
        }
        let like = nearest(name, self.clients.iter().map(|client| &*client.name));
        self.error(line, span, || Problem::Unknown {
            what: "client",
            name: name.to_owned(),
            like: like.clone(),
        });
        // What was meant is known well enough to go on with; an invented client would bring follow-up errors.
        let id = match like.and_then(|like| self.client_ids.get(&*like).copied()) {
            Some(id) => id,
            None => {
                let name = name.to_owned();
                return Some(self.add_client(Client {
                    name,
                    on: None,
                    through: None,
                    args: Vec::new(),
                    line,
                }));
            }
        };
        Some(id)
    }

    /// Every connection of its own says as whom it is made, where the vocabulary knows of users at all.
    fn identity(&mut self, line: u32, raw: &RawDeclaration<'_>, args: &Args) {
        let has = |name| args.iter().any(|(spec, _)| spec.name == name);
        if has("user") && has("anonymous") {
            self.error(line, raw.whole, || Problem::Exclusive("user", "anonymous"));
        } else if let Some(on) = &raw.on {
            // Who names a user has a session of its own, and a channel a connection, which arguments can be about.
            let own = has("user") || has("anonymous") || has("channel");
            if let Some((spec, _)) = args.first().filter(|_| !own) {
                let (on, arg) = (on.value.get().into_owned(), spec.name);
                self.error(line, raw.whole, || Problem::NoEffect { on, arg });
            }
        } else if !has("user")
            && !has("anonymous")
            && self
                .vocabulary
                .client_args
                .iter()
                .any(|spec| spec.name == "user")
        {
            let named_wrong = raw
                .args
                .iter()
                .any(|arg| arg.name.is_some_and(|name| name.get() == "user"));
            if !named_wrong {
                let name = raw.name.value.get().into_owned();
                self.error(line, raw.whole, || Problem::NoIdentity(name));
            }
        }
    }

    pub(crate) fn given(&mut self, line: u32, raw: RawDeclaration<'_>) {
        self.header(line, raw.whole, "given");
        let kinds = self.vocabulary.givens;
        let name = &*raw.name.value.get();
        let Some(spec) = kinds.iter().find(|spec| spec.name == name) else {
            let like = || nearest(name, kinds.iter().map(|spec| spec.name));
            return self.error(line, raw.name.span, || Problem::Unknown {
                what: "given",
                name: name.to_owned(),
                like: like(),
            });
        };
        let owner = format!("given {name}");
        let args = self.declared_args(line, &owner, spec.args, &raw);
        self.givens.push(Given { spec, args, line });
    }

    fn declared_args(
        &mut self,
        line: u32,
        owner: &str,
        specs: &'static [ArgSpec],
        raw: &RawDeclaration<'_>,
    ) -> Args {
        let mut args: Vec<(usize, OwnedValue)> = Vec::new();
        let mut seen = 0;
        for arg in &raw.args {
            let Some(index) = self.argument(line, owner, specs, arg, seen) else {
                continue;
            };
            let spec = &specs[index];
            seen |= 1 << index;
            match crate::parsed::parse(&spec.kind, arg.value_for(&spec.kind)) {
                Ok(crate::parsed::Parsed::Absent) => {}
                Ok(value) => args.push((index, value.into_owned())),
                Err(misfit) => self.error(line, arg.span, || misfit.problem(spec.name)),
            }
        }
        self.missing(line, owner, specs, seen, raw.whole);
        args.sort_unstable_by_key(|&(index, _)| index);
        args.into_iter()
            .map(|(index, value)| (&specs[index], value))
            .collect()
    }

    /// Ends the trace: what needs the whole file is checked now. The problems are in the sink either way.
    pub(crate) fn finish(mut self, name: String, source: Option<String>) -> (Sink, Option<Trace>) {
        self.resolve_references();
        self.find_circles();
        let checks = self.read_checks();
        let mut labels: Vec<_> = self
            .labels
            .iter()
            .map(|(&label, &step)| (label, step))
            .collect();
        labels.sort_unstable_by_key(|&(label, _)| label);
        self.store.labels = labels;
        self.store.shrink();
        if !self.sink.is_empty() {
            return (self.sink, None);
        }
        let trace = Trace {
            vocabulary: self.vocabulary,
            name,
            title: self.title,
            mode: self.mode.unwrap_or(Mode::Exact),
            needs: self.needs,
            clients: self.clients,
            givens: self.givens,
            checks,
            store: self.store,
            source: source.map(crate::model::Source::new),
        };
        (self.sink, Some(trace))
    }
}

type Args = Vec<(&'static ArgSpec, OwnedValue)>;
