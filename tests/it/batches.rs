//! Points that are read batch by batch: what they are, that they stay of one state, and what they hold on to.

use std::num::NonZeroUsize;
use std::sync::Arc;

use stratalog::arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use stratalog::arrow::compute::{cast, concat_batches};
use stratalog::arrow::datatypes::{DataType, Field, Int32Type, Schema};
use stratalog::{Engine, Filter, Frame, Iamc, Keep, PointBatches, Run};

use crate::both_engines;
use crate::support::{Database, WithRun, points, verify};

fn size(rows: usize) -> NonZeroUsize {
    NonZeroUsize::new(rows).expect("1 or more")
}

fn begin(iamc: &Iamc<'_>, filter: &Filter, rows: usize) -> PointBatches {
    iamc.batches(filter, size(rows)).expect("beginning to read")
}

/// With plain text in place of dictionaries.
fn plain(batch: &RecordBatch) -> RecordBatch {
    let mut fields = Vec::new();
    let mut arrays = Vec::new();
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        let array = match array.data_type() {
            DataType::Dictionary(..) => cast(array, &DataType::Utf8).expect("text"),
            _ => ArrayRef::clone(array),
        };
        fields.push(Field::new(field.name(), array.data_type().clone(), true));
        arrays.push(array);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("a batch")
}

/// All that is left, put together; each batch but the last has so many rows, and the same names.
fn rest(batches: &mut PointBatches, rows: usize) -> RecordBatch {
    let schema = batches.schema();
    let mut all: Vec<RecordBatch> = Vec::new();
    for batch in batches.by_ref() {
        let batch = batch.expect("a batch");
        assert_eq!(batch.schema(), schema);
        assert!(batch.num_rows() > 0);
        if let Some(before) = all.last() {
            assert_eq!(before.num_rows(), rows);
            for name in ["region", "variable", "unit"] {
                let values = |batch: &RecordBatch| {
                    let column = batch.column_by_name(name).expect("a column");
                    ArrayRef::clone(column.as_dictionary::<Int32Type>().values())
                };
                assert_eq!(&values(before), &values(&batch), "{name}");
            }
        }
        all.push(batch);
    }
    assert!(batches.next().is_none());
    plain(&concat_batches(&schema, &all).expect("of one schema"))
}

fn whole(iamc: &Iamc<'_>, filter: &Filter) -> RecordBatch {
    plain(&iamc.tabulate(filter).expect("points"))
}

/// Points of all kinds: three regions, two variables, two units.
fn fill(database: &Database) -> WithRun {
    let fixture = WithRun::new(database);
    for region in ["Asia", "Europe"] {
        fixture.platform.regions().create(region).expect("a region");
    }
    fixture.platform.units().create("%").expect("a unit");
    let lock = fixture.run.lock("all kinds").expect("the lock");
    let rows: Vec<_> = ["Europe", "World", "Asia"]
        .into_iter()
        .flat_map(|region| {
            (0..20).map(move |n| {
                let variable = ["Wind", "Energy"][n % 2];
                let unit = ["EJ/yr", "%"][n / 2 % 2];
                (region, variable, unit, n as i64, n as f64)
            })
        })
        .collect();
    lock.iamc().add(&Frame::yearly(rows)).expect("yearly");
    let names = |n: usize, name: &str| -> ArrayRef { Arc::new(StringArray::from(vec![name; n])) };
    let parts = RecordBatch::try_from_iter([
        ("region", names(2, "Asia")),
        ("variable", names(2, "Energy")),
        ("unit", names(2, "%")),
        ("year", Arc::new(Int64Array::from(vec![5, 5])) as ArrayRef),
        (
            "subannual",
            Arc::new(StringArray::from(vec!["winter", "summer"])) as ArrayRef,
        ),
        (
            "value",
            Arc::new(Float64Array::from(vec![1.0, -0.0])) as ArrayRef,
        ),
    ]);
    lock.iamc()
        .add(&parts.expect("a batch").into())
        .expect("categorical");
    let moments = RecordBatch::try_from_iter([
        ("region", names(3, "Asia")),
        ("variable", names(3, "Energy")),
        ("unit", names(3, "%")),
        (
            "datetime",
            Arc::new(TimestampMicrosecondArray::from(vec![-5, 0, 7])) as ArrayRef,
        ),
        (
            "value",
            Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0])) as ArrayRef,
        ),
    ]);
    lock.iamc()
        .add(&moments.expect("a batch").into())
        .expect("moments");
    lock.commit().expect("a checkpoint");
    fixture
}

fn filters() -> Vec<Filter> {
    vec![
        Filter::all(),
        Filter::all().region(["Asia"]),
        Filter::all().variable(["W*"]).unit(["EJ/yr"]),
        Filter::all().year([3, 5]),
        Filter::all().region(["nowhere"]),
    ]
}

