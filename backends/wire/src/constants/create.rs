//! What CREATE asks for and answers: disposition, options, action, oplocks, leases, durable opens.

use super::{flags, values};

values! {
    /// RequestedOplockLevel and OplockLevel (MS-SMB2 2.2.13, 2.2.14, 2.2.23.1).
    OplockLevel: u8 {
        /// SMB2_OPLOCK_LEVEL_NONE.
        NONE = 0x00, "none";
        /// SMB2_OPLOCK_LEVEL_II.
        II = 0x01, "ii";
        /// SMB2_OPLOCK_LEVEL_EXCLUSIVE.
        EXCLUSIVE = 0x08, "exclusive";
        /// SMB2_OPLOCK_LEVEL_BATCH.
        BATCH = 0x09, "batch";
        /// SMB2_OPLOCK_LEVEL_LEASE: the level is in the lease context.
        LEASE = 0xFF, "lease";
    }
}

values! {
    /// ImpersonationLevel (MS-SMB2 2.2.13).
    ImpersonationLevel: u32 {
        /// The server learns nothing of the client.
        ANONYMOUS = 0, "anonymous";
        /// The server learns who the client is.
        IDENTIFICATION = 1, "identification";
        /// The server acts for the client on its own machine.
        IMPERSONATION = 2, "impersonation";
        /// The server acts for the client on other machines too.
        DELEGATE = 3, "delegate";
    }
}

values! {
    /// CreateDisposition (MS-SMB2 2.2.13).
    CreateDisposition: u32 {
        /// Replaces the file, or creates it.
        SUPERSEDE = 0, "supersede";
        /// Opens the file, fails if there is none.
        OPEN = 1, "open";
        /// Creates the file, fails if there is one.
        CREATE = 2, "create";
        /// Opens the file or creates it.
        OPEN_IF = 3, "open-if";
        /// Empties the file, fails if there is none.
        OVERWRITE = 4, "overwrite";
        /// Empties the file or creates it.
        OVERWRITE_IF = 5, "overwrite-if";
    }
}

values! {
    /// CreateAction (MS-SMB2 2.2.14).
    CreateAction: u32 {
        /// FILE_SUPERSEDED.
        SUPERSEDED = 0, "superseded";
        /// FILE_OPENED.
        OPENED = 1, "opened";
        /// FILE_CREATED.
        CREATED = 2, "created";
        /// FILE_OVERWRITTEN.
        OVERWRITTEN = 3, "overwritten";
    }
}

flags! {
    /// CreateOptions (MS-SMB2 2.2.13).
    CreateOptions: u32 {
        /// FILE_DIRECTORY_FILE.
        DIRECTORY_FILE = 0x0000_0001;
        /// FILE_WRITE_THROUGH.
        WRITE_THROUGH = 0x0000_0002;
        /// FILE_SEQUENTIAL_ONLY.
        SEQUENTIAL_ONLY = 0x0000_0004;
        /// FILE_NO_INTERMEDIATE_BUFFERING.
        NO_INTERMEDIATE_BUFFERING = 0x0000_0008;
        /// FILE_SYNCHRONOUS_IO_ALERT.
        SYNCHRONOUS_IO_ALERT = 0x0000_0010;
        /// FILE_SYNCHRONOUS_IO_NONALERT.
        SYNCHRONOUS_IO_NONALERT = 0x0000_0020;
        /// FILE_NON_DIRECTORY_FILE.
        NON_DIRECTORY_FILE = 0x0000_0040;
        /// FILE_COMPLETE_IF_OPLOCKED.
        COMPLETE_IF_OPLOCKED = 0x0000_0100;
        /// FILE_NO_EA_KNOWLEDGE.
        NO_EA_KNOWLEDGE = 0x0000_0200;
        /// FILE_OPEN_REMOTE_INSTANCE.
        OPEN_REMOTE_INSTANCE = 0x0000_0400;
        /// FILE_RANDOM_ACCESS.
        RANDOM_ACCESS = 0x0000_0800;
        /// FILE_DELETE_ON_CLOSE.
        DELETE_ON_CLOSE = 0x0000_1000;
        /// FILE_OPEN_BY_FILE_ID.
        OPEN_BY_FILE_ID = 0x0000_2000;
        /// FILE_OPEN_FOR_BACKUP_INTENT.
        OPEN_FOR_BACKUP_INTENT = 0x0000_4000;
        /// FILE_NO_COMPRESSION.
        NO_COMPRESSION = 0x0000_8000;
        /// FILE_OPEN_REQUIRING_OPLOCK.
        OPEN_REQUIRING_OPLOCK = 0x0001_0000;
        /// FILE_DISALLOW_EXCLUSIVE.
        DISALLOW_EXCLUSIVE = 0x0002_0000;
        /// FILE_RESERVE_OPFILTER.
        RESERVE_OPFILTER = 0x0010_0000;
        /// FILE_OPEN_REPARSE_POINT.
        OPEN_REPARSE_POINT = 0x0020_0000;
        /// FILE_OPEN_NO_RECALL.
        OPEN_NO_RECALL = 0x0040_0000;
        /// FILE_OPEN_FOR_FREE_SPACE_QUERY.
        OPEN_FOR_FREE_SPACE_QUERY = 0x0080_0000;
    }
}

