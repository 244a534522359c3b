//! Importing files: each of their runs into a run of the platform, under its lock.
//!
//! **Invariant:** all files are read and checked before anything is written; then a run is imported
//! whole or not at all.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int32Type;
use serde::Serialize;

use super::problems::refused;
use super::{FileRun, read};
use crate::error::{Error, Result};
use crate::history::ChangeCounts;
use crate::iamc::{AddOptions, Frame, PointType, missing_names};
use crate::names::{Kind, Names};
use crate::platform::Platform;
use crate::run::{Checkpoint, LockOptions, Run, RunInfo, RunLock};

/// How to import files.
#[derive(Default)]
pub struct ImportOptions<'a> {
    /// The model of what is in files without such a column.
    pub model: Option<String>,
    /// The scenario of what is in files without such a column.
    pub scenario: Option<String>,
    /// Into this version, which is there already; `None`: into a new one each.
    pub version: Option<i32>,
    /// Makes regions and units that do not exist.
    pub create_missing: bool,
    /// What all points must be; `None`: what their times say.
    pub point_type: Option<PointType>,
    /// The checkpoint's message; `None`: "import FILE".
    pub message: Option<String>,
    /// How long to wait for the lock of a run that is there already.
    pub timeout: Option<Duration>,
    /// Makes each run the default version.
    pub set_default: bool,
    /// Asked again and again; an error ends the import, and the run at hand is rolled back.
    pub interrupt: Option<&'a dyn Fn() -> Result<()>>,
}

/// How far an import is.
#[derive(Debug)]
pub enum ImportStep<'a> {
    /// Goes on to a file, which may take a while.
    Read(&'a Path),
    /// Goes on to a run.
    Begin {
        /// The run.
        run: &'a RunInfo,
        /// How many points the file has for it.
        points: usize,
    },
    /// So many more of its points were handed to the database.
    Points(usize),
    /// The run is imported.
    End(&'a Imported),
    /// The run was rolled back.
    Failed,
}

/// A run that was imported.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Imported {
    /// The file.
    pub file: String,
    /// The run.
    pub run: RunInfo,
    /// Whether the run was made for it.
    pub is_new: bool,
    /// How many points the file has for it.
    pub points: usize,
    /// What they changed.
    pub changes: ChangeCounts,
    /// What one can revert to.
    pub checkpoint: Checkpoint,
}

/// An import that ended early.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
#[non_exhaustive]
pub struct Failed {
    /// Why.
    pub error: Error,
    /// The run at which it ended; none when nothing was begun.
    pub run: Option<String>,
    /// The runs that were imported before and stay.
    pub imported: Vec<Imported>,
    /// What could not be cleaned up, and what to do about it.
    pub left_behind: Vec<String>,
}

impl From<Error> for Box<Failed> {
    fn from(error: Error) -> Self {
        Box::new(Failed {
            error,
            run: None,
            imported: Vec::new(),
            left_behind: Vec::new(),
        })
    }
}

/// Where the points of a file go.
struct Planned {
    file: PathBuf,
    model: String,
    scenario: String,
    /// The run, if it is there already.
    run: Option<Run>,
    frame: Frame,
}

