import builtins
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from os import PathLike
from types import TracebackType
from typing import (
    Any,
    Literal,
    NoReturn,
    Protocol,
    Self,
    SupportsFloat,
    SupportsIndex,
    TypeAlias,
    final,
    overload,
)

import pandas as pd
import polars as pl
import pyarrow as pa
from matplotlib.axes import Axes

from stratalog._async import TransactAsync
from stratalog._meta import Meta, MetaValue
from stratalog._optimization import Element, Optimization
from stratalog._types import PointType

__all__ = [
    "ChangeCounts",
    "Checkpoint",
    "Checkpoints",
    "CompactReport",
    "Diff",
    "DoctorReport",
    "FileRun",
    "Finding",
    "Iamc",
    "IamcAsOf",
    "Ixmp4Report",
    "Locks",
    "Named",
    "Names",
    "OwnTable",
    "OwnTables",
    "Platform",
    "PlatformIamc",
    "PlatformMeta",
    "Problem",
    "Regions",
    "Run",
    "RunLock",
    "RunTable",
    "RunTables",
    "RunView",
    "Runs",
    "Transact",
    "VerifyReport",
    "_MetaIndicators",
    "_OptimizationItems",
    "__version__",
    "_roll_back_open_blocks",
    "cli_main",
    "read_file",
]

__version__: str

class _ArrowStream(Protocol):
    def __arrow_c_stream__(self, requested_schema: Any = None) -> object: ...

class _ArrowArray(Protocol):
    def __arrow_c_array__(self, requested_schema: Any = None) -> Any: ...

_Table: TypeAlias = _ArrowStream | _ArrowArray | pd.DataFrame | pd.Series[Any] | Mapping[str, Any]
_Type: TypeAlias = PointType | Literal["yearly", "annual", "categorical", "datetime"]
_Filter: TypeAlias = object
_Names: TypeAlias = str | Iterable[str] | Mapping[str, _Filter]
_Years: TypeAlias = SupportsIndex | Iterable[SupportsIndex]
_Target: TypeAlias = Checkpoint | RunView | str | SupportsIndex | datetime
_Seconds: TypeAlias = SupportsFloat | SupportsIndex

@final
class ChangeCounts:
    """How many rows a write inserted, updated and deleted. True when anything changed."""

    @property
    def inserted(self) -> int:
        """Rows that were not there before."""
    @property
    def updated(self) -> int:
        """Rows that have other values now."""
    @property
    def deleted(self) -> int:
        """Rows that are no longer there."""
    @property
    def total(self) -> int:
        """All of them together."""
    def __bool__(self) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...

@final
class Checkpoint:
    """A message tied to a state of a run: what one looks at, compares with, and reverts to."""

    @property
    def id(self) -> int:
        """Its id."""
    @property
    def run_id(self) -> int:
        """The id of its run."""
    @property
    def transaction_id(self) -> int:
        """The run's last transaction when it was made; 0 before the run's first."""
    @property
    def message(self) -> str:
        """Its name. Names may repeat; a name means the latest checkpoint that has it."""
    @property
    def actor(self) -> str:
        """Who made it."""
    @property
    def created_at(self) -> datetime:
        """When (UTC, aware). Shown only: ids say what came first."""
    @property
    def iamc(self) -> IamcAsOf:
        """The run's time series as they were, to be read."""
    def diff(self, since: _Target | None = None) -> Diff:
        """What changed from an earlier state to this one.

        Args:
            since: the earlier state, as ``Run.as_of`` takes it; default: the run's checkpoint
                before this one, or the empty run.
        """
    def revert(self, timeout: _Seconds | None = None) -> ChangeCounts:
        """Sets the run back to this state; see ``Run.revert_to``."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def _repr_html_(self) -> str: ...

@final
class Checkpoints:
    """The checkpoints of a run, oldest first. ``run.checkpoints["raw data"]`` is the latest
    of that name, ``run.checkpoints[7]`` the one with the id 7.
    """

    def create(self, message: str) -> Checkpoint:
        """Makes a checkpoint: what is there now survives a failure of the block. Needs the run's
        lock.

        Raises:
            RunLockRequired: outside of ``with run.transact(…)``.
            InvalidName: the message is empty or holds a NUL.
        """
    def list(self) -> list[Checkpoint]:
        """All of them, oldest first."""
    def tabulate(self) -> pd.DataFrame:
        """All of them, oldest first: ``id`` (int64), ``message`` (text), ``transaction_id``
        (int64), ``actor`` (text), ``created_at`` (datetime64[us, UTC]).
        """
    def get(self, name_or_id: str | SupportsIndex) -> Checkpoint:
        """The checkpoint of that name (the latest of it) or id.

        Raises:
            CheckpointNotFound: lists the ones there are.
        """
    def __getitem__(self, name_or_id: str | SupportsIndex, /) -> Checkpoint: ...
    def __contains__(self, checkpoint: Checkpoint | str | SupportsIndex, /) -> bool: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Checkpoint]: ...

@final
class Diff:
    """What differs between two states: of one run (``run.diff("raw data")``) or of two
    (``platform.diff(a, b)``). True when anything does; ``len`` is the number of rows that differ,
    in all tables. Past states do not change, and neither does this.
    """

    @property
    def before(self) -> int:
        """The id of the transaction after which the first state was."""
    @property
    def after(self) -> int:
        """The id of the transaction after which the second state was."""
    def counts(self) -> pd.DataFrame:
        """How many rows differ, per table that differs: ``table`` (text), ``inserted``,
        ``updated``, ``deleted`` (int64).
        """
    def summary(self) -> pd.DataFrame:
        """How many rows differ, per region and variable that differ: ``table``, ``region``,
        ``variable`` (text, empty for other tables than that of the points), ``inserted``,
        ``updated``, ``deleted`` (int64).
        """
    def tabulate(self) -> pd.DataFrame:
        """The points that differ, as a pandas ``DataFrame``: ``operation`` (insert, update,
        delete), the columns of ``Iamc.tabulate`` but ``value``, then ``value_before`` and
        ``value_after`` (float64, NaN where there is none).
        """
    def arrow(self) -> pa.Table:
        """The points that differ, as a pyarrow ``Table``: as ``tabulate``, with the names as
        dictionaries.
        """
    def table(self, name: str) -> pd.DataFrame:
        """The rows of one of one's own tables that differ, as a pandas ``DataFrame``: ``operation``
        (insert, update, delete), the key, then each other column twice, as ``…_before`` and
        ``…_after``.

        Raises:
            NotFound: there is no such table.
        """
    def plot(self, ax: Axes | None = None, max_series: int = 6) -> Axes:
        """Draws the series that differ, before (dashed) and after, with matplotlib
        (``pip install 'stratalog[plot]'``).

        Args:
            ax: where to draw; default: a figure of its own.
            max_series: at most so many, those with the most changes first; how many more there
                are is said in the title.

        Returns:
            The matplotlib ``Axes``.

        Raises:
            ValueError: no points differ.
            ImportError: matplotlib is missing; says what to install.
        """
    def _repr_html_(self) -> str: ...
    def _first(self, limit: int) -> pd.DataFrame: ...
    def _states(
        self, regions: list[str], variables: list[str]
    ) -> tuple[pd.DataFrame, pd.DataFrame]: ...
    def __len__(self) -> int: ...
    def __bool__(self) -> bool: ...

@final
class DoctorReport:
    """What ``Platform.doctor`` found. True when nothing has to be done."""

    @property
    def ok(self) -> bool:
        """Whether nothing has to be done."""
    @property
    def findings(self) -> list[Finding]:
        """Everything that was looked at."""
    def __bool__(self) -> bool: ...

@final
class FileRun:
    """The points of one run in a file: give it to ``run.iamc.add``."""

    @property
    def model(self) -> str | None:
        """The model's name; None when the file has no such column."""
    @property
    def scenario(self) -> str | None:
        """The scenario's name; None when the file has no such column."""
    @property
    def version(self) -> int | None:
        """The run's version; None when the file has no such column."""
    def __len__(self) -> int: ...
    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """The points as an Arrow stream: region, variable, unit, time and value."""

