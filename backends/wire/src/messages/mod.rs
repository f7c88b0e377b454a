//! The bodies of the messages, a module per command.
//!
//! Every body has `encode`, which appends what follows the 64-byte header, and `decode`, which
//! takes the whole message from its header on. Offsets and lengths are computed when encoding and
//! checked when decoding; reserved fields are written as zeros. Fields are named as in MS-SMB2.

mod change_notify;
mod close;
mod create;
mod create_context;
mod echo;
mod error;
mod flush;
mod ioctl;
mod lock;
mod logoff;
mod negotiate;
mod negotiate_context;
mod oplock_break;
mod query_directory;
mod query_info;
mod read;
mod session_setup;
mod set_info;
mod transform;
mod tree_connect;
mod tree_disconnect;
mod write;

pub use change_notify::{ChangeNotifyRequest, ChangeNotifyResponse};
pub use close::{CloseRequest, CloseResponse};
pub use create::{CreateRequest, CreateResponse};
pub use create_context::{
    AppInstanceVersion, DurableHandleReconnectV2, DurableHandleRequestV2, DurableHandleResponseV2,
    Lease, LeaseV2, MaximalAccess, OnDiskId, RequestContext, ResponseContext,
};
pub use echo::{CancelRequest, EchoRequest, EchoResponse};
pub use error::{ErrorContext, ErrorResponse};
pub use flush::{FlushRequest, FlushResponse};
pub use ioctl::{IoctlRequest, IoctlResponse};
pub use lock::{LockElement, LockRequest, LockResponse};
pub use logoff::{LogoffRequest, LogoffResponse};
pub use negotiate::{NegotiateRequest, NegotiateResponse};
pub use negotiate_context::NegotiateContext;
pub use oplock_break::{
    LeaseBreakAcknowledgment, LeaseBreakNotification, LeaseBreakResponse,
    OplockBreakAcknowledgment, OplockBreakNotification, OplockBreakResponse,
};
pub use query_directory::{QueryDirectoryRequest, QueryDirectoryResponse};
pub use query_info::{QueryInfoRequest, QueryInfoResponse};
pub use read::{ReadRequest, ReadResponse};
pub use session_setup::{SessionSetupRequest, SessionSetupResponse};
pub use set_info::{SetInfoRequest, SetInfoResponse};
pub use transform::{CompressionTransformHeader, TransformHeader};
pub use tree_connect::{TreeConnectRequest, TreeConnectResponse};
pub use tree_disconnect::{TreeDisconnectRequest, TreeDisconnectResponse};
pub use write::{WriteRequest, WriteResponse};

/// A body that is nothing but its StructureSize of 4 and two reserved bytes.
macro_rules! empty_body {
    ($(#[$meta:meta])* $name:ident, $what:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct $name;

        impl $name {
            /// Appends the body.
            pub fn encode(&self, out: &mut Vec<u8>) {
                $crate::codec::Writer::body(out, 4).u16(0);
            }

            /// Reads the body of a whole message.
            ///
            /// # Errors
            ///
            /// Too few bytes or another StructureSize.
            pub fn decode(message: &[u8]) -> Result<Self, $crate::Error> {
                $crate::codec::Reader::body($what, message, 4)?.skip(2)?;
                Ok(Self)
            }
        }
    };
}
use empty_body;

/// A response of a buffer alone: OutputBufferOffset and OutputBufferLength before it.
macro_rules! output_buffer_response {
    ($(#[$meta:meta])* $name:ident, $what:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub struct $name {
            /// The output buffer.
            pub buffer: Vec<u8>,
        }

        impl $name {
            /// Appends the body.
            pub fn encode(&self, out: &mut Vec<u8>) {
                let mut writer = $crate::codec::Writer::body(out, 9);
                writer.len16(writer.offset() + 6);
                writer.len32(self.buffer.len());
                writer.bytes(&self.buffer);
            }

            /// Reads the body of a whole message.
            ///
            /// # Errors
            ///
            /// Too few bytes, another StructureSize, a buffer outside the message.
            pub fn decode(message: &[u8]) -> Result<Self, $crate::Error> {
                let mut reader = $crate::codec::Reader::body($what, message, 9)?;
                let (offset, length) = (reader.len16()?, reader.len32()?);
                Ok(Self { buffer: reader.range(offset, length)?.to_vec() })
            }
        }
    };
}
use output_buffer_response;
