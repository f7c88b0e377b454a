//! The regression suite of smb-replay: the traces in `traces/`, and the test binaries in `tests/`
//! that run them. There is nothing in the library itself.
