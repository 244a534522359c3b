//! Writes that are large enough to take another way than small ones: rows straight into the live table of an empty run,
//! rows compared with many live ones at once, and on SQLite triggers that are put aside meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use stratalog::arrow::array::{AsArray, Float64Array, Int32Array, RecordBatch, StringArray};
use stratalog::arrow::datatypes::{Float64Type, Int64Type};
use stratalog::{
    AddOptions, ChangeCounts, Filter, Frame, LockOptions, Platform, Run, RunId, RunLock,
};

use crate::both_engines;
use crate::flows;
use crate::processes::{self, Process};
use crate::support::{Database, Plain, WithRun, verify};

const CHILD: &str = "large::a_process_that_is_killed";

/// More than any threshold.
const MANY: usize = 12_000;

/// By variable (of two) and step.
type Points = BTreeMap<(usize, i64), f64>;

const VARIABLES: [&str; 2] = ["Coal", "Wind"];

fn frame(points: &Points) -> Frame {
    Frame::yearly(
        points.iter().map(|((variable, step), value)| {
            ("World", VARIABLES[*variable], "EJ/yr", *step, *value)
        }),
    )
}

fn all(count: usize, factor: f64) -> Points {
    (0..count)
        .map(|n| ((n % 2, n as i64 / 2), (n as f64 + 0.5) * factor))
        .collect()
}

/// Each point by the bits of its value: 0.0 and -0.0 differ.
fn bits(points: &Points) -> BTreeMap<(usize, i64), u64> {
    points
        .iter()
        .map(|(key, value)| (*key, value.to_bits()))
        .collect()
}

fn held(run: &Run) -> Points {
    let batch = run.iamc().tabulate(&Filter::all()).expect("points");
    let variables = batch.column_by_name("variable").expect("variables");
    let variables =
        stratalog::arrow::compute::cast(variables, &stratalog::arrow::datatypes::DataType::Utf8)
            .expect("text");
    let variables = variables.as_string::<i32>();
    let years = batch.column_by_name("year").expect("years");
    let years = years.as_primitive::<Int64Type>();
    let values = batch.column_by_name("value").expect("values");
    let values = values.as_primitive::<Float64Type>();
    (0..batch.num_rows())
        .map(|row| {
            let variable = VARIABLES
                .iter()
                .position(|name| *name == variables.value(row));
            let key = (variable.expect("a variable"), years.value(row));
            (key, values.value(row))
        })
        .collect()
}

/// The points that `before` lacks or has with another value, as a write of `added` reports them.
fn expected(before: &Points, added: &Points) -> ChangeCounts {
    let mut counts = ChangeCounts::default();
    for (key, value) in added {
        match before.get(key) {
            None => counts.inserted += 1,
            Some(there) if there.to_bits() != value.to_bits() => counts.updated += 1,
            Some(_) => {}
        }
    }
    counts
}

fn counts(inserted: usize, updated: usize, deleted: usize) -> ChangeCounts {
    ChangeCounts {
        inserted: inserted as u64,
        updated: updated as u64,
        deleted: deleted as u64,
    }
}

/// The frame in batches of which each is in order, but not they among each other.
fn backwards(lock: &RunLock, frame: &Frame, size: usize) -> stratalog::Result<ChangeCounts> {
    let rows = frame.batch().num_rows();
    let batches = (0..rows.div_ceil(size)).rev().map(|nth| {
        let begin = nth * size;
        Ok(frame.batch().slice(begin, size.min(rows - begin)))
    });
    lock.iamc().add_batches(batches, AddOptions::default())
}

/// All triggers, as they were made.
fn triggers(database: &Database) -> Vec<String> {
    database.plain().texts(
        "SELECT name || ' ' || sql AS text FROM sqlite_schema WHERE type = 'trigger' ORDER BY name",
    )
}