flags! {
    /// Flags of a CREATE response (MS-SMB2 2.2.14).
    CreateResponseFlags: u8 {
        /// SMB2_CREATE_FLAG_REPARSEPOINT: the last component of the path is a reparse point.
        REPARSEPOINT = 0x01;
    }
}

flags! {
    /// LeaseState (MS-SMB2 2.2.13.2.8).
    LeaseState: u32 {
        /// SMB2_LEASE_READ_CACHING.
        READ_CACHING = 0x1;
        /// SMB2_LEASE_HANDLE_CACHING.
        HANDLE_CACHING = 0x2;
        /// SMB2_LEASE_WRITE_CACHING.
        WRITE_CACHING = 0x4;
    }
}

impl LeaseState {
    /// As the specification writes a state: `RWH`, `RH`, `R`, `none`; unknown bits follow in
    /// hexadecimal.
    pub fn letters(self) -> String {
        let letters = [
            (Self::READ_CACHING, 'R'),
            (Self::WRITE_CACHING, 'W'),
            (Self::HANDLE_CACHING, 'H'),
        ];
        let mut text: String = letters
            .iter()
            .filter(|(flag, _)| self.contains(*flag))
            .map(|(_, letter)| *letter)
            .collect();
        let unknown = self.bits() & !0x7;
        if unknown != 0 {
            text.push_str(&format!("{unknown:#x}"));
        }
        if text.is_empty() {
            "none".to_owned()
        } else {
            text
        }
    }

    /// The state of letters `R`, `W` and `H` in any order and case, or of `none`.
    pub fn from_letters(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("none") {
            return Some(Self::empty());
        }
        if text.is_empty() {
            return None;
        }
        text.chars().try_fold(Self::empty(), |state, letter| {
            let flag = match letter.to_ascii_uppercase() {
                'R' => Self::READ_CACHING,
                'W' => Self::WRITE_CACHING,
                'H' => Self::HANDLE_CACHING,
                _ => return None,
            };
            (!state.contains(flag)).then(|| state.union(flag))
        })
    }
}

flags! {
    /// Flags of a lease (MS-SMB2 2.2.13.2.8, 2.2.13.2.10, 2.2.14.2.10, 2.2.23.2).
    LeaseFlags: u32 {
        /// In a break notification: the client must acknowledge.
        BREAK_ACK_REQUIRED = 0x1;
        /// In a CREATE response: a break of this lease is under way.
        BREAK_IN_PROGRESS = 0x2;
        /// The parent lease key is set.
        PARENT_LEASE_KEY_SET = 0x4;
    }
}

flags! {
    /// Flags of the durable handle v2 contexts (MS-SMB2 2.2.13.2.11, 2.2.14.2.12).
    DurableFlags: u32 {
        /// SMB2_DHANDLE_FLAG_PERSISTENT.
        PERSISTENT = 0x2;
    }
}
