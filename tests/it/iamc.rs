//! Time series: what goes in, what comes out, what is refused.

use std::sync::Arc;

use stratalog::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, DictionaryArray, Float32Array,
    Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, LargeStringArray, NullArray,
    RecordBatch, StringArray, StringViewArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt8Array,
    UInt16Array, UInt32Array, UInt64Array,
};
use stratalog::arrow::compute::cast;
use stratalog::arrow::datatypes::{DataType, Float64Type, Int8Type, Int32Type};
use stratalog::arrow::util::display::array_value_to_string;
use stratalog::{
    AddOptions, ChangeCounts, Error, Filter, Frame, Iamc, Platform, PointType, Run, RunLock,
    TransactionId,
};

use crate::both_engines;
use crate::support::{Database, WithRun, points, verify};

// ---- a platform with a run under lock ----

/// Regions World, Africa and Asia; units EJ/yr, million and none.
fn platform(database: &Database) -> Platform {
    let platform = database.open();
    for region in ["World", "Africa", "Asia"] {
        platform.regions().create(region).expect("region");
    }
    for unit in ["EJ/yr", "million", ""] {
        platform.units().create(unit).expect("unit");
    }
    platform
}

fn locked(platform: &Platform) -> RunLock {
    platform
        .runs()
        .create("m", "s")
        .expect("run")
        .lock("data")
        .expect("lock")
}

fn counts(inserted: u64, updated: u64, deleted: u64) -> ChangeCounts {
    ChangeCounts {
        inserted,
        updated,
        deleted,
    }
}

// ---- frames ----

fn frame(columns: Vec<(&str, ArrayRef)>) -> Frame {
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .expect("columns of one length")
    .into()
}

fn text<'a>(values: impl IntoIterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn texts<const N: usize>(values: [Option<&str>; N]) -> ArrayRef {
    Arc::new(StringArray::from_iter(values))
}

fn integers(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

fn floats(values: impl IntoIterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(values))
}

/// 1.0, 2.0, 3.0 …
fn ordinals(rows: usize) -> ArrayRef {
    floats((1..=rows).map(|row| row as f64))
}

/// Rows that all are of World, Primary Energy, EJ/yr; `columns` says the rest.
fn series(columns: Vec<(&str, ArrayRef)>) -> Frame {
    let rows = columns[0].1.len();
    let same = |value| text(std::iter::repeat_n(value, rows));
    let mut all = vec![
        ("region", same("World")),
        ("variable", same("Primary Energy")),
        ("unit", same("EJ/yr")),
    ];
    all.extend(columns);
    frame(all)
}

/// Yearly rows from 2020 on, with `column` instead of the one of that name, or beside the others.
fn yearly_with(rows: usize, column: &str, array: ArrayRef) -> Frame {
    let same = |value| text(std::iter::repeat_n(value, rows));
    let mut columns = vec![
        ("region", same("World")),
        ("variable", same("Primary Energy")),
        ("unit", same("EJ/yr")),
        ("year", integers(2020..2020 + rows as i64)),
        ("value", ordinals(rows)),
    ];
    match columns.iter_mut().find(|(name, _)| *name == column) {
        Some(there) => there.1 = array,
        None => columns.push((column, array)),
    }
    frame(columns)
}

fn yearly(rows: usize) -> Frame {
    yearly_with(rows, "value", ordinals(rows))
}

fn without(frame: &Frame, columns: &[&str]) -> Frame {
    let schema = frame.batch().schema();
    let kept: Vec<_> = (0..schema.fields().len())
        .filter(|position| !columns.contains(&schema.field(*position).name().as_str()))
        .collect();
    frame.batch().project(&kept).expect("columns").into()
}

// ---- what comes out ----

