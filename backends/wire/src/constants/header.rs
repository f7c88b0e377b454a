//! Command and flags of the header (MS-SMB2 2.2.1).

use super::{flags, values};

values! {
    /// The command of a message (MS-SMB2 2.2.1).
    Command: u16 {
        /// MS-SMB2 2.2.3.
        NEGOTIATE = 0x00, "negotiate";
        /// MS-SMB2 2.2.5.
        SESSION_SETUP = 0x01, "session-setup";
        /// MS-SMB2 2.2.7.
        LOGOFF = 0x02, "logoff";
        /// MS-SMB2 2.2.9.
        TREE_CONNECT = 0x03, "tree-connect";
        /// MS-SMB2 2.2.11.
        TREE_DISCONNECT = 0x04, "tree-disconnect";
        /// MS-SMB2 2.2.13.
        CREATE = 0x05, "create";
        /// MS-SMB2 2.2.15.
        CLOSE = 0x06, "close";
        /// MS-SMB2 2.2.17.
        FLUSH = 0x07, "flush";
        /// MS-SMB2 2.2.19.
        READ = 0x08, "read";
        /// MS-SMB2 2.2.21.
        WRITE = 0x09, "write";
        /// MS-SMB2 2.2.26.
        LOCK = 0x0A, "lock";
        /// MS-SMB2 2.2.31.
        IOCTL = 0x0B, "ioctl";
        /// MS-SMB2 2.2.30.
        CANCEL = 0x0C, "cancel";
        /// MS-SMB2 2.2.28.
        ECHO = 0x0D, "echo";
        /// MS-SMB2 2.2.33.
        QUERY_DIRECTORY = 0x0E, "query-directory";
        /// MS-SMB2 2.2.35.
        CHANGE_NOTIFY = 0x0F, "change-notify";
        /// MS-SMB2 2.2.37.
        QUERY_INFO = 0x10, "query-info";
        /// MS-SMB2 2.2.39.
        SET_INFO = 0x11, "set-info";
        /// MS-SMB2 2.2.23 to 2.2.25; leases too.
        OPLOCK_BREAK = 0x12, "oplock-break";
        /// MS-SMB2 2.2.44.
        SERVER_TO_CLIENT_NOTIFICATION = 0x13, "server-to-client-notification";
    }
}

flags! {
    /// The flags of the header (MS-SMB2 2.2.1).
    Flags: u32 {
        /// A response.
        SERVER_TO_REDIR = 0x0000_0001;
        /// The header has the ASYNC form.
        ASYNC_COMMAND = 0x0000_0002;
        /// In a compound: works on the open, session and tree of the request before.
        RELATED_OPERATIONS = 0x0000_0004;
        /// The signature is to be verified.
        SIGNED = 0x0000_0008;
        /// The three bits of the priority, 0 to 7 (SMB 3.1.1).
        PRIORITY_MASK = 0x0000_0070;
        /// A DFS operation: the path is a full DFS path.
        DFS_OPERATIONS = 0x1000_0000;
        /// A replay of a request that was sent before on another channel.
        REPLAY_OPERATION = 0x2000_0000;
    }
}
