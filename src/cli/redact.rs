//! `stratalog redact`

use super::failure::Failure;
use super::output::counted;
use super::run_and_target::{RunArgument, transaction};
use super::selection::Selection;
use super::session::Session;
use crate::history::{RedactOptions, Redaction};
use crate::ids::TransactionId;

/// Take values out of a run's history for good
#[derive(clap::Args)]
#[command(after_help = "\
For what must not be kept. All but the present values of the selected points go: change or remove those first. Who did \
it, when and why stays, and `stratalog verify` says it. Earlier states have no value there any more, and cannot be \
reverted to. Backups, and copies made with `export`, are not reached.

Examples:
  stratalog redact 12 --reason \"licence withdrawn\" --variable 'Price|Carbon' --dry-run
  stratalog redact 12 --reason \"typed in by mistake\" --transaction @345")]
pub(super) struct Redact {
    /// The run: an id, model/scenario or model/scenario/version
    run: RunArgument,
    /// Why: it is what remains to be read
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Only what this transaction wrote
    #[arg(long, value_name = "ID", value_parser = transaction)]
    transaction: Option<TransactionId>,
    #[command(flatten)]
    selection: Selection,
    /// Say how many values would go, and change nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(serde::Serialize)]
struct Document<'a> {
    dry_run: bool,
    redaction: Option<&'a Redaction>,
}

impl Redact {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        let run = self.run.find(&session.open()?)?;
        let redaction = run.redact(
            &self.reason,
            &RedactOptions {
                only: self.selection.filter(),
                transaction: self.transaction,
                dry_run: self.dry_run,
            },
        )?;
        if session.out.is_json() {
            return session.out.json(&Document {
                dry_run: self.dry_run,
                redaction: redaction.as_ref(),
            });
        }
        let Some(redaction) = redaction else {
            return session
                .out
                .line("nothing to redact: no past values are selected");
        };
        let rows = counted(
            usize::try_from(redaction.rows).unwrap_or(usize::MAX),
            "past value",
        );
        session.out.line(&if self.dry_run {
            format!("{rows} of {} would be redacted", run.label())
        } else {
            format!(
                "{rows} of {} redacted (redaction {})",
                run.label(),
                redaction.id
            )
        })
    }
}
