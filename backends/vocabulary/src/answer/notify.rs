//! Answers of CHANGE_NOTIFY, read from their buffer (MS-FSCC 2.7.1).

use super::Fields;
use crate::words::NOTIFY_ACTION;
use replay_ir::{Answer, OwnedValue};
use smb_wire::fscc::decode_notify;

/// The changes of an answer, in the server's order. Of an answer that carries none, for instance NOTIFY_ENUM_DIR, there
/// is no field, so that no expectation of changes can be met by it.
///
/// # Errors
///
/// What of the buffer cannot be read.
pub fn notify(status: u32, buffer: &[u8]) -> Result<Answer, smb_wire::Error> {
    if buffer.is_empty() {
        return Ok(super::status(status));
    }
    let changes = decode_notify(buffer).map(|change| {
        let change = change?;
        let name = change.file_name.to_string_lossy().replace('\\', "/");
        let action = NOTIFY_ACTION.write(change.action);
        Ok(OwnedValue::Text(format!("{action} {name}")))
    });
    let changes = changes.collect::<Result<Vec<_>, smb_wire::Error>>()?;
    let mut fields = Fields::default();
    fields.0.push(("changes", OwnedValue::List(changes)));
    Ok(fields.with_status(status))
}

#[cfg(test)]
mod tests {
    use smb_wire::NotifyAction;
    use smb_wire::fscc::{FileNotifyInformation, encode_notify};

    use super::*;

    #[test]
    fn changes_are_in_the_servers_order_with_the_traces_separator() {
        let change = |action, name: &str| FileNotifyInformation {
            action,
            file_name: name.into(),
        };
        let mut buffer = Vec::new();
        let changes = [
            change(NotifyAction::RENAMED_OLD_NAME, "d\\b"),
            change(NotifyAction::RENAMED_NEW_NAME, "a"),
            change(NotifyAction(99), "x"),
        ];
        encode_notify(&changes, &mut buffer);
        let answer = notify(0, &buffer).expect("a good buffer");
        assert_eq!(
            answer.to_text(&crate::VOCABULARY),
            "OK changes=\"renamed-old-name d/b\",\"renamed-new-name a\",\"0x63 x\""
        );
        assert!(notify(0, &buffer[..buffer.len() - 1]).is_err());
    }

    #[test]
    fn no_buffer_is_no_list() {
        let answer = notify(0x10c, &[]).expect("an empty buffer");
        assert_eq!(answer.fields, []);
        assert_eq!(answer.status, 0x10c);
    }
}
