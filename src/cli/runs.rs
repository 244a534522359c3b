//! `stratalog runs`

use super::criterion::Criterion;
use super::failure::Failure;
use super::session::Session;
use super::table::{Table, number, text};
use crate::filter::Filter;

/// List runs
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  stratalog runs
  stratalog runs --model MESSAGEix --default
  stratalog runs --deleted
  stratalog runs --json | jq '.[].id'")]
pub(super) struct Runs {
    /// Only of this model; * stands for any text
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Only of this scenario; * stands for any text
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,
    /// Only default versions
    #[arg(long)]
    default: bool,
    /// Those that were deleted and not restored
    #[arg(long, conflicts_with_all = ["model", "scenario", "default", "filter"])]
    deleted: bool,
    /// Any other filter: version__gte=2, 'iamc={"region": "World"}'; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    filter: Vec<Criterion>,
}

impl Runs {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        let filter = Filter::all()
            .with("model", self.model.clone())
            .with("scenario", self.scenario.clone())
            .with("default_only", self.default);
        let runs = session.open()?.runs();
        let runs = match self.deleted {
            true => runs.deleted()?,
            false => runs.list(&Criterion::all(filter, &self.filter))?,
        };
        if session.out.is_json() {
            return session
                .out
                .json(&runs.iter().map(|run| run.info()).collect::<Vec<_>>());
        }
        if runs.is_empty() {
            return session.out.line("no such runs");
        }
        let mut table = Table::new([
            number("id"),
            text("model"),
            text("scenario"),
            number("version"),
            text("default"),
        ]);
        for run in runs {
            let run = run.info();
            table.row([
                run.id.to_string(),
                run.model.clone(),
                run.scenario.clone(),
                run.version.to_string(),
                if run.is_default {
                    "yes".into()
                } else {
                    String::new()
                },
            ]);
        }
        session.out.table(&table)
    }
}
