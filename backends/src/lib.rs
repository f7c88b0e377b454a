//! The clients that replay a trace, behind the engine's `Backend`; a cargo feature each.
