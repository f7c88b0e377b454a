//! A response as the answer of its step.

use replay_ir::Answer;
use smb_vocabulary::{Principals, answer};
use smb_wire::{Header, OplockLevel, Response, ntstatus};

use crate::native::pending::Content;

/// The answer in the words of the vocabulary; the error says what of its content cannot be read.
pub(super) fn of(
    header: &Header,
    content: Content,
    response: Response,
    principals: &Principals,
) -> Result<Answer, String> {
    let status = header.status;
    let read = match (response, content) {
        (Response::QueryDirectory(response), Content::Directory(class)) => {
            answer::query_directory(class, &response.buffer)
        }
        (Response::QueryInfo(response), Content::File(class)) => {
            answer::query_info(class, status, &response.buffer)
        }
        (Response::QueryInfo(response), Content::FileSystem(class)) => {
            answer::query_fs(class, status, &response.buffer)
        }
        (Response::ChangeNotify(response), _) => answer::notify(status, &response.buffer),
        (Response::OplockBreak(response), _) => Ok(answer::oplock_acknowledged(&response)),
        (Response::LeaseBreak(response), _) => Ok(answer::lease_acknowledged(&response)),
        (Response::QueryInfo(response), Content::Security) if status == ntstatus::SUCCESS => {
            answer::query_security(&response.buffer, principals)
        }
        (Response::Error(error), Content::File(_) | Content::FileSystem(_) | Content::Security) => {
            Ok(answer::refused_query(status, &error))
        }
        (Response::Ioctl(response), Content::Control(code)) => {
            answer::ioctl(code, status, response)
        }
        (Response::Create(response), Content::Open(asked)) => {
            let granted = response.oplock_level;
            if !may_grant(asked, granted) {
                return Err(format!(
                    "oplock {granted} was granted where {asked} was asked for"
                ));
            }
            Ok(answer::create(&response))
        }
        (Response::Create(response), _) => Ok(answer::create(&response)),
        (Response::Close(response), _) => Ok(answer::close(&response)),
        (Response::Read(response), _) => Ok(answer::read(response)),
        (Response::Write(response), _) => Ok(answer::write(&response)),
        (Response::TreeConnect(response), _) => Ok(answer::tree_connect(&response)),
        (Response::Echo(_), _) => Ok(answer::echo(header.credits)),
        (Response::QueryInfo(response), Content::Quota) if status == ntstatus::SUCCESS => {
            Ok(answer::query_quota(&response.buffer))
        }
        _ => Ok(answer::status(status)),
    };
    let answer = read.map_err(|error| error.to_string())?;
    Ok(Answer { status, ..answer })
}

/// Whether a server may grant an oplock level to a CREATE that asks for another: the same, a lower one, or none; a lease to
/// one that asks for a lease, and to no other (MS-SMB2 3.3.5.9).
fn may_grant(asked: OplockLevel, granted: OplockLevel) -> bool {
    let leases = (asked == OplockLevel::LEASE, granted == OplockLevel::LEASE);
    match leases {
        _ if granted == OplockLevel::NONE => true,
        (false, false) => granted.0 <= asked.0,
        (lease_asked, lease_granted) => lease_asked && lease_granted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_granted_than_was_asked_for() {
        const NONE: OplockLevel = OplockLevel::NONE;
        const II: OplockLevel = OplockLevel::II;
        const EXCLUSIVE: OplockLevel = OplockLevel::EXCLUSIVE;
        const BATCH: OplockLevel = OplockLevel::BATCH;
        const LEASE: OplockLevel = OplockLevel::LEASE;
        let allowed = [
            (NONE, vec![NONE]),
            (II, vec![NONE, II]),
            (EXCLUSIVE, vec![NONE, II, EXCLUSIVE]),
            (BATCH, vec![NONE, II, EXCLUSIVE, BATCH]),
            (LEASE, vec![NONE, LEASE]),
        ];
        for (asked, expected) in allowed {
            let all = [NONE, II, EXCLUSIVE, BATCH, LEASE];
            let granted = all.into_iter().filter(|&level| may_grant(asked, level));
            assert_eq!(granted.collect::<Vec<_>>(), expected, "asked for {asked}");
        }
    }
}
