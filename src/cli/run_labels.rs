//! What runs are called, for tables about several of them.

use std::collections::HashMap;

use crate::error::Result;
use crate::filter::Filter;
use crate::ids::RunId;
use crate::platform::Platform;

/// The runs that there are, by id. What is told of may be older than they are.
pub(super) struct RunLabels(HashMap<RunId, String>);

impl RunLabels {
    pub(super) fn read(platform: &Platform) -> Result<Self> {
        let runs = platform.runs().list(&Filter::all())?;
        Ok(Self(
            runs.into_iter()
                .map(|run| (run.id(), run.label()))
                .collect(),
        ))
    }

    pub(super) fn of(&self, run: RunId) -> String {
        self.0
            .get(&run)
            .cloned()
            .unwrap_or_else(|| format!("run {run} (deleted)"))
    }
}
