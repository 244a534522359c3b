//! `stratalog runs`

use super::failure::Failure;
use super::session::Session;
use super::table::{Table, number, text};
use crate::run::RunFilter;

/// List runs
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  stratalog runs
  stratalog runs --model MESSAGEix --default
  stratalog runs --json | jq '.[].id'")]
pub(super) struct Runs {
    /// Only of this model
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Only of this scenario
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,
    /// Only default versions
    #[arg(long)]
    default: bool,
}

impl Runs {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        let runs = session.open()?.runs().list(&RunFilter {
            model: self.model.clone(),
            scenario: self.scenario.clone(),
            default_only: self.default,
        })?;
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
