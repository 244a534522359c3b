//! Behaviour of the library, on both engines.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that fails may panic")]

mod change_log;
mod flows;
mod smoke;
mod state_machine;
mod support;
