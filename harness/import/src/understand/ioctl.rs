//! IOCTL: control codes, what their buffers say, and what they do to the content of files.

use super::draft::{Draft, StepIndex};
use super::lanes::{Key, Touch};
use super::paths::base;
use super::request::Reason;
use super::state::InFlight;
use super::world::World;
use crate::capture::ConnectionId;
use replay_ir::OwnedValue;
use smb_vocabulary::answer;
use smb_wire::fscc::{CopyChunk, FileRange, ResumeKey};
use smb_wire::messages::{IoctlRequest, IoctlResponse};
use smb_wire::{CtlCode, Dialect, FileId, IoctlFlags, ntstatus};

/// The most bytes of an input buffer that a trace carries as they are.
const LONGEST_INPUT: usize = 4096;

/// The most chunks of a copy.
const MOST_CHUNKS: usize = 4096;

/// SRV_COPYCHUNK_COPY up to its chunks, and each of these (MS-SMB2 2.2.31.1).
const CHUNKS_AT: usize = 32;
const CHUNK: usize = 24;

/// DUPLICATE_EXTENTS_DATA (MS-FSCC 2.3.7).
const EXTENTS: usize = 40;

/// Codes whose input has numbers in it and nothing else.
const OF_NUMBERS: [CtlCode; 11] = [
    CtlCode::SET_SPARSE,
    CtlCode::SET_ZERO_DATA,
    CtlCode::QUERY_ALLOCATED_RANGES,
    CtlCode::SET_COMPRESSION,
    CtlCode::SRV_COPYCHUNK,
    CtlCode::SRV_COPYCHUNK_WRITE,
    CtlCode::SRV_READ_HASH,
    CtlCode::LMR_REQUEST_RESILIENCY,
    CtlCode::FILE_LEVEL_TRIM,
    CtlCode::SET_INTEGRITY_INFORMATION,
    CtlCode::QUERY_FILE_REGIONS,
];

/// Codes whose arguments must be there, or their input as it is.
const NEEDS_INPUT: [CtlCode; 6] = [
    CtlCode::SET_ZERO_DATA,
    CtlCode::QUERY_ALLOCATED_RANGES,
    CtlCode::SET_COMPRESSION,
    CtlCode::SRV_COPYCHUNK,
    CtlCode::SRV_COPYCHUNK_WRITE,
    CtlCode::DUPLICATE_EXTENTS_TO_FILE,
];

/// Answer fields that a server does not choose by itself.
const DECIDED: [&str; 4] = [
    "chunks-written",
    "chunk-bytes-written",
    "total-bytes-written",
    "compression",
];

/// What a code does to the files that it works on, once it has succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing that the trace follows.
    None,
    /// It ends the set-up of a connection, which the client of a trace does by itself.
    Validates,
    /// Its answer names the open as a source.
    NamesSource,
    /// Zeros from here to there.
    Zeros(u64, u64),
    /// Bytes come from another open.
    Copies(usize, Vec<CopyChunk>),
}

impl World {
    /// Whether a request is about no open: its FileId is all ones, and it is related to nothing.
    pub(super) fn is_about_nothing(request: &IoctlRequest, related: bool) -> bool {
        request.file_id == FileId::RELATED && !related
    }

    /// The arguments of a request beside its handle; what it does goes into `flight`.
    pub(super) fn ioctl(
        &mut self,
        id: ConnectionId,
        draft: Draft,
        request: &IoctlRequest,
        open: Option<usize>,
        flight: &mut InFlight,
        touches: &mut Vec<(Key, Touch)>,
    ) -> Result<Draft, Reason> {
        let code = request.ctl_code;
        let mut draft = draft.arg("code", OwnedValue::Token(code.to_string()));
        let named = match open {
            None => self.named_input(request).transpose()?,
            Some(_) => None,
        };
        if let Some((input, stale)) = named {
            draft = self.on_tree(id, draft.arg("input", input), flight)?;
            draft.stale = stale;
            return Ok(sizes(draft, request));
        }
        if code == CtlCode::DFS_GET_REFERRALS {
            return Err("it asks for another server by name");
        }
        let draft = match (self.typed(id, draft, request, open, flight, touches)?, code) {
            ((draft, true), _) => draft,
            ((draft, _), CtlCode::VALIDATE_NEGOTIATE_INFO) => {
                if self.is_set_up(id, flight) {
                    flight.effect = Effect::Validates;
                }
                draft
            }
            ((draft, _), code) if request.input.is_empty() && !NEEDS_INPUT.contains(&code) => draft,
            ((draft, _), code) => {
                if request.input.len() > LONGEST_INPUT {
                    return Err("its input is longer than 4 KiB");
                }
                if !OF_NUMBERS.contains(&code) && self.names.replaces() {
                    return Err("its input may hold names");
                }
                draft.arg("input", OwnedValue::Bytes(request.input.clone().into()))
            }
        };
        Ok(sizes(draft, request))
    }

