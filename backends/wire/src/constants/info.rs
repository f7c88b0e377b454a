//! Flags and classes of reading, writing, locking, querying, setting and watching.

use super::{flags, values};

flags! {
    /// Flags of CLOSE (MS-SMB2 2.2.15, 2.2.16).
    CloseFlags: u16 {
        /// SMB2_CLOSE_FLAG_POSTQUERY_ATTRIB: the response tells times, sizes and attributes.
        POSTQUERY_ATTRIB = 0x0001;
    }
}

flags! {
    /// Flags of a READ request (MS-SMB2 2.2.19).
    ReadFlags: u8 {
        /// SMB2_READFLAG_READ_UNBUFFERED.
        READ_UNBUFFERED = 0x01;
        /// SMB2_READFLAG_REQUEST_COMPRESSED.
        REQUEST_COMPRESSED = 0x02;
    }
}

flags! {
    /// Flags of a WRITE request (MS-SMB2 2.2.21).
    WriteFlags: u32 {
        /// SMB2_WRITEFLAG_WRITE_THROUGH.
        WRITE_THROUGH = 0x1;
        /// SMB2_WRITEFLAG_WRITE_UNBUFFERED.
        WRITE_UNBUFFERED = 0x2;
    }
}

flags! {
    /// Flags of one lock element (MS-SMB2 2.2.26.1).
    LockFlags: u32 {
        /// SMB2_LOCKFLAG_SHARED_LOCK.
        SHARED_LOCK = 0x01;
        /// SMB2_LOCKFLAG_EXCLUSIVE_LOCK.
        EXCLUSIVE_LOCK = 0x02;
        /// SMB2_LOCKFLAG_UNLOCK.
        UNLOCK = 0x04;
        /// SMB2_LOCKFLAG_FAIL_IMMEDIATELY.
        FAIL_IMMEDIATELY = 0x10;
    }
}

values! {
    /// InfoType (MS-SMB2 2.2.37, 2.2.39).
    InfoType: u8 {
        /// SMB2_0_INFO_FILE.
        FILE = 0x01, "file";
        /// SMB2_0_INFO_FILESYSTEM.
        FILESYSTEM = 0x02, "filesystem";
        /// SMB2_0_INFO_SECURITY.
        SECURITY = 0x03, "security";
        /// SMB2_0_INFO_QUOTA.
        QUOTA = 0x04, "quota";
    }
}

