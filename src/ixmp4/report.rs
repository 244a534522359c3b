//! What an import came to.

use serde::Serialize;

use super::Planned;
use super::check::Found;
use super::compare::Comparison;
use super::runs::{Here, SourceRun};
use super::source::Source;
use crate::ids::RunId;
use crate::run::Run;

/// What an import did, or would do.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Ixmp4Report {
    /// The source's URL or path, without a password.
    pub source: String,
    /// The revision of its schema.
    pub revision: String,
    /// Whether its history is copied too.
    pub history: bool,
    /// Whether this is what would be done.
    pub dry_run: bool,
    /// The runs there, by their ids there.
    pub runs: Vec<Ixmp4Run>,
    /// How many there are of each. Of a dry run: how many would be copied.
    pub counts: Vec<Ixmp4Count>,
    /// What is worth knowing, and no difference.
    pub notes: Vec<String>,
    /// Of a dry run: what keeps it from being imported, with what to do.
    pub problems: Vec<String>,
    /// Where the sides differ when all is done. Data are compared with what the import left, whatever was done here
    /// since; names and default versions as they are now.
    pub differences: Vec<String>,
}

/// What became of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ixmp4RunState {
    /// It is copied.
    Imported,
    /// The rest of it is copied, which an earlier import did not come to.
    Continued,
    /// An earlier import copied it.
    Unchanged,
    /// An earlier import copied it, and it was deleted here since: it is left out.
    Deleted,
    /// Its version number is taken by another run: it cannot be imported.
    Taken,
}

/// A run there.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Ixmp4Run {
    /// Its id there.
    pub source_id: i64,
    /// Its model.
    pub model: String,
    /// Its scenario.
    pub scenario: String,
    /// Its version number, here and there.
    pub version: i32,
    /// What became of it.
    pub state: Ixmp4RunState,
    /// Its id here, once it is here.
    pub run_id: Option<RunId>,
    /// How many transactions of its history there …
    pub transactions_there: u64,
    /// … in how many here at most: what changes nothing leaves no trace.
    pub transactions: u64,
    /// How many checkpoints it has there.
    pub checkpoints: u64,
}

/// How many there are of something.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Ixmp4Count {
    /// Of what.
    pub what: String,
    /// There.
    pub there: u64,
    /// Here, of those; `None` for a dry run.
    pub here: Option<u64>,
}

/// What is counted, in the order in which it is shown.
const SHOWN: [&str; 20] = [
    "regions",
    "units",
    "variables",
    "models",
    "scenarios",
    "runs",
    "points",
    "meta indicators",
    "optimization items",
    "indexsets",
    "elements",
    "scalars",
    "tables",
    "parameters",
    "optimization variables",
    "equations",
    "rows of items",
    "checkpoints",
    "transactions there",
    "transactions here, at most",
];

impl Ixmp4Report {
    pub(super) fn new(source: &Source, dry_run: bool, plan: &[Planned], found: &Found) -> Self {
        Self {
            source: source.db.url(),
            revision: source.revision.clone(),
            history: source.has_history,
            dry_run,
            runs: plan.iter().map(Ixmp4Run::of).collect(),
            counts: Vec::new(),
            notes: found.notes.clone(),
            problems: found.problems.clone(),
            differences: Vec::new(),
        }
    }

    /// Of a dry run: what would be copied.
    pub(super) fn count(&mut self, plan: &[Planned], found: &mut Found) {
        for planned in plan.iter().filter(|planned| planned.is_pending()) {
            found.count("runs", 1);
            found.count("points", planned.points);
            for step in &planned.steps {
                found.count("checkpoints", step.checkpoints.len() as u64);
                found.count("transactions there", step.transactions);
                found.count("transactions here, at most", 1);
            }
        }
        self.counts = SHOWN
            .iter()
            .filter_map(|what| {
                Some(Ixmp4Count {
                    what: (*what).to_owned(),
                    there: *found.counts.get(what)?,
                    here: None,
                })
            })
            .collect();
    }

    /// Notes which run here a run there has become.
    pub(super) fn is_here(&mut self, there: &SourceRun, run: &Run) {
        let row = self.runs.iter_mut().find(|row| row.source_id == there.id);
        if let Some(row) = row {
            row.run_id = Some(run.id());
        }
    }

    pub(super) fn finish(&mut self, comparison: Comparison) {
        self.counts = SHOWN
            .iter()
            .filter_map(|what| {
                let (there, here) = *comparison.counts.get(what)?;
                Some(Ixmp4Count {
                    what: (*what).to_owned(),
                    there,
                    here: Some(here),
                })
            })
            .collect();
        self.differences = comparison.differences;
    }

    /// Whether both sides are the same, or nothing keeps them from becoming so.
    pub fn is_ok(&self) -> bool {
        self.problems.is_empty() && self.differences.is_empty()
    }
}

impl Ixmp4Run {
    fn of(planned: &Planned) -> Self {
        let there = &planned.there;
        let (state, run_id) = match &planned.here {
            Here::Nothing => (Ixmp4RunState::Imported, None),
            Here::Begun(record) => (Ixmp4RunState::Continued, Some(record.run())),
            Here::All(record) => (Ixmp4RunState::Unchanged, Some(record.run())),
            Here::Deleted => (Ixmp4RunState::Deleted, None),
            Here::Taken => (Ixmp4RunState::Taken, None),
        };
        let sum = |of: fn(&super::Step) -> u64| planned.steps.iter().map(of).sum();
        Self {
            source_id: there.id,
            model: there.model.clone(),
            scenario: there.scenario.clone(),
            version: there.version,
            state,
            run_id,
            transactions_there: sum(|step| step.transactions),
            transactions: planned.steps.len() as u64,
            checkpoints: sum(|step| step.checkpoints.len() as u64),
        }
    }
}
