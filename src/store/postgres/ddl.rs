//! PostgreSQL's tables, functions and triggers, as text.
//!
//! A stratalog transaction begins with a row in `transactions`, made by `stratalog_begin_transaction`:
//! writers need no privilege on the table. Its trigger locks the run's lock row until COMMIT, which fences off a holder whose lock was taken over and puts the run's own
//! writers in line; draws the id after that; and stamps the row with `pg_current_xact_id()`. Other
//! triggers find the row by a transaction-local setting and believe it only if the stamp is theirs, so
//! nobody can write into an old transaction by setting a variable.
//!
//! Functions are `SECURITY DEFINER` and run with the search path of the moment they were made: the
//! platform's schema, then `pg_temp` (`pg_catalog` comes first by itself). Nobody but their owner may call
//! them: who could make a trigger of `datapoints_record_insert` on a table of his own would write history.

use std::fmt::Write as _;

use crate::schema::{
    Column, ColumnType, END_TRANSACTION_ID, OPERATION_TYPE, TRANSACTION_ID, TableDescription,
    tables,
};
use crate::store::postgres::{parents, record, sql};
use crate::store::{column_list, quote, removal};

/// Everything a new database needs but the versioned tables.
pub(crate) fn bookkeeping() -> String {
    let mut ddl = String::new();
    for table in tables::bookkeeping() {
        ddl += &create_live_table(&table);
    }
    ddl += BOOKKEEPING;
    for table in tables::bookkeeping() {
        ddl += &always(
            &table.name,
            &format!("{}_no_truncate", table.name),
            &format!(
                "BEFORE TRUNCATE ON {} FOR EACH STATEMENT EXECUTE FUNCTION stratalog_refuse('append_only', '{}: never truncated')",
                quote(&table.name),
                table.name
            ),
        );
    }
    ddl
}

const BOOKKEEPING: &str = r#"
CREATE SEQUENCE "transactions_id_seq" AS bigint OWNED BY "transactions"."id";
-- The database transaction that wrote the row: it may write version rows, nobody else.
ALTER TABLE "transactions" ADD COLUMN "xact_id" xid8 NOT NULL;
CREATE INDEX "transactions_of_run" ON "transactions" ("run_id", "id");
CREATE INDEX "checkpoints_of_run" ON "checkpoints" ("run_id", "id");
CREATE INDEX "lock_events_of_run" ON "lock_events" ("run_id", "id");
CREATE INDEX "compactions_of_run" ON "compactions" ("run_id", "id");

CREATE FUNCTION stratalog_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'stratalog:%: %', TG_ARGV[0], TG_ARGV[1];
END $$;

CREATE FUNCTION stratalog_begin() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM "transactions"
              WHERE "id" = NULLIF(current_setting('stratalog.transaction_id', true), '')::bigint
                AND "xact_id" = pg_current_xact_id_if_assigned()) THEN
    RAISE EXCEPTION 'stratalog:second_transaction: a database transaction has one row in transactions';
  END IF;
  IF NEW."run_id" IS NOT NULL THEN
    PERFORM 1 FROM "run_locks"
      WHERE "run_id" = NEW."run_id" AND "token" = NEW."lock_token" AND "state" <> 'free'
      FOR NO KEY UPDATE;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'stratalog:lock_lost: the lock token of this transaction is not the one that holds the run';
    END IF;
  END IF;
  -- Only now: ids of a run's transactions are in the order of their commits.
  NEW."id" := nextval('transactions_id_seq');
  NEW."xact_id" := pg_current_xact_id();
  PERFORM set_config('stratalog.transaction_id', NEW."id"::text, true);
  RETURN NEW;
END $$;

-- How a transaction begins for those who may not write to "transactions" themselves.
CREATE FUNCTION stratalog_begin_transaction(run_id bigint, lock_token bigint, actor text, operation text, client_uuid text)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  begun bigint;
BEGIN
  -- In SQL it would be planned at each call.
  INSERT INTO "transactions" ("run_id", "lock_token", "actor", "operation", "client_uuid")
  VALUES ($1, $2, $3, $4, $5) RETURNING "id" INTO begun;
  RETURN begun;
