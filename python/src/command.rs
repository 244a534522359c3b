//! `cli_main`: the `stratalog` command as the wheel has it.

use std::ffi::OsString;

use pyo3::prelude::*;

/// Runs the command line with these arguments, the program's name first; returns the exit
/// code.
#[pyfunction]
pub(crate) fn cli_main(py: Python<'_>, args: Vec<OsString>) -> i32 {
    py.detach(|| {
        let interrupt = || {
            // What the handler raised has done its work: the command rolls back and says so.
            Python::attach(|py| py.check_signals()).map_err(|_| stratalog::Error::Interrupted)
        };
        stratalog::cli::main_with(args, &interrupt)
    })
}
