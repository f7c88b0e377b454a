//! NTSTATUS codes and their names (MS-ERREF 2.3).
//!
//! A status stays a `u32` everywhere, since a server may answer with one that has no name. That a
//! trace writes `OK` for success is left to the vocabulary.

mod table;

use std::cmp::Ordering;
use std::sync::LazyLock;
use table::TABLE;

/// STATUS_SUCCESS.
pub const SUCCESS: u32 = 0x0000_0000;
/// STATUS_PENDING: an interim response, or a wait.
pub const PENDING: u32 = 0x0000_0103;
/// STATUS_NOTIFY_CLEANUP: the directory of a CHANGE_NOTIFY was closed.
pub const NOTIFY_CLEANUP: u32 = 0x0000_010B;
/// STATUS_NOTIFY_ENUM_DIR: more changes than a CHANGE_NOTIFY could hold.
pub const NOTIFY_ENUM_DIR: u32 = 0x0000_010C;
/// STATUS_BUFFER_OVERFLOW: the buffer holds the beginning of the answer.
pub const BUFFER_OVERFLOW: u32 = 0x8000_0005;
/// STATUS_NO_MORE_FILES: the end of a QUERY_DIRECTORY.
pub const NO_MORE_FILES: u32 = 0x8000_0006;
/// STATUS_NO_SUCH_FILE: a listing whose pattern selects nothing.
pub const NO_SUCH_FILE: u32 = 0xC000_000F;
/// STATUS_END_OF_FILE: a read behind the last byte.
pub const END_OF_FILE: u32 = 0xC000_0011;
/// STATUS_MORE_PROCESSING_REQUIRED: the SESSION_SETUP goes on.
pub const MORE_PROCESSING_REQUIRED: u32 = 0xC000_0016;
/// STATUS_ACCESS_DENIED.
pub const ACCESS_DENIED: u32 = 0xC000_0022;
/// STATUS_BUFFER_TOO_SMALL: nothing of the answer fits; the error may say how much would.
pub const BUFFER_TOO_SMALL: u32 = 0xC000_0023;
/// STATUS_OBJECT_NAME_NOT_FOUND.
pub const OBJECT_NAME_NOT_FOUND: u32 = 0xC000_0034;
/// STATUS_OBJECT_NAME_COLLISION.
pub const OBJECT_NAME_COLLISION: u32 = 0xC000_0035;
/// STATUS_OBJECT_PATH_NOT_FOUND: a directory before the last part of the name does not exist.
pub const OBJECT_PATH_NOT_FOUND: u32 = 0xC000_003A;
/// STATUS_SHARING_VIOLATION: another open does not share what is asked for, or the other way round.
pub const SHARING_VIOLATION: u32 = 0xC000_0043;
/// STATUS_LOGON_FAILURE.
pub const LOGON_FAILURE: u32 = 0xC000_006D;
/// STATUS_DIRECTORY_NOT_EMPTY: a directory that is to be deleted has entries.
pub const DIRECTORY_NOT_EMPTY: u32 = 0xC000_0101;
/// STATUS_CANCELLED.
pub const CANCELLED: u32 = 0xC000_0120;

/// What the two highest bits say (MS-ERREF 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// 0.
    Success,
    /// 1.
    Informational,
    /// 2.
    Warning,
    /// 3.
    Error,
}

/// The severity of a status.
pub fn severity(status: u32) -> Severity {
    match status >> 30 {
        0 => Severity::Success,
        1 => Severity::Informational,
        2 => Severity::Warning,
        _ => Severity::Error,
    }
}

/// The name without `STATUS_`, for instance `OBJECT_NAME_NOT_FOUND`; that of 0 is `SUCCESS`.
pub fn name(status: u32) -> Option<&'static str> {
    let index = TABLE
        .binary_search_by_key(&status, |(code, _)| *code)
        .ok()?;
    Some(TABLE[index].1)
}

/// The status of a name in any case, with or without `STATUS_` or `NT_STATUS_` before it.
pub fn by_name(name: &str) -> Option<u32> {
    let bare = ["NT_STATUS_", "STATUS_"]
        .iter()
        .find_map(|prefix| {
            let (start, rest) = name.split_at_checked(prefix.len())?;
            start.eq_ignore_ascii_case(prefix).then_some(rest)
        })
        .unwrap_or(name);
    let found = BY_NAME
        .binary_search_by(|&index| compare(TABLE[usize::from(index)].1, bare))
        .ok()?;
    Some(TABLE[usize::from(BY_NAME[found])].0)
}

/// All codes with their names, in the order of the codes.
pub fn all() -> impl Iterator<Item = (u32, &'static str)> {
    TABLE.iter().copied()
}

