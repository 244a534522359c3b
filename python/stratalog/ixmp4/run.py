"""Runs."""

from __future__ import annotations

import builtins
import contextlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

import stratalog
from stratalog.ixmp4 import exceptions, filters
from stratalog.ixmp4.checkpoints import RunCheckpoints
from stratalog.ixmp4.exceptions import NoDefaultRunVersion
from stratalog.ixmp4.frames import as_ixmp4, naive
from stratalog.ixmp4.iamc import RunIamcData
from stratalog.ixmp4.meta import RunMetaDictFacade, replace_meta
from stratalog.ixmp4.names import Model, Scenario
from stratalog.ixmp4.optimization import RunOptimizationData
from stratalog.ixmp4.refusals import HasExceptions
from stratalog.ixmp4.transport import Backend

if TYPE_CHECKING:
    import pandas as pd


class Run(HasExceptions):
    """A run: a version of a model's scenario. ``run.stratalog`` is the run as stratalog has it,
    with ``revert_to``, ``as_of``, ``diff``, ``log`` …
    """

    Filter: ClassVar[type[Any]] = filters.FacadeRunFilter
    NotFound = exceptions.RunNotFound
    NotUnique = exceptions.RunNotUnique
    DeletionPrevented = exceptions.RunDeletionPrevented
    IsLocked = exceptions.RunIsLocked
    LockRequired = exceptions.RunLockRequired
    NoDefaultVersion = exceptions.NoDefaultRunVersion

    checkpoints: RunCheckpoints
    iamc: RunIamcData
    optimization: RunOptimizationData

    def __init__(self, backend: Backend, run: stratalog.Run) -> None:
        self._backend = backend
        self.stratalog = run
        self.iamc = RunIamcData(self)
        self.optimization = RunOptimizationData(backend, self)
        self.checkpoints = RunCheckpoints(self)

    @property
    def id(self) -> int:
        """Its id."""
        return self.stratalog.id

    @property
    def model(self) -> Model:
        """Its model."""
        with Model._refusals():
            return Model(self._backend, self._backend.stratalog.models.get(self.stratalog.model))

    @property
    def scenario(self) -> Scenario:
        """Its scenario."""
        with Scenario._refusals():
            named = self._backend.stratalog.scenarios.get(self.stratalog.scenario)
        return Scenario(self._backend, named)

    @property
    def version(self) -> int:
        """1, 2, 3 … of the same model and scenario."""
        return self.stratalog.version

    @property
    def is_default(self) -> bool:
        """Whether it is what ``runs.get(model, scenario)`` gives."""
        with self._refusals():
            return self.stratalog.is_default

    @property
    def created_at(self) -> datetime | None:
        """When it was made (UTC, without a zone)."""
        return naive(self.stratalog.created_at)

    @property
    def created_by(self) -> str | None:
        """Who made it."""
        return self.stratalog.created_by

    @property
    def owns_lock(self) -> bool:
        """Whether this very object holds the run's lock."""
        return self.stratalog.owns_lock

    @property
    def meta(self) -> RunMetaDictFacade:
        """Its meta indicators, as a dict. Assigning replaces all of them; needs the lock."""
        return RunMetaDictFacade(self)

    @meta.setter
    def meta(self, value: Mapping[str, Any]) -> None:
        replace_meta(self, value)

    def require_lock(self) -> None:
        """Raises ``Run.LockRequired`` if this object does not hold the run's lock."""
        if not self.owns_lock:
            raise exceptions.RunLockRequired()

    def set_as_default(self) -> None:
        """Makes it the default version of its model's scenario."""
        with self._refusals():
            self.stratalog.set_as_default()

    def unset_as_default(self) -> None:
        """Makes it no longer the default version."""
        with self._refusals():
            self.stratalog.unset_as_default()

    @contextlib.contextmanager
    def transact(
        self,
        message: str,
        timeout: float | None = None,
        revert_platform_on_error: bool = False,
    ) -> Iterator[None]:
        """A block that writes to the run: ``with run.transact("message"):``. Leaving makes the
        checkpoint ``message``; an exception, whichever, sets the run back to the last checkpoint
        made in the block, or to the state in which it was locked.

        Args:
            message: of the checkpoint.
            timeout: seconds to wait for the lock; ``None``: not at all.
            revert_platform_on_error: without effect, as in ixmp4: what belongs to the platform is
                never set back.

        Raises:
            RunIsLocked: somebody holds the lock, perhaps this very object.
        """
        block = self.stratalog.transact(message, timeout)
        with self._refusals():
            block.__enter__()
        try:
            yield
        except BaseException as error:
            with self._refusals():
                block.__exit__(type(error), error, error.__traceback__)
            raise
        with self._refusals():
            block.__exit__(None, None, None)

    def delete(self) -> None:
        """Deletes it with all its data, under its lock. ``Platform.stratalog.runs.restore`` brings
        it back.
        """
        with self._refusals():
            self._backend.stratalog.runs.delete(self.stratalog)

    def clone(
        self, model: str | None = None, scenario: str | None = None, keep_solution: bool = True
    ) -> Run:
        """A new run with all that it has.

        Args:
            model, scenario: those of the clone; default: the same.
            keep_solution: ``False``: without the data of optimization variables and equations.
        """
        with self._refusals():
            clone = self.stratalog.clone(model or None, scenario or None, keep_solution)
        return Run(self._backend, clone)

    def __str__(self) -> str:
        run = self.stratalog
        return (
            f"<Run model='{run.model}' scenario='{run.scenario}' version={run.version} id={run.id}>"
        )

    def __repr__(self) -> str:
        return str(self)


