//! The contract of the change log (docs/design.md, "The change log"), point by point, with writers that
//! know nothing of this library: what they write is refused or logged, never silent.

use stratalog::{Engine, LogFilter, Platform};

use crate::both_engines;
use crate::support::{Database, Plain, WithRun, points, verify, without_guards};

/// The columns of a point in raw SQL: run 1, region 1, variable 1, unit 1, yearly.
fn insert(year: i64, value: &str) -> String {
    format!(
        "INSERT INTO datapoints (run_id, region_id, variable_id, unit_id, point_type, step, category, value)
         VALUES (1, 1, 1, 1, 0, {year}, '', {value})"
    )
}

/// Every way to write that SQL has, on a point that is there (2020) or not (2050).
fn writes(engine: Engine) -> Vec<String> {
    let mut writes = vec![
        insert(2050, "5.0"),
        "UPDATE datapoints SET value = 2.0".into(),
        "UPDATE datapoints SET value = value + 1 WHERE step = 2020".into(),
        "DELETE FROM datapoints".into(),
        format!(
            "{} ON CONFLICT (run_id, region_id, variable_id, unit_id, point_type, step, category)
                 DO UPDATE SET value = excluded.value",
            insert(2020, "7.0")
        ),
        format!("{} ON CONFLICT DO NOTHING", insert(2050, "7.0")),
    ];
    match engine {
        Engine::Sqlite => writes.extend([
            insert(2020, "8.0").replacen("INSERT", "INSERT OR REPLACE", 1),
            insert(2020, "8.0").replacen("INSERT", "REPLACE", 1),
            insert(2050, "8.0").replacen("INSERT", "INSERT OR IGNORE", 1),
            "UPDATE OR IGNORE datapoints SET value = 2.0".into(),
            "UPDATE OR REPLACE datapoints SET value = 2.0".into(),
            "UPDATE OR FAIL datapoints SET value = 2.0".into(),
        ]),
        Engine::Postgres => writes.extend([
            "COPY datapoints FROM PROGRAM 'printf \"1\\t1\\t1\\t1\\t0\\t2050\\t\\t5\\n\"'".into(),
            "MERGE INTO datapoints d USING (VALUES (2020)) AS s (year) ON d.step = s.year
             WHEN MATCHED THEN UPDATE SET value = 9"
                .into(),
            "WITH gone AS (DELETE FROM datapoints RETURNING step) SELECT count(*) FROM gone".into(),
        ]),
    }
    writes
}

