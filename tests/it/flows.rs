//! A table of the program's own, described outside the crate: it gets the log, locks, checkpoints and revert.

use std::sync::Arc;

use diesel::prelude::*;
use stratalog::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int16Array, Int32Array, Int64Array,
    RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
};
use stratalog::arrow::datatypes::{Float64Type, Int32Type};
use stratalog::{Platform, Run, RunLock, VersionedTable, versioned_table};

use crate::both_engines;
use crate::support::{Database, verify};

versioned_table! {
    /// Flows of energy into a node.
    run_scoped flows (run_id, node, year) rank 100 {
        run_id -> BigInt,
        node -> Text,
        year -> Integer,
        value -> Double,
        note -> Nullable<Text>,
    }
}

versioned_table! {
    /// Nodes of the whole platform.
    platform nodes (id) rank 90 unique (name) {
        id -> BigInt,
        name -> Text,
        active -> Bool,
    }
}

versioned_table! {
    /// The same name as `flows`, other columns.
    run_scoped flows_2 (run_id, node) rank 100 {
        run_id -> BigInt,
        node -> Text,
    }
}

versioned_table! {
    /// Values of all types.
    run_scoped things (run_id, nth) rank 100 {
        run_id -> BigInt,
        nth -> Integer,
        text -> Nullable<Text>,
        flag -> Nullable<Bool>,
        small -> Nullable<SmallInt>,
        whole -> Nullable<Integer>,
        large -> Nullable<BigInt>,
        number -> Nullable<Double>,
        moment -> Nullable<Timestamp>,
    }
}

/// (node, year, value, note), in the order of the key.
pub type Flow = (String, i32, f64, Option<String>);

pub fn batch(rows: &[(&str, i32, f64, Option<&str>)]) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([
        (
            "node",
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0))) as _,
            true,
        ),
        (
            "year",
            Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.1))) as _,
            true,
        ),
        (
            "value",
            Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.2))) as _,
            true,
        ),
        (
            "note",
            Arc::new(StringArray::from_iter(rows.iter().map(|row| row.3))) as _,
            true,
        ),
    ])
    .expect("a batch")
}

pub fn rows(batch: &RecordBatch) -> Vec<Flow> {
    let column = |name| batch.column_by_name(name).expect("a column");
    let notes = column("note").as_string::<i32>();
    (0..batch.num_rows())
        .map(|row| {
            (
                column("node").as_string::<i32>().value(row).to_owned(),
                column("year").as_primitive::<Int32Type>().value(row),
                column("value").as_primitive::<Float64Type>().value(row),
                notes.iter().nth(row).flatten().map(str::to_owned),
            )
        })
        .collect()
}

pub fn open(database: &Database) -> Platform {
    database.open_with(
        Platform::options()
            .table::<nodes::table>()
            .table::<flows::table>(),
    )
}

fn add(lock: &RunLock, flows: &[(&str, i32, f64, Option<&str>)]) -> stratalog::ChangeCounts {
    lock.table("flows")
        .expect("the table")
        .add(&batch(flows))
        .expect("adding")
}

fn now(run: &Run) -> Vec<Flow> {
    rows(
        &run.table("flows")
            .expect("the table")
            .tabulate()
            .expect("rows"),
    )
}

/// A live row as diesel reads it: node, value.
type Live = (String, f64);
/// A version row as diesel reads it: value, operation type, whether it is the newest.
type Version = (f64, i16, bool);

fn flow(node: &str, year: i32, value: f64, note: Option<&str>) -> Flow {
    (node.into(), year, value, note.map(str::to_owned))
}

