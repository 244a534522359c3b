//! Why a command did not do what it was asked to, and what the user is told.

use std::io::Write;

use crate::error::{Error, LockHolder};
use crate::ids::RunId;

/// The program's exit codes other than 0.
const ERROR: i32 = 1;
const USAGE: i32 = 2;
const PROBLEMS: i32 = 3;
const LOCKED: i32 = 4;
/// As the shell has it for SIGINT and SIGPIPE.
const INTERRUPTED: i32 = 130;
const STDOUT_CLOSED: i32 = 141;

#[derive(Debug)]
pub(super) enum Failure {
    /// The library's error, with what else there is to say.
    Error(Error, Vec<String>),
    /// Arguments that do not go together.
    Usage(String),
    /// Anything else.
    Other(String),
    /// It was interrupted; what there is to say of what was done.
    BrokenOff(&'static str),
    /// `verify` or `doctor` found problems: so many.
    Problems(usize),
    /// Nobody reads stdout any more.
    StdoutClosed,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error, Vec::new())
    }
}

impl Failure {
    /// Tells the user and returns the exit code.
    pub(super) fn report(self) -> i32 {
        let (code, message) = match self {
            Self::StdoutClosed => return STDOUT_CLOSED,
            Self::Error(error, notes) => {
                let message = std::iter::once(advice(&error)).chain(notes);
                (code(&error), message.collect::<Vec<_>>().join("\n       "))
            }
            Self::Usage(message) => (USAGE, message),
            Self::Other(message) => (ERROR, message),
            Self::BrokenOff(message) => (INTERRUPTED, format!("interrupted; {message}")),
            Self::Problems(1) => (PROBLEMS, "1 problem found: see above".to_owned()),
            Self::Problems(count) => (PROBLEMS, format!("{count} problems found: see above")),
        };
        // A closed stderr is no reason to panic.
        let _ = writeln!(std::io::stderr(), "error: {}", message.trim_end());
        code
    }
}

fn code(error: &Error) -> i32 {
    match error {
        Error::RunIsLocked { .. } => LOCKED,
        Error::Interrupted => INTERRUPTED,
        _ => ERROR,
    }
}

/// What ends the lock of this holder by hand.
fn unlock_command(run: RunId, holder: &LockHolder) -> String {
    format!(
        "stratalog unlock {run} --token {} --reason \"WHY\"",
        holder.token
    )
}

/// The error in words that fit the command line: the library's own name what one writes in a program.
fn advice(error: &Error) -> String {
    match error {
        Error::RunIsLocked {
            run,
            run_id,
            holder,
            waited_seconds,
        } => {
            let what_to_do = if *waited_seconds > 0.0 {
                format!(
                    "waited {waited_seconds:.1} s for it, try again later or with a longer --timeout"
                )
            } else {
                "wait for it with --timeout SECONDS, or try again later".to_owned()
            };
            format!(
                "run {run} (id {run_id}) is locked by {holder}; {what_to_do}\n       \
                 If it is known that this process is dead or will never go on, end its lock with\n       \
                 {}",
                unlock_command(*run_id, holder)
            )
        }
        Error::NoDefaultVersion {
            model,
            scenario,
            versions,
        } => format!(
            "{model} / {scenario} has no default version; versions there: {versions}. \
             Name one as \"{model} / {scenario} / VERSION\", or make one the default with `stratalog default`"
        ),
        Error::Interrupted => "interrupted; nothing of it was kept".to_owned(),
        error => error.to_string(),
    }
}
