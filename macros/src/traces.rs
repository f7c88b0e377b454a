//! The traces that an attribute names: found, and checked with the vocabulary of SMB.

use std::path::{Path, PathBuf};

use proc_macro2::Span;
use replay_ir::naming::{fixed_part, of_trace};
use syn::{Error, LitStr, Result};

/// The package that is compiled.
#[derive(Debug)]
pub(crate) struct Package {
    /// Where its `Cargo.toml` lies.
    pub(crate) directory: PathBuf,
    /// Where the compiler runs; paths in messages are relative to it, as the compiler's own are.
    pub(crate) shown_from: PathBuf,
}

impl Package {
    /// The one that cargo is compiling now.
    pub(crate) fn from_env() -> Self {
        let shown_from = std::env::current_dir().unwrap_or_default();
        let directory = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| shown_from.clone(), PathBuf::from);
        Self {
            directory,
            shown_from,
        }
    }

    fn shown(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.shown_from)
            .unwrap_or(path)
            .to_owned()
    }

    fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.directory)
            .unwrap_or(path)
            .to_string_lossy()
            .into_owned()
    }
}

/// A trace that loads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// For `include_bytes!`.
    pub(crate) path: PathBuf,
    /// Relative to the package.
    pub(crate) relative: String,
    /// The parts of its name.
    pub(crate) name: Vec<String>,
}

/// All traces that the patterns match, in the order of their paths; or every error of every trace.
pub(crate) fn find(package: &Package, patterns: &[LitStr]) -> Result<Vec<Found>> {
    let mut found: Vec<Found> = Vec::new();
    for pattern in patterns {
        let before = found.len();
        let base = package.directory.join(fixed_part(&pattern.value()));
        for path in matches(package, pattern)? {
            if found.iter().all(|known| known.path != path) {
                let name = of_trace(&base, &path);
                found.push(Found {
                    relative: package.relative(&path),
                    path,
                    name,
                });
            }
        }
        if found.len() == before {
            return Err(Error::new(
                pattern.span(),
                format!(
                    "no trace matches this pattern below {}",
                    package.shown(&package.directory).join("").display()
                ),
            ));
        }
    }
    found.sort_by(|left, right| left.path.cmp(&right.path));
    refuse_same_names(&found)?;
    check(package, &found)?;
    Ok(found)
}

/// One trace by its path.
pub(crate) fn single(package: &Package, trace: &LitStr) -> Result<Found> {
    let path = package.directory.join(trace.value());
    if !path.is_file() {
        let shown = package.shown(&path);
        return Err(Error::new(
            trace.span(),
            format!("there is no file {}", shown.display()),
        ));
    }
    let base = path.parent().unwrap_or(Path::new("")).to_owned();
    let name = of_trace(&base, &path);
    let found = Found {
        relative: package.relative(&path),
        path,
        name,
    };
    check(package, std::slice::from_ref(&found))?;
    Ok(found)
}

fn matches(package: &Package, pattern: &LitStr) -> Result<Vec<PathBuf>> {
    let directory = glob::Pattern::escape(&package.directory.to_string_lossy());
    let full = format!("{directory}/{}", pattern.value());
    let paths = glob::glob(&full).map_err(|error| {
        Error::new(
            pattern.span(),
            format!("this is no pattern for paths: {}", error.msg),
        )
    })?;
    paths
        .filter(|path| path.as_ref().map_or(true, |path| path.is_file()))
        .collect::<std::result::Result<_, _>>()
        .map_err(|error| Error::new(pattern.span(), error.to_string()))
}

fn refuse_same_names(found: &[Found]) -> Result<()> {
    for (index, trace) in found.iter().enumerate() {
        if let Some(other) = found[..index].iter().find(|other| other.name == trace.name) {
            return Err(Error::new(
                Span::call_site(),
                format!(
                    "{} and {} would both be called {}; rename one",
                    other.relative,
                    trace.relative,
                    trace.name.join("::")
                ),
            ));
        }
    }
    Ok(())
}

/// Loads every trace and gives all errors of all of them as one message: a data file has no spans
/// of its own on stable Rust, so the text carries file, line, column and the line itself.
fn check(package: &Package, found: &[Found]) -> Result<()> {
    let mut broken = 0;
    let mut text = String::new();
    for trace in found {
        if let Err(errors) = smb_vocabulary::load(&trace.path) {
            let path = trace.path.to_string_lossy();
            let shown = package.shown(&trace.path);
            broken += 1;
            text.push_str("\n\n");
            text.push_str(&errors.to_string().replace(&*path, &shown.to_string_lossy()));
        }
    }
    if broken == 0 {
        return Ok(());
    }
    let traces = if broken == 1 {
        "trace does"
    } else {
        "traces do"
    };
    Err(Error::new(
        Span::call_site(),
        format!("{broken} {traces} not load{text}\n"),
    ))
}
