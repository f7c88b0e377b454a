//! `smb-replay import pcap`.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use replay_import::capture::{CaptureFile, Ports, clock_offsets};
use replay_import::{
    CaptureKeys, CaptureOptions, ImportErrors, NameKey, Naming, Passwords, import_capture,
    import_captures,
};

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
    let naming = match naming(arguments) {
        Ok(naming) => naming,
        Err(error) => {
            say(error);
            return Exit::BadInput;
        }
    };
    let keys = match arguments
        .keys
        .as_deref()
        .map_or(Ok(CaptureKeys::default()), keys)
    {
        Ok(keys) => keys,
        Err(error) => {
            say(error);
            return Exit::BadInput;
        }
    };
    if [&arguments.keys, &arguments.passwords]
        .iter()
        .all(|file| file.as_deref().is_some_and(|file| file.as_os_str() == "-"))
    {
        say("--keys and --passwords cannot both come from stdin");
        return Exit::Usage;
    }
    let passwords = arguments.passwords.as_deref().map(passwords).transpose();
    let passwords = match passwords {
        Ok(passwords) => passwords.unwrap_or_default(),
        Err(error) => {
            say(error);
            return Exit::BadInput;
        }
    };
    let options = CaptureOptions {
        ports: arguments.port.clone(),
        naming,
        keys,
        passwords,
        ..CaptureOptions::default()
    };
    if !arguments.offset.is_empty() && arguments.offset.len() + 1 != arguments.files.len() {
        say("--offset: one for each capture but the first is needed, or none");
        return Exit::Usage;
    }
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

/// The keys in a file, or on stdin.
fn keys(path: &Path) -> Result<CaptureKeys, String> {
    let name = path.display();
    let text = match path.as_os_str() == "-" {
        true => std::io::read_to_string(std::io::stdin()),
        // A log may have bytes that are no text.
        false => fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
    };
    let text = text.map_err(|error| format!("{name}: {error}"))?;
    let keys = CaptureKeys::parse(&text).map_err(|error| format!("{name}: {error}"))?;
    match keys.sessions() {
        0 => Err(format!("{name}: no session keys in it")),
        _ => Ok(keys),
    }
}

/// The passwords in a file that only its owner can read, or on stdin.
fn passwords(path: &Path) -> Result<Passwords, String> {
    let name = path.display();
    let failed = |error: std::io::Error| format!("{name}: {error}");
    let text = match path.as_os_str() == "-" {
        true => std::io::read_to_string(std::io::stdin()).map_err(failed)?,
        false => {
            #[cfg(unix)]
            {
                let mode = fs::metadata(path).map_err(failed)?;
                let mode = std::os::unix::fs::PermissionsExt::mode(&mode.permissions());
                if mode & 0o077 != 0 {
                    let mode = mode & 0o777;
                    return Err(format!(
                        "{name}: others can read it (mode {mode:o}); `chmod 600` is needed"
                    ));
                }
            }
            fs::read_to_string(path).map_err(failed)?
        }
    };
    Passwords::parse(&text)
        .map_err(|line| format!("{name}:{line}: `DOMAIN\\user = password` is needed"))
}

fn naming(arguments: &PcapArguments) -> Result<Naming, String> {
    let key = match (&arguments.key_file, arguments.no_anonymize) {
        (_, true) => None,
        (None, false) => {
            let key = NameKey::random();
            Some(key.map_err(|error| format!("no random bytes can be had: {error}"))?)
        }
        (Some(path), false) => match fs::read(path) {
            Ok(secret) if secret.len() >= 16 => Some(NameKey::of(&secret)),
            Ok(_) => {
                let text = "a secret of at least 16 bytes is needed, for instance from `openssl rand -hex 32`";
                return Err(format!("{}: {text}", path.display()));
            }
            Err(error) => return Err(format!("{}: {error}", path.display())),
        },
    };
    let map = |path: &Option<std::path::PathBuf>| match path {
        Some(path) => pairs(path),
        None => Ok(Vec::new()),
    };
    let paths = map(&arguments.path_map)?.into_iter().map(|(from, to)| {
        let slashes = |path: String| path.replace('\\', "/").trim_matches('/').to_owned();
        (slashes(from), slashes(to))
    });
    Ok(Naming {
        key,
        keep: arguments.keep.clone(),
        identities: map(&arguments.identity_map)?,
        paths: paths.collect(),
    })
}

/// The lines `from = to` of a file; empty ones and those that begin with `#` mean nothing.
fn pairs(path: &Path) -> Result<Vec<(String, String)>, String> {
    let name = path.display();
    let text = fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
    let lines = text
        .lines()
        .enumerate()
        .map(|(at, line)| (at + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|(at, line)| match line.split_once('=') {
            Some((from, to)) if !from.trim().is_empty() && !to.trim().is_empty() => {
                Ok((from.trim().to_owned(), to.trim().to_owned()))
            }
            _ => Err(format!("{name}:{at}: `from = to` is needed")),
        })
        .collect()
}

/// Writes what was replaced, for its owner alone.
fn list(path: &Path, replacements: &[(String, String)]) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    for (from, to) in replacements {
        writeln!(file, "{from}\t{to}")?;
    }
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::offset;

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
