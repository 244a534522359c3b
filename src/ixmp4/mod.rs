//! Copying an ixmp4 database into a platform, with its history where it has one.
//!
//! ```text
//!   read: names, runs, the steps of each ── what does not fit is told, nothing is written
//!     names that are missing                               ── a transaction per group that was made together
//!     each run ── made, with its record
//!              ── each step: rows, checkpoints, record     ── one commit
//!              ── compared; what its history did not bring ── one more transaction
//!              ── the default version, the record finished
//!     names that only the history needed are deleted
//!   all compared
//! ```
//!
//! **Invariant:** the source is never written to, and an import that ends at any moment is gone on with by the next one:
//! it ends in the same state as one that was never broken off.

mod check;
mod compare;
mod copy;
mod data;
mod items;
mod lines;
mod meta;
mod names;
mod points;
mod report;
mod runs;
mod source;
mod stage_items;
mod staged;
mod steps;
mod target;

use std::sync::Arc;

use crate::core::Core;
use crate::error::{Error, Result};
use crate::run::{Run, Runs};
use check::Found;
use compare::Comparison;
use copy::Copying;
use names::{Ids, Names};
use points::Measurands;
use runs::{Before, Here, Record, SourceRun};
use source::{History, Source};
use steps::Step;

pub use report::{Ixmp4Count, Ixmp4Report, Ixmp4Run, Ixmp4RunState};

/// How to import.
#[derive(Default)]
pub struct Ixmp4Options<'a> {
    /// Look at what would be copied, and write nothing.
    pub dry_run: bool,
    /// Copy the present state only.
    pub without_history: bool,
    /// Told how far it is.
    pub progress: Option<&'a mut dyn FnMut(Ixmp4Step<'_>)>,
    /// Asked again and again; an error ends the import, and the next one goes on.
    pub interrupt: Option<&'a dyn Fn() -> Result<()>>,
}

/// How far an import is.
#[derive(Clone, Copy, Debug)]
pub enum Ixmp4Step<'a> {
    /// Looks at the source, which may take a while.
    Look(&'a str),
    /// Goes on to a run.
    Begin {
        /// The run.
        run: &'a str,
        /// How many of its rows are to be copied at most.
        rows: u64,
    },
    /// So many more of its rows were handed to the database.
    Rows(usize),
    /// Compares both sides of a run.
    Compare(&'a str),
}

/// A run there with what is to be done with it.
struct Planned {
    there: SourceRun,
    here: Here,
    steps: Vec<Step>,
    /// How many points it has now.
    points: u64,
    /// How many states of points are to be read.
    rows: u64,
}

impl Planned {
    fn is_pending(&self) -> bool {
        matches!(self.here, Here::Nothing | Here::Begun(_))
    }
}

/// Whether a URL is that of a database that can be imported.
///
/// # Errors
/// [`Error::InvalidUrl`], [`Error::Connection`], [`Error::Ixmp4`].
pub(crate) fn check_source(url: &str) -> Result<()> {
    Source::open(url, History::LeaveOut).map(|_| ())
}

pub(crate) fn import(
    core: &Arc<Core>,
    url: &str,
    options: Ixmp4Options<'_>,
) -> Result<Ixmp4Report> {
    let history = if options.without_history {
        History::LeaveOut
    } else {
        History::Read
    };
    let mut source = Source::open(url, history)?;
    let mut import = Import {
        core,
        tell: Tell {
            progress: options.progress,
            interrupt: options.interrupt,
        },
    };
    let names = Names::read(&mut source)?;
    let (plan, mut found) = import.plan(&mut source, &names)?;
    let mut report = Ixmp4Report::new(&source, options.dry_run, &plan, &found);
    if options.dry_run {
        names::count_missing(core, &names, &mut found)?;
        report.count(&plan, &mut found);
        return Ok(report);
    }
    if !found.problems.is_empty() {
        return Err(Error::Ixmp4Unfit {
            url: source.db.url(),
            problems: found.problems,
        });
    }
    names::copy(core, &names, &found.needed)?;
    let mut comparison = Comparison::default();
    import.runs(&mut source, &names, plan, &mut report, &mut comparison)?;
    if source.has_history {
        names::delete_gone(core, &names)?;
    }
    compare::names(core, &names, &mut comparison)?;
    report.finish(comparison);
    Ok(report)
}

struct Tell<'a> {
    progress: Option<&'a mut dyn FnMut(Ixmp4Step<'_>)>,
    interrupt: Option<&'a dyn Fn() -> Result<()>>,
}

impl Tell<'_> {
    fn step(&mut self, step: Ixmp4Step<'_>) -> Result<()> {
        if let Some(progress) = &mut self.progress {
            progress(step);
        }
        self.interrupt.map_or(Ok(()), |interrupt| interrupt())
    }
}

struct Import<'c, 't> {
    core: &'c Arc<Core>,
    tell: Tell<'t>,
}

