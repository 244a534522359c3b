//! Checkpoints and revert (docs/design.md, "Checkpoints and revert").

use std::sync::Mutex;

use diesel::connection::{InstrumentationEvent, set_default_instrumentation};
use diesel::prelude::*;
use stratalog::{ChangeCounts, Engine, Error, Filter, LogFilter, Platform, Target, TransactionId};

use crate::both_engines;
use crate::support::{Database, Plain, WithRun, points, years_and_values};

both_engines! {
    fn a_name_means_its_latest_checkpoint(database: &Database) {
        let fixture = WithRun::new(database);
        for value in [2.0, 3.0] {
            let lock = fixture.run.lock("same name").expect("the lock");
            lock.iamc().add(&points(&[(2020, value)])).expect("add");
            lock.commit().expect("commit");
        }
        fixture.run.revert_to("first point").expect("revert");
        assert_eq!(fixture.now(), [(2020, 1.0)]);
        fixture.run.revert_to("same name").expect("revert");
        assert_eq!(fixture.now(), [(2020, 3.0)]);
        let first = &fixture.run.checkpoints().expect("checkpoints")[1];
        fixture.run.revert_to(first).expect("revert");
        assert_eq!(fixture.now(), [(2020, 2.0)]);
        fixture.verify();
    }

    fn reverting_a_revert_brings_the_later_state_back(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("later").expect("the lock");
        lock.iamc().add(&points(&[(2020, 2.0), (2030, 3.0)])).expect("add");
        let later = lock.commit().expect("commit");
        fixture.run.revert_to("first point").expect("revert");
        let reverted = fixture.run.last_transaction().expect("last");
        assert!(reverted > later.transaction_id, "a revert is a new transaction");
        fixture.run.revert_to(&later).expect("revert");
        assert_eq!(fixture.now(), [(2020, 2.0), (2030, 3.0)]);
        fixture.run.revert_to(reverted).expect("revert");
        assert_eq!(fixture.now(), [(2020, 1.0)]);
        fixture.verify();
    }

    fn a_revert_outside_a_block_leaves_a_checkpoint_that_says_so(database: &Database) {
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("later").expect("the lock");
        lock.iamc().add(&points(&[(2020, 2.0)])).expect("add");
        lock.commit().expect("commit");
        fixture.run.revert_to("first point").expect("revert");
        let last = fixture.run.checkpoints().expect("checkpoints").pop().expect("one");
        assert_eq!(last.message, "revert to \"first point\"");
        assert!(fixture.platform.locks().list().expect("locks").is_empty());
        // And needs the lock: not while somebody else has it.
        let lock = fixture.run.lock("mine").expect("the lock");
        assert!(fixture.run.revert_to("later").expect_err("refused").is_locked());
        lock.revert_to("later").expect("under the lock");
        lock.commit().expect("commit");
        assert_eq!(fixture.now(), [(2020, 2.0)]);
    }

    fn to_the_empty_run(database: &Database) {
        let fixture = WithRun::new(database);
        assert_eq!(fixture.run.revert_to(TransactionId::BEFORE_FIRST).expect("revert").deleted, 1);
        assert_eq!(fixture.now(), []);
        fixture.verify();
    }

    fn a_checkpoint_that_is_not_there_is_an_error_that_lists_the_ones_there_are(database: &Database) {
        let fixture = WithRun::new(database);
        let error = fixture.run.revert_to("frist point").expect_err("not there");
        assert!(error.is_checkpoint_not_found() && error.is_not_found());
        let text = error.to_string();
        for part in ["frist point", "\"first point\" (id 1)", "model / scenario, version 1"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        // Another run's checkpoint is not this run's.
        let other = fixture.platform.runs().create("model", "scenario").expect("a run");
        let id = fixture.run.checkpoints().expect("checkpoints")[0].id;
        assert!(other.revert_to(id).expect_err("not there").to_string().contains("it has none yet"));
        assert!(fixture.platform.locks().list().expect("locks").is_empty());
    }

    fn a_transaction_of_another_run_is_no_target(database: &Database) {
        let fixture = WithRun::new(database);
        let last = fixture.run.last_transaction().expect("last");
        // The first made a region.
        for wrong in [TransactionId(1), TransactionId(last.0 + 1)] {
            let error = fixture.run.revert_to(wrong).expect_err("refused");
            assert!(matches!(error, Error::TransactionNotFound { .. }), "{error}");
        }
    }

    fn a_revert_that_needs_a_deleted_region_fails_naming_it_and_changes_nothing(database: &Database) {
        let fixture = WithRun::new(database);
        let id = fixture.platform.regions().get("World").expect("the region").id;
        let lock = fixture.run.lock("without").expect("the lock");
        lock.iamc().remove(&points(&[(2020, 0.0)])).expect("remove");
        lock.commit().expect("commit");
        fixture.platform.regions().delete("World").expect("delete");
        let before = fixture.run.log().expect("log").len();
        let error = fixture.run.revert_to("first point").expect_err("refused");
        let text = error.to_string();
        assert!(text.contains("regions \"World\"") && text.contains("nothing changed"), "{text}");
        assert_eq!(fixture.run.log().expect("log").len(), before);
        assert!(fixture.platform.locks().list().expect("locks").is_empty());
        // Names of what is gone are still shown in the past.
        let then = fixture.run.as_of("first point").and_then(|view| view.iamc().tabulate(&Filter::all())).expect("as of");
        assert_eq!(years_and_values(&then), [(2020, 1.0)]);
        fixture.platform.regions().create("World").expect("create");
        assert_eq!(fixture.platform.regions().get("World").expect("the region").id, id);
        fixture.run.revert_to("first point").expect("now it can");
        assert_eq!(fixture.now(), [(2020, 1.0)]);
        fixture.verify();
    }

    fn a_revert_never_touches_platform_tables(database: &Database) {
        let fixture = WithRun::new(database);
        fixture.platform.regions().create("Later").expect("create");
        fixture.platform.runs().set_as_default(fixture.run.id()).expect("default");
        fixture.run.revert_to(TransactionId::BEFORE_FIRST).expect("revert");
        assert!(fixture.platform.regions().get("Later").is_ok());
        assert!(fixture.platform.runs().get("model", "scenario", None).is_ok());
        assert_eq!(fixture.platform.variables().list().expect("variables").len(), 1);
    }

    fn a_difference_says_what_changed(database: &Database) {
        use stratalog::arrow::array::AsArray;
        let fixture = WithRun::new(database);
        let lock = fixture.run.lock("second").expect("the lock");
        lock.iamc().add(&points(&[(2020, 2.0), (2030, 3.0)])).expect("add");
        lock.commit().expect("commit");
        let operations = |from: Target, to: Option<Target>| -> Vec<String> {
            let difference = fixture.run.diff(from, to).and_then(|diff| diff.points()).expect("difference");
            let operations = difference.column_by_name("operation").expect("operations");
            operations.as_string::<i32>().iter().flatten().map(str::to_owned).collect()
        };
        assert_eq!(operations("first point".into(), None), ["update", "insert"]);
        assert_eq!(operations("second".into(), Some("first point".into())), ["update", "delete"]);
        assert!(operations("second".into(), None).is_empty());
        fixture.run.revert_to("first point").expect("revert");
        assert!(operations("first point".into(), None).is_empty(), "there and back is no difference");
        let summary = fixture.run.diff("second", None).and_then(|diff| diff.counts()).expect("summary");
        assert_eq!((summary[0].table.as_str(), summary[0].changes.updated, summary[0].changes.deleted), ("datapoints", 1, 1));
    }
}

const POINTS: i64 = 100_000;

fn undone() -> ChangeCounts {
    ChangeCounts {
        inserted: 25,
        updated: 50,
        deleted: 25,
    }
}

/// A run of 100,000 points of which 100 were changed after the checkpoint "all".
fn large_run(database: &Database) -> WithRun {
    let fixture = WithRun::new(database);
    let all: Vec<_> = (0..POINTS).map(|year| (year, 1.0)).collect();
    let lock = fixture.run.lock("all").expect("the lock");
    lock.iamc().add(&points(&all)).expect("add");
    lock.commit().expect("commit");
    let lock = fixture.run.lock("some").expect("the lock");
    let every_997th =
        |first: i64, last: i64| (first..last).map(|n| (n * 997, 2.0)).collect::<Vec<_>>();
    // 997 * 101 is beyond the last point that is there.
    lock.iamc()
        .add(&points(&every_997th(0, 50)))
        .expect("update");
    lock.iamc()
        .add(&points(&every_997th(101, 126)))
        .expect("insert");
    lock.iamc()
        .remove(&points(&every_997th(50, 75)))
        .expect("remove");
    lock.commit().expect("commit");
    fixture
}

/// Every way to look at what changed.
fn look_at(platform: &Platform, run: &stratalog::Run) {
    let changes = run.diff("all", None).expect("a diff");
    assert_eq!(changes.points().expect("points").num_rows(), 100);
    assert_eq!(changes.counts().expect("counts")[0].changes, undone());
    assert_eq!(changes.summary().expect("summary")[0].changes, undone());
    let dry = run.diff_of_revert("all").expect("a dry run");
    assert_eq!(dry.points().expect("points").num_rows(), 100);
    let last = run.last_transaction().expect("the last");
    let dry = run.diff_of_undo(last).expect("a dry run");
    assert_eq!(dry.points().expect("points").num_rows(), 25);
    let newest = LogFilter {
        run: Some(run.id()),
        limit: 1,
        ..LogFilter::default()
    };
    let removal = &platform.log(&newest).expect("the log")[0];
    assert_eq!(removal.changes[0].1.deleted, 25);
}

diesel::define_sql_function! {
    fn stratalog_float_bits(value: diesel::sql_types::Double) -> diesel::sql_types::BigInt;
}

/// The SQL of this process' connections, in order.
static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// SQLite only: PostgreSQL counts the rows that it reads itself, below.
#[test]
fn looking_at_and_undoing_100_of_100_000_rows_searches_and_never_scans_on_sqlite() {
    let database = Database::sqlite();
    drop(large_run(&database));
    set_default_instrumentation(|| {
        Some(Box::new(|event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::StartQuery { query, .. } = event {
                let text = query.to_string();
                let text = text
                    .split(" -- binds")
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                SEEN.lock().expect("not poisoned").push(text);
            }
        }))
    })
    .expect("setting the instrumentation");
    let platform = Platform::open(&database.url).expect("opening");
    let run = platform
        .runs()
        .get("model", "scenario", Some(1))
        .expect("the run");
    SEEN.lock().expect("not poisoned").clear();
    // A whole state is read as it lies there, past and present.
    let then = run.as_of("all").expect("a view");
    drop(then.iamc().tabulate(&Filter::all()).expect("points"));
    let reads = std::mem::take(&mut *SEEN.lock().expect("not poisoned"));
    let Plain::Sqlite(mut plain) = database.plain() else {
        unreachable!()
    };
    let read = reads
        .iter()
        .find(|text| text.contains("datapoints_version"));
    let steps = plan(&mut plain, read.expect("a read"));
    assert_eq!(steps, ["SEARCH v USING PRIMARY KEY (run_id=?)"]);
    SEEN.lock().expect("not poisoned").clear();
    look_at(&platform, &run);
    assert_eq!(run.revert_to("all").expect("revert"), undone());
    let statements = SEEN.lock().expect("not poisoned").clone();
    let Plain::Sqlite(mut plain) = database.plain() else {
        unreachable!()
    };
    stratalog_float_bits_utils::register_impl(&mut plain, |value: f64| value.to_bits() as i64)
        .expect("a function");
    let mut looked_at = 0;
    for statement in &statements {
        use diesel::connection::SimpleConnection;
        if statement.contains("CREATE TABLE IF NOT EXISTS temp.") {
            plain.batch_execute(statement).expect("a staging table");
        }
        if !statement.contains("datapoints") || statement.contains("CREATE TABLE") {
            continue;
        }
        looked_at += 1;
        for step in plan(&mut plain, statement) {
            let scans_the_run = step.starts_with("SCAN")
                && !step.contains("datapoints_changes")
                && !step.contains("SCAN c")
                && !step.contains("SCAN k")
                && !step.contains("SCAN d")
                && step != "SCAN r"
                && step != "SCAN m"
                && step != "SCAN n"
                && !step.contains("json_each VIRTUAL TABLE")
                && !step.contains("CONSTANT ROW")
                && !step.contains("SCAN described_tables");
            // A search by the run alone would read all of it.
            let whole_run = step.contains("(run_id=?)");
            assert!(!scans_the_run && !whole_run, "{statement}\n{step}");
        }
    }
    assert!(looked_at >= 8, "{statements:#?}");
}

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = diesel::sql_types::Text)]
    detail: String,
}