both_engines! {
    fn rows_of_a_large_write_are_compared_exactly(database: &Database) {
        let fixture = WithRun::new(database);
        let run = fixture.platform.runs().create("model", "large").expect("a run");
        let lock = run.lock("large").expect("the lock");
        let add = |points: &Points| lock.iamc().add(&frame(points)).expect("adding");
        let mut points = all(MANY, 1.0);
        points.insert((0, 7), 0.0);
        assert_eq!(add(&points), counts(MANY, 0, 0));
        assert_eq!(add(&points), counts(0, 0, 0));
        // 0.0 and -0.0 differ, some are new between those that stay, some are not named.
        let mut second = points.clone();
        second.insert((0, 7), -0.0);
        second.insert((1, 100), 3.25);
        second.remove(&(1, 200));
        second.insert((0, -5), 1.0);
        second.insert((1, 1_000_000), 1.0);
        assert_eq!(add(&second), counts(2, 2, 0));
        points.extend(second);
        assert_eq!(bits(&held(&run)), bits(&points));
        fixture.verify();
        // A few, far apart; then those that are gone already among those that are there.
        let far: Points = points.iter().step_by(9).map(|(key, value)| (*key, value + 1.0)).collect();
        assert_eq!(add(&far), counts(0, far.len(), 0));
        points.extend(far.clone());
        let remove = |points: &Points| lock.iamc().remove(&frame(points)).expect("removing");
        assert_eq!(remove(&far), counts(0, 0, far.len()));
        let rest = points.len() - far.len();
        assert_eq!(remove(&points), counts(0, 0, rest));
        assert_eq!(held(&run), Points::new());
        fixture.verify();
        // Over the records of deletions.
        assert_eq!(add(&points), counts(points.len(), 0, 0));
        lock.commit().expect("commit");
        assert_eq!(bits(&held(&run)), bits(&points));
        fixture.verify();
    }

    fn batches_may_come_in_any_order_into_an_empty_run(database: &Database) {
        let fixture = WithRun::new(database);
        let points = all(MANY, 1.0);
        for size in [MANY / 5, 700] {
            let run = fixture.platform.runs().create("model", "backwards").expect("a run");
            let lock = run.lock("backwards").expect("the lock");
            let written = backwards(&lock, &frame(&points), size).expect("adding");
            assert_eq!(written, counts(MANY, 0, 0));
            lock.commit().expect("commit");
            assert_eq!(bits(&held(&run)), bits(&points));
            fixture.verify();
        }
        // A key that is in two of them, of which the first had gone into the live table.
        let run = fixture.platform.runs().create("model", "twice").expect("a run");
        let lock = run.lock("twice").expect("the lock");
        let all = frame(&points);
        let part = |begin, rows| Ok(all.batch().slice(begin, rows));
        let error = database.refused(|| {
            let batches = [part(0, MANY / 2), part(MANY / 2, 100), part(500, 1)];
            lock.iamc().add_batches(batches, AddOptions::default())
        });
        let text = error.to_string();
        assert!(text.contains("the same row more than once, in different batches"), "{text}");
        assert!(text.contains("Coal") && text.contains("500") && text.contains("2 times"), "{text}");
        lock.rollback().expect("rollback");
        fixture.verify();
    }

    fn rows_of_own_tables_come_in_any_order_and_are_compared_exactly(database: &Database) {
        let platform = flows::open(database);
        let run = platform.runs().create("model", "scenario").expect("a run");
        let lock = run.lock("flows").expect("the lock");
        // Backwards, with text and a column that may be empty.
        let batch = |note: &dyn Fn(usize) -> Option<&'static str>| {
            let rows: Vec<usize> = (0..MANY).rev().collect();
            RecordBatch::try_from_iter_with_nullable([
                ("node", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| format!("n{:05}", row / 4)))) as _, true),
                ("year", Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| (row % 4) as i32))) as _, true),
                ("value", Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| *row as f64))) as _, true),
                ("note", Arc::new(StringArray::from_iter(rows.iter().map(|row| note(*row)))) as _, true),
            ]).expect("a batch")
        };
        let table = lock.table("flows").expect("the table");
        let odd = |row: usize| (row % 2 == 1).then_some("odd");
        assert_eq!(table.add(&batch(&odd)).expect("adding"), counts(MANY, 0, 0));
        assert_eq!(table.add(&batch(&odd)).expect("adding"), counts(0, 0, 0));
        // From nothing to a text, from a text to nothing, from a text to an empty one.
        let other = |row: usize| match row {
            4 => Some("even"),
            5 => None,
            7 => Some(""),
            row => odd(row),
        };
        assert_eq!(table.add(&batch(&other)).expect("adding"), counts(0, 3, 0));
        lock.commit().expect("commit");
        let found = flows::rows(&run.table("flows").expect("the table").tabulate().expect("rows"));
        let notes: Vec<_> = found[3..8].iter().map(|row| row.3.as_deref()).collect();
        assert_eq!(notes, [Some("odd"), Some("even"), None, None, Some("")]);
        assert_eq!(found.len(), MANY);
        verify(&platform);
    }
}

