//! Copying a run: its steps one after the other, each under the run's lock and in one commit with the record of it.
//!
//! **Invariant:** between two steps the run is free and its record says how far it is. Whoever kills the import leaves
//! nothing that would have to be rolled back; the next one goes on.

use std::sync::Arc;

use chrono::NaiveDateTime;

use super::names::{Ids, OPERATION};
use super::points::{self, Measurands};
use super::runs::{self, Record, SourceRun};
use super::source::{Source, Span};
use super::staged::Staged;
use super::steps::{self, Step};
use super::target::Target;
use super::{Ixmp4Step, Tell, meta, stage_items};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::run::{LockOptions, Run, create_checkpoint_at};

/// What copying any run needs.
pub(super) struct Copying<'a, 't> {
    pub(super) core: &'a Arc<Core>,
    pub(super) source: &'a mut Source,
    pub(super) measurands: &'a Measurands,
    pub(super) ids: &'a Ids,
    pub(super) tell: &'a mut Tell<'t>,
}

impl Copying<'_, '_> {
    /// Takes those of the steps that have not been taken yet.
    pub(super) fn steps(
        &mut self,
        there: &SourceRun,
        here: &Run,
        record: &mut Record,
        steps: &[Step],
    ) -> Result<()> {
        let mut due = 0;
        for step in steps {
            due += step.checkpoints.len() as i64;
            if step.is_done(record) && due <= record.checkpoints {
                continue;
            }
            let mut step = step.clone();
            if let Span::Between { after, until } = step.span {
                // It grew since a part of it was copied.
                let after = after.max(record.copied_until);
                step.span = Span::Between { after, until };
            }
            // Of a step that grew since the import was broken off some may be there.
            let missing = usize::try_from(due - record.checkpoints).unwrap_or_default();
            let there_already = step.checkpoints.len().saturating_sub(missing);
            step.checkpoints.drain(..there_already);
            self.step(there, here, record, &step, due)?;
        }
        Ok(())
    }

    fn step(
        &mut self,
        there: &SourceRun,
        here: &Run,
        record: &mut Record,
        step: &Step,
        due: i64,
    ) -> Result<()> {
        self.tell.step(Ixmp4Step::Rows(0))?;
        let lock = here.lock_with(OPERATION, LockOptions::default())?;
        self.check_alone(there, here, record)?;
        let mut staged = Staged::default();
        let target = Target {
            core: self.core,
            ids: self.ids,
            run: here.id(),
        };
        let (source, run, span) = (&mut *self.source, there.id, step.span);
        if step.what.points() {
            points::stage(source, self.measurands, &target, run, span, &mut staged)?;
        }
        if step.what.meta() {
            meta::stage(source, &target, run, span, &mut staged)?;
        }
        if step.what.items() {
            stage_items::stage(source, &target, run, span, &mut staged)?;
        }
        let actor = step.origin.actor.as_deref().unwrap_or(&self.core.actor);
        lock.write_from_and_release(
            &step.operation,
            &step.origin,
            |write| staged.write(write, &mut |rows| self.tell.step(Ixmp4Step::Rows(rows))),
            |connection, transaction| {
                for checkpoint in &step.checkpoints {
                    let at: Option<NaiveDateTime> = checkpoint.created_at.or(step.origin.issued_at);
                    let message = checkpoint.message_here();
                    create_checkpoint_at(connection, here.id(), &message, actor, at)?;
                }
                runs::note(connection, record, step.position, due, transaction)
            },
        )?;
        *record = self.record(there)?;
        Ok(())
    }

    /// Makes the run what it is there now.
    pub(super) fn present(
        &mut self,
        there: &SourceRun,
        here: &Run,
        record: &mut Record,
    ) -> Result<()> {
        for mut step in steps::present(there) {
            step.position = record.copied_until;
            let due = record.checkpoints;
            self.step(there, here, record, &step, due)?;
        }
        Ok(())
    }

    fn record(&self, there: &SourceRun) -> Result<Record> {
        let found = self
            .core
            .store
            .read(|connection| runs::record_of(connection, &there.identity))?;
        found.ok_or_else(|| {
            self.source
                .broken("the record of a run is gone: import again")
        })
    }

    /// Under the lock: nobody else has written to the run, another import included.
    fn check_alone(&self, there: &SourceRun, here: &Run, record: &Record) -> Result<()> {
        let now = self.record(there)?;
        let same = (now.copied_until, now.checkpoints, now.transaction_id)
            == (
                record.copied_until,
                record.checkpoints,
                record.transaction_id,
            );
        if same && here.last_transaction()? == record.state() {
            return Ok(());
        }
        Err(Error::Ixmp4 {
            url: self.source.db.url(),
            problem: format!(
                "somebody else has written to run {} (id {}) since its import began. If that is another import, let it \
                 end; otherwise delete the run's work of others with `stratalog revert {} @{}`, or keep the run as it is",
                there.label(),
                here.id(),
                here.id(),
                record.transaction_id
            ),
        })
    }
}
