//! SQLite's tables and triggers, as text.
//!
//! A stratalog transaction begins with `INSERT INTO transactions`. Its trigger checks the connection
//! and the lock token and fills the one-row `transaction_context`, which the other triggers read.
//! A deferred foreign key into an empty table makes COMMIT fail while that row is there, so a context
//! never outlives its transaction.

use std::fmt::Write as _;

use crate::schema::{
    Column, ColumnType, END_TRANSACTION_ID, OPERATION_TYPE, RUN_ID, Scope, TRANSACTION_ID,
    TableDescription, tables,
};
use crate::store::sqlite::sql;
use crate::store::{column_list, keys_equal, quote, removal};

/// The running transaction.
const CURRENT: &str = "(SELECT transaction_id FROM transaction_context)";
/// The run that it may write to.
const CURRENT_RUN: &str = "(SELECT run_id FROM transaction_context)";

/// Everything a new database needs but the versioned tables.
pub(crate) fn bookkeeping() -> String {
    let mut ddl = String::new();
    for table in tables::bookkeeping() {
        ddl += &create_live_table(&table);
    }
    ddl += BOOKKEEPING;
    ddl
}

const BOOKKEEPING: &str = r#"
CREATE INDEX "transactions_of_run" ON "transactions" ("run_id", "id");
CREATE INDEX "checkpoints_of_run" ON "checkpoints" ("run_id", "id");
CREATE INDEX "lock_events_of_run" ON "lock_events" ("run_id", "id");
CREATE INDEX "compactions_of_run" ON "compactions" ("run_id", "id");

-- Stays empty: what refers to it cannot be committed.
CREATE TABLE "never" ("id" INTEGER PRIMARY KEY CHECK ("id" IS NULL)) STRICT;
CREATE TABLE "transaction_context" (
  "one" INTEGER PRIMARY KEY CHECK ("one" = 1),
  "transaction_id" INTEGER NOT NULL,
  "run_id" INTEGER,
  "recorded_in_bulk" INTEGER NOT NULL DEFAULT 0 CHECK ("recorded_in_bulk" IN (0, 1)),
  "cleared_before_commit" INTEGER NOT NULL DEFAULT 1 REFERENCES "never" ("id") DEFERRABLE INITIALLY DEFERRED
) STRICT;

CREATE TRIGGER "transactions_begin" BEFORE INSERT ON "transactions"
BEGIN
  SELECT RAISE(ABORT, 'stratalog:unsafe_connection: set PRAGMA foreign_keys = ON and PRAGMA recursive_triggers = ON before writing')
   WHERE (SELECT "foreign_keys" FROM pragma_foreign_keys) = 0
      OR (SELECT "recursive_triggers" FROM pragma_recursive_triggers) = 0;
  SELECT RAISE(ABORT, 'stratalog:lock_lost: the lock token of this transaction is not the one that holds the run')
   WHERE NEW."run_id" IS NOT NULL AND NOT EXISTS (
     SELECT 1 FROM "run_locks" WHERE "run_id" = NEW."run_id" AND "token" = NEW."lock_token" AND "state" <> 'free');
  SELECT RAISE(ABORT, 'stratalog:second_transaction: a database transaction has one row in transactions')
   WHERE EXISTS (SELECT 1 FROM "transaction_context");
END;
CREATE TRIGGER "transactions_enter" AFTER INSERT ON "transactions"
BEGIN
  SELECT RAISE(ABORT, 'stratalog:id_order: ids of transactions only grow: leave the id out')
   WHERE NEW."id" < (SELECT max("id") FROM "transactions");
  INSERT INTO "transaction_context" ("one", "transaction_id", "run_id") VALUES (1, NEW."id", NEW."run_id");
END;
CREATE TRIGGER "transaction_context_enter" BEFORE INSERT ON "transaction_context"
WHEN NEW."transaction_id" IS NOT (SELECT max("id") FROM "transactions")
  OR (SELECT "foreign_keys" FROM pragma_foreign_keys) = 0
  OR (SELECT "recursive_triggers" FROM pragma_recursive_triggers) = 0
BEGIN
  SELECT RAISE(ABORT, 'stratalog:append_only: a transaction begins with INSERT INTO transactions');
