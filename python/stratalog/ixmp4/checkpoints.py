"""Checkpoints of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stratalog.ixmp4 import exceptions
from stratalog.ixmp4.frames import as_ixmp4
from stratalog.ixmp4.refusals import refusals

if TYPE_CHECKING:
    import pandas as pd

    from stratalog.ixmp4.run import Run


@dataclass(frozen=True)
class Checkpoint:
    """A message tied to a state of a run."""

    id: int
    run__id: int
    transaction__id: int
    message: str

    def __str__(self) -> str:
        # As ixmp4 writes it, without a blank after the run's id.
        return (
            f"<Checkpoint id={self.id} run__id={self.run__id}"
            f"transaction__id={self.transaction__id}>"
        )


class RunCheckpoints:
    """The checkpoints of a run, oldest first."""

    NotFound = exceptions.CheckpointNotFound
    NotUnique = exceptions.CheckpointNotUnique
    DeletionPrevented = exceptions.CheckpointDeletionPrevented

    run: Run

    def __init__(self, run: Run) -> None:
        self.run = run

    def create(self, message: str) -> Checkpoint:
        """Makes one; needs the run's lock."""
        self.run.require_lock()
        with refusals():
            made = self.run.stratalog.checkpoints.create(message)
        return Checkpoint(made.id, made.run_id, made.transaction_id, made.message)

    def tabulate(self) -> pd.DataFrame:
        """All of them: ``run__id``, ``transaction__id``, ``message``, ``id``."""
        with refusals():
            frame = self.run.stratalog.checkpoints.tabulate()
        frame = frame.rename(columns={"transaction_id": "transaction__id"})
        frame["run__id"] = self.run.id
        return as_ixmp4(frame, ["run__id", "transaction__id", "message", "id"])
