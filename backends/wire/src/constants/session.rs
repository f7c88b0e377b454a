//! Flags of SESSION_SETUP and TREE_CONNECT.

use super::{flags, values};

flags! {
    /// Flags of a SESSION_SETUP request (MS-SMB2 2.2.5).
    SessionSetupFlags: u8 {
        /// SMB2_SESSION_FLAG_BINDING: a further channel of an existing session.
        BINDING = 0x01;
    }
}

flags! {
    /// SessionFlags of a SESSION_SETUP response (MS-SMB2 2.2.6).
    SessionFlags: u16 {
        /// SMB2_SESSION_FLAG_IS_GUEST.
        IS_GUEST = 0x1;
        /// SMB2_SESSION_FLAG_IS_NULL: anonymous.
        IS_NULL = 0x2;
        /// SMB2_SESSION_FLAG_ENCRYPT_DATA: all is to be encrypted.
        ENCRYPT_DATA = 0x4;
    }
}

flags! {
    /// Flags of a TREE_CONNECT request (MS-SMB2 2.2.9).
    TreeConnectFlags: u16 {
        /// SMB2_TREE_CONNECT_FLAG_CLUSTER_RECONNECT.
        CLUSTER_RECONNECT = 0x1;
        /// SMB2_TREE_CONNECT_FLAG_REDIRECT_TO_OWNER.
        REDIRECT_TO_OWNER = 0x2;
        /// SMB2_TREE_CONNECT_FLAG_EXTENSION_PRESENT.
        EXTENSION_PRESENT = 0x4;
    }
}

values! {
    /// ShareType (MS-SMB2 2.2.10).
    ShareType: u8 {
        /// Files.
        DISK = 0x01, "disk";
        /// Named pipes.
        PIPE = 0x02, "pipe";
        /// A printer.
        PRINT = 0x03, "print";
    }
}

flags! {
    /// ShareFlags (MS-SMB2 2.2.10). The two caching bits are a number of four values, not flags:
    /// manual 0, auto 0x10, VDO 0x20, none 0x30.
    ShareFlags: u32 {
        /// SMB2_SHAREFLAG_DFS.
        DFS = 0x0000_0001;
        /// SMB2_SHAREFLAG_DFS_ROOT.
        DFS_ROOT = 0x0000_0002;
        /// SMB2_SHAREFLAG_AUTO_CACHING.
        AUTO_CACHING = 0x0000_0010;
        /// SMB2_SHAREFLAG_VDO_CACHING.
        VDO_CACHING = 0x0000_0020;
        /// SMB2_SHAREFLAG_RESTRICT_EXCLUSIVE_OPENS.
        RESTRICT_EXCLUSIVE_OPENS = 0x0000_0100;
        /// SMB2_SHAREFLAG_FORCE_SHARED_DELETE.
        FORCE_SHARED_DELETE = 0x0000_0200;
        /// SMB2_SHAREFLAG_ALLOW_NAMESPACE_CACHING.
        ALLOW_NAMESPACE_CACHING = 0x0000_0400;
        /// SMB2_SHAREFLAG_ACCESS_BASED_DIRECTORY_ENUM.
        ACCESS_BASED_DIRECTORY_ENUM = 0x0000_0800;
        /// SMB2_SHAREFLAG_FORCE_LEVELII_OPLOCK.
        FORCE_LEVELII_OPLOCK = 0x0000_1000;
        /// SMB2_SHAREFLAG_ENABLE_HASH_V1.
        ENABLE_HASH_V1 = 0x0000_2000;
        /// SMB2_SHAREFLAG_ENABLE_HASH_V2.
        ENABLE_HASH_V2 = 0x0000_4000;
        /// SMB2_SHAREFLAG_ENCRYPT_DATA.
        ENCRYPT_DATA = 0x0000_8000;
        /// SMB2_SHAREFLAG_IDENTITY_REMOTING.
        IDENTITY_REMOTING = 0x0004_0000;
        /// SMB2_SHAREFLAG_COMPRESS_DATA.
        COMPRESS_DATA = 0x0010_0000;
        /// SMB2_SHAREFLAG_ISOLATED_TRANSPORT.
        ISOLATED_TRANSPORT = 0x0020_0000;
    }
}

flags! {
    /// Capabilities of a share (MS-SMB2 2.2.10).
    ShareCapabilities: u32 {
        /// SMB2_SHARE_CAP_DFS.
        DFS = 0x0000_0008;
        /// SMB2_SHARE_CAP_CONTINUOUS_AVAILABILITY.
        CONTINUOUS_AVAILABILITY = 0x0000_0010;
        /// SMB2_SHARE_CAP_SCALEOUT.
        SCALEOUT = 0x0000_0020;
        /// SMB2_SHARE_CAP_CLUSTER.
        CLUSTER = 0x0000_0040;
        /// SMB2_SHARE_CAP_ASYMMETRIC.
        ASYMMETRIC = 0x0000_0080;
        /// SMB2_SHARE_CAP_REDIRECT_TO_OWNER.
        REDIRECT_TO_OWNER = 0x0000_0100;
    }
}