END $$;

CREATE FUNCTION stratalog_current(changed text) RETURNS "transactions"
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  tx "transactions";
BEGIN
  SELECT * INTO tx FROM "transactions"
    WHERE "id" = NULLIF(current_setting('stratalog.transaction_id', true), '')::bigint
      AND "xact_id" = pg_current_xact_id_if_assigned();
  IF NOT FOUND THEN
    RAISE EXCEPTION 'stratalog:outside_transaction: %: written outside a stratalog transaction', changed;
  END IF;
  RETURN tx;
END $$;

-- Writers of platform tables hold no lock: one may draw its id first and get the row last. It would end
-- a version row before its begin; repeated as a whole, it draws a later id.
CREATE FUNCTION stratalog_out_of_order() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a transaction with a later id has written this row: repeat the whole transaction'
    USING ERRCODE = 'serialization_failure';
END $$;

CREATE FUNCTION stratalog_checkpoint() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM 1 FROM "run_locks" WHERE "run_id" = NEW."run_id" FOR NO KEY UPDATE;
  IF NEW."transaction_id" IS DISTINCT FROM
     (SELECT coalesce(max("id"), 0) FROM "transactions" WHERE "run_id" = NEW."run_id") THEN
    RAISE EXCEPTION 'stratalog:checkpoint: a checkpoint names the last transaction of its run';
  END IF;
  RETURN NEW;
END $$;

CREATE FUNCTION stratalog_revert() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  tx "transactions" := stratalog_current('reverts');
BEGIN
  IF (NEW."transaction_id", NEW."run_id") IS DISTINCT FROM (tx."id", tx."run_id") THEN
    RAISE EXCEPTION 'stratalog:append_only: a revert is recorded by the transaction that does it';
  END IF;
  RETURN NEW;
END $$;

CREATE FUNCTION stratalog_compaction() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM 1 FROM "run_locks"
    WHERE "run_id" = NEW."run_id" AND "token" = NEW."lock_token" AND "state" <> 'free' FOR NO KEY UPDATE;
  IF NOT FOUND OR NEW."finished_at" IS NOT NULL
     OR NEW."horizon" > (SELECT coalesce(max("id"), 0) FROM "transactions" WHERE "run_id" = NEW."run_id")
     OR NEW."horizon" < (SELECT coalesce(max("horizon"), 0) FROM "compactions" WHERE "run_id" = NEW."run_id") THEN
    RAISE EXCEPTION 'stratalog:append_only: a compaction begins under the lock of its run, and keeps its last transaction';
  END IF;
  RETURN NEW;
END $$;

CREATE FUNCTION stratalog_retained() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM "compactions" WHERE "id" = NEW."compaction_id" AND "finished_at" IS NULL) THEN
    RAISE EXCEPTION 'stratalog:append_only: what a compaction keeps is said when it begins';
  END IF;
  RETURN NEW;
END $$;

CREATE FUNCTION stratalog_link() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  IF NEW."position" IS DISTINCT FROM
     (SELECT coalesce(max("position"), -1) + 1 FROM "chain_links" WHERE "run_id" = NEW."run_id") THEN
    RAISE EXCEPTION 'stratalog:append_only: a chain grows at its end';
  END IF;
  RETURN NEW;
END $$;

-- From here on in the transaction, what an UPDATE changed is found out by comparing. A setting of the function's own would
-- undo what it sets.
CREATE FUNCTION stratalog_notes_unchanged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_catalog.set_config('stratalog.unchanged', 'on', true);
  RETURN NULL;
END $$;

-- Who waits for a lock looks again when he hears this.
CREATE FUNCTION stratalog_released() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('stratalog_released', NEW."run_id"::text);
  RETURN NULL;
END $$;

REVOKE ALL ON FUNCTION stratalog_refuse, stratalog_begin, stratalog_begin_transaction, stratalog_current,
  stratalog_out_of_order, stratalog_checkpoint, stratalog_revert, stratalog_compaction, stratalog_retained, stratalog_link, stratalog_notes_unchanged,
  stratalog_released FROM PUBLIC;