/// A step of a random history: which of the points of a range, in thousands, with what value.
#[derive(Clone, Debug)]
enum Step {
    Add(Vec<(u16, i8)>, bool),
    Remove(Vec<u16>),
    Back,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Long runs of neighbours, or few far apart, with few different values, so that many stay as they are.
    let range = (
        0..6_000_u16,
        1..3_000_u16,
        prop_oneof![Just(1_usize), Just(2), Just(50)],
    );
    let range = range.prop_map(|(begin, count, step)| -> Vec<u16> {
        (begin..begin + count).step_by(step).collect()
    });
    let add = (range.clone(), 0..3_i8, 1..40_u16, any::<bool>()).prop_map(
        |(range, value, other, backwards)| {
            let values = range
                .into_iter()
                .map(|key| (key, value + i8::from(key % other == 0)));
            Step::Add(values.collect(), backwards)
        },
    );
    let step = prop_oneof![
        5 => add,
        2 => range.prop_map(Step::Remove),
        1 => Just(Step::Back),
    ];
    prop::collection::vec(step, 1..8)
}

fn follow(database: &Database, steps: &[Step]) {
    let fixture = WithRun::new(database);
    // The names are there.
    let lock = fixture.run.lock("names").expect("the lock");
    lock.iamc().add(&frame(&all(2, 1.0))).expect("adding");
    lock.commit().expect("commit");
    let run = fixture
        .platform
        .runs()
        .create("model", "random")
        .expect("a run");
    let lock = run.lock("random").expect("the lock");
    let mut points = Points::new();
    let mut states = vec![points.clone()];
    lock.checkpoint("0").expect("a checkpoint");
    let key = |key: &u16| (usize::from(key % 2), i64::from(key / 2));
    for step in steps {
        match step {
            Step::Add(values, is_backwards) => {
                let added: Points = values
                    .iter()
                    .map(|(n, value)| (key(n), -f64::from(*value)))
                    .collect();
                let written = match is_backwards {
                    true => backwards(&lock, &frame(&added), 1_100),
                    false => lock.iamc().add(&frame(&added)),
                };
                assert_eq!(
                    written.expect("adding"),
                    expected(&points, &added),
                    "{step:?}"
                );
                points.extend(added);
            }
            Step::Remove(keys) => {
                let removed: Points = keys.iter().map(|n| (key(n), 0.0)).collect();
                let there = removed
                    .keys()
                    .filter(|key| points.contains_key(key))
                    .count();
                let written = lock.iamc().remove(&frame(&removed)).expect("removing");
                assert_eq!(written, counts(0, 0, there), "{step:?}");
                points.retain(|key, _| !removed.contains_key(key));
            }
            Step::Back => {
                points = states[states.len() / 2].clone();
                lock.revert_to((states.len() / 2).to_string().as_str())
                    .expect("reverting");
            }
        }
        lock.checkpoint(&states.len().to_string())
            .expect("a checkpoint");
        states.push(points.clone());
        assert_eq!(bits(&held(&run)), bits(&points), "{step:?}");
    }
    lock.commit().expect("commit");
    fixture.verify();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 16 + 1, ..ProptestConfig::default() })]

    #[test]
    fn random_histories_of_many_rows_sqlite(steps in steps()) {
        follow(&Database::sqlite(), &steps);
    }

    #[test]
    fn random_histories_of_many_rows_postgres(steps in steps()) {
        follow(&Database::postgres(), &steps);
    }
}