END;
CREATE TRIGGER "transaction_context_keep" BEFORE UPDATE OF "one", "transaction_id", "run_id", "cleared_before_commit" ON "transaction_context"
BEGIN
  SELECT RAISE(ABORT, 'stratalog:append_only: a running transaction cannot become another one');
END;
CREATE TRIGGER "transaction_context_leave" BEFORE DELETE ON "transaction_context"
WHEN OLD."recorded_in_bulk" = 1
BEGIN
  SELECT RAISE(ABORT, 'stratalog:append_only: a bulk write ends with its triggers back in place');
END;
CREATE TRIGGER "transactions_no_update" BEFORE UPDATE ON "transactions"
BEGIN
  SELECT RAISE(ABORT, 'stratalog:append_only: transactions are never changed');
END;
CREATE TRIGGER "transactions_no_delete" BEFORE DELETE ON "transactions"
BEGIN
  SELECT RAISE(ABORT, 'stratalog:append_only: transactions are never deleted');
END;
CREATE TRIGGER "checkpoints_insert" BEFORE INSERT ON "checkpoints"
WHEN NEW."transaction_id" IS NOT (SELECT coalesce(max("id"), 0) FROM "transactions" WHERE "run_id" = NEW."run_id")
BEGIN
  SELECT RAISE(ABORT, 'stratalog:checkpoint: a checkpoint names the last transaction of its run');
END;
CREATE TRIGGER "checkpoints_no_update" BEFORE UPDATE ON "checkpoints"
BEGIN
  SELECT RAISE(ABORT, 'stratalog:append_only: checkpoints are never changed');
END;
CREATE TRIGGER "checkpoints_no_delete" BEFORE DELETE ON "checkpoints"
BEGIN
  SELECT RAISE(ABORT, 'stratalog:append_only: checkpoints are never deleted');
END;
CREATE TRIGGER "run_locks_token_grows" BEFORE UPDATE ON "run_locks"
WHEN NEW."token" < OLD."token" OR NEW."run_id" <> OLD."run_id"
BEGIN
  SELECT RAISE(ABORT, 'stratalog:token: lock tokens only grow');
END;
CREATE TRIGGER "lock_events_no_update" BEFORE UPDATE ON "lock_events"
BEGIN
  SELECT RAISE(ABORT, 'stratalog:append_only: lock events are never changed');
END;
CREATE TRIGGER "lock_events_no_delete" BEFORE DELETE ON "lock_events"
BEGIN
  SELECT RAISE(ABORT, 'stratalog:append_only: lock events are never deleted');
END;
CREATE TRIGGER "reverts_insert" BEFORE INSERT ON "reverts"
WHEN NOT EXISTS (SELECT 1 FROM "transaction_context" t
                  WHERE t."transaction_id" = NEW."transaction_id" AND t."run_id" = NEW."run_id")
BEGIN
  SELECT RAISE(ABORT, 'stratalog:append_only: a revert is recorded by the transaction that does it');
END;
CREATE TRIGGER "compactions_insert" BEFORE INSERT ON "compactions"
WHEN NEW."finished_at" IS NOT NULL
  OR NOT EXISTS (SELECT 1 FROM "run_locks" l
                  WHERE l."run_id" = NEW."run_id" AND l."token" = NEW."lock_token" AND l."state" <> 'free')
  OR NEW."horizon" > (SELECT coalesce(max("id"), 0) FROM "transactions" WHERE "run_id" = NEW."run_id")
  OR NEW."horizon" < (SELECT coalesce(max("horizon"), 0) FROM "compactions" WHERE "run_id" = NEW."run_id")
BEGIN
  SELECT RAISE(ABORT, 'stratalog:append_only: a compaction begins under the lock of its run, and keeps its last transaction');
END;
CREATE TRIGGER "compactions_finish" BEFORE UPDATE ON "compactions"
WHEN OLD."finished_at" IS NOT NULL OR NEW."finished_at" IS NULL
  OR (NEW."id", NEW."run_id", NEW."started_at", NEW."actor", NEW."policy", NEW."lock_token", NEW."horizon", NEW."rows_before")
     IS NOT (OLD."id", OLD."run_id", OLD."started_at", OLD."actor", OLD."policy", OLD."lock_token", OLD."horizon", OLD."rows_before")