both_engines! {
    fn an_own_table_is_logged_checkpointed_and_reverted(database: &Database) {
        let platform = open(database);
        let run = platform.runs().create("model", "scenario").expect("a run");
        let lock = run.lock("flows").expect("the lock");
        let counts = add(&lock, &[("a", 2020, 1.0, None), ("b", 2020, 2.0, Some("x"))]);
        assert_eq!((counts.inserted, counts.updated), (2, 0));
        lock.checkpoint("raw").expect("checkpoint");
        let counts = add(&lock, &[("a", 2020, 1.0, Some("now with a note")), ("b", 2020, 2.0, Some("x")), ("c", 2020, 3.0, None)]);
        assert_eq!((counts.inserted, counts.updated), (1, 1));
        let counts = lock.table("flows").expect("the table").remove(&batch(&[("b", 2020, 0.0, None)])).expect("removing");
        assert_eq!(counts.deleted, 1);
        lock.commit().expect("commit");
        assert_eq!(now(&run), [flow("a", 2020, 1.0, Some("now with a note")), flow("c", 2020, 3.0, None)]);
        let then = run.as_of("raw").and_then(|view| view.table("flows")?.tabulate()).expect("as of");
        let raw = [flow("a", 2020, 1.0, None), flow("b", 2020, 2.0, Some("x"))];
        assert_eq!(rows(&then), raw);
        verify(&platform);

        let counts = run.revert_to("raw").expect("revert");
        assert_eq!((counts.inserted, counts.updated, counts.deleted), (1, 1, 1));
        assert_eq!(now(&run), raw);
        let summary = run.diff("raw", None).and_then(|diff| diff.counts()).expect("diff");
        assert!(summary.is_empty(), "{summary:?}");
        verify(&platform);
        let operations: Vec<_> = run.log().expect("log").iter().rev().map(|entry| entry.operation.clone()).collect();
        assert_eq!(operations, ["flows.add", "flows.add", "flows.remove", "revert to \"raw\""]);
    }

    fn all_that_a_table_can_hold_comes_back(database: &Database) {
        let platform = database.open_with(Platform::options().table::<things::table>());
        let run = platform.runs().create("model", "scenario").expect("a run");
        let lock = run.lock("things").expect("the lock");
        let table = lock.table("things").expect("the table");
        let texts = [Some("\"a\\\n\u{1}'é𝄞 $1 {}"), Some(""), Some("null"), None, Some("[1]")];
        let values: [(&str, ArrayRef); 7] = [
            ("text", Arc::new(StringArray::from_iter(texts))),
            ("flag", Arc::new(BooleanArray::from_iter([Some(true), Some(false), None, None, Some(true)]))),
            ("small", Arc::new(Int16Array::from_iter([Some(i16::MIN), Some(i16::MAX), Some(0), None, None]))),
            ("whole", Arc::new(Int32Array::from_iter([Some(i32::MIN), Some(i32::MAX), Some(0), None, None]))),
            ("large", Arc::new(Int64Array::from_iter([Some(i64::MIN), Some(i64::MAX), Some(0), None, None]))),
            ("number", Arc::new(Float64Array::from_iter([Some(f64::MIN), Some(5e-324), Some(-0.0), None, Some(0.1 + 0.2)]))),
            ("moment", Arc::new(TimestampMicrosecondArray::from_iter([Some(-1), Some(1), Some(4_102_444_800_123_456), None, Some(-62_135_596_800_000_000)]))),
        ];
        let rows_of = |value: &dyn Fn(&ArrayRef) -> ArrayRef| {
            let key: ArrayRef = Arc::new(Int32Array::from_iter_values(0..5));
            let values = values.iter().map(|(name, array)| (*name, value(array), true));
            RecordBatch::try_from_iter_with_nullable(std::iter::once(("nth", key, false)).chain(values)).expect("a batch")
        };
        let all = rows_of(&ArrayRef::clone);
        table.add(&all).expect("adding");
        lock.checkpoint("before").expect("checkpoint");
        let is_as_before = || {
            let rows = run.table("things").expect("the table").tabulate().expect("rows");
            for (name, values) in &values {
                // Floats by their bits.
                assert_eq!(rows.column_by_name(name).expect(name).to_data(), values.to_data(), "{name}");
            }
        };
        is_as_before();
        let nothing = rows_of(&|array| new_null_array(array.data_type(), array.len()));
        assert_eq!(table.add(&nothing).expect("changing").updated, 4);
        assert_eq!(lock.revert_to("before").expect("revert").updated, 4);
        is_as_before();
        assert_eq!(table.remove(&all).expect("removing").deleted, 5);
        assert_eq!(lock.revert_to("before").expect("revert").inserted, 5);
        is_as_before();
        lock.commit().expect("commit");
        verify(&platform);
    }

    fn an_own_table_is_known_to_programs_that_do_not_describe_it(database: &Database) {
        let platform = open(database);
        let run = platform.runs().create("model", "scenario").expect("a run");
        let lock = run.lock("flows").expect("the lock");
        lock.checkpoint("empty").expect("checkpoint");
        add(&lock, &[("a", 2020, 1.0, None)]);
        lock.commit().expect("commit");
        // The command line, for one.
        let other = database.open();
        assert!(other.descriptions().iter().any(|table| table.name == "flows"));
        let same = other.runs().get_by_id(run.id()).expect("the run");
        assert_eq!(same.revert_to("empty").expect("revert").deleted, 1);
        assert_eq!(now(&run), []);
        verify(&other);
    }

    fn a_table_added_behind_ones_back_is_reverted_too(database: &Database) {
        let unaware = database.open();
        let run = unaware.runs().create("model", "scenario").expect("a run");
        run.lock("empty").expect("the lock").commit().expect("commit");
        let platform = open(database);
        let lock = platform.runs().get_by_id(run.id()).expect("the run").lock("flows").expect("the lock");
        add(&lock, &[("a", 2020, 1.0, None)]);
        lock.commit().expect("commit");
        assert_eq!(run.diff("empty", None).and_then(|diff| diff.counts()).expect("diff")[0].table, "flows");
        assert_eq!(run.revert_to("empty").expect("revert").deleted, 1);
        assert_eq!(now(&run), []);
        assert!(unaware.log(&stratalog::LogFilter::default()).expect("log")[0].changes.iter().any(|(table, _)| table == "flows"));
        verify(&unaware);
    }

    fn a_table_described_at_run_time_is_logged_too(database: &Database) {
        let (platform, other) = (database.open(), database.open());
        let mut description = flows::table::description();
        platform.tables().create(&description).expect("making it");
        platform.tables().create(&description).expect("it is there, the same");
        assert_eq!(platform.tables().get("flows").expect("flows"), description);
        assert_eq!(other.tables().list().expect("list"), std::slice::from_ref(&description));
        let run = other.runs().create("model", "scenario").expect("a run");
        let lock = run.lock("flows").expect("the lock");
        add(&lock, &[("a", 2020, 1.0, None), ("b", 2030, 2.0, Some("x"))]);
        lock.checkpoint("raw").expect("checkpoint");
        add(&lock, &[("a", 2020, 1.5, None)]);
        lock.table("flows").expect("flows").remove(&batch(&[("b", 2030, 0.0, None)])).expect("remove");
        lock.commit().expect("commit");

        let select = |json: &str| {
            let filter: stratalog::Filter = serde_json::from_str(json).expect(json);
            rows(&run.as_of("raw").expect("raw").table("flows").expect("flows").tabulate_with(&filter).expect(json))
                .into_iter().map(|flow| flow.0).collect::<String>()
        };
        for (json, expected) in [
            ("{}", "ab"),
            (r#"{"node": "*"}"#, "ab"),
            (r#"{"node__in": ["b", "c"]}"#, "b"),
            (r#"{"year__gte": 2030}"#, "b"),
            (r#"{"value__lt": 2}"#, "a"),
            (r#"{"note": "x"}"#, "b"),
            (r#"{"note__ne": "y"}"#, "b"),
        ] {
            assert_eq!(select(json), expected, "{json}");
        }
        let unknown = run.table("flows").expect("flows").tabulate_with(&stratalog::Filter::all().with("nodes", "a"));
        assert!(unknown.expect_err("unknown").to_string().contains("flows can be filtered by node, year, value, note"));

        let history = run.table("flows").expect("flows").history(&stratalog::Filter::all().with("node", "b")).expect("history");
        let text = |name: &str| history.column_by_name(name).expect(name).as_string::<i32>().iter().map(|t| t.unwrap_or("-").to_owned()).collect::<Vec<_>>();
        assert_eq!(text("operation"), ["insert", "delete"]);
        assert_eq!(text("what"), ["flows.add", "flows.remove"]);
        assert_eq!(text("checkpoint"), ["raw", "flows"]);
        assert_eq!(text("note"), ["x", "-"]);
        let diff = run.diff("raw", None).and_then(|diff| diff.table("flows")).expect("diff");
        assert_eq!(diff.column_by_name("operation").expect("operation").as_string::<i32>().value(0), "update");
        verify(&platform);

        description.columns.pop();
        let error = platform.tables().create(&description).expect_err("another").to_string();
        assert!(error.contains("describe it the same"), "{error}");
        for taken in ["runs", "transactions", "flows_version", "x_named", "stratalog_x"] {
            description.name = taken.into();
            let error = platform.tables().create(&description).expect_err(taken).to_string();
            assert!(error.contains("taken by stratalog itself"), "{taken}: {error}");
        }
        let error = run.table("flow").err().expect("not there").to_string();
        assert!(error.contains("did you mean \"flows\"?"), "{error}");
    }

    fn two_processes_that_make_one_table_make_it_once(database: &Database) {
        let platform = database.open();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| database.open().tables().create(&flows::table::description()).expect("making it"));
            }
        });
        assert_eq!(platform.tables().list().expect("list").len(), 1);
        verify(&platform);
    }

    fn an_own_tables_rows_go_with_a_deleted_run(database: &Database) {
        let platform = open(database);
        let run = platform.runs().create("model", "scenario").expect("a run");
        let lock = run.lock("flows").expect("the lock");
        add(&lock, &[("a", 2020, 1.0, None)]);
        lock.commit().expect("commit");
        platform.runs().delete(&run).expect("deleting");
        assert_eq!(database.plain().number("SELECT count(*) FROM flows"), 0);
        assert_eq!(database.plain().number("SELECT count(*) FROM flows_version"), 2);
        verify(&platform);
    }

    fn a_table_with_another_description_is_refused(database: &Database) {
        open(database);
        struct Other;
        impl VersionedTable for Other {
            fn description() -> stratalog::TableDescription {
                let mut description = flows_2::table::description();
                description.name = "flows".into();
                description
            }
        }
        let error = Platform::options().table::<Other>().open(&database.url).err().expect("refused").to_string();
        assert!(error.contains("flows") && error.contains("describe it the same"), "{error}");
    }

    fn input_of_an_own_table_is_checked(database: &Database) {
        let platform = open(database);
        let run = platform.runs().create("model", "scenario").expect("a run");
        let reader = run.table("flows").expect("the table");
        assert!(reader.add(&batch(&[])).expect_err("refused").is_lock_required());
        assert!(run.table("datapoints_version").is_err());
        let lock = run.lock("flows").expect("the lock");
        let table = lock.table("flows").expect("the table");
        let good = batch(&[("a", 2020, 1.0, None)]);
        for (bad, problem) in [
            (batch(&[("a", 2020, 1.0, None), ("b", 2020, 1.0, None), ("a", 2020, 2.0, None)]), "rows 0, 2"),
            (batch(&[("a", 2020, f64::NAN, None)]), "NaN"),
            (batch(&[("a\0b", 2020, 1.0, None)]), "NUL"),
            (good.project(&[0, 1]).expect("two columns"), "\"value\" is missing"),
        ] {
            let error = table.add(&bad).expect_err("refused");
            assert!(error.is_invalid_input() && error.to_string().contains(problem), "{problem}: {error}");
        }
        assert_eq!(run.log().expect("log").len(), 0);
        // Keys are enough to remove.
        table.add(&good).expect("add");
        assert_eq!(table.remove(&good.project(&[0, 1]).expect("two columns")).expect("remove").deleted, 1);
    }

    fn diesel_reads_the_table_and_its_history(database: &Database) {
        let platform = open(database);
        let run = platform.runs().create("model", "scenario").expect("a run");
        let lock = run.lock("flows").expect("the lock");
        add(&lock, &[("a", 2020, 1.5, None)]);
        add(&lock, &[("a", 2020, 2.5, None)]);
        lock.commit().expect("commit");
        let live = flows::table.select((flows::node, flows::value));
        let history = flows_version::table
            .order(flows_version::transaction_id)
            .select((flows_version::value, flows_version::operation_type, flows_version::end_transaction_id.is_null()));
        let (live, history): (Vec<Live>, Vec<Version>) = match database.plain() {
            crate::support::Plain::Sqlite(mut c) => (live.load(&mut c).expect("live"), history.load(&mut c).expect("history")),
            crate::support::Plain::Postgres(mut c) => (live.load(&mut c).expect("live"), history.load(&mut c).expect("history")),
        };
        assert_eq!(live, [("a".to_owned(), 2.5)]);
        assert_eq!(history, [(1.5, 0, false), (2.5, 1, true)]);
    }
}

#[test]
fn descriptions_that_cannot_work_are_refused() {
    use stratalog::schema::Scope;
    let good = flows::table::description();
    good.validate().expect("a good one");
    let mut bad = Vec::new();
    let mut change = |problem: &'static str, change: &dyn Fn(&mut stratalog::TableDescription)| {
        let mut description = good.clone();
        change(&mut description);
        bad.push((problem, description));
    };
    change("usable name", &|d| d.name = "Flows; DROP TABLE runs".into());
    change("usable name", &|d| d.columns[1].name = "no de".into());
    change("not a column", &|d| d.key.push("nowhere".into()));
    change("must not be nullable", &|d| d.key.push("note".into()));
    change("stratalog's own", &|d| {
        d.columns[3].name = "transaction_id".into()
    });
    change("there twice", &|d| d.columns[3].name = "node".into());
    change("run_id and at least one more", &|d| {
        d.key = vec!["node".into()]
    });
    change("needs a key", &|d| d.key.clear());
    for (problem, description) in bad {
        let error = description.validate().expect_err(problem).to_string();
        assert!(error.contains(problem), "{problem}: {error}");
    }
    assert_eq!(nodes::table::description().scope, Scope::Platform);
    assert_eq!(good.scope, Scope::Run);
}
