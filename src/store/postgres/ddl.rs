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
    Column, ColumnType, END_TRANSACTION_ID, OPERATION_TYPE, RUN_ID, TRANSACTION_ID,
    TableDescription, tables,
};
use crate::store::postgres::sql;
use crate::store::{Engine, column_list, keys_equal, quote, removal};

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
RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
  INSERT INTO "transactions" ("run_id", "lock_token", "actor", "operation", "client_uuid")
  VALUES ($1, $2, $3, $4, $5) RETURNING "id";
$$;

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

-- Who waits for a lock looks again when he hears this.
CREATE FUNCTION stratalog_released() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('stratalog_released', NEW."run_id"::text);
  RETURN NULL;
END $$;

REVOKE ALL ON FUNCTION stratalog_refuse, stratalog_begin, stratalog_begin_transaction, stratalog_current,
  stratalog_out_of_order, stratalog_checkpoint, stratalog_revert, stratalog_compaction, stratalog_retained, stratalog_link, stratalog_released FROM PUBLIC;

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
    ddl += &record_triggers(table);
    ddl += &guard_triggers(table);
    ddl
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
        if let Some(parent) = table.parent_of(column) {
            let _ = write!(definition, " REFERENCES {} (\"id\")", quote(parent));
        }
        parts.push(definition);
    }
    parts.push(format!(
        "  PRIMARY KEY ({})",
        column_list("", table.key_columns())
    ));
    let mut ddl = format!(
        "\nCREATE TABLE {} (\n{}\n);\n",
        quote(&table.name),
        parts.join(",\n")
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
        "  \"{OPERATION_TYPE}\" smallint NOT NULL CHECK (\"{OPERATION_TYPE}\" IN (0, 1, 2))"
    ));
    parts.push(format!(
        "  PRIMARY KEY ({}, \"{TRANSACTION_ID}\")",
        column_list("", table.key_columns())
    ));
    format!(
        "CREATE TABLE {} (\n{}\n);\n{};\n",
        quote(&table.version_name()),
        parts.join(",\n"),
        table.create_changes_index()
    )
}

/// A trigger that also fires under `session_replication_role = replica`.
fn always(table: &str, name: &str, definition: &str) -> String {
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
            "BEFORE UPDATE OF {} ON {} FOR EACH ROW WHEN ({}) {}",
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
            format!("INSERT OR UPDATE OF \"{END_TRANSACTION_ID}\""),
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
    let function = |name: &str, condition: String, what: &str, result: &str| {
        format!(
            "CREATE FUNCTION {0}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  IF {condition} THEN
    RAISE EXCEPTION 'stratalog:append_only: {version}: history is never {what}';
  END IF;
  RETURN {result};
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
        "NULL",
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
        "NEW",
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
            "BEFORE UPDATE OF {} ON {}\n  FOR EACH ROW EXECUTE FUNCTION {}()",
            fixed.join(", "),
            quote(&version),
            quote(&changed)
        ),
    );
    Some(ddl)
}

#[derive(Clone, Copy, PartialEq)]
enum Event {
    Insert,
    Update,
    Delete,
}

/// One statement trigger with transition tables per event: one upsert fires two of them.
fn record_triggers(table: &TableDescription) -> String {
    [
        (Event::Insert, "INSERT", "NEW TABLE AS new_rows"),
        (Event::Update, "UPDATE", "OLD TABLE AS old_rows NEW TABLE AS new_rows"),
        (Event::Delete, "DELETE", "OLD TABLE AS old_rows"),
    ]
    .into_iter()
    .map(|(event, sql_event, transition)| {
        let function = format!("{}_record_{}", table.name, sql_event.to_lowercase());
        let mut ddl = record_function(table, event, &function);
        ddl += &always(
            &table.name,
            &function,
            &format!(
                "AFTER {sql_event} ON {} REFERENCING {transition}\n  FOR EACH STATEMENT EXECUTE FUNCTION {}()",
                quote(&table.name),
                quote(&function)
            ),
        );
        ddl
    })
    .collect()
}

