//! The command-line program: one file per subcommand, without rules of its own.
//!
//! **Invariant:** results go to stdout and everything else to stderr; with `--json` stdout is exactly one
//! JSON document. The program is a function, so that it runs inside another process as well: it never
//! ends the process, and never relies on the process' signals.

mod chain;
mod checkpoints;
mod clone;
mod compact;
mod criterion;
mod default;
mod delete;
mod diff;
mod doctor;
mod export;
mod failure;
mod history;
mod import;
mod import_ixmp4;
mod locks;
mod log;
mod meta;
mod migrate;
mod names;
mod output;
mod pager;
mod points;
mod redact;
mod restore;
mod revert;
mod run_and_target;
mod run_labels;
mod runs;
mod selection;
mod session;
mod table;
mod undo;
mod unlock;
mod verify;

use std::ffi::OsString;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::error::Result;
use failure::Failure;
use session::Session;

const AFTER_HELP: &str = "\
A RUN is an id, or model/scenario/version, or model/scenario for the default version. Names with \
slashes in them want blanks around those that separate: \"SSP2/1.5C / baseline / 2\".

A TARGET is a state of a run: a checkpoint by its message (the latest of that message), '#12' for \
the checkpoint of id 12, the word checkpoint for its last one, '@345' for the state after transaction 345, \
'@0' for the empty run, '@2026-03-31' or '@2026-03-31T12:30' for the state at that time (UTC). Quote '#12': a \
shell takes a bare # for a comment.

Exit codes: 0 done, 1 error, 2 wrong usage, 3 verify or doctor found problems, 4 the run is locked by \
somebody, 130 interrupted, 141 nobody read the output to its end.

Examples:
  stratalog --db scenarios.db import figures.csv --create
  export STRATALOG_DB=postgresql://me@server/scenarios
  stratalog log MESSAGEix/SSP2-1.5C
  stratalog revert MESSAGEix/SSP2-1.5C/2 \"raw data\"";

/// Versioned run data on SQLite and PostgreSQL: import, look back, compare, revert.
#[derive(Parser)]
#[command(name = "stratalog", bin_name = "stratalog", version, after_help = AFTER_HELP)]
struct Program {
    #[command(flatten)]
    everywhere: Everywhere,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Everywhere {
    /// The database: a path, sqlite:///path.db or postgresql://user@host/database
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "STRATALOG_DB",
        hide_env_values = true
    )]
    #[arg(help_heading = "Options of all commands")]
    db: Option<String>,
    /// Who is recorded as the writer [default: the operating-system user]
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        help_heading = "Options of all commands"
    )]
    actor: Option<String>,
    /// Print one JSON document instead of text for people
    #[arg(long, global = true, help_heading = "Options of all commands")]
    json: bool,
    /// When to colour tables
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        value_enum,
        default_value = "auto",
        help_heading = "Options of all commands"
    )]
    color: output::Colour,
    /// Never page what is longer than the screen ($PAGER)
    #[arg(long, global = true, help_heading = "Options of all commands")]
    no_pager: bool,
}

#[derive(Subcommand)]
enum Command {
    Migrate(migrate::Migrate),
    Import(import::Import),
    ImportIxmp4(import_ixmp4::ImportIxmp4),
    Export(export::Export),
    Runs(runs::Runs),
    Default(default::Default),
    Clone(clone::Clone),
    Delete(delete::Delete),
    Restore(restore::Restore),
    Meta(meta::Meta),
    Regions(names::Regions),
    Units(names::Units),
    Log(log::Log),
    History(history::History),
    Checkpoints(checkpoints::Checkpoints),
    Diff(diff::Diff),
    Revert(revert::Revert),
    Undo(undo::Undo),
    Compact(compact::Compact),
    Redact(redact::Redact),
    Locks(locks::Locks),
    Unlock(unlock::Unlock),
    Verify(verify::Verify),
    Chain(chain::Chain),
    Doctor(doctor::Doctor),
}

/// Runs the program with these arguments, the first of which is its own name, and returns its exit code.
///
/// `interrupt` is asked again and again while a run's lock is waited for or held, and not before: an
/// error ([`Error::Interrupted`](crate::Error::Interrupted)) rolls back what was begun. Commands that
/// only read never ask; who catches signals must let them end those.
pub fn main_with(
    args: impl IntoIterator<Item = OsString>,
    interrupt: &dyn Fn() -> Result<()>,
) -> i32 {
    match parse(args) {
        Ok(program) => {
            let out = output::Output::new(
                program.everywhere.json,
                program.everywhere.color,
                !program.everywhere.no_pager,
            );
            let session = Session {
                db: program.everywhere.db,
                actor: program.everywhere.actor,
                out: &out,
                interrupt,
            };
            match program.command.run(&session) {
                Ok(()) => 0,
                Err(failure) => failure.report(),
            }
        }
        // Help and the version are "errors" too, with the exit code 0. Where stdout or stderr is closed
        // there is nobody to tell.
        Err(error) => {
            let _ = error.print();
            error.exit_code()
        }
    }
}

fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Program, clap::Error> {
    let mut command = Program::command();
    let mut matches = command.try_get_matches_from_mut(args)?;
    Program::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

impl Command {
    fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        match self {
            Self::Migrate(command) => command.run(session),
            Self::Import(command) => command.run(session),
            Self::ImportIxmp4(command) => command.run(session),
            Self::Export(command) => command.run(session),
            Self::Runs(command) => session.out.paged(|| command.run(session)),
            Self::Default(command) => command.run(session),
            Self::Clone(command) => command.run(session),
            Self::Delete(command) => command.run(session),
            Self::Restore(command) => command.run(session),
            Self::Meta(command) => session.out.paged(|| command.run(session)),
            Self::Regions(command) => session.out.paged(|| command.run(session)),
            Self::Units(command) => session.out.paged(|| command.run(session)),
            Self::Log(command) => session.out.paged(|| command.run(session)),
            Self::History(command) => session.out.paged(|| command.run(session)),
            Self::Checkpoints(command) => session.out.paged(|| command.run(session)),
            Self::Diff(command) => session.out.paged(|| command.run(session)),
            Self::Revert(command) => command.run(session),
            Self::Undo(command) => command.run(session),
            Self::Compact(command) => command.run(session),
            Self::Redact(command) => command.run(session),
            Self::Locks(command) => command.run(session),
            Self::Unlock(command) => command.run(session),
            Self::Verify(command) => command.run(session),
            Self::Chain(command) => command.run(session),
            Self::Doctor(command) => command.run(session),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_described_without_contradiction() {
        Program::command().debug_assert();
    }

    #[test]
    fn every_help_ends_with_examples() {
        fn check(command: &mut clap::Command) {
            let help = command.render_long_help().to_string();
            assert!(help.contains("\nExamples:\n"), "{help}");
            let own = command
                .get_subcommands_mut()
                .filter(|command| command.get_name() != "help");
            for command in own {
                check(command);
            }
        }
        check(&mut Program::command());
    }
}