BEGIN
  SELECT RAISE(ABORT, 'stratalog:append_only: of a compaction only its end is set, once');
END;
CREATE TRIGGER "retained_states_insert" BEFORE INSERT ON "retained_states"
WHEN NOT EXISTS (SELECT 1 FROM "compactions" c WHERE c."id" = NEW."compaction_id" AND c."finished_at" IS NULL)
BEGIN
  SELECT RAISE(ABORT, 'stratalog:append_only: what a compaction keeps is said when it begins');
END;
CREATE TRIGGER "run_locks_no_delete" BEFORE DELETE ON "run_locks"
BEGIN
  SELECT RAISE(ABORT, 'stratalog:token: lock rows are never deleted, or tokens would begin again');
END;
CREATE TRIGGER "reverts_no_update" BEFORE UPDATE ON "reverts"
BEGIN
  SELECT RAISE(ABORT, 'stratalog:append_only: records of reverts are never changed');
END;
CREATE TRIGGER "reverts_no_delete" BEFORE DELETE ON "reverts"
BEGIN
  SELECT RAISE(ABORT, 'stratalog:append_only: records of reverts are never deleted');
END;
CREATE TRIGGER "compactions_no_delete" BEFORE DELETE ON "compactions"
BEGIN
  SELECT RAISE(ABORT, 'stratalog:append_only: compactions are never deleted');
END;
CREATE TRIGGER "retained_states_no_update" BEFORE UPDATE ON "retained_states"
BEGIN
  SELECT RAISE(ABORT, 'stratalog:append_only: the kept states of a compaction are never changed');
END;
CREATE TRIGGER "retained_states_no_delete" BEFORE DELETE ON "retained_states"
BEGIN
  SELECT RAISE(ABORT, 'stratalog:append_only: the kept states of a compaction are never deleted');
END;
CREATE TRIGGER "chain_links_insert" BEFORE INSERT ON "chain_links"
WHEN NEW."position" IS NOT (SELECT coalesce(max("position"), -1) + 1 FROM "chain_links" WHERE "run_id" = NEW."run_id")
BEGIN
  SELECT RAISE(ABORT, 'stratalog:append_only: a chain grows at its end');
END;
CREATE TRIGGER "chain_links_no_update" BEFORE UPDATE ON "chain_links"
BEGIN
  SELECT RAISE(ABORT, 'stratalog:append_only: links are never changed');
END;
CREATE TRIGGER "chain_links_no_delete" BEFORE DELETE ON "chain_links"
BEGIN
  SELECT RAISE(ABORT, 'stratalog:append_only: links are never deleted');
END;
CREATE TRIGGER "redactions_no_update" BEFORE UPDATE ON "redactions"
BEGIN
  SELECT RAISE(ABORT, 'stratalog:append_only: redactions are never changed');
END;
CREATE TRIGGER "redactions_no_delete" BEFORE DELETE ON "redactions"
BEGIN
  SELECT RAISE(ABORT, 'stratalog:append_only: redactions are never deleted');
END;
CREATE TRIGGER "imported_runs_progress" BEFORE UPDATE ON "imported_runs"
WHEN OLD."finished_at" IS NOT NULL
  OR (NEW."run_id", NEW."source", NEW."identity", NEW."source_run", NEW."actor", NEW."started_at")
     IS NOT (OLD."run_id", OLD."source", OLD."identity", OLD."source_run", OLD."actor", OLD."started_at")
BEGIN
  SELECT RAISE(ABORT, 'stratalog:append_only: of an imported run only its progress is set, until it is finished');
END;
CREATE TRIGGER "imported_runs_no_delete" BEFORE DELETE ON "imported_runs"
BEGIN
  SELECT RAISE(ABORT, 'stratalog:append_only: records of imported runs are never deleted');
END;
CREATE TRIGGER "redacted_rows_no_update" BEFORE UPDATE ON "redacted_rows"
BEGIN
  SELECT RAISE(ABORT, 'stratalog:append_only: records of redactions are never changed');
END;
CREATE TRIGGER "redacted_rows_no_delete" BEFORE DELETE ON "redacted_rows"
BEGIN
  SELECT RAISE(ABORT, 'stratalog:append_only: records of redactions are never deleted');
