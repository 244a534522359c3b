//! Stratalog's own tables: THE description of each. `make migrations` turns them into SQL.

use crate::schema::{TableDescription, VersionedTable};
use crate::{__described_table, versioned_table};

versioned_table! {
    /// Names of models.
    platform models (id) rank 10 unique (name) {
        id -> BigInt,
        name -> Text,
        /// What is said of it.
        docs -> Nullable<Text>,
    }
}
versioned_table! {
    /// Names of scenarios.
    platform scenarios (id) rank 10 unique (name) {
        id -> BigInt,
        name -> Text,
        /// What is said of it.
        docs -> Nullable<Text>,
    }
}
versioned_table! {
    /// Regions, each in a hierarchy.
    platform regions (id) rank 10 unique (name) {
        id -> BigInt,
        name -> Text,
        hierarchy -> Text,
        /// What is said of it.
        docs -> Nullable<Text>,
    }
}
versioned_table! {
    /// Units of measurement. The empty name is the unit of what has none.
    platform units (id) rank 10 unique (name) {
        id -> BigInt,
        name -> Text,
        /// What is said of it.
        docs -> Nullable<Text>,
    }
}
versioned_table! {
    /// Names of variables, made as data needs them.
    platform variables (id) rank 10 unique (name) {
        id -> BigInt,
        name -> Text,
        /// What is said of it.
        docs -> Nullable<Text>,
    }
}
versioned_table! {
    /// Runs: numbered versions of a model's scenario, at most one of them the default.
    platform runs (id) rank 20 unique (model_id, scenario_id, version)
        unique (model_id, scenario_id) when is_default {
        id -> BigInt,
        model_id -> BigInt => models,
        scenario_id -> BigInt => scenarios,
        version -> Integer,
        is_default -> Bool,
        /// The run that it was cloned from, which may be deleted since.
        cloned_from_run -> Nullable<BigInt>,
        /// The transaction of that run whose state was copied.
        cloned_from_transaction -> Nullable<BigInt>,
    }
}
versioned_table! {
    /// The points of all time series.
    run_scoped datapoints
        (run_id, region_id, variable_id, unit_id, point_type, step, category) rank 30 {
        run_id -> BigInt => runs,
        region_id -> BigInt => regions,
        variable_id -> BigInt => variables,
        unit_id -> BigInt => units,
        /// yearly 0, categorical 1, datetime 2.
        point_type -> SmallInt,
        /// The year; for datetime points microseconds since 1970-01-01 UTC.
        step -> BigInt,
        /// The part of the year ("subannual") of categorical points, else empty.
        category -> Text,
        value -> Double,
    }
}

versioned_table! {
    /// What is said of runs as a whole. One of the values is there: the one of the indicator's type.
    run_scoped meta_indicators (run_id, key) rank 31 {
        run_id -> BigInt,
        key -> Text,
        value_bool -> Nullable<Bool>,
        value_int -> Nullable<BigInt>,
        value_float -> Nullable<Double>,
        value_text -> Nullable<Text>,
    }
}

versioned_table! {
    /// Optimization items: indexset 0, scalar 1, table 2, parameter 3, variable 4, equation 5.
    run_scoped optimization_items (run_id, kind, name) rank 32 {
        run_id -> BigInt,
        kind -> SmallInt,
        name -> Text,
        /// Counts the items of its kind in the run, deleted ones included, in the order in which they were made.
        number -> BigInt as ordinal,
        /// Of scalars.
        value -> Nullable<Double>,
        unit_id -> Nullable<BigInt> => units,
        /// What is said of it.
        docs -> Nullable<Text>,
    }
}
versioned_table! {
    /// The columns of tables, parameters, variables and equations.
    run_scoped optimization_columns (run_id, kind, item, position) rank 33 {
        run_id -> BigInt,
        kind -> SmallInt,
        item -> Text,
        position -> Integer,
        name -> Text,
        /// The indexset whose elements it may hold.
        indexset -> Text,
    }
}
versioned_table! {
    /// The elements of indexsets.
    run_scoped indexset_elements (run_id, indexset, element) rank 34 {
        run_id -> BigInt,
        indexset -> Text,
        /// As JSON, which keeps its type: "a", 1, 1.0.
        element -> Text,
        position -> BigInt,
    }
}
versioned_table! {
    /// The data of tables, parameters, variables and equations: a row per combination of elements.
    run_scoped optimization_rows (run_id, kind, item, elements) rank 35 {
        run_id -> BigInt,
        kind -> SmallInt,
        item -> Text,
        /// A JSON array in the order of the item's columns.
        elements -> Text,
        /// Of parameters.
        value -> Nullable<Double>,
        unit_id -> Nullable<BigInt> => units,
        /// Of variables and equations.
        level -> Nullable<Double>,
        marginal -> Nullable<Double>,
    }
}