@final
class Finding:
    """One thing that ``Platform.doctor`` looked at."""

    @property
    def check(self) -> str:
        """What was looked at: "server", "role", "owner", "triggers", "functions", "stamps",
        "history", "sqlite", "journal".
        """
    @property
    def severity(self) -> Literal["ok", "note", "problem"]:
        """ "ok", "note" or "problem"."""
    @property
    def what(self) -> str:
        """What was found."""
    @property
    def advice(self) -> str | None:
        """What to do about it; None where there is nothing to do."""

@final
class Iamc:
    """The time series of a run: region, variable, unit, time, value. Reading needs no lock,
    writing does.
    """

    def add(
        self,
        df: _Table | Iterator[_Table] | pa.RecordBatchReader | str | PathLike[str],
        type: _Type | None = None,
        create_missing: bool = False,
        progress: bool | Callable[[int], object] = False,
        *,
        batches_per_transaction: int | None = None,
    ) -> ChangeCounts:
        """Inserts the points that are new and updates those that differ, by region, variable,
        unit and time. Points that stay as they are leave no trace. All or nothing.

        ``df``: a table from pandas, polars, pyarrow, DuckDB or whatever else has
        ``__arrow_c_stream__`` or ``__arrow_c_array__``; or a dict of lists. Columns:
        ``region``, ``variable``, ``unit`` (text), ``value`` (number), and the time: ``year``
        (whole number); ``year`` and ``subannual`` (text); ``datetime`` (without a zone it is
        UTC); or ``time`` with a mix of years and datetimes. ``model``, ``scenario`` and
        ``version`` may be there if each row names this run. Named index levels of pandas are
        columns. Variables are made as needed; regions and units must exist.

        More than fits into memory comes as a stream: an iterator of such tables, a
        ``pyarrow.RecordBatchReader``, or the path of a Parquet or CSV file. All of it is read
        and checked (what is read waits in a temporary file) before anything is written.

        Args:
            df: the points.
            type: what all rows must be: "yearly" (or "annual"), "categorical",
                "datetime"; default: what their time columns say.
            create_missing: makes regions and units that do not exist.
            progress: ``True`` shows a bar on stderr; a function is called with the number of
                rows that were handed to the database so far.
            batches_per_transaction: writes so many batches of a stream in a transaction;
                default: all. If a later one is refused, the earlier ones stay written until
                the block is rolled back.

        Raises:
            RunLockRequired: outside of ``with run.transact(…)``.
            InvalidFrame: the input is refused, naming columns and rows (counted from 0);
                nothing was written.
            UnknownNames: regions or units do not exist, all of them named; nothing was
                written.
            LockLost: the lock was taken over by somebody else.
        """
    def remove(
        self,
        df: _Table | Iterator[_Table] | pa.RecordBatchReader | str | PathLike[str],
        type: _Type | None = None,
        progress: bool | Callable[[int], object] = False,
        *,
        batches_per_transaction: int | None = None,
    ) -> ChangeCounts:
        """Deletes the points with these keys; a ``value`` column is not needed and not looked
        at. Points that are not there are passed over; the counts say how many were deleted.
        All or nothing.

        Args and errors: as ``add``, streams too; unknown variables are refused as well.
        """
    def tabulate(
        self,
        *,
        region: _Names | None = None,
        variable: _Names | None = None,
        unit: _Names | None = None,
        year: _Years | None = None,
        **filters: _Filter,
    ) -> pd.DataFrame:
        """The points as a pandas ``DataFrame``, in a stable order: ``region``, ``variable``,
        ``unit`` (text), the time columns in use, ``value`` (float64). Time columns: ``year``
        (int64; Int64 with gaps where some points are datetimes), ``subannual`` (text),
        ``datetime`` (datetime64[us], UTC).

        Args:
            region, variable, unit: a name or several; ``*`` stands for any text. Or a dict of
                filters, such as ``{"name__ilike": "world*"}`` or ``{"hierarchy": "R5"}``.
            year: a year or several; leaves datetime points out.
            filters: ``subannual``, ``datetime``, ``type`` ("yearly", "categorical", "datetime"),
                ``value``. Names may end in ``__in`` (letter by letter), ``__eq``, ``__ne``, for
                text ``__like``, ``__notlike``, ``__ilike``, ``__notilike``, for numbers and times
                ``__gt``, ``__gte``, ``__lt``, ``__lte``: ``year__gte=2030``.

        Raises:
            InvalidFilter: an unknown filter, naming the known ones, or a value that does not fit.
        """
    def arrow(
        self,
        *,
        region: _Names | None = None,
        variable: _Names | None = None,
        unit: _Names | None = None,
        year: _Years | None = None,
        **filters: _Filter,
    ) -> pa.Table:
        """The points as a pyarrow ``Table``: as ``tabulate``, with the names as dictionaries."""
    def polars(
        self,
        *,
        region: _Names | None = None,
        variable: _Names | None = None,
        unit: _Names | None = None,
        year: _Years | None = None,
        **filters: _Filter,
    ) -> pl.DataFrame:
        """The points as a polars ``DataFrame`` (polars is not installed with stratalog): as
        ``tabulate``, with the names as categoricals.
        """
    def batches(
        self,
        size: int = 65536,
        *,
        region: _Names | None = None,
        variable: _Names | None = None,
        unit: _Names | None = None,
        year: _Years | None = None,
        **filters: _Filter,
    ) -> pa.RecordBatchReader:
        """The points as a ``pyarrow.RecordBatchReader``: as ``arrow``, ``size`` rows at a time, for
        whatever takes ``__arrow_c_stream__`` and for results that are larger than memory. All
        batches are of the moment of this call, whatever is written meanwhile; each is read when it
        is asked for, in a transaction of its own. What fails then, pyarrow raises as ``OSError``
        or ``ArrowException``.
        """
    def history(
        self,
        *,
        region: _Names | None = None,
        variable: _Names | None = None,
        unit: _Names | None = None,
        year: _Years | None = None,
        **filters: _Filter,
    ) -> pd.DataFrame:
        """Every version of the points, by point, oldest first: the columns of ``tabulate``
        (``value`` NaN where the point was deleted), then ``operation`` (insert, update, delete),
        ``transaction_id`` (int64), ``issued_at`` (datetime64[us, UTC]), ``actor``, ``what`` (what
        the transaction did), ``checkpoint`` (text: the one in force, that is the run's last at or
        before the transaction; missing before the first).

        Args: as ``tabulate``.
        """
    def difference(self, a: _Target, b: _Target | None = None) -> pd.DataFrame:
        """What changed from state ``a`` to state ``b`` (default: the present), a row per point;
        columns as ``Diff.tabulate``. Costs what changed.

        Args:
            a, b: states, as ``Run.as_of`` takes them.

        Raises:
            CheckpointNotFound, TransactionNotFound: say what there is.
        """

