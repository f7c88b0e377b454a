//! `smb-replay import pcap`.

use std::fs::{self, File};
use std::path::PathBuf;

use replay_import::capture::{CaptureFile, Ports, clock_offsets};
use replay_import::{
    CaptureOptions, ImportErrors, NameKey, Naming, import_capture, import_captures,
};

use super::beside::{keys, list, pairs, passwords, path_map, secret};
use super::commands::PcapArguments;
use super::convert::{self, Encoding};
use super::{Exit, output, say};

/// The fewest bytes of a secret that names are replaced under.
const SHORTEST_SECRET: usize = 16;

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
    let written = [
        ("--output", arguments.output.as_deref()),
        ("--replaced", arguments.replaced.as_deref()),
    ];
    if let Err(exit) =
        output::apart(&arguments.inputs(), &written).and_then(|()| output::try_out(&written))
    {
        return exit;
    }
    if [&arguments.keys, &arguments.passwords]
        .iter()
        .all(|file| file.as_deref().is_some_and(|file| file.as_os_str() == "-"))
    {
        say("--keys and --passwords cannot both come from stdin");
        return Exit::Usage;
    }
    if !arguments.offset.is_empty() && arguments.offset.len() + 1 != arguments.files.len() {
        say("--offset: one for each capture but the first is needed, or none");
        return Exit::Usage;
    }
    if let Err(exit) = can_be_read(arguments) {
        return exit;
    }
    let options = match options(arguments) {
        Ok(options) => options,
        Err(error) => {
            say(error);
            return Exit::BadInput;
        }
    };
    let imported = match &arguments.files[..] {
        [file] => import_capture(file, &file.to_string_lossy(), &options),
        files => files_of(files, arguments, &options)
            .and_then(|files| import_captures(&files, &name_of(&files), &options)),
    };
    let (trace, report) = match imported {
        Ok(imported) => imported,
        Err(error) => {
            say(error);
            return Exit::BadInput;
        }
    };
    say(report.to_string().trim_end());
    if let Some(path) = &arguments.replaced
        && let Err(error) = list(path, &report.replacements)
    {
        say(format_args!("{}: {error}", path.display()));
        return Exit::BadInput;
    }
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

/// A capture of several that cannot be opened is known by its name then; one that can be read once only needs `--offset`.
fn can_be_read(arguments: &PcapArguments) -> Result<(), Exit> {
    let PcapArguments { files, offset, .. } = arguments;
    for path in files {
        let shown = path.display();
        let found = fs::metadata(path).and_then(|found| match found.is_file() {
            true => File::open(path).map(|_| true),
            false => Ok(false),
        });
        match found {
            Ok(false) if files.len() > 1 && offset.is_empty() => {
                say(format_args!(
                    "{shown}: it is no file, and to find out by how much clocks differ captures are read twice; --offset \
                     for each capture but the first says it"
                ));
                return Err(Exit::Usage);
            }
            Ok(_) => {}
            Err(error) => {
                say(format_args!("{shown}: {error}"));
                return Err(Exit::BadInput);
            }
        }
    }
    Ok(())
}

fn name_of(files: &[CaptureFile]) -> String {
    let names = files.iter().map(|file| file.path.to_string_lossy());
    names.collect::<Vec<_>>().join(" + ")
}

/// Several captures with what their clocks are set by.
fn files_of(
    paths: &[PathBuf],
    arguments: &PcapArguments,
    options: &CaptureOptions,
) -> Result<Vec<CaptureFile>, ImportErrors> {
    let offsets = match &arguments.offset[..] {
        [] => {
            let ports = Ports::new(options.ports.iter().copied());
            clock_offsets(paths, &ports).map_err(|error| ImportErrors::Read {
                name: "captures".to_owned(),
                error,
            })?
        }
        given => std::iter::once(0)
            .chain(given.iter().copied())
            .map(Some)
            .collect(),
    };
    let files = paths.iter().zip(offsets).enumerate();
    let files = files.map(|(at, (path, offset))| {
        let shown = path.display();
        match offset {
            _ if at == 0 => {}
            Some(offset) => say(format_args!(
                "{shown}: {:+.6} s are added to its times",
                offset as f64 / 1e9
            )),
            None => say(format_args!(
                "{shown}: it shows no connection of the captures before it, so its clock is taken as it is (--offset)"
            )),
        }
        CaptureFile {
            path: path.clone(),
            offset: offset.unwrap_or(0),
        }
    });
    Ok(files.collect())
}

/// `1.5s`, `-20ms`, `300us`, in nanoseconds; at most a year.
pub(super) fn offset(text: &str) -> Result<i64, String> {
    const YEAR: i64 = 366 * 24 * 3600 * 1_000_000_000;
    let (sign, length) = match text.strip_prefix('-') {
        Some(length) => (-1, length),
        None => (1, text),
    };
    let parsed = replay_ir::time::parse_duration(length).and_then(|time| i64::try_from(time).ok());
    match parsed {
        Some(time) if time <= YEAR => Ok(sign * time),
        _ => Err("a length of time, at most a year, is needed: 1.5s, -20ms".to_owned()),
    }
}

/// What the files beside the capture say.
fn options(arguments: &PcapArguments) -> Result<CaptureOptions, String> {
    let keys = arguments.keys.as_deref().map(keys).transpose()?;
    let passwords = arguments.passwords.as_deref().map(passwords).transpose()?;
    Ok(CaptureOptions {
        ports: arguments.port.clone(),
        naming: naming(arguments)?,
        keys: keys.unwrap_or_default(),
        passwords: passwords.unwrap_or_default(),
        ..CaptureOptions::default()
    })
}

fn naming(arguments: &PcapArguments) -> Result<Naming, String> {
    let key = match (&arguments.key_file, arguments.no_anonymize) {
        (_, true) => None,
        (None, false) => {
            let key = NameKey::random();
            Some(key.map_err(|error| format!("no random bytes can be had: {error}"))?)
        }
        (Some(path), false) => {
            let secret = secret(path)?;
            if secret.len() < SHORTEST_SECRET {
                let text = "a secret of at least 16 bytes is needed, for instance from `openssl rand -hex 32`";
                return Err(format!("{}: {text}", path.display()));
            }
            Some(NameKey::of(&secret))
        }
    };
    let same = |text: &str| Ok(text.to_owned());
    let identities = arguments
        .identity_map
        .as_deref()
        .map(|path| pairs(path, same, same));
    let paths = arguments.path_map.as_deref().map(path_map);
    Ok(Naming {
        key,
        keep: arguments.keep.clone(),
        identities: identities.transpose()?.unwrap_or_default(),
        paths: paths.transpose()?.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_have_a_sign_and_a_unit() {
        assert_eq!(offset("1.5s"), Ok(1_500_000_000));
        assert_eq!(offset("-20ms"), Ok(-20_000_000));
        assert_eq!(offset("300us"), Ok(300_000));
        for wrong in ["", "s", "5", "1h", "1e300s", "NaNs", "infs"] {
            assert!(offset(wrong).is_err(), "{wrong}");
        }
    }
}
