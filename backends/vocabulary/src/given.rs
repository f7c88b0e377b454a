//! A `given` line as plain data.

use crate::args::{ArgError, Args};
use crate::operation::{Content, Times};
use crate::{paths, time, words};
use replay_ir::Given;
use smb_wire::FileAttributes;

/// State that must exist before the first step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenItem<'t> {
    /// The path in the trace's form.
    pub path: &'t str,
    /// File or directory.
    pub kind: GivenKind<'t>,
    /// File attributes; empty leaves them to the server.
    pub attributes: FileAttributes,
    /// CreationTime and LastWriteTime; zero leaves one to the server.
    pub times: Times,
    /// Extended attributes as they are written.
    pub ea: Vec<&'t str>,
    /// The security descriptor in SDDL.
    pub sd: Option<&'t str>,
}

/// What a `given` line makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenKind<'t> {
    /// A directory.
    Directory,
    /// A file with so many bytes of a pattern; 0 is a file without data that was written.
    Pattern {
        /// Size in bytes.
        size: u64,
        /// The pattern of [`replay_ir::fill`].
        fill: u64,
    },
    /// A file with this content, and zeros behind it up to `size`.
    Text {
        /// Size in bytes, at least that of the content.
        size: u64,
        /// The content.
        content: Content<'t>,
    },
}

impl<'t> GivenItem<'t> {
    /// What `given` says, with defaults for what it does not.
    pub fn decode(given: &'t Given) -> Result<Self, ArgError> {
        let args = Args(|name: &str| given.arg(name));
        let path = args.required("path")?;
        check_path(path)?;
        let kind = match given.spec().name {
            "dir" => GivenKind::Directory,
            _ => file(&args)?,
        };
        Ok(Self {
            path,
            kind,
            attributes: args
                .parsed("attributes", |text| words::ATTRIBUTES.parse(text))?
                .unwrap_or_default(),
            times: Times {
                created: args.parsed("created", time::parse)?.unwrap_or_default(),
                written: args.parsed("written", time::parse)?.unwrap_or_default(),
                ..Times::default()
            },
            ea: ea(&args)?,
            sd: crate::security::argument(&args)?,
        })
    }
}

fn ea<'t>(
    args: &Args<impl Fn(&str) -> Option<replay_ir::Value<'t>>>,
) -> Result<Vec<&'t str>, ArgError> {
    crate::operation::extended_attributes(args)?;
    let listed = args.list("ea");
    Ok(listed.iter().filter_map(|text| text.as_str()).collect())
}

fn check_path(path: &str) -> Result<(), ArgError> {
    let reason = match paths::check(path) {
        Err(error) => error.to_string(),
        Ok(()) if path.is_empty() => "the trace's root exists already".to_owned(),
        Ok(()) => return Ok(()),
    };
    Err(ArgError::Value {
        name: "path",
        reason,
    })
}

fn file<'t>(
    args: &Args<impl Fn(&str) -> Option<replay_ir::Value<'t>>>,
) -> Result<GivenKind<'t>, ArgError> {
    let size = args.int::<u64>("size")?;
    let fill = args.int::<u64>("fill")?;
    let Some(text) = args.str("data") else {
        return Ok(GivenKind::Pattern {
            size: size.unwrap_or(0),
            fill: fill.unwrap_or(0),
        });
    };
    if fill.is_some() {
        return Err(ArgError::Conflict(
            "the content is `fill=` or `data=`, not both".to_owned(),
        ));
    }
    let length = text.len() as u64;
    match size.unwrap_or(length) {
        size if size >= length => Ok(GivenKind::Text {
            size,
            content: Content::Bytes(text.as_bytes()),
        }),
        size => Err(ArgError::Value {
            name: "size",
            reason: format!("{size} bytes do not hold the {length} of `data`"),
        }),
    }
}