/// Changes everything: other values, points that go and come, names that are others'.
fn change(database: &Database, run: &Run, round: i64) {
    let lock = run.lock("others").expect("the lock");
    lock.iamc()
        .add(&points(&[
            (round, -1.0),
            (round + 1, -2.0),
            (1_000 + round, 5.0),
        ]))
        .expect("adding");
    let asia = match round {
        0 => "Asia".to_owned(),
        _ => format!("Asia {}", round - 1),
    };
    let gone = [
        (asia.as_str(), "Energy", "%", round, 0.0),
        ("Europe", "Wind", "EJ/yr", round, 0.0),
    ];
    lock.iamc().remove(&Frame::yearly(gone)).expect("removing");
    lock.commit().expect("a checkpoint");
    let mut shell = database.plain();
    let begin = if database.engine == Engine::Sqlite {
        "PRAGMA foreign_keys = ON; PRAGMA recursive_triggers = ON; PRAGMA busy_timeout = 20000; BEGIN IMMEDIATE"
    } else {
        "BEGIN"
    };
    shell.run(begin).expect("beginning");
    shell
        .run(&format!(
            "INSERT INTO transactions (actor, operation, client_uuid) VALUES ('shell', 'renaming', 'renaming {round}')"
        ))
        .expect("a transaction");
    shell
        .run(&format!(
            "UPDATE regions SET name = 'Asia {round}' WHERE name LIKE 'Asia%'"
        ))
        .expect("renaming");
    shell.commit().expect("committing");
}

both_engines! {
    fn batches_are_what_tabulate_yields(database: &Database) {
        let fixture = fill(database);
        let run = &fixture.run;
        for filter in filters() {
            let expected = whole(&run.iamc(), &filter);
            for rows in [1, 2, 7, 64, 65, 66, 1_000_000] {
                let mut batches = begin(&run.iamc(), &filter, rows);
                assert_eq!(rest(&mut batches, rows), expected, "{filter}, {rows}");
            }
        }
        // As they were, and as a block has left them.
        let view = run.as_of("first point").expect("a view");
        let lock = run.lock("in a block").expect("the lock");
        lock.iamc().add(&points(&[(2020, 7.0)])).expect("adding");
        for iamc in [&view.iamc(), &lock.iamc()] {
            let expected = whole(iamc, &Filter::all());
            assert_eq!(rest(&mut begin(iamc, &Filter::all(), 3), 3), expected);
        }
        lock.commit().expect("a checkpoint");
        let empty = fixture.platform.runs().create("model", "empty").expect("a run");
        assert_eq!(rest(&mut begin(&empty.iamc(), &Filter::all(), 5), 5), whole(&empty.iamc(), &Filter::all()));
    }

    fn batches_stay_as_they_are_whoever_writes(database: &Database) {
        let fixture = fill(database);
        let run = &fixture.run;
        let views = [run.as_of("all kinds").expect("a view"), run.as_of("first point").expect("a view")];
        let mut reading = Vec::new();
        for filter in filters() {
            let mut sources = vec![run.iamc()];
            sources.extend(views.iter().map(|view| view.iamc()));
            for iamc in sources {
                // As many names as there are now are what it means.
                reading.push((whole(&iamc, &filter), begin(&iamc, &filter, 4), Vec::new()));
            }
        }
        for round in 0..20 {
            change(database, run, round);
            for (_, batches, read) in &mut reading {
                if let Some(batch) = batches.next() {
                    read.push(batch.expect("a batch"));
                }
            }
        }
        for (expected, mut batches, mut read) in reading {
            read.extend(batches.by_ref().map(|batch| batch.expect("a batch")));
            let found = plain(&concat_batches(&batches.schema(), &read).expect("of one schema"));
            assert_eq!(found, expected);
        }
        verify(&fixture.platform);
    }

    fn nothing_is_held_between_two_batches(database: &Database) {
        let fixture = fill(database);
        // One connection, which the next call needs.
        let platform = stratalog::Platform::options().pool_size(1).open(&database.url).expect("opening");
        let run = platform.runs().get_by_id(fixture.run.id()).expect("the run");
        let mut batches = begin(&run.iamc(), &Filter::all(), 10);
        batches.next().expect("one").expect("a batch");
        assert_eq!(run.checkpoints().expect("checkpoints").len(), 2);
        let mut plain = database.plain();
        match database.engine {
            Engine::Sqlite => {
                // A reader keeps the log from being emptied.
                plain.run("PRAGMA wal_checkpoint(TRUNCATE)").expect("emptying the log");
                let log = std::fs::metadata(format!("{}-wal", database.url)).expect("the log");
                assert_eq!(log.len(), 0);
            }
            Engine::Postgres => {
                let open = "SELECT count(*) FROM pg_stat_activity WHERE application_name = current_schema()
                    AND state LIKE 'idle in transaction%'";
                assert_eq!(plain.number(open), 0);
            }
        }
        assert_eq!(rest(&mut batches, 10).num_rows(), 56);
    }

    fn a_state_that_is_compacted_away_ends_them(database: &Database) {
        let fixture = fill(database);
        let run = &fixture.run;
        let mut batches = begin(&run.iamc(), &Filter::all(), 10);
        let mut untouched = begin(&run.iamc(), &Filter::all(), 10);
        batches.next().expect("one").expect("a batch");
        change(database, run, 0);
        run.compact(Keep::LastCheckpoints(1), stratalog::CompactOptions::default()).expect("compacting");
        for batches in [&mut batches, &mut untouched] {
            let error = batches.next().expect("an answer").expect_err("gone");
            assert!(error.to_string().contains("compacted"), "{error}");
            assert!(batches.next().is_none());
        }
        assert_eq!(rest(&mut begin(&run.iamc(), &Filter::all(), 10), 10), whole(&run.iamc(), &Filter::all()));
    }
}
