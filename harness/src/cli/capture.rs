//! `smb-replay import pcap`.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use replay_import::{CaptureKeys, CaptureOptions, NameKey, Naming, Passwords, import_capture};

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
    let name = arguments.file.to_string_lossy();
    let (trace, report) = match import_capture(&arguments.file, &name, &options) {
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
