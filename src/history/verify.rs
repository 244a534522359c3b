//! The proof that the log and the live tables agree, and that the log is sound.
//!
//! For every versioned table, by set and in both directions: live rows == version rows that have no end
//! and are not deletions. Then the intervals of each row, the transactions, checkpoints and locks.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use serde::Serialize;

use crate::core::Core;
use crate::error::Result;
use crate::history::chain::{self, ChainHead, ChainReport};
use crate::history::redact::{Redaction, redactions};
use crate::schema::TableDescription;
use crate::store::removal::{self, key_label};
use crate::store::{AnyConnection, Engine, doing, keys_equal, quote, sql};

/// Rows that break one of the log's promises.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    /// The table.
    pub table: String,
    /// What is wrong with the rows.
    pub problem: String,
    /// How many rows.
    pub count: u64,
    /// The first rows by their keys.
    pub rows: Vec<String>,
}

/// What verifying found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct VerifyReport {
    /// The tables that were compared with their version tables.
    pub tables: Vec<String>,
    /// Live rows that were compared.
    pub live_rows: u64,
    /// Version rows that were looked at.
    pub version_rows: u64,
    /// Everything that is wrong; empty when all is well.
    pub problems: Vec<Problem>,
    /// What was taken out of the history on request, oldest first.
    pub redactions: Vec<Redaction>,
    /// What following the hash chains came to; `None` where it was not asked for.
    pub chain: Option<ChainReport>,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    pub fn is_ok(&self) -> bool {
        self.problems.is_empty()
    }
}

/// How many rows of a problem are named.
const NAMED_ROWS: i64 = 20;

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    rows: i64,
}

#[derive(QueryableByName)]
struct Label {
    #[diesel(sql_type = Text)]
    label: String,
}

/// One thing to check: SQL after `FROM` that yields the bad rows.
struct Check {
    table: String,
    problem: &'static str,
    label: String,
    bad_rows: String,
}

impl Core {
    /// Checks the whole database on one snapshot. `progress` is told each table's name before it is checked.
    /// `heads`: the hash chains too, against heads kept elsewhere.
    pub(crate) fn verify(
        &self,
        heads: Option<&[ChainHead]>,
        mut progress: impl FnMut(&str),
    ) -> Result<VerifyReport> {
        self.store.read(|connection| {
            let mut report = VerifyReport::default();
            self.refresh_tables(connection)?;
            for table in self.tables().iter() {
                progress(&table.name);
                report.live_rows += count(connection, &quote(&table.name))?;
                report.version_rows += count(connection, &quote(&table.version_name()))?;
                for check in table_checks(self.store.engine(), table) {
                    report.problems.extend(check.run(connection)?);
                }
                report.tables.push(table.name.clone());
            }
            progress("checkpoints");
            for check in bookkeeping_checks() {
                report.problems.extend(check.run(connection)?);
            }
            report.redactions = redactions(connection, None)?;
            if let Some(heads) = heads {
                let (chain, problems) = chain::verify(connection, self, heads, &mut progress)?;
                report.chain = Some(chain);
                report.problems.extend(problems);
            }
            Ok(report)
        })
    }
}

fn count(connection: &mut AnyConnection, from: &str) -> Result<u64> {
    let count: Count = sql(format!("SELECT count(*) AS rows FROM {from}"))
        .get_result(connection)
        .map_err(doing("counting rows"))?;
    Ok(count.rows.unsigned_abs())
}

impl Check {
    fn run(&self, connection: &mut AnyConnection) -> Result<Option<Problem>> {
        let count = count(connection, &self.bad_rows)?;
        if count == 0 {
            return Ok(None);
        }
        let rows: Vec<Label> = sql(format!(
            "SELECT {} AS label FROM {} ORDER BY 1 LIMIT {NAMED_ROWS}",
            self.label, self.bad_rows
        ))
        .load(connection)
        .map_err(doing("naming rows"))?;
        Ok(Some(Problem {
            table: self.table.clone(),
            problem: self.problem.to_owned(),
            count,
            rows: rows.into_iter().map(|row| row.label).collect(),
        }))
    }
}