impl<'t> Import<'_, 't> {
    fn plan(&mut self, source: &mut Source, names: &Names) -> Result<(Vec<Planned>, Found)> {
        let before = self.core.store.read(Before::read)?;
        let mut found = Found::default();
        let mut plan = Vec::new();
        let mut taken = Vec::new();
        for there in runs::read(source)? {
            let here = before.of(&there);
            if let Here::Begun(record) = &here {
                steps::check_way(source, &there, record)?;
            }
            let mut planned = Planned {
                here,
                steps: Vec::new(),
                points: 0,
                rows: 0,
                there,
            };
            let label = planned.there.label();
            self.tell.step(Ixmp4Step::Look(&label))?;
            match planned.here {
                Here::Taken => taken.push(label),
                Here::Deleted => found.notes.push(format!(
                    "run {label} was imported before and has been deleted here since: it is left out"
                )),
                Here::All(_) => planned.steps = steps::of_run(source, &planned.there)?,
                Here::Nothing | Here::Begun(_) => {
                    planned.steps = steps::of_run(source, &planned.there)?;
                    (planned.points, planned.rows) = points::count(source, planned.there.id)?;
                    look_at(source, names, &planned, &mut found)?;
                }
            }
            plan.push(planned);
        }
        if !taken.is_empty() {
            found.problems.push(format!(
                "these version numbers are taken in {} by runs that were not imported from there: {}. A number never means \
                 two things, also when its run was deleted: import into another database",
                self.core.store.location(),
                taken.join("; ")
            ));
        }
        let pending: Vec<_> = plan
            .iter()
            .filter(|planned| planned.is_pending())
            .map(|planned| &planned.there)
            .collect();
        if !pending.is_empty() {
            self.tell.step(Ixmp4Step::Look("points"))?;
            check::points(source, &pending, &mut found)?;
        }
        found.problems.extend(names.problems(&found.needed));
        let writes = !pending.is_empty() || names::are_missing(self.core, names, &found.needed)?;
        if writes && !self.core.store.may_say_when()? {
            found.problems.push(format!(
                "transactions keep the times that they have there, and only the owner of the tables of {} may give them \
                 times: connect as a member of the owner role",
                self.core.store.location()
            ));
        }
        Ok((plan, found))
    }

    fn runs(
        &mut self,
        source: &mut Source,
        names: &Names,
        plan: Vec<Planned>,
        report: &mut Ixmp4Report,
        comparison: &mut Comparison,
    ) -> Result<()> {
        let ids = Ids::read(self.core, source, names)?;
        let measurands = source.measurands()?;
        let all = Runs::new(Arc::clone(self.core));
        let mut runs_here = (0, 0);
        for planned in plan {
            let Planned {
                there, here, steps, ..
            } = &planned;
            runs_here.0 += 1;
            let mut record = match here {
                Here::Nothing => runs::make(self.core, source, there)?,
                Here::Begun(record) | Here::All(record) => record.clone(),
                Here::Deleted | Here::Taken => continue,
            };
            runs_here.1 += 1;
            let mut run = all.get_by_id(record.run())?;
            if planned.is_pending() {
                let label = there.label();
                self.tell.step(Ixmp4Step::Begin {
                    run: &label,
                    rows: planned.rows,
                })?;
                let mut copying = self.copying(source, &measurands, &ids);
                copying.steps(there, &run, &mut record, steps)?;
            }
            let mut of_run = self.compare(source, there, &run, &record)?;
            if planned.is_pending() {
                if source.has_history && !of_run.differences.is_empty() {
                    report.notes.push(format!(
                        "run {}: what its history there ends in is not what it has now: the rest was copied as \
                         transactions of its own",
                        there.label()
                    ));
                    let mut copying = self.copying(source, &measurands, &ids);
                    copying.present(there, &run, &mut record)?;
                    of_run = self.compare(source, there, &run, &record)?;
                }
                if there.is_default {
                    runs::set_default(self.core, there, run.info())?;
                    run = all.get_by_id(record.run())?;
                }
                runs::finish(self.core, &record)?;
            }
            compare::checkpoints(there, steps, &run, &record, &mut of_run)?;
            report.is_here(there, &run);
            comparison.add(of_run);
        }
        comparison.count("runs", runs_here.0, runs_here.1);
        Ok(())
    }

    fn copying<'a>(
        &'a mut self,
        source: &'a mut Source,
        measurands: &'a Measurands,
        ids: &'a Ids,
    ) -> Copying<'a, 't> {
        Copying {
            core: self.core,
            source,
            measurands,
            ids,
            tell: &mut self.tell,
        }
    }

    fn compare(
        &mut self,
        source: &mut Source,
        there: &SourceRun,
        run: &Run,
        record: &Record,
    ) -> Result<Comparison> {
        self.tell.step(Ixmp4Step::Compare(&there.label()))?;
        let mut comparison = Comparison::default();
        compare::run(source, there, run, record, &mut comparison)?;
        Ok(comparison)
    }
}

/// Looks at all that a run that is to be copied has and had, but for its points.
fn look_at(source: &mut Source, names: &Names, planned: &Planned, found: &mut Found) -> Result<()> {
    let there = &planned.there;
    if there.is_locked {
        found.notes.push(format!(
            "run {} is locked there: it is copied as it is, though its writer may not have finished",
            there.label()
        ));
    }
    for checkpoint in planned.steps.iter().flat_map(|step| &step.checkpoints) {
        let here = checkpoint.message_here();
        if here != checkpoint.message {
            found.notes.push(format!(
                "run {}: the checkpoint {:?} becomes {here:?}: such a message cannot be reverted to by name",
                there.label(),
                checkpoint.message
            ));
        }
    }
    check::meta_indicators(source, there, found)?;
    check::items(source, there, &planned.steps, names, found)?;
    found.needed.add_series(source, names, there.id)
}