/// A line of text per row: the columns' values with blanks between them.
fn lines(batch: &RecordBatch) -> Vec<String> {
    (0..batch.num_rows())
        .map(|row| {
            let value = |array: &ArrayRef| match array_value_to_string(array, row) {
                Ok(value) if value.is_empty() => "-".to_owned(),
                value => value.expect("a value"),
            };
            batch
                .columns()
                .iter()
                .map(value)
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
}

fn all(iamc: &Iamc<'_>) -> RecordBatch {
    iamc.tabulate(&Filter::all()).expect("tabulate")
}

fn columns(batch: &RecordBatch) -> Vec<String> {
    batch
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect()
}

fn values(batch: &RecordBatch) -> Vec<f64> {
    batch
        .column_by_name("value")
        .expect("value")
        .as_primitive::<Float64Type>()
        .values()
        .to_vec()
}

/// What `add` says to a frame that it must refuse before anything is written.
fn refused(database: &Database, lock: &RunLock, frame: &Frame) -> String {
    refused_with(database, lock, frame, AddOptions::default())
}

fn refused_with(
    database: &Database,
    lock: &RunLock,
    frame: &Frame,
    options: AddOptions<'_>,
) -> String {
    let error = database.refused(|| lock.iamc().add_with(frame, options));
    assert!(error.is_invalid_input(), "{error:?}");
    assert!(error.to_string().contains("nothing was written"), "{error}");
    error.to_string()
}

fn refused_to_remove(database: &Database, lock: &RunLock, frame: &Frame) -> String {
    let error = database.refused(|| lock.iamc().remove(frame));
    assert!(error.is_invalid_input(), "{error:?}");
    error.to_string()
}

#[track_caller]
fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
}

both_engines! {
    // ---- adding, updating, removing, reading ----

    fn yearly_points_are_added_updated_and_removed(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let iamc = lock.iamc();
        assert_eq!(iamc.add(&yearly(3)).expect("add"), counts(3, 0, 0));
        let batch = all(&iamc);
        assert_eq!(columns(&batch), ["region", "variable", "unit", "year", "value"]);
        assert_eq!(lines(&batch), [
            "World Primary Energy EJ/yr 2020 1.0",
            "World Primary Energy EJ/yr 2021 2.0",
            "World Primary Energy EJ/yr 2022 3.0",
        ]);

        let changed = series(vec![("year", integers([2023, 2022, 2021])), ("value", floats([4.0, 3.5, 2.0]))]);
        assert_eq!(iamc.add(&changed).expect("add"), counts(1, 1, 0), "2021 stays as it is");
        assert_eq!(values(&all(&iamc)), [1.0, 2.0, 3.5, 4.0]);

        let gone = series(vec![("year", integers([2020, 2023, 1999]))]);
        assert_eq!(iamc.remove(&gone).expect("remove"), counts(0, 0, 2), "1999 was not there");
        assert_eq!(lines(&all(&iamc)), [
            "World Primary Energy EJ/yr 2021 2.0",
            "World Primary Energy EJ/yr 2022 3.5",
        ]);
        assert_eq!(iamc.add(&yearly(1)).expect("add"), counts(1, 0, 0), "back again");
        lock.commit().expect("commit");
        verify(&platform);
    }

    fn categorical_points_are_added_updated_and_removed(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let iamc = lock.iamc();
        let points = |value: [f64; 3]| series(vec![
            ("year", integers([2020, 2020, 2021])),
            ("subannual", text(["winter-day", "summer-night", "winter-day"])),
            ("value", floats(value)),
        ]);
        assert_eq!(iamc.add(&points([1.0, 2.0, 3.0])).expect("add"), counts(3, 0, 0));
        assert_eq!(iamc.add(&points([1.0, 2.5, 3.0])).expect("add"), counts(0, 1, 0));
        let batch = all(&iamc);
        assert_eq!(columns(&batch), ["region", "variable", "unit", "year", "subannual", "value"]);
        assert_eq!(lines(&batch), [
            "World Primary Energy EJ/yr 2020 summer-night 2.5",
            "World Primary Energy EJ/yr 2020 winter-day 1.0",
            "World Primary Energy EJ/yr 2021 winter-day 3.0",
        ]);
        let gone = series(vec![("year", integers([2020])), ("subannual", text(["winter-day"]))]);
        assert_eq!(iamc.remove(&gone).expect("remove"), counts(0, 0, 1));
        let unknown = series(vec![("year", integers([2020])), ("subannual", text(["spring"]))]);
        assert_eq!(iamc.remove(&unknown).expect("remove"), counts(0, 0, 0));
        assert_eq!(values(&all(&iamc)), [2.5, 3.0]);
        lock.commit().expect("commit");
        verify(&platform);
    }

    fn datetime_points_are_added_updated_and_removed(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let iamc = lock.iamc();
        // Before 1970, with microseconds, and far in the future.
        let moments = [-86_400_000_000, 1_234_567_890_123_456, 4_102_444_800_000_000];
        let points = |value: [f64; 3]| series(vec![
            ("datetime", Arc::new(TimestampMicrosecondArray::from_iter_values(moments)) as ArrayRef),
            ("value", floats(value)),
        ]);
        assert_eq!(iamc.add(&points([1.0, 2.0, 3.0])).expect("add"), counts(3, 0, 0));
        assert_eq!(iamc.add(&points([1.0, 2.0, -3.0])).expect("add"), counts(0, 1, 0));
        let batch = all(&iamc);
        assert_eq!(columns(&batch), ["region", "variable", "unit", "datetime", "value"]);
        assert_eq!(lines(&batch), [
            "World Primary Energy EJ/yr 1969-12-31T00:00:00 1.0",
            "World Primary Energy EJ/yr 2009-02-13T23:31:30.123456 2.0",
            "World Primary Energy EJ/yr 2100-01-01T00:00:00 -3.0",
        ]);
        let gone = without(&points([0.0; 3]).batch().slice(1, 1).into(), &["value"]);
        assert_eq!(iamc.remove(&gone).expect("remove"), counts(0, 0, 1));
        assert_eq!(values(&all(&iamc)), [1.0, -3.0]);
        lock.commit().expect("commit");
        verify(&platform);
    }

    fn one_frame_may_mix_yearly_categorical_and_datetime_points(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let iamc = lock.iamc();
        let mixed = series(vec![
            ("year", Arc::new(Int64Array::from(vec![Some(2020), Some(2020), None])) as ArrayRef),
            ("subannual", texts([None, Some("winter"), None])),
            ("datetime", Arc::new(TimestampMicrosecondArray::from(vec![None, None, Some(0)]))),
            ("value", ordinals(3)),
        ]);
        assert_eq!(iamc.add(&mixed).expect("add"), counts(3, 0, 0));
        assert_eq!(iamc.add(&mixed).expect("add"), counts(0, 0, 0));
        let batch = all(&iamc);
        assert_eq!(columns(&batch), ["region", "variable", "unit", "year", "subannual", "datetime", "value"]);
        assert_eq!(lines(&batch), [
            "World Primary Energy EJ/yr 2020 - - 1.0",
            "World Primary Energy EJ/yr 2020 winter - 2.0",
            "World Primary Energy EJ/yr - - 1970-01-01T00:00:00 3.0",
        ]);
        // What was read goes in again as it is.
        assert_eq!(iamc.add(&batch.into()).expect("add"), counts(0, 0, 0));
        assert_eq!(iamc.remove(&mixed).expect("remove"), counts(0, 0, 3));
        assert_eq!(columns(&all(&iamc)), ["region", "variable", "unit", "year", "value"], "no rows");
        lock.commit().expect("commit");
        verify(&platform);
    }

    fn a_time_column_holds_years_moments_or_a_mix(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let iamc = lock.iamc();
        let add = |time: ArrayRef| {
            let rows = time.len();
            iamc.add(&series(vec![("time", time), ("value", ordinals(rows))])).expect("add")
        };
        assert_eq!(add(integers([2020])), counts(1, 0, 0));
        assert_eq!(add(floats([2021.0])), counts(1, 0, 0));
        assert_eq!(add(Arc::new(TimestampSecondArray::from_iter_values([0]))), counts(1, 0, 0));
        let mix = ["2022", " 2023 ", "2030-06-17", "2030-06-17 12:30", "2030-06-17T12:30:01.5"];
        assert_eq!(add(text(mix)), counts(5, 0, 0));
        let coded: DictionaryArray<Int32Type> = ["2024", "2031-01-01 00:00:00"].into_iter().collect();
        assert_eq!(add(Arc::new(coded)), counts(2, 0, 0));
        let times: Vec<_> = lines(&all(&iamc))
            .iter()
            .map(|line| line.trim_start_matches("World Primary Energy EJ/yr ").to_owned())
            .collect();
        assert_eq!(times, [
            "2020 - 1.0",
            "2021 - 1.0",
            "2022 - 1.0",
            "2023 - 2.0",
            "2024 - 1.0",
            "- 1970-01-01T00:00:00 1.0",
            "- 2030-06-17T00:00:00 3.0",
            "- 2030-06-17T12:30:00 4.0",
            "- 2030-06-17T12:30:01.500 5.0",
            "- 2031-01-01T00:00:00 2.0",
        ]);
    }

    fn the_same_moment_and_year_are_the_same_point_in_whatever_column(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let iamc = lock.iamc();
        iamc.add(&yearly(1)).expect("add");
        iamc.add(&series(vec![
            ("datetime", Arc::new(TimestampSecondArray::from_iter_values([0])) as ArrayRef),
            ("value", ordinals(1)),
        ])).expect("add");
        let again = series(vec![("time", text(["2020", "1970-01-01T01:00:00+01:00"])), ("value", floats([1.0, 1.0]))]);
        assert_eq!(iamc.add(&again).expect("add"), counts(0, 0, 0));
    }

    fn a_point_is_found_by_its_whole_key(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let iamc = lock.iamc();
        let points = frame(vec![
            ("region", text(["World", "Asia", "World", "World", "World"])),
            ("variable", text(["a", "a", "b", "a", "a"])),
            ("unit", text(["million", "million", "million", "", "million"])),
            ("year", integers([2020, 2020, 2020, 2020, 2021])),
            ("value", ordinals(5)),
        ]);
        assert_eq!(iamc.add(&points).expect("add"), counts(5, 0, 0));
        let one = points.batch().slice(0, 1);
        assert_eq!(iamc.remove(&one.into()).expect("remove"), counts(0, 0, 1));
        assert_eq!(lines(&all(&iamc)), [
            "World a million 2021 5.0",
            "World a - 2020 4.0",
            "World b million 2020 3.0",
            "Asia a million 2020 2.0",
        ]);
    }

    fn runs_do_not_see_each_others_points(database: &Database) {
        let platform = platform(database);
        let (one, other) = (locked(&platform), locked(&platform));
        one.iamc().add(&yearly(3)).expect("add");
        other.iamc().add(&yearly_with(3, "value", floats([7.0, 8.0, 9.0]))).expect("add");
        one.iamc().remove(&yearly(2)).expect("remove");
        assert_eq!(values(&all(&one.iamc())), [3.0]);
        assert_eq!(values(&all(&other.iamc())), [7.0, 8.0, 9.0]);
        one.commit().expect("commit");
        other.commit().expect("commit");
        verify(&platform);
    }

    fn more_rows_than_fit_one_statement_come_back_as_they_were(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let rows = 2_345;
        let value: Vec<f64> = (0..rows).map(|row| f64::from(row) / 7.0 * 1e-300).collect();
        let years = integers((0..i64::from(rows)).rev());
        let points = series(vec![("year", years), ("value", floats(value.clone()))]);
        let mut told = 0;
        let mut progress = |rows| told += rows;
        let options = AddOptions { progress: Some(&mut progress), ..AddOptions::default() };
        assert_eq!(lock.iamc().add_with(&points, options).expect("add"), counts(2_345, 0, 0));
        assert_eq!(told, 2_345, "progress adds up");
        let back: Vec<_> = values(&all(&lock.iamc())).into_iter().rev().collect();
        assert_eq!(back, value);
        assert_eq!(lock.iamc().remove(&points).expect("remove"), counts(0, 0, 2_345));
        lock.commit().expect("commit");
        verify(&platform);
    }

    fn a_frame_without_rows_changes_nothing(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let before = database.row_counts();
        let empty = yearly(1).batch().slice(0, 0);
        assert_eq!(lock.iamc().add(&empty.clone().into()).expect("add"), counts(0, 0, 0));
        assert_eq!(lock.iamc().remove(&empty.into()).expect("remove"), counts(0, 0, 0));
        // What pandas makes of an empty table: columns without a type.
        let untyped = ["region", "variable", "unit", "year", "value"].map(|name| (name, Arc::new(NullArray::new(0)) as ArrayRef));
        assert_eq!(lock.iamc().add(&frame(untyped.into())).expect("add"), counts(0, 0, 0));
        assert_eq!(database.row_counts(), before);
    }

    // ---- unchanged rows ----

    fn adding_the_same_again_writes_nothing(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        lock.iamc().add(&yearly(5)).expect("add");
        let before = database.row_counts();
        assert_eq!(lock.iamc().add(&yearly(5)).expect("add"), counts(0, 0, 0));
        let backwards = series(vec![("year", integers([2024, 2023])), ("value", floats([5.0, 4.0]))]);
        assert_eq!(lock.iamc().add(&backwards).expect("add"), counts(0, 0, 0));
        let part = yearly(5).batch().slice(2, 2);
        assert_eq!(lock.iamc().add(&part.into()).expect("add"), counts(0, 0, 0));
        assert_eq!(lock.iamc().remove(&series(vec![("year", integers([1999]))])).expect("remove"), counts(0, 0, 0));
        assert_eq!(database.row_counts(), before, "no transaction, no version row");
    }

    fn only_rows_that_differ_get_version_rows(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        lock.iamc().add(&yearly(100)).expect("add");
        let mut value: Vec<f64> = (1..=100).map(f64::from).collect();
        value[41] = 0.5;
        lock.iamc().add(&yearly_with(100, "value", floats(value))).expect("add");
        assert_eq!(database.plain().number("SELECT count(*) FROM datapoints_version"), 101);
    }

    fn zeros_with_and_without_sign_are_different_values(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let bits = || values(&all(&lock.iamc())).into_iter().map(f64::to_bits).collect::<Vec<_>>();
        let add = |value: [f64; 2]| lock.iamc().add(&yearly_with(2, "value", floats(value))).expect("add");
        let (plus, minus) = (0.0_f64, -0.0_f64);
        assert_eq!(add([plus, minus]), counts(2, 0, 0));
        assert_eq!(bits(), [plus.to_bits(), minus.to_bits()]);
        lock.checkpoint("before").expect("checkpoint");
        let before = database.row_counts();
        assert_eq!(add([plus, minus]), counts(0, 0, 0));
        assert_eq!(database.row_counts(), before);
        assert_eq!(add([minus, plus]), counts(0, 2, 0));
        assert_eq!(bits(), [minus.to_bits(), plus.to_bits()]);
        let earlier = lock.run().as_of("before").and_then(|view| view.iamc().tabulate(&Filter::all())).expect("as of");
        let earlier: Vec<_> = values(&earlier).into_iter().map(f64::to_bits).collect();
        assert_eq!(earlier, [plus.to_bits(), minus.to_bits()]);
        assert_eq!(lock.revert_to("before").expect("revert"), counts(0, 2, 0));
        assert_eq!(bits(), [plus.to_bits(), minus.to_bits()]);
        lock.commit().expect("commit");
        verify(&platform);
    }

    fn floats_come_back_bit_by_bit(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let value = [
            f64::MIN_POSITIVE, f64::from_bits(1), -f64::from_bits(1), f64::MAX, f64::MIN, f64::EPSILON,
            0.1 + 0.2, 1.0 / 3.0, 9_007_199_254_740_993.0, 1e23, 5e-324, 123_456_789.0,
        ];
        lock.iamc().add(&yearly_with(value.len(), "value", floats(value))).expect("add");
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&values(&all(&lock.iamc()))), bits(&value));
        lock.checkpoint("before").expect("checkpoint");
        lock.iamc().add(&yearly_with(value.len(), "value", floats([2.0; 12]))).expect("add");
        assert_eq!(lock.revert_to("before").expect("revert"), counts(0, 12, 0));
        assert_eq!(bits(&values(&all(&lock.iamc()))), bits(&value));
    }

    // ---- types of columns ----

    fn names_may_come_in_any_text_type(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let names = ["World", "Asia", "World"];
        let coded: DictionaryArray<Int8Type> = names.into_iter().collect();
        let large: ArrayRef = Arc::new(LargeStringArray::from_iter_values(names));
        let view: ArrayRef = Arc::new(StringViewArray::from_iter_values(names));
        let dictionary = |values: DataType| {
            let data_type = DataType::Dictionary(Box::new(DataType::Int32), Box::new(values));
            cast(&text(names), &data_type).unwrap_or_else(|_| {
                // Arrow builds no dictionary of views by casting.
                let values: ArrayRef = Arc::new(StringViewArray::from_iter_values(["World", "Asia"]));
                Arc::new(DictionaryArray::<Int32Type>::new(Int32Array::from(vec![0, 1, 0]), values))
            })
        };
        lock.iamc().add(&yearly_with(3, "region", text(names))).expect("add");
        for (what, array) in [
            ("dictionary", Arc::new(coded) as ArrayRef),
            ("large", large),
            ("view", view),
            ("dictionary of large", dictionary(DataType::LargeUtf8)),
            ("dictionary of views", dictionary(DataType::Utf8View)),
        ] {
            assert_eq!(array.len(), 3);
            let same = yearly_with(3, "region", array);
            assert_eq!(lock.iamc().add(&same).unwrap_or_else(|error| panic!("{what}: {error}")), counts(0, 0, 0), "{what}");
        }
        // Values of a dictionary that no row uses need not exist.
        let values: ArrayRef = Arc::new(StringArray::from(vec!["Atlantis", "World"]));
        let unused = DictionaryArray::<Int8Type>::new(Int8Array::from(vec![1, 1, 1]), values);
        lock.iamc().add(&yearly_with(3, "region", Arc::new(unused))).expect("add");
    }

    fn subannual_may_come_in_any_text_type(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let parts = ["winter", "summer"];
        let coded: DictionaryArray<Int8Type> = parts.into_iter().collect();
        lock.iamc().add(&yearly_with(2, "subannual", text(parts))).expect("add");
        for array in [
            Arc::new(coded) as ArrayRef,
            Arc::new(LargeStringArray::from_iter_values(parts)),
            Arc::new(StringViewArray::from_iter_values(parts)),
        ] {
            assert_eq!(lock.iamc().add(&yearly_with(2, "subannual", array)).expect("add"), counts(0, 0, 0));
        }
    }

    fn years_may_come_in_any_width_and_as_whole_floats(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let year: Vec<i64> = vec![100, 101];
        lock.iamc().add(&series(vec![("year", integers(year.clone())), ("value", ordinals(2))])).expect("add");
        let narrow = |data_type: DataType| cast(&integers(year.clone()), &data_type).expect("a cast");
        let mut arrays: Vec<ArrayRef> = [
            DataType::Int8, DataType::Int16, DataType::Int32, DataType::Int64,
            DataType::UInt8, DataType::UInt16, DataType::UInt32, DataType::UInt64,
            DataType::Float16, DataType::Float32, DataType::Float64,
        ].into_iter().map(narrow).collect();
        let coded = DictionaryArray::<Int8Type>::new(Int8Array::from(vec![0, 1]), integers(year.clone()));
        arrays.push(Arc::new(coded));
        for array in arrays {
            let data_type = array.data_type().clone();
            let same = series(vec![("year", array), ("value", ordinals(2))]);
            let added = lock.iamc().add(&same).unwrap_or_else(|error| panic!("{data_type}: {error}"));
            assert_eq!(added, counts(0, 0, 0), "{data_type}");
        }
    }

    fn values_may_come_in_any_numeric_type(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        lock.iamc().add(&yearly_with(2, "value", floats([1.0, 100.0]))).expect("add");
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(Int8Array::from(vec![1, 100])),
            Arc::new(Int16Array::from(vec![1, 100])),
            Arc::new(Int32Array::from(vec![1, 100])),
            Arc::new(Int64Array::from(vec![1, 100])),
            Arc::new(UInt8Array::from(vec![1, 100])),
            Arc::new(UInt16Array::from(vec![1, 100])),
            Arc::new(UInt32Array::from(vec![1, 100])),
            Arc::new(UInt64Array::from(vec![1, 100])),
            cast(&floats([1.0, 100.0]), &DataType::Float16).expect("a cast"),
            Arc::new(Float32Array::from(vec![1.0, 100.0])),
            cast(&floats([1.0, 100.0]), &DataType::Decimal128(10, 2)).expect("a cast"),
            Arc::new(DictionaryArray::<Int8Type>::new(Int8Array::from(vec![0, 1]), floats([1.0, 100.0]))),
        ];
        for array in arrays {
            let data_type = array.data_type().clone();
            let added = lock.iamc().add(&yearly_with(2, "value", array))
                .unwrap_or_else(|error| panic!("{data_type}: {error}"));
            assert_eq!(added, counts(0, 0, 0), "{data_type}");
        }
    }

    fn columns_of_another_type_are_refused(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let booleans: ArrayRef = Arc::new(BooleanArray::from(vec![true, false]));
        for (column, array, parts) in [
            ("region", integers([1, 2]), ["column \"region\" must hold text", "Int64"]),
            ("variable", floats([1.0, 2.0]), ["column \"variable\" must hold text", "Float64"]),
            ("unit", Arc::new(NullArray::new(2)), ["column \"unit\" must hold text", "Null"]),
            ("year", text(["2020", "2021"]), ["column \"year\" must hold whole years", "Utf8"]),
            ("year", Arc::clone(&booleans), ["column \"year\" must hold whole years", "Boolean"]),
            ("value", text(["1", "2"]), ["column \"value\" must hold numbers", "Utf8"]),
            ("value", booleans, ["column \"value\" must hold numbers", "Boolean"]),
            ("value", Arc::new(NullArray::new(2)), ["column \"value\"", ""]),
            ("subannual", integers([1, 2]), ["column \"subannual\" must hold text", "Int64"]),
        ] {
            assert_says(&refused(database, &lock, &yearly_with(2, column, array)), &parts);
        }
        let datetime = |array| series(vec![("datetime", array), ("value", ordinals(1))]);
        assert_says(&refused(database, &lock, &datetime(text(["2030-01-01"]))), &["to_datetime", "\"time\""]);
        assert_says(&refused(database, &lock, &datetime(integers([1]))), &["must hold dates and times"]);
    }

    // ---- filters and order ----

    fn filters_select_by_name_pattern_list_and_year(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let mut points = Vec::new();
        for region in ["World", "Africa", "Asia"] {
            for variable in ["Primary Energy", "Primary Energy|Coal", "Population"] {
                for year in [2020, 2030] {
                    let unit = if variable == "Population" { "million" } else { "EJ/yr" };
                    points.push((region, variable, unit, year, 1.0));
                }
            }
        }
        lock.iamc().add(&Frame::yearly(points)).expect("add");
        let found = |filter: Filter| lock.iamc().tabulate(&filter).expect("tabulate").num_rows();
        let f = Filter::all;
        for (filter, rows) in [
            (f(), 18),
            (f().region(["World"]), 6),
            (f().region(["World", "Asia"]), 12),
            (f().region(["A*"]), 12),
            (f().region(["*a"]), 12),
            (f().region(["world"]), 0),
            (f().region(["Atlantis"]), 0),
            (f().region(Vec::<String>::new()), 0),
            (f().variable(["Primary Energy"]), 6),
            (f().variable(["Primary Energy*"]), 12),
            (f().variable(["*Coal", "Population"]), 12),
            (f().variable(["*|*"]), 6),
            (f().variable(["*"]), 18),
            (f().variable(["%"]), 0),
            (f().variable(["Primary_Energy"]), 0),
            (f().unit(["million"]), 6),
            (f().unit(["EJ*"]), 12),
            (f().unit([""]), 0),
            (f().year([2020]), 9),
            (f().year([2020, 2030, 1999]), 18),
            (f().year([1999]), 0),
            (f().year([]), 0),
            (f().year(0..70_000), 18),
            (f().region(["A*"]).variable(["*Coal"]).unit(["EJ/yr"]).year([2030]), 2),
        ] {
            assert_eq!(found(filter.clone()), rows, "{filter:?}");
        }
        // Also in a frame with many names.
        let many: Vec<String> = (0..40_000).map(|n| format!("region {n}")).chain(["World".into()]).collect();
        assert_eq!(found(f().region(many)), 6);
    }

    fn the_year_filter_selects_categorical_points_and_no_moments(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        lock.iamc().add(&yearly(2)).expect("add");
        lock.iamc().add(&yearly_with(2, "subannual", text(["winter", "winter"]))).expect("add");
        lock.iamc().add(&series(vec![
            // 2020 microseconds after 1970.
            ("datetime", Arc::new(TimestampMicrosecondArray::from_iter_values([2020])) as ArrayRef),
            ("value", ordinals(1)),
        ])).expect("add");
        let found = lock.iamc().tabulate(&Filter::all().year([2020])).expect("tabulate");
        assert_eq!(lines(&found), [
            "World Primary Energy EJ/yr 2020 - 1.0",
            "World Primary Energy EJ/yr 2020 winter 1.0",
        ]);
    }

    fn the_order_of_rows_does_not_depend_on_how_they_came_in(database: &Database) {
        let platform = platform(database);
        let points = |order: &[usize]| {
            let all = [
                ("World", "b", "EJ/yr", 2030, 1.0),
                ("Asia", "b", "EJ/yr", 2020, 2.0),
                ("World", "a", "million", 2020, 3.0),
                ("World", "a", "EJ/yr", 2020, 4.0),
                ("World", "b", "EJ/yr", 2020, 5.0),
            ];
            Frame::yearly(order.iter().map(|position| all[*position]))
        };
        let (one, other) = (locked(&platform), locked(&platform));
        one.iamc().add(&points(&[0, 1, 2, 3, 4])).expect("add");
        other.iamc().add(&points(&[4, 2])).expect("add");
        other.iamc().add(&points(&[3, 1, 0])).expect("add");
        let expected = lines(&all(&one.iamc()));
        assert_eq!(lines(&all(&other.iamc())), expected);
        assert_eq!(lines(&all(&one.iamc())), expected, "and stays");
        let as_of = other.run().as_of(other.run().last_transaction().expect("id")).and_then(|view| view.iamc().tabulate(&Filter::all()));
        assert_eq!(lines(&as_of.expect("as of")), expected);
    }

    // ---- values that are refused ----

    fn nan_infinity_and_missing_values_are_refused_with_their_rows(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let value = |array| yearly_with(4, "value", array);
        let nan = floats([1.0, f64::NAN, 3.0, f64::NAN]);
        assert_says(&refused(database, &lock, &value(nan)), &["column \"value\" has NaN or infinity in rows 1, 3"]);
        let infinite = floats([f64::INFINITY, 2.0, 3.0, f64::NEG_INFINITY]);
        assert_says(&refused(database, &lock, &value(infinite)), &["NaN or infinity in rows 0, 3"]);
        let missing: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), None, Some(3.0), Some(4.0)]));
        assert_says(&refused(database, &lock, &value(missing)), &["missing values (NaN or null) in row 1"]);
        let single: ArrayRef = Arc::new(Float32Array::from(vec![1.0, 2.0, f32::NAN, 4.0]));
        assert_says(&refused(database, &lock, &value(single)), &["NaN or infinity in row 2"]);
    }

    fn many_bad_rows_are_counted_and_the_first_ones_named(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let error = refused(database, &lock, &yearly_with(25, "value", floats([f64::NAN; 25])));
        assert_says(&error, &["in rows 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 15 more"]);
    }

    fn missing_names_and_times_are_refused_with_their_rows(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        for column in ["region", "variable", "unit"] {
            let error = refused(database, &lock, &yearly_with(3, column, texts([Some("World"), None, None])));
            assert_says(&error, &[&format!("column \"{column}\" has missing values"), "rows 1, 2"]);
        }
        let years: ArrayRef = Arc::new(Int64Array::from(vec![Some(2020), None, Some(2021)]));
        assert_says(&refused(database, &lock, &yearly_with(3, "year", years)), &["no time (missing values) in row 1"]);
        let years = floats([2020.0, 2021.0, f64::NAN]);
        assert_says(&refused(database, &lock, &yearly_with(3, "year", years)), &["no time (missing values) in row 2"]);
        let none: ArrayRef = Arc::new(NullArray::new(3));
        assert_says(&refused(database, &lock, &yearly_with(3, "year", none)), &["no time", "rows 0, 1, 2"]);
        let time = series(vec![("time", texts([Some("2020"), None, Some("")])), ("value", ordinals(3))]);
        assert_says(&refused(database, &lock, &time), &["no time", "rows 1, 2"]);
    }

    fn integers_that_a_float_cannot_hold_are_refused_with_their_rows(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let exact = 1_i64 << 53;
        let value = |array| yearly_with(3, "value", array);
        lock.iamc().add(&value(integers([exact, -exact, 1 << 60]))).expect("exact");
        assert_eq!(values(&all(&lock.iamc())), [9_007_199_254_740_992.0, -9_007_199_254_740_992.0, 1_152_921_504_606_846_976.0]);
        for array in [
            integers([exact, exact + 1, 0]),
            integers([0, -exact - 1, 0]),
            integers([0, i64::MAX, 0]),
            Arc::new(UInt64Array::from(vec![0, (1 << 53) + 1, 0])) as ArrayRef,
            Arc::new(UInt64Array::from(vec![0, u64::MAX, 1 << 60])),
        ] {
            let error = refused(database, &lock, &value(Arc::clone(&array)));
            assert_says(&error, &["integers that a 64-bit float cannot hold exactly, in row 1"]);
            assert!(!error.contains("rows"), "{array:?}: {error}");
        }
    }

    fn years_that_are_none_are_refused_with_their_rows(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let year = |array| refused(database, &lock, &yearly_with(3, "year", array));
        assert_says(&year(floats([2020.0, 2020.5, 2021.0])), &["years that are not whole numbers, in row 1"]);
        assert_says(&year(floats([2020.0, 2021.0, f64::INFINITY])), &["years that are not whole numbers, in row 2"]);
        assert_says(&year(floats([1e300, 2021.0, 2022.0])), &["years that are not whole numbers, in row 0"]);
        let too_big: ArrayRef = Arc::new(UInt64Array::from(vec![2020, u64::MAX, 2021]));
        assert_says(&year(too_big), &["column \"year\"", "do not fit", "row 1"]);
    }

    // ---- columns that are refused ----

    fn missing_columns_are_all_named(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let error = refused(database, &lock, &without(&yearly(1), &["region", "unit", "value"]));
        assert_says(&error, &["missing columns: region, unit, value"]);
        let error = refused(database, &lock, &without(&yearly(1), &["variable", "year"]));
        assert_says(&error, &["missing columns: variable", "no time column: year, year and subannual, datetime, or time"]);
        let error = refused(database, &lock, &without(&yearly_with(1, "subannual", text(["winter"])), &["year"]));
        assert_says(&error, &["no time column"]);
        let error = refused_to_remove(database, &lock, &without(&yearly(1), &["region", "value"]));
        assert_says(&error, &["missing columns: region"]);
    }

    fn unknown_columns_are_all_named(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let mut columns: Vec<(&str, ArrayRef)> = vec![("year", integers([2020])), ("value", ordinals(1))];
        columns.extend([("note", text(["x"])), ("source", text(["y"]))]);
        assert_says(&refused(database, &lock, &series(columns)), &["unknown columns: note, source"]);
        let upper = frame(vec![
            ("Region", text(["World"])), ("Variable", text(["a"])), ("Unit", text([""])),
            ("Year", integers([2020])), ("Value", ordinals(1)),
        ]);
        assert_says(&refused(database, &lock, &upper), &["names of columns are in lower case"]);
    }

    fn a_wide_frame_is_refused_with_a_hint(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let wide = series(vec![("2020", ordinals(1)), ("2030", ordinals(1))]);
        assert_says(&refused(database, &lock, &wide), &["unknown columns: 2020, 2030", "wide format", "melt it", "stratalog import"]);
    }

    fn a_column_that_is_there_twice_is_refused(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let twice = series(vec![("year", integers([2020])), ("value", ordinals(1)), ("value", floats([2.0]))]);
        assert_says(&refused(database, &lock, &twice), &["the column value is there twice"]);
        let time = series(vec![("year", integers([2020])), ("time", text(["2020"])), ("value", ordinals(1))]);
        assert_says(&refused(database, &lock, &time), &["a time column beside year or datetime"]);
    }

    fn two_times_in_one_row_are_refused(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let moments: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![None, Some(0)]));
        let both = series(vec![("year", integers([2020, 2021])), ("datetime", Arc::clone(&moments)), ("value", ordinals(2))]);
        assert_says(&refused(database, &lock, &both), &["more than one time (year, subannual, datetime) in row 1"]);
        let part = series(vec![
            ("datetime", moments.slice(1, 1)), ("subannual", text(["winter"])), ("value", ordinals(1)),
        ]);
        assert_says(&refused(database, &lock, &part), &["more than one time"]);
    }

    // ---- names ----

    fn unknown_regions_and_units_are_all_named_with_how_to_create_them(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let points = frame(vec![
            ("region", text(["Atlantis", "World", "world", "Mu"])),
            ("variable", text(["new 1", "new 2", "new 3", "new 4"])),
            ("unit", text(["EJ/yr", "EJ", "furlong", "million"])),
            ("year", integers([2020; 4])),
            ("value", ordinals(4)),
        ]);
        let error = database.refused(|| lock.iamc().add(&points));
        assert!(matches!(error, Error::UnknownNames { .. }));
        assert!(error.is_invalid_input());
        assert_says(&error.to_string(), &[
            "nothing was written",
            "unknown regions \"Atlantis\", \"world\" (did you mean \"World\"?), \"Mu\"",
            "platform.regions.create(\"Atlantis\")",
            "unknown units \"EJ\", \"furlong\"",
            "platform.units.create(\"EJ\")",
            "--create",
        ]);
        assert!(platform.variables().list().expect("list").is_empty(), "nor were variables made");
    }

    fn missing_regions_and_units_are_made_when_asked_for(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let points = Frame::yearly([
            ("Atlantis", "Population", "thousand", 2020, 1.0),
            ("World", "Population", "million", 2020, 2.0),
        ]);
        let options = || AddOptions { create_missing: true, ..AddOptions::default() };
        assert_eq!(lock.iamc().add_with(&points, options()).expect("add"), counts(2, 0, 0));
        assert_eq!(platform.regions().get("Atlantis").expect("made").hierarchy.as_deref(), Some("common"));
        platform.units().get("thousand").expect("made");
        assert_eq!(lock.iamc().add_with(&points, options()).expect("add"), counts(0, 0, 0));
        let log = lock.run().log().expect("log");
        assert_eq!(log.len(), 1, "names and points are one transaction");
        let tables: Vec<_> = log[0].changes.iter().map(|(table, counts)| (table.as_str(), counts.inserted)).collect();
        assert_eq!(tables, [("regions", 1), ("units", 1), ("variables", 1), ("datapoints", 2)]);
        lock.commit().expect("commit");
        verify(&platform);
    }

    fn what_cannot_be_made_is_refused(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        for (column, name, problem) in [
            ("region", " Atlantis", "region name \" Atlantis\" cannot be used: it begins or ends with a blank"),
            ("region", "", "region name \"\" cannot be used: it is empty"),
            ("variable", "", "variable name \"\" cannot be used: it is empty"),
            ("unit", "km ", "unit name \"km \" cannot be used"),
        ] {
            let points = yearly_with(2, column, text(["World", name]));
            let error = database.refused(|| {
                lock.iamc().add_with(&points, AddOptions { create_missing: true, ..AddOptions::default() })
            });
            assert!(error.is_invalid_input());
            assert_says(&error.to_string(), &[problem]);
        }
    }

    fn a_deleted_variable_comes_back_with_its_old_id(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        lock.iamc().add(&yearly(1)).expect("add");
        let id = platform.variables().get("Primary Energy").expect("variable").id;
        lock.iamc().remove(&yearly(1)).expect("remove");
        platform.variables().delete("Primary Energy").expect("delete");
        lock.iamc().add(&yearly(1)).expect("add");
        assert_eq!(platform.variables().get("Primary Energy").expect("variable").id, id);
        lock.commit().expect("commit");
        verify(&platform);
    }

    // ---- duplicates ----

    fn the_same_point_twice_is_refused_with_its_rows(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let twice = series(vec![("year", integers([2020, 2021, 2020, 2022, 2022])), ("value", floats([1.0; 5]))]);
        assert_says(&refused(database, &lock, &twice), &[
            "the same point more than once, in rows 0, 2, 3, 4",
            "region \"World\", variable \"Primary Energy\", unit \"EJ/yr\"",
        ]);
        assert_says(&refused_to_remove(database, &lock, &twice), &["in rows 0, 2, 3, 4"]);
        let year = yearly_with(2, "subannual", texts([Some("Year"), None]));
        let year = frame(vec![
            ("region", text(["World", "World"])), ("variable", text(["a", "a"])), ("unit", text(["", ""])),
            ("year", integers([2020, 2020])), ("subannual", Arc::clone(year.batch().column_by_name("subannual").expect("column"))),
            ("value", ordinals(2)),
        ]);
        assert_says(&refused(database, &lock, &year), &["in rows 0, 1"]);
        let moment = series(vec![("time", text(["2030-01-01T00:00:00Z", "2030-01-01T01:00:00+01:00"])), ("value", ordinals(2))]);
        assert_says(&refused(database, &lock, &moment), &["the same point more than once, in rows 0, 1"]);
    }

    // ---- columns that name the run ----

    fn columns_that_name_this_run_are_accepted(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let with = |version: ArrayRef| series(vec![
            ("model", text(["m", "m"])),
            ("scenario", text(["s", "s"])),
            ("version", version),
            ("year", integers([2020, 2021])),
            ("value", ordinals(2)),
        ]);
        assert_eq!(lock.iamc().add(&with(integers([1, 1]))).expect("add"), counts(2, 0, 0));
        let coded: DictionaryArray<Int8Type> = ["m", "m"].into_iter().collect();
        lock.iamc().add(&yearly_with(2, "model", Arc::new(coded))).expect("add");
        for version in [
            floats([1.0, 1.0]),
            text(["1", "1"]),
            Arc::new(Int32Array::from(vec![1, 1])) as ArrayRef,
            Arc::new(UInt64Array::from(vec![1, 1])),
        ] {
            let data_type = version.data_type().clone();
            let added = lock.iamc().add(&with(version)).unwrap_or_else(|error| panic!("{data_type}: {error}"));
            assert_eq!(added, counts(0, 0, 0));
        }
        assert_eq!(lock.iamc().remove(&with(integers([1, 1]))).expect("remove"), counts(0, 0, 2));
    }

    fn columns_that_name_another_run_are_refused_with_their_rows(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        for (column, array, parts) in [
            ("model", text(["m", "M", "m"]), ["column \"model\" names another run (\"M\" instead of \"m\")", "in row 1"]),
            ("scenario", text(["s", "t", "t"]), ["column \"scenario\" names another run (\"t\" instead of \"s\")", "in rows 1, 2"]),
            ("version", integers([2, 1, 1]), ["column \"version\" names another run (\"2\" instead of \"1\")", "in row 0"]),
            ("version", floats([1.0, 1.5, 1.0]), ["(\"1.5\" instead of \"1\")", "in row 1"]),
            ("model", texts([Some("m"), None, Some("m")]), ["(\"nothing\" instead of \"m\")", "in row 1"]),
        ] {
            let other = yearly_with(3, column, array);
            assert_says(&refused(database, &lock, &other), &parts);
            assert_says(&refused_to_remove(database, &lock, &other), &parts);
        }
    }

    // ---- text and time ----

    fn text_with_nul_is_refused_with_its_rows(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        for column in ["region", "variable", "unit", "subannual"] {
            let error = refused(database, &lock, &yearly_with(2, column, text(["World", "a\0b"])));
            assert_says(&error, &[&format!("column \"{column}\" has text with a NUL character in row 1")]);
        }
    }

    fn odd_names_come_back_as_they_were(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let names = ["a\tb", "a\nb\\N", "\"quoted\", 'so'", "☃ Ünïcode", "100 %", "$1; DROP TABLE runs", "{1,2}"];
        let mut names: Vec<&str> = names.into();
        names.sort_unstable();
        let rows = names.len();
        lock.iamc().add(&yearly_with(rows, "variable", text(names.clone()))).expect("add");
        let parts = yearly_with(rows, "subannual", text(names.clone()));
        lock.iamc().add(&parts).expect("add");
        let found = lock.iamc().tabulate(&Filter::all().variable(["Primary Energy"])).expect("tabulate");
        let found: Vec<_> = found.column_by_name("subannual").expect("column").as_string::<i32>().iter().flatten().map(str::to_owned).collect();
        assert_eq!(found, names);
        for name in names {
            assert_eq!(lock.iamc().tabulate(&Filter::all().variable([name])).expect("tabulate").num_rows(), 1, "{name:?}");
        }
    }

    fn nanoseconds_that_do_not_fit_microseconds_are_refused_with_their_rows(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let at = |nanoseconds: [i64; 2]| series(vec![
            ("datetime", Arc::new(TimestampNanosecondArray::from_iter_values(nanoseconds)) as ArrayRef),
            ("value", ordinals(2)),
        ]);
        assert_eq!(lock.iamc().add(&at([1_000, -2_000])).expect("add"), counts(2, 0, 0));
        assert_says(&refused(database, &lock, &at([1_000, 1_001])), &["nanoseconds, which do not fit", "in row 1"]);
        assert_says(&refused(database, &lock, &at([-1, 2_000])), &["in row 0"]);
        let text = series(vec![("time", text(["2030-01-01 00:00:00.123456", "2030-01-01 00:00:00.1234567"])), ("value", ordinals(2))]);
        assert_says(&refused(database, &lock, &text), &["nanoseconds, which do not fit", "in row 1"]);
    }

    fn moments_of_any_unit_are_the_same_moment(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let at = |array: ArrayRef| series(vec![("datetime", array), ("value", ordinals(1))]);
        let day = 86_400;
        lock.iamc().add(&at(Arc::new(TimestampSecondArray::from_iter_values([day])))).expect("add");
        for array in [
            Arc::new(TimestampMillisecondArray::from_iter_values([day * 1_000])) as ArrayRef,
            Arc::new(TimestampMicrosecondArray::from_iter_values([day * 1_000_000])),
            Arc::new(TimestampNanosecondArray::from_iter_values([day * 1_000_000_000])),
            Arc::new(Date32Array::from_iter_values([1])),
            Arc::new(DictionaryArray::<Int8Type>::new(
                Int8Array::from(vec![0]),
                Arc::new(TimestampSecondArray::from_iter_values([day])),
            )),
        ] {
            let data_type = array.data_type().clone();
            let added = lock.iamc().add(&at(array)).unwrap_or_else(|error| panic!("{data_type}: {error}"));
            assert_eq!(added, counts(0, 0, 0), "{data_type}");
        }
        let too_far = at(Arc::new(TimestampSecondArray::from_iter_values([i64::MAX])));
        assert_says(&refused(database, &lock, &too_far), &["column \"datetime\""]);
    }

    fn moments_with_a_zone_are_converted_to_utc(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        for zone in ["+02:00", "UTC", "Europe/Berlin"] {
            // The number is the moment in UTC already; the zone says how to show it.
            let moments = TimestampMicrosecondArray::from_iter_values([0]).with_timezone(zone);
            let points = series(vec![("datetime", Arc::new(moments) as ArrayRef), ("value", ordinals(1))]);
            lock.iamc().add(&points).unwrap_or_else(|error| panic!("{zone}: {error}"));
        }
        let batch = all(&lock.iamc());
        assert_eq!(lines(&batch), ["World Primary Energy EJ/yr 1970-01-01T00:00:00 1.0"]);
        let text = series(vec![("time", text(["1970-01-01T02:00:00+02:00", "1970-01-01 00:30:00-01:00"])), ("value", ordinals(2))]);
        assert_eq!(lock.iamc().add(&text).expect("add"), counts(1, 0, 0));
        assert_eq!(lines(&all(&lock.iamc())).last().map(String::as_str), Some("World Primary Energy EJ/yr 1970-01-01T01:30:00 2.0"));
    }

    fn times_with_and_without_a_zone_together_are_refused(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let times = series(vec![("time", text(["2030-01-01T00:00:00Z", "2020", "2031-01-01 00:00"])), ("value", ordinals(3))]);
        assert_says(&refused(database, &lock, &times), &["with and without a time zone: it is missing, in row 2"]);
    }

    fn text_that_is_no_time_is_refused_with_its_rows(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        for bad in ["soon", "2030-13-01", "2030-02-30", "12:00", "2030.5", "2030-01-01 25:00", "30/01/2030"] {
            let times = series(vec![("time", text(["2030", bad])), ("value", ordinals(2))]);
            assert_says(&refused(database, &lock, &times), &["column \"time\" has what is neither a year nor a date and time, in row 1"]);
        }
    }

    fn subannual_year_means_none(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let points = yearly_with(4, "subannual", texts([Some("Year"), None, Some(""), Some("winter")]));
        assert_eq!(lock.iamc().add(&points).expect("add"), counts(4, 0, 0));
        assert_eq!(lock.iamc().add(&yearly(3)).expect("add"), counts(0, 0, 0), "they are yearly points");
        let none = yearly_with(2, "subannual", Arc::new(NullArray::new(2)));
        assert_eq!(lock.iamc().add(&none).expect("add"), counts(0, 0, 0));
    }

    // ---- options, locks ----

    fn the_type_option_refuses_points_of_another_type_with_their_rows(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let of = |point_type| AddOptions { point_type: Some(point_type), ..AddOptions::default() };
        let part = yearly_with(3, "subannual", texts([None, Some("winter"), None]));
        let moment = series(vec![
            ("datetime", Arc::new(TimestampSecondArray::from_iter_values([0])) as ArrayRef), ("value", ordinals(1)),
        ]);
        for (frame, point_type, parts) in [
            (&part, PointType::Yearly, ["not yearly, as the type says", "in row 1"]),
            (&part, PointType::Categorical, ["not categorical, as the type says", "in rows 0, 2"]),
            (&part, PointType::Datetime, ["not datetime, as the type says", "in rows 0, 1, 2"]),
            (&moment, PointType::Yearly, ["not yearly, as the type says", "in row 0"]),
        ] {
            assert_says(&refused_with(database, &lock, frame, of(point_type)), &parts);
            let error = database.refused(|| lock.iamc().remove_with(frame, of(point_type)));
            assert_says(&error.to_string(), &parts);
        }
        assert_eq!(lock.iamc().add_with(&yearly(2), of(PointType::Yearly)).expect("add"), counts(2, 0, 0));
        assert_eq!(lock.iamc().add_with(&moment, of(PointType::Datetime)).expect("add"), counts(1, 0, 0));
        let winter = yearly_with(1, "subannual", text(["winter"]));
        assert_eq!(lock.iamc().add_with(&winter, of(PointType::Categorical)).expect("add"), counts(1, 0, 0));
        for (word, point_type) in [
            ("yearly", PointType::Yearly), ("annual", PointType::Yearly),
            ("Categorical", PointType::Categorical), ("datetime", PointType::Datetime),
        ] {
            assert_eq!(word.parse::<PointType>().expect(word), point_type);
        }
        let error = "monthly".parse::<PointType>().expect_err("no type").to_string();
        assert_says(&error, &["unknown type \"monthly\"", "yearly (or annual), categorical or datetime"]);
    }

    fn writing_needs_the_lock(database: &Database) {
        let platform = platform(database);
        let run = platform.runs().create("m", "s").expect("run");
        let lock = run.lock("data").expect("lock");
        lock.iamc().add(&yearly(1)).expect("add");
        // Also while the lock is held, by whom ever: it is the guard that may write.
        for error in [
            database.refused(|| run.iamc().add(&yearly(2))),
            database.refused(|| run.iamc().remove(&yearly(1))),
        ] {
            assert!(error.is_lock_required(), "{error}");
            assert_says(&error.to_string(), &["run m / s, version 1 is not locked by you", "transact", "run.lock("]);
        }
        lock.commit().expect("commit");
        let error = database.refused(|| run.iamc().add(&yearly(2)));
        assert!(error.is_lock_required());
    }

    fn removing_needs_no_values_and_does_not_look_at_them(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        lock.iamc().add(&yearly(2)).expect("add");
        let wild = yearly_with(2, "value", text(["not", "looked at"]));
        assert_eq!(lock.iamc().remove(&wild).expect("remove"), counts(0, 0, 2));
    }

    fn removing_what_has_an_unknown_name_is_refused(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        lock.iamc().add(&yearly(1)).expect("add");
        for (column, name, part) in [
            ("region", "Wrold", "unknown regions \"Wrold\""),
            ("variable", "Primary Energi", "unknown variables \"Primary Energi\" (did you mean \"Primary Energy\"?)"),
            ("unit", "furlong", "unknown units \"furlong\""),
        ] {
            assert_says(&refused_to_remove(database, &lock, &yearly_with(1, column, text([name]))), &[part]);
        }
    }

    // ---- earlier states ----

    fn points_are_seen_as_they_were(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        let run: &Run = lock.run();
        lock.iamc().add(&yearly(3)).expect("add");
        let first = lock.checkpoint("first").expect("checkpoint");
        lock.iamc().add(&series(vec![("year", integers([2021, 2030])), ("value", floats([-2.0, 9.0]))])).expect("add");
        let second = run.last_transaction().expect("id");
        lock.iamc().remove(&yearly(1)).expect("remove");
        lock.checkpoint("last").expect("checkpoint");

        let as_of = |target: stratalog::Target| {
            values(&run.as_of(target).and_then(|view| view.iamc().tabulate(&Filter::all())).expect("as of"))
        };
        assert_eq!(as_of(TransactionId::BEFORE_FIRST.into()), [0.0; 0]);
        assert_eq!(as_of("first".into()), [1.0, 2.0, 3.0]);
        assert_eq!(as_of(first.id.into()), [1.0, 2.0, 3.0]);
        assert_eq!(as_of((&first).into()), [1.0, 2.0, 3.0]);
        assert_eq!(as_of(second.into()), [1.0, -2.0, 3.0, 9.0]);
        assert_eq!(as_of("last".into()), [-2.0, 3.0, 9.0]);
        assert_eq!(values(&all(&run.iamc())), [-2.0, 3.0, 9.0]);

        let filter = Filter::all().region(["W*"]).year([2021]);
        let found = run.as_of("first").and_then(|view| view.iamc().tabulate(&filter)).expect("as of");
        assert_eq!(lines(&found), ["World Primary Energy EJ/yr 2021 2.0"]);

        let error = run.as_of("frist").and_then(|view| view.iamc().tabulate(&Filter::all())).expect_err("no such checkpoint");
        assert!(error.is_checkpoint_not_found());
        assert_says(&error.to_string(), &["\"first\"", "\"last\""]);
        let error = run.as_of(TransactionId(9_999)).and_then(|view| view.iamc().tabulate(&Filter::all())).expect_err("no such transaction");
        assert_says(&error.to_string(), &["transaction 9999 is not one of run m / s, version 1"]);
    }

    fn names_deleted_since_are_still_shown_in_earlier_states(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        lock.iamc().add(&yearly_with(1, "region", text(["Asia"]))).expect("add");
        lock.checkpoint("before").expect("checkpoint");
        lock.iamc().remove(&yearly_with(1, "region", text(["Asia"]))).expect("remove");
        platform.regions().delete("Asia").expect("delete");
        let found = lock.run().as_of("before").and_then(|view| view.iamc().tabulate(&Filter::all())).expect("as of");
        assert_eq!(lines(&found), ["Asia Primary Energy EJ/yr 2020 1.0"]);
        let found = lock.run().as_of("before").and_then(|view| view.iamc().tabulate(&Filter::all().region(["Asia"]))).expect("as of");
        assert_eq!(lines(&found), ["Asia Primary Energy EJ/yr 2020 1.0"], "and can be asked for");
        let difference = lock.run().diff("before", None).and_then(|diff| diff.points()).expect("difference");
        assert_eq!(lines(&difference), ["delete Asia Primary Energy EJ/yr 2020 1.0 -"]);
    }

    fn two_states_are_compared_point_by_point(database: &Database) {
        let platform = platform(database);
        let lock = locked(&platform);
        lock.iamc().add(&yearly(3)).expect("add");
        lock.checkpoint("first").expect("checkpoint");
        lock.iamc().add(&series(vec![("year", integers([2021, 2030])), ("value", floats([-2.0, 9.0]))])).expect("add");
        lock.iamc().remove(&yearly(1)).expect("remove");
        // Back and forth is no difference.
        lock.iamc().add(&series(vec![("year", integers([2022])), ("value", floats([7.0]))])).expect("add");
        lock.iamc().add(&series(vec![("year", integers([2022])), ("value", floats([3.0]))])).expect("add");
        lock.checkpoint("second").expect("checkpoint");

        let forward = lock.run().diff("first", None).and_then(|diff| diff.points()).expect("difference");
        assert_eq!(columns(&forward), ["operation", "region", "variable", "unit", "year", "value_before", "value_after"]);
        assert_eq!(lines(&forward), [
            "delete World Primary Energy EJ/yr 2020 1.0 -",
            "update World Primary Energy EJ/yr 2021 2.0 -2.0",
            "insert World Primary Energy EJ/yr 2030 - 9.0",
        ]);
        let backward = lock.run().diff("second", Some("first".into())).and_then(|diff| diff.points()).expect("difference");
        assert_eq!(lines(&backward), [
            "insert World Primary Energy EJ/yr 2020 - 1.0",
            "update World Primary Energy EJ/yr 2021 -2.0 2.0",
            "delete World Primary Energy EJ/yr 2030 9.0 -",
        ]);
        let from_nothing = lock.run().diff(TransactionId::BEFORE_FIRST, Some("first".into())).and_then(|diff| diff.points()).expect("difference");
        assert_eq!(from_nothing.num_rows(), 3);
        assert_eq!(lock.run().diff("first", Some("first".into())).and_then(|diff| diff.points()).expect("difference").num_rows(), 0);
        assert_eq!(lock.run().diff("second", None).and_then(|diff| diff.points()).expect("difference").num_rows(), 0);

        let summary = lock.run().diff("first", None).and_then(|diff| diff.counts()).expect("summary");
        assert_eq!(summary.len(), 1);
        assert_eq!((summary[0].table.as_str(), summary[0].changes), ("datapoints", counts(1, 1, 1)));
        let summary = lock.run().diff("second", Some("first".into())).and_then(|diff| diff.counts()).expect("summary");
        assert_eq!(summary[0].changes, counts(1, 1, 1));
        assert!(lock.run().diff("second", None).and_then(|diff| diff.counts()).expect("summary").is_empty());
    }
}