CREATE TRIGGER "transactions_begin" BEFORE INSERT ON "transactions"
  FOR EACH ROW EXECUTE FUNCTION stratalog_begin();
ALTER TABLE "transactions" ENABLE ALWAYS TRIGGER "transactions_begin";
CREATE TRIGGER "transactions_append_only" BEFORE UPDATE OR DELETE ON "transactions"
  FOR EACH ROW EXECUTE FUNCTION stratalog_refuse('append_only', 'transactions are never changed or deleted');
ALTER TABLE "transactions" ENABLE ALWAYS TRIGGER "transactions_append_only";
CREATE TRIGGER "checkpoints_insert" BEFORE INSERT ON "checkpoints"
  FOR EACH ROW EXECUTE FUNCTION stratalog_checkpoint();
ALTER TABLE "checkpoints" ENABLE ALWAYS TRIGGER "checkpoints_insert";
CREATE TRIGGER "checkpoints_append_only" BEFORE UPDATE OR DELETE ON "checkpoints"
  FOR EACH ROW EXECUTE FUNCTION stratalog_refuse('append_only', 'checkpoints are never changed or deleted');
ALTER TABLE "checkpoints" ENABLE ALWAYS TRIGGER "checkpoints_append_only";
CREATE TRIGGER "run_locks_token_grows" BEFORE UPDATE ON "run_locks"
  FOR EACH ROW WHEN (NEW."token" < OLD."token" OR NEW."run_id" <> OLD."run_id")
  EXECUTE FUNCTION stratalog_refuse('token', 'lock tokens only grow');
ALTER TABLE "run_locks" ENABLE ALWAYS TRIGGER "run_locks_token_grows";
CREATE TRIGGER "run_locks_no_delete" BEFORE DELETE ON "run_locks"
  FOR EACH ROW EXECUTE FUNCTION stratalog_refuse('token', 'lock rows are never deleted, or tokens would begin again');
ALTER TABLE "run_locks" ENABLE ALWAYS TRIGGER "run_locks_no_delete";
CREATE TRIGGER "lock_events_append_only" BEFORE UPDATE OR DELETE ON "lock_events"
  FOR EACH ROW EXECUTE FUNCTION stratalog_refuse('append_only', 'lock events are never changed or deleted');
ALTER TABLE "lock_events" ENABLE ALWAYS TRIGGER "lock_events_append_only";
CREATE TRIGGER "reverts_insert" BEFORE INSERT ON "reverts"
  FOR EACH ROW EXECUTE FUNCTION stratalog_revert();
ALTER TABLE "reverts" ENABLE ALWAYS TRIGGER "reverts_insert";
CREATE TRIGGER "compactions_insert" BEFORE INSERT ON "compactions"
  FOR EACH ROW EXECUTE FUNCTION stratalog_compaction();
ALTER TABLE "compactions" ENABLE ALWAYS TRIGGER "compactions_insert";
CREATE TRIGGER "compactions_finish" BEFORE UPDATE ON "compactions"
  FOR EACH ROW WHEN (OLD."finished_at" IS NOT NULL OR NEW."finished_at" IS NULL
    OR (NEW."id", NEW."run_id", NEW."started_at", NEW."actor", NEW."policy", NEW."lock_token", NEW."horizon", NEW."rows_before")
      IS DISTINCT FROM (OLD."id", OLD."run_id", OLD."started_at", OLD."actor", OLD."policy", OLD."lock_token", OLD."horizon", OLD."rows_before"))
  EXECUTE FUNCTION stratalog_refuse('append_only', 'of a compaction only its end is set, once');
ALTER TABLE "compactions" ENABLE ALWAYS TRIGGER "compactions_finish";
CREATE TRIGGER "compactions_no_delete" BEFORE DELETE ON "compactions"
  FOR EACH ROW EXECUTE FUNCTION stratalog_refuse('append_only', 'compactions are never deleted');
ALTER TABLE "compactions" ENABLE ALWAYS TRIGGER "compactions_no_delete";
CREATE TRIGGER "retained_states_insert" BEFORE INSERT ON "retained_states"
  FOR EACH ROW EXECUTE FUNCTION stratalog_retained();
