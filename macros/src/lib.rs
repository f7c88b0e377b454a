//! `#[suite]` and `#[replay]`.