END;
"#;

/// One versioned table with all that belongs to it.
pub(crate) fn create_table(table: &TableDescription) -> String {
    let mut ddl = create_live_table(table);
    ddl += &create_version_table(table);
    ddl += &key_trigger(table);
    ddl += &record_triggers(table);
    ddl += &append_only_triggers(table);
    ddl
}

fn column_definition(column: &Column) -> String {
    let name = quote(&column.name);
    let mut definition = format!("  {name} {}", sql::type_name(column.column_type));
    if !column.nullable {
        definition += " NOT NULL";
    }
    if column.column_type == ColumnType::Timestamp && !column.nullable {
        definition += " DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))";
    }
    if let Some(check) = sql::check(column.column_type, &name, column.nullable) {
        let _ = write!(definition, " CHECK {check}");
    }
    definition
}

fn create_live_table(table: &TableDescription) -> String {
    let mut parts = Vec::new();
    for column in &table.columns {
        let mut definition = if table.has_generated_id() && column.name == "id" {
            "  \"id\" INTEGER PRIMARY KEY AUTOINCREMENT".to_owned()
        } else {
            column_definition(column)
        };
        if let Some(parent) = table.parent_of(column) {
            let _ = write!(definition, " REFERENCES {} (\"id\")", quote(parent));
        }
        parts.push(definition);
    }
    if !table.has_generated_id() {
        parts.push(format!(
            "  PRIMARY KEY ({})",
            column_list("", table.key_columns())
        ));
    }
    let mut ddl = format!(
        "\nCREATE TABLE {} (\n{}\n) STRICT{};\n",
        quote(&table.name),
        parts.join(",\n"),
        // The natural key is the table: half the pages and twice the speed of a key beside a rowid.
        if table.has_generated_id() {
            ""
        } else {
            ", WITHOUT ROWID"
        }
    );
    for unique in &table.unique {
        let _ = writeln!(ddl, "{};", unique.create_index(&table.name));
    }
    ddl
}

fn create_version_table(table: &TableDescription) -> String {
    let name = table.version_name();
    let mut parts: Vec<_> = table
        .columns
        .iter()
        .map(|column| {
            let null = if table.is_nullable_in_history(column) {
                ""
            } else {
                " NOT NULL"
            };
            format!(
                "  {} {}{null}",
                quote(&column.name),
                sql::type_name(column.column_type)
            )
        })
        .collect();
    parts.push(format!("  \"{TRANSACTION_ID}\" INTEGER NOT NULL"));
    parts.push(format!("  \"{END_TRANSACTION_ID}\" INTEGER"));
    // For IN with more than two values SQLite builds a table, for each row anew.
    parts.push(format!(
        "  \"{OPERATION_TYPE}\" INTEGER NOT NULL CHECK (\"{OPERATION_TYPE}\" BETWEEN 0 AND 2)"
    ));
    parts.push(format!(
        "  PRIMARY KEY ({}, \"{TRANSACTION_ID}\")",
        column_list("", table.key_columns())
    ));
    format!(
        "CREATE TABLE {} (\n{}\n) STRICT, WITHOUT ROWID;\n{};\n",
        quote(&name),
        parts.join(",\n"),
        table.create_changes_index()
    )
}

fn trigger(name: &str, event: &str, table: &str, when: &str, body: &str) -> String {
    let when = if when.is_empty() {
        String::new()
    } else {
        format!("WHEN {when}\n")
    };
    format!(
        "CREATE TRIGGER {} {event} ON {}\n{when}BEGIN\n{body}END;\n",
        quote(name),
        quote(table)
    )
}

/// Who is refused a write to a versioned table or to its history loses his whole transaction, as on PostgreSQL: so no statement
/// needs to be able to take back what it did so far, and SQLite does not copy the pages aside that it changes.
fn refuse(code: &str, text: &str) -> String {
    refuse_where(code, text, "")
}

fn refuse_where(code: &str, text: &str, condition: &str) -> String {
    format!("  SELECT RAISE(ROLLBACK, 'stratalog:{code}: {text}'){condition};\n")
}