ALTER TABLE "retained_states" ENABLE ALWAYS TRIGGER "retained_states_insert";
CREATE TRIGGER "reverts_append_only" BEFORE UPDATE OR DELETE ON "reverts"
  FOR EACH ROW EXECUTE FUNCTION stratalog_refuse('append_only', 'records of reverts are never changed or deleted');
ALTER TABLE "reverts" ENABLE ALWAYS TRIGGER "reverts_append_only";
CREATE TRIGGER "retained_states_append_only" BEFORE UPDATE OR DELETE ON "retained_states"
  FOR EACH ROW EXECUTE FUNCTION stratalog_refuse('append_only', 'the kept states of a compaction are never changed or deleted');
ALTER TABLE "retained_states" ENABLE ALWAYS TRIGGER "retained_states_append_only";
CREATE TRIGGER "chain_links_insert" BEFORE INSERT ON "chain_links"
  FOR EACH ROW EXECUTE FUNCTION stratalog_link();
ALTER TABLE "chain_links" ENABLE ALWAYS TRIGGER "chain_links_insert";
CREATE TRIGGER "chain_links_append_only" BEFORE UPDATE OR DELETE ON "chain_links"
  FOR EACH ROW EXECUTE FUNCTION stratalog_refuse('append_only', 'links are never changed or deleted');
ALTER TABLE "chain_links" ENABLE ALWAYS TRIGGER "chain_links_append_only";
CREATE TRIGGER "redactions_append_only" BEFORE UPDATE OR DELETE ON "redactions"
  FOR EACH ROW EXECUTE FUNCTION stratalog_refuse('append_only', 'redactions are never changed or deleted');
ALTER TABLE "redactions" ENABLE ALWAYS TRIGGER "redactions_append_only";
CREATE TRIGGER "imported_runs_progress" BEFORE UPDATE ON "imported_runs"
  FOR EACH ROW WHEN (OLD."finished_at" IS NOT NULL
    OR (NEW."run_id", NEW."source", NEW."identity", NEW."source_run", NEW."actor", NEW."started_at")
      IS DISTINCT FROM (OLD."run_id", OLD."source", OLD."identity", OLD."source_run", OLD."actor", OLD."started_at"))
  EXECUTE FUNCTION stratalog_refuse('append_only', 'of an imported run only its progress is set, until it is finished');
ALTER TABLE "imported_runs" ENABLE ALWAYS TRIGGER "imported_runs_progress";
CREATE TRIGGER "imported_runs_no_delete" BEFORE DELETE ON "imported_runs"
  FOR EACH ROW EXECUTE FUNCTION stratalog_refuse('append_only', 'records of imported runs are never deleted');
ALTER TABLE "imported_runs" ENABLE ALWAYS TRIGGER "imported_runs_no_delete";
CREATE TRIGGER "redacted_rows_append_only" BEFORE UPDATE OR DELETE ON "redacted_rows"
  FOR EACH ROW EXECUTE FUNCTION stratalog_refuse('append_only', 'records of redactions are never changed or deleted');
ALTER TABLE "redacted_rows" ENABLE ALWAYS TRIGGER "redacted_rows_append_only";

CREATE TRIGGER "run_locks_released" AFTER UPDATE ON "run_locks"
  FOR EACH ROW WHEN (NEW."state" = 'free' AND OLD."state" <> 'free') EXECUTE FUNCTION stratalog_released();
ALTER TABLE "run_locks" ENABLE ALWAYS TRIGGER "run_locks_released";
"#;

/// One versioned table with all that belongs to it.
pub(crate) fn create_table(table: &TableDescription) -> String {
    let mut ddl = create_live_table(table);
    ddl += &create_version_table(table);
    ddl += &record::triggers(table);
    ddl += &parents::triggers(table);
    ddl += &guard_triggers(table);
    ddl
}

/// Half of a page is kept free where rows are changed in bulk. A change that finds room on its row's page needs no new
/// entries in the indexes, and those are most of what it costs: all ends of version rows and all values of a run are set
/// in a fifth and a third of the time (measured). A table whose rows never change is half as large again with its
/// indexes.
fn room_for_changes(table: &TableDescription) -> &'static str {
    if table.is_run_scoped() {
        " WITH (fillfactor = 50)"
    } else {
        ""
    }
}

