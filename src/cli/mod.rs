//! The command-line program.
