//! Answers of IOCTL, by their control code.

use super::Fields;
use bytes::Bytes;
use replay_ir::{Answer, OwnedValue};
use smb_wire::fscc::{CopyChunkResponse, FileRange, NetworkInterface};
use smb_wire::messages::IoctlResponse;
use smb_wire::{CtlCode, Dialect, Error, SecurityMode, ntstatus};

/// VALIDATE_NEGOTIATE_INFO response (MS-SMB2 2.2.32.6) up to SecurityMode and Dialect.
const VALIDATION: usize = 24;

/// The answer of an IOCTL that has a body, with this status: a success, or an error that tells more.
///
/// # Errors
/// A buffer that does not decode as its code prescribes.
pub fn ioctl(code: CtlCode, status: u32, response: IoctlResponse) -> Result<Answer, Error> {
    let output = response.output;
    let mut fields = Fields::default().int("len", output.len() as u64);
    match code {
        CtlCode::SRV_COPYCHUNK | CtlCode::SRV_COPYCHUNK_WRITE if !output.is_empty() => {
            let copied = CopyChunkResponse::decode(&output)?;
            fields = fields
                .int("chunks-written", copied.chunks_written.into())
                .int("chunk-bytes-written", copied.chunk_bytes_written.into())
                .int("total-bytes-written", copied.total_bytes_written.into());
        }
        CtlCode::QUERY_ALLOCATED_RANGES => {
            let ranges = FileRange::decode_all(&output)?;
            let ranges = ranges.iter().map(|range| OwnedValue::Range {
                start: range.offset,
                end: range.offset.saturating_add(range.length),
            });
            fields
                .0
                .push(("ranges", OwnedValue::List(ranges.collect())));
        }
        CtlCode::GET_COMPRESSION if status == ntstatus::SUCCESS => {
            if let Some(&[low, high]) = output.first_chunk::<2>() {
                fields = fields.int("compression", u16::from_le_bytes([low, high]).into());
            }
        }
        CtlCode::QUERY_NETWORK_INTERFACE_INFO if status == ntstatus::SUCCESS => {
            let interfaces =
                NetworkInterface::decode_all(&output).collect::<Result<Vec<_>, _>>()?;
            fields = fields.int("interfaces", interfaces.len() as u64);
        }
        CtlCode::VALIDATE_NEGOTIATE_INFO => {
            if let Some(info) = output.first_chunk::<VALIDATION>() {
                fields = validated(fields, info);
            }
        }
        _ => {}
    }
    let output = Bytes::from(output);
    fields.0.push(("output", OwnedValue::Bytes(output.clone())));
    Ok(Answer {
        data: Some(output),
        ..fields.with_status(status)
    })
}

fn validated(fields: Fields, info: &[u8; VALIDATION]) -> Fields {
    let [.., mode, _, low, high] = *info;
    let required = u16::from(mode) & SecurityMode::SIGNING_REQUIRED.bits() != 0;
    let fields = fields.word("signing", if required { "required" } else { "enabled" });
    match Dialect(u16::from_le_bytes([low, high])).word() {
        Some(word) => fields.word("dialect", word),
        None => fields,
    }
}
