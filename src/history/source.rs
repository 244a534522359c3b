//! Where the rows of a write are, as SQL.

use arrow::array::RecordBatch;

use crate::error::Result;
use crate::schema::Column;
use crate::store::bulk::Staging;
use crate::store::rows::Bind;
use crate::store::{doing, postgres};

/// A relation with the alias `c`.
pub(super) struct Source {
    pub(super) relation: String,
    pub(super) binds: Vec<Bind>,
}

impl Source {
    /// What was staged.
    pub(super) fn staged(staging: &Staging) -> Self {
        Self {
            relation: format!("{} c", staging.name),
            binds: Vec::new(),
        }
    }

    /// Few rows, which each statement takes along. On PostgreSQL.
    pub(super) fn given(columns: &[Column], rows: &[RecordBatch]) -> Result<Self> {
        let rows = postgres::given::parameter(columns, rows).map_err(doing("writing rows down"))?;
        Ok(Self {
            relation: postgres::given::relation(columns),
            binds: vec![Bind::Text(rows)],
        })
    }
}