fn column_definition(column: &Column) -> String {
    let null = if column.nullable { "" } else { " NOT NULL" };
    let default = if column.column_type == ColumnType::Timestamp && !column.nullable {
        " DEFAULT (clock_timestamp() AT TIME ZONE 'UTC')"
    } else {
        ""
    };
    format!(
        "  {} {}{null}{default}",
        quote(&column.name),
        sql::type_name(column.column_type)
    )
}

fn create_live_table(table: &TableDescription) -> String {
    let mut parts = Vec::new();
    for column in &table.columns {
        // The ids of transactions are drawn by their trigger, after the lock row is locked.
        let mut definition =
            if table.has_generated_id() && column.name == "id" && table.name != "transactions" {
                "  \"id\" bigint GENERATED BY DEFAULT AS IDENTITY".to_owned()
            } else {
                column_definition(column)
            };
        if let Some(parent) = table.parent_of(column)
            && !table.is_run_scoped()
        {
            let _ = write!(definition, " REFERENCES {} (\"id\")", quote(parent));
        }
        parts.push(definition);
    }
    parts.push(format!(
        "  PRIMARY KEY ({})",
        column_list("", table.key_columns())
    ));
    let mut ddl = format!(
        "\nCREATE TABLE {} (\n{}\n){};\n",
        quote(&table.name),
        parts.join(",\n"),
        room_for_changes(table)
    );
    for unique in &table.unique {
        let _ = writeln!(ddl, "{};", unique.create_index(&table.name));
    }
    ddl
}

fn create_version_table(table: &TableDescription) -> String {
    let mut parts: Vec<_> = table
        .columns
        .iter()
        .map(|c| {
            let null = if table.is_nullable_in_history(c) {
                ""
            } else {
                " NOT NULL"
            };
            format!(
                "  {} {}{null}",
                quote(&c.name),
                sql::type_name(c.column_type)
            )
        })
        .collect();
    parts.push(format!("  \"{TRANSACTION_ID}\" bigint NOT NULL"));
    parts.push(format!("  \"{END_TRANSACTION_ID}\" bigint"));
    parts.push(format!(
        "  \"{OPERATION_TYPE}\" smallint NOT NULL CHECK (\"{OPERATION_TYPE}\" BETWEEN 0 AND 2)"
    ));
    parts.push(format!(
        "  PRIMARY KEY ({}, \"{TRANSACTION_ID}\")",
        column_list("", table.key_columns())
    ));
    format!(
        "CREATE TABLE {} (\n{}\n){};\n{};\n",
        quote(&table.version_name()),
        parts.join(",\n"),
        room_for_changes(table),
        table.create_changes_index()
    )
}

/// A trigger that also fires under `session_replication_role = replica`.
pub(super) fn always(table: &str, name: &str, definition: &str) -> String {
    format!(
        "CREATE TRIGGER {0} {definition};\nALTER TABLE {1} ENABLE ALWAYS TRIGGER {0};\n",
        quote(name),
        quote(table)
    )
}

fn refuse(code: &str, text: &str) -> String {
    format!("EXECUTE FUNCTION stratalog_refuse('{code}', '{text}')")
}

