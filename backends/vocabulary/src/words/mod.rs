//! The words that stand for numbers in a trace: flags (`access=r|delete`), choices (`disposition=open-if`), both ways.
//!
//! Every set also takes `0x` hexadecimal, so that a trace can send a value that the specification does not name. Writing
//! gives one canonical form, which is what answers carry and what an expectation must be written in.

mod reading;

use smb_wire::{
    AccessMask, AdditionalInformation, CompletionFilter, CreateAction, CreateDisposition,
    CreateOptions, FileAttributes, FileInfoClass, FsInfoClass, ImpersonationLevel, LeaseState,
    NotifyAction, OplockLevel, ShareAccess,
};

pub use reading::{ChoiceWords, FlagWords};
pub(crate) use reading::{
    canonical, check_canonical_hex, check_ctl_code, check_number, parse_ctl_code, parse_number,
};

/// FILE_GENERIC_READ written out, so that the server has nothing to map.
pub const GENERIC_READ: AccessMask = AccessMask::from_bits_retain(0x0012_0089);
/// FILE_GENERIC_WRITE written out.
pub const GENERIC_WRITE: AccessMask = AccessMask::from_bits_retain(0x0012_0116);
/// All that others may do beside an open.
pub const SHARE_ALL: ShareAccess = ShareAccess::from_bits_retain(7);

/// Access rights (MS-SMB2 2.2.13.1).
pub static ACCESS: FlagWords<AccessMask> = FlagWords {
    what: "access right",
    words: &[
        ("read-data", AccessMask::READ_DATA),
        ("write-data", AccessMask::WRITE_DATA),
        ("append-data", AccessMask::APPEND_DATA),
        ("read-ea", AccessMask::READ_EA),
        ("write-ea", AccessMask::WRITE_EA),
        ("execute", AccessMask::EXECUTE),
        ("delete-child", AccessMask::DELETE_CHILD),
        ("read-attributes", AccessMask::READ_ATTRIBUTES),
        ("write-attributes", AccessMask::WRITE_ATTRIBUTES),
        ("delete", AccessMask::DELETE),
        ("read-control", AccessMask::READ_CONTROL),
        ("write-dac", AccessMask::WRITE_DAC),
        ("write-owner", AccessMask::WRITE_OWNER),
        ("synchronize", AccessMask::SYNCHRONIZE),
        ("system-security", AccessMask::ACCESS_SYSTEM_SECURITY),
        ("maximum-allowed", AccessMask::MAXIMUM_ALLOWED),
        ("generic-all", AccessMask::GENERIC_ALL),
        ("generic-execute", AccessMask::GENERIC_EXECUTE),
        ("generic-write", AccessMask::GENERIC_WRITE),
        ("generic-read", AccessMask::GENERIC_READ),
        ("list-directory", AccessMask::READ_DATA),
        ("add-file", AccessMask::WRITE_DATA),
        ("add-subdirectory", AccessMask::APPEND_DATA),
        ("traverse", AccessMask::EXECUTE),
    ],
    letters: &[
        ('r', GENERIC_READ),
        ('w', GENERIC_WRITE),
        ('d', AccessMask::DELETE),
    ],
    by_letter: false,
};

/// Share access (MS-SMB2 2.2.13).
pub static SHARE: FlagWords<ShareAccess> = FlagWords {
    what: "share access",
    words: &[],
    letters: &[
        ('r', ShareAccess::READ),
        ('w', ShareAccess::WRITE),
        ('d', ShareAccess::DELETE),
    ],
    by_letter: true,
};

/// Parts of a security descriptor (MS-SMB2 2.2.37, 2.2.39).
pub static SECURITY: FlagWords<AdditionalInformation> = FlagWords {
    what: "part of a security descriptor",
    words: &[
        ("owner", AdditionalInformation::OWNER),
        ("group", AdditionalInformation::GROUP),
        ("dacl", AdditionalInformation::DACL),
        ("sacl", AdditionalInformation::SACL),
        ("label", AdditionalInformation::LABEL),
        ("attribute", AdditionalInformation::ATTRIBUTE),
        ("scope", AdditionalInformation::SCOPE),
        ("backup", AdditionalInformation::BACKUP),
    ],
    letters: &[],
    by_letter: false,
};