/// On PostgreSQL rows are taken while the server makes more of them. PostgreSQL only: SQLite has them at hand.
#[test]
fn what_goes_wrong_between_rows_is_said_on_postgres() {
    const ROWS: i64 = 20_000;
    let database = Database::postgres();
    let fixture = WithRun::new(&database);
    let lock = fixture.run.lock("many").expect("the lock");
    let many: Vec<_> = (0..ROWS).map(|year| (year, year as f64)).collect();
    lock.iamc().add(&points(&many)).expect("adding");
    lock.commit().expect("commit");
    let mut plain = database.plain();
    for text in [
        "ALTER TABLE datapoints RENAME TO kept_points".to_owned(),
        format!(
            "CREATE VIEW datapoints AS SELECT run_id, region_id, variable_id, unit_id, point_type, step, category,
             value / CASE WHEN step < {} THEN 1 ELSE 0 END AS value FROM kept_points",
            ROWS - 10
        ),
    ] {
        plain.run(&text).expect("a view in the table's place");
    }
    let read = || fixture.run.iamc().tabulate(&Filter::all());
    let error = read().expect_err("the last rows cannot be made");
    assert!(error.to_string().contains("division by zero"), "{error}");
    // The connection serves on.
    let first = Filter::all().year([0, 1]);
    let batch = fixture.run.iamc().tabulate(&first).expect("points");
    assert_eq!(batch.num_rows(), 2);
}