/// Imports files: every (model, scenario, version) of each becomes a new run, or goes into the one that
/// the options name, in one block that ends in a checkpoint.
///
/// # Errors
/// [`Failed`], with what was imported before. Its error is one of [`read`]'s, [`Error::UnknownNames`]
/// for all files together, [`Error::RunIsLocked`], [`Error::Interrupted`], or of the database.
pub fn import(
    platform: &Platform,
    files: &[PathBuf],
    options: &ImportOptions<'_>,
    progress: &mut dyn FnMut(ImportStep<'_>),
) -> Result<Vec<Imported>, Box<Failed>> {
    let planned = plan(platform, files, options, progress)?;
    let mut imported = Vec::new();
    for planned in planned {
        let name = match &planned.run {
            Some(run) => run.label(),
            None => format!("{} / {}", planned.model, planned.scenario),
        };
        let mut left_behind = Vec::new();
        match import_one(platform, planned, options, progress, &mut left_behind) {
            Ok(done) => imported.push(done),
            Err(error) => {
                return Err(Box::new(Failed {
                    error,
                    run: Some(name),
                    imported,
                    left_behind,
                }));
            }
        }
        if let (true, Some(last)) = (options.set_default, imported.last()) {
            let run = last.run.id;
            platform
                .runs()
                .set_as_default(run)
                .map_err(|error| Failed {
                    error,
                    run: None,
                    imported: std::mem::take(&mut imported),
                    left_behind: vec![format!("{name} is imported, but not the default version")],
                })?;
        }
    }
    Ok(imported)
}

/// Reads and checks everything; writes nothing.
fn plan(
    platform: &Platform,
    files: &[PathBuf],
    options: &ImportOptions<'_>,
    progress: &mut dyn FnMut(ImportStep<'_>),
) -> Result<Vec<Planned>> {
    let mut planned = Vec::new();
    for file in files {
        progress(ImportStep::Read(file));
        let runs = read(file)?;
        if runs.is_empty() {
            return Err(refused(file, "there is nothing below the header"));
        }
        for run in runs {
            ask(options)?;
            planned.push(plan_one(platform, file, run, options)?);
        }
    }
    if !options.create_missing {
        refuse_unknown(platform, &planned)?;
    }
    Ok(planned)
}

fn plan_one(
    platform: &Platform,
    file: &Path,
    run: FileRun,
    options: &ImportOptions<'_>,
) -> Result<Planned> {
    let model = one_of(file, "model", run.model, options.model.as_deref())?;
    let scenario = one_of(file, "scenario", run.scenario, options.scenario.as_deref())?;
    if let (Some(there), Some(wanted)) = (run.version, options.version)
        && there != wanted
    {
        return Err(refused(
            file,
            &format!(
                "it has version {there} of {model} / {scenario}, which cannot go into version {wanted}"
            ),
        ));
    }
    if let Some(wanted) = options.point_type {
        refuse_other_types(file, &run.frame, wanted)?;
    }
    let existing = match options.version {
        Some(version) => Some(platform.runs().get(&model, &scenario, Some(version))?),
        None => None,
    };
    Ok(Planned {
        file: file.to_owned(),
        model,
        scenario,
        run: existing,
        frame: run.frame,
    })
}

/// The name in the file, or else the one that was given; not two different ones.
fn one_of(file: &Path, kind: &str, there: Option<String>, given: Option<&str>) -> Result<String> {
    match (there, given) {
        (Some(there), Some(given)) if there != given => Err(refused(
            file,
            &format!(
                "it names the {kind} \"{there}\" itself: leave --{kind} \"{given}\" out, or change the file"
            ),
        )),
        (Some(name), _) => Ok(name),
        (None, Some(name)) => Ok(name.to_owned()),
        (None, None) => Err(refused(
            file,
            &format!("it has no column for the {kind}: give it with --{kind} NAME"),
        )),
    }
}

fn refuse_other_types(file: &Path, frame: &Frame, wanted: PointType) -> Result<()> {
    let batch = frame.batch();
    let has = |name: &str, row| {
        batch
            .column_by_name(name)
            .is_some_and(|array| array.is_valid(row))
    };
    let type_of = |row| match (has("datetime", row), has("subannual", row)) {
        (true, _) => PointType::Datetime,
        (false, true) => PointType::Categorical,
        (false, false) => PointType::Yearly,
    };
    let others: BTreeSet<_> = (0..batch.num_rows())
        .map(type_of)
        .filter(|found| *found != wanted)
        .collect();
    if others.is_empty() {
        return Ok(());
    }
    let others: Vec<_> = others.into_iter().map(PointType::word).collect();
    Err(refused(
        file,
        &format!(
            "it has {} points, not only {} ones",
            others.join(" and "),
            wanted.word()
        ),
    ))
}

/// The unknown regions and units of all files at once.
fn refuse_unknown(platform: &Platform, planned: &[Planned]) -> Result<()> {
    let mut unknown = Vec::new();
    for (kind, names) in [
        (Kind::Region, platform.regions()),
        (Kind::Unit, platform.units()),
    ] {
        let known = ids(&names)?;
        let used: BTreeSet<&str> = planned
            .iter()
            .flat_map(|run| used_names(&run.frame, kind.word()))
            .collect();
        let missing: Vec<_> = used
            .into_iter()
            .filter(|name| !known.contains_key(*name))
            .collect();
        if !missing.is_empty() {
            unknown.push(missing_names(kind, &missing, &known));
        }
    }
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Error::UnknownNames {
        missing: unknown.join("; "),
    })
}

fn ids(names: &Names) -> Result<HashMap<String, i64>> {
    Ok(names
        .list()?
        .into_iter()
        .map(|named| (named.name, named.id))
        .collect())
}

/// The names that a column of a frame of ours uses.
fn used_names<'f>(frame: &'f Frame, column: &str) -> Vec<&'f str> {
    let Some(names) = frame
        .batch()
        .column_by_name(column)
        .and_then(|array| array.as_dictionary_opt::<Int32Type>())
    else {
        return Vec::new();
    };
    let used: BTreeSet<usize> = names.keys_iter().flatten().collect();
    let values = names.values().as_string::<i32>();
    used.into_iter().map(|code| values.value(code)).collect()
}

