//! The arguments of `ioctl`, a control code at a time.

use crate::args::{ArgError, Args};
use crate::words;
use replay_ir::{Step, StepId, Value, parse_int};
use smb_wire::CtlCode;
use smb_wire::fscc::{CopyChunk, FileRange};

/// The most chunks that a step can send: enough to pass every server's limit, few enough for one frame.
const MAX_CHUNKS: usize = 4096;

/// IOCTL (MS-SMB2 2.2.31).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ioctl<'t> {
    /// The handle; without one FileId is all ones.
    pub handle: Option<&'t str>,
    /// CtlCode.
    pub code: CtlCode,
    /// What the input buffer holds.
    pub input: IoctlInput<'t>,
    /// SMB2_0_IOCTL_IS_FSCTL.
    pub is_fsctl: bool,
    /// MaxInputResponse in bytes.
    pub max_input: u32,
    /// MaxOutputResponse in bytes.
    pub max_output: u32,
}

/// What an IOCTL sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IoctlInput<'t> {
    /// These bytes, or none.
    Bytes(&'t [u8]),
    /// FILE_SET_SPARSE_BUFFER (MS-FSCC 2.3.83).
    Sparse(bool),
    /// A range and its end, or its length, as the code says (MS-FSCC 2.3.51, 2.3.85).
    Range(FileRange),
    /// A compression format (MS-FSCC 2.3.67).
    Compression(u16),
    /// SRV_COPYCHUNK_COPY (MS-SMB2 2.2.31.1).
    CopyChunks {
        /// The step that asked for the source's resume key.
        key: StepId,
        /// The chunks.
        chunks: Vec<CopyChunk>,
    },
    /// DUPLICATE_EXTENTS_DATA (MS-FSCC 2.3.7).
    Extents {
        /// The step that opened the source.
        source: StepId,
        /// Where from, where to, how much.
        chunk: CopyChunk,
    },
    /// VALIDATE_NEGOTIATE_INFO (MS-SMB2 2.2.31.4): what the client said in its NEGOTIATE.
    Negotiated,
}

/// Which arguments belong to which codes.
const BELONGS: [(&str, &[CtlCode]); 5] = [
    ("sparse", &[CtlCode::SET_SPARSE]),
    (
        "range",
        &[CtlCode::SET_ZERO_DATA, CtlCode::QUERY_ALLOCATED_RANGES],
    ),
    ("compression", &[CtlCode::SET_COMPRESSION]),
    (
        "source",
        &[
            CtlCode::SRV_COPYCHUNK,
            CtlCode::SRV_COPYCHUNK_WRITE,
            CtlCode::DUPLICATE_EXTENTS_TO_FILE,
        ],
    ),
    (
        "chunks",
        &[
            CtlCode::SRV_COPYCHUNK,
            CtlCode::SRV_COPYCHUNK_WRITE,
            CtlCode::DUPLICATE_EXTENTS_TO_FILE,
        ],
    ),
];

impl<'t> Ioctl<'t> {
    pub(super) fn decode(
        step: &Step<'t>,
        args: &Args<impl Fn(&str) -> Option<Value<'t>>>,
    ) -> Result<Self, ArgError> {
        let code = args
            .parsed("code", words::parse_ctl_code)?
            .ok_or(ArgError::Missing("code"))?;
        let foreign = BELONGS
            .iter()
            .find(|(name, codes)| args.has(name) && !codes.contains(&code));
        if let Some((name, codes)) = foreign {
            let codes: Vec<_> = codes.iter().map(ToString::to_string).collect();
            let text = format!("`{name}=` belongs to {}, not to {code}", codes.join(", "));
            return Err(ArgError::Conflict(text));
        }
        let output: u32 = args.int("max-output")?.unwrap_or(super::BUFFER);
        Ok(Self {
            handle: args.str("handle"),
            code,
            input: match args.bytes("input") {
                Some(bytes) => raw(bytes, args)?,
                None => typed(code, step, args)?,
            },
            is_fsctl: !args.has("no-fsctl"),
            max_input: args.int("max-input")?.unwrap_or(0),
            max_output: output,
        })
    }
}

fn raw<'t>(
    bytes: &'t [u8],
    args: &Args<impl Fn(&str) -> Option<Value<'t>>>,
) -> Result<IoctlInput<'t>, ArgError> {
    match BELONGS.iter().find(|(name, _)| args.has(name)) {
        None => Ok(IoctlInput::Bytes(bytes)),
        Some((name, _)) => Err(ArgError::Conflict(format!(
            "the input is `input=` or `{name}=`, not both"
        ))),
    }
}

