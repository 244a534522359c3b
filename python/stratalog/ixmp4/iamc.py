"""Time series."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

import stratalog
from stratalog.ixmp4 import exceptions, filters
from stratalog.ixmp4.exceptions import InconsistentIamcType, InvalidDataFrame
from stratalog.ixmp4.frames import as_ixmp4
from stratalog.ixmp4.names import VariableServiceFacade
from stratalog.ixmp4.refusals import refusals
from stratalog.ixmp4.transport import Backend

if TYPE_CHECKING:
    import pandas as pd

    from stratalog.ixmp4.run import Run


class Type(StrEnum):
    """What the time of a point is."""

    ANNUAL = "ANNUAL"
    CATEGORICAL = "CATEGORICAL"
    DATETIME = "DATETIME"


class DataPoint:
    """What belongs to points: their types, filters and exceptions."""

    Type = Type
    Filter: ClassVar[type[Any]] = filters.FacadeDataPointFilter
    NotFound = exceptions.DataPointNotFound
    NotUnique = exceptions.DataPointNotUnique
    DeletionPrevented = exceptions.DataPointDeletionPrevented


_OTHER_NAMES = {
    "step_year": "year",
    "category": "subannual",
    "step_category": "subannual",
    "step_datetime": "datetime",
}
_KEY = ["region", "variable", "unit"]
_TIMES = ["time", "year", "subannual", "datetime"]


def _incoming(df: pd.DataFrame, type: Type | str | None) -> pd.DataFrame:
    """With stratalog's columns; others are passed over, as ixmp4 does."""
    if isinstance(type, str) and not isinstance(type, Type):
        type = Type[type.upper()]
    df = df.rename(columns=_OTHER_NAMES)
    if "time" in df.columns:
        df = df.drop(columns=["year", "datetime"], errors="ignore")
    missing = [name for name in _KEY if name not in df.columns]
    if missing:
        raise InvalidDataFrame(f"missing columns: {', '.join(missing)}")
    _check_types(df, df["type"] if type is None and "type" in df.columns else type)
    return df[[name for name in [*_KEY, *_TIMES, "value"] if name in df.columns]]


def _check_types(df: pd.DataFrame, wanted: Any) -> None:
    """Whether each row's time is of the wanted type, or of any."""
    import pandas as pd

    def given(name: str) -> pd.Series[bool]:
        return df[name].notna() if name in df.columns else pd.Series(False, index=df.index)

    if "time" in df.columns:
        year = df["time"].map(lambda time: not hasattr(time, "year")) & given("time")
        moment = given("time") & ~year
    else:
        year, moment = given("year"), given("datetime")
    part = given("subannual")
    types = pd.Series(pd.NA, index=df.index, dtype="str")
    types[year & ~part & ~moment] = "ANNUAL"
    types[year & part & ~moment] = "CATEGORICAL"
    types[moment & ~year & ~part] = "DATETIME"
    wrong = types.isna()
    if wanted is not None:
        wrong |= types != (wanted.map(str) if isinstance(wanted, pd.Series) else str(wanted))
    if wrong.any():
        rows = [str(row) for row in wrong.to_numpy().nonzero()[0][:10]]
        raise InconsistentIamcType(
            f"{wrong.sum()} rows have no time columns that fit a type (ANNUAL: year; CATEGORICAL: "
            f"year and subannual; DATETIME: datetime) or another type than was given; the first: "
            f"{', '.join(rows)}"
        )


def _outgoing(frame: pd.DataFrame, first: list[str]) -> pd.DataFrame:
    """With ixmp4's columns: ``year``, or ``time`` where there are moments; ``subannual``."""
    if frame.empty:
        return as_ixmp4(frame, [*first, *_KEY, "value"])
    times = ["year"]
    if "datetime" in frame.columns:
        times = ["time"]
        if "year" in frame.columns:
            moments = frame["datetime"].astype(object)
            frame["time"] = moments.where(frame["year"].isna(), frame["year"].astype(object))
        else:
            frame["time"] = frame["datetime"]
    else:
        frame["year"] = frame["year"].astype("Int64")
    if "subannual" in frame.columns:
        times.append("subannual")
    return as_ixmp4(frame, [*first, *_KEY, *times, "value"])


class RunIamcData:
    """The time series of a run."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def add(self, df: pd.DataFrame, type: Type | str | None = None) -> None:
        """Inserts points that are new and updates those that differ; needs the run's lock.

        Args:
            df: ``region``, ``variable``, ``unit``, ``value``, and ``year``, ``year`` and
                ``subannual`` (or ``category``), ``datetime``, or ``time``; ``step_year`` and the
                like are the same. A column ``type`` says what the rows are.
            type: what all rows are.

        Raises:
            InconsistentIamcType: time columns that do not fit the type, or none.
            RegionNotFound, UnitNotFound, InvalidDataFrame: nothing was written.
        """
        self._write(self._run.stratalog.iamc.add, df, type)

    def remove(self, df: pd.DataFrame, type: Type | str | None = None) -> None:
        """Deletes the points with these keys; ``value`` is not looked at. Needs the run's lock."""
        self._write(self._run.stratalog.iamc.remove, df, type)

    def _write(self, write: Any, df: pd.DataFrame, type: Type | str | None) -> None:
        self._run.require_lock()
        rows = _incoming(df, type)
        with refusals():
            try:
                write(rows)
            except stratalog.UnknownNames as error:
                raise self._not_found(rows)(str(error)) from error

    def _not_found(self, rows: pd.DataFrame) -> type[exceptions.NotFound]:
        platform = self._run._backend.stratalog
        known = {named.name for named in platform.regions.list()}
        if not set(rows["region"]) <= known:
            return exceptions.RegionNotFound
        known = {named.name for named in platform.units.list()}
        if not set(rows["unit"]) <= known:
            return exceptions.UnitNotFound
        return exceptions.VariableNotFound

    def tabulate(
        self, raw: bool = False, **kwargs: Unpack[filters.FacadeDataPointFilter]
    ) -> pd.DataFrame:
        """The points: ``region``, ``variable``, ``unit``, ``year`` (or ``time``, where there are
        moments), ``subannual`` (where there are parts of years), ``value``.
        """
        selected = filters.points(kwargs)
        # Which run it is, is known.
        selected.pop("run", None)
        with refusals():
            if {"model", "scenario"} & {key.partition("__")[0] for key in selected}:
                run = {"id": self._run.id, "default_only": False}
                frame = self._run._backend.stratalog.iamc.tabulate(run=run, **selected)
            else:
                frame = self._run.stratalog.iamc.tabulate(**selected)
        return _outgoing(frame, [])


class PlatformIamcData:
    """The time series of a platform."""

    variables: VariableServiceFacade

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.variables = VariableServiceFacade(backend)

    def tabulate(
        self,
        *,
        join_runs: bool = True,
        join_run_id: bool = False,
        raw: bool = False,
        **kwargs: Unpack[filters.FacadeDataPointFilter],
    ) -> pd.DataFrame:
        """The points of default runs, or those that the filters select: as those of a run, after
        ``model``, ``scenario`` and ``version``.

        Args:
            join_runs: whether to name the runs.
            join_run_id: adds ``run__id`` before all others.
        """
        with refusals():
            frame = self._backend.stratalog.iamc.tabulate(
                run_id=True, **filters.platform_points(kwargs)
            )
        frame = frame.rename(columns={"run_id": "run__id"})
        first = ["run__id"] if join_run_id and not frame.empty else []
        if join_runs:
            first += ["model", "scenario", "version"]
        return _outgoing(frame, first)
