//! `stratalog meta`

use super::criterion::Criterion;
use super::failure::Failure;
use super::session::Session;
use super::table::{Table, number, text};
use crate::filter::Filter;

/// List meta indicators of runs
#[derive(clap::Args)]
#[command(after_help = "\
Those of default versions, unless --all-versions is given.

Examples:
  stratalog meta
  stratalog meta --key 'cat*' --model MESSAGEix
  stratalog meta --filter value__gte=2 --all-versions --json")]
pub(super) struct Meta {
    /// Only of this key; * stands for any text; may be repeated
    #[arg(long, value_name = "KEY")]
    key: Option<Vec<String>>,
    /// Only of this model; * stands for any text
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Only of this scenario; * stands for any text
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,
    /// Of all versions, not of default versions only
    #[arg(long)]
    all_versions: bool,
    /// Any other filter: value__gte=2, type=str, 'run={"version": 1}'; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    filter: Vec<Criterion>,
}

impl Meta {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        let versions = self
            .all_versions
            .then(|| Filter::all().with("default_only", false));
        let filter = Filter::all()
            .with("key", self.key.clone())
            .with("model", self.model.clone())
            .with("scenario", self.scenario.clone())
            .with("run", versions);
        let found = session
            .open()?
            .meta(&Criterion::all(filter, &self.filter))?;
        if session.out.is_json() {
            return session.out.json(&found);
        }
        if found.is_empty() {
            return session.out.line("no such meta indicators");
        }
        let mut table = Table::new([
            text("model"),
            text("scenario"),
            number("version"),
            text("key"),
            text("value"),
            text("type"),
        ]);
        for indicator in found {
            table.row([
                indicator.run.model,
                indicator.run.scenario,
                indicator.run.version.to_string(),
                indicator.key,
                indicator.value.to_string(),
                indicator.value.type_word().to_owned(),
            ]);
        }
        session.out.table(&table)
    }
}
