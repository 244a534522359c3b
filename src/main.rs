//! The `stratalog` command: [`stratalog::cli`] as a process.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    let code = stratalog::cli::main_with(std::env::args_os(), &interrupt);
    u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// From the first call on, a signal is noted here instead of ending the process: it is asked by work
/// that must be rolled back, and that a killed process would leave under its lock.
fn interrupt() -> stratalog::Result<()> {
    static HANDLER: Once = Once::new();
    HANDLER.call_once(|| {
        let handled = ctrlc::set_handler(|| {
            if !INTERRUPTED.swap(true, Ordering::Relaxed) {
                let _ = writeln!(std::io::stderr(), "interrupted: rolling back, please wait");
            }
        });
        if let Err(error) = handled {
            let _ = writeln!(
                std::io::stderr(),
                "warning: Ctrl-C will leave the run locked: {error}"
            );
        }
    });
    if INTERRUPTED.load(Ordering::Relaxed) {
        return Err(stratalog::Error::Interrupted);
    }
    Ok(())
}
