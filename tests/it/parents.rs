//! No row refers to a parent that is not there: whoever writes, by whatever SQL, and whoever comes at the same moment.
//!
//! On SQLite foreign keys do it. On PostgreSQL triggers do it for the rows of runs (`store/postgres/parents.rs`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use stratalog::arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use stratalog::{Engine, Platform, RunLock, versioned_table};

use crate::both_engines;
use crate::flows::nodes;
use crate::support::{Database, Plain, WithRun, points, uuid, verify};

versioned_table! {
    /// What is sent from node to node.
    run_scoped deliveries (run_id, name) rank 111 {
        run_id -> BigInt,
        name -> Text,
        from_id -> BigInt => nodes,
        to_id -> Nullable<BigInt> => nodes,
        value -> Double,
    }
}

fn open(database: &Database) -> Platform {
    database.open_with(
        Platform::options()
            .table::<nodes::table>()
            .table::<deliveries::table>(),
    )
}

fn delivery(from: i64, to: Option<i64>, value: f64) -> RecordBatch {
    let columns: [(&str, ArrayRef, bool); 4] = [
        ("name", Arc::new(StringArray::from(vec!["first"])), true),
        ("from_id", Arc::new(Int64Array::from(vec![from])), true),
        ("to_id", Arc::new(Int64Array::from(vec![to])), true),
        ("value", Arc::new(Float64Array::from(vec![value])), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).expect("a batch")
}

fn point(region: i64, variable: i64, unit: i64) -> String {
    format!(
        "INSERT INTO datapoints (run_id, region_id, variable_id, unit_id, point_type, step, category, value)
         VALUES (1, {region}, {variable}, {unit}, 0, 2050, '', 5.0)"
    )
}

fn is_about_a_foreign_key(message: &str) -> bool {
    message.to_lowercase().contains("foreign key")
}

impl Plain {
    /// Begins a stratalog transaction by hand that writes to platform tables only.
    fn begin_on_platform(&mut self) {
        if let Self::Sqlite(_) = self {
            self.run("PRAGMA foreign_keys = ON; PRAGMA recursive_triggers = ON; BEGIN IMMEDIATE")
        } else {
            self.run("BEGIN")
        }
        .and_then(|()| {
            self.run(&format!(
                "INSERT INTO transactions (actor, operation, client_uuid) VALUES ('shell', 'by hand', '{}')",
                uuid()
            ))
        })
        .expect("beginning");
    }
}

both_engines! {
    fn a_row_without_its_parent_is_refused(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("by hand").expect("the lock");
        let mut plain = database.plain();
        let before = database.row_counts();
        for sql in [
            point(99, 1, 1),
            point(1, 99, 1),
            point(1, 1, 99),
            // One of many, and one that an upsert brings.
            point(1, 1, 1) + ", (1, 99, 1, 1, 0, 2060, '', 5.0)",
            point(99, 1, 1) + " ON CONFLICT (run_id, region_id, variable_id, unit_id, point_type, step, category)
                DO UPDATE SET value = excluded.value",
            "INSERT INTO optimization_items (run_id, kind, name, number, value, unit_id) VALUES (1, 1, 'x', 1, 2.0, 99)".into(),
        ] {
            plain.begin(1, lock.token().0).expect("beginning");
            // SQLite's message does not name the table.
            let message = plain.refused(&sql);
            assert!(is_about_a_foreign_key(&message), "{sql}: {message}");
            plain.roll_back();
        }
        // The reference is no part of the key: an update may change it.
        plain.begin(1, lock.token().0).expect("beginning");
        plain
            .run("INSERT INTO optimization_items (run_id, kind, name, number, value, unit_id) VALUES (1, 1, 'x', 1, 2.0, NULL)")
            .expect("no unit");
        plain.run("UPDATE optimization_items SET unit_id = 1").expect("a unit that is there");
        let message = plain.refused("UPDATE optimization_items SET unit_id = 99");
        assert!(is_about_a_foreign_key(&message), "{message}");
        plain.roll_back();
        assert_eq!(database.row_counts(), before);
        drop(lock);
        fixture.verify();
    }

    fn a_parent_in_use_is_neither_deleted_nor_given_another_id(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("by hand").expect("the lock");
        let mut plain = database.plain();
        for parent in ["regions", "variables", "units", "runs"] {
            plain.begin(1, lock.token().0).expect("beginning");
            let message = plain.refused(&format!("DELETE FROM {parent}"));
            assert!(is_about_a_foreign_key(&message), "{parent}: {message}");
            plain.roll_back();
            plain.begin(1, lock.token().0).expect("beginning");
            let message = plain.refused(&format!("UPDATE {parent} SET id = 99"));
            assert!(message.contains("key"), "{parent}: {message}");
            plain.roll_back();
        }
        // Whoever deletes the rows first may delete what they referred to.
        plain.begin(1, lock.token().0).expect("beginning");
        plain.run("DELETE FROM datapoints; DELETE FROM regions; DELETE FROM units").expect("nothing refers to them");
        plain.commit().expect("committing");
        drop(lock);
        fixture.verify();
    }

    fn own_tables_are_checked_as_well(database: &Database) {
        let platform = open(database);
        let run = platform.runs().create("model", "scenario").expect("a run");
        let mut plain = database.plain();
        plain.begin_on_platform();
        plain.run("INSERT INTO nodes (name, active) VALUES ('a', true), ('b', true)").expect("nodes");
        plain.commit().expect("committing");
        let lock = run.lock("own tables").expect("the lock");
        let add = |lock: &RunLock, row: RecordBatch| lock.table("deliveries").expect("the table").add(&row);
        let refused = |row: RecordBatch| {
            let before = database.row_counts();
            let error = add(&lock, row).expect_err("no such parent");
            assert!(is_about_a_foreign_key(&error.to_string()), "{error}");
            assert_eq!(database.row_counts(), before);
        };
        refused(delivery(9, None, 1.0));
        refused(delivery(1, Some(9), 1.0));
        add(&lock, delivery(1, None, 1.0)).expect("a delivery");
        add(&lock, delivery(1, Some(2), 2.0)).expect("the same, to another");
        refused(delivery(9, Some(2), 2.0));
        for node in [1, 2] {
            plain.begin_on_platform();
            let message = plain.refused(&format!("DELETE FROM nodes WHERE id = {node}"));
            assert!(is_about_a_foreign_key(&message), "{node}: {message}");
            plain.roll_back();
        }
        add(&lock, delivery(1, None, 2.0)).expect("the same, to nobody");
        plain.begin_on_platform();
        plain.run("DELETE FROM nodes WHERE id = 2").expect("nothing refers to it any more");
        plain.commit().expect("committing");
        lock.commit().expect("a checkpoint");
        verify(&platform);
        if database.engine == Engine::Postgres {
            let report = platform.doctor().expect("looking");
            assert!(report.problems().all(|found| found.check == "role"), "{report:?}");
        }
    }

    fn parents_that_come_and_go_while_others_write_leave_no_orphan(database: &Database) {
        // Four writers of four runs use a region that two others delete and make again.
        let platform = database.open();
        platform.units().create("EJ/yr").expect("a unit");
        let until = Instant::now() + Duration::from_secs(2);
        std::thread::scope(|scope| {
            for number in 0..4 {
                scope.spawn(move || {
                    let platform = database.open();
                    let run = platform.runs().create("model", &format!("scenario {number}")).expect("a run");
                    while Instant::now() < until {
                        let lock = run.lock("in use").expect("the lock");
                        // Refused while the region is not there.
                        let added = lock.iamc().add(&points(&[(2020, 1.0)]));
                        lock.commit().expect("a checkpoint");
                        if added.is_ok() {
                            let lock = run.lock("not in use").expect("the lock");
                            lock.iamc().remove(&points(&[(2020, 1.0)])).expect("removing");
                            lock.commit().expect("a checkpoint");
                        }
                    }
                });
            }
            for _ in 0..2 {
                scope.spawn(move || {
                    let platform = database.open();
                    while Instant::now() < until {
                        let _ = platform.regions().create("World");
                        let _ = platform.regions().delete("World");
                    }
                });
            }
        });
        let orphans = "SELECT count(*) FROM datapoints d WHERE NOT EXISTS (SELECT 1 FROM regions r WHERE r.id = d.region_id)";
        assert_eq!(database.plain().number(orphans), 0);
        let tried = "SELECT count(*) FROM regions_version";
        assert!(database.plain().number(tried) > 10);
        verify(&platform);
    }
}

mod only_on_postgres {
    //! What SQLite does not have: roles, isolation levels, and writers at the same moment.

    use super::*;

    /// An empty database with a region that nothing refers to, and the lock of a run.
    fn unused_region(database: &Database) -> (Platform, RunLock) {
        let fixture = WithRun::new(database);
        fixture
            .platform
            .regions()
            .create("Unused")
            .expect("a region");
        let lock = fixture.run.lock("by hand").expect("the lock");
        (fixture.platform, lock)
    }

    const USE: &str = "INSERT INTO datapoints (run_id, region_id, variable_id, unit_id, point_type, step, category, value)
        VALUES (1, 2, 1, 1, 0, 2050, '', 5.0)";
    const DELETE: &str = "DELETE FROM regions WHERE id = 2";

    /// Waits until so many connections of this database wait for a lock.
    fn wait_for_waiting(plain: &mut Plain, count: i64) {
        let waiting = "SELECT count(*) FROM pg_stat_activity
            WHERE application_name = current_schema() AND wait_event_type = 'Lock'";
        let begun = Instant::now();
        while plain.number(waiting) != count {
            assert!(begun.elapsed() < Duration::from_secs(20), "nobody waits");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// `first` and `second` in transactions of two connections: the second waits for the first, which then ends so.
    /// Returns what became of the second.
    fn race(
        database: &Database,
        lock: &RunLock,
        (first, second): (&str, &str),
        end_of_first: &str,
    ) -> Result<(), String> {
        let begin = |sql: &str, plain: &mut Plain| {
            if sql == USE {
                plain.begin(1, lock.token().0).expect("beginning");
            } else {
                plain.begin_on_platform();
            }
        };
        let mut one = database.plain();
        begin(first, &mut one);
        one.run(first).expect("the first is free to do it");
        std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                let mut two = database.plain();
                begin(second, &mut two);
                two.run(second)
                    .and_then(|()| two.commit())
                    .map_err(|error| error.to_string())
            });
            wait_for_waiting(&mut database.plain(), 1);
            one.run(end_of_first).expect("the end of the first");
            other.join().expect("the second")
        })
    }

    #[test]
    fn of_a_row_and_the_deletion_of_its_parent_the_first_wins() {
        for (order, end, second_wins) in [
            ((USE, DELETE), "COMMIT", false),
            ((USE, DELETE), "ROLLBACK", true),
            ((DELETE, USE), "COMMIT", false),
            ((DELETE, USE), "ROLLBACK", true),
        ] {
            let database = Database::postgres();
            let (platform, lock) = unused_region(&database);
            let second = race(&database, &lock, order, end);
            match (&second, second_wins) {
                (Ok(()), true) => {}
                (Err(message), false) => {
                    assert!(is_about_a_foreign_key(message), "{order:?}: {message}")
                }
                _ => panic!("{order:?}, {end}: {second:?}"),
            }
            drop(lock);
            verify(&platform);
        }
    }

    #[test]
    fn a_row_is_not_written_from_a_snapshot_in_which_its_parent_still_was() {
        for level in ["REPEATABLE READ", "SERIALIZABLE"] {
            let database = Database::postgres();
            let (platform, lock) = unused_region(&database);
            let mut writer = database.plain();
            writer
                .run(&format!("BEGIN ISOLATION LEVEL {level}"))
                .expect("beginning");
            assert_eq!(writer.number("SELECT count(*) FROM regions"), 2);
            platform.regions().delete("Unused").expect("nobody uses it");
            writer
                .run(&format!(
                    "INSERT INTO transactions (run_id, lock_token, actor, operation, client_uuid)
                     VALUES (1, {}, 'shell', 'by hand', '{}')",
                    lock.token(),
                    uuid()
                ))
                .expect("a transaction");
            let message = writer.refused(USE);
            assert!(
                message.contains("could not serialize"),
                "{level}: {message}"
            );
            drop(lock);
        }
    }

    #[test]
    fn a_parent_is_deleted_under_read_committed_only() {
        // From a snapshot that is older than the row, nobody would see that the region is in use.
        for level in ["REPEATABLE READ", "SERIALIZABLE"] {
            let database = Database::postgres();
            let (platform, lock) = unused_region(&database);
            let mut deleter = database.plain();
            deleter
                .run(&format!("BEGIN ISOLATION LEVEL {level}"))
                .expect("beginning");
            assert_eq!(deleter.number("SELECT count(*) FROM datapoints"), 1);
            let mut writer = database.plain();
            writer.begin(1, lock.token().0).expect("beginning");
            writer.run(USE).expect("a row");
            writer.commit().expect("committing");
            deleter
                .run(&format!(
                    "INSERT INTO transactions (actor, operation, client_uuid) VALUES ('shell', 'by hand', '{}')",
                    uuid()
                ))
                .expect("a transaction");
            let message = deleter.refused(DELETE);
            assert!(
                message.contains("stratalog:isolation"),
                "{level}: {message}"
            );
            deleter.roll_back();
            drop(lock);
            verify(&platform);
        }
    }

    #[test]
    fn the_replica_role_and_truncate_get_nobody_round_it() {
        let database = Database::postgres();
        let (platform, lock) = unused_region(&database);
        let mut plain = database.plain();
        plain
            .run("SET session_replication_role = replica")
            .expect("a superuser");
        for sql in [
            point(99, 1, 1).as_str(),
            "DELETE FROM regions",
            "DELETE FROM runs",
        ] {
            plain.begin(1, lock.token().0).expect("beginning");
            let message = plain.refused(sql);
            assert!(is_about_a_foreign_key(&message), "{sql}: {message}");
            plain.roll_back();
        }
        for sql in [
            "TRUNCATE regions",
            "TRUNCATE regions CASCADE",
            "TRUNCATE runs CASCADE",
        ] {
            let message = plain.refused(sql);
            assert!(message.contains("TRUNCATE"), "{sql}: {message}");
        }
        drop(lock);
        verify(&platform);
    }

    /// Both ends of a statement that does several things at once, and cascades of the database's own.
    #[test]
    fn one_statement_may_write_a_row_with_its_parent_and_delete_both() {
        let database = Database::postgres();
        let (platform, lock) = unused_region(&database);
        let mut plain = database.plain();
        plain.begin(1, lock.token().0).expect("beginning");
        plain
            .run(
                "WITH made AS (INSERT INTO regions (name, hierarchy) VALUES ('New', 'common') RETURNING id)
                 INSERT INTO datapoints (run_id, region_id, variable_id, unit_id, point_type, step, category, value)
                 SELECT 1, id, 1, 1, 0, 2050, '', 5.0 FROM made",
            )
            .expect("both at once");
        plain
            .run(
                "WITH gone AS (DELETE FROM datapoints WHERE region_id = 3 RETURNING region_id)
                 DELETE FROM regions WHERE id IN (SELECT region_id FROM gone)",
            )
            .expect("both at once");
        let message = plain.refused(
            "WITH gone AS (DELETE FROM regions WHERE id = 2 RETURNING id)
             INSERT INTO datapoints (run_id, region_id, variable_id, unit_id, point_type, step, category, value)
             SELECT 1, id, 1, 1, 0, 2050, '', 5.0 FROM gone",
        );
        assert!(is_about_a_foreign_key(&message), "{message}");
        plain.roll_back();
        drop(lock);
        verify(&platform);
    }

    #[test]
    fn a_database_that_lacks_such_a_trigger_is_found_by_the_doctor() {
        let database = Database::postgres();
        let platform = open(&database);
        database
            .plain()
            .run("DROP TRIGGER deliveries_refers ON nodes; DROP TRIGGER datapoints_refers ON regions")
            .expect("the owner may");
        let report = platform.doctor().expect("looking");
        let found = report
            .problems()
            .find(|found| found.check == "triggers")
            .expect("found");
        for name in ["deliveries_refers of nodes", "datapoints_refers of regions"] {
            assert!(found.what.contains(name), "{found:?}");
        }
    }
}

