//! A stratalog transaction: one row in `transactions` per database transaction that changed something.
//!
//! **Invariant:** the row is written first, because its trigger proves the lock token and locks the
//! lock row until COMMIT; when nothing turns out to have changed, everything is rolled back and no
//! trace is left.

use arrow::array::RecordBatch;
use chrono::NaiveDateTime;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel::sqlite::Sqlite;

use crate::core::Core;
use crate::error::{Error, Result};
use crate::history::chain;
use crate::ids::{LockToken, RunId, TransactionId};
use crate::run::Renewal;
use crate::schema::{Column, TRANSACTION_ID, TableDescription};
use crate::store::rows::{self, AnyBackend, Bind, Plan};
use crate::store::{AnyConnection, Engine, NewTransaction, Outcome, failpoint, quote};

/// What a transaction may write to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject<'a> {
    /// Platform tables only.
    Platform,
    /// One run's rows too, with the token of the lock that covers it.
    Run {
        id: RunId,
        label: &'a str,
        token: LockToken,
    },
}

/// Who wrote what is brought in from elsewhere, and when.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Origin {
    /// `None`: who opened the platform.
    pub(crate) actor: Option<String>,
    /// `None`: now.
    pub(crate) issued_at: Option<NaiveDateTime>,
}

/// A running transaction.
pub(crate) struct Write<'a> {
    pub(crate) connection: &'a mut AnyConnection,
    pub(crate) core: &'a Core,
    pub(crate) id: TransactionId,
    /// The run that it writes to; `None`: to platform tables only.
    pub(crate) run: Option<i64>,
    plan: Plan,
}

/// What a write came to.
pub(crate) struct Written<T> {
    pub(crate) value: T,
    /// The transaction; `None` when nothing changed and so none was made.
    pub(crate) transaction: Option<TransactionId>,
}

impl Write<'_> {
    pub(crate) fn engine(&self) -> Engine {
        self.core.store.engine()
    }

    /// The statements to come are about so many rows.
    pub(crate) fn plan_for(&mut self, rows: usize) -> Result<()> {
        self.plan_as(Plan::of(rows))
    }

    /// The statements to come are about nobody knows how many rows.
    pub(crate) fn plan_for_any(&mut self) -> Result<()> {
        self.plan_as(Plan::Anew)
    }

    fn plan_as(&mut self, plan: Plan) -> Result<()> {
        if plan != self.plan {
            plan.begin(self.connection)?;
            self.plan = plan;
        }
        Ok(())
    }

    /// Runs a statement; returns how many rows it wrote.
    pub(crate) fn execute(&mut self, text: &str, binds: &[Bind]) -> QueryResult<usize> {
        rows::execute(self.connection, self.plan, text, binds)
    }

    /// Runs a query that yields some rows.
    pub(crate) fn load<T>(&mut self, text: &str, binds: &[Bind]) -> QueryResult<Vec<T>>
    where
        T: QueryableByName<Sqlite> + QueryableByName<Pg> + QueryableByName<AnyBackend> + 'static,
    {
        rows::load(self.connection, self.plan, text, binds)
    }

    /// Runs a query that yields the columns by name.
    pub(crate) fn select(
        &mut self,
        text: &str,
        binds: &[Bind],
        columns: &[Column],
    ) -> Result<RecordBatch> {
        rows::select_as(self.connection, self.plan, text, binds, columns)
    }

    /// Runs a query that yields one row.
    pub(crate) fn get<T>(&mut self, text: &str, binds: &[Bind]) -> QueryResult<T>
    where
        T: QueryableByName<Sqlite> + QueryableByName<Pg> + QueryableByName<AnyBackend> + 'static,
    {
        rows::get(self.connection, self.plan, text, binds)
    }
}

#[derive(QueryableByName)]
struct Changed {
    #[diesel(sql_type = Bool)]
    changed: bool,
    /// Whether transactions are linked in hash chains.
    #[diesel(sql_type = Bool)]
    chained: bool,
}

impl Core {
    /// Runs `work` as one stratalog transaction. `operation` says what the caller does.
    pub(crate) fn write<T>(
        &self,
        subject: Subject<'_>,
        operation: &str,
        work: impl FnMut(&mut Write<'_>) -> Result<T>,
    ) -> Result<Written<T>> {
        self.write_from(subject, operation, &Origin::default(), work)
    }

    /// [`write`](Self::write) of what somebody else wrote, or at another time.
    pub(crate) fn write_from<T>(
        &self,
        subject: Subject<'_>,
        operation: &str,
        origin: &Origin,
        mut work: impl FnMut(&mut Write<'_>) -> Result<T>,
    ) -> Result<Written<T>> {
        // One per logical write: the same in every attempt.
        let client_uuid = uuid::Uuid::new_v4().to_string();
        // What is done to a run says what it is about before it looks at many rows; most writes are small.
        let (run, token, plan) = match subject {
            Subject::Platform => (None, None, Plan::Anew),
            Subject::Run { id, token, .. } => (Some(id.0), Some(token.0), Plan::Kept),
        };
        self.store
            .transaction_of(&client_uuid, plan, "write", |connection| {
                let id = NewTransaction {
                    run_id: run,
                    lock_token: token,
                    actor: origin.actor.as_deref().unwrap_or(&self.actor),
                    operation,
                    client_uuid: &client_uuid,
                    issued_at: origin.issued_at,
                }
                .begin(connection)
                .map_err(|source| match subject {
                    Subject::Run { label, token, .. } if crate::store::is_lock_refusal(&source) => {
                        Error::LockLost {
                            run: label.to_owned(),
                            token,
                        }
                    }
                    _ => crate::store::doing("beginning a stratalog transaction")(source),
                })?;
                failpoint::reach("write", "proved")?;
                let mut write = Write {
                    connection,
                    core: self,
                    id: TransactionId(id),
                    run,
                    plan,
                };
                let value = work(&mut write)?;
                failpoint::reach("write", "recorded")?;
                let changed = self.changed_something(&mut write, run)?;
                if changed.changed {
                    if changed.chained {
                        chain::extend_own(connection, self, run, id)?;
                        failpoint::reach("write", "linked")?;
                    }
                    if let Subject::Run { id, token, .. } = subject {
                        crate::run::renew(connection, &self.clock, (id, token), Renewal::Write)?;
                    }
                    Ok(Outcome::Commit(Written {
                        value,
                        transaction: Some(TransactionId(id)),
                    }))
                } else {
                    Ok(Outcome::Nothing(Written {
                        value,
                        transaction: None,
                    }))
                }
            })
    }

    /// Asks the log itself, so that no caller can forget to count.
    fn changed_something(&self, write: &mut Write<'_>, run: Option<i64>) -> Result<Changed> {
        let terms: Vec<_> = self
            .tables()
            .iter()
            .filter(|table| run.is_some() || !table.is_run_scoped())
            .map(changed_in)
            .collect();
        let text = format!(
            "SELECT {} AS changed, {} AS chained",
            terms.join(" OR "),
            chain::IS_ENABLED
        );
        let binds: Vec<_> = std::iter::once(write.id.0)
            .chain(run)
            .map(Bind::BigInt)
            .collect();
        write
            .get(&text, &binds)
            .map_err(crate::store::doing("asking what changed"))
    }
}

fn changed_in(table: &TableDescription) -> String {
    let run = if table.is_run_scoped() {
        " AND run_id = $2"
    } else {
        ""
    };
    format!(
        "EXISTS (SELECT 1 FROM {} WHERE \"{TRANSACTION_ID}\" = $1{run})",
        quote(&table.version_name())
    )
}