/// Records the rows of a statement as version rows.
///
/// A statement ends the rows' open versions and adds new ones. A later one of the same transaction may
/// meet rows that it wrote before: what it wrote is dropped, and the difference to the state before the
/// transaction is recorded. `transaction_id + 0` keeps the planner off the index by transaction there: it
/// has no idea how many rows this transaction wrote, and would read all of them for each row. Plans are made
/// anew each time, for the rows at hand: one kept from a statement of few rows would search row by row in
/// one of many.
fn record_function(table: &TableDescription, event: Event, function: &str) -> String {
    let name = &table.name;
    let version = quote(&table.version_name());
    let columns = column_list("", table.columns.iter());
    let n_columns = column_list("n", table.columns.iter());
    let differs = |a, b| Engine::Postgres.any_differs(table.value_columns(), a, b);
    let rows = match event {
        Event::Insert => "new_rows".to_owned(),
        Event::Delete => "old_rows".to_owned(),
        Event::Update => format!(
            "(SELECT {} FROM new_rows c JOIN old_rows o ON {} WHERE {})",
            column_list("c", table.columns.iter()),
            keys_equal(table, "c", "o"),
            differs("o", "c")
        ),
    };
    // The version rows of the statement's rows, each found by its key. `OFFSET 0` keeps the planner from turning
    // it round: without statistics, as in a fresh database, it takes one row for all that there are, and reads
    // the statement's rows once for each version row.
    let found = |alias: &str, columns: &str, condition: &str| {
        format!(
            "LATERAL (SELECT {columns} FROM {version} {alias} WHERE {} AND {condition} OFFSET 0)",
            keys_equal(table, alias, "n")
        )
    };
    let of_rows = |condition: &str| {
        format!(
            "{rows} n CROSS JOIN {} f WHERE v.ctid = f.place",
            found("w", "w.ctid AS place", condition)
        )
    };
    let other_run = if table.is_run_scoped() {
        let rows = if event == Event::Delete {
            "old_rows"
        } else {
            "new_rows"
        };
        format!(
            "  IF EXISTS (SELECT 1 FROM {rows} n WHERE n.\"{RUN_ID}\" IS DISTINCT FROM tx.\"run_id\") THEN
    RAISE EXCEPTION 'stratalog:outside_transaction: {name}: a run is written to in a stratalog transaction that holds its lock';
  END IF;\n"
        )
    } else {
        String::new()
    };
    let end = format!(
        "    UPDATE {version} v SET \"{END_TRANSACTION_ID}\" =
        CASE WHEN v.\"{TRANSACTION_ID}\" < tx.\"id\" THEN tx.\"id\" ELSE stratalog_out_of_order() END
      FROM {};\n",
        of_rows(&format!("w.\"{END_TRANSACTION_ID}\" IS NULL"))
    );
    let operation = match event {
        Event::Insert => 0,
        Event::Update => 1,
        Event::Delete => 2,
    };
    let first = format!(
        "{end}    INSERT INTO {version} ({columns}, \"{TRANSACTION_ID}\", \"{OPERATION_TYPE}\")
      SELECT {n_columns}, tx.\"id\", {operation} FROM {rows} n;\n"
    );
    // "before" is the state before this transaction: ended by it and not a deletion.
    let before = found(
        "b",
        "b.*",
        &format!("b.\"{END_TRANSACTION_ID}\" = tx.\"id\" AND b.\"{OPERATION_TYPE}\" <> 2"),
    );
    let first_key = quote(&table.key[0]);
    let again = match event {
        Event::Delete => format!("2 FROM {rows} n CROSS JOIN {before} b"),
        Event::Insert | Event::Update => format!(
            "CASE WHEN b.{first_key} IS NULL THEN 0 ELSE 1 END
      FROM {rows} n LEFT JOIN {before} b ON true
      WHERE b.{first_key} IS NULL OR {}",
            differs("b", "n")
        ),
    };
    format!(
        "CREATE FUNCTION {function_name}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  tx \"transactions\";
  dropped bigint := 0;
BEGIN
  IF NOT EXISTS (SELECT 1 FROM {rows} n) THEN
    RETURN NULL;
  END IF;
  tx := stratalog_current('{name}');
{other_run}  IF EXISTS (SELECT 1 FROM {version} v WHERE v.\"{TRANSACTION_ID}\" = tx.\"id\"{v_in_run}) THEN
    DELETE FROM {version} v USING {own};
    GET DIAGNOSTICS dropped = ROW_COUNT;
  END IF;
  IF dropped = 0 THEN
{first}  ELSE
{end}    INSERT INTO {version} ({columns}, \"{TRANSACTION_ID}\", \"{OPERATION_TYPE}\")
      SELECT {n_columns}, tx.\"id\", {again};
    UPDATE {version} v SET \"{END_TRANSACTION_ID}\" = NULL FROM {ended}
        AND NOT EXISTS (SELECT 1 FROM {version} o WHERE {o_is_v} AND o.\"{TRANSACTION_ID}\" + 0 = tx.\"id\" OFFSET 0);
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION {function_name} FROM PUBLIC;
",
        function_name = quote(function),
        own = of_rows(&format!("w.\"{TRANSACTION_ID}\" + 0 = tx.\"id\"")),
        ended = of_rows(&format!("w.\"{END_TRANSACTION_ID}\" = tx.\"id\"")),
        o_is_v = keys_equal(table, "o", "v"),
        v_in_run = if table.is_run_scoped() {
            format!(" AND v.\"{RUN_ID}\" = tx.\"run_id\"")
        } else {
            String::new()
        },
    )
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