__described_table! {
    /// One row per committed unit of writes.
    bookkeeping transactions (id) rank 1 unique (client_uuid) {
        id -> BigInt,
        /// When it began (UTC).
        issued_at -> Timestamp,
        /// The run whose rows it may write; NULL where only platform tables are written.
        run_id -> Nullable<BigInt>,
        /// The fencing number that it proved.
        lock_token -> Nullable<BigInt>,
        /// Who.
        actor -> Text,
        /// What the caller did.
        operation -> Text,
        /// One per logical write, so that a retry after an ambiguous commit is safe.
        client_uuid -> Text,
    }
}
__described_table! {
    /// Messages tied to a run and its last transaction.
    bookkeeping checkpoints (id) rank 2 {
        id -> BigInt,
        run_id -> BigInt,
        /// The run's last transaction when the checkpoint was made; 0 before its first.
        transaction_id -> BigInt,
        message -> Text,
        actor -> Text,
        created_at -> Timestamp,
    }
}
__described_table! {
    /// One row per run: who may write to it. `token` only grows.
    bookkeeping run_locks (run_id) rank 3 {
        run_id -> BigInt,
        token -> BigInt,
        /// free, held, or recovering (a rollback is to be done before anything else is written).
        state -> Text,
        holder_user -> Nullable<Text>,
        holder_host -> Nullable<Text>,
        holder_pid -> Nullable<BigInt>,
        holder_client -> Nullable<Text>,
        reason -> Nullable<Text>,
        /// The run's last transaction when the lock was taken.
        lock_transaction -> BigInt,
        acquired_at -> Nullable<Timestamp>,
    }
}
__described_table! {
    /// Until when each holder of a lock is believed to live. Apart from `run_locks`, because a writer keeps
    /// that row locked and a renewal must not wait for it.
    bookkeeping run_leases (run_id) rank 4 {
        run_id -> BigInt,
        /// The holding that it is the lease of.
        token -> BigInt,
        /// Renewals set it so far ahead.
        lease_seconds -> Double,
        renewed_at -> Timestamp,
        expires_at -> Timestamp,
        /// The holder's last commit; NULL before its first.
        last_write_at -> Nullable<Timestamp>,
    }
}
__described_table! {
    /// What became of locks other than by their holders: taken over, forced, failed to roll back.
    bookkeeping lock_events (id) rank 5 {
        id -> BigInt,
        run_id -> BigInt,
        occurred_at -> Timestamp,
        /// taken over, forced, or rollback failed.
        event -> Text,
        /// The holding that ended or failed.
        token -> BigInt,
        /// Whose it was.
        holder_user -> Nullable<Text>,
        holder_host -> Nullable<Text>,
        holder_pid -> Nullable<BigInt>,
        holder_reason -> Nullable<Text>,
        /// Who did it.
        actor -> Text,
        /// Why.
        reason -> Text,
    }
}
__described_table! {
    /// Transactions that set rows of their run back to an earlier state.
    bookkeeping reverts (transaction_id) rank 6 {
        transaction_id -> BigInt,
        run_id -> BigInt,
        /// revert, rollback or undo.
        kind -> Text,
        /// The transaction whose state came back; of an undo the transaction that was taken back.
        target_id -> BigInt,
    }
}
__described_table! {
    /// Removals of version rows that no kept state of a run needs. A run's last one says which of its states
    /// can still be had: those from `horizon` on, and the retained ones.
    bookkeeping compactions (id) rank 7 {
        id -> BigInt,
        run_id -> BigInt,
        started_at -> Timestamp,
        /// NULL while it is under way, and for ever if it was broken off: the next one goes on.
        finished_at -> Nullable<Timestamp>,
        actor -> Text,
        /// What was to be kept, in words.
        policy -> Text,
        /// The holding of the run's lock that it works under.
        lock_token -> BigInt,
        /// From this transaction of the run on everything stays.
        horizon -> BigInt,
        /// Version rows of the run when it began and when it was finished.
        rows_before -> BigInt,
        rows_after -> Nullable<BigInt>,
    }
}
__described_table! {
    /// States before the horizon of a compaction that it keeps.
    bookkeeping retained_states (compaction_id, transaction_id) rank 8 {
        compaction_id -> BigInt,
        transaction_id -> BigInt,
    }
}
__described_table! {
    /// Requests by which values were taken out of a run's history.
    bookkeeping redactions (id) rank 9 {
        id -> BigInt,
        run_id -> BigInt,
        redacted_at -> Timestamp,
        actor -> Text,
        reason -> Text,
    }
}
__described_table! {
    /// The version rows whose values a redaction took out.
    bookkeeping redacted_rows (run_id, transaction_id, table_name, row_key) rank 10 {
        run_id -> BigInt,
        /// Of the version row.
        transaction_id -> BigInt,
        table_name -> Text,
        /// The key of the row, as `verify` names rows.
        row_key -> Text,
        redaction_id -> BigInt,
    }
}
__described_table! {
    /// The hash chains, where they are switched on: one per run, and run 0 for the platform's own tables.
    bookkeeping chain_links (run_id, position) rank 11 unique (run_id, transaction_id) {
        run_id -> BigInt,
        /// 1, 2, 3 …; 0 begins the chain.
        position -> BigInt,
        transaction_id -> BigInt,
        /// A hash of each of its version rows: 32 hexadecimal digits each.
        leaves -> Text,
        /// The hash of all up to here: 64 hexadecimal digits.
        head -> Text,
    }
}
__described_table! {
    /// Descriptions of tables that programs added, so that every process logs and reverts them.
    bookkeeping described_tables (name) rank 12 {
        name -> Text,
        /// The [`TableDescription`](crate::TableDescription) as JSON.
        description -> Text,
    }
}

