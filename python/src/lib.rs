//! Python bindings of stratalog. Each function converts, leaves the interpreter, calls the library, wraps.

mod audit;
mod chain;
mod changes;
mod checkpoint;
mod checkpoints;
mod command;
mod diff;
mod doctor;
mod error;
mod files;
mod filter;
mod fork;
mod frame;
mod guard;
mod held;
mod iamc;
mod input;
mod ixmp4;
mod locks;
mod log;
mod meta;
mod names;
mod optimization;
mod platform;
mod platform_iamc;
mod progress;
mod retention;
mod run;
mod run_lock;
mod runs;
mod session;
mod tables;
mod transact;
mod verify;
mod view;

use pyo3::prelude::*;

/// The compiled part of stratalog; import from ``stratalog`` instead.
// Free-threaded builds need no GIL here: every class is frozen, what it shares is behind std's locks, which
// are only waited for detached or held for a moment without touching Python, and there is no `unsafe`.
#[pymodule(gil_used = false)]
mod _stratalog {
    use super::*;

    #[pymodule_export]
    use super::changes::ChangeCounts;
    #[pymodule_export]
    use super::checkpoint::Checkpoint;
    #[pymodule_export]
    use super::checkpoints::Checkpoints;
    #[pymodule_export]
    use super::command::cli_main;
    #[pymodule_export]
    use super::diff::Diff;
    #[pymodule_export]
    use super::doctor::{DoctorReport, Finding};
    #[pymodule_export]
    use super::files::{FileRun, read_file};
    #[pymodule_export]
    use super::held::_roll_back_open_blocks;
    #[pymodule_export]
    use super::iamc::Iamc;
    #[pymodule_export]
    use super::ixmp4::Ixmp4Report;
    #[pymodule_export]
    use super::locks::Locks;
    #[pymodule_export]
    use super::meta::{MetaIndicators, PlatformMeta};
    #[pymodule_export]
    use super::names::{Named, Names, Regions};
    #[pymodule_export]
    use super::optimization::OptimizationItems;
    #[pymodule_export]
    use super::platform::Platform;
    #[pymodule_export]
    use super::platform_iamc::PlatformIamc;
    #[pymodule_export]
    use super::retention::CompactReport;
    #[pymodule_export]
    use super::run::Run;
    #[pymodule_export]
    use super::run_lock::RunLock;
    #[pymodule_export]
    use super::runs::Runs;
    #[pymodule_export]
    use super::tables::{OwnTable, OwnTables, RunTable, RunTables};
    #[pymodule_export]
    use super::transact::Transact;
    #[pymodule_export]
    use super::verify::{Problem, VerifyReport};
    #[pymodule_export]
    use super::view::{IamcAsOf, RunView};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        let roll_back = module.getattr("_roll_back_open_blocks")?;
        module
            .py()
            .import("atexit")?
            .call_method1("register", (roll_back,))?;
        super::fork::register(module)?;
        Ok(())
    }
}