both_engines! {
    fn a_write_outside_a_transaction_is_refused(database: &Database) {
        let fixture = WithRun::new(database);
        let mut plain = database.plain();
        for sql in writes(database.engine) {
            let message = plain.refused(&sql);
            assert!(message.contains("stratalog:outside_transaction"), "{sql}: {message}");
        }
        for table in ["models", "scenarios", "regions", "units", "variables"] {
            for sql in [
                format!("INSERT INTO {table} (name{}) VALUES ('x'{})",
                    if table == "regions" { ", hierarchy" } else { "" },
                    if table == "regions" { ", 'common'" } else { "" }),
                format!("UPDATE {table} SET name = 'y'"),
            ] {
                let message = plain.refused(&sql);
                assert!(message.contains("outside a stratalog transaction"), "{sql}: {message}");
            }
        }
        plain.refused("UPDATE runs SET version = 7");
        plain.refused("DELETE FROM runs");
        assert_eq!(fixture.now(), [(2020, 1.0)]);
        fixture.verify();
    }

    fn a_refused_write_by_hand_ends_its_transaction(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("by hand").expect("the lock");
        let columns = "run_id, region_id, variable_id, unit_id, point_type, step, category";
        for sql in [
            format!("INSERT INTO datapoints_version ({columns}, value, transaction_id, operation_type)
                SELECT {columns}, value, 1, 0 FROM datapoints"),
            "UPDATE datapoints_version SET value = 7.0".into(),
            "UPDATE datapoints_version SET end_transaction_id = 1".into(),
            "DELETE FROM datapoints_version WHERE end_transaction_id IS NOT NULL".into(),
            "UPDATE datapoints SET step = 2021".into(),
            "UPDATE regions SET name = 'Mars'; UPDATE runs SET id = 7".into(),
        ] {
            let mut plain = database.plain();
            plain.begin(1, lock.token().0).expect("beginning");
            plain.run("UPDATE datapoints SET value = 2.0").expect("a write");
            let message = plain.refused(&sql);
            assert!(message.starts_with("stratalog:"), "{sql}: {message}");
            // PostgreSQL's COMMIT says nothing and does not commit; SQLite has nothing to commit any more.
            let committed = plain.commit();
            assert_eq!(committed.is_ok(), database.engine == Engine::Postgres, "{sql}");
            plain.roll_back();
            assert_eq!(fixture.now(), [(2020, 1.0)], "{sql}");
        }
        fixture.verify();
    }

    fn a_value_written_by_hand_is_a_float(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("by hand").expect("the lock");
        let mut plain = database.plain();
        let (floats, others): (&[&str], &[&str]) = match database.engine {
            Engine::Sqlite => (
                &["5.0", "-0.0", "0.25", "9e999", "-9e999", "5e-324", "1e308", "9007199254740993.0"],
                &["5", "0", "-1", "4611686018427387904", "'5'", "'5.0'", "''", "'text'", "x'35'", "NULL", "9e999 - 9e999"],
            ),
            // It makes a float of every number.
            Engine::Postgres => (
                &["5", "-0.0", "'Infinity'", "'-Infinity'", "1e308", "9007199254740993.0"],
                &["'text'", "true", "NULL"],
            ),
        };
        for value in floats {
            plain.begin(1, lock.token().0).expect("beginning");
            for write in [format!("UPDATE datapoints SET value = {value}"), insert(2050, value)] {
                plain.run(&write).unwrap_or_else(|error| panic!("{write}: {error}"));
            }
            plain.commit().expect("committing");
            fixture.verify();
            plain.begin(1, lock.token().0).expect("beginning");
            plain.run("DELETE FROM datapoints WHERE step = 2050").expect("a deletion");
            plain.commit().expect("committing");
        }
        for value in others {
            for write in [format!("UPDATE datapoints SET value = {value}"), insert(2050, value)] {
                plain.begin(1, lock.token().0).expect("beginning");
                plain.refused(&write);
                plain.roll_back();
            }
        }
        lock.rollback().expect("rollback");
        assert_eq!(fixture.now(), [(2020, 1.0)]);
        fixture.verify();
    }

    fn a_write_in_a_transaction_by_hand_is_logged(database: &Database) {
        for sql in writes(database.engine) {
            let database = Database::new(database.engine);
            let fixture = WithRun::new(&database);
            let lock = fixture.run.lock("by hand").expect("the lock");
            let mut plain = database.plain();
            let before = plain.number("SELECT count(*) FROM datapoints_version");
            plain.begin(1, lock.token().0).expect("beginning");
            plain.run(&sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
            plain.commit().expect("committing");
            assert!(plain.number("SELECT count(*) FROM datapoints_version") > before, "{sql}");
            fixture.verify();
            lock.rollback().expect("rollback");
            assert_eq!(fixture.now(), [(2020, 1.0)], "{sql}");
            fixture.verify();
        }
    }

    fn a_row_of_another_run_is_refused_in_a_transaction_of_this_one(database: &Database) {
        let fixture = WithRun::new(database);
        let other = fixture.platform.runs().create("model", "scenario").expect("a run");
        let lock = other.lock("other").expect("the lock");
        let mut plain = database.plain();
        for sql in writes(database.engine) {
            plain.begin(other.id().0, lock.token().0).expect("beginning");
            let message = plain.refused(&sql);
            assert!(message.contains("stratalog:outside_transaction"), "{sql}: {message}");
            plain.roll_back();
        }
        drop(lock);
        fixture.verify();
    }

    fn a_transaction_needs_the_token_that_holds_the_run(database: &Database) {
        let fixture = WithRun::new(database);
        let mut plain = database.plain();
        let lock = fixture.run.lock("first").expect("the lock");
        let old = lock.token().0;
        lock.commit().expect("commit");
        // Free: not even the last token.
        for token in [0, old, old + 1] {
            let message = plain.begin(1, token).expect_err("refused").to_string();
            assert!(message.contains("stratalog:lock_lost"), "{message}");
            plain.roll_back();
        }
        let lock = fixture.run.lock("second").expect("the lock");
        assert!(lock.token().0 > old);
        let message = plain.begin(1, old).expect_err("refused").to_string();
        assert!(message.contains("stratalog:lock_lost"), "{message}");
        plain.roll_back();
        plain.begin(1, lock.token().0).expect("the token that holds it");
        plain.roll_back();
        drop(lock);
    }

    fn a_key_is_never_updated(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("by hand").expect("the lock");
        let mut plain = database.plain();
        for sql in [
            "UPDATE datapoints SET step = 2021",
            "UPDATE datapoints SET run_id = 2",
            "UPDATE variables SET id = 17",
        ] {
            plain.begin(1, lock.token().0).expect("beginning");
            let message = plain.refused(sql);
            assert!(message.contains("stratalog:"), "{sql}: {message}");
            plain.roll_back();
        }
        drop(lock);
        fixture.verify();
    }

    fn one_transactions_row_per_write_that_changed_something(database: &Database) {
        let fixture = WithRun::new(database);
        let mut plain = database.plain();
        let mut count = || plain.number("SELECT count(*) FROM transactions");
        let before = count();
        let lock = fixture.run.lock("block").expect("the lock");
        assert_eq!(count(), before, "taking the lock changes no versioned row");
        let many: Vec<_> = (2000..3000).map(|year| (year, 1.5)).collect();
        lock.iamc().add(&points(&many)).expect("add");
        assert_eq!(count(), before + 1, "a thousand rows, one transaction");
        lock.iamc().add(&points(&many)).expect("add");
        lock.iamc().remove(&points(&[(1900, 0.0)])).expect("remove");
        lock.checkpoint("kept").expect("checkpoint");
        lock.revert_to("kept").expect("revert");
        assert_eq!(count(), before + 1, "nothing changed, no transaction");
        lock.iamc().remove(&points(&[(2000, 0.0)])).expect("remove");
        assert_eq!(count(), before + 2);
        lock.commit().expect("commit");
        assert_eq!(count(), before + 2, "a checkpoint is not a transaction");
        fixture.verify();
    }

    fn a_transaction_says_who_did_what_to_which_run(database: &Database) {
        let platform = database.open_with(Platform::options().actor("ada"));
        platform.regions().create("World").expect("a region");
        platform.units().create("EJ/yr").expect("a unit");
        let run = platform.runs().create("model", "scenario").expect("a run");
        let lock = run.lock("block").expect("the lock");
        lock.iamc().add(&points(&[(2020, 1.0)])).expect("add");
        let token = lock.token().0;
        lock.commit().expect("commit");
        let log = platform.log(&LogFilter::default()).expect("log");
        let written: Vec<_> = log
            .iter()
            .rev()
            .map(|entry| (entry.operation.as_str(), entry.run_id.map(|run| run.0), entry.actor.as_str()))
            .collect();
        assert_eq!(written, [
            ("regions.create", None, "ada"),
            ("units.create", None, "ada"),
            ("runs.create", None, "ada"),
            ("iamc.add", Some(run.id().0), "ada"),
        ]);
        assert_eq!(log[0].checkpoints, ["block"]);
        let changes: Vec<_> = log[0].changes.iter().map(|(table, counts)| (table.as_str(), counts.inserted)).collect();
        assert_eq!(changes, [("variables", 1), ("datapoints", 1)]);
        let mut plain = database.plain();
        assert_eq!(plain.number("SELECT lock_token FROM transactions WHERE run_id IS NOT NULL"), token);
        assert_eq!(plain.number("SELECT count(DISTINCT client_uuid) FROM transactions"), 4);
        let uuid = &plain.texts("SELECT client_uuid AS text FROM transactions WHERE run_id IS NULL")[0];
        let message = plain.refused(&format!(
            "INSERT INTO transactions (actor, operation, client_uuid) VALUES ('x', 'retry', '{uuid}')"
        ));
        assert!(message.to_lowercase().contains("unique") || message.contains("unsafe_connection"), "{message}");
    }

    fn a_database_transaction_has_one_row_in_transactions(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("by hand").expect("the lock");
        let mut plain = database.plain();
        plain.begin(1, lock.token().0).expect("beginning");
        let message = plain.refused(
            "INSERT INTO transactions (actor, operation, client_uuid) VALUES ('x', 'second', 'second')",
        );
        assert!(message.contains("stratalog:second_transaction"), "{message}");
        plain.roll_back();
        drop(lock);
    }

    fn a_row_has_one_version_row_per_transaction(database: &Database) {
        // What is done to the point of 2020 (there, 1.0) and of 2050 (not there) in one transaction, and the
        // version rows (year, operation type, value) that it leaves.
        let update = |value: &str, year: i64| format!("UPDATE datapoints SET value = {value} WHERE step = {year}");
        let delete = |year: i64| format!("DELETE FROM datapoints WHERE step = {year}");
        let cases: Vec<(&str, Vec<String>, &[&str])> = vec![
            ("insert, update", vec![insert(2050, "1.5"), update("2.5", 2050)], &["2050 0 2.5"]),
            ("insert, delete", vec![insert(2050, "1.5"), delete(2050)], &[]),
            ("insert, delete, insert", vec![insert(2050, "1.5"), delete(2050), insert(2050, "3.5")], &["2050 0 3.5"]),
            ("insert, update, delete", vec![insert(2050, "1.5"), update("2.5", 2050), delete(2050)], &[]),
            ("update, update", vec![update("2.5", 2020), update("3.5", 2020)], &["2020 1 3.5"]),
            ("update, delete", vec![update("2.5", 2020), delete(2020)], &["2020 2 2.5"]),
            ("update and back", vec![update("2.5", 2020), update("1.0", 2020)], &[]),
            ("delete, insert another", vec![delete(2020), insert(2020, "2.5")], &["2020 1 2.5"]),
            ("delete, insert the same", vec![delete(2020), insert(2020, "1.0")], &[]),
            ("delete, insert, delete", vec![delete(2020), insert(2020, "2.5"), delete(2020)], &["2020 2 2.5"]),
            ("two rows", vec![insert(2050, "1.5"), update("2.5", 2020), update("3.5", 2050)], &["2020 1 2.5", "2050 0 3.5"]),
        ];
        for (name, statements, expected) in cases {
            let database = Database::new(database.engine);
            let fixture = WithRun::new(&database);
            let lock = fixture.run.lock("by hand").expect("the lock");
            let mut plain = database.plain();
            let last = plain.number("SELECT max(id) FROM transactions");
            plain.begin(1, lock.token().0).expect("beginning");
            for sql in &statements {
                plain.run(sql).unwrap_or_else(|error| panic!("{name}: {sql}: {error}"));
            }
            plain.commit().expect("committing");
            let versions = plain.texts(&format!(
                "SELECT CAST(step AS TEXT) || ' ' || CAST(operation_type AS TEXT) || ' ' || CAST(value AS TEXT) AS text
                 FROM datapoints_version WHERE transaction_id > {last} ORDER BY step"
            ));
            assert_eq!(versions, expected, "{name}");
            fixture.verify();
            lock.rollback().expect("rollback");
            assert_eq!(fixture.now(), [(2020, 1.0)], "{name}");
            fixture.verify();
        }
    }

    fn unchanged_rows_leave_no_version_row(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("by hand").expect("the lock");
        let mut plain = database.plain();
        let before = plain.number("SELECT count(*) FROM datapoints_version");
        plain.begin(1, lock.token().0).expect("beginning");
        plain.run("UPDATE datapoints SET value = value").expect("update");
        plain.run("UPDATE datapoints SET value = 1.0").expect("update");
        plain.run("UPDATE datapoints SET value = 9.0 WHERE step = 1").expect("update of nothing");
        plain.commit().expect("committing");
        assert_eq!(plain.number("SELECT count(*) FROM datapoints_version"), before);
        // Rows that stay as they are within a larger change.
        let counts = lock.iamc().add(&points(&[(2020, 1.0), (2030, 2.0)])).expect("add");
        assert_eq!((counts.inserted, counts.updated), (1, 0));
        assert_eq!(plain.number("SELECT count(*) FROM datapoints_version"), before + 1);
        drop(lock);
        fixture.verify();
    }

    /// More rows than PostgreSQL looks for one by one, and all that the run has.
    fn of_all_rows_of_a_run_those_that_change_are_recorded(database: &Database) {
        const ROWS: i64 = 1_500;
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("by hand").expect("the lock");
        // From 1 on: on SQLite a zero that is written by hand counts as a change.
        let all: Vec<_> = (1..=ROWS).map(|step| (step, step as f64)).collect();
        lock.iamc().add(&points(&all)).expect("add");
        let mut plain = database.plain();
        let every_second = "UPDATE datapoints SET value = value + step % 2";
        let each = "UPDATE datapoints SET value = value + 1";
        let none = "UPDATE datapoints SET value = value";
        // One point is there before.
        for (statements, recorded) in [
            (vec![every_second], ROWS / 2),
            (vec![each], ROWS + 1),
            (vec![none, each], ROWS + 1),
            (vec![none], 0),
            (vec![every_second, each], ROWS + 1),
            (vec![each, "UPDATE datapoints SET value = value - 1"], 0),
            (vec!["DELETE FROM datapoints WHERE step = 7", every_second], ROWS / 2),
            (vec![each], ROWS),
            (vec!["UPDATE datapoints SET value = value + 1 WHERE step <> 2020"], ROWS - 1),
        ] {
            let last = plain.number("SELECT max(id) FROM transactions");
            plain.begin(1, lock.token().0).expect("beginning");
            for sql in &statements {
                plain.run(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
            plain.commit().expect("committing");
            let versions = format!("SELECT count(*) FROM datapoints_version WHERE transaction_id > {last}");
            assert_eq!(plain.number(&versions), recorded, "{statements:?}");
            fixture.verify();
        }
        lock.rollback().expect("rollback");
        assert_eq!(fixture.now(), [(2020, 1.0)]);
        fixture.verify();
    }

    fn negative_zero_is_another_value(database: &Database) {
        let fixture = WithRun::new(database);
        let sign = || fixture.now()[0].1.is_sign_negative();
        let lock = fixture.run.lock("zeros").expect("the lock");
        lock.iamc().add(&points(&[(2020, 0.0)])).expect("add");
        assert!(!sign());
        let changed = lock.iamc().add(&points(&[(2020, -0.0)])).expect("add");
        assert_eq!(changed.updated, 1);
        assert!(sign());
        let again = lock.iamc().add(&points(&[(2020, -0.0)])).expect("add");
        assert_eq!(again.total(), 0);
        lock.checkpoint("negative").expect("checkpoint");
        lock.iamc().add(&points(&[(2020, 0.0)])).expect("add");
        lock.commit().expect("commit");
        fixture.verify();
        assert_eq!(fixture.run.revert_to("negative").expect("revert").updated, 1);
        assert!(sign());
        fixture.verify();
    }

    fn history_is_append_only(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("by hand").expect("the lock");
        lock.iamc().add(&points(&[(2020, 2.0)])).expect("add");
        let mut plain = database.plain();
        let columns = "run_id, region_id, variable_id, unit_id, point_type, step, category, value";
        let tampering = [
            "UPDATE datapoints_version SET value = 3.0".to_owned(),
            "UPDATE datapoints_version SET end_transaction_id = NULL".into(),
            "UPDATE datapoints_version SET end_transaction_id = 99".into(),
            "UPDATE datapoints_version SET transaction_id = 1".into(),
            "UPDATE datapoints_version SET operation_type = 0".into(),
            "DELETE FROM datapoints_version".into(),
            "DELETE FROM regions_version".into(),
            format!("INSERT INTO datapoints_version ({columns}, transaction_id, operation_type)
                     VALUES (1, 1, 1, 1, 0, 1999, '', 1.0, 1, 0)"),
            "UPDATE transactions SET actor = 'nobody'".into(),
            "DELETE FROM transactions".into(),
            "UPDATE checkpoints SET message = 'x'".into(),
            "DELETE FROM checkpoints".into(),
            "UPDATE run_locks SET token = 0".into(),
            "DELETE FROM run_locks".into(),
        ];
        for sql in &tampering {
            let message = plain.refused(sql);
            assert!(message.contains("stratalog:"), "outside: {sql}: {message}");
        }
        for sql in &tampering {
            plain.begin(1, lock.token().0).expect("beginning");
            let message = plain.refused(sql);
            assert!(message.contains("stratalog:"), "inside: {sql}: {message}");
            plain.roll_back();
        }
        drop(lock);
        fixture.verify();
    }

    fn a_checkpoint_names_its_runs_last_transaction_only(database: &Database) {
        let fixture = WithRun::new(database);
        let mut plain = database.plain();
        let last = plain.number("SELECT max(id) FROM transactions");
        for transaction in [0, 1, last - 1, last + 1] {
            let message = plain.refused(&format!(
                "INSERT INTO checkpoints (run_id, transaction_id, message, actor) VALUES (1, {transaction}, 'x', 'x')"
            ));
            assert!(message.contains("stratalog:checkpoint"), "{message}");
        }
        fixture.verify();
    }

    fn a_checkpoint_is_never_overtaken(database: &Database) {
        // A write that has begun, and so has drawn its id, keeps checkpoints of its run waiting.
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("block").expect("the lock");
        let mut plain = database.plain();
        plain.begin(1, lock.token().0).expect("beginning");
        plain.run(&insert(2050, "5.0")).expect("insert");
        std::thread::scope(|scope| {
            let checkpoint = scope.spawn(|| lock.checkpoint("later").expect("checkpoint"));
            std::thread::sleep(std::time::Duration::from_millis(200));
            assert!(!checkpoint.is_finished(), "the checkpoint must wait for the write");
            plain.commit().expect("committing");
            let checkpoint = checkpoint.join().expect("joined");
            assert_eq!(checkpoint.transaction_id, fixture.run.last_transaction().expect("last"));
        });
        lock.commit().expect("commit");
        assert_eq!(fixture.now(), [(2020, 1.0), (2050, 5.0)]);
        fixture.verify();
    }

    fn transactions_of_a_run_are_in_the_order_of_their_commits(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("block").expect("the lock");
        // A writer of the same run that began first commits first, whatever the other one does meanwhile.
        let mut plain = database.plain();
        plain.begin(1, lock.token().0).expect("beginning");
        plain.run(&insert(2050, "5.0")).expect("insert");
        std::thread::scope(|scope| {
            let second = scope.spawn(|| lock.iamc().add(&points(&[(2060, 6.0)])).expect("add"));
            std::thread::sleep(std::time::Duration::from_millis(100));
            plain.commit().expect("committing");
            second.join().expect("joined");
        });
        let ids = plain.texts(
            "SELECT CAST(step AS TEXT) AS text FROM datapoints_version WHERE step > 2020 ORDER BY transaction_id",
        );
        assert_eq!(ids, ["2050", "2060"]);
        drop(lock);
        fixture.verify();
    }

    fn ids_not_clocks_give_the_order(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("block").expect("the lock");
        let mut plain = database.plain();
        // A clock that went back by years.
        plain.begin(1, lock.token().0).expect("beginning");
        plain.roll_back();
        if let Plain::Sqlite(_) = plain {
            plain.run("BEGIN IMMEDIATE").expect("beginning");
        } else {
            plain.run("BEGIN").expect("beginning");
        }
        plain.run(&format!(
            "INSERT INTO transactions (issued_at, run_id, lock_token, actor, operation, client_uuid)
             VALUES ('1999-01-01 00:00:00', 1, {}, 'shell', 'by hand', 'clock')", lock.token()
        )).expect("a transaction");
        plain.run("UPDATE datapoints SET value = 2.0").expect("update");
        plain.commit().expect("committing");
        lock.commit().expect("commit");
        let log = fixture.run.log().expect("log");
        assert_eq!(log[0].issued_at.to_string(), "1999-01-01 00:00:00");
        assert_eq!(fixture.run.revert_to("first point").expect("revert").updated, 1);
        assert_eq!(fixture.now(), [(2020, 1.0)]);
        fixture.verify();
    }

    fn verify_names_what_was_tampered_with(database: &Database) {
        let columns = "run_id, region_id, variable_id, unit_id, point_type, step, category, value";
        let cases = [
            ("UPDATE datapoints SET value = 9.0", "live rows whose values differ", "step=2020"),
            ("DELETE FROM datapoints", "open version rows without a live row", "step=2020"),
            ("INSERT INTO datapoints VALUES (1, 1, 1, 1, 0, 2099, '', 1.0)", "live rows without an open version row", "step=2099"),
            ("DELETE FROM datapoints_version WHERE end_transaction_id IS NOT NULL", "updates and deletes of nothing", "transaction_id="),
            ("UPDATE datapoints_version SET end_transaction_id = NULL", "more than one open version row", "step=2020"),
            ("UPDATE datapoints_version SET end_transaction_id = transaction_id WHERE end_transaction_id IS NOT NULL", "end before they begin", "step=2020"),
            ("UPDATE datapoints_version SET end_transaction_id = 77 WHERE end_transaction_id IS NOT NULL", "no version row follows", "step=2020"),
            (&format!("INSERT INTO datapoints_version ({columns}, transaction_id, end_transaction_id, operation_type) VALUES (1, 1, 1, 1, 0, 2098, '', 1.0, 77, NULL, 0)"), "a transaction that is not in the log", "step=2098"),
            ("UPDATE datapoints_version SET transaction_id = 1 WHERE operation_type = 0", "a transaction of another run", "step=2020"),
            ("UPDATE checkpoints SET transaction_id = 77", "name a transaction that is not their run's", "id=1"),
            ("DELETE FROM run_locks", "runs without a lock row", "run_id=1"),
            ("DELETE FROM run_leases", "runs without a lease row", "run_id=1"),
            ("UPDATE regions SET name = 'Moon'", "live rows whose values differ", "id=1"),
            (match database.engine {
                Engine::Sqlite => "PRAGMA foreign_keys = OFF; DELETE FROM regions",
                Engine::Postgres => "DELETE FROM regions",
            }, "refer to a row that is not there", "region_id=1"),
        ];
        for (sql, problem, row) in cases {
            let database = Database::new(database.engine);
            let fixture = WithRun::new(&database);
            let lock = fixture.run.lock("second value").expect("the lock");
            lock.iamc().add(&points(&[(2020, 2.0)])).expect("add");
            lock.commit().expect("commit");
            fixture.verify();
            without_guards(&database, sql);
            let report = fixture.platform.verify().expect("verifying");
            let found = report.problems.iter().find(|found| found.problem.contains(problem));
            let found = found.unwrap_or_else(|| panic!("{sql}: not found: {:#?}", report.problems));
            assert!(found.rows.iter().any(|named| named.contains(row)), "{sql}: {found:?}");
        }
    }

    fn deleting_a_parent_in_use_is_refused_by_the_database(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("by hand").expect("the lock");
        let mut plain = database.plain();
        plain.begin(1, lock.token().0).expect("beginning");
        let message = plain.refused("DELETE FROM regions");
        assert!(message.to_lowercase().contains("foreign key"), "{message}");
        plain.roll_back();
        drop(lock);
        verify(&fixture.platform);
    }
}

mod only_on_sqlite {
    //! What is special about SQLite's connections and conflict clauses.

    use super::*;

    #[test]
    fn a_connection_without_the_needed_settings_cannot_begin() {
        let database = Database::sqlite();
        let fixture = WithRun::new(&database);
        let lock = fixture.run.lock("by hand").expect("the lock");
        for settings in [
            "PRAGMA foreign_keys = OFF; PRAGMA recursive_triggers = ON",
            "PRAGMA foreign_keys = ON; PRAGMA recursive_triggers = OFF",
        ] {
            let mut plain = database.plain();
            plain.run(settings).expect("settings");
            plain.run("BEGIN IMMEDIATE").expect("beginning");
            let message = plain.refused(&format!(
                "INSERT INTO transactions (run_id, lock_token, actor, operation, client_uuid)
                 VALUES (1, {}, 'x', 'x', 'x')",
                lock.token()
            ));
            assert!(message.contains("stratalog:unsafe_connection"), "{message}");
            let message = plain.refused(
                "INSERT INTO transaction_context (one, transaction_id, run_id) SELECT 1, max(id), 1 FROM transactions",
            );
            assert!(message.contains("stratalog:append_only"), "{message}");
            plain.roll_back();
        }
        drop(lock);
        fixture.verify();
    }

    #[test]
    fn a_transaction_context_cannot_be_left_behind() {
        let database = Database::sqlite();
        let fixture = WithRun::new(&database);
        let lock = fixture.run.lock("by hand").expect("the lock");
        let mut plain = database.plain();
        plain.begin(1, lock.token().0).expect("beginning");
        plain.run(&insert(2050, "5.0")).expect("insert");
        let message = plain.refused("COMMIT");
        assert!(message.contains("FOREIGN KEY"), "{message}");
        plain.roll_back();
        // Without BEGIN each statement commits by itself.
        let message = plain.refused(&format!(
            "INSERT INTO transactions (run_id, lock_token, actor, operation, client_uuid)
             VALUES (1, {}, 'x', 'x', 'x')",
            lock.token()
        ));
        assert!(message.contains("FOREIGN KEY"), "{message}");
        assert_eq!(plain.number("SELECT count(*) FROM transaction_context"), 0);
        drop(lock);
        fixture.verify();
    }

    #[test]
    fn a_running_transaction_cannot_become_an_old_one() {
        let database = Database::sqlite();
        let fixture = WithRun::new(&database);
        let lock = fixture.run.lock("by hand").expect("the lock");
        let mut plain = database.plain();
        plain.begin(1, lock.token().0).expect("beginning");
        for sql in [
            "UPDATE transaction_context SET transaction_id = 1",
            "UPDATE transaction_context SET run_id = 2",
            "DELETE FROM transaction_context; INSERT INTO transaction_context (one, transaction_id, run_id) VALUES (1, 1, 1)",
        ] {
            let message = plain.refused(sql);
            assert!(
                message.contains("stratalog:append_only"),
                "{sql}: {message}"
            );
        }
        plain.roll_back();
        drop(lock);
        fixture.verify();
    }

    #[test]
    fn ids_are_never_used_again() {
        let database = Database::sqlite();
        let fixture = WithRun::new(&database);
        let lock = fixture.run.lock("by hand").expect("the lock");
        let mut plain = database.plain();
        plain.begin(1, lock.token().0).expect("beginning");
        plain.roll_back();
        plain.run("BEGIN IMMEDIATE").expect("beginning");
        plain.refused(
            "INSERT INTO transactions (id, actor, operation, client_uuid) VALUES (-5, 'x', 'x', 'x')",
        );
        plain.roll_back();
        drop(lock);
    }

    #[test]
    fn the_bundled_sqlite_is_new_enough() {
        let database = Database::sqlite();
        let mut plain = database.plain();
        let version = &plain.texts("SELECT sqlite_version() AS text")[0];
        let parts: Vec<u32> = version
            .split('.')
            .map(|part| part.parse().expect("a number"))
            .collect();
        assert!(
            parts >= vec![3, 51, 3],
            "{version}: the WAL-reset corruption existed up to 3.51.2"
        );
    }

    #[test]
    fn a_plain_zero_update_is_logged_rather_than_lost() {
        // Triggers cannot tell 0.0 from -0.0 without our function: a zero that is written counts as a change.
        let database = Database::sqlite();
        let fixture = WithRun::new(&database);
        let lock = fixture.run.lock("zeros").expect("the lock");
        lock.iamc().add(&points(&[(2020, 0.0)])).expect("add");
        let mut plain = database.plain();
        plain.begin(1, lock.token().0).expect("beginning");
        plain
            .run("UPDATE datapoints SET value = -0.0")
            .expect("update");
        plain.commit().expect("committing");
        drop(lock);
        fixture.verify();
    }
}

mod only_on_postgres {
    //! What is special about PostgreSQL's settings and commands.

    use super::*;

    #[test]
    fn truncate_is_refused() {
        let database = Database::postgres();
        let fixture = WithRun::new(&database);
        let lock = fixture.run.lock("by hand").expect("the lock");
        let mut plain = database.plain();
        for table in [
            "datapoints",
            "datapoints_version",
            "transactions",
            "checkpoints",
            "run_locks",
            "regions",
        ] {
            plain.begin(1, lock.token().0).expect("beginning");
            let message = plain.refused(&format!("TRUNCATE {table} CASCADE"));
            assert!(message.contains("stratalog:"), "{table}: {message}");
            plain.roll_back();
        }
        drop(lock);
        fixture.verify();
    }

    #[test]
    fn triggers_fire_for_replicas_too() {
        let database = Database::postgres();
        let fixture = WithRun::new(&database);
        let mut plain = database.plain();
        plain
            .run("SET session_replication_role = replica")
            .expect("a superuser's setting");
        for sql in writes(Engine::Postgres) {
            let message = plain.refused(&sql);
            assert!(
                message.contains("stratalog:outside_transaction"),
                "{sql}: {message}"
            );
        }
        plain.refused("TRUNCATE datapoints");
        plain.refused("DELETE FROM datapoints_version");
        fixture.verify();
    }

    #[test]
    fn a_setting_does_not_open_an_old_transaction() {
        let database = Database::postgres();
        let fixture = WithRun::new(&database);
        let last = fixture.run.last_transaction().expect("last");
        let mut plain = database.plain();
        plain.run("BEGIN").expect("beginning");
        plain
            .run(&format!(
                "SELECT set_config('stratalog.transaction_id', '{last}', false)"
            ))
            .expect("a setting");
        let message = plain.refused("UPDATE datapoints SET value = 2");
        assert!(
            message.contains("stratalog:outside_transaction"),
            "{message}"
        );
        plain.roll_back();
        fixture.verify();
    }

    #[test]
    fn a_setting_does_not_outlive_its_transaction() {
        let database = Database::postgres();
        let fixture = WithRun::new(&database);
        let lock = fixture.run.lock("by hand").expect("the lock");
        let mut plain = database.plain();
        plain.begin(1, lock.token().0).expect("beginning");
        plain.run(&insert(2050, "5")).expect("insert");
        plain.commit().expect("committing");
        assert_eq!(
            plain.texts(
                "SELECT coalesce(current_setting('stratalog.transaction_id', true), '') AS text"
            ),
            [""]
        );
        drop(lock);
    }

    #[test]
    fn a_writer_that_proved_its_token_holds_the_lock_row() {
        // Nobody can take the lock over between a write's check of the token and its commit.
        let database = Database::postgres();
        let fixture = WithRun::new(&database);
        let lock = fixture.run.lock("by hand").expect("the lock");
        let mut plain = database.plain();
        plain.begin(1, lock.token().0).expect("beginning");
        let mut thief = database.plain();
        thief.run("SET lock_timeout = '200ms'").expect("a setting");
        let message = thief.refused("UPDATE run_locks SET token = token + 1 WHERE run_id = 1");
        assert!(message.contains("lock timeout"), "{message}");
        plain.roll_back();
        thief
            .run("UPDATE run_locks SET token = token + 1 WHERE run_id = 1")
            .expect("free now");
        // And the one who lost it can write nothing more.
        let lost = lock
            .iamc()
            .add(&points(&[(2050, 5.0)]))
            .expect_err("refused");
        assert!(lost.is_lock_lost(), "{lost}");
        assert!(lock.checkpoint("x").expect_err("refused").is_lock_lost());
        assert!(lock.commit().expect_err("refused").is_lock_lost());
        assert_eq!(fixture.now(), [(2020, 1.0)]);
        fixture.verify();
    }

    #[test]
    fn ids_are_drawn_after_the_lock_row_is_locked() {
        let database = Database::postgres();
        let fixture = WithRun::new(&database);
        let lock = fixture.run.lock("by hand").expect("the lock");
        let mut plain = database.plain();
        // An id given by hand is not taken.
        plain.run("BEGIN").expect("beginning");
        plain
            .run(&format!(
                "INSERT INTO transactions (id, run_id, lock_token, actor, operation, client_uuid)
             VALUES (-5, 1, {}, 'x', 'x', 'x')",
                lock.token()
            ))
            .expect("a transaction");
        assert_eq!(
            plain.number("SELECT count(*) FROM transactions WHERE id < 1"),
            0
        );
        plain.roll_back();
        drop(lock);
    }
}