#[test]
fn triggers_are_back_after_each_large_write_on_sqlite() {
    let database = Database::sqlite();
    let fixture = WithRun::new(&database);
    let before = triggers(&database);
    assert!(
        before
            .iter()
            .any(|text| text.starts_with("datapoints_version_end_once "))
    );
    let lock = fixture.run.lock("large").expect("the lock");
    let check = |what| {
        assert_eq!(triggers(&database), before, "{what}");
        let mut plain = database.plain();
        for refused in [
            "DELETE FROM datapoints",
            "UPDATE datapoints SET value = value + 1",
            "UPDATE datapoints_version SET end_transaction_id = 1",
            "INSERT INTO datapoints_version SELECT run_id, region_id, variable_id, unit_id, point_type, step + 1, category,
               value, transaction_id, NULL, 0 FROM datapoints_version",
        ] {
            assert!(plain.refused(refused).contains("stratalog:"), "{what}: {refused}");
        }
    };
    lock.iamc().add(&frame(&all(MANY, 1.0))).expect("adding");
    check("add");
    lock.iamc().add(&frame(&all(MANY, 2.0))).expect("adding");
    check("update");
    lock.iamc()
        .remove(&frame(&all(MANY, 1.0)))
        .expect("removing");
    check("remove");
    lock.rollback().expect("rollback");
    check("rollback");
    fixture.verify();
}

#[test]
fn a_transaction_without_its_triggers_cannot_be_committed_on_sqlite() {
    let database = Database::sqlite();
    let fixture = WithRun::new(&database);
    let lock = fixture.run.lock("by hand").expect("the lock");
    let before = triggers(&database);
    let mut plain = database.plain();
    plain
        .begin(fixture.run.id().0, lock.token().0)
        .expect("beginning");
    plain
        .run("UPDATE transaction_context SET recorded_in_bulk = 1; DROP TRIGGER datapoints_version_end_once")
        .expect("as a large write does");
    let error = plain.commit().expect_err("it is not over").to_string();
    assert!(
        error.contains("a bulk write ends with its triggers back in place"),
        "{error}"
    );
    let error = plain.run("COMMIT").expect_err("it is not over").to_string();
    assert!(error.contains("FOREIGN KEY"), "{error}");
    plain.roll_back();
    assert_eq!(triggers(&database), before);
    fixture.verify();
}

/// What the killed process does: a large write, in which it dies.
#[test]
#[ignore = "started by the tests of this file"]
fn a_process_that_is_killed() {
    let Some((url, task)) = processes::task() else {
        return;
    };
    let (point, run) = task.split_once('|').expect("a point and a run");
    let platform = Platform::open(&url).expect("opening");
    let run = platform
        .runs()
        .get_by_id(RunId(run.parse().expect("a run")))
        .expect("the run");
    let lock = run.lock("large").expect("the lock");
    for (step, factor) in [("add", 1.0), ("update", 2.0)] {
        if let Some(point) = point.strip_prefix(step) {
            fail::cfg_callback(point.trim_start(), processes::die).expect("arming");
        }
        lock.iamc().add(&frame(&all(MANY, factor))).expect("adding");
        lock.checkpoint(step).expect("a checkpoint");
    }
}

both_engines! {
    fn a_process_killed_in_a_large_write_leaves_nothing_of_it(database: &Database) {
        let platform = database.open();
        let fixture = WithRun::of(&platform);
        let is_sqlite = matches!(database.plain(), Plain::Sqlite(_));
        let before = is_sqlite.then(|| triggers(database));
        for (point, left) in [
            ("add load:loaded", 0),
            ("add changes:written", 0),
            ("update changes:written", MANY),
            ("update write:done", MANY),
        ] {
            let run = platform.runs().create("model", "killed").expect("a run");
            let child = Process::start(CHILD, &database.url, &format!("{point}|{}", run.id().0));
            assert_eq!(child.end().1, Some(9), "{point}");
            // Another connection, so that nothing is known of the schema.
            let run = database.open().runs().get_by_id(run.id()).expect("the run");
            let timeout = Some(std::time::Duration::from_secs(60));
            let options = LockOptions { timeout, ..LockOptions::default() };
            let lock = run.lock_with("after that", options).expect("the lock");
            assert_eq!(bits(&held(&run)), bits(&all(left, 1.0)), "{point}");
            lock.iamc().add(&frame(&all(MANY, 3.0))).expect("adding");
            lock.commit().expect("commit");
            assert_eq!(bits(&held(&run)), bits(&all(MANY, 3.0)), "{point}");
            fixture.verify();
        }
        assert_eq!(is_sqlite.then(|| triggers(database)), before);
    }
}
