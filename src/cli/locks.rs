//! `stratalog locks`

use std::time::Duration;

use chrono::NaiveDateTime;
use indicatif::HumanDuration;

use super::failure::Failure;
use super::run_and_target::RunArgument;
use super::run_labels::RunLabels;
use super::session::Session;
use super::table::{Table, number, seconds, text, time};
use crate::platform::Platform;
use crate::run::{LockEvent, LockRow};

/// Show which runs are locked, by whom, since when and why
#[derive(clap::Args)]
#[command(after_help = "\
States: held; recovering (a rollback is to be done first); expired (its lease ran out); dead (its \
process has ended). An expired or dead one is taken over by the next to lock the run. `stratalog \
unlock` ends one whose holder is alive, or dead on a machine that cannot be asked.

--events shows what became of locks other than by their holders: takeovers, locks ended by hand, \
rollbacks that failed.

Examples:
  stratalog locks
  stratalog locks --json | jq '.[] | {run, user, reason, token}'
  stratalog locks --events --run MESSAGEix/SSP2-1.5C --limit 10")]
pub(super) struct Locks {
    /// Show what became of locks, newest first, instead of the locks there are
    #[arg(long)]
    events: bool,
    /// Only events of this run: an id, model/scenario or model/scenario/version
    #[arg(long, value_name = "RUN", requires = "events")]
    run: Option<RunArgument>,
    /// At most so many events
    #[arg(long, value_name = "N", default_value_t = 50, requires = "events")]
    #[arg(value_parser = clap::value_parser!(i64).range(1..))]
    limit: i64,
}

#[derive(serde::Serialize)]
struct EventDocument<'a> {
    run: String,
    #[serde(flatten)]
    event: &'a LockEvent,
}

impl Locks {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        let platform = session.open()?;
        if self.events {
            self.show_events(session, &platform)
        } else {
            show(session, &platform.locks().list()?)
        }
    }

    fn show_events(&self, session: &Session<'_>, platform: &Platform) -> Result<(), Failure> {
        let run = self
            .run
            .as_ref()
            .map(|run| run.find(platform))
            .transpose()?;
        let run = run.as_ref().map(|run| run.id());
        let events = platform.locks().events(run, self.limit)?;
        let labels = RunLabels::read(platform)?;
        if session.out.is_json() {
            let documents = events.iter().map(|event| EventDocument {
                run: labels.of(event.run_id),
                event,
            });
            return session.out.json(&documents.collect::<Vec<_>>());
        }
        if events.is_empty() {
            return session.out.line("nothing has happened to any lock");
        }
        let mut table = Table::new([
            time("time (UTC)"),
            number("run"),
            text("name"),
            text("event"),
            number("token"),
            text("holder"),
            text("host"),
            number("pid"),
            text("held for"),
            text("by"),
            text("why"),
        ]);
        for event in events {
            table.row([
                seconds(event.occurred_at),
                event.run_id.to_string(),
                labels.of(event.run_id),
                event.event,
                event.token.to_string(),
                event.holder,
                event.host,
                event.pid.to_string(),
                event.holder_reason,
                event.actor,
                event.reason,
            ]);
        }
        session.out.table(&table)
    }
}

fn show(session: &Session<'_>, locks: &[LockRow]) -> Result<(), Failure> {
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
        text("holder"),
        text("host"),
        number("pid"),
        number("token"),
        text("reason"),
        text("age"),
        text("last write"),
        time("lease until (UTC)"),
    ]);
    for LockRow {
        run_id,
        run,
        state,
        holder,
        ..
    } in locks
    {
        let last_write = holder.last_write_at.map(|at| format!("{} ago", age(at)));
        table.row([
            run_id.to_string(),
            run.clone(),
            state.clone(),
            holder.user.clone(),
            holder.host.clone(),
            holder.pid.to_string(),
            holder.token.to_string(),
            holder.reason.clone(),
            age(holder.acquired_at),
            last_write.unwrap_or_else(|| "none".to_owned()),
            seconds(holder.expires_at),
        ]);
    }
    session.out.table(&table)
}

/// "3 minutes". A clock that is behind the server's makes it no less than nothing.
fn age(since: NaiveDateTime) -> String {
    let age = chrono::Utc::now().naive_utc() - since;
    let age = age.to_std().unwrap_or_default();
    HumanDuration(Duration::from_secs(age.as_secs())).to_string()
}
