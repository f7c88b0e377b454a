//! The regression suite: traces and the test binary that runs them.
