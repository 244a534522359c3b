//! The points of all runs of a platform.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::{Field, Int64Type};

use crate::core::Core;
use crate::error::Result;
use crate::filter::{Checked, Filter, Resolver, Subject};
use crate::iamc::named::{column, field, named};
use crate::run::{RunInfo, Runs};
use crate::schema::tables::datapoints;
use crate::schema::{RUN_ID, VersionedTable};
use crate::store::rows::select;
use crate::store::{column_list, quote};

/// The time series of all runs, to be read: see [`Platform::iamc`](crate::Platform::iamc).
#[derive(Clone)]
pub struct PlatformIamc {
    core: Arc<Core>,
}

impl PlatformIamc {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// The points that a filter selects, by run; of default runs unless its `run` says `default_only: false`.
    /// Columns: `run_id` (int64), `model`, `scenario` (text, as dictionaries), `version` (int64), then those of
    /// [`Iamc::tabulate`](crate::Iamc::tabulate).
    ///
    /// # Errors
    /// [`Error::InvalidFilter`](crate::Error::InvalidFilter), listing what there is to filter by.
    pub fn tabulate(&self, filter: &Filter) -> Result<RecordBatch> {
        let table = datapoints::table::description();
        let checked = Checked::of(&filter.of_default_runs(), Subject::PlatformPoints)?;
        let runs = Runs::new(Arc::clone(&self.core));
        let engine = self.core.store.engine();
        let runs: HashMap<_, _> = runs
            .list(&Filter::all())?
            .into_iter()
            .map(|run| (run.id().0, run.info().clone()))
            .collect();
        self.core.store.read(|connection| {
            let mut binds = Vec::new();
            let selection = Resolver { connection }.points(&checked)?;
            let conditions = selection.conditions("d", engine, &mut binds);
            let text = format!(
                "SELECT {} FROM {} d WHERE 1 = 1{conditions} ORDER BY {}",
                column_list("d", table.columns.iter()),
                quote(&table.name),
                column_list("d", table.key_columns()),
            );
            let rows = select(connection, &text, &binds, &table.columns)?;
            named(
                connection,
                &rows,
                of_runs(&rows, &runs)?,
                vec![value(&rows)],
            )
        })
    }
}

fn value(rows: &RecordBatch) -> (Field, ArrayRef) {
    let values = column(rows, "value");
    (field("value", Some(&values)), values)
}

/// What identifies the run of each row. Rows come by run.
fn of_runs(rows: &RecordBatch, runs: &HashMap<i64, RunInfo>) -> Result<Vec<(Field, ArrayRef)>> {
    let ids = column(rows, RUN_ID);
    let of_row = ids.as_primitive::<Int64Type>();
    let info = |row: usize| runs.get(&of_row.value(row));
    let versions: Int64Array = (0..of_row.len())
        .map(|row| info(row).map(|run| i64::from(run.version)))
        .collect();
    let columns: [(&str, ArrayRef); 4] = [
        (RUN_ID, Arc::clone(&ids)),
        (
            "model",
            names(of_row, |id| runs.get(&id).map(|run| run.model.as_str()))?,
        ),
        (
            "scenario",
            names(of_row, |id| runs.get(&id).map(|run| run.scenario.as_str()))?,
        ),
        ("version", Arc::new(versions)),
    ];
    Ok(columns
        .into_iter()
        .map(|(name, array)| (field(name, Some(&array)), array))
        .collect())
}

fn names<'r>(ids: &Int64Array, name: impl Fn(i64) -> Option<&'r str>) -> Result<ArrayRef> {
    let mut codes: HashMap<&str, i32> = HashMap::new();
    let mut values = Vec::new();
    let keys: Int32Array = ids
        .values()
        .iter()
        .map(|id| {
            let name = name(*id)?;
            Some(*codes.entry(name).or_insert_with(|| {
                values.push(name);
                values.len() as i32 - 1
            }))
        })
        .collect();
    let values = StringArray::from_iter_values(values);
    Ok(Arc::new(DictionaryArray::try_new(keys, Arc::new(values))?))
}
