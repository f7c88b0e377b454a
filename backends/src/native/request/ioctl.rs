//! Control codes in requests.

use smb_vocabulary::{Ioctl, IoctlInput};
use smb_wire::fscc::{DuplicateExtents, encode_copy_chunks};
use smb_wire::messages::IoctlRequest;
use smb_wire::{FileId, IoctlFlags};

use super::Scope;

/// IOCTL; the error says what of the step cannot be sent.
pub(super) fn request(
    ioctl: &Ioctl<'_>,
    file_id: FileId,
    scope: &Scope<'_>,
) -> Result<IoctlRequest, String> {
    Ok(IoctlRequest {
        ctl_code: ioctl.code,
        file_id: match ioctl.handle {
            Some(_) => file_id,
            None => FileId::RELATED,
        },
        input: input(ioctl, scope)?,
        max_input_response: ioctl.max_input,
        max_output_response: ioctl.max_output,
        flags: match ioctl.is_fsctl {
            true => IoctlFlags::IS_FSCTL,
            false => IoctlFlags::empty(),
        },
        ..Default::default()
    })
}

fn input(ioctl: &Ioctl<'_>, scope: &Scope<'_>) -> Result<Vec<u8>, String> {
    let mut input = Vec::new();
    match &ioctl.input {
        IoctlInput::Bytes(bytes) => input.extend_from_slice(bytes),
        IoctlInput::Sparse(sparse) => input.push(u8::from(*sparse)),
        IoctlInput::Range(range) => range.encode(&mut input),
        IoctlInput::Compression(format) => input.extend(format.to_le_bytes()),
        IoctlInput::CopyChunks { key, chunks } => {
            let key = scope.opens.resume_key(*key);
            let key = key.ok_or("the server has given no resume key of the source")?;
            encode_copy_chunks(key, chunks, &mut input);
        }
        IoctlInput::Extents { source, chunk } => {
            let extents = DuplicateExtents {
                source: scope
                    .opens
                    .file_id(*source)
                    .ok_or("the source is not open")?,
                source_offset: chunk.source_offset,
                target_offset: chunk.target_offset,
                length: chunk.length.into(),
            };
            extents.encode(&mut input);
        }
        IoctlInput::Negotiated => input.extend_from_slice(scope.validation),
    }
    Ok(input)
}

/// The bytes that the credit charge counts (MS-SMB2 3.2.4.1.5): the larger of what is sent and what may come back.
pub(super) fn payload(ioctl: &Ioctl<'_>) -> u32 {
    let sent = match &ioctl.input {
        IoctlInput::Bytes(bytes) => u32::try_from(bytes.len()).unwrap_or(u32::MAX),
        IoctlInput::CopyChunks { chunks, .. } => u32::try_from(chunks.len())
            .unwrap_or(u32::MAX)
            .saturating_mul(24)
            .saturating_add(32),
        _ => 0,
    };
    sent.max(ioctl.max_input.saturating_add(ioctl.max_output))
}
