//! Behaviour of the library, on both engines.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that fails may panic"
)]

mod change_log;
mod cli;
mod concurrency;
mod files;
mod flows;
mod iamc;
mod lock;
mod platform;
mod processes;
mod revert;
mod runs;
mod schema;
mod smoke;
mod state_machine;
mod support;
mod workbook;