values! {
    /// A class of file information (MS-FSCC 2.4).
    FileInfoClass: u8 {
        /// MS-FSCC 2.4.10.
        DIRECTORY = 1, "directory";
        /// MS-FSCC 2.4.15.
        FULL_DIRECTORY = 2, "full-directory";
        /// MS-FSCC 2.4.8.
        BOTH_DIRECTORY = 3, "both-directory";
        /// MS-FSCC 2.4.7.
        BASIC = 4, "basic";
        /// MS-FSCC 2.4.47.
        STANDARD = 5, "standard";
        /// MS-FSCC 2.4.27.
        INTERNAL = 6, "internal";
        /// MS-FSCC 2.4.13.
        EA = 7, "ea";
        /// MS-FSCC 2.4.1.
        ACCESS = 8, "access";
        /// MS-FSCC 2.4.32.
        NAME = 9, "name";
        /// MS-FSCC 2.4.42.
        RENAME = 10, "rename";
        /// MS-FSCC 2.4.28.
        LINK = 11, "link";
        /// MS-FSCC 2.4.33.
        NAMES = 12, "names";
        /// MS-FSCC 2.4.11.
        DISPOSITION = 13, "disposition";
        /// MS-FSCC 2.4.40.
        POSITION = 14, "position";
        /// MS-FSCC 2.4.16.
        FULL_EA = 15, "full-ea";
        /// MS-FSCC 2.4.31.
        MODE = 16, "mode";
        /// MS-FSCC 2.4.3.
        ALIGNMENT = 17, "alignment";
        /// MS-FSCC 2.4.2.
        ALL = 18, "all";
        /// MS-FSCC 2.4.4.
        ALLOCATION = 19, "allocation";
        /// MS-FSCC 2.4.14.
        END_OF_FILE = 20, "end-of-file";
        /// MS-FSCC 2.4.5.
        ALTERNATE_NAME = 21, "alternate-name";
        /// MS-FSCC 2.4.49.
        STREAM = 22, "stream";
        /// MS-FSCC 2.4.37.
        PIPE = 23, "pipe";
        /// MS-FSCC 2.4.38.
        PIPE_LOCAL = 24, "pipe-local";
        /// MS-FSCC 2.4.39.
        PIPE_REMOTE = 25, "pipe-remote";
        /// MS-FSCC 2.4.9.
        COMPRESSION = 28, "compression";
        /// MS-FSCC 2.4.41.
        QUOTA = 32, "quota";
        /// MS-FSCC 2.4.34.
        NETWORK_OPEN = 34, "network-open";
        /// MS-FSCC 2.4.6.
        ATTRIBUTE_TAG = 35, "attribute-tag";
        /// MS-FSCC 2.4.22.
        ID_BOTH_DIRECTORY = 37, "id-both-directory";
        /// MS-FSCC 2.4.24.
        ID_FULL_DIRECTORY = 38, "id-full-directory";
        /// FileValidDataLengthInformation (MS-FSCC 2.4).
        VALID_DATA_LENGTH = 39, "valid-data-length";
        /// MS-FSCC 2.4.46.
        SHORT_NAME = 40, "short-name";
        /// MS-FSCC 2.4.36.
        NORMALIZED_NAME = 48, "normalized-name";
        /// MS-FSCC 2.4.26.
        ID = 59, "id";
        /// MS-FSCC 2.4.23.
        ID_EXTD_DIRECTORY = 60, "id-extd-directory";
        /// MS-FSCC 2.4.12.
        DISPOSITION_EX = 64, "disposition-ex";
        /// MS-FSCC 2.4.43.
        RENAME_EX = 65, "rename-ex";
    }
}

values! {
    /// A class of file system information (MS-FSCC 2.5).
    FsInfoClass: u8 {
        /// MS-FSCC 2.5.9.
        VOLUME = 1, "fs-volume";
        /// MS-FSCC 2.5.5.
        LABEL = 2, "fs-label";
        /// MS-FSCC 2.5.8.
        SIZE = 3, "fs-size";
        /// MS-FSCC 2.5.10.
        DEVICE = 4, "fs-device";
        /// MS-FSCC 2.5.1.
        ATTRIBUTE = 5, "fs-attribute";
        /// MS-FSCC 2.5.2.
        CONTROL = 6, "fs-control";
        /// MS-FSCC 2.5.4.
        FULL_SIZE = 7, "fs-full-size";
        /// MS-FSCC 2.5.6.
        OBJECT_ID = 8, "fs-object-id";
        /// MS-FSCC 2.5.3.
        DRIVER_PATH = 9, "fs-driver-path";
        /// MS-FSCC 2.5.7.
        SECTOR_SIZE = 11, "fs-sector-size";
    }
}

flags! {
    /// Which parts of a security descriptor are meant (MS-SMB2 2.2.37, 2.2.39).
    AdditionalInformation: u32 {
        /// OWNER_SECURITY_INFORMATION.
        OWNER = 0x0000_0001;
        /// GROUP_SECURITY_INFORMATION.
        GROUP = 0x0000_0002;
        /// DACL_SECURITY_INFORMATION.
        DACL = 0x0000_0004;
        /// SACL_SECURITY_INFORMATION.
        SACL = 0x0000_0008;
        /// LABEL_SECURITY_INFORMATION.
        LABEL = 0x0000_0010;
        /// ATTRIBUTE_SECURITY_INFORMATION.
        ATTRIBUTE = 0x0000_0020;
        /// SCOPE_SECURITY_INFORMATION.
        SCOPE = 0x0000_0040;
        /// BACKUP_SECURITY_INFORMATION.
        BACKUP = 0x0001_0000;
    }
}