/// No new keys.
fn key_trigger(table: &TableDescription) -> String {
    let name = &table.name;
    let changed: Vec<_> = table
        .key
        .iter()
        .map(|key| format!("OLD.{0} IS NOT NEW.{0}", quote(key)))
        .collect();
    trigger(
        &format!("{name}_guard_key"),
        &format!("BEFORE UPDATE OF {}", column_list("", table.key_columns())),
        name,
        &changed.join(" OR "),
        &refuse(
            "key_update",
            &format!("{name}: a key is not changed: delete the row and insert another"),
        ),
    )
}

/// What is recorded: the event, the row that it is about, and how it leaves that.
const RECORDED: [(&str, &str, State); 3] = [
    ("INSERT", "NEW", State::Present),
    ("UPDATE", "NEW", State::Present),
    ("DELETE", "OLD", State::Gone),
];

fn record_trigger(table: &TableDescription, event: &str) -> String {
    format!("{}_record_{}", table.name, event.to_lowercase())
}

fn append_trigger(table: &TableDescription) -> String {
    format!("{}_append", table.version_name())
}

fn end_once_trigger(table: &TableDescription) -> String {
    format!("{}_end_once", table.version_name())
}

/// The triggers that run for each row of a bulk write, of the table and of its version table.
pub(crate) fn row_triggers(table: &TableDescription) -> Vec<String> {
    RECORDED
        .iter()
        .map(|(event, _, _)| record_trigger(table, event))
        .chain([append_trigger(table), end_once_trigger(table)])
        .collect()
}

/// No write without a transaction, and to a run only in a transaction of that run; and version rows for every write,
/// one row at a time, unless the library records its bulk write itself. One trigger per event does both, after the
/// event: half of what a bulk write costs is triggers that have nothing to do.
///
/// A row may be written several times in one transaction: what it wrote before is dropped, the state
/// before the transaction is ended, and the difference between that and the new state is recorded; an update that
/// changes nothing leaves no trace. No conflict can arise in the version table, so the conflict clause of the outer
/// statement, which SQLite applies to triggers as well, finds nothing to ignore. `OR ROLLBACK` is for a statement that has
/// none: see [`refuse`].
fn record_triggers(table: &TableDescription) -> String {
    let name = &table.name;
    let mut ddl = String::new();
    for (event, row, state) in RECORDED {
        let (own_run, outside, text) = match table.scope {
            Scope::Run => (
                format!("run_id IS {row}.\"{RUN_ID}\" AND "),
                format!("{CURRENT_RUN} IS NOT {row}.\"{RUN_ID}\""),
                format!(
                    "{name}: a run is written to in a stratalog transaction that holds its lock"
                ),
            ),
            _ => (
                String::new(),
                format!("{CURRENT} IS NULL"),
                format!("{name}: written outside a stratalog transaction"),
            ),
        };
        ddl += &trigger(
            &record_trigger(table, event),
            &format!("AFTER {event}"),
            name,
            &format!("(SELECT {own_run}recorded_in_bulk = 1 FROM transaction_context) IS NOT 1"),
            &(refuse_where(
                "outside_transaction",
                &text,
                &format!("\n   WHERE {outside}"),
            ) + &record_statements(table, row, state)),
        );
    }
    ddl
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Present,
    Gone,
}

