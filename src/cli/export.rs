//! `stratalog export`

use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::output::counted;
use super::run_and_target::{RunArgument, target};
use super::selection::Selection;
use super::session::Session;
use crate::files::{Layout, write, write_to};
use crate::run::{RunInfo, Target};

/// Write a run's time series to a CSV file
#[derive(clap::Args)]
#[command(after_help = "\
What is written reads back exactly. Names may hold * for any text.

Examples:
  stratalog export MESSAGEix/SSP2-1.5C figures.csv
  stratalog export 12 figures.csv --wide --region World --variable 'Primary Energy*'
  stratalog export 12 - --year 2030,2050 | head
  stratalog export 12 before.csv --as-of \"raw data\"")]
pub(super) struct Export {
    /// The run: an id, model/scenario or model/scenario/version
    run: RunArgument,
    /// The file, or - for stdout
    file: PathBuf,
    /// A column per year or date instead of a row per point
    #[arg(long)]
    wide: bool,
    #[command(flatten)]
    selection: Selection,
    /// As it was at a checkpoint or after a transaction: see `stratalog --help`
    #[arg(long, value_name = "TARGET", value_parser = target)]
    as_of: Option<Target>,
}

#[derive(serde::Serialize)]
struct Document<'a> {
    run: &'a RunInfo,
    file: String,
    points: usize,
}

impl Export {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        let to_stdout = self.file == Path::new("-");
        if to_stdout && session.out.is_json() {
            return Err(Failure::Usage(
                "stdout gets the CSV here: --json needs a FILE".into(),
            ));
        }
        let platform = session.open()?;
        let run = self.run.find(&platform)?;
        let filter = self.selection.filter();
        let points = match &self.as_of {
            Some(target) => run.as_of(target.clone())?.iamc().tabulate(&filter)?,
            None => run.iamc().tabulate(&filter)?,
        };
        let count = points.num_rows();
        let runs = [(run.info().clone(), points)];
        let layout = if self.wide {
            Layout::Wide
        } else {
            Layout::Long
        };
        if to_stdout {
            let mut result = Ok(());
            session.out.write(|out| {
                result = write_to(out, &runs, layout);
                Ok(())
            })?;
            return Ok(result?);
        }
        write(&self.file, &runs, layout)?;
        let file = self.file.display().to_string();
        if session.out.is_json() {
            return session.out.json(&Document {
                run: run.info(),
                file,
                points: count,
            });
        }
        session.out.line(&format!(
            "{file}: {} of {}",
            counted(count, "point"),
            run.label()
        ))
    }
}
