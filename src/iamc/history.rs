//! Every version of points, with names and times.

use arrow::array::RecordBatch;

use crate::error::Result;
use crate::filter::{Checked, Filter, Resolver, Subject};
use crate::history::versions;
use crate::iamc::named::{column, field, named};
use crate::ids::TransactionId;
use crate::run::Run;
use crate::schema::VersionedTable;
use crate::schema::tables::datapoints;
use crate::store::rows::Bind;

/// The version rows of the points that a filter selects; `until`: only up to that transaction.
pub(super) fn history(
    run: &Run,
    filter: &Filter,
    until: Option<TransactionId>,
) -> Result<RecordBatch> {
    let table = datapoints::table::description();
    let checked = Checked::of(filter, Subject::Points)?;
    let engine = run.core.store.engine();
    run.core.store.read(|connection| {
        // Parameters of the conditions follow two others.
        let mut binds = vec![Bind::BigInt(0), Bind::BigInt(0)];
        let selection = Resolver { connection }.points(&checked)?;
        let conditions = selection.conditions("v", engine, &mut binds);
        let more = (conditions.as_str(), &binds[2..]);
        let rows = versions::of_run(connection, &table, run.id(), until, more)?;
        let value = column(&rows, "value");
        let mut last = vec![(field("value", Some(&value)), value)];
        last.extend(versions::described(connection, run.id(), &rows)?);
        named(connection, &rows, Vec::new(), last)
    })
}
