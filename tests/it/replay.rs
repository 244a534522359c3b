//! States of a run as plain maps: what a diff does to one, and what undoing a transaction must give.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use stratalog::Diff;
use stratalog::arrow::array::{Array, AsArray, RecordBatch};
use stratalog::arrow::compute::cast;
use stratalog::arrow::datatypes::{DataType, Float64Type, Int64Type};
use stratalog::arrow::util::display::array_value_to_string;

/// Tables of a run whose rows are told by the text of their columns, in the order of their ranks: each with the columns
/// of its key (without the run) and its other columns.
pub const TOLD: [(&str, &[&str], &[&str]); 5] = [
    (
        "meta_indicators",
        &["key"],
        &["value_bool", "value_int", "value_float", "value_text"],
    ),
    (
        "optimization_items",
        &["kind", "name"],
        &["value", "unit_id"],
    ),
    (
        "optimization_columns",
        &["kind", "item", "position"],
        &["name", "indexset"],
    ),
    ("indexset_elements", &["indexset", "element"], &["position"]),
    (
        "optimization_rows",
        &["kind", "item", "elements"],
        &["value", "unit_id", "level", "marginal"],
    ),
];

/// Columns of a row, joined by commas; NULL is nothing.
pub fn text(batch: &RecordBatch, columns: &[&str], suffix: &str, row: usize) -> String {
    let texts: Vec<_> = columns
        .iter()
        .map(|name| {
            let column = batch
                .column_by_name(&format!("{name}{suffix}"))
                .expect("a column");
            array_value_to_string(column, row).expect("text")
        })
        .collect();
    texts.join(",")
}

/// A number for the text of a row's values.
pub fn told(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Table, what names the row (variable, node, key), year.
pub type Key = (&'static str, String, i64);

/// The bits of each value: 0.0 and -0.0 differ.
pub type Rows = BTreeMap<Key, u64>;

/// What a diff says of a state. It must have the rows that it updates or deletes, with the values before.
pub fn applied(diff: &Diff, state: &Rows) -> Rows {
    let mut state = state.clone();
    let mut expected = Vec::new();
    let points = diff.points().expect("points");
    let operations = operation_types(&points);
    apply(&mut state, "datapoints", ("variable", &points), &operations);
    expected.extend(counted("datapoints", &operations));
    for (table, key, values) in TOLD {
        let rows = diff.table(table).expect("rows");
        let operations = operation_types(&rows);
        for (row, operation) in operations.iter().enumerate() {
            let value = |suffix| told(&text(&rows, values, suffix, row));
            let before = (*operation != 0).then(|| value("_before"));
            let after = (*operation != 2).then(|| value("_after"));
            change(
                &mut state,
                (table, text(&rows, key, "", row), 0),
                before,
                after,
            );
        }
        expected.extend(counted(table, &operations));
    }
    let flows = diff.table("flows").expect("flows");
    let operations = operation_types(&flows);
    apply(&mut state, "flows", ("node", &flows), &operations);
    expected.extend(counted("flows", &operations));
    let counts: Vec<_> = diff
        .counts()
        .expect("counts")
        .into_iter()
        .map(|table| {
            let changes = table.changes;
            (
                table.table,
                [changes.inserted, changes.updated, changes.deleted],
            )
        })
        .collect();
    assert_eq!(counts, expected, "counts and rows");
    let summary = diff.summary().expect("summary");
    let summed: u64 = summary.iter().map(|series| series.changes.total()).sum();
    assert_eq!(
        summed,
        counts.iter().flat_map(|(_, counts)| counts).sum::<u64>(),
        "summary and counts"
    );
    state
}

fn operation_types(rows: &RecordBatch) -> Vec<i32> {
    rows.column_by_name("operation")
        .expect("operations")
        .as_string::<i32>()
        .iter()
        .map(|operation| match operation {
            Some("insert") => 0,
            Some("update") => 1,
            Some("delete") => 2,
            other => panic!("no operation: {other:?}"),
        })
        .collect()
}

fn change(state: &mut Rows, key: Key, before: Option<u64>, after: Option<u64>) {
    assert_eq!(state.get(&key).copied(), before, "before, at {key:?}");
    assert_ne!(before, after, "a difference at {key:?}");
    match after {
        Some(after) => state.insert(key, after),
        None => state.remove(&key),
    };
}

fn counted(table: &str, operations: &[i32]) -> Option<(String, [u64; 3])> {
    let of = |wanted| {
        operations
            .iter()
            .filter(|operation| **operation == wanted)
            .count() as u64
    };
    (!operations.is_empty()).then(|| (table.to_owned(), [of(0), of(1), of(2)]))
}

fn apply(
    state: &mut Rows,
    table: &'static str,
    (name, batch): (&str, &RecordBatch),
    operations: &[i32],
) {
    let column = |name: &str, data_type| {
        let column = batch.column_by_name(name).expect("a column");
        cast(column, &data_type).expect("a cast")
    };
    let names = column(name, DataType::Utf8);
    let years = column("year", DataType::Int64);
    let values = ["value_before", "value_after"].map(|name| column(name, DataType::Float64));
    for (row, operation) in operations.iter().enumerate() {
        let name = names.as_string::<i32>().value(row).to_owned();
        let key = (table, name, years.as_primitive::<Int64Type>().value(row));
        let [before, after] = values.each_ref().map(|values| {
            let values = values.as_primitive::<Float64Type>();
            values.is_valid(row).then(|| values.value(row).to_bits())
        });
        assert_eq!(
            (before.is_some(), after.is_some()),
            (*operation != 0, *operation != 2),
            "at {key:?}"
        );
        change(state, key, before, after);
    }
}

/// The state after undoing the `nth` of a run's states (each after one transaction, the first before any);
/// `None`: a row of it is by now neither as it left it nor as it was before it.
pub fn undone(states: &[Rows], nth: usize) -> Option<Rows> {
    let (before, after) = (&states[nth - 1], &states[nth]);
    let mut now = states[states.len() - 1].clone();
    let touched: Vec<_> = before
        .keys()
        .chain(after.keys())
        .filter(|key| before.get(*key) != after.get(*key))
        .cloned()
        .collect();
    for key in touched {
        if now.get(&key) == before.get(&key) {
            continue;
        }
        if now.get(&key) != after.get(&key) {
            return None;
        }
        match before.get(&key) {
            Some(value) => now.insert(key, *value),
            None => now.remove(&key),
        };
    }
    Some(now)
}