fn ask(options: &ImportOptions<'_>) -> Result<()> {
    options.interrupt.map_or(Ok(()), |interrupt| interrupt())
}

fn import_one(
    platform: &Platform,
    planned: Planned,
    options: &ImportOptions<'_>,
    progress: &mut dyn FnMut(ImportStep<'_>),
    left_behind: &mut Vec<String>,
) -> Result<Imported> {
    ask(options)?;
    let is_new = planned.run.is_none();
    let run = match planned.run {
        Some(run) => run,
        None => platform.runs().create(&planned.model, &planned.scenario)?,
    };
    let points = planned.frame.num_rows();
    progress(ImportStep::Begin {
        run: run.info(),
        points,
    });
    let filled = fill(
        &run,
        &planned.file,
        &planned.frame,
        options,
        progress,
        left_behind,
    );
    if filled.is_err() {
        progress(ImportStep::Failed);
        // A run that was made for nothing should not be there; its history says what happened.
        if is_new && let Err(error) = platform.runs().delete(&run) {
            left_behind.push(format!(
                "run {} is left there without data: {error}",
                run.label()
            ));
        }
    }
    let (changes, checkpoint) = filled?;
    let imported = Imported {
        file: planned.file.display().to_string(),
        run: run.info().clone(),
        is_new,
        points,
        changes,
        checkpoint,
    };
    progress(ImportStep::End(&imported));
    Ok(imported)
}

fn fill(
    run: &Run,
    file: &Path,
    frame: &Frame,
    options: &ImportOptions<'_>,
    progress: &mut dyn FnMut(ImportStep<'_>),
    left_behind: &mut Vec<String>,
) -> Result<(ChangeCounts, Checkpoint)> {
    let message = options.message.clone().unwrap_or_else(|| {
        let name = file.file_name().unwrap_or(file.as_os_str());
        format!("import {}", name.to_string_lossy())
    });
    let lock = run.lock_with(
        &message,
        LockOptions {
            timeout: options.timeout,
            interrupt: options.interrupt,
            ..LockOptions::default()
        },
    )?;
    match add(&lock, frame, options, progress) {
        Ok(changes) => Ok((changes, lock.commit()?)),
        Err(error) => {
            if let Err(failed) = lock.rollback() {
                left_behind.push(format!(
                    "rolling run {} back failed too: {failed}; whoever takes its lock next finishes it",
                    run.label()
                ));
            }
            Err(error)
        }
    }
}

fn add(
    lock: &RunLock,
    frame: &Frame,
    options: &ImportOptions<'_>,
    progress: &mut dyn FnMut(ImportStep<'_>),
) -> Result<ChangeCounts> {
    let changes = lock.iamc().add_with(
        frame,
        AddOptions {
            point_type: options.point_type,
            create_missing: options.create_missing,
            progress: Some(&mut |points| progress(ImportStep::Points(points))),
            interrupt: options.interrupt,
            ..AddOptions::default()
        },
    )?;
    // The last moment at which stopping still means that nothing happened.
    ask(options)?;
    Ok(changes)
}
