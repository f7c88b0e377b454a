//! What CHANGE_NOTIFY reports (MS-FSCC 2.7.1).

use crate::chain::{Chain, encode_chain};
use crate::codec::Writer;
use crate::{Error, NotifyAction, UnicodeString};

/// One change (MS-FSCC 2.7.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileNotifyInformation {
    /// Action.
    pub action: NotifyAction,
    /// FileName from the watched directory on.
    pub file_name: UnicodeString,
}

/// Appends a list of changes.
pub fn encode_notify(changes: &[FileNotifyInformation], out: &mut Vec<u8>) {
    encode_chain(changes, 4, &mut Writer::new(out), |change, writer| {
        writer.u32(change.action.0);
        writer.len32(change.file_name.len());
        writer.bytes(change.file_name.as_bytes());
    });
}

/// The changes of a buffer, none of an empty one. Ends after the first error.
pub fn decode_notify(
    data: &[u8],
) -> impl Iterator<Item = Result<FileNotifyInformation, Error>> + '_ {
    Chain::new("FILE_NOTIFY_INFORMATION", 12, data).map(|item| {
        let mut reader = item?;
        let action = NotifyAction(reader.u32()?);
        let length = reader.len32()?;
        let file_name = UnicodeString::from_bytes(reader.take(length)?);
        Ok(FileNotifyInformation { action, file_name })
    })
}