fn record_statements(table: &TableDescription, row: &str, state: State) -> String {
    let version = quote(&table.version_name());
    let of_row = keys_equal(table, &version, row);
    let before_of_row = keys_equal(table, "before", row);
    // The state before this transaction, if there was one: ended just now and not a deletion.
    let before = format!(
        "SELECT 1 FROM {version} before WHERE {before_of_row}\n      \
         AND before.\"{END_TRANSACTION_ID}\" = {CURRENT} AND before.\"{OPERATION_TYPE}\" <> 2"
    );
    let (operation, condition) = match state {
        State::Gone => ("2".to_owned(), format!("EXISTS ({before})")),
        State::Present => {
            let same: Vec<_> = table
                .value_columns()
                .map(|c| {
                    let column = quote(&c.name);
                    let differs = sql::differs_in_trigger(
                        c.column_type,
                        &format!("before.{column}"),
                        &format!("{row}.{column}"),
                    );
                    format!("NOT {differs}")
                })
                .map(|same| format!(" AND {same}"))
                .collect();
            (
                format!("EXISTS ({before})"),
                format!("NOT EXISTS ({before}{})", same.concat()),
            )
        }
    };
    let columns = column_list("", table.columns.iter());
    let values = column_list(row, table.columns.iter());
    format!(
        "  DELETE FROM {version} WHERE {of_row} AND \"{TRANSACTION_ID}\" = {CURRENT};
  UPDATE {version} SET \"{END_TRANSACTION_ID}\" = {CURRENT} WHERE {of_row} AND \"{END_TRANSACTION_ID}\" IS NULL;
  INSERT OR ROLLBACK INTO {version} ({columns}, \"{TRANSACTION_ID}\", \"{OPERATION_TYPE}\")
    SELECT {values}, {CURRENT}, {operation} WHERE {condition};
  UPDATE {version} SET \"{END_TRANSACTION_ID}\" = NULL WHERE {of_row} AND \"{END_TRANSACTION_ID}\" = {CURRENT}
    AND NOT EXISTS (SELECT 1 FROM {version} own WHERE {own_of_row} AND own.\"{TRANSACTION_ID}\" = {CURRENT});
",
        own_of_row = keys_equal(table, "own", row),
    )
}

/// Committed version rows stay as they are: only their end is set, once.
fn append_only_triggers(table: &TableDescription) -> String {
    let version = table.version_name();
    let mut ddl = trigger(
        &append_trigger(table),
        "AFTER INSERT",
        &version,
        &format!(
            "NEW.\"{TRANSACTION_ID}\" IS NOT {CURRENT} OR NEW.\"{END_TRANSACTION_ID}\" IS NOT NULL"
        ),
        &refuse(
            "append_only",
            &format!("{version}: history is written by stratalog only"),
        ),
    );
    let fixed = table
        .columns
        .iter()
        .map(|c| quote(&c.name))
        .chain([quote(TRANSACTION_ID), quote(OPERATION_TYPE)])
        .collect::<Vec<_>>()
        .join(", ");
    let redacted = removal::redacted(table, "OLD", "NEW");
    ddl += &trigger(
        &format!("{version}_no_update"),
        &format!("BEFORE UPDATE OF {fixed}"),
        &version,
        &redacted.map_or(String::new(), |redacted| {
            format!("NOT coalesce({redacted}, 0)")
        }),
        &refuse(
            "append_only",
            &format!("{version}: history is never changed"),
        ),
    );
    ddl += &trigger(
        &end_once_trigger(table),
        &format!("AFTER UPDATE OF \"{END_TRANSACTION_ID}\""),
        &version,
        &format!(
            "NOT coalesce((OLD.\"{END_TRANSACTION_ID}\" IS NULL AND NEW.\"{END_TRANSACTION_ID}\" = {CURRENT})\n  \
             OR (OLD.\"{END_TRANSACTION_ID}\" = {CURRENT} AND NEW.\"{END_TRANSACTION_ID}\" IS NULL), 0)"
        ),
        &refuse(
            "append_only",
            &format!("{version}: the end of a version row is set once"),
        ),
    );
    ddl += &trigger(
        &format!("{version}_no_delete"),
        "BEFORE DELETE",
        &version,
        &match removal::compacted(table, "OLD") {
            Some(compacted) => {
                format!("OLD.\"{TRANSACTION_ID}\" IS NOT {CURRENT} AND NOT {compacted}")
            }
            None => format!("OLD.\"{TRANSACTION_ID}\" IS NOT {CURRENT}"),
        },
        &refuse(
            "append_only",
            &format!("{version}: history is never deleted"),
        ),
    );
    ddl
}

/// The name and DDL of an empty temporary table for changes to a table.
pub(crate) fn staging(table: &TableDescription) -> (String, String) {
    let name = format!("temp.{}", quote(&format!("{}_changes", table.name)));
    let columns: Vec<_> = table
        .columns
        .iter()
        .map(|c| format!("{} {}", quote(&c.name), sql::type_name(c.column_type)))
        .collect();
    let ddl = format!(
        "CREATE TABLE IF NOT EXISTS {name} (\"{OPERATION_TYPE}\" INTEGER NOT NULL, {}) STRICT; DELETE FROM {name};",
        columns.join(", ")
    );
    (name, ddl)
}