/// The indices of the table in the order of the names.
static BY_NAME: LazyLock<Vec<u16>> = LazyLock::new(|| {
    let mut indices: Vec<u16> = (0..=u16::MAX).take(TABLE.len()).collect();
    indices.sort_unstable_by(|&a, &b| TABLE[usize::from(a)].1.cmp(TABLE[usize::from(b)].1));
    indices
});

/// Compares a name of the table, which is in capitals, with one in any case.
fn compare(name: &str, other: &str) -> Ordering {
    name.bytes()
        .cmp(other.bytes().map(|byte| byte.to_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sorted_and_names_are_unique() {
        assert!(TABLE.is_sorted_by(|a, b| a.0 < b.0));
        for (code, text) in all() {
            assert_eq!(by_name(text), Some(code), "{text}");
            assert_eq!(name(code), Some(text));
            assert!(!text.starts_with("STATUS_"), "{text}");
            assert!(
                text.bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
            );
        }
    }

    /// Values as MS-ERREF 2.3.1 prints them.
    #[test]
    fn names_of_the_specification() {
        for (code, text) in [
            (0x0000_0000, "SUCCESS"),
            (0x0000_0103, "PENDING"),
            (0x0000_0108, "OPLOCK_BREAK_IN_PROGRESS"),
            (0x0000_010C, "NOTIFY_ENUM_DIR"),
            (0x8000_0005, "BUFFER_OVERFLOW"),
            (0x8000_0006, "NO_MORE_FILES"),
            (0x8000_002D, "STOPPED_ON_SYMLINK"),
            (0xC000_0003, "INVALID_INFO_CLASS"),
            (0xC000_0004, "INFO_LENGTH_MISMATCH"),
            (0xC000_000D, "INVALID_PARAMETER"),
            (0xC000_000F, "NO_SUCH_FILE"),
            (0xC000_0011, "END_OF_FILE"),
            (0xC000_0016, "MORE_PROCESSING_REQUIRED"),
            (0xC000_0022, "ACCESS_DENIED"),
            (0xC000_0023, "BUFFER_TOO_SMALL"),
            (0xC000_0033, "OBJECT_NAME_INVALID"),
            (0xC000_0034, "OBJECT_NAME_NOT_FOUND"),
            (0xC000_0035, "OBJECT_NAME_COLLISION"),
            (0xC000_003A, "OBJECT_PATH_NOT_FOUND"),
            (0xC000_0043, "SHARING_VIOLATION"),
            (0xC000_0054, "FILE_LOCK_CONFLICT"),
            (0xC000_0055, "LOCK_NOT_GRANTED"),
            (0xC000_0056, "DELETE_PENDING"),
            (0xC000_006D, "LOGON_FAILURE"),
            (0xC000_007E, "RANGE_NOT_LOCKED"),
            (0xC000_00BA, "FILE_IS_A_DIRECTORY"),
            (0xC000_00BB, "NOT_SUPPORTED"),
            (0xC000_00CC, "BAD_NETWORK_NAME"),
            (0xC000_0101, "DIRECTORY_NOT_EMPTY"),
            (0xC000_0103, "NOT_A_DIRECTORY"),
            (0xC000_0120, "CANCELLED"),
            (0xC000_0121, "CANNOT_DELETE"),
            (0xC000_0128, "FILE_CLOSED"),
            (0xC000_0203, "USER_SESSION_DELETED"),
            (0xC000_0225, "NOT_FOUND"),
            (0xC000_035C, "NETWORK_SESSION_EXPIRED"),
            (0xC05D_0000, "SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP"),
        ] {
            assert_eq!(name(code), Some(text));
        }
        assert_eq!(name(0xDEAD_BEEF), None);
    }

    #[test]
    fn names_in_any_dress() {
        for text in [
            "access_denied",
            "STATUS_ACCESS_DENIED",
            "nt_status_Access_Denied",
        ] {
            assert_eq!(by_name(text), Some(ACCESS_DENIED));
        }
        for text in [
            "",
            "STATUS_",
            "NT_STATUS_STATUS_ACCESS_DENIED",
            "ACCESS_DENIEDX",
            "größe",
        ] {
            assert_eq!(by_name(text), None, "{text}");
        }
    }

    #[test]
    fn severities() {
        assert_eq!(severity(PENDING), Severity::Success);
        assert_eq!(severity(0x4000_0000), Severity::Informational);
        assert_eq!(severity(BUFFER_OVERFLOW), Severity::Warning);
        assert_eq!(severity(ACCESS_DENIED), Severity::Error);
    }
}