/// Every reference of the descriptions is a foreign key of the database, or has its triggers at both ends.
#[test]
fn every_reference_is_enforced() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let database = Database::new(engine);
        let platform = open(&database);
        let mut plain = database.plain();
        let mut looked_at = 0;
        for table in &platform.descriptions() {
            for column in &table.columns {
                let of_run = table.is_run_scoped() && column.name == "run_id";
                let Some(parent) = column.references.as_deref().or(of_run.then_some("runs")) else {
                    continue;
                };
                let (table, column) = (&table.name, &column.name);
                let declared = match engine {
                    Engine::Sqlite => format!(
                        "SELECT count(*) FROM pragma_foreign_key_list('{table}') WHERE \"table\" = '{parent}' AND \"from\" = '{column}'"
                    ),
                    Engine::Postgres => format!(
                        "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conrelid = '{table}'::regclass
                           AND confrelid = '{parent}'::regclass AND conkey = ARRAY(SELECT attnum FROM pg_attribute
                             WHERE attrelid = '{table}'::regclass AND attname = '{column}')"
                    ),
                };
                let by_triggers = format!(
                    "SELECT count(*) FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
                      WHERE t.tgenabled = 'A' AND strpos(p.prosrc, 'foreign key \"{column}\"') > 0
                        AND (t.tgrelid, t.tgname) IN (('{table}'::regclass, '{table}_record_insert'),
                                                      ('{parent}'::regclass, '{table}_refers'))"
                );
                let enforced = plain.number(&declared) == 1
                    || (engine == Engine::Postgres && plain.number(&by_triggers) == 2);
                assert!(enforced, "{engine:?}: {column} of {table}");
                looked_at += 1;
            }
        }
        assert!(looked_at > 14, "{looked_at}");
    }
}