    /// Whether a client has just connected, by a dialect whose negotiation it then validates (MS-SMB2 3.2.5.5).
    fn is_set_up(&mut self, id: ConnectionId, flight: &InFlight) -> bool {
        let connection = self.connections.get(&id);
        let dialect = connection.and_then(|connection| connection.dialect);
        let validated = matches!(dialect, Some(Dialect::SMB_3_0 | Dialect::SMB_3_0_2));
        let client = self.client_of(id, flight.session_id);
        validated
            && client.is_ok_and(|client| {
                self.clients[client].channel_of.is_none()
                    && self.lanes.has_only(client, "connect", &self.drafts)
            })
    }

    /// With the arguments that the code has; `false` where its input is not as the code prescribes.
    fn typed(
        &mut self,
        id: ConnectionId,
        draft: Draft,
        request: &IoctlRequest,
        open: Option<usize>,
        flight: &mut InFlight,
        touches: &mut Vec<(Key, Touch)>,
    ) -> Result<(Draft, bool), Reason> {
        let (code, input) = (request.ctl_code, &request.input[..]);
        let mut changes = || {
            touches
                .iter_mut()
                .for_each(|(_, touch)| *touch = Touch::Change)
        };
        Ok(match code {
            CtlCode::SET_SPARSE if input.len() == 1 => {
                changes();
                (
                    draft.arg("sparse", if input[0] == 0 { "no" } else { "yes" }),
                    true,
                )
            }
            CtlCode::SET_ZERO_DATA if input.len() == 16 => {
                changes();
                let zeros = FileRange::decode(input).map_err(|_| "its input does not decode")?;
                let (start, end) = (zeros.offset, zeros.length);
                flight.effect = Effect::Zeros(start, end);
                range(draft, start, Some(end))
            }
            CtlCode::QUERY_ALLOCATED_RANGES if input.len() == 16 => {
                let asked = FileRange::decode(input).map_err(|_| "its input does not decode")?;
                range(draft, asked.offset, asked.offset.checked_add(asked.length))
            }
            CtlCode::SET_COMPRESSION => match input {
                &[low, high] => {
                    changes();
                    (
                        draft.arg("compression", u64::from(u16::from_le_bytes([low, high]))),
                        true,
                    )
                }
                _ => (draft, false),
            },
            CtlCode::SRV_REQUEST_RESUME_KEY => {
                flight.effect = Effect::NamesSource;
                (draft, false)
            }
            CtlCode::SRV_COPYCHUNK | CtlCode::SRV_COPYCHUNK_WRITE => {
                let key = input.first_chunk::<24>();
                let session = self.session_of(id, flight.session_id);
                let source = key
                    .zip(session)
                    .and_then(|(key, session)| self.resume_keys.get(&(session, *key)).copied());
                match (source, chunks(input)) {
                    (Some(source), Some(chunks)) => {
                        changes();
                        self.copies(draft, open, source, chunks, flight, touches)?
                    }
                    _ => (draft, false),
                }
            }
            CtlCode::DUPLICATE_EXTENTS_TO_FILE if input.len() == EXTENTS => {
                let number = |at: usize| {
                    let bytes = input[at..].first_chunk();
                    bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
                };
                let file_id = FileId {
                    persistent: number(0),
                    volatile: number(8),
                };
                let chunk = u32::try_from(number(32)).map(|length| CopyChunk {
                    source_offset: number(16),
                    target_offset: number(24),
                    length,
                });
                let session = self.session_of(id, flight.session_id);
                let source = session.and_then(|session| self.by_id.get(&(session, file_id)));
                match (source.copied(), chunk) {
                    (Some(source), Ok(chunk)) => {
                        changes();
                        self.copies(draft, open, source, vec![chunk], flight, touches)?
                    }
                    _ => return Err("its source is not in the trace, or longer than 4 GiB"),
                }
            }
            _ => (draft, false),
        })
    }