/// What compactions may have removed, as conditions that excuse a row `x`, each beginning with AND.
struct Excuse {
    /// That no version row follows at its end: the next one there is follows after what was not needed.
    no_follower: String,
    /// That nothing is left of what it changed or deleted.
    no_predecessor: String,
}

impl Excuse {
    fn of(table: &TableDescription) -> Self {
        if !table.is_run_scoped() {
            return Self {
                no_follower: String::new(),
                no_predecessor: String::new(),
            };
        }
        let last = "FROM compactions c WHERE c.id = (SELECT max(m.id) FROM compactions m WHERE m.run_id = x.run_id)";
        let next = format!(
            "(SELECT min(n.transaction_id) FROM {} n WHERE {} AND n.transaction_id > x.end_transaction_id)",
            quote(&table.version_name()),
            keys_equal(table, "n", "x")
        );
        Self {
            no_follower: format!(
                " AND NOT EXISTS (SELECT 1 {last} AND {next} <= c.horizon AND {})",
                removal::no_retained_in("c", "x.end_transaction_id", &next)
            ),
            no_predecessor: format!(
                " AND NOT (x.operation_type <> 0 AND EXISTS (SELECT 1 {last} AND x.transaction_id <= c.horizon))"
            ),
        }
    }
}

fn table_checks(engine: Engine, table: &TableDescription) -> Vec<Check> {
    let live = quote(&table.name);
    let version = quote(&table.version_name());
    let key = quote(&table.key[0]);
    let by_key = key_label(table, "x");
    let by_version = format!("{by_key} || ', transaction_id=' || CAST(x.transaction_id AS TEXT)");
    let y_is_x = keys_equal(table, "y", "x");
    let check = |problem, label: &str, bad_rows: String| Check {
        table: table.name.clone(),
        problem,
        label: label.to_owned(),
        bad_rows,
    };
    let excuse = Excuse::of(table);
    let mut checks = vec![
        check(
            "live rows without an open version row",
            &by_key,
            format!(
                "{live} x WHERE NOT EXISTS (SELECT 1 FROM {version} y
                 WHERE {y_is_x} AND y.end_transaction_id IS NULL AND y.operation_type <> 2)"
            ),
        ),
        check(
            "open version rows without a live row",
            &by_version,
            format!(
                "{version} x WHERE x.end_transaction_id IS NULL AND x.operation_type <> 2
                 AND NOT EXISTS (SELECT 1 FROM {live} y WHERE {y_is_x})"
            ),
        ),
        check(
            "live rows whose values differ from their open version row",
            &by_key,
            format!(
                "{live} x JOIN {version} y ON {y_is_x} AND y.end_transaction_id IS NULL
                 WHERE y.operation_type <> 2 AND {}",
                engine.any_differs(table.value_columns(), "x", "y")
            ),
        ),
        check(
            "rows with more than one open version row",
            &by_version,
            format!(
                "{version} x WHERE x.end_transaction_id IS NULL AND EXISTS (SELECT 1 FROM {version} y
                 WHERE {y_is_x} AND y.end_transaction_id IS NULL AND y.transaction_id < x.transaction_id)"
            ),
        ),
        check(
            "version rows that end before they begin",
            &by_version,
            format!("{version} x WHERE x.end_transaction_id <= x.transaction_id"),
        ),
        check(
            "ended version rows that no version row follows at their end",
            &by_version,
            format!(
                "{version} x WHERE x.end_transaction_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {version} y
                 WHERE {y_is_x} AND y.transaction_id = x.end_transaction_id){}",
                excuse.no_follower
            ),
        ),
        check(
            "inserts on top of a live state, or updates and deletes of nothing",
            &by_version,
            format!(
                "{version} x LEFT JOIN {version} y ON {y_is_x} AND y.end_transaction_id = x.transaction_id
                 AND y.operation_type <> 2
                 WHERE (x.operation_type = 0) = (y.{key} IS NOT NULL){}",
                excuse.no_predecessor
            ),
        ),
        check(
            "version rows of a transaction that is not in the log",
            &by_version,
            format!(
                "{version} x WHERE NOT EXISTS (SELECT 1 FROM transactions t WHERE t.id = x.transaction_id)"
            ),
        ),
    ];
    checks.extend(table.columns.iter().filter_map(|column| {
        let parent = quote(table.parent_of(column)?);
        let name = quote(&column.name);
        Some(check(
            "live rows that refer to a row that is not there",
            &format!("{by_key} || ', {}=' || CAST(x.{name} AS TEXT)", column.name),
            format!(
                "{live} x WHERE x.{name} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {parent} p WHERE p.id = x.{name})"
            ),
        ))
    }));
    if let (true, Some(lacks)) = (table.is_run_scoped(), removal::lacks_values(table, "x")) {
        checks.push(check(
            "version rows without their values, which no redaction names",
            &by_version,
            format!(
                "{version} x WHERE {lacks} AND NOT {}",
                removal::is_named(table, "x")
            ),
        ));
    }
    if table.is_run_scoped() {
        checks.push(check(
            "version rows written by a transaction of another run",
            &by_version,
            format!(
                "{version} x JOIN transactions t ON t.id = x.transaction_id
                 WHERE t.run_id IS NULL OR t.run_id <> x.run_id"
            ),
        ));
    }
    checks
}

