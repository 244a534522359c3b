//! Optimization items: what they hold, what is refused, what a change logs and a revert costs.

use std::sync::Arc;

use stratalog::arrow::array::{
    ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray,
};
use stratalog::arrow::compute::cast;
use stratalog::arrow::datatypes::{DataType, Float64Type, Int64Type};
use stratalog::{Element, Error, ItemKind, Platform, Run, RunLock};

use crate::both_engines;
use crate::support::{Database, verify};

fn platform_and_run(database: &Database) -> (Platform, Run) {
    let platform = database.open();
    platform.units().create("km").unwrap();
    platform.units().create("USD").unwrap();
    let run = platform.runs().create("m", "s").unwrap();
    (platform, run)
}

fn text(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn floats(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

fn ints(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .unwrap()
}

/// A parameter "p" over the indexsets "i" (text) and "year" (whole numbers) with three rows.
fn with_parameter(lock: &RunLock) {
    let items = lock.optimization();
    items.create_indexset("i").unwrap();
    items
        .add_elements("i", ["b", "a", "ü \"q\", [1]"].map(Element::from))
        .unwrap();
    items.create_indexset("year").unwrap();
    items
        .add_elements("year", [2030, 2020].map(Element::from))
        .unwrap();
    items
        .create(ItemKind::Parameter, "p", &["i", "year"], None)
        .unwrap();
    items
        .add_data(
            ItemKind::Parameter,
            "p",
            &rows(&["a", "b", "ü \"q\", [1]"], 1.0),
        )
        .unwrap();
}

fn rows(elements: &[&str], value: f64) -> RecordBatch {
    batch(vec![
        ("i", text(elements)),
        ("year", ints(&vec![2020; elements.len()])),
        ("value", floats(&vec![value; elements.len()])),
        ("unit", text(&vec!["km"; elements.len()])),
    ])
}

type Row = (String, i64, f64, String);

fn held(data: &RecordBatch) -> Vec<Row> {
    let plain = |name: &str, to: &DataType| cast(data.column_by_name(name).unwrap(), to).unwrap();
    let (i, unit) = (plain("i", &DataType::Utf8), plain("unit", &DataType::Utf8));
    let year = plain("year", &DataType::Int64);
    let value = plain("value", &DataType::Float64);
    (0..data.num_rows())
        .map(|row| {
            (
                i.as_string::<i32>().value(row).to_owned(),
                year.as_primitive::<Int64Type>().value(row),
                value.as_primitive::<Float64Type>().value(row),
                unit.as_string::<i32>().value(row).to_owned(),
            )
        })
        .collect()
}

fn row(i: &str, value: f64) -> Row {
    (i.to_owned(), 2020, value, "km".to_owned())
}

both_engines! {
    fn data_come_back_in_the_order_of_the_elements(database: &Database) {
        let (platform, run) = platform_and_run(database);
        let lock = run.lock("first").unwrap();
        with_parameter(&lock);
        let items = lock.optimization();
        let first = held(&items.data(ItemKind::Parameter, "p").unwrap());
        assert_eq!(first, [row("b", 1.0), row("a", 1.0), row("ü \"q\", [1]", 1.0)]);
        // What is the same leaves no trace.
        let again = items.add_data(ItemKind::Parameter, "p", &rows(&["b", "a"], 1.0)).unwrap();
        assert_eq!(again.total(), 0);
        let counts = items.add_data(ItemKind::Parameter, "p", &rows(&["a"], 2.0)).unwrap();
        assert_eq!((counts.inserted, counts.updated), (0, 1));
        lock.commit().unwrap();

        let lock = run.lock("second").unwrap();
        let items = lock.optimization();
        let keys = batch(vec![("year", ints(&[2020, 2030])), ("i", text(&["b", "b"]))]);
        assert_eq!(items.remove_data(ItemKind::Parameter, "p", &keys).unwrap().deleted, 1);
        lock.commit().unwrap();
        let parameter = |run: &Run| held(&run.optimization().data(ItemKind::Parameter, "p").unwrap());
        assert_eq!(parameter(&run), [row("a", 2.0), row("ü \"q\", [1]", 1.0)]);
        let view = run.as_of("first").unwrap();
        let before = held(&view.optimization().data(ItemKind::Parameter, "p").unwrap());
        assert_eq!(before, [row("b", 1.0), row("a", 2.0), row("ü \"q\", [1]", 1.0)]);
        run.revert_to("first").unwrap();
        assert_eq!(parameter(&run), before);
        verify(&platform);
    }

    fn a_removed_element_takes_its_rows_with_it(database: &Database) {
        let (platform, run) = platform_and_run(database);
        let lock = run.lock("first").unwrap();
        with_parameter(&lock);
        let items = lock.optimization();
        items.create(ItemKind::Table, "t", &["i", "i"], Some(&["from", "to"])).unwrap();
        let pairs = batch(vec![("from", text(&["a", "b", "b"])), ("to", text(&["b", "a", "b"]))]);
        assert_eq!(items.add_data(ItemKind::Table, "t", &pairs).unwrap().inserted, 3);
        lock.commit().unwrap();

        let lock = run.lock("second").unwrap();
        let items = lock.optimization();
        let counts = items.remove_elements("i", [Element::from("a")]).unwrap();
        // The element, one row of p, two of t.
        assert_eq!(counts.deleted, 4);
        assert_eq!(items.data(ItemKind::Table, "t").unwrap().num_rows(), 1);
        assert_eq!(
            items.elements("i").unwrap(),
            [Element::from("b"), Element::from("ü \"q\", [1]")]
        );
        let refused = items.remove_elements("i", ["a", "b"].map(Element::from)).unwrap_err();
        assert!(refused.to_string().contains("no elements \"a\""), "{refused}");
        let refused = items.delete(ItemKind::IndexSet, "i").unwrap_err();
        assert!(refused.is_in_use(), "{refused}");
        assert!(refused.to_string().contains("table \"t\", parameter \"p\""), "{refused}");
        items.delete(ItemKind::Table, "t").unwrap();
        items.delete(ItemKind::Parameter, "p").unwrap();
        items.delete(ItemKind::IndexSet, "i").unwrap();
        assert!(items.get(ItemKind::Parameter, "p").unwrap_err().is_not_found());
        lock.commit().unwrap();
        run.revert_to("first").unwrap();
        let items = run.optimization();
        assert_eq!(items.elements("i").unwrap().len(), 3);
        assert_eq!(items.data(ItemKind::Table, "t").unwrap().num_rows(), 3);
        assert_eq!(items.get(ItemKind::Table, "t").unwrap().columns[1].name, "to");
        verify(&platform);
    }

    fn scalars_and_solutions(database: &Database) {
        let (platform, run) = platform_and_run(database);
        let lock = run.lock("first").unwrap();
        let items = lock.optimization();
        items.create_scalar("f", 90.0, "USD").unwrap();
        assert_eq!(items.set_scalar("f", 90.0, "USD").unwrap().total(), 0);
        assert_eq!(items.set_scalar("f", 91.0, "km").unwrap().updated, 1);
        let scalar = items.get(ItemKind::Scalar, "f").unwrap();
        assert_eq!((scalar.value, scalar.unit.as_deref()), (Some(91.0), Some("km")));
        items.create(ItemKind::Equation, "cost", &[], None).unwrap();
        assert!(!items.has_solution().unwrap());
        let solution = batch(vec![("levels", floats(&[1.5])), ("marginals", floats(&[-0.0]))]);
        items.add_data(ItemKind::Equation, "cost", &solution).unwrap();
        assert!(items.has_solution().unwrap());
        let held = items.data(ItemKind::Equation, "cost").unwrap();
        let marginal = held.column(1).as_primitive::<Float64Type>().value(0);
        assert!(held.num_rows() == 1 && marginal == 0.0 && marginal.is_sign_negative());
        let two = batch(vec![("levels", floats(&[1.0, 2.0])), ("marginals", floats(&[0.0, 0.0]))]);
        let refused = items.add_data(ItemKind::Equation, "cost", &two).unwrap_err();
        assert!(refused.to_string().contains("one row at most"), "{refused}");
        assert_eq!(items.remove_solution().unwrap().deleted, 1);
        assert!(!items.has_solution().unwrap());
        lock.commit().unwrap();
        verify(&platform);
    }

    fn what_does_not_fit_is_refused_naming_it(database: &Database) {
        let (platform, run) = platform_and_run(database);
        let refused = run.optimization().create_indexset("i").unwrap_err();
        assert!(matches!(refused, Error::RunLockRequired { .. }), "{refused}");
        let lock = run.lock("first").unwrap();
        with_parameter(&lock);
        let after = run.last_transaction().unwrap();
        let items = lock.optimization();
        let data = |rows: &RecordBatch| items.add_data(ItemKind::Parameter, "p", rows).unwrap_err();
        let without = |name: &str| {
            let all = rows(&["a"], 1.0);
            let names: Vec<_> = all.schema().fields().iter().map(|f| f.name().clone()).collect();
            let kept: Vec<_> = names.iter().enumerate().filter(|(_, n)| *n != name).map(|(i, _)| i).collect();
            all.project(&kept).unwrap()
        };
        let with = |name: &'static str, array: ArrayRef| {
            let all = without(name);
            let mut columns: Vec<_> = Vec::new();
            let schema = all.schema();
            for (field, column) in schema.fields().iter().zip(all.columns()) {
                columns.push((field.name().as_str(), Arc::clone(column)));
            }
            columns.push((name, array));
            batch(columns)
        };
        let null: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>]));
        for (refused, message) in [
            (data(&without("year")), "missing columns \"year\""),
            (data(&without("unit")), "missing columns \"unit\""),
            (data(&with("extra", ints(&[1]))), "unknown columns \"extra\""),
            (data(&with("i", text(&["A"]))), "has not: \"A\""),
            (data(&with("i", ints(&[1]))), "are text"),
            (data(&with("i", null)), "missing values"),
            (data(&with("year", floats(&[2020.0]))), "whole numbers"),
            (data(&with("year", ints(&[2021]))), "has not: 2021"),
            (data(&with("value", floats(&[f64::NAN]))), "NaN or infinity"),
            (data(&with("value", text(&["1"]))), "must hold numbers"),
            (data(&with("unit", text(&["kg"]))), "units \"kg\""),
            (data(&rows(&["a", "b", "a"], 1.0)), "more than once: [\"a\",2020], in row 2"),
            (items.create_indexset("i").unwrap_err(), "indexset \"i\" exists already"),
            (items.create_indexset(" i").unwrap_err(), "blank"),
            (items.add_elements("i", [Element::from("a")]).unwrap_err(), "\"a\" are there already"),
            (items.add_elements("i", [Element::from(1)]).unwrap_err(), "are text; 1"),
            (items.add_elements("year", [Element::from(1.5)]).unwrap_err(), "whole numbers; 1.5"),
            (items.add_elements("I", [Element::from(1)]).unwrap_err(), "did you mean \"i\""),
            (items.create_scalar("f", f64::NAN, "km").unwrap_err(), "finite"),
            (items.create_scalar("f", 1.0, "kg").unwrap_err(), "\"kg\""),
            (items.create(ItemKind::Table, "t", &["j"], None).unwrap_err(), "\"j\""),
            (items.create(ItemKind::Table, "t", &[], None).unwrap_err(), "at least one"),
            (items.create(ItemKind::Table, "t", &["i", "i"], None).unwrap_err(), "two columns"),
            (items.create(ItemKind::Table, "t", &["i"], Some(&[])).unwrap_err(), "0 column names"),
            (
                items.create(ItemKind::Parameter, "t", &["i"], Some(&["value"])).unwrap_err(),
                "\"value\"",
            ),
        ] {
            assert!(refused.to_string().contains(message), "{refused} / {message}");
        }
        assert_eq!(run.last_transaction().unwrap(), after);
        lock.commit().unwrap();
        verify(&platform);
    }

    fn changing_ten_of_a_million_rows_logs_and_reverts_ten(database: &Database) {
        const SIDE: i64 = 1_000;
        let (platform, run) = platform_and_run(database);
        let lock = run.lock("all").unwrap();
        let items = lock.optimization();
        for name in ["i", "j"] {
            items.create_indexset(name).unwrap();
            items.add_elements(name, (0..SIDE).map(Element::from)).unwrap();
        }
        items.create(ItemKind::Parameter, "p", &["i", "j"], None).unwrap();
        let some = |rows: std::ops::Range<i64>, value: f64| {
            let count = (rows.end - rows.start) as usize;
            batch(vec![
                ("i", ints(&rows.clone().map(|row| row / SIDE).collect::<Vec<_>>())),
                ("j", ints(&rows.map(|row| row % SIDE).collect::<Vec<_>>())),
                ("value", floats(&vec![value; count])),
                ("unit", text(&vec!["km"; count])),
            ])
        };
        let counts = items.add_data(ItemKind::Parameter, "p", &some(0..SIDE * SIDE, 1.0)).unwrap();
        assert_eq!(counts.inserted, 1_000_000);
        lock.commit().unwrap();

        let lock = run.lock("ten").unwrap();
        let changed = some(500_000..500_010, 2.0);
        let counts = lock.optimization().add_data(ItemKind::Parameter, "p", &changed).unwrap();
        assert_eq!((counts.inserted, counts.updated, counts.deleted), (0, 10, 0));
        let logged = |run: &Run| {
            let last = run.log().unwrap().remove(0);
            assert_eq!(last.changes.len(), 1, "{:?}", last.changes);
            assert_eq!(last.changes[0].0, "optimization_rows");
            last.changes[0].1
        };
        assert_eq!((logged(&run).total(), logged(&run).updated), (10, 10));
        lock.commit().unwrap();
        assert_eq!(run.revert_to("all").unwrap().updated, 10);
        assert_eq!((logged(&run).total(), logged(&run).updated), (10, 10));
        let data = run.optimization().data(ItemKind::Parameter, "p").unwrap();
        let values = data.column_by_name("value").unwrap();
        let values = values.as_primitive::<Float64Type>();
        assert_eq!(values.values().len(), 1_000_000);
        assert!(values.values().iter().all(|value| *value == 1.0));
        drop(platform);
    }
}