flags! {
    /// Flags of a QUERY_DIRECTORY request (MS-SMB2 2.2.33).
    QueryDirectoryFlags: u8 {
        /// SMB2_RESTART_SCANS.
        RESTART_SCANS = 0x01;
        /// SMB2_RETURN_SINGLE_ENTRY.
        RETURN_SINGLE_ENTRY = 0x02;
        /// SMB2_INDEX_SPECIFIED.
        INDEX_SPECIFIED = 0x04;
        /// SMB2_REOPEN.
        REOPEN = 0x10;
    }
}

flags! {
    /// Flags of a CHANGE_NOTIFY request (MS-SMB2 2.2.35).
    NotifyFlags: u16 {
        /// SMB2_WATCH_TREE.
        WATCH_TREE = 0x0001;
    }
}

flags! {
    /// CompletionFilter of a CHANGE_NOTIFY request (MS-SMB2 2.2.35).
    CompletionFilter: u32 {
        /// FILE_NOTIFY_CHANGE_FILE_NAME.
        FILE_NAME = 0x0000_0001;
        /// FILE_NOTIFY_CHANGE_DIR_NAME.
        DIR_NAME = 0x0000_0002;
        /// FILE_NOTIFY_CHANGE_ATTRIBUTES.
        ATTRIBUTES = 0x0000_0004;
        /// FILE_NOTIFY_CHANGE_SIZE.
        SIZE = 0x0000_0008;
        /// FILE_NOTIFY_CHANGE_LAST_WRITE.
        LAST_WRITE = 0x0000_0010;
        /// FILE_NOTIFY_CHANGE_LAST_ACCESS.
        LAST_ACCESS = 0x0000_0020;
        /// FILE_NOTIFY_CHANGE_CREATION.
        CREATION = 0x0000_0040;
        /// FILE_NOTIFY_CHANGE_EA.
        EA = 0x0000_0080;
        /// FILE_NOTIFY_CHANGE_SECURITY.
        SECURITY = 0x0000_0100;
        /// FILE_NOTIFY_CHANGE_STREAM_NAME.
        STREAM_NAME = 0x0000_0200;
        /// FILE_NOTIFY_CHANGE_STREAM_SIZE.
        STREAM_SIZE = 0x0000_0400;
        /// FILE_NOTIFY_CHANGE_STREAM_WRITE.
        STREAM_WRITE = 0x0000_0800;
    }
}

values! {
    /// Action of FILE_NOTIFY_INFORMATION (MS-FSCC 2.7.1).
    NotifyAction: u32 {
        /// FILE_ACTION_ADDED.
        ADDED = 0x1, "added";
        /// FILE_ACTION_REMOVED.
        REMOVED = 0x2, "removed";
        /// FILE_ACTION_MODIFIED.
        MODIFIED = 0x3, "modified";
        /// FILE_ACTION_RENAMED_OLD_NAME.
        RENAMED_OLD_NAME = 0x4, "renamed-old-name";
        /// FILE_ACTION_RENAMED_NEW_NAME.
        RENAMED_NEW_NAME = 0x5, "renamed-new-name";
        /// FILE_ACTION_ADDED_STREAM.
        ADDED_STREAM = 0x6, "added-stream";
        /// FILE_ACTION_REMOVED_STREAM.
        REMOVED_STREAM = 0x7, "removed-stream";
        /// FILE_ACTION_MODIFIED_STREAM.
        MODIFIED_STREAM = 0x8, "modified-stream";
        /// FILE_ACTION_REMOVED_BY_DELETE.
        REMOVED_BY_DELETE = 0x9, "removed-by-delete";
        /// FILE_ACTION_ID_NOT_TUNNELLED.
        ID_NOT_TUNNELLED = 0xA, "id-not-tunnelled";
        /// FILE_ACTION_TUNNELLED_ID_COLLISION.
        TUNNELLED_ID_COLLISION = 0xB, "tunnelled-id-collision";
    }
}