fn bookkeeping_checks() -> Vec<Check> {
    let check = |table: &str, problem, label: &str, bad_rows: &str| Check {
        table: table.to_owned(),
        problem,
        label: label.to_owned(),
        bad_rows: bad_rows.to_owned(),
    };
    let by_id = "'id=' || CAST(x.id AS TEXT)";
    let by_run = "'run_id=' || CAST(x.run_id AS TEXT)";
    vec![
        check(
            "checkpoints",
            "checkpoints that name a transaction that is not their run's",
            by_id,
            "checkpoints x WHERE x.transaction_id <> 0 AND NOT EXISTS (SELECT 1 FROM transactions t
             WHERE t.id = x.transaction_id AND t.run_id = x.run_id)",
        ),
        check(
            "checkpoints",
            "checkpoints that name an earlier transaction than an older checkpoint of their run",
            by_id,
            "(SELECT id, transaction_id, lag(transaction_id) OVER (PARTITION BY run_id ORDER BY id) AS earlier
              FROM checkpoints) x WHERE x.earlier > x.transaction_id",
        ),
        check(
            "run_locks",
            "runs without a lock row",
            "'run_id=' || CAST(x.id AS TEXT)",
            "runs x WHERE NOT EXISTS (SELECT 1 FROM run_locks l WHERE l.run_id = x.id)",
        ),
        check(
            "run_leases",
            "runs without a lease row",
            "'run_id=' || CAST(x.id AS TEXT)",
            "runs x WHERE NOT EXISTS (SELECT 1 FROM run_leases e WHERE e.run_id = x.id)",
        ),
        check(
            "run_locks",
            "locks that do not say who holds them",
            by_run,
            "run_locks x WHERE x.state <> 'free' AND x.state <> 'recovering' AND (x.holder_user IS NULL OR x.acquired_at IS NULL)",
        ),
        check(
            "transactions",
            "transactions with a lock token that the run has not given out yet",
            by_id,
            "transactions x JOIN run_locks l ON l.run_id = x.run_id WHERE x.lock_token > l.token OR x.lock_token IS NULL",
        ),
        check(
            "reverts",
            "reverts that do not go back",
            "'transaction_id=' || CAST(x.transaction_id AS TEXT)",
            "reverts x WHERE x.target_id >= x.transaction_id OR NOT EXISTS (SELECT 1 FROM transactions t
             WHERE t.id = x.transaction_id AND t.run_id = x.run_id)",
        ),
        check(
            "compactions",
            "compactions beyond their run's last transaction, or before an earlier one's horizon",
            by_id,
            "compactions x WHERE x.horizon > (SELECT max(t.id) FROM transactions t WHERE t.run_id = x.run_id)
             OR EXISTS (SELECT 1 FROM compactions e WHERE e.run_id = x.run_id AND e.id < x.id AND e.horizon > x.horizon)",
        ),
    ]
}
