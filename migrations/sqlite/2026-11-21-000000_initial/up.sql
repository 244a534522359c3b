-- Generated from src/schema/tables.rs by `make migrations`. Not to be edited.

CREATE TABLE "transactions" (
  "id" INTEGER PRIMARY KEY AUTOINCREMENT,
  "issued_at" TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  "run_id" INTEGER,
  "lock_token" INTEGER,
  "actor" TEXT NOT NULL,
  "operation" TEXT NOT NULL,
  "client_uuid" TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX "transactions_client_uuid" ON "transactions" ("client_uuid");

CREATE TABLE "checkpoints" (
  "id" INTEGER PRIMARY KEY AUTOINCREMENT,
  "run_id" INTEGER NOT NULL,
  "transaction_id" INTEGER NOT NULL,
  "message" TEXT NOT NULL,
  "actor" TEXT NOT NULL,
  "created_at" TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
) STRICT;

CREATE TABLE "run_locks" (
  "run_id" INTEGER NOT NULL,
  "token" INTEGER NOT NULL,
  "state" TEXT NOT NULL,
  "holder_user" TEXT,
  "holder_host" TEXT,
  "holder_pid" INTEGER,
  "holder_client" TEXT,
  "reason" TEXT,
  "lock_transaction" INTEGER NOT NULL,
  "acquired_at" TEXT,
  PRIMARY KEY ("run_id")
) STRICT, WITHOUT ROWID;

CREATE TABLE "run_leases" (
  "run_id" INTEGER NOT NULL,
  "token" INTEGER NOT NULL,
  "lease_seconds" ANY NOT NULL CHECK ("lease_seconds" <= 9e999 AND 3 / (2 + 0 * "lease_seconds") <> 1),
  "renewed_at" TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  "expires_at" TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  "last_write_at" TEXT,
  PRIMARY KEY ("run_id")
) STRICT, WITHOUT ROWID;

CREATE TABLE "lock_events" (
  "id" INTEGER PRIMARY KEY AUTOINCREMENT,
  "run_id" INTEGER NOT NULL,
  "occurred_at" TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  "event" TEXT NOT NULL,
  "token" INTEGER NOT NULL,
  "holder_user" TEXT,
  "holder_host" TEXT,
  "holder_pid" INTEGER,
  "holder_reason" TEXT,
  "actor" TEXT NOT NULL,
  "reason" TEXT NOT NULL
) STRICT;

CREATE TABLE "reverts" (
  "transaction_id" INTEGER NOT NULL,
  "run_id" INTEGER NOT NULL,
  "kind" TEXT NOT NULL,
  "target_id" INTEGER NOT NULL,
  PRIMARY KEY ("transaction_id")
) STRICT, WITHOUT ROWID;

CREATE TABLE "compactions" (
  "id" INTEGER PRIMARY KEY AUTOINCREMENT,
  "run_id" INTEGER NOT NULL,
  "started_at" TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  "finished_at" TEXT,
  "actor" TEXT NOT NULL,
  "policy" TEXT NOT NULL,
  "lock_token" INTEGER NOT NULL,
  "horizon" INTEGER NOT NULL,
  "rows_before" INTEGER NOT NULL,
  "rows_after" INTEGER
) STRICT;

CREATE TABLE "retained_states" (
  "compaction_id" INTEGER NOT NULL,
  "transaction_id" INTEGER NOT NULL,
  PRIMARY KEY ("compaction_id", "transaction_id")
) STRICT, WITHOUT ROWID;

CREATE TABLE "redactions" (
  "id" INTEGER PRIMARY KEY AUTOINCREMENT,
  "run_id" INTEGER NOT NULL,
  "redacted_at" TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  "actor" TEXT NOT NULL,
  "reason" TEXT NOT NULL
) STRICT;

CREATE TABLE "redacted_rows" (
  "run_id" INTEGER NOT NULL,
  "transaction_id" INTEGER NOT NULL,
  "table_name" TEXT NOT NULL,
  "row_key" TEXT NOT NULL,
  "redaction_id" INTEGER NOT NULL,
  PRIMARY KEY ("run_id", "transaction_id", "table_name", "row_key")
) STRICT, WITHOUT ROWID;

CREATE TABLE "chain_links" (
  "run_id" INTEGER NOT NULL,
  "position" INTEGER NOT NULL,
  "transaction_id" INTEGER NOT NULL,
  "leaves" TEXT NOT NULL,
  "head" TEXT NOT NULL,
  PRIMARY KEY ("run_id", "position")
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX "chain_links_run_id_transaction_id" ON "chain_links" ("run_id", "transaction_id");

CREATE TABLE "described_tables" (
  "name" TEXT NOT NULL,
  "description" TEXT NOT NULL,
  PRIMARY KEY ("name")
) STRICT, WITHOUT ROWID;

CREATE TABLE "imported_runs" (
  "run_id" INTEGER NOT NULL,
  "source" TEXT NOT NULL,
  "identity" TEXT NOT NULL,
  "source_run" INTEGER NOT NULL,
  "copied_until" INTEGER NOT NULL,
  "checkpoints" INTEGER NOT NULL,
  "transaction_id" INTEGER NOT NULL,
  "actor" TEXT NOT NULL,
  "started_at" TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
  "finished_at" TEXT,
  PRIMARY KEY ("run_id")
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX "imported_runs_identity" ON "imported_runs" ("identity");

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

CREATE TABLE "models" (
  "id" INTEGER PRIMARY KEY AUTOINCREMENT,
  "name" TEXT NOT NULL,
  "docs" TEXT
) STRICT;
CREATE UNIQUE INDEX "models_name" ON "models" ("name");
CREATE TABLE "models_version" (
  "id" INTEGER NOT NULL,
  "name" TEXT NOT NULL,
  "docs" TEXT,
  "transaction_id" INTEGER NOT NULL,
  "end_transaction_id" INTEGER,
  "operation_type" INTEGER NOT NULL CHECK ("operation_type" BETWEEN 0 AND 2),
  PRIMARY KEY ("id", "transaction_id")
) STRICT, WITHOUT ROWID;
CREATE INDEX "models_version_changes" ON "models_version" ("transaction_id");
CREATE TRIGGER "models_guard_key" BEFORE UPDATE OF "id" ON "models"
WHEN OLD."id" IS NOT NEW."id"
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:key_update: models: a key is not changed: delete the row and insert another');
END;
CREATE TRIGGER "models_record_insert" AFTER INSERT ON "models"
WHEN (SELECT recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: models: written outside a stratalog transaction')
   WHERE (SELECT transaction_id FROM transaction_context) IS NULL;
  DELETE FROM "models_version" WHERE "models_version"."id" = NEW."id" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "models_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "models_version"."id" = NEW."id" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "models_version" ("id", "name", "docs", "transaction_id", "operation_type")
    SELECT NEW."id", NEW."name", NEW."docs", (SELECT transaction_id FROM transaction_context), EXISTS (SELECT 1 FROM "models_version" before WHERE before."id" = NEW."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2) WHERE NOT EXISTS (SELECT 1 FROM "models_version" before WHERE before."id" = NEW."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2 AND NOT before."name" IS NOT NEW."name" AND NOT before."docs" IS NOT NEW."docs");
  UPDATE "models_version" SET "end_transaction_id" = NULL WHERE "models_version"."id" = NEW."id" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "models_version" own WHERE own."id" = NEW."id" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "models_record_update" AFTER UPDATE ON "models"
WHEN (SELECT recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: models: written outside a stratalog transaction')
   WHERE (SELECT transaction_id FROM transaction_context) IS NULL;
  DELETE FROM "models_version" WHERE "models_version"."id" = NEW."id" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "models_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "models_version"."id" = NEW."id" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "models_version" ("id", "name", "docs", "transaction_id", "operation_type")
    SELECT NEW."id", NEW."name", NEW."docs", (SELECT transaction_id FROM transaction_context), EXISTS (SELECT 1 FROM "models_version" before WHERE before."id" = NEW."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2) WHERE NOT EXISTS (SELECT 1 FROM "models_version" before WHERE before."id" = NEW."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2 AND NOT before."name" IS NOT NEW."name" AND NOT before."docs" IS NOT NEW."docs");
  UPDATE "models_version" SET "end_transaction_id" = NULL WHERE "models_version"."id" = NEW."id" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "models_version" own WHERE own."id" = NEW."id" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "models_record_delete" AFTER DELETE ON "models"
WHEN (SELECT recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: models: written outside a stratalog transaction')
   WHERE (SELECT transaction_id FROM transaction_context) IS NULL;
  DELETE FROM "models_version" WHERE "models_version"."id" = OLD."id" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "models_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "models_version"."id" = OLD."id" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "models_version" ("id", "name", "docs", "transaction_id", "operation_type")
    SELECT OLD."id", OLD."name", OLD."docs", (SELECT transaction_id FROM transaction_context), 2 WHERE EXISTS (SELECT 1 FROM "models_version" before WHERE before."id" = OLD."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2);
  UPDATE "models_version" SET "end_transaction_id" = NULL WHERE "models_version"."id" = OLD."id" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "models_version" own WHERE own."id" = OLD."id" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "models_version_append" AFTER INSERT ON "models_version"
WHEN NEW."transaction_id" IS NOT (SELECT transaction_id FROM transaction_context) OR NEW."end_transaction_id" IS NOT NULL
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: models_version: history is written by stratalog only');
END;
CREATE TRIGGER "models_version_no_update" BEFORE UPDATE OF "id", "name", "docs", "transaction_id", "operation_type" ON "models_version"
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: models_version: history is never changed');
END;
CREATE TRIGGER "models_version_end_once" AFTER UPDATE OF "end_transaction_id" ON "models_version"
WHEN NOT coalesce((OLD."end_transaction_id" IS NULL AND NEW."end_transaction_id" = (SELECT transaction_id FROM transaction_context))
  OR (OLD."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND NEW."end_transaction_id" IS NULL), 0)
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: models_version: the end of a version row is set once');
END;
CREATE TRIGGER "models_version_no_delete" BEFORE DELETE ON "models_version"
WHEN OLD."transaction_id" IS NOT (SELECT transaction_id FROM transaction_context)
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: models_version: history is never deleted');
END;

CREATE TABLE "scenarios" (
  "id" INTEGER PRIMARY KEY AUTOINCREMENT,
  "name" TEXT NOT NULL,
  "docs" TEXT
) STRICT;
CREATE UNIQUE INDEX "scenarios_name" ON "scenarios" ("name");
CREATE TABLE "scenarios_version" (
  "id" INTEGER NOT NULL,
  "name" TEXT NOT NULL,
  "docs" TEXT,
  "transaction_id" INTEGER NOT NULL,
  "end_transaction_id" INTEGER,
  "operation_type" INTEGER NOT NULL CHECK ("operation_type" BETWEEN 0 AND 2),
  PRIMARY KEY ("id", "transaction_id")
) STRICT, WITHOUT ROWID;
CREATE INDEX "scenarios_version_changes" ON "scenarios_version" ("transaction_id");
CREATE TRIGGER "scenarios_guard_key" BEFORE UPDATE OF "id" ON "scenarios"
WHEN OLD."id" IS NOT NEW."id"
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:key_update: scenarios: a key is not changed: delete the row and insert another');
END;
CREATE TRIGGER "scenarios_record_insert" AFTER INSERT ON "scenarios"
WHEN (SELECT recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: scenarios: written outside a stratalog transaction')
   WHERE (SELECT transaction_id FROM transaction_context) IS NULL;
  DELETE FROM "scenarios_version" WHERE "scenarios_version"."id" = NEW."id" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "scenarios_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "scenarios_version"."id" = NEW."id" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "scenarios_version" ("id", "name", "docs", "transaction_id", "operation_type")
    SELECT NEW."id", NEW."name", NEW."docs", (SELECT transaction_id FROM transaction_context), EXISTS (SELECT 1 FROM "scenarios_version" before WHERE before."id" = NEW."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2) WHERE NOT EXISTS (SELECT 1 FROM "scenarios_version" before WHERE before."id" = NEW."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2 AND NOT before."name" IS NOT NEW."name" AND NOT before."docs" IS NOT NEW."docs");
  UPDATE "scenarios_version" SET "end_transaction_id" = NULL WHERE "scenarios_version"."id" = NEW."id" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "scenarios_version" own WHERE own."id" = NEW."id" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "scenarios_record_update" AFTER UPDATE ON "scenarios"
WHEN (SELECT recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: scenarios: written outside a stratalog transaction')
   WHERE (SELECT transaction_id FROM transaction_context) IS NULL;
  DELETE FROM "scenarios_version" WHERE "scenarios_version"."id" = NEW."id" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "scenarios_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "scenarios_version"."id" = NEW."id" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "scenarios_version" ("id", "name", "docs", "transaction_id", "operation_type")
    SELECT NEW."id", NEW."name", NEW."docs", (SELECT transaction_id FROM transaction_context), EXISTS (SELECT 1 FROM "scenarios_version" before WHERE before."id" = NEW."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2) WHERE NOT EXISTS (SELECT 1 FROM "scenarios_version" before WHERE before."id" = NEW."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2 AND NOT before."name" IS NOT NEW."name" AND NOT before."docs" IS NOT NEW."docs");
  UPDATE "scenarios_version" SET "end_transaction_id" = NULL WHERE "scenarios_version"."id" = NEW."id" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "scenarios_version" own WHERE own."id" = NEW."id" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "scenarios_record_delete" AFTER DELETE ON "scenarios"
WHEN (SELECT recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: scenarios: written outside a stratalog transaction')
   WHERE (SELECT transaction_id FROM transaction_context) IS NULL;
  DELETE FROM "scenarios_version" WHERE "scenarios_version"."id" = OLD."id" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "scenarios_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "scenarios_version"."id" = OLD."id" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "scenarios_version" ("id", "name", "docs", "transaction_id", "operation_type")
    SELECT OLD."id", OLD."name", OLD."docs", (SELECT transaction_id FROM transaction_context), 2 WHERE EXISTS (SELECT 1 FROM "scenarios_version" before WHERE before."id" = OLD."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2);
  UPDATE "scenarios_version" SET "end_transaction_id" = NULL WHERE "scenarios_version"."id" = OLD."id" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "scenarios_version" own WHERE own."id" = OLD."id" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "scenarios_version_append" AFTER INSERT ON "scenarios_version"
WHEN NEW."transaction_id" IS NOT (SELECT transaction_id FROM transaction_context) OR NEW."end_transaction_id" IS NOT NULL
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: scenarios_version: history is written by stratalog only');
END;
CREATE TRIGGER "scenarios_version_no_update" BEFORE UPDATE OF "id", "name", "docs", "transaction_id", "operation_type" ON "scenarios_version"
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: scenarios_version: history is never changed');
END;
CREATE TRIGGER "scenarios_version_end_once" AFTER UPDATE OF "end_transaction_id" ON "scenarios_version"
WHEN NOT coalesce((OLD."end_transaction_id" IS NULL AND NEW."end_transaction_id" = (SELECT transaction_id FROM transaction_context))
  OR (OLD."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND NEW."end_transaction_id" IS NULL), 0)
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: scenarios_version: the end of a version row is set once');
END;
CREATE TRIGGER "scenarios_version_no_delete" BEFORE DELETE ON "scenarios_version"
WHEN OLD."transaction_id" IS NOT (SELECT transaction_id FROM transaction_context)
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: scenarios_version: history is never deleted');
END;

CREATE TABLE "regions" (
  "id" INTEGER PRIMARY KEY AUTOINCREMENT,
  "name" TEXT NOT NULL,
  "hierarchy" TEXT NOT NULL,
  "docs" TEXT
) STRICT;
CREATE UNIQUE INDEX "regions_name" ON "regions" ("name");
CREATE TABLE "regions_version" (
  "id" INTEGER NOT NULL,
  "name" TEXT NOT NULL,
  "hierarchy" TEXT NOT NULL,
  "docs" TEXT,
  "transaction_id" INTEGER NOT NULL,
  "end_transaction_id" INTEGER,
  "operation_type" INTEGER NOT NULL CHECK ("operation_type" BETWEEN 0 AND 2),
  PRIMARY KEY ("id", "transaction_id")
) STRICT, WITHOUT ROWID;
CREATE INDEX "regions_version_changes" ON "regions_version" ("transaction_id");
CREATE TRIGGER "regions_guard_key" BEFORE UPDATE OF "id" ON "regions"
WHEN OLD."id" IS NOT NEW."id"
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:key_update: regions: a key is not changed: delete the row and insert another');
END;
CREATE TRIGGER "regions_record_insert" AFTER INSERT ON "regions"
WHEN (SELECT recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: regions: written outside a stratalog transaction')
   WHERE (SELECT transaction_id FROM transaction_context) IS NULL;
  DELETE FROM "regions_version" WHERE "regions_version"."id" = NEW."id" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "regions_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "regions_version"."id" = NEW."id" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "regions_version" ("id", "name", "hierarchy", "docs", "transaction_id", "operation_type")
    SELECT NEW."id", NEW."name", NEW."hierarchy", NEW."docs", (SELECT transaction_id FROM transaction_context), EXISTS (SELECT 1 FROM "regions_version" before WHERE before."id" = NEW."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2) WHERE NOT EXISTS (SELECT 1 FROM "regions_version" before WHERE before."id" = NEW."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2 AND NOT before."name" IS NOT NEW."name" AND NOT before."hierarchy" IS NOT NEW."hierarchy" AND NOT before."docs" IS NOT NEW."docs");
  UPDATE "regions_version" SET "end_transaction_id" = NULL WHERE "regions_version"."id" = NEW."id" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "regions_version" own WHERE own."id" = NEW."id" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "regions_record_update" AFTER UPDATE ON "regions"
WHEN (SELECT recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: regions: written outside a stratalog transaction')
   WHERE (SELECT transaction_id FROM transaction_context) IS NULL;
  DELETE FROM "regions_version" WHERE "regions_version"."id" = NEW."id" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "regions_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "regions_version"."id" = NEW."id" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "regions_version" ("id", "name", "hierarchy", "docs", "transaction_id", "operation_type")
    SELECT NEW."id", NEW."name", NEW."hierarchy", NEW."docs", (SELECT transaction_id FROM transaction_context), EXISTS (SELECT 1 FROM "regions_version" before WHERE before."id" = NEW."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2) WHERE NOT EXISTS (SELECT 1 FROM "regions_version" before WHERE before."id" = NEW."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2 AND NOT before."name" IS NOT NEW."name" AND NOT before."hierarchy" IS NOT NEW."hierarchy" AND NOT before."docs" IS NOT NEW."docs");
  UPDATE "regions_version" SET "end_transaction_id" = NULL WHERE "regions_version"."id" = NEW."id" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "regions_version" own WHERE own."id" = NEW."id" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "regions_record_delete" AFTER DELETE ON "regions"
WHEN (SELECT recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: regions: written outside a stratalog transaction')
   WHERE (SELECT transaction_id FROM transaction_context) IS NULL;
  DELETE FROM "regions_version" WHERE "regions_version"."id" = OLD."id" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "regions_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "regions_version"."id" = OLD."id" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "regions_version" ("id", "name", "hierarchy", "docs", "transaction_id", "operation_type")
    SELECT OLD."id", OLD."name", OLD."hierarchy", OLD."docs", (SELECT transaction_id FROM transaction_context), 2 WHERE EXISTS (SELECT 1 FROM "regions_version" before WHERE before."id" = OLD."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2);
  UPDATE "regions_version" SET "end_transaction_id" = NULL WHERE "regions_version"."id" = OLD."id" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "regions_version" own WHERE own."id" = OLD."id" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "regions_version_append" AFTER INSERT ON "regions_version"
WHEN NEW."transaction_id" IS NOT (SELECT transaction_id FROM transaction_context) OR NEW."end_transaction_id" IS NOT NULL
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: regions_version: history is written by stratalog only');
END;
CREATE TRIGGER "regions_version_no_update" BEFORE UPDATE OF "id", "name", "hierarchy", "docs", "transaction_id", "operation_type" ON "regions_version"
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: regions_version: history is never changed');
END;
CREATE TRIGGER "regions_version_end_once" AFTER UPDATE OF "end_transaction_id" ON "regions_version"
WHEN NOT coalesce((OLD."end_transaction_id" IS NULL AND NEW."end_transaction_id" = (SELECT transaction_id FROM transaction_context))
  OR (OLD."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND NEW."end_transaction_id" IS NULL), 0)
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: regions_version: the end of a version row is set once');
END;
CREATE TRIGGER "regions_version_no_delete" BEFORE DELETE ON "regions_version"
WHEN OLD."transaction_id" IS NOT (SELECT transaction_id FROM transaction_context)
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: regions_version: history is never deleted');
END;

CREATE TABLE "units" (
  "id" INTEGER PRIMARY KEY AUTOINCREMENT,
  "name" TEXT NOT NULL,
  "docs" TEXT
) STRICT;
CREATE UNIQUE INDEX "units_name" ON "units" ("name");
CREATE TABLE "units_version" (
  "id" INTEGER NOT NULL,
  "name" TEXT NOT NULL,
  "docs" TEXT,
  "transaction_id" INTEGER NOT NULL,
  "end_transaction_id" INTEGER,
  "operation_type" INTEGER NOT NULL CHECK ("operation_type" BETWEEN 0 AND 2),
  PRIMARY KEY ("id", "transaction_id")
) STRICT, WITHOUT ROWID;
CREATE INDEX "units_version_changes" ON "units_version" ("transaction_id");
CREATE TRIGGER "units_guard_key" BEFORE UPDATE OF "id" ON "units"
WHEN OLD."id" IS NOT NEW."id"
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:key_update: units: a key is not changed: delete the row and insert another');
END;
CREATE TRIGGER "units_record_insert" AFTER INSERT ON "units"
WHEN (SELECT recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: units: written outside a stratalog transaction')
   WHERE (SELECT transaction_id FROM transaction_context) IS NULL;
  DELETE FROM "units_version" WHERE "units_version"."id" = NEW."id" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "units_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "units_version"."id" = NEW."id" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "units_version" ("id", "name", "docs", "transaction_id", "operation_type")
    SELECT NEW."id", NEW."name", NEW."docs", (SELECT transaction_id FROM transaction_context), EXISTS (SELECT 1 FROM "units_version" before WHERE before."id" = NEW."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2) WHERE NOT EXISTS (SELECT 1 FROM "units_version" before WHERE before."id" = NEW."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2 AND NOT before."name" IS NOT NEW."name" AND NOT before."docs" IS NOT NEW."docs");
  UPDATE "units_version" SET "end_transaction_id" = NULL WHERE "units_version"."id" = NEW."id" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "units_version" own WHERE own."id" = NEW."id" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "units_record_update" AFTER UPDATE ON "units"
WHEN (SELECT recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: units: written outside a stratalog transaction')
   WHERE (SELECT transaction_id FROM transaction_context) IS NULL;
  DELETE FROM "units_version" WHERE "units_version"."id" = NEW."id" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "units_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "units_version"."id" = NEW."id" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "units_version" ("id", "name", "docs", "transaction_id", "operation_type")
    SELECT NEW."id", NEW."name", NEW."docs", (SELECT transaction_id FROM transaction_context), EXISTS (SELECT 1 FROM "units_version" before WHERE before."id" = NEW."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2) WHERE NOT EXISTS (SELECT 1 FROM "units_version" before WHERE before."id" = NEW."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2 AND NOT before."name" IS NOT NEW."name" AND NOT before."docs" IS NOT NEW."docs");
  UPDATE "units_version" SET "end_transaction_id" = NULL WHERE "units_version"."id" = NEW."id" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "units_version" own WHERE own."id" = NEW."id" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "units_record_delete" AFTER DELETE ON "units"
WHEN (SELECT recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: units: written outside a stratalog transaction')
   WHERE (SELECT transaction_id FROM transaction_context) IS NULL;
  DELETE FROM "units_version" WHERE "units_version"."id" = OLD."id" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "units_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "units_version"."id" = OLD."id" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "units_version" ("id", "name", "docs", "transaction_id", "operation_type")
    SELECT OLD."id", OLD."name", OLD."docs", (SELECT transaction_id FROM transaction_context), 2 WHERE EXISTS (SELECT 1 FROM "units_version" before WHERE before."id" = OLD."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2);
  UPDATE "units_version" SET "end_transaction_id" = NULL WHERE "units_version"."id" = OLD."id" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "units_version" own WHERE own."id" = OLD."id" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "units_version_append" AFTER INSERT ON "units_version"
WHEN NEW."transaction_id" IS NOT (SELECT transaction_id FROM transaction_context) OR NEW."end_transaction_id" IS NOT NULL
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: units_version: history is written by stratalog only');
END;
CREATE TRIGGER "units_version_no_update" BEFORE UPDATE OF "id", "name", "docs", "transaction_id", "operation_type" ON "units_version"
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: units_version: history is never changed');
END;
CREATE TRIGGER "units_version_end_once" AFTER UPDATE OF "end_transaction_id" ON "units_version"
WHEN NOT coalesce((OLD."end_transaction_id" IS NULL AND NEW."end_transaction_id" = (SELECT transaction_id FROM transaction_context))
  OR (OLD."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND NEW."end_transaction_id" IS NULL), 0)
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: units_version: the end of a version row is set once');
END;
CREATE TRIGGER "units_version_no_delete" BEFORE DELETE ON "units_version"
WHEN OLD."transaction_id" IS NOT (SELECT transaction_id FROM transaction_context)
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: units_version: history is never deleted');
END;

CREATE TABLE "variables" (
  "id" INTEGER PRIMARY KEY AUTOINCREMENT,
  "name" TEXT NOT NULL,
  "docs" TEXT
) STRICT;
CREATE UNIQUE INDEX "variables_name" ON "variables" ("name");
CREATE TABLE "variables_version" (
  "id" INTEGER NOT NULL,
  "name" TEXT NOT NULL,
  "docs" TEXT,
  "transaction_id" INTEGER NOT NULL,
  "end_transaction_id" INTEGER,
  "operation_type" INTEGER NOT NULL CHECK ("operation_type" BETWEEN 0 AND 2),
  PRIMARY KEY ("id", "transaction_id")
) STRICT, WITHOUT ROWID;
CREATE INDEX "variables_version_changes" ON "variables_version" ("transaction_id");
CREATE TRIGGER "variables_guard_key" BEFORE UPDATE OF "id" ON "variables"
WHEN OLD."id" IS NOT NEW."id"
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:key_update: variables: a key is not changed: delete the row and insert another');
END;
CREATE TRIGGER "variables_record_insert" AFTER INSERT ON "variables"
WHEN (SELECT recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: variables: written outside a stratalog transaction')
   WHERE (SELECT transaction_id FROM transaction_context) IS NULL;
  DELETE FROM "variables_version" WHERE "variables_version"."id" = NEW."id" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "variables_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "variables_version"."id" = NEW."id" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "variables_version" ("id", "name", "docs", "transaction_id", "operation_type")
    SELECT NEW."id", NEW."name", NEW."docs", (SELECT transaction_id FROM transaction_context), EXISTS (SELECT 1 FROM "variables_version" before WHERE before."id" = NEW."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2) WHERE NOT EXISTS (SELECT 1 FROM "variables_version" before WHERE before."id" = NEW."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2 AND NOT before."name" IS NOT NEW."name" AND NOT before."docs" IS NOT NEW."docs");
  UPDATE "variables_version" SET "end_transaction_id" = NULL WHERE "variables_version"."id" = NEW."id" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "variables_version" own WHERE own."id" = NEW."id" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "variables_record_update" AFTER UPDATE ON "variables"
WHEN (SELECT recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: variables: written outside a stratalog transaction')
   WHERE (SELECT transaction_id FROM transaction_context) IS NULL;
  DELETE FROM "variables_version" WHERE "variables_version"."id" = NEW."id" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "variables_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "variables_version"."id" = NEW."id" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "variables_version" ("id", "name", "docs", "transaction_id", "operation_type")
    SELECT NEW."id", NEW."name", NEW."docs", (SELECT transaction_id FROM transaction_context), EXISTS (SELECT 1 FROM "variables_version" before WHERE before."id" = NEW."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2) WHERE NOT EXISTS (SELECT 1 FROM "variables_version" before WHERE before."id" = NEW."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2 AND NOT before."name" IS NOT NEW."name" AND NOT before."docs" IS NOT NEW."docs");
  UPDATE "variables_version" SET "end_transaction_id" = NULL WHERE "variables_version"."id" = NEW."id" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "variables_version" own WHERE own."id" = NEW."id" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "variables_record_delete" AFTER DELETE ON "variables"
WHEN (SELECT recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: variables: written outside a stratalog transaction')
   WHERE (SELECT transaction_id FROM transaction_context) IS NULL;
  DELETE FROM "variables_version" WHERE "variables_version"."id" = OLD."id" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "variables_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "variables_version"."id" = OLD."id" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "variables_version" ("id", "name", "docs", "transaction_id", "operation_type")
    SELECT OLD."id", OLD."name", OLD."docs", (SELECT transaction_id FROM transaction_context), 2 WHERE EXISTS (SELECT 1 FROM "variables_version" before WHERE before."id" = OLD."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2);
  UPDATE "variables_version" SET "end_transaction_id" = NULL WHERE "variables_version"."id" = OLD."id" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "variables_version" own WHERE own."id" = OLD."id" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "variables_version_append" AFTER INSERT ON "variables_version"
WHEN NEW."transaction_id" IS NOT (SELECT transaction_id FROM transaction_context) OR NEW."end_transaction_id" IS NOT NULL
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: variables_version: history is written by stratalog only');
END;
CREATE TRIGGER "variables_version_no_update" BEFORE UPDATE OF "id", "name", "docs", "transaction_id", "operation_type" ON "variables_version"
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: variables_version: history is never changed');
END;
CREATE TRIGGER "variables_version_end_once" AFTER UPDATE OF "end_transaction_id" ON "variables_version"
WHEN NOT coalesce((OLD."end_transaction_id" IS NULL AND NEW."end_transaction_id" = (SELECT transaction_id FROM transaction_context))
  OR (OLD."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND NEW."end_transaction_id" IS NULL), 0)
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: variables_version: the end of a version row is set once');
END;
CREATE TRIGGER "variables_version_no_delete" BEFORE DELETE ON "variables_version"
WHEN OLD."transaction_id" IS NOT (SELECT transaction_id FROM transaction_context)
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: variables_version: history is never deleted');
END;

CREATE TABLE "runs" (
  "id" INTEGER PRIMARY KEY AUTOINCREMENT,
  "model_id" INTEGER NOT NULL REFERENCES "models" ("id"),
  "scenario_id" INTEGER NOT NULL REFERENCES "scenarios" ("id"),
  "version" INTEGER NOT NULL CHECK ("version" BETWEEN -2147483648 AND 2147483647),
  "is_default" INTEGER NOT NULL CHECK ("is_default" IN (0, 1)),
  "cloned_from_run" INTEGER,
  "cloned_from_transaction" INTEGER
) STRICT;
CREATE UNIQUE INDEX "runs_model_id_scenario_id_version" ON "runs" ("model_id", "scenario_id", "version");
CREATE UNIQUE INDEX "runs_model_id_scenario_id_when_is_default" ON "runs" ("model_id", "scenario_id") WHERE "is_default";
CREATE TABLE "runs_version" (
  "id" INTEGER NOT NULL,
  "model_id" INTEGER NOT NULL,
  "scenario_id" INTEGER NOT NULL,
  "version" INTEGER NOT NULL,
  "is_default" INTEGER NOT NULL,
  "cloned_from_run" INTEGER,
  "cloned_from_transaction" INTEGER,
  "transaction_id" INTEGER NOT NULL,
  "end_transaction_id" INTEGER,
  "operation_type" INTEGER NOT NULL CHECK ("operation_type" BETWEEN 0 AND 2),
  PRIMARY KEY ("id", "transaction_id")
) STRICT, WITHOUT ROWID;
CREATE INDEX "runs_version_changes" ON "runs_version" ("transaction_id");
CREATE TRIGGER "runs_guard_key" BEFORE UPDATE OF "id" ON "runs"
WHEN OLD."id" IS NOT NEW."id"
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:key_update: runs: a key is not changed: delete the row and insert another');
END;
CREATE TRIGGER "runs_record_insert" AFTER INSERT ON "runs"
WHEN (SELECT recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: runs: written outside a stratalog transaction')
   WHERE (SELECT transaction_id FROM transaction_context) IS NULL;
  DELETE FROM "runs_version" WHERE "runs_version"."id" = NEW."id" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "runs_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "runs_version"."id" = NEW."id" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "runs_version" ("id", "model_id", "scenario_id", "version", "is_default", "cloned_from_run", "cloned_from_transaction", "transaction_id", "operation_type")
    SELECT NEW."id", NEW."model_id", NEW."scenario_id", NEW."version", NEW."is_default", NEW."cloned_from_run", NEW."cloned_from_transaction", (SELECT transaction_id FROM transaction_context), EXISTS (SELECT 1 FROM "runs_version" before WHERE before."id" = NEW."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2) WHERE NOT EXISTS (SELECT 1 FROM "runs_version" before WHERE before."id" = NEW."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2 AND NOT before."model_id" IS NOT NEW."model_id" AND NOT before."scenario_id" IS NOT NEW."scenario_id" AND NOT before."version" IS NOT NEW."version" AND NOT before."is_default" IS NOT NEW."is_default" AND NOT before."cloned_from_run" IS NOT NEW."cloned_from_run" AND NOT before."cloned_from_transaction" IS NOT NEW."cloned_from_transaction");
  UPDATE "runs_version" SET "end_transaction_id" = NULL WHERE "runs_version"."id" = NEW."id" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "runs_version" own WHERE own."id" = NEW."id" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "runs_record_update" AFTER UPDATE ON "runs"
WHEN (SELECT recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: runs: written outside a stratalog transaction')
   WHERE (SELECT transaction_id FROM transaction_context) IS NULL;
  DELETE FROM "runs_version" WHERE "runs_version"."id" = NEW."id" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "runs_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "runs_version"."id" = NEW."id" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "runs_version" ("id", "model_id", "scenario_id", "version", "is_default", "cloned_from_run", "cloned_from_transaction", "transaction_id", "operation_type")
    SELECT NEW."id", NEW."model_id", NEW."scenario_id", NEW."version", NEW."is_default", NEW."cloned_from_run", NEW."cloned_from_transaction", (SELECT transaction_id FROM transaction_context), EXISTS (SELECT 1 FROM "runs_version" before WHERE before."id" = NEW."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2) WHERE NOT EXISTS (SELECT 1 FROM "runs_version" before WHERE before."id" = NEW."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2 AND NOT before."model_id" IS NOT NEW."model_id" AND NOT before."scenario_id" IS NOT NEW."scenario_id" AND NOT before."version" IS NOT NEW."version" AND NOT before."is_default" IS NOT NEW."is_default" AND NOT before."cloned_from_run" IS NOT NEW."cloned_from_run" AND NOT before."cloned_from_transaction" IS NOT NEW."cloned_from_transaction");
  UPDATE "runs_version" SET "end_transaction_id" = NULL WHERE "runs_version"."id" = NEW."id" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "runs_version" own WHERE own."id" = NEW."id" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "runs_record_delete" AFTER DELETE ON "runs"
WHEN (SELECT recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: runs: written outside a stratalog transaction')
   WHERE (SELECT transaction_id FROM transaction_context) IS NULL;
  DELETE FROM "runs_version" WHERE "runs_version"."id" = OLD."id" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "runs_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "runs_version"."id" = OLD."id" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "runs_version" ("id", "model_id", "scenario_id", "version", "is_default", "cloned_from_run", "cloned_from_transaction", "transaction_id", "operation_type")
    SELECT OLD."id", OLD."model_id", OLD."scenario_id", OLD."version", OLD."is_default", OLD."cloned_from_run", OLD."cloned_from_transaction", (SELECT transaction_id FROM transaction_context), 2 WHERE EXISTS (SELECT 1 FROM "runs_version" before WHERE before."id" = OLD."id"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2);
  UPDATE "runs_version" SET "end_transaction_id" = NULL WHERE "runs_version"."id" = OLD."id" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "runs_version" own WHERE own."id" = OLD."id" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "runs_version_append" AFTER INSERT ON "runs_version"
WHEN NEW."transaction_id" IS NOT (SELECT transaction_id FROM transaction_context) OR NEW."end_transaction_id" IS NOT NULL
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: runs_version: history is written by stratalog only');
END;
CREATE TRIGGER "runs_version_no_update" BEFORE UPDATE OF "id", "model_id", "scenario_id", "version", "is_default", "cloned_from_run", "cloned_from_transaction", "transaction_id", "operation_type" ON "runs_version"
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: runs_version: history is never changed');
END;
CREATE TRIGGER "runs_version_end_once" AFTER UPDATE OF "end_transaction_id" ON "runs_version"
WHEN NOT coalesce((OLD."end_transaction_id" IS NULL AND NEW."end_transaction_id" = (SELECT transaction_id FROM transaction_context))
  OR (OLD."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND NEW."end_transaction_id" IS NULL), 0)
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: runs_version: the end of a version row is set once');
END;
CREATE TRIGGER "runs_version_no_delete" BEFORE DELETE ON "runs_version"
WHEN OLD."transaction_id" IS NOT (SELECT transaction_id FROM transaction_context)
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: runs_version: history is never deleted');
END;

CREATE TABLE "datapoints" (
  "run_id" INTEGER NOT NULL REFERENCES "runs" ("id"),
  "region_id" INTEGER NOT NULL REFERENCES "regions" ("id"),
  "variable_id" INTEGER NOT NULL REFERENCES "variables" ("id"),
  "unit_id" INTEGER NOT NULL REFERENCES "units" ("id"),
  "point_type" INTEGER NOT NULL CHECK ("point_type" BETWEEN -32768 AND 32767),
  "step" INTEGER NOT NULL,
  "category" TEXT NOT NULL,
  "value" ANY NOT NULL CHECK ("value" <= 9e999 AND 3 / (2 + 0 * "value") <> 1),
  PRIMARY KEY ("run_id", "region_id", "variable_id", "unit_id", "point_type", "step", "category")
) STRICT, WITHOUT ROWID;
CREATE TABLE "datapoints_version" (
  "run_id" INTEGER NOT NULL,
  "region_id" INTEGER NOT NULL,
  "variable_id" INTEGER NOT NULL,
  "unit_id" INTEGER NOT NULL,
  "point_type" INTEGER NOT NULL,
  "step" INTEGER NOT NULL,
  "category" TEXT NOT NULL,
  "value" ANY,
  "transaction_id" INTEGER NOT NULL,
  "end_transaction_id" INTEGER,
  "operation_type" INTEGER NOT NULL CHECK ("operation_type" BETWEEN 0 AND 2),
  PRIMARY KEY ("run_id", "region_id", "variable_id", "unit_id", "point_type", "step", "category", "transaction_id")
) STRICT, WITHOUT ROWID;
CREATE INDEX "datapoints_version_changes" ON "datapoints_version" ("run_id", "transaction_id");
CREATE TRIGGER "datapoints_guard_key" BEFORE UPDATE OF "run_id", "region_id", "variable_id", "unit_id", "point_type", "step", "category" ON "datapoints"
WHEN OLD."run_id" IS NOT NEW."run_id" OR OLD."region_id" IS NOT NEW."region_id" OR OLD."variable_id" IS NOT NEW."variable_id" OR OLD."unit_id" IS NOT NEW."unit_id" OR OLD."point_type" IS NOT NEW."point_type" OR OLD."step" IS NOT NEW."step" OR OLD."category" IS NOT NEW."category"
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:key_update: datapoints: a key is not changed: delete the row and insert another');
END;
CREATE TRIGGER "datapoints_record_insert" AFTER INSERT ON "datapoints"
WHEN (SELECT run_id IS NEW."run_id" AND recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: datapoints: a run is written to in a stratalog transaction that holds its lock')
   WHERE (SELECT run_id FROM transaction_context) IS NOT NEW."run_id";
  DELETE FROM "datapoints_version" WHERE "datapoints_version"."run_id" = NEW."run_id" AND "datapoints_version"."region_id" = NEW."region_id" AND "datapoints_version"."variable_id" = NEW."variable_id" AND "datapoints_version"."unit_id" = NEW."unit_id" AND "datapoints_version"."point_type" = NEW."point_type" AND "datapoints_version"."step" = NEW."step" AND "datapoints_version"."category" = NEW."category" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "datapoints_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "datapoints_version"."run_id" = NEW."run_id" AND "datapoints_version"."region_id" = NEW."region_id" AND "datapoints_version"."variable_id" = NEW."variable_id" AND "datapoints_version"."unit_id" = NEW."unit_id" AND "datapoints_version"."point_type" = NEW."point_type" AND "datapoints_version"."step" = NEW."step" AND "datapoints_version"."category" = NEW."category" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "datapoints_version" ("run_id", "region_id", "variable_id", "unit_id", "point_type", "step", "category", "value", "transaction_id", "operation_type")
    SELECT NEW."run_id", NEW."region_id", NEW."variable_id", NEW."unit_id", NEW."point_type", NEW."step", NEW."category", NEW."value", (SELECT transaction_id FROM transaction_context), EXISTS (SELECT 1 FROM "datapoints_version" before WHERE before."run_id" = NEW."run_id" AND before."region_id" = NEW."region_id" AND before."variable_id" = NEW."variable_id" AND before."unit_id" = NEW."unit_id" AND before."point_type" = NEW."point_type" AND before."step" = NEW."step" AND before."category" = NEW."category"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2) WHERE NOT EXISTS (SELECT 1 FROM "datapoints_version" before WHERE before."run_id" = NEW."run_id" AND before."region_id" = NEW."region_id" AND before."variable_id" = NEW."variable_id" AND before."unit_id" = NEW."unit_id" AND before."point_type" = NEW."point_type" AND before."step" = NEW."step" AND before."category" = NEW."category"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2 AND NOT (before."value" IS NOT NEW."value" OR before."value" = 0));
  UPDATE "datapoints_version" SET "end_transaction_id" = NULL WHERE "datapoints_version"."run_id" = NEW."run_id" AND "datapoints_version"."region_id" = NEW."region_id" AND "datapoints_version"."variable_id" = NEW."variable_id" AND "datapoints_version"."unit_id" = NEW."unit_id" AND "datapoints_version"."point_type" = NEW."point_type" AND "datapoints_version"."step" = NEW."step" AND "datapoints_version"."category" = NEW."category" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "datapoints_version" own WHERE own."run_id" = NEW."run_id" AND own."region_id" = NEW."region_id" AND own."variable_id" = NEW."variable_id" AND own."unit_id" = NEW."unit_id" AND own."point_type" = NEW."point_type" AND own."step" = NEW."step" AND own."category" = NEW."category" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "datapoints_record_update" AFTER UPDATE ON "datapoints"
WHEN (SELECT run_id IS NEW."run_id" AND recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: datapoints: a run is written to in a stratalog transaction that holds its lock')
   WHERE (SELECT run_id FROM transaction_context) IS NOT NEW."run_id";
  DELETE FROM "datapoints_version" WHERE "datapoints_version"."run_id" = NEW."run_id" AND "datapoints_version"."region_id" = NEW."region_id" AND "datapoints_version"."variable_id" = NEW."variable_id" AND "datapoints_version"."unit_id" = NEW."unit_id" AND "datapoints_version"."point_type" = NEW."point_type" AND "datapoints_version"."step" = NEW."step" AND "datapoints_version"."category" = NEW."category" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "datapoints_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "datapoints_version"."run_id" = NEW."run_id" AND "datapoints_version"."region_id" = NEW."region_id" AND "datapoints_version"."variable_id" = NEW."variable_id" AND "datapoints_version"."unit_id" = NEW."unit_id" AND "datapoints_version"."point_type" = NEW."point_type" AND "datapoints_version"."step" = NEW."step" AND "datapoints_version"."category" = NEW."category" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "datapoints_version" ("run_id", "region_id", "variable_id", "unit_id", "point_type", "step", "category", "value", "transaction_id", "operation_type")
    SELECT NEW."run_id", NEW."region_id", NEW."variable_id", NEW."unit_id", NEW."point_type", NEW."step", NEW."category", NEW."value", (SELECT transaction_id FROM transaction_context), EXISTS (SELECT 1 FROM "datapoints_version" before WHERE before."run_id" = NEW."run_id" AND before."region_id" = NEW."region_id" AND before."variable_id" = NEW."variable_id" AND before."unit_id" = NEW."unit_id" AND before."point_type" = NEW."point_type" AND before."step" = NEW."step" AND before."category" = NEW."category"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2) WHERE NOT EXISTS (SELECT 1 FROM "datapoints_version" before WHERE before."run_id" = NEW."run_id" AND before."region_id" = NEW."region_id" AND before."variable_id" = NEW."variable_id" AND before."unit_id" = NEW."unit_id" AND before."point_type" = NEW."point_type" AND before."step" = NEW."step" AND before."category" = NEW."category"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2 AND NOT (before."value" IS NOT NEW."value" OR before."value" = 0));
  UPDATE "datapoints_version" SET "end_transaction_id" = NULL WHERE "datapoints_version"."run_id" = NEW."run_id" AND "datapoints_version"."region_id" = NEW."region_id" AND "datapoints_version"."variable_id" = NEW."variable_id" AND "datapoints_version"."unit_id" = NEW."unit_id" AND "datapoints_version"."point_type" = NEW."point_type" AND "datapoints_version"."step" = NEW."step" AND "datapoints_version"."category" = NEW."category" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "datapoints_version" own WHERE own."run_id" = NEW."run_id" AND own."region_id" = NEW."region_id" AND own."variable_id" = NEW."variable_id" AND own."unit_id" = NEW."unit_id" AND own."point_type" = NEW."point_type" AND own."step" = NEW."step" AND own."category" = NEW."category" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "datapoints_record_delete" AFTER DELETE ON "datapoints"
WHEN (SELECT run_id IS OLD."run_id" AND recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: datapoints: a run is written to in a stratalog transaction that holds its lock')
   WHERE (SELECT run_id FROM transaction_context) IS NOT OLD."run_id";
  DELETE FROM "datapoints_version" WHERE "datapoints_version"."run_id" = OLD."run_id" AND "datapoints_version"."region_id" = OLD."region_id" AND "datapoints_version"."variable_id" = OLD."variable_id" AND "datapoints_version"."unit_id" = OLD."unit_id" AND "datapoints_version"."point_type" = OLD."point_type" AND "datapoints_version"."step" = OLD."step" AND "datapoints_version"."category" = OLD."category" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "datapoints_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "datapoints_version"."run_id" = OLD."run_id" AND "datapoints_version"."region_id" = OLD."region_id" AND "datapoints_version"."variable_id" = OLD."variable_id" AND "datapoints_version"."unit_id" = OLD."unit_id" AND "datapoints_version"."point_type" = OLD."point_type" AND "datapoints_version"."step" = OLD."step" AND "datapoints_version"."category" = OLD."category" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "datapoints_version" ("run_id", "region_id", "variable_id", "unit_id", "point_type", "step", "category", "value", "transaction_id", "operation_type")
    SELECT OLD."run_id", OLD."region_id", OLD."variable_id", OLD."unit_id", OLD."point_type", OLD."step", OLD."category", OLD."value", (SELECT transaction_id FROM transaction_context), 2 WHERE EXISTS (SELECT 1 FROM "datapoints_version" before WHERE before."run_id" = OLD."run_id" AND before."region_id" = OLD."region_id" AND before."variable_id" = OLD."variable_id" AND before."unit_id" = OLD."unit_id" AND before."point_type" = OLD."point_type" AND before."step" = OLD."step" AND before."category" = OLD."category"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2);
  UPDATE "datapoints_version" SET "end_transaction_id" = NULL WHERE "datapoints_version"."run_id" = OLD."run_id" AND "datapoints_version"."region_id" = OLD."region_id" AND "datapoints_version"."variable_id" = OLD."variable_id" AND "datapoints_version"."unit_id" = OLD."unit_id" AND "datapoints_version"."point_type" = OLD."point_type" AND "datapoints_version"."step" = OLD."step" AND "datapoints_version"."category" = OLD."category" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "datapoints_version" own WHERE own."run_id" = OLD."run_id" AND own."region_id" = OLD."region_id" AND own."variable_id" = OLD."variable_id" AND own."unit_id" = OLD."unit_id" AND own."point_type" = OLD."point_type" AND own."step" = OLD."step" AND own."category" = OLD."category" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "datapoints_version_append" AFTER INSERT ON "datapoints_version"
WHEN NEW."transaction_id" IS NOT (SELECT transaction_id FROM transaction_context) OR NEW."end_transaction_id" IS NOT NULL
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: datapoints_version: history is written by stratalog only');
END;
CREATE TRIGGER "datapoints_version_no_update" BEFORE UPDATE OF "run_id", "region_id", "variable_id", "unit_id", "point_type", "step", "category", "value", "transaction_id", "operation_type" ON "datapoints_version"
WHEN NOT coalesce((OLD."run_id" IS NOT DISTINCT FROM NEW."run_id"
    AND OLD."region_id" IS NOT DISTINCT FROM NEW."region_id"
    AND OLD."variable_id" IS NOT DISTINCT FROM NEW."variable_id"
    AND OLD."unit_id" IS NOT DISTINCT FROM NEW."unit_id"
    AND OLD."point_type" IS NOT DISTINCT FROM NEW."point_type"
    AND OLD."step" IS NOT DISTINCT FROM NEW."step"
    AND OLD."category" IS NOT DISTINCT FROM NEW."category"
    AND OLD."transaction_id" IS NOT DISTINCT FROM NEW."transaction_id"
    AND OLD."end_transaction_id" IS NOT DISTINCT FROM NEW."end_transaction_id"
    AND OLD."operation_type" IS NOT DISTINCT FROM NEW."operation_type"
    AND NEW."value" IS NULL
    AND (OLD."end_transaction_id" IS NOT NULL OR OLD."operation_type" = 2)
    AND EXISTS (SELECT 1 FROM "redacted_rows" r WHERE r."run_id" = OLD."run_id"
      AND r."transaction_id" = OLD."transaction_id" AND r."table_name" = 'datapoints' AND r."row_key" = 'run_id=' || CAST(OLD."run_id" AS TEXT) || ', ' || 'region_id=' || CAST(OLD."region_id" AS TEXT) || ', ' || 'variable_id=' || CAST(OLD."variable_id" AS TEXT) || ', ' || 'unit_id=' || CAST(OLD."unit_id" AS TEXT) || ', ' || 'point_type=' || CAST(OLD."point_type" AS TEXT) || ', ' || 'step=' || CAST(OLD."step" AS TEXT) || ', ' || 'category=' || CAST(OLD."category" AS TEXT))), 0)
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: datapoints_version: history is never changed');
END;
CREATE TRIGGER "datapoints_version_end_once" AFTER UPDATE OF "end_transaction_id" ON "datapoints_version"
WHEN NOT coalesce((OLD."end_transaction_id" IS NULL AND NEW."end_transaction_id" = (SELECT transaction_id FROM transaction_context))
  OR (OLD."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND NEW."end_transaction_id" IS NULL), 0)
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: datapoints_version: the end of a version row is set once');
END;
CREATE TRIGGER "datapoints_version_no_delete" BEFORE DELETE ON "datapoints_version"
WHEN OLD."transaction_id" IS NOT (SELECT transaction_id FROM transaction_context) AND NOT EXISTS (
    SELECT 1 FROM "compactions" c
    JOIN "run_locks" l ON l."run_id" = c."run_id" AND l."token" = c."lock_token" AND l."state" <> 'free'
    WHERE c."run_id" = OLD."run_id" AND c."finished_at" IS NULL
      AND ((OLD."end_transaction_id" <= c."horizon" AND NOT EXISTS (SELECT 1 FROM "retained_states" kept
      WHERE kept."compaction_id" = c."id" AND kept."transaction_id" >= OLD."transaction_id" AND kept."transaction_id" < OLD."end_transaction_id")) OR (OLD."operation_type" = 2 AND OLD."transaction_id" <= c."horizon" AND NOT EXISTS (
      SELECT 1 FROM "datapoints_version" earlier WHERE earlier."run_id" = OLD."run_id" AND earlier."region_id" = OLD."region_id" AND earlier."variable_id" = OLD."variable_id" AND earlier."unit_id" = OLD."unit_id" AND earlier."point_type" = OLD."point_type" AND earlier."step" = OLD."step" AND earlier."category" = OLD."category" AND earlier."transaction_id" < OLD."transaction_id"))))
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: datapoints_version: history is never deleted');
END;
CREATE VIEW "datapoints_named" AS SELECT
  (SELECT p."name" FROM "models" p WHERE p."id" = run."model_id") AS "model",
  (SELECT p."name" FROM "scenarios" p WHERE p."id" = run."scenario_id") AS "scenario",
  run."version",
  run."is_default",
  d."run_id",
  (SELECT p."name" FROM "regions" p WHERE p."id" = d."region_id") AS "region",
  (SELECT p."name" FROM "variables" p WHERE p."id" = d."variable_id") AS "variable",
  (SELECT p."name" FROM "units" p WHERE p."id" = d."unit_id") AS "unit",
  CASE d."point_type" WHEN 0 THEN 'yearly' WHEN 1 THEN 'categorical' ELSE 'datetime' END AS "type",
  CASE WHEN d."point_type" < 2 THEN d."step" END AS "year",
  CASE WHEN d."point_type" = 2 THEN (strftime('%Y-%m-%d %H:%M:%S', ((d."step") - (((d."step") % 1000000 + 1000000) % 1000000)) / 1000000, 'unixepoch') || printf('.%06d', (((d."step") % 1000000 + 1000000) % 1000000))) END AS "datetime",
  CASE WHEN d."point_type" = 1 THEN d."category" END AS "subannual",
  d."value"
FROM "datapoints" d
JOIN "runs" run ON run."id" = d."run_id";
CREATE VIEW "datapoints_history_named" AS SELECT
  coalesce((SELECT p."name" FROM "models" p WHERE p."id" = run."model_id"), (SELECT p."name" FROM "models_version" p WHERE p."id" = run."model_id" ORDER BY p."transaction_id" DESC LIMIT 1)) AS "model",
  coalesce((SELECT p."name" FROM "scenarios" p WHERE p."id" = run."scenario_id"), (SELECT p."name" FROM "scenarios_version" p WHERE p."id" = run."scenario_id" ORDER BY p."transaction_id" DESC LIMIT 1)) AS "scenario",
  run."version",
  run."is_default",
  d."run_id",
  coalesce((SELECT p."name" FROM "regions" p WHERE p."id" = d."region_id"), (SELECT p."name" FROM "regions_version" p WHERE p."id" = d."region_id" ORDER BY p."transaction_id" DESC LIMIT 1)) AS "region",
  coalesce((SELECT p."name" FROM "variables" p WHERE p."id" = d."variable_id"), (SELECT p."name" FROM "variables_version" p WHERE p."id" = d."variable_id" ORDER BY p."transaction_id" DESC LIMIT 1)) AS "variable",
  coalesce((SELECT p."name" FROM "units" p WHERE p."id" = d."unit_id"), (SELECT p."name" FROM "units_version" p WHERE p."id" = d."unit_id" ORDER BY p."transaction_id" DESC LIMIT 1)) AS "unit",
  CASE d."point_type" WHEN 0 THEN 'yearly' WHEN 1 THEN 'categorical' ELSE 'datetime' END AS "type",
  CASE WHEN d."point_type" < 2 THEN d."step" END AS "year",
  CASE WHEN d."point_type" = 2 THEN (strftime('%Y-%m-%d %H:%M:%S', ((d."step") - (((d."step") % 1000000 + 1000000) % 1000000)) / 1000000, 'unixepoch') || printf('.%06d', (((d."step") % 1000000 + 1000000) % 1000000))) END AS "datetime",
  CASE WHEN d."point_type" = 1 THEN d."category" END AS "subannual",
  CASE WHEN d."operation_type" < 2 THEN d."value" END AS "value",
  CASE d."operation_type" WHEN 0 THEN 'insert' WHEN 1 THEN 'update' ELSE 'delete' END AS "operation",
  d."transaction_id",
  d."end_transaction_id",
  t."issued_at",
  t."actor",
  t."operation" AS "what"
FROM "datapoints_version" d
JOIN "transactions" t ON t."id" = d."transaction_id"
LEFT JOIN "runs" run ON run."id" = d."run_id";

CREATE TABLE "meta_indicators" (
  "run_id" INTEGER NOT NULL REFERENCES "runs" ("id"),
  "key" TEXT NOT NULL,
  "value_bool" INTEGER CHECK ("value_bool" IS NULL OR "value_bool" IN (0, 1)),
  "value_int" INTEGER,
  "value_float" ANY CHECK ("value_float" IS NULL OR "value_float" <= 9e999 AND 3 / (2 + 0 * "value_float") <> 1),
  "value_text" TEXT,
  PRIMARY KEY ("run_id", "key")
) STRICT, WITHOUT ROWID;
CREATE TABLE "meta_indicators_version" (
  "run_id" INTEGER NOT NULL,
  "key" TEXT NOT NULL,
  "value_bool" INTEGER,
  "value_int" INTEGER,
  "value_float" ANY,
  "value_text" TEXT,
  "transaction_id" INTEGER NOT NULL,
  "end_transaction_id" INTEGER,
  "operation_type" INTEGER NOT NULL CHECK ("operation_type" BETWEEN 0 AND 2),
  PRIMARY KEY ("run_id", "key", "transaction_id")
) STRICT, WITHOUT ROWID;
CREATE INDEX "meta_indicators_version_changes" ON "meta_indicators_version" ("run_id", "transaction_id");
CREATE TRIGGER "meta_indicators_guard_key" BEFORE UPDATE OF "run_id", "key" ON "meta_indicators"
WHEN OLD."run_id" IS NOT NEW."run_id" OR OLD."key" IS NOT NEW."key"
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:key_update: meta_indicators: a key is not changed: delete the row and insert another');
END;
CREATE TRIGGER "meta_indicators_record_insert" AFTER INSERT ON "meta_indicators"
WHEN (SELECT run_id IS NEW."run_id" AND recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: meta_indicators: a run is written to in a stratalog transaction that holds its lock')
   WHERE (SELECT run_id FROM transaction_context) IS NOT NEW."run_id";
  DELETE FROM "meta_indicators_version" WHERE "meta_indicators_version"."run_id" = NEW."run_id" AND "meta_indicators_version"."key" = NEW."key" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "meta_indicators_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "meta_indicators_version"."run_id" = NEW."run_id" AND "meta_indicators_version"."key" = NEW."key" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "meta_indicators_version" ("run_id", "key", "value_bool", "value_int", "value_float", "value_text", "transaction_id", "operation_type")
    SELECT NEW."run_id", NEW."key", NEW."value_bool", NEW."value_int", NEW."value_float", NEW."value_text", (SELECT transaction_id FROM transaction_context), EXISTS (SELECT 1 FROM "meta_indicators_version" before WHERE before."run_id" = NEW."run_id" AND before."key" = NEW."key"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2) WHERE NOT EXISTS (SELECT 1 FROM "meta_indicators_version" before WHERE before."run_id" = NEW."run_id" AND before."key" = NEW."key"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2 AND NOT before."value_bool" IS NOT NEW."value_bool" AND NOT before."value_int" IS NOT NEW."value_int" AND NOT (before."value_float" IS NOT NEW."value_float" OR before."value_float" = 0) AND NOT before."value_text" IS NOT NEW."value_text");
  UPDATE "meta_indicators_version" SET "end_transaction_id" = NULL WHERE "meta_indicators_version"."run_id" = NEW."run_id" AND "meta_indicators_version"."key" = NEW."key" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "meta_indicators_version" own WHERE own."run_id" = NEW."run_id" AND own."key" = NEW."key" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "meta_indicators_record_update" AFTER UPDATE ON "meta_indicators"
WHEN (SELECT run_id IS NEW."run_id" AND recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: meta_indicators: a run is written to in a stratalog transaction that holds its lock')
   WHERE (SELECT run_id FROM transaction_context) IS NOT NEW."run_id";
  DELETE FROM "meta_indicators_version" WHERE "meta_indicators_version"."run_id" = NEW."run_id" AND "meta_indicators_version"."key" = NEW."key" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "meta_indicators_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "meta_indicators_version"."run_id" = NEW."run_id" AND "meta_indicators_version"."key" = NEW."key" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "meta_indicators_version" ("run_id", "key", "value_bool", "value_int", "value_float", "value_text", "transaction_id", "operation_type")
    SELECT NEW."run_id", NEW."key", NEW."value_bool", NEW."value_int", NEW."value_float", NEW."value_text", (SELECT transaction_id FROM transaction_context), EXISTS (SELECT 1 FROM "meta_indicators_version" before WHERE before."run_id" = NEW."run_id" AND before."key" = NEW."key"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2) WHERE NOT EXISTS (SELECT 1 FROM "meta_indicators_version" before WHERE before."run_id" = NEW."run_id" AND before."key" = NEW."key"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2 AND NOT before."value_bool" IS NOT NEW."value_bool" AND NOT before."value_int" IS NOT NEW."value_int" AND NOT (before."value_float" IS NOT NEW."value_float" OR before."value_float" = 0) AND NOT before."value_text" IS NOT NEW."value_text");
  UPDATE "meta_indicators_version" SET "end_transaction_id" = NULL WHERE "meta_indicators_version"."run_id" = NEW."run_id" AND "meta_indicators_version"."key" = NEW."key" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "meta_indicators_version" own WHERE own."run_id" = NEW."run_id" AND own."key" = NEW."key" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "meta_indicators_record_delete" AFTER DELETE ON "meta_indicators"
WHEN (SELECT run_id IS OLD."run_id" AND recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: meta_indicators: a run is written to in a stratalog transaction that holds its lock')
   WHERE (SELECT run_id FROM transaction_context) IS NOT OLD."run_id";
  DELETE FROM "meta_indicators_version" WHERE "meta_indicators_version"."run_id" = OLD."run_id" AND "meta_indicators_version"."key" = OLD."key" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "meta_indicators_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "meta_indicators_version"."run_id" = OLD."run_id" AND "meta_indicators_version"."key" = OLD."key" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "meta_indicators_version" ("run_id", "key", "value_bool", "value_int", "value_float", "value_text", "transaction_id", "operation_type")
    SELECT OLD."run_id", OLD."key", OLD."value_bool", OLD."value_int", OLD."value_float", OLD."value_text", (SELECT transaction_id FROM transaction_context), 2 WHERE EXISTS (SELECT 1 FROM "meta_indicators_version" before WHERE before."run_id" = OLD."run_id" AND before."key" = OLD."key"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2);
  UPDATE "meta_indicators_version" SET "end_transaction_id" = NULL WHERE "meta_indicators_version"."run_id" = OLD."run_id" AND "meta_indicators_version"."key" = OLD."key" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "meta_indicators_version" own WHERE own."run_id" = OLD."run_id" AND own."key" = OLD."key" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "meta_indicators_version_append" AFTER INSERT ON "meta_indicators_version"
WHEN NEW."transaction_id" IS NOT (SELECT transaction_id FROM transaction_context) OR NEW."end_transaction_id" IS NOT NULL
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: meta_indicators_version: history is written by stratalog only');
END;
CREATE TRIGGER "meta_indicators_version_no_update" BEFORE UPDATE OF "run_id", "key", "value_bool", "value_int", "value_float", "value_text", "transaction_id", "operation_type" ON "meta_indicators_version"
WHEN NOT coalesce((OLD."run_id" IS NOT DISTINCT FROM NEW."run_id"
    AND OLD."key" IS NOT DISTINCT FROM NEW."key"
    AND OLD."transaction_id" IS NOT DISTINCT FROM NEW."transaction_id"
    AND OLD."end_transaction_id" IS NOT DISTINCT FROM NEW."end_transaction_id"
    AND OLD."operation_type" IS NOT DISTINCT FROM NEW."operation_type"
    AND NEW."value_bool" IS NULL
    AND NEW."value_int" IS NULL
    AND NEW."value_float" IS NULL
    AND NEW."value_text" IS NULL
    AND (OLD."end_transaction_id" IS NOT NULL OR OLD."operation_type" = 2)
    AND EXISTS (SELECT 1 FROM "redacted_rows" r WHERE r."run_id" = OLD."run_id"
      AND r."transaction_id" = OLD."transaction_id" AND r."table_name" = 'meta_indicators' AND r."row_key" = 'run_id=' || CAST(OLD."run_id" AS TEXT) || ', ' || 'key=' || CAST(OLD."key" AS TEXT))), 0)
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: meta_indicators_version: history is never changed');
END;
CREATE TRIGGER "meta_indicators_version_end_once" AFTER UPDATE OF "end_transaction_id" ON "meta_indicators_version"
WHEN NOT coalesce((OLD."end_transaction_id" IS NULL AND NEW."end_transaction_id" = (SELECT transaction_id FROM transaction_context))
  OR (OLD."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND NEW."end_transaction_id" IS NULL), 0)
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: meta_indicators_version: the end of a version row is set once');
END;
CREATE TRIGGER "meta_indicators_version_no_delete" BEFORE DELETE ON "meta_indicators_version"
WHEN OLD."transaction_id" IS NOT (SELECT transaction_id FROM transaction_context) AND NOT EXISTS (
    SELECT 1 FROM "compactions" c
    JOIN "run_locks" l ON l."run_id" = c."run_id" AND l."token" = c."lock_token" AND l."state" <> 'free'
    WHERE c."run_id" = OLD."run_id" AND c."finished_at" IS NULL
      AND ((OLD."end_transaction_id" <= c."horizon" AND NOT EXISTS (SELECT 1 FROM "retained_states" kept
      WHERE kept."compaction_id" = c."id" AND kept."transaction_id" >= OLD."transaction_id" AND kept."transaction_id" < OLD."end_transaction_id")) OR (OLD."operation_type" = 2 AND OLD."transaction_id" <= c."horizon" AND NOT EXISTS (
      SELECT 1 FROM "meta_indicators_version" earlier WHERE earlier."run_id" = OLD."run_id" AND earlier."key" = OLD."key" AND earlier."transaction_id" < OLD."transaction_id"))))
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: meta_indicators_version: history is never deleted');
END;
CREATE VIEW "meta_indicators_named" AS SELECT
  (SELECT p."name" FROM "models" p WHERE p."id" = run."model_id") AS "model",
  (SELECT p."name" FROM "scenarios" p WHERE p."id" = run."scenario_id") AS "scenario",
  run."version",
  run."is_default",
  d."run_id",
  d."key",
  d."value_bool",
  d."value_int",
  d."value_float",
  d."value_text"
FROM "meta_indicators" d
JOIN "runs" run ON run."id" = d."run_id";
CREATE VIEW "meta_indicators_history_named" AS SELECT
  coalesce((SELECT p."name" FROM "models" p WHERE p."id" = run."model_id"), (SELECT p."name" FROM "models_version" p WHERE p."id" = run."model_id" ORDER BY p."transaction_id" DESC LIMIT 1)) AS "model",
  coalesce((SELECT p."name" FROM "scenarios" p WHERE p."id" = run."scenario_id"), (SELECT p."name" FROM "scenarios_version" p WHERE p."id" = run."scenario_id" ORDER BY p."transaction_id" DESC LIMIT 1)) AS "scenario",
  run."version",
  run."is_default",
  d."run_id",
  d."key",
  CASE WHEN d."operation_type" < 2 THEN d."value_bool" END AS "value_bool",
  CASE WHEN d."operation_type" < 2 THEN d."value_int" END AS "value_int",
  CASE WHEN d."operation_type" < 2 THEN d."value_float" END AS "value_float",
  CASE WHEN d."operation_type" < 2 THEN d."value_text" END AS "value_text",
  CASE d."operation_type" WHEN 0 THEN 'insert' WHEN 1 THEN 'update' ELSE 'delete' END AS "operation",
  d."transaction_id",
  d."end_transaction_id",
  t."issued_at",
  t."actor",
  t."operation" AS "what"
FROM "meta_indicators_version" d
JOIN "transactions" t ON t."id" = d."transaction_id"
LEFT JOIN "runs" run ON run."id" = d."run_id";

CREATE TABLE "optimization_items" (
  "run_id" INTEGER NOT NULL REFERENCES "runs" ("id"),
  "kind" INTEGER NOT NULL CHECK ("kind" BETWEEN -32768 AND 32767),
  "name" TEXT NOT NULL,
  "number" INTEGER NOT NULL,
  "value" ANY CHECK ("value" IS NULL OR "value" <= 9e999 AND 3 / (2 + 0 * "value") <> 1),
  "unit_id" INTEGER REFERENCES "units" ("id"),
  "docs" TEXT,
  PRIMARY KEY ("run_id", "kind", "name")
) STRICT, WITHOUT ROWID;
CREATE TABLE "optimization_items_version" (
  "run_id" INTEGER NOT NULL,
  "kind" INTEGER NOT NULL,
  "name" TEXT NOT NULL,
  "number" INTEGER,
  "value" ANY,
  "unit_id" INTEGER,
  "docs" TEXT,
  "transaction_id" INTEGER NOT NULL,
  "end_transaction_id" INTEGER,
  "operation_type" INTEGER NOT NULL CHECK ("operation_type" BETWEEN 0 AND 2),
  PRIMARY KEY ("run_id", "kind", "name", "transaction_id")
) STRICT, WITHOUT ROWID;
CREATE INDEX "optimization_items_version_changes" ON "optimization_items_version" ("run_id", "transaction_id");
CREATE TRIGGER "optimization_items_guard_key" BEFORE UPDATE OF "run_id", "kind", "name" ON "optimization_items"
WHEN OLD."run_id" IS NOT NEW."run_id" OR OLD."kind" IS NOT NEW."kind" OR OLD."name" IS NOT NEW."name"
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:key_update: optimization_items: a key is not changed: delete the row and insert another');
END;
CREATE TRIGGER "optimization_items_record_insert" AFTER INSERT ON "optimization_items"
WHEN (SELECT run_id IS NEW."run_id" AND recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: optimization_items: a run is written to in a stratalog transaction that holds its lock')
   WHERE (SELECT run_id FROM transaction_context) IS NOT NEW."run_id";
  DELETE FROM "optimization_items_version" WHERE "optimization_items_version"."run_id" = NEW."run_id" AND "optimization_items_version"."kind" = NEW."kind" AND "optimization_items_version"."name" = NEW."name" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "optimization_items_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "optimization_items_version"."run_id" = NEW."run_id" AND "optimization_items_version"."kind" = NEW."kind" AND "optimization_items_version"."name" = NEW."name" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "optimization_items_version" ("run_id", "kind", "name", "number", "value", "unit_id", "docs", "transaction_id", "operation_type")
    SELECT NEW."run_id", NEW."kind", NEW."name", NEW."number", NEW."value", NEW."unit_id", NEW."docs", (SELECT transaction_id FROM transaction_context), EXISTS (SELECT 1 FROM "optimization_items_version" before WHERE before."run_id" = NEW."run_id" AND before."kind" = NEW."kind" AND before."name" = NEW."name"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2) WHERE NOT EXISTS (SELECT 1 FROM "optimization_items_version" before WHERE before."run_id" = NEW."run_id" AND before."kind" = NEW."kind" AND before."name" = NEW."name"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2 AND NOT before."number" IS NOT NEW."number" AND NOT (before."value" IS NOT NEW."value" OR before."value" = 0) AND NOT before."unit_id" IS NOT NEW."unit_id" AND NOT before."docs" IS NOT NEW."docs");
  UPDATE "optimization_items_version" SET "end_transaction_id" = NULL WHERE "optimization_items_version"."run_id" = NEW."run_id" AND "optimization_items_version"."kind" = NEW."kind" AND "optimization_items_version"."name" = NEW."name" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "optimization_items_version" own WHERE own."run_id" = NEW."run_id" AND own."kind" = NEW."kind" AND own."name" = NEW."name" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "optimization_items_record_update" AFTER UPDATE ON "optimization_items"
WHEN (SELECT run_id IS NEW."run_id" AND recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: optimization_items: a run is written to in a stratalog transaction that holds its lock')
   WHERE (SELECT run_id FROM transaction_context) IS NOT NEW."run_id";
  DELETE FROM "optimization_items_version" WHERE "optimization_items_version"."run_id" = NEW."run_id" AND "optimization_items_version"."kind" = NEW."kind" AND "optimization_items_version"."name" = NEW."name" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "optimization_items_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "optimization_items_version"."run_id" = NEW."run_id" AND "optimization_items_version"."kind" = NEW."kind" AND "optimization_items_version"."name" = NEW."name" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "optimization_items_version" ("run_id", "kind", "name", "number", "value", "unit_id", "docs", "transaction_id", "operation_type")
    SELECT NEW."run_id", NEW."kind", NEW."name", NEW."number", NEW."value", NEW."unit_id", NEW."docs", (SELECT transaction_id FROM transaction_context), EXISTS (SELECT 1 FROM "optimization_items_version" before WHERE before."run_id" = NEW."run_id" AND before."kind" = NEW."kind" AND before."name" = NEW."name"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2) WHERE NOT EXISTS (SELECT 1 FROM "optimization_items_version" before WHERE before."run_id" = NEW."run_id" AND before."kind" = NEW."kind" AND before."name" = NEW."name"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2 AND NOT before."number" IS NOT NEW."number" AND NOT (before."value" IS NOT NEW."value" OR before."value" = 0) AND NOT before."unit_id" IS NOT NEW."unit_id" AND NOT before."docs" IS NOT NEW."docs");
  UPDATE "optimization_items_version" SET "end_transaction_id" = NULL WHERE "optimization_items_version"."run_id" = NEW."run_id" AND "optimization_items_version"."kind" = NEW."kind" AND "optimization_items_version"."name" = NEW."name" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "optimization_items_version" own WHERE own."run_id" = NEW."run_id" AND own."kind" = NEW."kind" AND own."name" = NEW."name" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "optimization_items_record_delete" AFTER DELETE ON "optimization_items"
WHEN (SELECT run_id IS OLD."run_id" AND recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: optimization_items: a run is written to in a stratalog transaction that holds its lock')
   WHERE (SELECT run_id FROM transaction_context) IS NOT OLD."run_id";
  DELETE FROM "optimization_items_version" WHERE "optimization_items_version"."run_id" = OLD."run_id" AND "optimization_items_version"."kind" = OLD."kind" AND "optimization_items_version"."name" = OLD."name" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "optimization_items_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "optimization_items_version"."run_id" = OLD."run_id" AND "optimization_items_version"."kind" = OLD."kind" AND "optimization_items_version"."name" = OLD."name" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "optimization_items_version" ("run_id", "kind", "name", "number", "value", "unit_id", "docs", "transaction_id", "operation_type")
    SELECT OLD."run_id", OLD."kind", OLD."name", OLD."number", OLD."value", OLD."unit_id", OLD."docs", (SELECT transaction_id FROM transaction_context), 2 WHERE EXISTS (SELECT 1 FROM "optimization_items_version" before WHERE before."run_id" = OLD."run_id" AND before."kind" = OLD."kind" AND before."name" = OLD."name"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2);
  UPDATE "optimization_items_version" SET "end_transaction_id" = NULL WHERE "optimization_items_version"."run_id" = OLD."run_id" AND "optimization_items_version"."kind" = OLD."kind" AND "optimization_items_version"."name" = OLD."name" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "optimization_items_version" own WHERE own."run_id" = OLD."run_id" AND own."kind" = OLD."kind" AND own."name" = OLD."name" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "optimization_items_version_append" AFTER INSERT ON "optimization_items_version"
WHEN NEW."transaction_id" IS NOT (SELECT transaction_id FROM transaction_context) OR NEW."end_transaction_id" IS NOT NULL
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: optimization_items_version: history is written by stratalog only');
END;
CREATE TRIGGER "optimization_items_version_no_update" BEFORE UPDATE OF "run_id", "kind", "name", "number", "value", "unit_id", "docs", "transaction_id", "operation_type" ON "optimization_items_version"
WHEN NOT coalesce((OLD."run_id" IS NOT DISTINCT FROM NEW."run_id"
    AND OLD."kind" IS NOT DISTINCT FROM NEW."kind"
    AND OLD."name" IS NOT DISTINCT FROM NEW."name"
    AND OLD."transaction_id" IS NOT DISTINCT FROM NEW."transaction_id"
    AND OLD."end_transaction_id" IS NOT DISTINCT FROM NEW."end_transaction_id"
    AND OLD."operation_type" IS NOT DISTINCT FROM NEW."operation_type"
    AND NEW."number" IS NULL
    AND NEW."value" IS NULL
    AND NEW."unit_id" IS NULL
    AND NEW."docs" IS NULL
    AND (OLD."end_transaction_id" IS NOT NULL OR OLD."operation_type" = 2)
    AND EXISTS (SELECT 1 FROM "redacted_rows" r WHERE r."run_id" = OLD."run_id"
      AND r."transaction_id" = OLD."transaction_id" AND r."table_name" = 'optimization_items' AND r."row_key" = 'run_id=' || CAST(OLD."run_id" AS TEXT) || ', ' || 'kind=' || CAST(OLD."kind" AS TEXT) || ', ' || 'name=' || CAST(OLD."name" AS TEXT))), 0)
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: optimization_items_version: history is never changed');
END;
CREATE TRIGGER "optimization_items_version_end_once" AFTER UPDATE OF "end_transaction_id" ON "optimization_items_version"
WHEN NOT coalesce((OLD."end_transaction_id" IS NULL AND NEW."end_transaction_id" = (SELECT transaction_id FROM transaction_context))
  OR (OLD."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND NEW."end_transaction_id" IS NULL), 0)
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: optimization_items_version: the end of a version row is set once');
END;
CREATE TRIGGER "optimization_items_version_no_delete" BEFORE DELETE ON "optimization_items_version"
WHEN OLD."transaction_id" IS NOT (SELECT transaction_id FROM transaction_context) AND NOT EXISTS (
    SELECT 1 FROM "compactions" c
    JOIN "run_locks" l ON l."run_id" = c."run_id" AND l."token" = c."lock_token" AND l."state" <> 'free'
    WHERE c."run_id" = OLD."run_id" AND c."finished_at" IS NULL
      AND ((OLD."end_transaction_id" <= c."horizon" AND NOT EXISTS (SELECT 1 FROM "retained_states" kept
      WHERE kept."compaction_id" = c."id" AND kept."transaction_id" >= OLD."transaction_id" AND kept."transaction_id" < OLD."end_transaction_id")) OR (OLD."operation_type" = 2 AND OLD."transaction_id" <= c."horizon" AND NOT EXISTS (
      SELECT 1 FROM "optimization_items_version" earlier WHERE earlier."run_id" = OLD."run_id" AND earlier."kind" = OLD."kind" AND earlier."name" = OLD."name" AND earlier."transaction_id" < OLD."transaction_id"))))
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: optimization_items_version: history is never deleted');
END;
CREATE VIEW "optimization_items_named" AS SELECT
  (SELECT p."name" FROM "models" p WHERE p."id" = run."model_id") AS "model",
  (SELECT p."name" FROM "scenarios" p WHERE p."id" = run."scenario_id") AS "scenario",
  run."version",
  run."is_default",
  d."run_id",
  d."kind",
  d."name",
  d."number",
  d."value",
  (SELECT p."name" FROM "units" p WHERE p."id" = d."unit_id") AS "unit",
  d."docs"
FROM "optimization_items" d
JOIN "runs" run ON run."id" = d."run_id";
CREATE VIEW "optimization_items_history_named" AS SELECT
  coalesce((SELECT p."name" FROM "models" p WHERE p."id" = run."model_id"), (SELECT p."name" FROM "models_version" p WHERE p."id" = run."model_id" ORDER BY p."transaction_id" DESC LIMIT 1)) AS "model",
  coalesce((SELECT p."name" FROM "scenarios" p WHERE p."id" = run."scenario_id"), (SELECT p."name" FROM "scenarios_version" p WHERE p."id" = run."scenario_id" ORDER BY p."transaction_id" DESC LIMIT 1)) AS "scenario",
  run."version",
  run."is_default",
  d."run_id",
  d."kind",
  d."name",
  CASE WHEN d."operation_type" < 2 THEN d."number" END AS "number",
  CASE WHEN d."operation_type" < 2 THEN d."value" END AS "value",
  coalesce((SELECT p."name" FROM "units" p WHERE p."id" = d."unit_id"), (SELECT p."name" FROM "units_version" p WHERE p."id" = d."unit_id" ORDER BY p."transaction_id" DESC LIMIT 1)) AS "unit",
  CASE WHEN d."operation_type" < 2 THEN d."docs" END AS "docs",
  CASE d."operation_type" WHEN 0 THEN 'insert' WHEN 1 THEN 'update' ELSE 'delete' END AS "operation",
  d."transaction_id",
  d."end_transaction_id",
  t."issued_at",
  t."actor",
  t."operation" AS "what"
FROM "optimization_items_version" d
JOIN "transactions" t ON t."id" = d."transaction_id"
LEFT JOIN "runs" run ON run."id" = d."run_id";

CREATE TABLE "optimization_columns" (
  "run_id" INTEGER NOT NULL REFERENCES "runs" ("id"),
  "kind" INTEGER NOT NULL CHECK ("kind" BETWEEN -32768 AND 32767),
  "item" TEXT NOT NULL,
  "position" INTEGER NOT NULL CHECK ("position" BETWEEN -2147483648 AND 2147483647),
  "name" TEXT NOT NULL,
  "indexset" TEXT NOT NULL,
  PRIMARY KEY ("run_id", "kind", "item", "position")
) STRICT, WITHOUT ROWID;
CREATE TABLE "optimization_columns_version" (
  "run_id" INTEGER NOT NULL,
  "kind" INTEGER NOT NULL,
  "item" TEXT NOT NULL,
  "position" INTEGER NOT NULL,
  "name" TEXT,
  "indexset" TEXT,
  "transaction_id" INTEGER NOT NULL,
  "end_transaction_id" INTEGER,
  "operation_type" INTEGER NOT NULL CHECK ("operation_type" BETWEEN 0 AND 2),
  PRIMARY KEY ("run_id", "kind", "item", "position", "transaction_id")
) STRICT, WITHOUT ROWID;
CREATE INDEX "optimization_columns_version_changes" ON "optimization_columns_version" ("run_id", "transaction_id");
CREATE TRIGGER "optimization_columns_guard_key" BEFORE UPDATE OF "run_id", "kind", "item", "position" ON "optimization_columns"
WHEN OLD."run_id" IS NOT NEW."run_id" OR OLD."kind" IS NOT NEW."kind" OR OLD."item" IS NOT NEW."item" OR OLD."position" IS NOT NEW."position"
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:key_update: optimization_columns: a key is not changed: delete the row and insert another');
END;
CREATE TRIGGER "optimization_columns_record_insert" AFTER INSERT ON "optimization_columns"
WHEN (SELECT run_id IS NEW."run_id" AND recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: optimization_columns: a run is written to in a stratalog transaction that holds its lock')
   WHERE (SELECT run_id FROM transaction_context) IS NOT NEW."run_id";
  DELETE FROM "optimization_columns_version" WHERE "optimization_columns_version"."run_id" = NEW."run_id" AND "optimization_columns_version"."kind" = NEW."kind" AND "optimization_columns_version"."item" = NEW."item" AND "optimization_columns_version"."position" = NEW."position" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "optimization_columns_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "optimization_columns_version"."run_id" = NEW."run_id" AND "optimization_columns_version"."kind" = NEW."kind" AND "optimization_columns_version"."item" = NEW."item" AND "optimization_columns_version"."position" = NEW."position" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "optimization_columns_version" ("run_id", "kind", "item", "position", "name", "indexset", "transaction_id", "operation_type")
    SELECT NEW."run_id", NEW."kind", NEW."item", NEW."position", NEW."name", NEW."indexset", (SELECT transaction_id FROM transaction_context), EXISTS (SELECT 1 FROM "optimization_columns_version" before WHERE before."run_id" = NEW."run_id" AND before."kind" = NEW."kind" AND before."item" = NEW."item" AND before."position" = NEW."position"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2) WHERE NOT EXISTS (SELECT 1 FROM "optimization_columns_version" before WHERE before."run_id" = NEW."run_id" AND before."kind" = NEW."kind" AND before."item" = NEW."item" AND before."position" = NEW."position"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2 AND NOT before."name" IS NOT NEW."name" AND NOT before."indexset" IS NOT NEW."indexset");
  UPDATE "optimization_columns_version" SET "end_transaction_id" = NULL WHERE "optimization_columns_version"."run_id" = NEW."run_id" AND "optimization_columns_version"."kind" = NEW."kind" AND "optimization_columns_version"."item" = NEW."item" AND "optimization_columns_version"."position" = NEW."position" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "optimization_columns_version" own WHERE own."run_id" = NEW."run_id" AND own."kind" = NEW."kind" AND own."item" = NEW."item" AND own."position" = NEW."position" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "optimization_columns_record_update" AFTER UPDATE ON "optimization_columns"
WHEN (SELECT run_id IS NEW."run_id" AND recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: optimization_columns: a run is written to in a stratalog transaction that holds its lock')
   WHERE (SELECT run_id FROM transaction_context) IS NOT NEW."run_id";
  DELETE FROM "optimization_columns_version" WHERE "optimization_columns_version"."run_id" = NEW."run_id" AND "optimization_columns_version"."kind" = NEW."kind" AND "optimization_columns_version"."item" = NEW."item" AND "optimization_columns_version"."position" = NEW."position" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "optimization_columns_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "optimization_columns_version"."run_id" = NEW."run_id" AND "optimization_columns_version"."kind" = NEW."kind" AND "optimization_columns_version"."item" = NEW."item" AND "optimization_columns_version"."position" = NEW."position" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "optimization_columns_version" ("run_id", "kind", "item", "position", "name", "indexset", "transaction_id", "operation_type")
    SELECT NEW."run_id", NEW."kind", NEW."item", NEW."position", NEW."name", NEW."indexset", (SELECT transaction_id FROM transaction_context), EXISTS (SELECT 1 FROM "optimization_columns_version" before WHERE before."run_id" = NEW."run_id" AND before."kind" = NEW."kind" AND before."item" = NEW."item" AND before."position" = NEW."position"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2) WHERE NOT EXISTS (SELECT 1 FROM "optimization_columns_version" before WHERE before."run_id" = NEW."run_id" AND before."kind" = NEW."kind" AND before."item" = NEW."item" AND before."position" = NEW."position"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2 AND NOT before."name" IS NOT NEW."name" AND NOT before."indexset" IS NOT NEW."indexset");
  UPDATE "optimization_columns_version" SET "end_transaction_id" = NULL WHERE "optimization_columns_version"."run_id" = NEW."run_id" AND "optimization_columns_version"."kind" = NEW."kind" AND "optimization_columns_version"."item" = NEW."item" AND "optimization_columns_version"."position" = NEW."position" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "optimization_columns_version" own WHERE own."run_id" = NEW."run_id" AND own."kind" = NEW."kind" AND own."item" = NEW."item" AND own."position" = NEW."position" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "optimization_columns_record_delete" AFTER DELETE ON "optimization_columns"
WHEN (SELECT run_id IS OLD."run_id" AND recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: optimization_columns: a run is written to in a stratalog transaction that holds its lock')
   WHERE (SELECT run_id FROM transaction_context) IS NOT OLD."run_id";
  DELETE FROM "optimization_columns_version" WHERE "optimization_columns_version"."run_id" = OLD."run_id" AND "optimization_columns_version"."kind" = OLD."kind" AND "optimization_columns_version"."item" = OLD."item" AND "optimization_columns_version"."position" = OLD."position" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "optimization_columns_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "optimization_columns_version"."run_id" = OLD."run_id" AND "optimization_columns_version"."kind" = OLD."kind" AND "optimization_columns_version"."item" = OLD."item" AND "optimization_columns_version"."position" = OLD."position" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "optimization_columns_version" ("run_id", "kind", "item", "position", "name", "indexset", "transaction_id", "operation_type")
    SELECT OLD."run_id", OLD."kind", OLD."item", OLD."position", OLD."name", OLD."indexset", (SELECT transaction_id FROM transaction_context), 2 WHERE EXISTS (SELECT 1 FROM "optimization_columns_version" before WHERE before."run_id" = OLD."run_id" AND before."kind" = OLD."kind" AND before."item" = OLD."item" AND before."position" = OLD."position"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2);
  UPDATE "optimization_columns_version" SET "end_transaction_id" = NULL WHERE "optimization_columns_version"."run_id" = OLD."run_id" AND "optimization_columns_version"."kind" = OLD."kind" AND "optimization_columns_version"."item" = OLD."item" AND "optimization_columns_version"."position" = OLD."position" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "optimization_columns_version" own WHERE own."run_id" = OLD."run_id" AND own."kind" = OLD."kind" AND own."item" = OLD."item" AND own."position" = OLD."position" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "optimization_columns_version_append" AFTER INSERT ON "optimization_columns_version"
WHEN NEW."transaction_id" IS NOT (SELECT transaction_id FROM transaction_context) OR NEW."end_transaction_id" IS NOT NULL
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: optimization_columns_version: history is written by stratalog only');
END;
CREATE TRIGGER "optimization_columns_version_no_update" BEFORE UPDATE OF "run_id", "kind", "item", "position", "name", "indexset", "transaction_id", "operation_type" ON "optimization_columns_version"
WHEN NOT coalesce((OLD."run_id" IS NOT DISTINCT FROM NEW."run_id"
    AND OLD."kind" IS NOT DISTINCT FROM NEW."kind"
    AND OLD."item" IS NOT DISTINCT FROM NEW."item"
    AND OLD."position" IS NOT DISTINCT FROM NEW."position"
    AND OLD."transaction_id" IS NOT DISTINCT FROM NEW."transaction_id"
    AND OLD."end_transaction_id" IS NOT DISTINCT FROM NEW."end_transaction_id"
    AND OLD."operation_type" IS NOT DISTINCT FROM NEW."operation_type"
    AND NEW."name" IS NULL
    AND NEW."indexset" IS NULL
    AND (OLD."end_transaction_id" IS NOT NULL OR OLD."operation_type" = 2)
    AND EXISTS (SELECT 1 FROM "redacted_rows" r WHERE r."run_id" = OLD."run_id"
      AND r."transaction_id" = OLD."transaction_id" AND r."table_name" = 'optimization_columns' AND r."row_key" = 'run_id=' || CAST(OLD."run_id" AS TEXT) || ', ' || 'kind=' || CAST(OLD."kind" AS TEXT) || ', ' || 'item=' || CAST(OLD."item" AS TEXT) || ', ' || 'position=' || CAST(OLD."position" AS TEXT))), 0)
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: optimization_columns_version: history is never changed');
END;
CREATE TRIGGER "optimization_columns_version_end_once" AFTER UPDATE OF "end_transaction_id" ON "optimization_columns_version"
WHEN NOT coalesce((OLD."end_transaction_id" IS NULL AND NEW."end_transaction_id" = (SELECT transaction_id FROM transaction_context))
  OR (OLD."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND NEW."end_transaction_id" IS NULL), 0)
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: optimization_columns_version: the end of a version row is set once');
END;
CREATE TRIGGER "optimization_columns_version_no_delete" BEFORE DELETE ON "optimization_columns_version"
WHEN OLD."transaction_id" IS NOT (SELECT transaction_id FROM transaction_context) AND NOT EXISTS (
    SELECT 1 FROM "compactions" c
    JOIN "run_locks" l ON l."run_id" = c."run_id" AND l."token" = c."lock_token" AND l."state" <> 'free'
    WHERE c."run_id" = OLD."run_id" AND c."finished_at" IS NULL
      AND ((OLD."end_transaction_id" <= c."horizon" AND NOT EXISTS (SELECT 1 FROM "retained_states" kept
      WHERE kept."compaction_id" = c."id" AND kept."transaction_id" >= OLD."transaction_id" AND kept."transaction_id" < OLD."end_transaction_id")) OR (OLD."operation_type" = 2 AND OLD."transaction_id" <= c."horizon" AND NOT EXISTS (
      SELECT 1 FROM "optimization_columns_version" earlier WHERE earlier."run_id" = OLD."run_id" AND earlier."kind" = OLD."kind" AND earlier."item" = OLD."item" AND earlier."position" = OLD."position" AND earlier."transaction_id" < OLD."transaction_id"))))
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: optimization_columns_version: history is never deleted');
END;
CREATE VIEW "optimization_columns_named" AS SELECT
  (SELECT p."name" FROM "models" p WHERE p."id" = run."model_id") AS "model",
  (SELECT p."name" FROM "scenarios" p WHERE p."id" = run."scenario_id") AS "scenario",
  run."version",
  run."is_default",
  d."run_id",
  d."kind",
  d."item",
  d."position",
  d."name",
  d."indexset"
FROM "optimization_columns" d
JOIN "runs" run ON run."id" = d."run_id";
CREATE VIEW "optimization_columns_history_named" AS SELECT
  coalesce((SELECT p."name" FROM "models" p WHERE p."id" = run."model_id"), (SELECT p."name" FROM "models_version" p WHERE p."id" = run."model_id" ORDER BY p."transaction_id" DESC LIMIT 1)) AS "model",
  coalesce((SELECT p."name" FROM "scenarios" p WHERE p."id" = run."scenario_id"), (SELECT p."name" FROM "scenarios_version" p WHERE p."id" = run."scenario_id" ORDER BY p."transaction_id" DESC LIMIT 1)) AS "scenario",
  run."version",
  run."is_default",
  d."run_id",
  d."kind",
  d."item",
  d."position",
  CASE WHEN d."operation_type" < 2 THEN d."name" END AS "name",
  CASE WHEN d."operation_type" < 2 THEN d."indexset" END AS "indexset",
  CASE d."operation_type" WHEN 0 THEN 'insert' WHEN 1 THEN 'update' ELSE 'delete' END AS "operation",
  d."transaction_id",
  d."end_transaction_id",
  t."issued_at",
  t."actor",
  t."operation" AS "what"
FROM "optimization_columns_version" d
JOIN "transactions" t ON t."id" = d."transaction_id"
LEFT JOIN "runs" run ON run."id" = d."run_id";

CREATE TABLE "indexset_elements" (
  "run_id" INTEGER NOT NULL REFERENCES "runs" ("id"),
  "indexset" TEXT NOT NULL,
  "element" TEXT NOT NULL,
  "position" INTEGER NOT NULL,
  PRIMARY KEY ("run_id", "indexset", "element")
) STRICT, WITHOUT ROWID;
CREATE TABLE "indexset_elements_version" (
  "run_id" INTEGER NOT NULL,
  "indexset" TEXT NOT NULL,
  "element" TEXT NOT NULL,
  "position" INTEGER,
  "transaction_id" INTEGER NOT NULL,
  "end_transaction_id" INTEGER,
  "operation_type" INTEGER NOT NULL CHECK ("operation_type" BETWEEN 0 AND 2),
  PRIMARY KEY ("run_id", "indexset", "element", "transaction_id")
) STRICT, WITHOUT ROWID;
CREATE INDEX "indexset_elements_version_changes" ON "indexset_elements_version" ("run_id", "transaction_id");
CREATE TRIGGER "indexset_elements_guard_key" BEFORE UPDATE OF "run_id", "indexset", "element" ON "indexset_elements"
WHEN OLD."run_id" IS NOT NEW."run_id" OR OLD."indexset" IS NOT NEW."indexset" OR OLD."element" IS NOT NEW."element"
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:key_update: indexset_elements: a key is not changed: delete the row and insert another');
END;
CREATE TRIGGER "indexset_elements_record_insert" AFTER INSERT ON "indexset_elements"
WHEN (SELECT run_id IS NEW."run_id" AND recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: indexset_elements: a run is written to in a stratalog transaction that holds its lock')
   WHERE (SELECT run_id FROM transaction_context) IS NOT NEW."run_id";
  DELETE FROM "indexset_elements_version" WHERE "indexset_elements_version"."run_id" = NEW."run_id" AND "indexset_elements_version"."indexset" = NEW."indexset" AND "indexset_elements_version"."element" = NEW."element" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "indexset_elements_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "indexset_elements_version"."run_id" = NEW."run_id" AND "indexset_elements_version"."indexset" = NEW."indexset" AND "indexset_elements_version"."element" = NEW."element" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "indexset_elements_version" ("run_id", "indexset", "element", "position", "transaction_id", "operation_type")
    SELECT NEW."run_id", NEW."indexset", NEW."element", NEW."position", (SELECT transaction_id FROM transaction_context), EXISTS (SELECT 1 FROM "indexset_elements_version" before WHERE before."run_id" = NEW."run_id" AND before."indexset" = NEW."indexset" AND before."element" = NEW."element"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2) WHERE NOT EXISTS (SELECT 1 FROM "indexset_elements_version" before WHERE before."run_id" = NEW."run_id" AND before."indexset" = NEW."indexset" AND before."element" = NEW."element"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2 AND NOT before."position" IS NOT NEW."position");
  UPDATE "indexset_elements_version" SET "end_transaction_id" = NULL WHERE "indexset_elements_version"."run_id" = NEW."run_id" AND "indexset_elements_version"."indexset" = NEW."indexset" AND "indexset_elements_version"."element" = NEW."element" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "indexset_elements_version" own WHERE own."run_id" = NEW."run_id" AND own."indexset" = NEW."indexset" AND own."element" = NEW."element" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "indexset_elements_record_update" AFTER UPDATE ON "indexset_elements"
WHEN (SELECT run_id IS NEW."run_id" AND recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: indexset_elements: a run is written to in a stratalog transaction that holds its lock')
   WHERE (SELECT run_id FROM transaction_context) IS NOT NEW."run_id";
  DELETE FROM "indexset_elements_version" WHERE "indexset_elements_version"."run_id" = NEW."run_id" AND "indexset_elements_version"."indexset" = NEW."indexset" AND "indexset_elements_version"."element" = NEW."element" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "indexset_elements_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "indexset_elements_version"."run_id" = NEW."run_id" AND "indexset_elements_version"."indexset" = NEW."indexset" AND "indexset_elements_version"."element" = NEW."element" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "indexset_elements_version" ("run_id", "indexset", "element", "position", "transaction_id", "operation_type")
    SELECT NEW."run_id", NEW."indexset", NEW."element", NEW."position", (SELECT transaction_id FROM transaction_context), EXISTS (SELECT 1 FROM "indexset_elements_version" before WHERE before."run_id" = NEW."run_id" AND before."indexset" = NEW."indexset" AND before."element" = NEW."element"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2) WHERE NOT EXISTS (SELECT 1 FROM "indexset_elements_version" before WHERE before."run_id" = NEW."run_id" AND before."indexset" = NEW."indexset" AND before."element" = NEW."element"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2 AND NOT before."position" IS NOT NEW."position");
  UPDATE "indexset_elements_version" SET "end_transaction_id" = NULL WHERE "indexset_elements_version"."run_id" = NEW."run_id" AND "indexset_elements_version"."indexset" = NEW."indexset" AND "indexset_elements_version"."element" = NEW."element" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "indexset_elements_version" own WHERE own."run_id" = NEW."run_id" AND own."indexset" = NEW."indexset" AND own."element" = NEW."element" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "indexset_elements_record_delete" AFTER DELETE ON "indexset_elements"
WHEN (SELECT run_id IS OLD."run_id" AND recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: indexset_elements: a run is written to in a stratalog transaction that holds its lock')
   WHERE (SELECT run_id FROM transaction_context) IS NOT OLD."run_id";
  DELETE FROM "indexset_elements_version" WHERE "indexset_elements_version"."run_id" = OLD."run_id" AND "indexset_elements_version"."indexset" = OLD."indexset" AND "indexset_elements_version"."element" = OLD."element" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "indexset_elements_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "indexset_elements_version"."run_id" = OLD."run_id" AND "indexset_elements_version"."indexset" = OLD."indexset" AND "indexset_elements_version"."element" = OLD."element" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "indexset_elements_version" ("run_id", "indexset", "element", "position", "transaction_id", "operation_type")
    SELECT OLD."run_id", OLD."indexset", OLD."element", OLD."position", (SELECT transaction_id FROM transaction_context), 2 WHERE EXISTS (SELECT 1 FROM "indexset_elements_version" before WHERE before."run_id" = OLD."run_id" AND before."indexset" = OLD."indexset" AND before."element" = OLD."element"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2);
  UPDATE "indexset_elements_version" SET "end_transaction_id" = NULL WHERE "indexset_elements_version"."run_id" = OLD."run_id" AND "indexset_elements_version"."indexset" = OLD."indexset" AND "indexset_elements_version"."element" = OLD."element" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "indexset_elements_version" own WHERE own."run_id" = OLD."run_id" AND own."indexset" = OLD."indexset" AND own."element" = OLD."element" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "indexset_elements_version_append" AFTER INSERT ON "indexset_elements_version"
WHEN NEW."transaction_id" IS NOT (SELECT transaction_id FROM transaction_context) OR NEW."end_transaction_id" IS NOT NULL
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: indexset_elements_version: history is written by stratalog only');
END;
CREATE TRIGGER "indexset_elements_version_no_update" BEFORE UPDATE OF "run_id", "indexset", "element", "position", "transaction_id", "operation_type" ON "indexset_elements_version"
WHEN NOT coalesce((OLD."run_id" IS NOT DISTINCT FROM NEW."run_id"
    AND OLD."indexset" IS NOT DISTINCT FROM NEW."indexset"
    AND OLD."element" IS NOT DISTINCT FROM NEW."element"
    AND OLD."transaction_id" IS NOT DISTINCT FROM NEW."transaction_id"
    AND OLD."end_transaction_id" IS NOT DISTINCT FROM NEW."end_transaction_id"
    AND OLD."operation_type" IS NOT DISTINCT FROM NEW."operation_type"
    AND NEW."position" IS NULL
    AND (OLD."end_transaction_id" IS NOT NULL OR OLD."operation_type" = 2)
    AND EXISTS (SELECT 1 FROM "redacted_rows" r WHERE r."run_id" = OLD."run_id"
      AND r."transaction_id" = OLD."transaction_id" AND r."table_name" = 'indexset_elements' AND r."row_key" = 'run_id=' || CAST(OLD."run_id" AS TEXT) || ', ' || 'indexset=' || CAST(OLD."indexset" AS TEXT) || ', ' || 'element=' || CAST(OLD."element" AS TEXT))), 0)
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: indexset_elements_version: history is never changed');
END;
CREATE TRIGGER "indexset_elements_version_end_once" AFTER UPDATE OF "end_transaction_id" ON "indexset_elements_version"
WHEN NOT coalesce((OLD."end_transaction_id" IS NULL AND NEW."end_transaction_id" = (SELECT transaction_id FROM transaction_context))
  OR (OLD."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND NEW."end_transaction_id" IS NULL), 0)
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: indexset_elements_version: the end of a version row is set once');
END;
CREATE TRIGGER "indexset_elements_version_no_delete" BEFORE DELETE ON "indexset_elements_version"
WHEN OLD."transaction_id" IS NOT (SELECT transaction_id FROM transaction_context) AND NOT EXISTS (
    SELECT 1 FROM "compactions" c
    JOIN "run_locks" l ON l."run_id" = c."run_id" AND l."token" = c."lock_token" AND l."state" <> 'free'
    WHERE c."run_id" = OLD."run_id" AND c."finished_at" IS NULL
      AND ((OLD."end_transaction_id" <= c."horizon" AND NOT EXISTS (SELECT 1 FROM "retained_states" kept
      WHERE kept."compaction_id" = c."id" AND kept."transaction_id" >= OLD."transaction_id" AND kept."transaction_id" < OLD."end_transaction_id")) OR (OLD."operation_type" = 2 AND OLD."transaction_id" <= c."horizon" AND NOT EXISTS (
      SELECT 1 FROM "indexset_elements_version" earlier WHERE earlier."run_id" = OLD."run_id" AND earlier."indexset" = OLD."indexset" AND earlier."element" = OLD."element" AND earlier."transaction_id" < OLD."transaction_id"))))
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: indexset_elements_version: history is never deleted');
END;
CREATE VIEW "indexset_elements_named" AS SELECT
  (SELECT p."name" FROM "models" p WHERE p."id" = run."model_id") AS "model",
  (SELECT p."name" FROM "scenarios" p WHERE p."id" = run."scenario_id") AS "scenario",
  run."version",
  run."is_default",
  d."run_id",
  d."indexset",
  d."element",
  d."position"
FROM "indexset_elements" d
JOIN "runs" run ON run."id" = d."run_id";
CREATE VIEW "indexset_elements_history_named" AS SELECT
  coalesce((SELECT p."name" FROM "models" p WHERE p."id" = run."model_id"), (SELECT p."name" FROM "models_version" p WHERE p."id" = run."model_id" ORDER BY p."transaction_id" DESC LIMIT 1)) AS "model",
  coalesce((SELECT p."name" FROM "scenarios" p WHERE p."id" = run."scenario_id"), (SELECT p."name" FROM "scenarios_version" p WHERE p."id" = run."scenario_id" ORDER BY p."transaction_id" DESC LIMIT 1)) AS "scenario",
  run."version",
  run."is_default",
  d."run_id",
  d."indexset",
  d."element",
  CASE WHEN d."operation_type" < 2 THEN d."position" END AS "position",
  CASE d."operation_type" WHEN 0 THEN 'insert' WHEN 1 THEN 'update' ELSE 'delete' END AS "operation",
  d."transaction_id",
  d."end_transaction_id",
  t."issued_at",
  t."actor",
  t."operation" AS "what"
FROM "indexset_elements_version" d
JOIN "transactions" t ON t."id" = d."transaction_id"
LEFT JOIN "runs" run ON run."id" = d."run_id";

CREATE TABLE "optimization_rows" (
  "run_id" INTEGER NOT NULL REFERENCES "runs" ("id"),
  "kind" INTEGER NOT NULL CHECK ("kind" BETWEEN -32768 AND 32767),
  "item" TEXT NOT NULL,
  "elements" TEXT NOT NULL,
  "value" ANY CHECK ("value" IS NULL OR "value" <= 9e999 AND 3 / (2 + 0 * "value") <> 1),
  "unit_id" INTEGER REFERENCES "units" ("id"),
  "level" ANY CHECK ("level" IS NULL OR "level" <= 9e999 AND 3 / (2 + 0 * "level") <> 1),
  "marginal" ANY CHECK ("marginal" IS NULL OR "marginal" <= 9e999 AND 3 / (2 + 0 * "marginal") <> 1),
  PRIMARY KEY ("run_id", "kind", "item", "elements")
) STRICT, WITHOUT ROWID;
CREATE TABLE "optimization_rows_version" (
  "run_id" INTEGER NOT NULL,
  "kind" INTEGER NOT NULL,
  "item" TEXT NOT NULL,
  "elements" TEXT NOT NULL,
  "value" ANY,
  "unit_id" INTEGER,
  "level" ANY,
  "marginal" ANY,
  "transaction_id" INTEGER NOT NULL,
  "end_transaction_id" INTEGER,
  "operation_type" INTEGER NOT NULL CHECK ("operation_type" BETWEEN 0 AND 2),
  PRIMARY KEY ("run_id", "kind", "item", "elements", "transaction_id")
) STRICT, WITHOUT ROWID;
CREATE INDEX "optimization_rows_version_changes" ON "optimization_rows_version" ("run_id", "transaction_id");
CREATE TRIGGER "optimization_rows_guard_key" BEFORE UPDATE OF "run_id", "kind", "item", "elements" ON "optimization_rows"
WHEN OLD."run_id" IS NOT NEW."run_id" OR OLD."kind" IS NOT NEW."kind" OR OLD."item" IS NOT NEW."item" OR OLD."elements" IS NOT NEW."elements"
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:key_update: optimization_rows: a key is not changed: delete the row and insert another');
END;
CREATE TRIGGER "optimization_rows_record_insert" AFTER INSERT ON "optimization_rows"
WHEN (SELECT run_id IS NEW."run_id" AND recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: optimization_rows: a run is written to in a stratalog transaction that holds its lock')
   WHERE (SELECT run_id FROM transaction_context) IS NOT NEW."run_id";
  DELETE FROM "optimization_rows_version" WHERE "optimization_rows_version"."run_id" = NEW."run_id" AND "optimization_rows_version"."kind" = NEW."kind" AND "optimization_rows_version"."item" = NEW."item" AND "optimization_rows_version"."elements" = NEW."elements" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "optimization_rows_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "optimization_rows_version"."run_id" = NEW."run_id" AND "optimization_rows_version"."kind" = NEW."kind" AND "optimization_rows_version"."item" = NEW."item" AND "optimization_rows_version"."elements" = NEW."elements" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "optimization_rows_version" ("run_id", "kind", "item", "elements", "value", "unit_id", "level", "marginal", "transaction_id", "operation_type")
    SELECT NEW."run_id", NEW."kind", NEW."item", NEW."elements", NEW."value", NEW."unit_id", NEW."level", NEW."marginal", (SELECT transaction_id FROM transaction_context), EXISTS (SELECT 1 FROM "optimization_rows_version" before WHERE before."run_id" = NEW."run_id" AND before."kind" = NEW."kind" AND before."item" = NEW."item" AND before."elements" = NEW."elements"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2) WHERE NOT EXISTS (SELECT 1 FROM "optimization_rows_version" before WHERE before."run_id" = NEW."run_id" AND before."kind" = NEW."kind" AND before."item" = NEW."item" AND before."elements" = NEW."elements"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2 AND NOT (before."value" IS NOT NEW."value" OR before."value" = 0) AND NOT before."unit_id" IS NOT NEW."unit_id" AND NOT (before."level" IS NOT NEW."level" OR before."level" = 0) AND NOT (before."marginal" IS NOT NEW."marginal" OR before."marginal" = 0));
  UPDATE "optimization_rows_version" SET "end_transaction_id" = NULL WHERE "optimization_rows_version"."run_id" = NEW."run_id" AND "optimization_rows_version"."kind" = NEW."kind" AND "optimization_rows_version"."item" = NEW."item" AND "optimization_rows_version"."elements" = NEW."elements" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "optimization_rows_version" own WHERE own."run_id" = NEW."run_id" AND own."kind" = NEW."kind" AND own."item" = NEW."item" AND own."elements" = NEW."elements" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "optimization_rows_record_update" AFTER UPDATE ON "optimization_rows"
WHEN (SELECT run_id IS NEW."run_id" AND recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: optimization_rows: a run is written to in a stratalog transaction that holds its lock')
   WHERE (SELECT run_id FROM transaction_context) IS NOT NEW."run_id";
  DELETE FROM "optimization_rows_version" WHERE "optimization_rows_version"."run_id" = NEW."run_id" AND "optimization_rows_version"."kind" = NEW."kind" AND "optimization_rows_version"."item" = NEW."item" AND "optimization_rows_version"."elements" = NEW."elements" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "optimization_rows_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "optimization_rows_version"."run_id" = NEW."run_id" AND "optimization_rows_version"."kind" = NEW."kind" AND "optimization_rows_version"."item" = NEW."item" AND "optimization_rows_version"."elements" = NEW."elements" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "optimization_rows_version" ("run_id", "kind", "item", "elements", "value", "unit_id", "level", "marginal", "transaction_id", "operation_type")
    SELECT NEW."run_id", NEW."kind", NEW."item", NEW."elements", NEW."value", NEW."unit_id", NEW."level", NEW."marginal", (SELECT transaction_id FROM transaction_context), EXISTS (SELECT 1 FROM "optimization_rows_version" before WHERE before."run_id" = NEW."run_id" AND before."kind" = NEW."kind" AND before."item" = NEW."item" AND before."elements" = NEW."elements"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2) WHERE NOT EXISTS (SELECT 1 FROM "optimization_rows_version" before WHERE before."run_id" = NEW."run_id" AND before."kind" = NEW."kind" AND before."item" = NEW."item" AND before."elements" = NEW."elements"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2 AND NOT (before."value" IS NOT NEW."value" OR before."value" = 0) AND NOT before."unit_id" IS NOT NEW."unit_id" AND NOT (before."level" IS NOT NEW."level" OR before."level" = 0) AND NOT (before."marginal" IS NOT NEW."marginal" OR before."marginal" = 0));
  UPDATE "optimization_rows_version" SET "end_transaction_id" = NULL WHERE "optimization_rows_version"."run_id" = NEW."run_id" AND "optimization_rows_version"."kind" = NEW."kind" AND "optimization_rows_version"."item" = NEW."item" AND "optimization_rows_version"."elements" = NEW."elements" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "optimization_rows_version" own WHERE own."run_id" = NEW."run_id" AND own."kind" = NEW."kind" AND own."item" = NEW."item" AND own."elements" = NEW."elements" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "optimization_rows_record_delete" AFTER DELETE ON "optimization_rows"
WHEN (SELECT run_id IS OLD."run_id" AND recorded_in_bulk = 1 FROM transaction_context) IS NOT 1
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:outside_transaction: optimization_rows: a run is written to in a stratalog transaction that holds its lock')
   WHERE (SELECT run_id FROM transaction_context) IS NOT OLD."run_id";
  DELETE FROM "optimization_rows_version" WHERE "optimization_rows_version"."run_id" = OLD."run_id" AND "optimization_rows_version"."kind" = OLD."kind" AND "optimization_rows_version"."item" = OLD."item" AND "optimization_rows_version"."elements" = OLD."elements" AND "transaction_id" = (SELECT transaction_id FROM transaction_context);
  UPDATE "optimization_rows_version" SET "end_transaction_id" = (SELECT transaction_id FROM transaction_context) WHERE "optimization_rows_version"."run_id" = OLD."run_id" AND "optimization_rows_version"."kind" = OLD."kind" AND "optimization_rows_version"."item" = OLD."item" AND "optimization_rows_version"."elements" = OLD."elements" AND "end_transaction_id" IS NULL;
  INSERT OR ROLLBACK INTO "optimization_rows_version" ("run_id", "kind", "item", "elements", "value", "unit_id", "level", "marginal", "transaction_id", "operation_type")
    SELECT OLD."run_id", OLD."kind", OLD."item", OLD."elements", OLD."value", OLD."unit_id", OLD."level", OLD."marginal", (SELECT transaction_id FROM transaction_context), 2 WHERE EXISTS (SELECT 1 FROM "optimization_rows_version" before WHERE before."run_id" = OLD."run_id" AND before."kind" = OLD."kind" AND before."item" = OLD."item" AND before."elements" = OLD."elements"
      AND before."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND before."operation_type" <> 2);
  UPDATE "optimization_rows_version" SET "end_transaction_id" = NULL WHERE "optimization_rows_version"."run_id" = OLD."run_id" AND "optimization_rows_version"."kind" = OLD."kind" AND "optimization_rows_version"."item" = OLD."item" AND "optimization_rows_version"."elements" = OLD."elements" AND "end_transaction_id" = (SELECT transaction_id FROM transaction_context)
    AND NOT EXISTS (SELECT 1 FROM "optimization_rows_version" own WHERE own."run_id" = OLD."run_id" AND own."kind" = OLD."kind" AND own."item" = OLD."item" AND own."elements" = OLD."elements" AND own."transaction_id" = (SELECT transaction_id FROM transaction_context));
END;
CREATE TRIGGER "optimization_rows_version_append" AFTER INSERT ON "optimization_rows_version"
WHEN NEW."transaction_id" IS NOT (SELECT transaction_id FROM transaction_context) OR NEW."end_transaction_id" IS NOT NULL
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: optimization_rows_version: history is written by stratalog only');
END;
CREATE TRIGGER "optimization_rows_version_no_update" BEFORE UPDATE OF "run_id", "kind", "item", "elements", "value", "unit_id", "level", "marginal", "transaction_id", "operation_type" ON "optimization_rows_version"
WHEN NOT coalesce((OLD."run_id" IS NOT DISTINCT FROM NEW."run_id"
    AND OLD."kind" IS NOT DISTINCT FROM NEW."kind"
    AND OLD."item" IS NOT DISTINCT FROM NEW."item"
    AND OLD."elements" IS NOT DISTINCT FROM NEW."elements"
    AND OLD."transaction_id" IS NOT DISTINCT FROM NEW."transaction_id"
    AND OLD."end_transaction_id" IS NOT DISTINCT FROM NEW."end_transaction_id"
    AND OLD."operation_type" IS NOT DISTINCT FROM NEW."operation_type"
    AND NEW."value" IS NULL
    AND NEW."unit_id" IS NULL
    AND NEW."level" IS NULL
    AND NEW."marginal" IS NULL
    AND (OLD."end_transaction_id" IS NOT NULL OR OLD."operation_type" = 2)
    AND EXISTS (SELECT 1 FROM "redacted_rows" r WHERE r."run_id" = OLD."run_id"
      AND r."transaction_id" = OLD."transaction_id" AND r."table_name" = 'optimization_rows' AND r."row_key" = 'run_id=' || CAST(OLD."run_id" AS TEXT) || ', ' || 'kind=' || CAST(OLD."kind" AS TEXT) || ', ' || 'item=' || CAST(OLD."item" AS TEXT) || ', ' || 'elements=' || CAST(OLD."elements" AS TEXT))), 0)
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: optimization_rows_version: history is never changed');
END;
CREATE TRIGGER "optimization_rows_version_end_once" AFTER UPDATE OF "end_transaction_id" ON "optimization_rows_version"
WHEN NOT coalesce((OLD."end_transaction_id" IS NULL AND NEW."end_transaction_id" = (SELECT transaction_id FROM transaction_context))
  OR (OLD."end_transaction_id" = (SELECT transaction_id FROM transaction_context) AND NEW."end_transaction_id" IS NULL), 0)
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: optimization_rows_version: the end of a version row is set once');
END;
CREATE TRIGGER "optimization_rows_version_no_delete" BEFORE DELETE ON "optimization_rows_version"
WHEN OLD."transaction_id" IS NOT (SELECT transaction_id FROM transaction_context) AND NOT EXISTS (
    SELECT 1 FROM "compactions" c
    JOIN "run_locks" l ON l."run_id" = c."run_id" AND l."token" = c."lock_token" AND l."state" <> 'free'
    WHERE c."run_id" = OLD."run_id" AND c."finished_at" IS NULL
      AND ((OLD."end_transaction_id" <= c."horizon" AND NOT EXISTS (SELECT 1 FROM "retained_states" kept
      WHERE kept."compaction_id" = c."id" AND kept."transaction_id" >= OLD."transaction_id" AND kept."transaction_id" < OLD."end_transaction_id")) OR (OLD."operation_type" = 2 AND OLD."transaction_id" <= c."horizon" AND NOT EXISTS (
      SELECT 1 FROM "optimization_rows_version" earlier WHERE earlier."run_id" = OLD."run_id" AND earlier."kind" = OLD."kind" AND earlier."item" = OLD."item" AND earlier."elements" = OLD."elements" AND earlier."transaction_id" < OLD."transaction_id"))))
BEGIN
  SELECT RAISE(ROLLBACK, 'stratalog:append_only: optimization_rows_version: history is never deleted');
END;
CREATE VIEW "optimization_rows_named" AS SELECT
  (SELECT p."name" FROM "models" p WHERE p."id" = run."model_id") AS "model",
  (SELECT p."name" FROM "scenarios" p WHERE p."id" = run."scenario_id") AS "scenario",
  run."version",
  run."is_default",
  d."run_id",
  d."kind",
  d."item",
  d."elements",
  d."value",
  (SELECT p."name" FROM "units" p WHERE p."id" = d."unit_id") AS "unit",
  d."level",
  d."marginal"
FROM "optimization_rows" d
JOIN "runs" run ON run."id" = d."run_id";
CREATE VIEW "optimization_rows_history_named" AS SELECT
  coalesce((SELECT p."name" FROM "models" p WHERE p."id" = run."model_id"), (SELECT p."name" FROM "models_version" p WHERE p."id" = run."model_id" ORDER BY p."transaction_id" DESC LIMIT 1)) AS "model",
  coalesce((SELECT p."name" FROM "scenarios" p WHERE p."id" = run."scenario_id"), (SELECT p."name" FROM "scenarios_version" p WHERE p."id" = run."scenario_id" ORDER BY p."transaction_id" DESC LIMIT 1)) AS "scenario",
  run."version",
  run."is_default",
  d."run_id",
  d."kind",
  d."item",
  d."elements",
  CASE WHEN d."operation_type" < 2 THEN d."value" END AS "value",
  coalesce((SELECT p."name" FROM "units" p WHERE p."id" = d."unit_id"), (SELECT p."name" FROM "units_version" p WHERE p."id" = d."unit_id" ORDER BY p."transaction_id" DESC LIMIT 1)) AS "unit",
  CASE WHEN d."operation_type" < 2 THEN d."level" END AS "level",
  CASE WHEN d."operation_type" < 2 THEN d."marginal" END AS "marginal",
  CASE d."operation_type" WHEN 0 THEN 'insert' WHEN 1 THEN 'update' ELSE 'delete' END AS "operation",
  d."transaction_id",
  d."end_transaction_id",
  t."issued_at",
  t."actor",
  t."operation" AS "what"
FROM "optimization_rows_version" d
JOIN "transactions" t ON t."id" = d."transaction_id"
LEFT JOIN "runs" run ON run."id" = d."run_id";