fn plan(connection: &mut SqliteConnection, statement: &str) -> Vec<String> {
    let steps: Vec<Step> = diesel::sql_query(format!("EXPLAIN QUERY PLAN {statement}"))
        .load(connection)
        .unwrap_or_else(|error| panic!("{statement}: {error}"));
    steps.into_iter().map(|step| step.detail).collect()
}

/// PostgreSQL only: SQLite has no such counters, its plans are looked at above.
#[test]
fn looking_at_and_undoing_100_of_100_000_rows_reads_few_rows_on_postgres() {
    let database = Database::postgres();
    let fixture = large_run(&database);
    let id = fixture.run.id();
    drop(fixture);
    let mut plain = database.plain();
    let read =
        "SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0) FROM pg_stat_all_tables
                WHERE schemaname = current_schema() AND relname LIKE 'datapoints%'";
    let written = "SELECT coalesce(sum(n_tup_upd), 0) FROM pg_stat_all_tables
                   WHERE schemaname = current_schema() AND relname = 'datapoints'";
    // A connection reports what it did when it closes.
    let alone = |plain: &mut Plain| {
        let others = "SELECT count(*) FROM pg_stat_activity
                      WHERE application_name = current_schema() AND pid <> pg_backend_pid()";
        while plain.number(others) > 0 {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    };
    let statistics = database
        .plain()
        .run("ANALYZE datapoints; ANALYZE datapoints_version");
    statistics.expect("statistics");
    alone(&mut plain);
    assert_eq!(plain.number(written), 50);
    let before = plain.number(read);
    let platform = database.open();
    let run = platform.runs().get_by_id(id).expect("the run");
    look_at(&platform, &run);
    assert_eq!(run.revert_to("all").expect("revert"), undone());
    drop((run, platform));
    alone(&mut plain);
    assert_eq!(plain.number(written), 100);
    let rows = plain.number(read) - before;
    assert!(rows > 100, "{rows}: the counters do not count");
    assert!(
        rows < 10_000,
        "{rows} rows were read to look at and undo 100 of {POINTS}"
    );
    assert_eq!(database.engine, Engine::Postgres);
}
