//! Behaviour of the library, on both engines.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that fails may panic"
)]

mod batches;
mod bulk;
mod chain;
mod change_log;
mod cli;
mod cli_locks;
mod concurrency;
mod copy;
mod crashes;
mod disk;
mod doctor;
mod faulty_disk;
mod files;
mod filters;
mod flows;
mod hammer;
mod iamc;
mod imported_runs;
mod large;
mod leases;
mod lock;
mod look_back;
mod meta;
mod network;
mod optimization;
mod outage;
mod parents;
mod platform;
mod processes;
mod proxy;
mod replay;
mod retention;
mod revert;
mod roles;
mod roles_refused;
mod roles_support;
mod runs;
mod schema;
mod server_disk;
mod simulator;
mod smoke;
mod state_machine;
mod support;
mod workbook;
