//! `native`: our own SMB2/3 client over `smb-wire` and tokio.
