//! Behaviour of the library, on both engines.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that fails may panic"
)]

mod change_log;
mod concurrency;
mod flows;
mod lock;
mod revert;
mod schema;
mod smoke;
mod state_machine;
mod support;
