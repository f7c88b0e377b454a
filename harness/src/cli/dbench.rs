//! `smb-replay import dbench`.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use replay_import::{DbenchOptions, import_dbench};

use super::commands::DbenchArguments;
use super::convert::{self, Encoding};
use super::{Exit, output as files, say};

/// Turns a load file into a trace; what became of every operation goes to stderr.
pub(super) fn import(arguments: &DbenchArguments) -> Exit {
    let DbenchArguments {
        file,
        output,
        user,
        limit,
    } = arguments;
    let encoding = match output.as_deref().map(Encoding::of) {
        None => Encoding::Lines,
        Some(Some(encoding)) => encoding,
        Some(None) => {
            say("--output: a name in .ir, .ir.jsonl or .ir.jsonl.zst is needed");
            return Exit::Usage;
        }
    };
    if let Err(exit) = files::apart(&[file], &[("--output", output.as_deref())]) {
        return exit;
    }
    let options = DbenchOptions {
        user: user.clone(),
        limit: *limit,
        ..DbenchOptions::default()
    };
    let name = file.display();
    let opened = match File::open(file) {
        Ok(opened) => BufReader::new(opened),
        Err(error) => {
            say(format_args!("{name}: {error}"));
            return Exit::BadInput;
        }
    };
    let (trace, report) = match import_dbench(opened, &name.to_string(), &options) {
        Ok(imported) => imported,
        Err(errors) => {
            say(errors);
            return Exit::BadInput;
        }
    };
    let exit = match output {
        Some(path) => convert::write(&trace, Path::new(path), encoding),
        None => convert::write_to_stdout(&trace, encoding),
    };
    if exit == Exit::Passed {
        say(report.to_string().trim_end());
    }
    exit
}
