//! Files that are written whole or not at all.
//!
//! What is new is written beside the file and takes its place at the end. So a reader sees the old or the new one, and after
//! a full disk or an interruption the old one is still there. What is no file (a pipe, a device, `/dev/stdout`) is written
//! to as it is.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

/// Descriptors of a process: what is there may be a file, and is none to be replaced.
const DESCRIPTORS: [&str; 2] = ["/dev/fd", "/proc"];

/// The mode of a new file, less what the process masks.
const USUAL: u32 = 0o666;
/// That of one for its owner's eyes.
const PRIVATE: u32 = 0o600;

/// A file that is being written. Dropped before [`finish`](Self::finish), it leaves everything as it was.
#[derive(Debug)]
pub(crate) struct WholeFile {
    out: BufWriter<File>,
    /// Where it lies until it is whole, and where it goes then.
    place: Option<(TempPath, PathBuf)>,
}

impl WholeFile {
    /// Begins one; a file that is there keeps its mode, and a link stays one.
    ///
    /// # Errors
    /// It cannot be written there.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        Self::begin(path, None)
    }

    /// Begins one that only its owner can read, whatever was there before.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub(crate) fn private(path: &Path) -> io::Result<Self> {
        Self::begin(path, Some(PRIVATE))
    }

    fn begin(path: &Path, mode: Option<u32>) -> io::Result<Self> {
        let as_it_is = |file: io::Result<File>| -> io::Result<Self> {
            Ok(Self {
                out: BufWriter::new(file?),
                place: None,
            })
        };
        // Opened by their names they would be written to from their beginning.
        let standard = match path.to_str() {
            Some("/dev/stdout") => Some(io::stdout().as_fd().try_clone_to_owned()),
            Some("/dev/stderr") => Some(io::stderr().as_fd().try_clone_to_owned()),
            _ => None,
        };
        if let Some(descriptor) = standard {
            return as_it_is(descriptor.map(File::from));
        }
        let (target, old) = match fs::metadata(path) {
            Ok(found)
                if found.is_file() && !DESCRIPTORS.iter().any(|top| path.starts_with(top)) =>
            {
                // What may not be written is not to be replaced either.
                OpenOptions::new().write(true).open(path)?;
                (fs::canonicalize(path)?, Some(found.permissions()))
            }
            Ok(_) => return as_it_is(OpenOptions::new().append(true).open(path)),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            // A link to what is not there yet.
            Err(_) if path.is_symlink() => {
                let mut options = OpenOptions::new();
                options.write(true).create(true).mode(mode.unwrap_or(USUAL));
                return as_it_is(options.open(path));
            }
            Err(_) => (path.to_owned(), None),
        };
        let (file, part) = beside(&target, mode.unwrap_or(USUAL))?;
        let place = Some((part, target));
        let begun = Self {
            out: BufWriter::new(file),
            place,
        };
        let kept = mode.map_or(old, |mode| Some(Permissions::from_mode(mode)));
        if let Some(permissions) = kept {
            begun.out.get_ref().set_permissions(permissions)?;
        }
        Ok(begun)
    }

    /// Puts it in its place.
    ///
    /// # Errors
    /// Its last bytes cannot be written, for instance on a full disk; then nothing has changed.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.out.flush()?;
        match self.place {
            Some((part, target)) => Ok(part.persist(target)?),
            None => Ok(()),
        }
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A new file in the folder of `target`, removed unless it is put there. Its name does not grow with the target's, which
/// may be as long as names can be.
fn beside(target: &Path, mode: u32) -> io::Result<(File, TempPath)> {
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let part = tempfile::Builder::new()
        .prefix(".smb-replay-")
        .suffix(".part")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder)?;
    Ok(part.into_parts())
}

/// Writes a file of these bytes.
///
/// # Errors
/// It cannot be written; then nothing has changed.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = WholeFile::create(path)?;
    file.write_all(bytes)?;
    file.finish()
}

/// Finds out, before the work that is to end in it is done, that a file can be written.
///
/// # Errors
/// Why it cannot.
pub(crate) fn try_out(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        // Who reads a pipe would take this for its end.
        Ok(found) if !found.is_file() && !found.is_dir() => Ok(()),
        _ => WholeFile::create(path).map(drop),
    }
}

/// Whether two paths lead to the same file, or will once it is there.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => {
            one.is_file() && (one.dev(), one.ino()) == (other.dev(), other.ino())
        }
        (Err(_), Err(_)) => match (std::path::absolute(one), std::path::absolute(other)) {
            (Ok(one), Ok(other)) => one == other,
            _ => one == other,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<_> = names
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode()
            & 0o777
    }

    #[test]
    fn the_old_file_stays_until_the_new_one_is_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x");
        fs::write(&path, "old").expect("written");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("ours");
        let mut given_up = WholeFile::create(&path).expect("begun");
        given_up.write_all(&[b'n'; 100_000]).expect("written");
        drop(given_up);
        assert_eq!(names(folder.path()), ["x"]);
        let read = || fs::read_to_string(&path).expect("read");
        assert_eq!(read(), "old");
        write(&path, b"new").expect("written");
        assert_eq!((read().as_str(), mode(&path)), ("new", 0o640));
        let mut private = WholeFile::private(&path).expect("begun");
        private.write_all(b"mine").expect("written");
        private.finish().expect("whole");
        assert_eq!((read().as_str(), mode(&path)), ("mine", 0o600));
        assert_eq!(names(folder.path()), ["x"]);
    }

    #[test]
    fn a_link_stays_one_and_a_device_is_written_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::os::unix::fs::symlink("file", &link).expect("a link");
        for content in ["first", "second"] {
            write(&link, content.as_bytes()).expect("written");
            assert!(link.is_symlink());
            assert_eq!(fs::read_to_string(&file).expect("read"), content);
        }
        write(Path::new("/dev/null"), b"nothing").expect("written");
        let full = write(Path::new("/dev/full"), b"too much").expect_err("a full disk");
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        for device in ["/dev/null", "/dev/full"] {
            let found = fs::metadata(device).expect("it is there");
            assert!(!found.is_file(), "{device} is a device still");
        }
    }

    #[test]
    fn what_cannot_be_written_is_found_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let within = |name: &str| folder.path().join(name);
        fs::write(within("file"), "").expect("written");
        for wrong in ["no/such/folder", "file/x", "."] {
            assert!(try_out(&within(wrong)).is_err(), "{wrong}");
        }
        try_out(&within("new")).expect("it can be written");
        try_out(&within("file")).expect("it can be written");
        try_out(Path::new("/dev/full")).expect("it can be opened");
        assert_eq!(names(folder.path()), ["file"]);
    }

    #[test]
    fn the_same_file_is_known_by_any_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let within = |name: &str| folder.path().join(name);
        fs::write(within("a"), "").expect("written");
        fs::write(within("b"), "").expect("written");
        std::os::unix::fs::symlink("a", within("link")).expect("a link");
        assert!(is_same(&within("a"), &within("./a")) && is_same(&within("a"), &within("link")));
        assert!(is_same(&within("new"), &within("./new")));
        assert!(!is_same(&within("a"), &within("b")) && !is_same(&within("a"), &within("new")));
        assert!(!is_same(Path::new("/dev/null"), Path::new("/dev/null")));
    }
}
