//! `ChangeCounts`.

use pyo3::prelude::*;

/// How many rows a write inserted, updated and deleted. True when anything changed.
#[pyclass(frozen, eq, module = "stratalog")]
#[derive(PartialEq, Eq)]
pub(crate) struct ChangeCounts(stratalog::ChangeCounts);

impl From<stratalog::ChangeCounts> for ChangeCounts {
    fn from(counts: stratalog::ChangeCounts) -> Self {
        Self(counts)
    }
}

#[pymethods]
impl ChangeCounts {
    /// Rows that were not there before.
    #[getter]
    fn inserted(&self) -> u64 {
        self.0.inserted
    }

    /// Rows that have other values now.
    #[getter]
    fn updated(&self) -> u64 {
        self.0.updated
    }

    /// Rows that are no longer there.
    #[getter]
    fn deleted(&self) -> u64 {
        self.0.deleted
    }

    /// All of them together.
    #[getter]
    fn total(&self) -> u64 {
        self.0.total()
    }

    fn __bool__(&self) -> bool {
        self.0.total() > 0
    }

    fn __repr__(&self) -> String {
        format!(
            "ChangeCounts(inserted={}, updated={}, deleted={})",
            self.0.inserted, self.0.updated, self.0.deleted
        )
    }
}
