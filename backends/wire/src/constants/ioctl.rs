//! Control codes of IOCTL (MS-SMB2 2.2.31, MS-FSCC 2.3).

use super::{flags, values};

flags! {
    /// Flags of an IOCTL request (MS-SMB2 2.2.31).
    IoctlFlags: u32 {
        /// SMB2_0_IOCTL_IS_FSCTL; without it an IOCTL is meant.
        IS_FSCTL = 0x1;
    }
}

values! {
    /// CtlCode (MS-SMB2 2.2.31, MS-FSCC 2.3).
    CtlCode: u32 {
        /// FSCTL_DFS_GET_REFERRALS.
        DFS_GET_REFERRALS = 0x0006_0194, "dfs-get-referrals";
        /// FSCTL_DFS_GET_REFERRALS_EX.
        DFS_GET_REFERRALS_EX = 0x0006_01B0, "dfs-get-referrals-ex";
        /// FSCTL_IS_PATHNAME_VALID.
        IS_PATHNAME_VALID = 0x0009_002C, "is-pathname-valid";
        /// FSCTL_GET_COMPRESSION.
        GET_COMPRESSION = 0x0009_003C, "get-compression";
        /// FSCTL_SET_COMPRESSION.
        SET_COMPRESSION = 0x0009_C040, "set-compression";
        /// FSCTL_FILESYSTEM_GET_STATISTICS.
        FILESYSTEM_GET_STATISTICS = 0x0009_0060, "filesystem-get-statistics";
        /// FSCTL_GET_NTFS_VOLUME_DATA.
        GET_NTFS_VOLUME_DATA = 0x0009_0064, "get-ntfs-volume-data";
        /// FSCTL_GET_RETRIEVAL_POINTERS.
        GET_RETRIEVAL_POINTERS = 0x0009_0073, "get-retrieval-pointers";
        /// FSCTL_SET_OBJECT_ID.
        SET_OBJECT_ID = 0x0009_0098, "set-object-id";
        /// FSCTL_GET_OBJECT_ID.
        GET_OBJECT_ID = 0x0009_009C, "get-object-id";
        /// FSCTL_DELETE_OBJECT_ID.
        DELETE_OBJECT_ID = 0x0009_00A0, "delete-object-id";
        /// FSCTL_SET_REPARSE_POINT.
        SET_REPARSE_POINT = 0x0009_00A4, "set-reparse-point";
        /// FSCTL_GET_REPARSE_POINT.
        GET_REPARSE_POINT = 0x0009_00A8, "get-reparse-point";
        /// FSCTL_DELETE_REPARSE_POINT.
        DELETE_REPARSE_POINT = 0x0009_00AC, "delete-reparse-point";
        /// FSCTL_SET_OBJECT_ID_EXTENDED.
        SET_OBJECT_ID_EXTENDED = 0x0009_00BC, "set-object-id-extended";
        /// FSCTL_CREATE_OR_GET_OBJECT_ID.
        CREATE_OR_GET_OBJECT_ID = 0x0009_00C0, "create-or-get-object-id";
        /// FSCTL_SET_SPARSE.
        SET_SPARSE = 0x0009_00C4, "set-sparse";
        /// FSCTL_SET_ZERO_DATA.
        SET_ZERO_DATA = 0x0009_80C8, "set-zero-data";
        /// FSCTL_QUERY_ALLOCATED_RANGES.
        QUERY_ALLOCATED_RANGES = 0x0009_40CF, "query-allocated-ranges";
        /// FSCTL_SET_ENCRYPTION.
        SET_ENCRYPTION = 0x0009_00D7, "set-encryption";
        /// FSCTL_READ_FILE_USN_DATA.
        READ_FILE_USN_DATA = 0x0009_00EB, "read-file-usn-data";
        /// FSCTL_WRITE_USN_CLOSE_RECORD.
        WRITE_USN_CLOSE_RECORD = 0x0009_00EF, "write-usn-close-record";
        /// FSCTL_SIS_COPYFILE.
        SIS_COPYFILE = 0x0009_0100, "sis-copyfile";
        /// FSCTL_RECALL_FILE.
        RECALL_FILE = 0x0009_0117, "recall-file";
        /// FSCTL_FILE_LEVEL_TRIM.
        FILE_LEVEL_TRIM = 0x0009_8208, "file-level-trim";
        /// FSCTL_OFFLOAD_READ.
        OFFLOAD_READ = 0x0009_4264, "offload-read";
        /// FSCTL_OFFLOAD_WRITE.
        OFFLOAD_WRITE = 0x0009_8268, "offload-write";
        /// FSCTL_GET_INTEGRITY_INFORMATION.
        GET_INTEGRITY_INFORMATION = 0x0009_027C, "get-integrity-information";
        /// FSCTL_SET_INTEGRITY_INFORMATION.
        SET_INTEGRITY_INFORMATION = 0x0009_C280, "set-integrity-information";
        /// FSCTL_QUERY_FILE_REGIONS.
        QUERY_FILE_REGIONS = 0x0009_0284, "query-file-regions";
        /// FSCTL_DUPLICATE_EXTENTS_TO_FILE.
        DUPLICATE_EXTENTS_TO_FILE = 0x0009_8344, "duplicate-extents-to-file";
        /// FSCTL_PIPE_PEEK.
        PIPE_PEEK = 0x0011_400C, "pipe-peek";
        /// FSCTL_PIPE_WAIT.
        PIPE_WAIT = 0x0011_0018, "pipe-wait";
        /// FSCTL_PIPE_TRANSCEIVE.
        PIPE_TRANSCEIVE = 0x0011_C017, "pipe-transceive";
        /// FSCTL_SRV_REQUEST_RESUME_KEY.
        SRV_REQUEST_RESUME_KEY = 0x0014_0078, "srv-request-resume-key";
        /// FSCTL_SRV_ENUMERATE_SNAPSHOTS.
        SRV_ENUMERATE_SNAPSHOTS = 0x0014_4064, "srv-enumerate-snapshots";
        /// FSCTL_SRV_COPYCHUNK.
        SRV_COPYCHUNK = 0x0014_40F2, "srv-copychunk";
        /// FSCTL_SRV_COPYCHUNK_WRITE.
        SRV_COPYCHUNK_WRITE = 0x0014_80F2, "srv-copychunk-write";
        /// FSCTL_SRV_READ_HASH.
        SRV_READ_HASH = 0x0014_41BB, "srv-read-hash";
        /// FSCTL_LMR_REQUEST_RESILIENCY.
        LMR_REQUEST_RESILIENCY = 0x0014_01D4, "lmr-request-resiliency";
        /// FSCTL_QUERY_NETWORK_INTERFACE_INFO.
        QUERY_NETWORK_INTERFACE_INFO = 0x0014_01FC, "query-network-interface-info";
        /// FSCTL_VALIDATE_NEGOTIATE_INFO.
        VALIDATE_NEGOTIATE_INFO = 0x0014_0204, "validate-negotiate-info";
    }
}