/// Create options (MS-SMB2 2.2.13).
pub static OPTIONS: FlagWords<CreateOptions> = FlagWords {
    what: "create option",
    words: &[
        ("directory", CreateOptions::DIRECTORY_FILE),
        ("write-through", CreateOptions::WRITE_THROUGH),
        ("sequential-only", CreateOptions::SEQUENTIAL_ONLY),
        (
            "no-intermediate-buffering",
            CreateOptions::NO_INTERMEDIATE_BUFFERING,
        ),
        ("synchronous-io-alert", CreateOptions::SYNCHRONOUS_IO_ALERT),
        (
            "synchronous-io-nonalert",
            CreateOptions::SYNCHRONOUS_IO_NONALERT,
        ),
        ("non-directory", CreateOptions::NON_DIRECTORY_FILE),
        ("complete-if-oplocked", CreateOptions::COMPLETE_IF_OPLOCKED),
        ("no-ea-knowledge", CreateOptions::NO_EA_KNOWLEDGE),
        ("open-remote-instance", CreateOptions::OPEN_REMOTE_INSTANCE),
        ("random-access", CreateOptions::RANDOM_ACCESS),
        ("delete-on-close", CreateOptions::DELETE_ON_CLOSE),
        ("open-by-file-id", CreateOptions::OPEN_BY_FILE_ID),
        (
            "open-for-backup-intent",
            CreateOptions::OPEN_FOR_BACKUP_INTENT,
        ),
        ("no-compression", CreateOptions::NO_COMPRESSION),
        (
            "open-requiring-oplock",
            CreateOptions::OPEN_REQUIRING_OPLOCK,
        ),
        ("disallow-exclusive", CreateOptions::DISALLOW_EXCLUSIVE),
        ("reserve-opfilter", CreateOptions::RESERVE_OPFILTER),
        ("open-reparse-point", CreateOptions::OPEN_REPARSE_POINT),
        ("open-no-recall", CreateOptions::OPEN_NO_RECALL),
        (
            "open-for-free-space-query",
            CreateOptions::OPEN_FOR_FREE_SPACE_QUERY,
        ),
    ],
    letters: &[],
    by_letter: false,
};

/// File attributes (MS-FSCC 2.6).
pub static ATTRIBUTES: FlagWords<FileAttributes> = FlagWords {
    what: "file attribute",
    words: &[
        ("readonly", FileAttributes::READONLY),
        ("hidden", FileAttributes::HIDDEN),
        ("system", FileAttributes::SYSTEM),
        ("directory", FileAttributes::DIRECTORY),
        ("archive", FileAttributes::ARCHIVE),
        ("normal", FileAttributes::NORMAL),
        ("temporary", FileAttributes::TEMPORARY),
        ("sparse", FileAttributes::SPARSE_FILE),
        ("reparse-point", FileAttributes::REPARSE_POINT),
        ("compressed", FileAttributes::COMPRESSED),
        ("offline", FileAttributes::OFFLINE),
        ("not-content-indexed", FileAttributes::NOT_CONTENT_INDEXED),
        ("encrypted", FileAttributes::ENCRYPTED),
        ("integrity-stream", FileAttributes::INTEGRITY_STREAM),
        ("no-scrub-data", FileAttributes::NO_SCRUB_DATA),
    ],
    letters: &[],
    by_letter: false,
};

/// Changes that a CHANGE_NOTIFY waits for (MS-SMB2 2.2.35).
pub static COMPLETION_FILTER: FlagWords<CompletionFilter> = FlagWords {
    what: "completion filter",
    words: &[
        ("file-name", CompletionFilter::FILE_NAME),
        ("dir-name", CompletionFilter::DIR_NAME),
        ("attributes", CompletionFilter::ATTRIBUTES),
        ("size", CompletionFilter::SIZE),
        ("last-write", CompletionFilter::LAST_WRITE),
        ("last-access", CompletionFilter::LAST_ACCESS),
        ("creation", CompletionFilter::CREATION),
        ("ea", CompletionFilter::EA),
        ("security", CompletionFilter::SECURITY),
        ("stream-name", CompletionFilter::STREAM_NAME),
        ("stream-size", CompletionFilter::STREAM_SIZE),
        ("stream-write", CompletionFilter::STREAM_WRITE),
    ],
    letters: &[],
    by_letter: false,
};

/// Lease states (MS-SMB2 2.2.13.2.8): read, write and handle caching.
pub static LEASE: FlagWords<LeaseState> = FlagWords {
    what: "lease state",
    words: &[],
    letters: &[
        ('r', LeaseState::READ_CACHING),
        ('w', LeaseState::WRITE_CACHING),
        ('h', LeaseState::HANDLE_CACHING),
    ],
    by_letter: true,
};

