//! `smb-replay import pcap`.

use replay_import::{CaptureOptions, import_capture};

use super::convert::{self, Encoding};
use super::{Exit, PcapArguments, say};

/// Turns a capture into a trace; what became of every message goes to stderr.
pub(super) fn import(arguments: &PcapArguments) -> Exit {
    let encoding = match arguments.output.as_deref().map(Encoding::of) {
        None => Encoding::Lines,
        Some(Some(encoding)) => encoding,
        Some(None) => {
            say("--output: a name in .ir, .ir.jsonl or .ir.jsonl.zst is needed");
            return Exit::Usage;
        }
    };
    let options = CaptureOptions {
        ports: arguments.port.clone(),
        ..CaptureOptions::default()
    };
    let name = arguments.file.to_string_lossy();
    let (trace, report) = match import_capture(&arguments.file, &name, &options) {
        Ok(imported) => imported,
        Err(error) => {
            say(error);
            return Exit::BadInput;
        }
    };
    say(report.to_string().trim_end());
    let written = match &arguments.output {
        Some(path) => convert::write(&trace, path, encoding),
        None => convert::write_to_stdout(&trace, encoding),
    };
    if written == Exit::Passed && arguments.strict && !report.is_complete() {
        say("--strict: not all of the capture is in the trace");
        return Exit::BadInput;
    }
    written
}