_COLUMNS = ["id", "model", "scenario", "version", "is_default"]
_INTERNAL = ["model__id", "scenario__id", "lock_transaction"]
_AUDIT = ["created_by", "created_at", "updated_by", "updated_at"]


class RunServiceFacade:
    """The runs of a platform."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @property
    def _runs(self) -> stratalog.Runs:
        return self._backend.stratalog.runs

    def create(self, model: str, scenario: str) -> Run:
        """Makes the next version of a model's scenario, both made as needed."""
        with Run._refusals():
            return Run(self._backend, self._runs.create(model, scenario))

    def delete(self, ref: Run | int) -> None:
        """Deletes a run, given as such or by its id, with all its data."""
        if not isinstance(ref, Run | int):
            raise TypeError(f"expected a Run or its id, not {type(ref).__name__}")
        with Run._refusals():
            self._runs.delete(ref.stratalog if isinstance(ref, Run) else ref)

    def get(self, model: str, scenario: str, version: int | None = None) -> Run:
        """A version of a model's scenario; without a number its default version.

        Raises:
            RunNotFound: there is no such version.
            NoDefaultRunVersion: none is the default.
        """
        none = {"NotFound": NoDefaultRunVersion} if version is None else {}
        with Run._refusals(**none):
            return Run(self._backend, self._runs.get(model, scenario, version))

    def list(self, **kwargs: Unpack[filters.FacadeRunFilter]) -> builtins.list[Run]:
        """Default runs, or those that the filters select, by id."""
        with Run._refusals():
            found = self._runs.list(**filters.runs(kwargs))
        return [Run(self._backend, run) for run in found]

    def tabulate(
        self,
        include_audit_info: bool = False,
        include_internal_columns: bool = False,
        audit_info: bool | None = None,
        **kwargs: Unpack[filters.FacadeRunFilter],
    ) -> pd.DataFrame:
        """As ``list``: ``id``, ``model``, ``scenario``, ``version``, ``is_default``.

        Args:
            include_audit_info, audit_info: adds ``created_by``, ``created_at``, ``updated_by``,
                ``updated_at``.
            include_internal_columns: adds ``model__id``, ``scenario__id``, ``lock_transaction``.
        """
        audit = include_audit_info if audit_info is None else audit_info
        with Run._refusals():
            frame = self._runs.tabulate(audit_info=audit, **filters.runs(kwargs))
            if include_internal_columns:
                frame = self._with_internal(frame)
        columns = [*_COLUMNS]
        columns += _INTERNAL if include_internal_columns else []
        columns += _AUDIT if audit else []
        return as_ixmp4(frame, columns)

    def _with_internal(self, frame: pd.DataFrame) -> pd.DataFrame:
        platform = self._backend.stratalog
        for kind in ("model", "scenario"):
            ids = getattr(platform, f"{kind}s").tabulate().set_index("name")["id"]
            frame[f"{kind}__id"] = frame[kind].map(ids)
        locks = platform.locks.tabulate().set_index("run_id")["lock_transaction"]
        frame["lock_transaction"] = frame["id"].map(locks)
        if frame["lock_transaction"].isna().all():
            frame["lock_transaction"] = None
        return frame
