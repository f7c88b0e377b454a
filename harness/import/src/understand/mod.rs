//! From the frames of a capture to a trace.
//!
//! `world` takes the frames and `messages` what is in them. `login`, `channels`, `refused` and `trees` find out who the clients are, `request`
//! and those that it calls for one command each make steps, `answer` and those that it calls say what they expect, `breaks` and `ends` see
//! to what comes by itself. `lanes` finds what must wait for what, `content` and `initial` follow the server's files, and `trace`
//! writes it all down, with the `clients`. How each message is mapped, and what a trace does not say of it, is in `docs/captures.md`.

mod anonymize;
mod answer;
mod breaks;
mod changed;
mod channels;
mod clients;
mod content;
mod create;
mod created;
mod draft;
mod ea;
mod ends;
mod initial;
mod ioctl;
mod keys;
mod lanes;
mod listed;
mod lock;
mod login;
mod losses;
mod maps;
mod messages;
mod names;
mod ntlm;
mod opens;
mod paths;
mod pipes;
mod queries;
mod reconnect;
mod refused;
mod request;
mod security;
mod set_info;
mod stale;
mod state;
mod trace;
mod trees;
mod unacknowledged;
mod world;

use crate::capture::{CaptureFile, CaptureReport, Limits, Ports, read_capture_from, read_captures};
use crate::error::ImportErrors;
use crate::report::ImportReport;
pub use anonymize::NameKey;
pub use keys::{CaptureKeys, KeyFileError};
use names::Names;
pub use names::Naming;
pub use ntlm::Passwords;
use replay_ir::Trace;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use world::World;

/// How a capture becomes a trace.
#[derive(Debug, Clone, Default)]
pub struct CaptureOptions {
    /// The ports that servers listen on; none for 445 and 139.
    pub ports: Vec<u16>,
    /// What may be held at most.
    pub limits: Limits,
    /// Which names become which.
    pub naming: Naming,
    /// The keys of encrypted sessions.
    pub keys: CaptureKeys,
    /// Passwords of accounts that log in with NTLM, from which session keys follow.
    pub passwords: Passwords,
}

/// What became of a capture. `Display` is for a person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaptureImport {
    /// What was read.
    pub capture: CaptureReport,
    /// What was made of it.
    pub import: ImportReport,
    /// How many different names and accounts were replaced.
    pub replaced: (usize, usize),
    /// What was replaced, and by what. These are the names of the capture: no part of `Display`.
    pub replacements: Vec<(String, String)>,
    /// What of the naming's names, identities and paths the capture does not have.
    pub unused: Vec<String>,
}

impl CaptureImport {
    /// Whether all of the capture is in the trace: nothing was lost, cut, or left out.
    pub fn is_complete(&self) -> bool {
        use crate::capture::Noted::*;
        let lost = [
            CutOff, Fragment, Malformed, Gaps, MidStream, CutFrames, LongFrames, GivenUp, Forgotten,
        ];
        self.capture.problem.is_none()
            && self.import.skipped() == 0
            && lost.iter().all(|&what| self.capture.count(what) == 0)
    }
}

impl fmt::Display for CaptureImport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.capture, self.import)?;
        let (names, accounts) = self.replaced;
        if names + accounts > 0 {
            writeln!(
                f,
                "replaced: {names} names of files, directories and streams, {accounts} accounts"
            )?;
        }
        for unused in &self.unused {
            writeln!(
                f,
                "noted: nothing in the capture is kept as, or becomes, `{unused}`"
            )?;
        }
        Ok(())
    }
}

/// Turns a capture into a trace in which every client does what it did, and expects the answers that it had.
///
/// # Errors
/// The file cannot be read or holds no SMB2 that can be read; the message says why and what would help.
pub fn import_capture(
    path: &Path,
    name: &str,
    options: &CaptureOptions,
) -> Result<(Trace, CaptureImport), ImportErrors> {
    let file = File::open(path).map_err(|error| ImportErrors::Read {
        name: name.to_owned(),
        error,
    })?;
    import_capture_from(file, name, options)
}

/// [`import_capture`] of anything that can be read.
///
/// # Errors
/// It holds no SMB2 that can be read; the message says why and what would help.
pub fn import_capture_from(
    input: impl Read,
    name: &str,
    options: &CaptureOptions,
) -> Result<(Trace, CaptureImport), ImportErrors> {
    import_with(name, options, |ports, world| {
        Ok(read_capture_from(input, ports, &options.limits, world))
    })
}

/// [`import_capture`] of several captures, which become one trace; their times are taken with their offsets.
///
/// # Errors
/// As [`import_capture`].
pub fn import_captures(
    files: &[CaptureFile],
    name: &str,
    options: &CaptureOptions,
) -> Result<(Trace, CaptureImport), ImportErrors> {
    import_with(name, options, |ports, world| {
        read_captures(files, ports, &options.limits, world)
    })
}

fn import_with(
    name: &str,
    options: &CaptureOptions,
    read: impl FnOnce(&Ports, &mut World) -> io::Result<CaptureReport>,
) -> Result<(Trace, CaptureImport), ImportErrors> {
    let mut world = World::new(
        Names::new(options.naming.clone()),
        options.keys.clone(),
        options.passwords.clone(),
    );
    let ports = Ports::new(options.ports.iter().copied());
    let capture = read(&ports, &mut world).map_err(|error| ImportErrors::Read {
        name: name.to_owned(),
        error,
    })?;
    let encrypted = world.encrypted();
    let has_keys = options.keys.sessions() > 0 || !options.passwords.is_empty();
    if world.drafts.len() == 0 || !encrypted.is_empty() && !has_keys {
        return Err(ImportErrors::Capture {
            name: name.to_owned(),
            reason: refusal(&capture, &encrypted),
        });
    }
    for _ in 0..encrypted.iter().map(|(_, frames)| frames).sum() {
        world.skip(
            "frame",
            "it is encrypted, and no key of its session was given",
        );
    }
    let (trace, import, names) = world.into_trace(name)?;
    if trace.is_empty() {
        return Err(ImportErrors::Capture {
            name: name.to_owned(),
            reason: format!("none of its requests can be repeated\n{capture}{import}"),
        });
    }
    if let Some(path) = names.twice() {
        return Err(ImportErrors::Capture {
            name: name.to_owned(),
            reason: format!(
                "different paths of the capture become `{path}`: the map of paths must keep them apart"
            ),
        });
    }
    let import = CaptureImport {
        capture,
        import,
        replaced: names.counts(),
        replacements: names.replacements(),
        unused: names.unused(),
    };
    Ok((trace, import))
}

/// Why nothing came of a capture, and what would help.
fn refusal(capture: &CaptureReport, encrypted: &[(String, u64)]) -> String {
    if !encrypted.is_empty() {
        let mut text = String::from("encrypted connections, which need their session keys:");
        for (connection, frames) in encrypted.iter().take(10) {
            text.push_str(&format!("\n  {connection}: {frames} encrypted frames"));
        }
        if encrypted.len() > 10 {
            text.push_str(&format!("\n  and {} more", encrypted.len() - 10));
        }
        text.push_str(
            "\nhelp: --keys FILE takes what `smbclient --option=debugencryption=yes` prints, or Wireshark's \
             smb2_seskey_list; --passwords FILE takes the passwords of accounts that log in with NTLM",
        );
        return text;
    }
    match &capture.problem {
        Some(problem) => format!("it cannot be read: {problem}"),
        None => format!(
            "it has no SMB2 requests that a trace can repeat\n{capture}help: --port names the server's port, if it is \
             not 445 or 139"
        ),
    }
}
