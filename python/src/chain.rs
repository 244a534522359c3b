//! The heads of hash chains as a table, out and in.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use stratalog::{ChainHead, RunId, TransactionId};

use crate::error::Result;
use crate::frame::Columns;

pub(crate) fn tabulate(py: Python<'_>, heads: &[ChainHead]) -> Result<Py<PyAny>> {
    Columns::default()
        .integers("run_id", heads.iter().map(|head| head.run_id.0))
        .integers("position", heads.iter().map(|head| head.position))
        .integers(
            "transaction_id",
            heads.iter().map(|head| head.transaction_id.0),
        )
        .text("head", heads.iter().map(|head| head.head.clone()))
        .into_pandas(py)
}

/// Heads from a table, or from a list of dictionaries.
pub(crate) fn heads(given: &Bound<'_, PyAny>) -> PyResult<Vec<ChainHead>> {
    let records = if given.hasattr("to_dict")? {
        given.call_method1("to_dict", ("records",))?
    } else {
        given.clone()
    };
    let mut heads = Vec::new();
    for record in records.try_iter()? {
        let record = record?;
        let get = |name: &str| {
            record.get_item(name).map_err(|_| {
                PyTypeError::new_err(format!(
                    "heads: expected what chain_heads() gives; {name:?} is missing"
                ))
            })
        };
        heads.push(ChainHead {
            run_id: RunId(get("run_id")?.extract()?),
            position: get("position")?.extract()?,
            transaction_id: TransactionId(get("transaction_id")?.extract()?),
            head: get("head")?.extract()?,
        });
    }
    if heads.is_empty() {
        return Err(PyTypeError::new_err("heads: there are none"));
    }
    Ok(heads)
}
