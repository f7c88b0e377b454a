//! `smb-rs`: a second, independent client over the `smb` crate.
