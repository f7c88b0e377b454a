//! The information structures of MS-FSCC that QUERY_INFO, SET_INFO, QUERY_DIRECTORY and
//! CHANGE_NOTIFY carry in their buffers.
//!
//! Every structure has `encode`, which appends it, and `decode`, which reads it from the start of a
//! buffer and ignores what follows. A name that a server cut off (STATUS_BUFFER_OVERFLOW) is read
//! as far as it is there. Which structure a buffer holds is told by the information class of the
//! request.

mod control;
mod directory;
mod ea;
mod file;
mod file_system;
mod name;
mod notify;
mod stream;

pub use control::{
    CopyChunk, CopyChunkResponse, DuplicateExtents, FileRange, NetworkInterface, ResumeKey,
    encode_copy_chunks,
};
pub use directory::{
    DirectoryEntries, DirectoryEntry, EntryDetails, decode_directory, encode_directory,
};
pub use ea::{FullEa, decode_full_ea, decode_get_ea, encode_full_ea, encode_get_ea};
pub use file::{
    FileAccessInformation, FileAlignmentInformation, FileAllInformation, FileAllocationInformation,
    FileAttributeTagInformation, FileBasicInformation, FileDispositionInformation,
    FileDispositionInformationEx, FileEaInformation, FileEndOfFileInformation,
    FileInternalInformation, FileModeInformation, FileNetworkOpenInformation,
    FilePositionInformation, FileStandardInformation,
};
pub use file_system::{
    FileFsAttributeInformation, FileFsDeviceInformation, FileFsFullSizeInformation,
    FileFsObjectIdInformation, FileFsSectorSizeInformation, FileFsSizeInformation,
    FileFsVolumeInformation, FileSystemAttributes,
};
pub use name::{
    FileLinkInformation, FileNameInformation, FileRenameInformation, FileRenameInformationEx,
};
pub use notify::{FileNotifyInformation, decode_notify, encode_notify};
pub use stream::{FileStreamInformation, decode_streams, encode_streams};

use crate::codec::{Reader, Writer};
use crate::{AccessMask, Error, FileAttributes, Filetime, UnicodeString};

/// A value of fixed size in a structure.
trait Field: Sized {
    fn write(self, writer: &mut Writer<'_>);
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error>;
}

macro_rules! field {
    ($($field:ty: $write:expr, $read:expr;)*) => {
        $(impl Field for $field {
            fn write(self, writer: &mut Writer<'_>) {
                let write: fn(&mut Writer<'_>, Self) = $write;
                write(writer, self);
            }

            fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
                let read: fn(&mut Reader<'_>) -> Result<Self, Error> = $read;
                read(reader)
            }
        })*
    };
}

field! {
    u32: |w, v| w.u32(v), |r| r.u32();
    u64: |w, v| w.u64(v), |r| r.u64();
    bool: |w, v| w.u8(v.into()), |r| Ok(r.u8()? != 0);
    Filetime: |w, v| w.filetime(v), |r| r.filetime();
    FileAttributes: |w, v| w.u32(v.bits()), |r| Ok(Self::from_bits_retain(r.u32()?));
    AccessMask: |w, v| w.u32(v.bits()), |r| Ok(Self::from_bits_retain(r.u32()?));
}

/// A structure of fields of fixed size, and of that many reserved bytes behind them.
macro_rules! fixed {
    ($(#[$meta:meta])* $name:ident + $reserved:literal {
        $($(#[$field_meta:meta])* $field:ident: $type:ty,)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type,)*
        }

        impl $name {
            /// Appends the structure.
            pub fn encode(&self, out: &mut Vec<u8>) {
                self.write(&mut $crate::codec::Writer::new(out));
            }

            /// Reads the structure; the reserved bytes at its end may be missing.
            ///
            /// # Errors
            ///
            /// Too few bytes.
            pub fn decode(data: &[u8]) -> Result<Self, $crate::Error> {
                Self::read(&mut $crate::codec::Reader::new(stringify!($name), data))
            }

            #[allow(dead_code, reason = "some structures occur in others too")]
            pub(super) fn write(&self, writer: &mut $crate::codec::Writer<'_>) {
                $(super::Field::write(self.$field, writer);)*
                writer.zeros($reserved);
            }

            #[allow(dead_code, reason = "some structures occur in others too")]
            pub(super) fn read(
                reader: &mut $crate::codec::Reader<'_>,
            ) -> Result<Self, $crate::Error> {
                let value = Self { $($field: super::Field::read(reader)?,)* };
                reader.skip($reserved.min(reader.rest().len()))?;
                Ok(value)
            }
        }
    };
}
use fixed;

/// A 32-bit length and later the name itself, as far as it is there.
fn cut_name(reader: &Reader<'_>, length: usize) -> UnicodeString {
    let rest = reader.rest();
    UnicodeString::from_bytes(rest.get(..length).unwrap_or(rest))
}
