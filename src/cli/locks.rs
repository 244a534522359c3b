//! `stratalog locks`

use super::failure::Failure;
use super::session::Session;
use super::table::{Table, number, text, time};

/// Show which runs are locked, by whom, since when and why
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  stratalog locks
  stratalog locks --json | jq '.[] | {run, user, reason}'")]
pub(super) struct Locks {}

impl Locks {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        let locks = session.open()?.locks()?;
        if session.out.is_json() {
            return session.out.json(&locks);
        }
        if locks.is_empty() {
            return session.out.line("no run is locked");
        }
        let mut table = Table::new([
            number("run"),
            text("name"),
            text("state"),
            text("who"),
            text("host"),
            number("process"),
            time("since (UTC)"),
            text("why"),
        ]);
        for lock in locks {
            table.row([
                lock.run_id.to_string(),
                lock.run,
                lock.state,
                lock.holder.user,
                lock.holder.host,
                lock.holder.pid.to_string(),
                lock.holder
                    .acquired_at
                    .format("%Y-%m-%d %H:%M:%S")
                    .to_string(),
                lock.holder.reason,
            ]);
        }
        session.out.table(&table)
    }
}