@final
class IamcAsOf:
    """The time series of a run as they were, to be read."""

    def tabulate(
        self,
        *,
        region: _Names | None = None,
        variable: _Names | None = None,
        unit: _Names | None = None,
        year: _Years | None = None,
        **filters: _Filter,
    ) -> pd.DataFrame:
        """The points as they were, as a pandas ``DataFrame``; see ``Iamc.tabulate``."""
    def arrow(
        self,
        *,
        region: _Names | None = None,
        variable: _Names | None = None,
        unit: _Names | None = None,
        year: _Years | None = None,
        **filters: _Filter,
    ) -> pa.Table:
        """The points as they were, as a pyarrow ``Table``; see ``Iamc.arrow``."""
    def polars(
        self,
        *,
        region: _Names | None = None,
        variable: _Names | None = None,
        unit: _Names | None = None,
        year: _Years | None = None,
        **filters: _Filter,
    ) -> pl.DataFrame:
        """The points as they were, as a polars ``DataFrame``; see ``Iamc.polars``."""
    def batches(
        self,
        size: int = 65536,
        *,
        region: _Names | None = None,
        variable: _Names | None = None,
        unit: _Names | None = None,
        year: _Years | None = None,
        **filters: _Filter,
    ) -> pa.RecordBatchReader:
        """The points as they were, as a ``pyarrow.RecordBatchReader``; see ``Iamc.batches``."""
    def difference(self, since: _Target | None = None) -> pd.DataFrame:
        """What changed from an earlier state to this one, a row per point; columns as
        ``Diff.tabulate``.

        Args:
            since: the earlier state, as ``Run.as_of`` takes it; default: the run's checkpoint
                before this one, or the empty run.
        """
    def add(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: what was is only read.

        Raises:
            ReadOnlyView: always.
        """
    def remove(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: what was is only read.

        Raises:
            ReadOnlyView: always.
        """

@final
class Locks:
    """The run locks of a platform."""

    def tabulate(self) -> pd.DataFrame:
        """Every run that is locked now: ``run_id`` (int64), ``run`` (its label), ``token``
        (int64), ``holder``, ``host`` (text), ``pid`` (int64), ``reason`` (text),
        ``acquired_at``, ``expires_at``, ``last_write_at`` (datetime64[us, UTC], NaT before
        the first write), ``state`` (text), ``lock_transaction`` (int64: the run's last
        transaction when it was taken).

        States: "held"; "recovering": a rollback is to be done first; "expired": its lease ran
        out; "dead": its process has ended. An expired or dead one is taken over by whoever
        locks the run next.
        """
    def events(
        self, run: Run | SupportsIndex | None = None, limit: int | None = 50
    ) -> pd.DataFrame:
        """What became of locks other than by their holders, newest first: ``id`` (int64),
        ``occurred_at`` (datetime64[us, UTC]), ``run_id`` (int64), ``event`` ("taken over":
        its holder was dead or silent for too long; "forced": somebody unlocked it by hand;
        "rollback failed": the next holder tries again), ``token`` (int64), ``holder``,
        ``host`` (text), ``pid`` (int64), ``holder_reason`` (text: what it was held for),
        ``actor``, ``reason`` (text: who took it, and why).

        Args:
            run: only of this run, given as such or by its id.
            limit: at most so many; ``None``: all.
        """
    def force_unlock(self, run: Run | SupportsIndex, *, token: int, reason: str) -> ChangeCounts:
        """Takes the lock from its holder, whoever that is, sets the run back to its last
        checkpoint, and leaves it free. Says what was undone. The holder gets ``LockLost`` at
        its next write. Kept in ``events``.

        For a holder that is known to be dead on a machine that cannot be asked, or alive and
        in the way. One whose process ended on this machine, or whose lease ran out, is taken
        over by whoever locks the run next.

        Args:
            run: the run, given as such or by its id.
            token: that of the holding that is to end, from ``tabulate`` or ``RunIsLocked``:
                the lock may have passed to somebody else meanwhile.
            reason: why, for others to read.

        Raises:
            RunNotFound: there is no such run.
            LockTokenMismatch: it is free, or held under another token.
            InvalidName: the reason is empty.
            RevertNeedsMissing: it cannot be set back; it stays marked.
        """

@final
class Named:
    """A region, unit, variable, model or scenario, as it was when it was looked up."""

    @property
    def id(self) -> int:
        """Its id."""
    @property
    def name(self) -> str:
        """Its name, unique among its kind."""
    @property
    def hierarchy(self) -> str | None:
        """A region's hierarchy; ``None`` for the others."""
    @property
    def docs(self) -> str | None:
        """What is said of it; see ``set_docs``."""
    @property
    def created_at(self) -> datetime | None:
        """When it was made (UTC)."""
    @property
    def created_by(self) -> str | None:
        """Who made it."""
    @property
    def updated_at(self) -> datetime | None:
        """When it was last changed (UTC); ``None``: not since it was made."""
    @property
    def updated_by(self) -> str | None:
        """Who changed it last."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Names:
    """All units, variables, models or scenarios of a platform."""

    def create(self, name: str) -> Named:
        """Makes a new one. A name that was deleted before gets its old id back.

        Raises:
            AlreadyExists: the name is taken.
            InvalidName: it is empty (units may be), begins or ends with a blank, or holds
                a NUL.
        """
    def get(self, name: str) -> Named:
        """The one of that name.

        Raises:
            NotFound: of the kind in question (``UnitNotFound`` …), with a similar name if
                there is one.
        """
    def get_by_id(self, id: int) -> Named:
        """The one of that id.

        Raises:
            NotFound: of the kind in question.
        """
    def list(self, *, name: str | Iterable[str] | None = None, **filters: _Filter) -> list[Named]:
        """All of them by name, or those that filters select: ``name``, ``id``, ``docs``,
        ``iamc``.

        Args:
            name: a name or several; ``*`` stands for any text. Also ``name__in`` (letter by
                letter), ``name__like``, ``name__notlike``, ``name__ilike`` (whatever the case).
            iamc: ``True``: those that points have; or a dict of filters of such points.

        Raises:
            InvalidFilter: an unknown filter, or a value that does not fit.
        """
    def tabulate(
        self,
        *,
        name: str | Iterable[str] | None = None,
        audit_info: bool = False,
        **filters: _Filter,
    ) -> pd.DataFrame:
        """As ``list``: ``id`` (int64), ``name`` (text).

        Args:
            audit_info: adds ``created_at``, ``created_by``, ``updated_at``, ``updated_by``
                (datetime64[us, UTC], text).
        """
    def set_docs(self, name: str, docs: str | None) -> None:
        """Says something of the one of that name, for people to read; ``None`` takes it back.

        Raises:
            NotFound: of the kind in question.
        """
    def delete(self, name: str) -> None:
        """Deletes the one of that name. The history that refers to it stays.

        Raises:
            NotFound: of the kind in question.
            InUse: something refers to it; says what.
        """

@final
class OwnTable:
    """A table of one's own: what it is called and holds."""

    @property
    def name(self) -> str:
        """Its name."""
    @property
    def columns(self) -> dict[str, Any]:
        """The columns with their types: ``str``, ``int``, ``float``, ``bool`` or ``datetime``,
        ``… | None`` where values may be missing.
        """
    @property
    def key(self) -> list[str]:
        """The columns that tell the rows of a run apart."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class OwnTables:
    """The tables of one's own of a platform: ``platform.tables.create("flows", …)`` makes one, and
    every run then has rows in it, ``run.tables["flows"]``.
    """

    def create(self, name: str, columns: dict[str, Any], key: Sequence[str]) -> OwnTable:
        """Makes a table whose rows belong to runs: logged, locked, looked at as they were, compared
        and reverted with them. The description is kept in the database; every process knows it.
        Making it again, with the same description, does nothing.

        Args:
            name: lower-case letters, digits and ``_``, at most 40.
            columns: types by name: ``str``, ``int`` (64 bits), ``float``, ``bool``,
                ``datetime.datetime`` (UTC, microseconds); ``… | None`` where values may be
                missing.
            key: the columns that tell the rows of a run apart; none may be missing.

        Raises:
            SchemaError: it cannot be so, or is there with another description; says why.
            InvalidInput: a type that columns cannot have.
        """
    def get(self, name: str) -> OwnTable:
        """The one of that name.

        Raises:
            NotFound: with a similar name if there is one.
        """
    def list(self) -> list[OwnTable]:
        """All of them, by name."""
    def tabulate(self) -> pd.DataFrame:
        """The columns of all of them: ``table``, ``column``, ``type`` (text), ``may_be_missing``,
        ``is_key`` (bool).
        """

@final
class RunTables:
    """The rows of a run in the tables of one's own, by table: ``run.tables["flows"]``."""

    def __getitem__(self, name: str, /) -> RunTable: ...
    def __contains__(self, name: str, /) -> bool: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[str]: ...

@final
class RunTable:
    """The rows of a run in one table. Reading needs no lock, writing does; it is logged and goes
    back with the run.
    """

    @property
    def name(self) -> str:
        """The table's name."""
    def add(self, df: _Table) -> ChangeCounts:
        """Inserts rows that are new and updates those that differ, by the table's key. Rows that
        stay as they are leave no trace. All or nothing.

        Args:
            df: a table from pandas, polars, pyarrow or DuckDB, or a dict of lists, with the table's
                columns.

        Raises:
            RunLockRequired: outside of ``with run.transact(…)``.
            InvalidFrame: columns, values or duplicates that do not fit, with their rows (counted
                from 0); nothing was written.
        """
    def remove(self, df: _Table) -> ChangeCounts:
        """Deletes the rows with these keys; other columns are not needed and not looked at. Keys
        that are not there are passed over; the counts say how many were deleted. All or nothing.

        Args and errors: as ``add``.
        """
    def tabulate(self, **filters: _Filter) -> pd.DataFrame:
        """The rows in the order of the key as a pandas ``DataFrame``: the table's columns;
        times are UTC, without a zone.

        Args:
            filters: by the columns: ``node="a*"``, ``year__gte=2030`` …, as ``Iamc.tabulate`` takes
                them.

        Raises:
            InvalidFilter: an unknown column, or a value that does not fit.
        """
    def arrow(self, **filters: _Filter) -> pa.Table:
        """As ``tabulate``, as a pyarrow ``Table``."""
    def polars(self, **filters: _Filter) -> pl.DataFrame:
        """As ``tabulate``, as a polars ``DataFrame``."""
    def history(self, **filters: _Filter) -> pd.DataFrame:
        """Every version of the rows, by key, oldest first: the table's columns (those that are not
        of the key missing where the row was deleted), then ``operation`` (insert, update, delete),
        ``transaction_id`` (int64), ``issued_at`` (datetime64[us, UTC]), ``actor``, ``what``,
        ``checkpoint``, as ``Iamc.history``.
        """
    def difference(self, a: _Target, b: _Target | None = None) -> pd.DataFrame:
        """What changed from state ``a`` to state ``b`` (default: the present), a row per row:
        ``operation`` (insert, update, delete), the key, then each other column twice, as
        ``…_before`` and ``…_after``. Costs what changed.

        Args:
            a, b: states, as ``Run.as_of`` takes them.

        Raises:
            CheckpointNotFound, TransactionNotFound: say what there is.
        """

@final
class Platform:
    """One database with runs, regions, units, and the log of all that was written.

    Args:
        url: a path (``"scenarios.db"``), ``"sqlite:///scenarios.db"``,
            ``"sqlite://:memory:"`` or ``"postgresql://user@host/database"``. A new SQLite
            file is made and migrated.
        actor: who writes, as recorded with every transaction; default: the
            operating-system user.
        lease: seconds after which others may take a run's lock from a holder that gives no
            sign of life; from a second to a day.
        heartbeat: seconds between its signs, which a thread gives by itself; default: a
            third of the lease.
        pool_size: how many connections its calls open at most, as they are needed. A call needs
            one, and who finds all in use waits. Locks have one more for their heartbeat.

    Raises:
        InvalidUrl: not a database's URL, or a place where it cannot live.
        InvalidLease: the lease or the heartbeat cannot work; says why.
        InvalidInput: a pool of no connections.
        ConnectionFailed: it cannot be reached.
        SchemaOutdated, SchemaTooNew: with both revisions and what to do.

    May be shared by threads. After a fork open it again: connections and locks do not go
    along. While a SQLite file is open here, look at it with Python's own ``sqlite3`` from
    another process: two SQLite libraries in one process take each other's file locks away.
    """

    def __new__(
        cls,
        url: str | PathLike[str],
        actor: str | None = None,
        lease: _Seconds = 30.0,
        heartbeat: _Seconds | None = None,
        *,
        pool_size: int = 8,
    ) -> Self: ...
    @staticmethod
    def migrate(
        url: str | PathLike[str], owner_role: str | None = None, app_role: str | None = None
    ) -> list[str]:
        """Brings a database to this version's schema, all of it or nothing; gives the revisions
        that were applied, none when it was there already.

        Args:
            owner_role, app_role: on PostgreSQL, both or neither: two group roles, made if they
                are not there. The owner gets the tables; members of the app role use the
                product and cannot change history. May be repeated, also with data there.

        Raises:
            InvalidUrl, ConnectionFailed.
            MigrationFailed: the database is as it was. On SQLite always, if roles are given.
            InvalidInput: one role without the other.
        """
    @property
    def url(self) -> str:
        """The database's path or URL, without a password."""
    @property
    def engine(self) -> Literal["sqlite", "postgres"]:
        """ "sqlite" or "postgres"."""
    @property
    def actor(self) -> str:
        """Who writes."""
    @property
    def runs(self) -> Runs:
        """Runs."""
    @property
    def iamc(self) -> PlatformIamc:
        """The time series of all its runs, to be read."""
    @property
    def meta(self) -> PlatformMeta:
        """Meta indicators of its runs."""
    @property
    def regions(self) -> Regions:
        """Regions."""
    @property
    def units(self) -> Names:
        """Units."""
    @property
    def variables(self) -> Names:
        """Variables. Adding points makes them as needed."""
    @property
    def models(self) -> Names:
        """Models. Creating runs makes them as needed."""
    @property
    def scenarios(self) -> Names:
        """Scenarios. Creating runs makes them as needed."""
    @property
    def tables(self) -> OwnTables:
        """Tables of one's own, whose rows belong to runs."""
    @property
    def locks(self) -> Locks:
        """Run locks."""
    def diff(self, a: Run | RunView, b: Run | RunView) -> Diff:
        """What differs from one run to another, of two versions of a scenario for instance.
        Both are compared whole.

        Args:
            a, b: runs, as they are now, or what their ``as_of`` gives.

        Raises:
            InvalidFilter: a run of another database.
        """
    def log(
        self,
        run: Run | SupportsIndex | None = None,
        limit: int | None = 50,
        before: int | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        actor: str | None = None,
    ) -> pd.DataFrame:
        """Transactions, newest first: ``id`` (int64), ``issued_at`` (datetime64[us, UTC]),
        ``run_id`` (int64; Int64 with gaps where some wrote to the platform's own tables
        only), ``actor``, ``operation`` (text), ``inserted``, ``updated``, ``deleted`` (rows,
        int64), ``tables`` (those written to), ``checkpoints`` (messages of those that name
        it), ``reverted`` (of one that set rows back: revert, rollback or undo), ``target_id``
        (the transaction whose state came back; of an undo the one that was taken back).

        Args:
            run: only of this run, given as such or by its id.
            limit: at most so many; ``None``: all.
            before: only ids below this one: the last of the page before.
            since, until: only those that began in this time (``datetime``, without a zone UTC).
            actor: only those of this actor.
        """
    def doctor(self) -> DoctorReport:
        """Looks at what protects the data: the role that is connected, the triggers, the server.
        On SQLite history is tamper-evident at best, and it says so.
        """
    def compact(
        self,
        keep: Literal["checkpoints"] | None = None,
        *,
        before: datetime | None = None,
        last: int | None = None,
        run: Run | int | None = None,
        dry_run: bool = False,
        progress: bool = False,
    ) -> CompactReport:
        """Removes the version rows that none of the kept states needs, of one run or of all. What
        is kept reads as before; any other state is gone for good: looking at it is
        ``StateCompacted``. The present state always stays. It is logged, works in batches under
        each run's lock, and can be broken off: the next one goes on. Give one of ``keep``,
        ``before`` and ``last``.

        Args:
            keep: ``"checkpoints"``: the states that checkpoints name.
            before: what is older than this time (``datetime``, without a zone UTC) goes,
                checkpoints too.
            last: everything from the last so many checkpoints of each run on stays.
            run: only this run.
            dry_run: removes nothing, and reports what would be removed.
            progress: says on stderr how far it is.

        Runs that are locked are passed over: see ``CompactReport.locked``. The room is used
        again by the database; ``VACUUM`` (PostgreSQL: ``VACUUM FULL``) gives it back to the disk.

        Raises:
            InvalidFilter: not exactly one of ``keep``, ``before`` and ``last``.
        """
    def import_ixmp4(
        self,
        source: str,
        *,
        dry_run: bool = False,
        history: bool = True,
        progress: bool = False,
    ) -> Ixmp4Report:
        """Copies an ixmp4 database (ixmp4 0.14 to 0.17; SQLite or PostgreSQL) into this platform:
        names, runs with their version numbers, time series, meta indicators, optimization items,
        checkpoints, and the history where there is one (PostgreSQL). Then both sides are compared.
        The source is only read. Close ixmp4's own platform in this process first.

        All of it is looked at before anything is written. An import that was broken off goes on
        when it is called again; runs that have been copied are not copied again.

        Args:
            source: a path, or a URL as ixmp4 has it (``postgresql+psycopg://…``).
            dry_run: writes nothing, and reports what would be copied.
            history: ``False`` copies the present state only.
            progress: draws a bar on stderr.

        Raises:
            ImportRefused: it is not such a database or of another revision, something in it
                cannot be kept here, or version numbers are taken. The message has all of it.
        """
    def redactions(self) -> pd.DataFrame:
        """What was redacted, oldest first. Columns: ``id``, ``run_id``, ``redacted_at`` (UTC),
        ``actor``, ``reason``, ``rows``.
        """
    def enable_chain(self) -> int:
        """Switches hash chains on, for good, and links what was written so far: every transaction
        of a run to the one before, by SHA-256, with the version rows that it wrote.
        ``verify(chain=True)`` follows them. Returns how many transactions were linked; repeated,
        it links what other programs wrote.
        """
    def chain_heads(self) -> pd.DataFrame:
        """Where each chain ends, to be kept where nobody who can write to the database can write.
        Columns: ``run_id`` (0: the platform's own tables), ``position`` (links), ``transaction_id``
        (int64), ``head`` (64 hexadecimal digits). Empty where chains are not switched on.
        """
    def verify(
        self,
        progress: bool = False,
        *,
        chain: bool = False,
        heads: pd.DataFrame | Iterable[Mapping[str, Any]] | None = None,
    ) -> VerifyReport:
        """Proves that the live tables and the change log agree and that the log is sound.

        Args:
            progress: says on stderr which table it is looking at.
            chain: follows the hash chains too.
            heads: heads that were kept elsewhere, as ``chain_heads`` gave them: a table with
                the same columns, a list of dictionaries, or the JSON of
                ``stratalog chain heads --json`` read by ``json.load``.

        Raises:
            InvalidFilter: ``chain=True`` where chains are not switched on.
        """

@final
class CompactReport:
    """What ``Platform.compact`` came to."""

    @property
    def rows_before(self) -> int:
        """Version rows of the runs that were compacted, before."""
    @property
    def rows_after(self) -> int:
        """Version rows of the runs that were compacted, afterwards."""
    @property
    def bytes_before(self) -> int:
        """Bytes in use before: of the database (SQLite), of all version tables (PostgreSQL)."""
    @property
    def bytes_after(self) -> int:
        """Bytes in use afterwards. In a dry run they are the same."""
    @property
    def locked(self) -> list[int]:
        """The ids of runs that were passed over, because somebody holds their lock."""
    def tabulate(self) -> pd.DataFrame:
        """The runs that were compacted. Columns: ``run_id``, ``run``, ``rows_before``,
        ``rows_after``.
        """

@final
class Ixmp4Report:
    """What ``Platform.import_ixmp4`` did or, of a dry run, would do."""

    @property
    def ok(self) -> bool:
        """Whether both sides are the same; of a dry run, whether it can be imported."""
    @property
    def source(self) -> str:
        """The source's URL or path, without a password."""
    @property
    def revision(self) -> str:
        """The revision of its schema."""
    @property
    def history(self) -> bool:
        """Whether its history is copied too."""
    @property
    def dry_run(self) -> bool:
        """Whether nothing was written."""
    @property
    def notes(self) -> list[str]:
        """What is worth knowing, and no difference."""
    @property
    def problems(self) -> list[str]:
        """Of a dry run: what keeps it from being imported, with what to do."""
    @property
    def differences(self) -> list[str]:
        """Where the sides differ when all is done."""
    def counts(self) -> pd.DataFrame:
        """How many there are of each. Columns: ``what`` (text), ``there``, ``here`` (int64). Of
        a dry run ``there`` is what would be copied, and ``here`` is 0.
        """
    def runs(self) -> pd.DataFrame:
        """The runs of the source. Columns: ``source_id`` (int64), ``model``, ``scenario`` (text),
        ``version`` (int64), ``state`` (text: imported, continued, unchanged, deleted, taken),
        ``run_id`` (Int64, with gaps for runs that are not here), ``transactions_there``,
        ``transactions``, ``checkpoints`` (int64).
        """

@final
class Problem:
    """Rows that break one of the change log's promises."""

    @property
    def table(self) -> str:
        """The table."""
    @property
    def problem(self) -> str:
        """What is wrong with the rows."""
    @property
    def count(self) -> int:
        """How many rows."""
    @property
    def rows(self) -> list[str]:
        """The first rows by their keys."""

@final
class Regions:
    """All regions of a platform."""

    def create(self, name: str, hierarchy: str = "common") -> Named:
        """Makes a new region. A name that was deleted before gets its old id back.

        Raises:
            AlreadyExists: the name is taken, in whatever hierarchy.
            InvalidName: it is empty, begins or ends with a blank, or holds a NUL.
        """
    def get(self, name: str) -> Named:
        """The region of that name.

        Raises:
            RegionNotFound: with a similar name if there is one.
        """
    def get_by_id(self, id: int) -> Named:
        """The region of that id.

        Raises:
            RegionNotFound: there is none.
        """
    def list(
        self,
        *,
        name: str | Iterable[str] | None = None,
        hierarchy: str | Iterable[str] | None = None,
        **filters: _Filter,
    ) -> list[Named]:
        """All regions by name, or those that filters select: ``name``, ``hierarchy``, ``id``,
        ``docs``, ``iamc``; as ``Names.list`` takes them.

        Raises:
            InvalidFilter: an unknown filter, or a value that does not fit.
        """
    def tabulate(
        self,
        *,
        name: str | Iterable[str] | None = None,
        hierarchy: str | Iterable[str] | None = None,
        audit_info: bool = False,
        **filters: _Filter,
    ) -> pd.DataFrame:
        """As ``list``: ``id`` (int64), ``name``, ``hierarchy`` (text).

        Args:
            audit_info: adds ``created_at``, ``created_by``, ``updated_at``, ``updated_by``
                (datetime64[us, UTC], text).
        """
    def set_docs(self, name: str, docs: str | None) -> None:
        """Says something of the region of that name, for people to read; ``None`` takes it back.

        Raises:
            RegionNotFound: there is none.
        """
    def delete(self, name: str) -> None:
        """Deletes the region of that name. The history that refers to it stays.

        Raises:
            RegionNotFound: there is none.
            InUse: runs have points in it; says which.
        """

@final
class Run:
    """A run: one version of a model's scenario, with the rows that belong to it and change
    together.

    Reading needs no lock; writing goes on inside ``with run.transact("message"):``, or
    between ``run.lock("message")`` and its ``commit()``. The lock belongs to this ``Run``
    object. Threads and tasks may share it: they then write in one block, and while one is
    in a block, ``transact`` of another is a ``NestedTransact`` error. For blocks of their
    own, let each get its own ``Run``.
    """

    @property
    def id(self) -> int:
        """Its id."""
    @property
    def model(self) -> str:
        """The model's name."""
    @property
    def scenario(self) -> str:
        """The scenario's name."""
    @property
    def version(self) -> int:
        """1, 2, 3 … of the same model and scenario."""
    @property
    def label(self) -> str:
        """ "model / scenario, version 1"."""
    @property
    def is_default(self) -> bool:
        """Whether it is what ``runs.get(model, scenario)`` gives; asked from the database each
        time.
        """
    @property
    def cloned_from(self) -> tuple[int, int] | None:
        """The id of the run that it was cloned from and the transaction of that run whose state was
        copied; ``None`` for a run that was not cloned.
        """
    @property
    def created_at(self) -> datetime | None:
        """When it was made (UTC)."""
    @property
    def created_by(self) -> str | None:
        """Who made it."""
    @property
    def updated_at(self) -> datetime | None:
        """When it was last written to (UTC), be it its data, or whether it is the default;
        ``None``: not since it was made.
        """
    @property
    def updated_by(self) -> str | None:
        """Who wrote to it last."""
    def clone(
        self, model: str | None = None, scenario: str | None = None, keep_solution: bool = True
    ) -> Run:
        """A new run with all that it has now: the next version of its model's scenario, or of the
        ones given, which are made as needed. The rows are copied within the database, so a
        million points take seconds. The clone begins with a checkpoint that says what it was
        cloned from; it is not the default. What an unfinished block of somebody has written so
        far is copied too.

        Args:
            model, scenario: those of the clone; default: the same.
            keep_solution: ``False``: without the data of optimization variables and equations.

        Raises:
            InvalidName: a name is empty, begins or ends with a blank, or holds a NUL.
            RunNotFound: the run was deleted.
        """
    def set_as_default(self) -> None:
        """Makes it the default version of its model's scenario; another one is so no more."""
    def unset_as_default(self) -> None:
        """Makes it no longer the default version."""
    @property
    def owns_lock(self) -> bool:
        """Whether this very object holds the run's lock."""
    @property
    def last_transaction(self) -> int:
        """The id of the last transaction that wrote to it; 0 before any did."""
    def transact(
        self, message: str, timeout: _Seconds | None = None, lease: _Seconds | None = None
    ) -> Transact:
        """A block that writes to the run: ``with run.transact("message"):``.

        Entering takes the run's lock; leaving makes the checkpoint ``message`` and releases.
        An exception, whichever, sets the run back to the last checkpoint made in the block,
        or to the state in which it was locked, and goes on.

        Args:
            message: why; others see it while they are refused, and it names the
                checkpoint.
            timeout: seconds to wait for the lock; ``None``: not at all. Ctrl-C ends the
                waiting.
            lease: seconds after which others may take the lock if this process gives no sign
                of life; default: the platform's.

        Raises, on entering:
            RunIsLocked: with who holds it, since when and why.
            NestedTransact: this very object holds it.
        """
    def transact_async(
        self, message: str, timeout: _Seconds | None = None, lease: _Seconds | None = None
    ) -> TransactAsync:
        """As ``transact``, for asyncio: ``async with run.transact_async("message"):``. The lock
        is waited for and released in a thread, so the event loop goes on. Cancelling the
        waiting task ends the waiting; cancelling the block rolls it back.

        Calls inside the block block as they do elsewhere. ``await
        asyncio.to_thread(run.iamc.add, df)`` lets the loop go on meanwhile.
        """
    def lock(
        self, message: str, timeout: _Seconds | None = None, lease: _Seconds | None = None
    ) -> RunLock:
        """Takes the run's lock now, for work that no ``with`` block can hold, in a notebook over
        several cells. End it with ``lock.commit()``, which makes the checkpoint ``message``,
        or ``lock.rollback()``. One that is dropped without (deleted, or its name given to
        something else) sets the run back, with a ``ResourceWarning``; so does the end of the
        program.

        Args: as ``transact``.

        Raises:
            RunIsLocked: with who holds it, since when and why.
            NestedTransact: this very object holds it: end that lock first. So it is when a
                cell is run again while ``lock`` is still the one of its first run.
        """
    @property
    def iamc(self) -> Iamc:
        """Its time series."""
    @property
    def meta(self) -> Meta:
        """Its meta indicators, as a dict. Assigning a dict replaces all of them, as one
        transaction.
        """
    @meta.setter
    def meta(self, value: Mapping[str, Any]) -> None: ...
    @property
    def optimization(self) -> Optimization:
        """Its optimization items: indexsets, scalars, tables, parameters, variables, equations."""
    @property
    def tables(self) -> RunTables:
        """Its rows in the tables of one's own, by table: see ``Platform.tables``."""
    @property
    def checkpoints(self) -> Checkpoints:
        """Its checkpoints."""
    def as_of(self, target: _Target) -> RunView:
        """The run as it was, to be read: ``run.as_of("raw data").iamc.tabulate()``. Later writes
        do not show in it.

        Args:
            target: a ``Checkpoint``; a checkpoint's name (its latest one); ``"checkpoint"``: the
                run's last checkpoint, without what a writer has done since; as a number, the id
                of one of the run's transactions (not of a checkpoint), 0 being the empty run;
                or a ``datetime`` (without a zone it is UTC): the state after the run's last
                transaction that began at or before it.

        Raises:
            CheckpointNotFound, TransactionNotFound: say what there is.
        """
    @overload
    def revert_to(
        self,
        target: _Target,
        timeout: _Seconds | None = None,
        *,
        region: _Names | None = None,
        variable: _Names | None = None,
        unit: _Names | None = None,
        year: _Years | None = None,
        dry_run: Literal[False] = False,
        **filters: _Filter,
    ) -> ChangeCounts:
        """Sets the run back to an earlier state, as one new, logged transaction that costs what
        changed since. Reverting it brings the later state back: nothing is lost.

        Inside a ``transact`` block of this object it works under the block's lock. Outside it
        takes the lock itself and leaves a checkpoint that says what it did.

        Args:
            target: the state, as ``as_of`` takes it.
            timeout: seconds to wait for the lock; ``None``: not at all.
            region, variable, unit, year …: only these points, as ``Iamc.tabulate`` selects
                them, but not by their values; all other rows stay as they are.
            dry_run: changes nothing, needs no lock, and gives the ``Diff`` that it would apply.

        Raises:
            RunIsLocked, CheckpointNotFound, TransactionNotFound.
            RevertNeedsMissing: the earlier state needs what has been deleted since, all
                of it named; nothing changed.
        """
    @overload
    def revert_to(
        self,
        target: _Target,
        timeout: _Seconds | None = None,
        *,
        region: _Names | None = None,
        variable: _Names | None = None,
        unit: _Names | None = None,
        year: _Years | None = None,
        dry_run: Literal[True],
        **filters: _Filter,
    ) -> Diff: ...
    @overload
    def undo(
        self,
        transaction_id: int,
        timeout: _Seconds | None = None,
        *,
        dry_run: Literal[False] = False,
    ) -> ChangeCounts:
        """Takes back what one of the run's transactions changed, as one new, logged transaction,
        and nothing of what was changed since. Rows that are by now as they were before it stay
        as they are, so doing it twice does no harm. Lock and checkpoint: as ``revert_to``.

        Args:
            transaction_id: the transaction, as ``log`` shows it.
            timeout: seconds to wait for the lock; ``None``: not at all.
            dry_run: changes nothing, needs no lock, and gives the ``Diff`` that it would apply.

        Raises:
            UndoOverlaps: rows of it were changed again since, and are named; nothing changed.
            RunIsLocked, TransactionNotFound, RevertNeedsMissing.
        """
    @overload
    def undo(
        self, transaction_id: int, timeout: _Seconds | None = None, *, dry_run: Literal[True]
    ) -> Diff: ...
    def redact(
        self,
        reason: str,
        transaction_id: int | None = None,
        *,
        region: _Names | None = None,
        variable: _Names | None = None,
        unit: _Names | None = None,
        year: _Years | None = None,
        dry_run: bool = False,
        **filters: _Filter,
    ) -> int:
        """Takes values out of the history for good, because they must not be kept: all but the
        present ones of the points that are selected. Who did it, when and why stays, and
        ``Platform.verify`` says it. Earlier states have no value there any more (NaN), and
        reverting to them is ``RevertNeedsRedacted``. To get rid of a present value change or
        remove it first. Takes the run's lock. Backups and exports are not reached.

        Args:
            reason: why; it is what remains to be read.
            transaction_id: only what this transaction wrote.
            region, variable, unit, year …: the points, as ``Iamc.tabulate`` selects them, but not
                by their values. At least one of these, or a transaction.
            dry_run: changes nothing.

        Returns:
            How many version rows lost their values, or would.

        Raises:
            InvalidFilter: without a reason or a selection.
            RunIsLocked.
        """
    def log(
        self,
        limit: int | None = None,
        before: int | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        actor: str | None = None,
    ) -> pd.DataFrame:
        """Its transactions, newest first; columns as ``Platform.log``.

        Args:
            limit: at most so many; ``None``: all.
            before: only ids below this one.
            since, until: only those that began in this time (``datetime``, without a zone UTC).
            actor: only those of this actor.
        """
    def diff(self, a: _Target, b: _Target | None = None) -> Diff:
        """What differs from state ``a`` to state ``b`` (default: the present). Costs what changed
        in between.

        Args:
            a, b: states, as ``as_of`` takes them.

        Raises:
            CheckpointNotFound, TransactionNotFound: say what there is.
        """
    def plot_timeline(self, ax: Axes | None = None, limit: int | None = 100) -> Axes:
        """Draws what was written when, with matplotlib (``pip install 'stratalog[plot]'``): rows
        inserted, updated and deleted by each transaction, in their order; checkpoints; and
        what reverts, rollbacks and undos went back to.

        Args:
            ax: where to draw; default: a figure of its own.
            limit: only the newest so many transactions; ``None``: all.

        Returns:
            The matplotlib ``Axes``.

        Raises:
            ValueError: nothing was written yet.
            ImportError: matplotlib is missing; says what to install.
        """
    def _repr_html_(self) -> str: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class RunLock:
    """A run's lock, held from when it was taken until ``commit()`` or ``rollback()``.
    Writing goes through the run itself.

    ``run.lock("message")`` gives one for work that no ``with`` block can hold, in a
    notebook over several cells. One that is dropped without being ended sets the run back
    and warns. It may be used in a ``with`` statement too, as ``run.transact`` is.

    ``with run.transact("message") as lock:`` gives the one of its block. Ending it there
    ends the block's holding; leaving the block then does nothing more.
    """

    @property
    def token(self) -> int:
        """The fencing number of this holding; it grows with every time the run is locked."""
    @property
    def message(self) -> str:
        """Why it was taken, and the checkpoint that committing makes."""
    @property
    def run_id(self) -> int:
        """The id of the run."""
    @property
    def is_held(self) -> bool:
        """Whether it is still open: neither committed nor rolled back. That somebody took it
        away shows at the next write, as ``LockLost``.
        """
    def commit(self) -> Checkpoint:
        """Makes the checkpoint ``message`` and releases, in one commit.

        Raises:
            LockLost: somebody took the lock away; the run is as they left it.
            LockError: it was ended already.
        """
    def rollback(self) -> ChangeCounts:
        """Sets the run back to the last checkpoint made under this lock, or to the state in which
        it was locked, and releases. Says what was undone.

        Raises:
            LockLost: somebody took the lock away; the run is as they left it.
            LockError: it was ended already.
        """
    def __enter__(self) -> Self:
        """Nothing: the lock is taken already.

        Raises:
            LockError: it was ended, or is in a ``with`` statement already.
        """
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> Literal[False]:
        """Commits, or rolls back when an exception is on its way. Never swallows one. Does
        nothing when ``commit()`` or ``rollback()`` was called in the block.
        """

@final
class RunView:
    """A run as it was, to be read: ``run.as_of("raw data")``. It stays as it is, whatever is
    written to the run.
    """

    @property
    def run_id(self) -> int:
        """The id of the run."""
    @property
    def transaction_id(self) -> int:
        """The id of the transaction after which it was so; 0: before any."""
    @property
    def iamc(self) -> IamcAsOf:
        """The run's time series as they were, to be read."""
    @property
    def meta(self) -> Meta:
        """The run's meta indicators as they were, to be read."""
    @property
    def optimization(self) -> Optimization:
        """The run's optimization items as they were, to be read."""
    @property
    def tables(self) -> RunTables:
        """The run's rows in the tables of one's own as they were, to be read."""
    def _repr_html_(self) -> str: ...

@final
class PlatformIamc:
    """The time series of all runs of a platform, to be read."""

    def tabulate(
        self,
        *,
        model: _Names | None = None,
        scenario: _Names | None = None,
        run: Mapping[str, _Filter] | None = None,
        region: _Names | None = None,
        variable: _Names | None = None,
        unit: _Names | None = None,
        year: _Years | None = None,
        run_id: bool = False,
        **filters: _Filter,
    ) -> pd.DataFrame:
        """The points of default runs as a pandas ``DataFrame``, by run: ``model``, ``scenario``
        (text), ``version`` (int64), then the columns of ``Iamc.tabulate``.

        Args:
            region, variable, unit, year …: as ``Iamc.tabulate`` takes them.
            model, scenario: a name or several, ``*`` standing for any text, or a dict of
                filters.
            run: a dict of filters of runs, as ``Runs.list`` takes them;
                ``{"default_only": False}``: points of all versions.
            run_id: adds ``run_id`` (int64) before the others.

        Raises:
            InvalidFilter: an unknown filter, or a value that does not fit.
        """
    def arrow(
        self,
        *,
        model: _Names | None = None,
        scenario: _Names | None = None,
        run: Mapping[str, _Filter] | None = None,
        region: _Names | None = None,
        variable: _Names | None = None,
        unit: _Names | None = None,
        year: _Years | None = None,
        run_id: bool = False,
        **filters: _Filter,
    ) -> pa.Table:
        """As ``tabulate``, as a pyarrow ``Table`` with the names as dictionaries."""
    def polars(
        self,
        *,
        model: _Names | None = None,
        scenario: _Names | None = None,
        run: Mapping[str, _Filter] | None = None,
        region: _Names | None = None,
        variable: _Names | None = None,
        unit: _Names | None = None,
        year: _Years | None = None,
        run_id: bool = False,
        **filters: _Filter,
    ) -> pl.DataFrame:
        """As ``tabulate``, as a polars ``DataFrame``."""

@final
class PlatformMeta:
    """The meta indicators of the runs of a platform."""

    def tabulate(
        self,
        key: str | Iterable[str] | None = None,
        *,
        model: _Names | None = None,
        scenario: _Names | None = None,
        run: Mapping[str, _Filter] | None = None,
        **filters: _Filter,
    ) -> pd.DataFrame:
        """The indicators of default runs: ``model``, ``scenario`` (text), ``version`` (int64),
        ``key`` (text), ``value`` (object: bool, int, float or str), by run and key.

        Args:
            key: one key or several, ``*`` standing for any text.
            value: a value or several; ``value__gte`` and the like.
            type: ``"bool"``, ``"int"``, ``"float"`` or ``"str"``.
            model, scenario: a name or several, or a dict of filters.
            run: a dict of filters of runs, as ``Runs.list`` takes them;
                ``{"default_only": False}``: indicators of all versions.

        Raises:
            InvalidFilter: an unknown filter, or a value that does not fit.
        """

@final
class _MetaIndicators:
    """What ``Run.meta`` reads from and writes to."""

    def read(self) -> dict[str, MetaValue]:
        """All indicators, by key."""
    def update(self, entries: dict[str, Any]) -> ChangeCounts:
        """Sets those with a value and removes those without, as one transaction."""
    def replace(self, entries: dict[str, Any]) -> ChangeCounts:
        """Makes these all that there are, as one transaction."""

_Described: TypeAlias = tuple[str, float | None, str | None, list[str], list[str], int, str | None]
_Audited: TypeAlias = tuple[datetime | None, str | None, datetime | None, str | None]

@final
class _OptimizationItems:
    """What ``Run.optimization`` reads from and writes to."""

    def get(self, kind: str, name: str) -> _Described:
        """The item of a kind and name."""
    def list(self, kind: str, filters: dict[str, Any] | None) -> list[_Described]:
        """The items of a kind that filters select, in the order in which they were made."""
    def audits(self, kind: str) -> dict[str, _Audited]:
        """Who made each item of a kind and who changed it last, by name."""
    def set_docs(self, kind: str, name: str, docs: str | None) -> ChangeCounts:
        """Says something of an item."""
    def create_indexset(self, name: str) -> None:
        """Makes an empty indexset."""
    def create_scalar(self, name: str, value: SupportsFloat, unit: str) -> None:
        """Makes a scalar."""
    def set_scalar(self, name: str, value: SupportsFloat, unit: str) -> ChangeCounts:
        """Gives a scalar another value and unit."""
    def create(
        self, kind: str, name: str, indexsets: Sequence[str], columns: Sequence[str] | None
    ) -> None:
        """Makes an item with columns."""
    def delete(self, kind: str, name: str) -> None:
        """Deletes an item with its data."""
    def elements(self, name: str) -> builtins.list[Element]:
        """The elements of an indexset, in order."""
    def add_elements(self, name: str, values: Element | Iterable[Element]) -> ChangeCounts:
        """Adds elements to the end of an indexset."""
    def remove_elements(self, name: str, values: Element | Iterable[Element]) -> ChangeCounts:
        """Removes elements with the rows that depend on them."""
    def add_data(self, kind: str, name: str, df: _Table) -> ChangeCounts:
        """Inserts and updates rows."""
    def remove_data(self, kind: str, name: str, df: _Table | None) -> ChangeCounts:
        """Removes rows; without any all of them."""
    def tabulate(self, kind: str, name: str) -> pd.DataFrame:
        """The rows of an item as a pandas ``DataFrame``."""
    def arrow(self, kind: str, name: str) -> pa.Table:
        """The rows of an item as a pyarrow ``Table``."""
    def remove_solution(self) -> ChangeCounts:
        """Removes the data of all variables and equations."""
    def has_solution(self) -> bool:
        """Whether a variable or equation has data."""

@final
class Runs:
    """The runs of a platform."""

    def create(self, model: str, scenario: str) -> Run:
        """Makes the next version of a model's scenario, both made as needed. Versions count from
        1 and are never used again, whatever other processes do at the same time. The new run
        is not the default.

        Raises:
            InvalidName: a name is empty, begins or ends with a blank, or holds a NUL.
        """
    def get(self, model: str, scenario: str, version: int | None = None) -> Run:
        """A version of a model's scenario; without a number its default version.

        Raises:
            RunNotFound: says which there are.
            NoDefaultVersion: none is the default; lists the versions.
        """
    def get_by_id(self, id: int) -> Run:
        """The run of that id.

        Raises:
            RunNotFound: there is none.
        """
    def list(
        self,
        model: _Names | None = None,
        scenario: _Names | None = None,
        *,
        default_only: bool = False,
        **filters: _Filter,
    ) -> list[Run]:
        """The runs by id, all versions, or those that filters select: ``model``, ``scenario``,
        ``version``, ``id``, ``is_default``, ``default_only``, ``iamc``.

        Args:
            model, scenario: a name or several; ``*`` stands for any text. Or a dict of filters
                of such things, such as ``{"name__ilike": "message*"}``.
            default_only: only default versions.
            iamc: ``True``: those with points; or a dict of filters of points that they have.

        Raises:
            InvalidFilter: an unknown filter, or a value that does not fit.
        """
    def tabulate(
        self,
        model: _Names | None = None,
        scenario: _Names | None = None,
        *,
        default_only: bool = False,
        audit_info: bool = False,
        **filters: _Filter,
    ) -> pd.DataFrame:
        """As ``list``: ``id`` (int64), ``model``, ``scenario`` (text), ``version`` (int64),
        ``is_default`` (bool).

        Args:
            audit_info: adds ``created_at``, ``created_by``, ``updated_at``, ``updated_by``
                (datetime64[us, UTC], text): who made the run, and who wrote to it last.
        """
    def delete(self, run: Run | SupportsIndex) -> None:
        """Deletes a run, given as such or by its id, with all its rows, as one logged
        transaction. Its history stays, its version number is not used again. Takes the lock
        itself.

        Raises:
            RunNotFound: there is none.
            RunIsLocked: somebody is writing to it.
        """
    def deleted(self) -> builtins.list[Run]:
        """The runs that were deleted and not brought back. ``run.as_of(…)`` looks at what they
        were.
        """
    def restore(self, run: Run | SupportsIndex) -> Run:
        """Brings a deleted run back, given as such or by its id: as it was, under its old id and
        version number, with all its history. It is not the default.

        Raises:
            RunNotFound: no run of that id was deleted.
            RevertNeedsMissing: it needs regions or units that were deleted since; they are
                named. It is there then, but empty; see ``Run.revert_to``.
        """

@final
class Transact:
    """A block that writes to a run; made by ``Run.transact``, used once in a ``with``
    statement.

    Entering takes the run's lock. Leaving normally makes the checkpoint ``message`` and
    releases, in one commit. Leaving by any exception, ``KeyboardInterrupt`` and
    ``SystemExit`` included, sets the run back to the last checkpoint made in the block,
    or to the state in which it was locked, and releases; the exception goes on. If
    setting back fails, the exception goes on with a note that says so, and whoever locks
    the run next finishes it first.
    """

    def __enter__(self) -> RunLock:
        """Takes the lock.

        Raises:
            RunIsLocked: somebody else holds it, still after ``timeout`` seconds.
            NestedTransact: this very ``Run`` object holds it.
            LockError: this block was used already.
        """
    def _enter_while(self, wanted: Callable[[], bool] | None) -> RunLock:
        """Takes the lock, waiting for it only while ``wanted()`` is true. It is asked in the
        waiting thread, at least every 100 ms, and once more when the lock is there.
        """
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> Literal[False]:
        """Commits, or rolls back when an exception is on its way. Never swallows one."""

@final
class VerifyReport:
    """What ``Platform.verify`` found. True when nothing is wrong."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
    @property
    def tables(self) -> list[str]:
        """The tables that were compared with their version tables."""
    @property
    def live_rows(self) -> int:
        """How many live rows were compared."""
    @property
    def version_rows(self) -> int:
        """How many version rows were looked at."""
    @property
    def problems(self) -> list[Problem]:
        """Everything that is wrong; empty when all is well."""
    def redactions(self) -> pd.DataFrame:
        """What was taken out of the history on request, oldest first; columns as
        ``Platform.redactions``.
        """
    def raise_if_broken(self) -> None:
        """Raises ``ChangeLogBroken``, naming the rows, when something is wrong."""
    def __bool__(self) -> bool: ...

def _roll_back_open_blocks() -> None:
    """Rolls back every block that is still open. Called when the interpreter ends: objects
    that are alive then are never dropped.
    """

def read_file(path: str | PathLike[str]) -> list[FileRun]:
    """Reads an IAMC file: CSV, Excel (.xlsx, .xls) or OpenDocument (.ods); long, or wide
    with years as columns. One ``FileRun`` per model, scenario and version, in the order
    of their first rows.

    Raises:
        FileError: it cannot be read as such a file.
        InvalidFrame: its contents cannot be taken, naming lines and columns.
    """

def cli_main(args: list[str]) -> int:
    """Runs the command line with these arguments, the program's name first; returns the exit
    code.
    """
