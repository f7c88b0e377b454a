//! What NEGOTIATE settles: dialect, security mode, capabilities and the algorithms of its contexts.

use super::{flags, values};

values! {
    /// A dialect (MS-SMB2 2.2.3, 2.2.4).
    Dialect: u16 {
        /// SMB 2.0.2.
        SMB_2_0_2 = 0x0202, "2.0.2";
        /// SMB 2.1.
        SMB_2_1 = 0x0210, "2.1";
        /// SMB 3.0.
        SMB_3_0 = 0x0300, "3.0";
        /// SMB 3.0.2.
        SMB_3_0_2 = 0x0302, "3.0.2";
        /// SMB 3.1.1.
        SMB_3_1_1 = 0x0311, "3.1.1";
        /// In a response to a multi-protocol NEGOTIATE: an SMB2 NEGOTIATE is to follow.
        WILDCARD = 0x02FF, "2.x";
    }
}

flags! {
    /// SecurityMode (MS-SMB2 2.2.3, 2.2.4, 2.2.5).
    SecurityMode: u16 {
        /// SMB2_NEGOTIATE_SIGNING_ENABLED.
        SIGNING_ENABLED = 0x1;
        /// SMB2_NEGOTIATE_SIGNING_REQUIRED.
        SIGNING_REQUIRED = 0x2;
    }
}

flags! {
    /// Capabilities (MS-SMB2 2.2.3, 2.2.4, 2.2.5).
    Capabilities: u32 {
        /// SMB2_GLOBAL_CAP_DFS.
        DFS = 0x01;
        /// SMB2_GLOBAL_CAP_LEASING.
        LEASING = 0x02;
        /// SMB2_GLOBAL_CAP_LARGE_MTU: multi-credit operations.
        LARGE_MTU = 0x04;
        /// SMB2_GLOBAL_CAP_MULTI_CHANNEL.
        MULTI_CHANNEL = 0x08;
        /// SMB2_GLOBAL_CAP_PERSISTENT_HANDLES.
        PERSISTENT_HANDLES = 0x10;
        /// SMB2_GLOBAL_CAP_DIRECTORY_LEASING.
        DIRECTORY_LEASING = 0x20;
        /// SMB2_GLOBAL_CAP_ENCRYPTION.
        ENCRYPTION = 0x40;
        /// SMB2_GLOBAL_CAP_NOTIFICATIONS.
        NOTIFICATIONS = 0x80;
    }
}

values! {
    /// A hash algorithm of preauthentication integrity (MS-SMB2 2.2.3.1.1).
    HashAlgorithm: u16 {
        /// The only one.
        SHA_512 = 0x0001, "sha-512";
    }
}

values! {
    /// A cipher (MS-SMB2 2.2.3.1.2).
    Cipher: u16 {
        /// In a response: no cipher in common.
        NONE = 0x0000, "none";
        /// AES-128-CCM.
        AES_128_CCM = 0x0001, "aes-128-ccm";
        /// AES-128-GCM.
        AES_128_GCM = 0x0002, "aes-128-gcm";
        /// AES-256-CCM.
        AES_256_CCM = 0x0003, "aes-256-ccm";
        /// AES-256-GCM.
        AES_256_GCM = 0x0004, "aes-256-gcm";
    }
}

values! {
    /// A compression algorithm (MS-SMB2 2.2.3.1.3).
    CompressionAlgorithm: u16 {
        /// No compression.
        NONE = 0x0000, "none";
        /// LZNT1.
        LZNT1 = 0x0001, "lznt1";
        /// LZ77.
        LZ77 = 0x0002, "lz77";
        /// LZ77+Huffman.
        LZ77_HUFFMAN = 0x0003, "lz77-huffman";
        /// Pattern_V1.
        PATTERN_V1 = 0x0004, "pattern-v1";
        /// LZ4.
        LZ4 = 0x0005, "lz4";
    }
}

flags! {
    /// Flags of the compression context (MS-SMB2 2.2.3.1.3) and of the compression header (2.2.42).
    CompressionFlags: u32 {
        /// Chained compression.
        CHAINED = 0x1;
    }
}

flags! {
    /// Flags of the transport context (MS-SMB2 2.2.3.1.5).
    TransportFlags: u32 {
        /// SMB2_ACCEPT_TRANSPORT_LEVEL_SECURITY.
        ACCEPT_TRANSPORT_LEVEL_SECURITY = 0x1;
    }
}

values! {
    /// An RDMA transform (MS-SMB2 2.2.3.1.6).
    RdmaTransform: u16 {
        /// No transform.
        NONE = 0x0000, "none";
        /// Encryption of what RDMA moves.
        ENCRYPTION = 0x0001, "encryption";
        /// Signing of what RDMA moves.
        SIGNING = 0x0002, "signing";
    }
}

values! {
    /// A signing algorithm (MS-SMB2 2.2.3.1.7).
    SigningAlgorithm: u16 {
        /// HMAC-SHA256, that of SMB 2.0.2 and 2.1.
        HMAC_SHA256 = 0x0000, "hmac-sha256";
        /// AES-128-CMAC, that of SMB 3.0 and 3.0.2.
        AES_CMAC = 0x0001, "aes-cmac";
        /// AES-128-GMAC.
        AES_GMAC = 0x0002, "aes-gmac";
    }
}