fn typed<'t>(
    code: CtlCode,
    step: &Step<'t>,
    args: &Args<impl Fn(&str) -> Option<Value<'t>>>,
) -> Result<IoctlInput<'t>, ArgError> {
    let nothing = IoctlInput::Bytes(&[]);
    Ok(match code {
        CtlCode::SET_SPARSE => match args.str("sparse") {
            None => nothing,
            Some(sparse) => IoctlInput::Sparse(sparse == "yes"),
        },
        CtlCode::SET_ZERO_DATA => {
            let (start, end) = range(args)?;
            IoctlInput::Range(FileRange {
                offset: start,
                length: end,
            })
        }
        CtlCode::QUERY_ALLOCATED_RANGES => {
            let (start, end) = range(args)?;
            IoctlInput::Range(FileRange {
                offset: start,
                length: end.saturating_sub(start),
            })
        }
        CtlCode::SET_COMPRESSION => match args.int("compression")? {
            None => return Err(ArgError::Missing("compression")),
            Some(format) => IoctlInput::Compression(format),
        },
        CtlCode::SRV_COPYCHUNK | CtlCode::SRV_COPYCHUNK_WRITE => IoctlInput::CopyChunks {
            key: resume_key(step, source(step, args)?)?,
            chunks: chunks(args)?,
        },
        CtlCode::DUPLICATE_EXTENTS_TO_FILE => match chunks(args)?.as_slice() {
            [chunk] => IoctlInput::Extents {
                source: source(step, args)?,
                chunk: *chunk,
            },
            _ => {
                let text = "duplicate-extents-to-file takes one of `chunks=`";
                return Err(ArgError::Conflict(text.to_owned()));
            }
        },
        CtlCode::VALIDATE_NEGOTIATE_INFO => IoctlInput::Negotiated,
        _ => nothing,
    })
}

fn range<'t>(args: &Args<impl Fn(&str) -> Option<Value<'t>>>) -> Result<(u64, u64), ArgError> {
    args.range("range").ok_or(ArgError::Missing("range"))
}

/// The step that opened the handle `source=`, or the step's own handle without it.
fn source<'t>(
    step: &Step<'t>,
    args: &Args<impl Fn(&str) -> Option<Value<'t>>>,
) -> Result<StepId, ArgError> {
    let opener = match args.str("source") {
        None => step.opened_by(),
        Some(name) => opener(step, name),
    };
    opener.ok_or(ArgError::Missing("source"))
}

/// The last step before this one that asked for the resume key of what `source` opened.
fn resume_key(step: &Step<'_>, source: StepId) -> Result<StepId, ArgError> {
    let trace = step.trace();
    let before = (0..step.id().0).rev().map(|id| trace.step(StepId(id)));
    let mut asking = before.filter(|other| {
        let code = other
            .arg("code")
            .and_then(|code| words::parse_ctl_code(code.as_str()?).ok());
        code == Some(CtlCode::SRV_REQUEST_RESUME_KEY) && other.opened_by() == Some(source)
    });
    asking.next().map(|step| step.id()).ok_or_else(|| {
        let text = "`ioctl srv-request-resume-key` on the source comes first";
        ArgError::Conflict(text.to_owned())
    })
}

/// The last step before this one that opened the handle `name` on the same connection.
fn opener(step: &Step<'_>, name: &str) -> Option<StepId> {
    let trace = step.trace();
    let connection = |step: &Step<'_>| {
        let client = step.client();
        trace.client(client).on().unwrap_or(client)
    };
    let before = (0..step.id().0).rev().map(|id| trace.step(StepId(id)));
    let mut opening = before.filter(|other| {
        let opened = other.verb().name == "create"
            && other.arg("handle").and_then(|handle| handle.as_str()) == Some(name);
        opened && connection(other) == connection(step)
    });
    opening.next().map(|step| step.id())
}

fn chunks<'t>(args: &Args<impl Fn(&str) -> Option<Value<'t>>>) -> Result<Vec<CopyChunk>, ArgError> {
    let invalid = |reason: String| ArgError::Value {
        name: "chunks",
        reason,
    };
    let listed = args.list("chunks");
    let listed = listed.iter().filter_map(|value| value.as_str());
    let listed: Vec<CopyChunk> = listed
        .map(parse_chunk)
        .collect::<Result<_, _>>()
        .map_err(invalid)?;
    let times: usize = args
        .int::<u32>("times")?
        .map_or(1, |times| usize::try_from(times).unwrap_or(usize::MAX));
    match listed.len().checked_mul(times) {
        Some(all) if all <= MAX_CHUNKS => Ok(listed.repeat(times)),
        _ => Err(invalid(format!("at most {MAX_CHUNKS} chunks can be sent"))),
    }
}

/// Reads `0..4096->8192`: bytes of the source, and where they go.
fn parse_chunk(text: &str) -> Result<CopyChunk, String> {
    let wrong =
        || format!("`{text}` is no chunk such as `0..4096->8192`: from, to, and where it goes");
    let (range, target) = text.split_once("->").ok_or_else(wrong)?;
    let (start, end) = range.split_once("..").ok_or_else(wrong)?;
    let (start, end) = (
        parse_int(start).ok_or_else(wrong)?,
        parse_int(end).ok_or_else(wrong)?,
    );
    let length = end
        .checked_sub(start)
        .and_then(|length| u32::try_from(length).ok());
    Ok(CopyChunk {
        source_offset: start,
        target_offset: parse_int(target).ok_or_else(wrong)?,
        length: length.ok_or_else(|| format!("`{text}`: a chunk has at most 2^32-1 bytes"))?,
    })
}

/// For the table.
pub(crate) fn check_chunk(text: &str) -> Result<(), String> {
    parse_chunk(text).map(drop)
}
