//! Behaviour of the library, on both engines.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod iamc;
mod platform;
mod processes;
mod runs;
mod smoke;
mod support;
