//! `stratalog chain`

use super::failure::Failure;
use super::output::{counted, spinner};
use super::session::Session;
use super::table::{Table, number, text};

/// Hash chains, which show whether history was changed
#[derive(clap::Args)]
#[command(after_help = "\
Every transaction of a run is linked to the one before by SHA-256, with the version rows that it wrote; run 0 is the \
chain of the platform's own tables. `stratalog verify --chain` follows the chains. Whoever owns the database can compute \
them anew: keep the heads where he cannot write, and give them to `verify --heads`.

Examples:
  stratalog chain enable
  stratalog chain heads --json > heads-2026-03-31.json
  stratalog verify --chain --heads heads-2026-03-31.json")]
pub(super) struct Chain {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Enable(Enable),
    Heads(Heads),
}

/// Switch the chains on, and link all that was written so far
#[derive(clap::Args)]
#[command(after_help = "\
For good: from then on every write links its transaction. Repeated, it links what other programs wrote.

Examples:
  stratalog chain enable")]
struct Enable {}

/// Show where each chain ends, to be kept elsewhere
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  stratalog chain heads
  stratalog chain heads --json > heads.json")]
struct Heads {}

#[derive(serde::Serialize)]
struct Enabled {
    linked: u64,
}

impl Chain {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        let platform = session.open()?;
        match self.command {
            Command::Enable(Enable {}) => {
                let spinner = spinner("linking");
                let linked = platform.chain().enable();
                spinner.finish_and_clear();
                let linked = linked?;
                if session.out.is_json() {
                    return session.out.json(&Enabled { linked });
                }
                session.out.line(&format!(
                    "chains are on, {} linked",
                    counted(usize::try_from(linked).unwrap_or(usize::MAX), "transaction")
                ))
            }
            Command::Heads(Heads {}) => {
                let heads = platform.chain().heads()?;
                if session.out.is_json() {
                    return session.out.json(&heads);
                }
                if heads.is_empty() {
                    return session
                        .out
                        .line("no chains: switch them on with `stratalog chain enable`");
                }
                let mut table = Table::new(vec![
                    number("run"),
                    number("links"),
                    number("transaction"),
                    text("head"),
                ]);
                for head in &heads {
                    table.row(vec![
                        head.run_id.to_string(),
                        head.position.to_string(),
                        head.transaction_id.to_string(),
                        head.head.clone(),
                    ]);
                }
                session.out.table(&table)
            }
        }
    }
}
