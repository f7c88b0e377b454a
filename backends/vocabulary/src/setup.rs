//! From `given` lines to an ordinary trace that brings them about.
//!
//! What a trace finds is made over SMB like everything else, so that it works on any server and with any backend that
//! can open, write and close. The trace that is made here has one client and expects every step to succeed.

use crate::given::{GivenItem, GivenKind};
use crate::operation::{Content, Times};
use crate::{VOCABULARY, paths, security, time, words};
use replay_ir::{LoadErrors, OwnedValue, StepSpec, Trace, TraceBuilder};
use smb_wire::{FileAttributes, Filetime};
use std::collections::HashSet;

/// What the client and its handles are called; they matter in reports alone.
const CLIENT: &str = "setup";
const HANDLE: &str = "h";

/// The longest write, in bytes: what every server of every dialect takes.
const CHUNK: u64 = 65_536;

/// The steps that make the state which `trace` finds, as the identity `user`: parents, directories, files and their
/// content, then attributes and times. Without `given` lines it has no steps.
///
/// # Errors
/// `given` lines that [`check_trace`](crate::check_trace) finds fault with are left out here; what remains is an
/// identity whose name a trace cannot hold.
pub fn setup_trace(trace: &Trace, user: &str) -> Result<Trace, LoadErrors> {
    let mut setup = Setup {
        trace: TraceBuilder::new(&VOCABULARY, format!("{} (given)", trace.name())),
        made: HashSet::new(),
    };
    setup.trace.client(
        CLIENT,
        &[("user".into(), OwnedValue::Token(user.to_owned()))],
    );
    // Times of a directory change when something is made in it, so they come last.
    let items: Vec<_> = trace
        .givens()
        .iter()
        .filter_map(|given| GivenItem::decode(given).ok())
        .collect();
    for item in &items {
        setup.item(item);
    }
    for item in items
        .iter()
        .filter(|item| item.kind == GivenKind::Directory)
    {
        setup.directory_information(item);
    }
    setup.trace.build()
}

struct Setup {
    trace: TraceBuilder,
    /// Directories that exist by now.
    made: HashSet<String>,
}

impl Setup {
    fn item(&mut self, item: &GivenItem<'_>) {
        for parent in paths::parents(item.path) {
            self.directory(parent);
        }
        match item.kind {
            GivenKind::Directory => self.secured_directory(item),
            GivenKind::Pattern { size, fill } => {
                self.create(item.path, access(item), "create", "non-directory");
                self.pattern(size, fill);
                self.attributes(item);
                self.information(item);
                self.security(item);
                self.step("close");
            }
            GivenKind::Text { size, content } => {
                self.create(item.path, access(item), "create", "non-directory");
                self.text(size, content);
                self.attributes(item);
                self.information(item);
                self.security(item);
                self.step("close");
            }
        }
    }

    fn directory(&mut self, path: &str) {
        if self.made.insert(path.to_owned()) {
            self.create(path, "r", "open-if", "directory");
            self.step("close");
        }
    }

    /// A directory's descriptor is set before anything is made in it, which may inherit from it.
    fn secured_directory(&mut self, item: &GivenItem<'_>) {
        self.directory(item.path);
        if !item.ea.is_empty() {
            self.create(item.path, "rw", "open", "directory");
            self.attributes(item);
            self.step("close");
        }
        if item.sd.is_some() {
            self.create(item.path, access(item), "open", "directory");
            self.security(item);
            self.step("close");
        }
    }

    fn attributes(&mut self, item: &GivenItem<'_>) {
        if !item.ea.is_empty() {
            let texts = item
                .ea
                .iter()
                .map(|text| OwnedValue::Text((*text).to_owned()));
            let step = on_handle("set-info")
                .arg("class", "full-ea")
                .arg("ea", OwnedValue::List(texts.collect()));
            self.trace.step(&step);
        }
    }

    fn security(&mut self, item: &GivenItem<'_>) {
        if let Some(sd) = item.sd {
            let step = on_handle("set-security").arg("sd", OwnedValue::Text(sd.to_owned()));
            self.trace.step(&step);
        }
    }

    fn directory_information(&mut self, item: &GivenItem<'_>) {
        if item.attributes.is_empty() && item.times == Times::default() {
            return;
        }
        self.create(item.path, "r|write-attributes", "open", "directory");
        self.information(item);
        self.step("close");
    }

    fn create(
        &mut self,
        path: &str,
        access: &'static str,
        disposition: &'static str,
        options: &'static str,
    ) {
        let step = StepSpec::new(CLIENT, "create")
            .arg("handle", HANDLE)
            .arg("path", OwnedValue::Text(path.to_owned()))
            .arg("access", access)
            .arg("disposition", disposition)
            .arg("options", options);
        self.trace.step(&step);
    }

    /// A file of zeros is not written: its end is set.
    fn pattern(&mut self, size: u64, fill: u64) {
        if fill == 0 {
            return self.end_of_file(size);
        }
        for offset in (0..size).step_by(CHUNK as usize) {
            let step = on_handle("write")
                .arg("offset", OwnedValue::Int(offset))
                .arg("len", OwnedValue::Int(CHUNK.min(size - offset)))
                .arg("fill", OwnedValue::Int(fill));
            self.trace.step(&step);
        }
    }

    fn text(&mut self, size: u64, content: Content<'_>) {
        let Content::Bytes(bytes) = content else {
            return;
        };
        for (index, chunk) in bytes.chunks(CHUNK as usize).enumerate() {
            let step = on_handle("write")
                .arg("offset", OwnedValue::Int(index as u64 * CHUNK))
                .arg("bytes", OwnedValue::Bytes(chunk.to_vec().into()));
            self.trace.step(&step);
        }
        if size > bytes.len() as u64 {
            self.end_of_file(size);
        }
    }

    fn end_of_file(&mut self, size: u64) {
        if size > 0 {
            let step = on_handle("set-info")
                .arg("class", "end-of-file")
                .arg("size", OwnedValue::Int(size));
            self.trace.step(&step);
        }
    }

    fn information(&mut self, item: &GivenItem<'_>) {
        let mut step = on_handle("set-info").arg("class", "basic");
        let bare = step.args.len();
        if item.attributes != FileAttributes::empty() {
            step = step.arg(
                "attributes",
                OwnedValue::Token(words::ATTRIBUTES.write(item.attributes)),
            );
        }
        for (name, value) in [
            ("created", item.times.created),
            ("written", item.times.written),
        ] {
            if value != Filetime::default() {
                step = step.arg(name, OwnedValue::Token(time::write(value)));
            }
        }
        if step.args.len() > bare {
            self.trace.step(&step);
        }
    }

    fn step(&mut self, verb: &'static str) {
        self.trace.step(&on_handle(verb));
    }
}

/// Setting a descriptor needs rights of its own.
fn access(item: &GivenItem<'_>) -> &'static str {
    match item.sd {
        Some(sd) if security::has_sacl(sd) => "rw|write-dac|write-owner|system-security",
        Some(_) => "rw|write-dac|write-owner",
        None => "rw",
    }
}

fn on_handle(verb: &'static str) -> StepSpec {
    StepSpec::new(CLIENT, verb).arg("handle", HANDLE)
}