/// No new keys, no TRUNCATE (it fires no DELETE trigger), and history written by our triggers only.
///
/// Triggers for each row come after the event: for one before it, of whatever columns, PostgreSQL locks each row that is
/// updated, which is written to the WAL.
fn guard_triggers(table: &TableDescription) -> String {
    let (name, version) = (&table.name, table.version_name());
    let changed: Vec<_> = table
        .key
        .iter()
        .map(|key| format!("OLD.{0} IS DISTINCT FROM NEW.{0}", quote(key)))
        .collect();
    let mut ddl = always(
        name,
        &format!("{name}_guard_key"),
        &format!(
            "AFTER UPDATE OF {} ON {} FOR EACH ROW WHEN ({}) {}",
            column_list("", table.key_columns()),
            quote(name),
            changed.join(" OR "),
            refuse(
                "key_update",
                &format!("{name}: a key is not changed: delete the row and insert another")
            )
        ),
    );
    ddl += &always(
        name,
        &format!("{name}_no_truncate"),
        &format!(
            "BEFORE TRUNCATE ON {} FOR EACH STATEMENT {}",
            quote(name),
            refuse(
                "truncate",
                &format!("{name}: TRUNCATE would not be logged: use DELETE")
            )
        ),
    );
    let (written, removal) = match removal_triggers(table) {
        // The rest of what could be done to history may be done by what checks it.
        Some(triggers) => (
            format!(
                "INSERT OR UPDATE OF {}, \"{TRANSACTION_ID}\", \"{END_TRANSACTION_ID}\", \"{OPERATION_TYPE}\"",
                column_list("", table.key_columns())
            ),
            triggers,
        ),
        None => ("INSERT OR UPDATE OR DELETE".to_owned(), String::new()),
    };
    ddl += &always(
        &version,
        &format!("{version}_append_only"),
        &format!(
            "BEFORE {written} ON {} FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) {}",
            quote(&version),
            refuse(
                "append_only",
                &format!("{version}: history is written by stratalog only and never changed")
            )
        ),
    );
    ddl += &removal;
    ddl += &always(
        &version,
        &format!("{version}_no_truncate"),
        &format!(
            "BEFORE TRUNCATE ON {} FOR EACH STATEMENT {}",
            quote(&version),
            refuse(
                "append_only",
                &format!("{version}: history is never deleted")
            )
        ),
    );
    ddl
}

/// What may be taken out of a run's history: what a compaction does not need, and values that a redaction names.
fn removal_triggers(table: &TableDescription) -> Option<String> {
    let version = table.version_name();
    let deleted = format!("{version}_deleted");
    let compacted = removal::compacted(table, "o")?;
    let changed = format!("{version}_changed");
    let redacted = removal::redacted(table, "OLD", "NEW").unwrap_or_else(|| "false".to_owned());
    let function = |name: &str, condition: String, what: &str| {
        format!(
            "CREATE FUNCTION {0}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  IF {condition} THEN
    RAISE EXCEPTION 'stratalog:append_only: {version}: history is never {what}';
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION {0} FROM PUBLIC;
",
            quote(name)
        )
    };
    let mut ddl = function(
        &deleted,
        format!("EXISTS (SELECT 1 FROM old_rows o WHERE NOT {compacted})"),
        "deleted",
    );
    ddl += &always(
        &version,
        &deleted,
        &format!(
            "AFTER DELETE ON {} REFERENCING OLD TABLE AS old_rows\n  \
             FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION {}()",
            quote(&version),
            quote(&deleted)
        ),
    );
    ddl += &function(
        &changed,
        format!("NOT coalesce({redacted}, false)"),
        "changed",
    );
    // No trigger of ours changes these columns.
    let fixed: Vec<_> = table
        .columns
        .iter()
        .map(|column| quote(&column.name))
        .chain([quote(TRANSACTION_ID), quote(OPERATION_TYPE)])
        .collect();
    ddl += &always(
        &version,
        &changed,
        &format!(
            "AFTER UPDATE OF {} ON {}\n  FOR EACH ROW EXECUTE FUNCTION {}()",
            fixed.join(", "),
            quote(&version),
            quote(&changed)
        ),
    );
    Some(ddl)
}

/// The name and DDL of an empty temporary table for changes to a table.
pub(crate) fn staging(table: &TableDescription) -> (String, String) {
    let base = quote(&format!("{}_changes", table.name));
    let name = format!("pg_temp.{base}");
    let columns: Vec<_> = table
        .columns
        .iter()
        .map(|c| format!("{} {}", quote(&c.name), sql::type_name(c.column_type)))
        .collect();
    // ON COMMIT DELETE ROWS empties it at the end; a second use in one transaction empties it here.
    let ddl = format!(
        "CREATE TEMPORARY TABLE IF NOT EXISTS {base} (\"{OPERATION_TYPE}\" smallint NOT NULL, {}) ON COMMIT DELETE ROWS; \
         DELETE FROM {name};",
        columns.join(", ")
    );
    (name, ddl)
}