__described_table! {
    /// Runs that were copied from another program's database, and how far.
    bookkeeping imported_runs (run_id) rank 13 unique (identity) {
        run_id -> BigInt,
        /// Where from, without a password.
        source -> Text,
        /// A hash of what tells the run apart there.
        identity -> Text,
        /// Its id there.
        source_run -> BigInt,
        /// The last transaction there that has been copied; −1, −2, −3 for the kinds of data where there is no history.
        copied_until -> BigInt,
        /// How many of its checkpoints there have been made.
        checkpoints -> BigInt,
        /// The run's last transaction that copied something; 0 before its first.
        transaction_id -> BigInt,
        actor -> Text,
        started_at -> Timestamp,
        /// NULL until all of it has been copied.
        finished_at -> Nullable<Timestamp>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(models, scenarios, runs);
diesel::joinable!(runs -> models (model_id));
diesel::joinable!(runs -> scenarios (scenario_id));

/// The versioned tables that every platform has, parents first.
pub fn versioned() -> Vec<TableDescription> {
    vec![
        models::table::description(),
        scenarios::table::description(),
        regions::table::description(),
        units::table::description(),
        variables::table::description(),
        runs::table::description(),
        datapoints::table::description(),
        meta_indicators::table::description(),
        optimization_items::table::description(),
        optimization_columns::table::description(),
        indexset_elements::table::description(),
        optimization_rows::table::description(),
    ]
}

/// The tables that keep the log, the checkpoints and the locks.
pub fn bookkeeping() -> Vec<TableDescription> {
    vec![
        transactions::table::description(),
        checkpoints::table::description(),
        run_locks::table::description(),
        run_leases::table::description(),
        lock_events::table::description(),
        reverts::table::description(),
        compactions::table::description(),
        retained_states::table::description(),
        redactions::table::description(),
        redacted_rows::table::description(),
        chain_links::table::description(),
        described_tables::table::description(),
        imported_runs::table::description(),
    ]
}