    fn copies(
        &mut self,
        draft: Draft,
        open: Option<usize>,
        source: usize,
        chunks: Vec<CopyChunk>,
        flight: &mut InFlight,
        touches: &mut Vec<(Key, Touch)>,
    ) -> Result<(Draft, bool), Reason> {
        let from = &self.opens[source];
        if !from.alive {
            return Err("the source of its copy is closed");
        }
        touches.push((Key::path(base(&from.path)), Touch::Look));
        let name = from.name.clone();
        let mut draft = draft;
        if open != Some(source) {
            draft = draft.arg("source", name);
        }
        let repeated = chunks.len() > 1 && chunks.iter().all(|chunk| *chunk == chunks[0]);
        let listed = if repeated { &chunks[..1] } else { &chunks[..] };
        let mut written = Vec::new();
        for chunk in listed {
            let (start, to) = (chunk.source_offset, chunk.target_offset);
            let end = start.checked_add(u64::from(chunk.length));
            let end = end.ok_or("a chunk of its copy ends beyond 2^64")?;
            written.push(OwnedValue::Token(format!("{start}..{end}->{to}")));
        }
        draft = draft.arg("chunks", OwnedValue::List(written));
        if repeated {
            draft = draft.arg("times", chunks.len() as u64);
        }
        flight.effect = Effect::Copies(source, chunks);
        Ok((draft, true))
    }

    /// The answer of one.
    pub(super) fn controlled(
        &mut self,
        step: StepIndex,
        status: u32,
        flight: &InFlight,
        code: CtlCode,
        response: IoctlResponse,
    ) {
        if status != ntstatus::SUCCESS {
            return;
        }
        if flight.effect == Effect::Validates {
            self.drafts[step].dropped = true;
            return;
        }
        if flight.effect == Effect::NamesSource
            && let (Some(open), Ok(ResumeKey(key))) =
                (flight.open, ResumeKey::decode(&response.output))
        {
            self.resume_keys
                .insert((self.opens[open].session, key), open);
        }
        if let Ok(answer) = answer::ioctl(code, status, response) {
            for (name, value) in answer.fields {
                if DECIDED.contains(&name) {
                    self.drafts[step].expect(name, value);
                }
            }
        }
        let node = flight.open.map(|open| self.opens[open].node);
        let Some(node) = node.filter(|&node| node < self.nodes.len()) else {
            return;
        };
        match &flight.effect {
            Effect::Zeros(start, end) => self.nodes[node].content.zero(*start, *end),
            Effect::Copies(source, chunks) => {
                let from = self.opens[*source].node;
                for chunk in chunks {
                    let length = chunk.length.into();
                    let Some(source) = self.nodes.get(from) else {
                        return;
                    };
                    let pieces = source.content.pieces(chunk.source_offset, length);
                    let (at, to) = (chunk.source_offset, chunk.target_offset);
                    self.nodes[node].content.copy(&pieces, at, to, from == node);
                }
            }
            Effect::None | Effect::NamesSource | Effect::Validates => {}
        }
    }
}

/// With what an IOCTL says of its buffers.
fn sizes(draft: Draft, request: &IoctlRequest) -> Draft {
    draft
        .flag("no-fsctl", !request.flags.contains(IoctlFlags::IS_FSCTL))
        .unless(
            "max-input",
            u64::from(request.max_input_response),
            0,
            Into::into,
        )
        .unless(
            "max-output",
            u64::from(request.max_output_response),
            65_536,
            Into::into,
        )
}

fn range(draft: Draft, start: u64, end: Option<u64>) -> (Draft, bool) {
    match end.filter(|&end| start <= end) {
        Some(end) => (draft.arg("range", OwnedValue::Range { start, end }), true),
        None => (draft, false),
    }
}

/// The chunks of SRV_COPYCHUNK_COPY, if they are all that there is.
fn chunks(input: &[u8]) -> Option<Vec<CopyChunk>> {
    let count = u32::from_le_bytes(*input.get(24..)?.first_chunk()?);
    let listed = input.get(CHUNKS_AT..)?;
    let count = usize::try_from(count)
        .ok()
        .filter(|&count| count <= MOST_CHUNKS)?;
    if count == 0 || listed.len() != count * CHUNK {
        return None;
    }
    let chunk = |bytes: &[u8]| {
        Some(CopyChunk {
            source_offset: u64::from_le_bytes(*bytes.first_chunk()?),
            target_offset: u64::from_le_bytes(*bytes.get(8..)?.first_chunk()?),
            length: u32::from_le_bytes(*bytes.get(16..)?.first_chunk()?),
        })
    };
    listed.chunks_exact(CHUNK).map(chunk).collect()
}
