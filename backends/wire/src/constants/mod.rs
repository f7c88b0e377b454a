//! The numbers of MS-SMB2 and MS-FSCC as types: a newtype per field, a constant per value, and a
//! word for each that a person can read and write.
//!
//! A value that the specifications do not define is kept as it is and shown in hexadecimal.

use bitflags::Bits as _;
use bitflags::parser::ParseHex as _;

mod access;
mod create;
mod header;
mod info;
mod ioctl;
mod negotiate;
mod session;

pub use access::{AccessMask, FileAttributes, ShareAccess};
pub use create::{
    CreateAction, CreateDisposition, CreateOptions, CreateResponseFlags, DurableFlags,
    ImpersonationLevel, LeaseFlags, LeaseState, OplockLevel,
};
pub use header::{Command, Flags};
pub use info::{
    AdditionalInformation, CloseFlags, CompletionFilter, FileInfoClass, FsInfoClass, InfoType,
    LockFlags, NotifyAction, NotifyFlags, QueryDirectoryFlags, ReadFlags, WriteFlags,
};
pub use ioctl::{CtlCode, IoctlFlags};
pub use negotiate::{
    Capabilities, Cipher, CompressionAlgorithm, CompressionFlags, Dialect, HashAlgorithm,
    RdmaTransform, SecurityMode, SigningAlgorithm, TransportFlags,
};
pub use session::{
    SessionFlags, SessionSetupFlags, ShareCapabilities, ShareFlags, ShareType, TreeConnectFlags,
};

/// Bits with words: `READ_DATA` is written `read-data`, several are joined by `|`, unknown ones are
/// hexadecimal.
///
/// Implemented for every flag type of this module.
pub trait Words: Sized {
    /// All that is set as words, `0` for nothing.
    fn words(&self) -> String;

    /// The value of one word in any case, with `-` or `_`, or of a hexadecimal number.
    fn from_word(word: &str) -> Option<Self>;
}

impl<F> Words for F
where
    F: bitflags::Flags,
    F::Bits: std::fmt::LowerHex + bitflags::parser::ParseHex + PartialEq,
{
    fn words(&self) -> String {
        let mut names = self.iter_names();
        let mut words: Vec<String> = names
            .by_ref()
            .map(|(name, _)| name.to_ascii_lowercase().replace('_', "-"))
            .collect();
        let rest = names.remaining().bits();
        if rest != F::Bits::EMPTY {
            words.push(format!("{rest:#x}"));
        }
        if words.is_empty() {
            "0".to_owned()
        } else {
            words.join("|")
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        if let Some(digits) = word.strip_prefix("0x") {
            return F::Bits::parse_hex(digits).ok().map(Self::from_bits_retain);
        }
        Self::from_name(&word.to_ascii_uppercase().replace('-', "_"))
    }
}

/// A flag type: `bitflags` that keeps unknown bits, with `Display` in the form of [`Words`].
macro_rules! flags {
    ($(#[$meta:meta])* $name:ident: $bits:ty {
        $($(#[$($flag_meta:tt)*])* $flag:ident = $value:expr;)*
    }) => {
        ::bitflags::bitflags! {
            $(#[$meta])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
            pub struct $name: $bits {
                $($(#[$($flag_meta)*])* const $flag = $value;)*
                const _ = !0;
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(&$crate::constants::Words::words(self))
            }
        }
    };
}

/// A newtype of one value among several, each with its word.
macro_rules! values {
    ($(#[$meta:meta])* $name:ident: $repr:ty {
        $($(#[$value_meta:meta])* $value:ident = $number:expr, $word:literal;)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
        pub struct $name(pub $repr);

        impl $name {
            $($(#[$value_meta])* pub const $value: Self = Self($number);)*

            /// Every value that has a word.
            pub const VALUES: &'static [(Self, &'static str)] = &[$((Self::$value, $word)),*];

            /// The word of the value, if the specification defines it.
            pub fn word(self) -> Option<&'static str> {
                Self::VALUES.iter().find(|(value, _)| *value == self).map(|(_, word)| *word)
            }

            /// The value of a word, in any case.
            pub fn from_word(word: &str) -> Option<Self> {
                let mut values = Self::VALUES.iter();
                values.find(|(_, w)| w.eq_ignore_ascii_case(word)).map(|(value, _)| *value)
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                match self.word() {
                    Some(word) => f.pad(word),
                    None => write!(f, "{:#x}", self.0),
                }
            }
        }
    };
}
pub(crate) use {flags, values};