/// The named choice over a newtype of `smb-wire`.
macro_rules! choice {
    ($(#[$meta:meta])* $name:ident: $type:ident($repr:ty), $what:literal, $words:expr) => {
        $(#[$meta])*
        pub static $name: ChoiceWords<$type> = ChoiceWords {
            what: $what,
            words: $words,
            from_number: |number| <$repr>::try_from(number).ok().map($type),
            number: |value| u32::from(value.0),
        };
    };
}

choice! {
    /// Create dispositions (MS-SMB2 2.2.13).
    DISPOSITION: CreateDisposition(u32), "create disposition", CreateDisposition::VALUES
}

choice! {
    /// Create actions (MS-SMB2 2.2.14).
    ACTION: CreateAction(u32), "create action", CreateAction::VALUES
}

choice! {
    /// Oplock levels (MS-SMB2 2.2.13).
    OPLOCK: OplockLevel(u8), "oplock level", OplockLevel::VALUES
}

choice! {
    /// What happened to a file (MS-FSCC 2.7.1).
    NOTIFY_ACTION: NotifyAction(u32), "action", NotifyAction::VALUES
}

choice! {
    /// Impersonation levels (MS-SMB2 2.2.13).
    IMPERSONATION: ImpersonationLevel(u32), "impersonation level", ImpersonationLevel::VALUES
}

choice! {
    /// The classes of `query-info` (MS-FSCC 2.4).
    FILE_CLASS: FileInfoClass(u8), "file information class", FileInfoClass::VALUES
}

choice! {
    /// The classes of `query-directory` (MS-SMB2 2.2.33).
    DIRECTORY_CLASS: FileInfoClass(u8), "directory information class", &[
        (FileInfoClass::DIRECTORY, "directory"),
        (FileInfoClass::FULL_DIRECTORY, "full"),
        (FileInfoClass::BOTH_DIRECTORY, "both"),
        (FileInfoClass::NAMES, "names"),
        (FileInfoClass::ID_BOTH_DIRECTORY, "id-both"),
        (FileInfoClass::ID_FULL_DIRECTORY, "id-full"),
    ]
}

choice! {
    /// The classes of `query-fs` (MS-FSCC 2.5).
    FS_CLASS: FsInfoClass(u8), "file system information class", &[
        (FsInfoClass::VOLUME, "volume"),
        (FsInfoClass::SIZE, "size"),
        (FsInfoClass::DEVICE, "device"),
        (FsInfoClass::ATTRIBUTE, "attribute"),
        (FsInfoClass::CONTROL, "control"),
        (FsInfoClass::FULL_SIZE, "full-size"),
        (FsInfoClass::OBJECT_ID, "object-id"),
        (FsInfoClass::SECTOR_SIZE, "sector-size"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_letters_and_numbers_name_the_same_bits() {
        assert_eq!(ACCESS.parse("rw").map(|mask| mask.bits()), Ok(0x0012_019f));
        assert_eq!(
            ACCESS.parse("r|delete|0x40").map(|mask| mask.bits()),
            Ok(0x0013_00c9)
        );
        assert_eq!(ACCESS.parse("list-directory"), ACCESS.parse("read-data"));
        assert_eq!(SHARE.parse("dr").map(|share| share.bits()), Ok(5));
        assert_eq!(OPLOCK.parse("batch"), Ok(OplockLevel(9)));
        assert_eq!(OPLOCK.parse("0x7"), Ok(OplockLevel(7)));
    }

    #[test]
    fn canonical_text_reads_back() {
        for bits in [0, 1, 0x21, 0x8000_0011, u32::MAX] {
            let flags = FileAttributes::from_bits_retain(bits);
            assert_eq!(ATTRIBUTES.parse(&ATTRIBUTES.write(flags)), Ok(flags));
            let state = LeaseState::from_bits_retain(bits);
            assert_eq!(LEASE.parse(&LEASE.write(state)), Ok(state));
        }
        assert_eq!(LEASE.write(LeaseState::from_bits_retain(7)), "rwh");
        assert_eq!(
            ATTRIBUTES.write(FileAttributes::from_bits_retain(0x8000_0021)),
            "readonly|archive|0x80000000"
        );
    }

    #[test]
    fn unknown_words_are_refused_with_what_is_known() {
        for bad in ["", "x", "r|", "0x", "0x123456789", "readdata"] {
            assert!(ACCESS.parse(bad).is_err(), "{bad}");
        }
        let error = SHARE.parse("q").unwrap_err();
        assert_eq!(
            error,
            "`q` is no share access; one may write letters of `r` `w` `d`, `none`, or 0x hexadecimal"
        );
        assert!(
            OPLOCK.parse("0x100").is_err(),
            "an oplock level has eight bits"
        );
        assert_eq!(
            ATTRIBUTES.check_canonical("archive|readonly"),
            Err("answers write this as `readonly|archive`".to_owned())
        );
    }
}
