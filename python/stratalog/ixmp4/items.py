"""Optimization items: indexsets, scalars, tables, parameters, variables, equations."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from stratalog.ixmp4 import exceptions, filters
from stratalog.ixmp4.exceptions import (
    DocsNotFound,
    OptimizationItemUsageError,
    ServiceException,
    UnitNotFound,
)
from stratalog.ixmp4.frames import naive
from stratalog.ixmp4.names import Unit
from stratalog.ixmp4.refusals import HasExceptions
from stratalog.ixmp4.transport import Backend

if TYPE_CHECKING:
    import pandas as pd

    from stratalog.ixmp4.run import Run

logger = logging.getLogger(__name__)

Element: TypeAlias = float | int | str


class Item(HasExceptions):
    """What they have in common."""

    _kind: ClassVar[str]
    Filter: ClassVar[type[Any]] = filters.ItemFilter
    DataInvalid: ClassVar[type[ServiceException]] = OptimizationItemUsageError

    def __init__(self, backend: Backend, item: Any, run: Run) -> None:
        self._backend = backend
        self._item = item
        self._run = run
        self._data: Any = None

    @property
    def id(self) -> int:
        """Its id."""
        id: int = self._item.id
        return id

    @property
    def name(self) -> str:
        """Its name."""
        name: str = self._item.name
        return name

    @property
    def run_id(self) -> int:
        """The id of its run."""
        return self._run.id

    @property
    def created_at(self) -> datetime | None:
        """When it was made (UTC, without a zone)."""
        return naive(self._item.created_at)

    @property
    def created_by(self) -> str | None:
        """Who made it."""
        by: str | None = self._item.created_by
        return by

    @property
    def docs(self) -> str | None:
        """What is said of it; setting needs the lock. ``None`` or deleting takes it back."""
        with self._refusals():
            docs: str | None = self._item.docs
            return docs

    @docs.setter
    def docs(self, docs: str | None) -> None:
        if docs is None and self.docs is None:
            raise DocsNotFound(f"nothing is said of {self}")
        with self._refusals():
            self._item.docs = docs

    @docs.deleter
    def docs(self) -> None:
        with self._refusals():
            self._item.docs = None

    def delete(self) -> None:
        """Deletes it with its data; needs the lock."""
        self._run.require_lock()
        with self._refusals():
            self._item.delete()

    def __str__(self) -> str:
        return f"<{type(self).__name__} name='{self.name}' id={self.id}>"

    def __repr__(self) -> str:
        return str(self)


class IndexSet(Item):
    """An ordered set of elements, all text, all whole numbers or all floats."""

    _kind = "indexsets"
    NotFound = exceptions.IndexSetNotFound
    NotUnique = exceptions.IndexSetNotUnique
    DeletionPrevented = exceptions.IndexSetDeletionPrevented
    DataInvalid = exceptions.IndexSetDataInvalid

    @property
    def data(self) -> list[float] | list[int] | list[str]:
        """Its elements, in the order in which they were added, as this object last saw them."""
        if self._data is None:
            with self._refusals():
                self._data = self._item.data
        data: list[Any] = self._data
        return data

    def add_data(self, data: Element | list[float] | list[int] | list[str]) -> None:
        """Adds an element or several to its end; needs the lock.

        Raises:
            IndexSetDataNotUnique: elements that are there already.
            IndexSetDataInvalid: elements of another type than the others.
        """
        self._run.require_lock()
        elements = self._elements(data)
        self._data = None
        try:
            with self._refusals():
                self._item.add_data(elements)
        except exceptions.InvalidArguments as error:
            raise self._refused(elements)(str(error)) from error.__cause__

    def remove_data(self, data: Element | list[float] | list[int] | list[str]) -> None:
        """Removes an element or several, those that are there, and the rows of all items that
        depend on them; needs the lock.
        """
        self._run.require_lock()
        elements = self._elements(data)
        self._data = None
        held = set(self.data)
        if {type(each) for each in elements} - {type(each) for each in held} and held:
            raise self.DataInvalid(f"the elements of {self.name} are not of that type: {elements}")
        self._data = None
        with self._refusals():
            self._item.remove_data([each for each in elements if each in held])

    def _elements(self, data: Any) -> list[Any]:
        elements = data if isinstance(data, list) else [data]
        if not all(type(each) in (str, int, float) for each in elements):
            raise exceptions.InvalidArguments(f"elements are text or numbers, not {data!r}")
        return elements

    def _refused(self, elements: list[Any]) -> type[ServiceException]:
        """Why adding them would be refused."""
        held = [*self.data, *elements]
        if len({type(each) for each in held}) < 2 and len(set(held)) < len(held):
            return exceptions.IndexSetDataNotUnique
        return self.DataInvalid


class Scalar(Item):
    """A number with a unit."""

    _kind = "scalars"
    NotFound = exceptions.ScalarNotFound
    NotUnique = exceptions.ScalarNotUnique
    DeletionPrevented = exceptions.ScalarDeletionPrevented

    @property
    def value(self) -> float:
        """Its value; setting needs the lock."""
        with self._refusals():
            value: float = self._item.value
            return value

    @value.setter
    def value(self, value: float) -> None:
        self.update(value=value)

    @property
    def unit(self) -> Unit:
        """Its unit; setting, also by name, needs the lock."""
        with self._refusals():
            return Unit(self._backend, self._backend.stratalog.units.get(self._item.unit))

    @unit.setter
    def unit(self, value: str | Unit) -> None:
        self.update(unit_name=value.name if isinstance(value, Unit) else value)

    def update(self, value: int | float | None = None, unit_name: str | None = None) -> None:
        """Gives it another value, another unit, or both; needs the lock."""
        self._run.require_lock()
        with self._refusals(UnitNotFound=UnitNotFound):
            if value is not None:
                self._item.value = value
            if unit_name is not None:
                self._item.unit = unit_name


class DataItem(Item):
    """A table, parameter, variable or equation: rows, each with a combination of elements."""

    #: What its columns beside those of the elements are called here and in stratalog.
    _values: ClassVar[dict[str, str]] = {}

    @property
    def indexset_names(self) -> list[str] | None:
        """The names of the indexsets of its columns; ``None``: it has no columns."""
        return self._item.indexsets or None

    @property
    def column_names(self) -> list[str] | None:
        """The names of its columns; ``None``: those of the indexsets."""
        own = self._item.columns != self._item.indexsets
        columns: list[str] | None = self._item.columns if own else None
        return columns

    @property
    def data(self) -> dict[str, list[float] | list[int] | list[str]]:
        """Its rows, by column, as this object last saw them; ``{}``: none."""
        if self._data is None:
            with self._refusals():
                frame = self._item.tabulate()
            names = [] if frame.empty else list(frame.columns)
            self._data = {self._called(name): frame[name].tolist() for name in names}
        data: dict[str, Any] = self._data
        return data

    def _called(self, name: str) -> str:
        return next((here for here, there in self._values.items() if there == name), name)

    def add_data(self, data: dict[str, Any] | pd.DataFrame) -> None:
        """Inserts rows that are new and updates those that differ, by their elements; needs the
        lock. All or nothing.

        Raises:
            DataInvalid: columns, elements, values or duplicates that do not fit.
            OptimizationItemUsageError: missing columns of values.
            UnitNotFound: units that do not exist.
        """
        self._run.require_lock()
        rows = self._rows(data)
        if rows.empty:
            return
        missing = sorted(set(self._values) - set(rows.columns))
        if missing:
            raise OptimizationItemUsageError(f"{self}: missing columns: {', '.join(missing)}")
        self._data = None
        with self._refusals(InvalidInput=self.DataInvalid, UnknownNames=UnitNotFound):
            self._item.add_data(rows.rename(columns=self._values))

    def remove_data(self, data: dict[str, Any] | pd.DataFrame | None = None) -> None:
        """Removes the rows with these elements, those that are there; without ``data`` all rows.
        Needs the lock.

        Raises:
            OptimizationItemUsageError: missing columns.
        """
        self._run.require_lock()
        self._data = None
        with self._refusals(InvalidInput=OptimizationItemUsageError):
            if data is None:
                self._item.remove_data()
                return
            rows = self._rows(data)
            if rows.empty:
                return
            if not self._item.columns:
                logger.warning("%s has no columns: its row is removed by remove_data()", self)
                return
            self._item.remove_data(rows)

    def _rows(self, data: dict[str, Any] | pd.DataFrame) -> pd.DataFrame:
        import pandas as pd

        if not isinstance(data, Mapping):
            return data
        try:
            return pd.DataFrame(dict(data))
        except ValueError as error:
            raise self.DataInvalid(f"{self}: {error}") from error


class Table(DataItem):
    """Combinations of elements."""

    _kind = "tables"
    NotFound = exceptions.TableNotFound
    NotUnique = exceptions.TableNotUnique
    DeletionPrevented = exceptions.TableDeletionPrevented
    DataInvalid = exceptions.TableDataInvalid


class Parameter(DataItem):
    """Combinations of elements with a value and a unit."""

    _kind = "parameters"
    _values: ClassVar[dict[str, str]] = {"values": "value", "units": "unit"}
    NotFound = exceptions.ParameterNotFound
    NotUnique = exceptions.ParameterNotUnique
    DeletionPrevented = exceptions.ParameterDeletionPrevented
    DataInvalid = exceptions.ParameterDataInvalid

    @property
    def values(self) -> list[float]:
        """Its values, by row."""
        return self.data.get("values", [])  # type: ignore[return-value]

    @property
    def units(self) -> list[str]:
        """Their units, by row."""
        return self.data.get("units", [])  # type: ignore[return-value]


class Solution(DataItem):
    """A variable or an equation: combinations of elements with a level and a marginal."""

    _values: ClassVar[dict[str, str]] = {"levels": "levels", "marginals": "marginals"}

    @property
    def levels(self) -> list[float]:
        """Its levels, by row."""
        return self.data.get("levels", [])  # type: ignore[return-value]

    @property
    def marginals(self) -> list[float]:
        """Its marginals, by row."""
        return self.data.get("marginals", [])  # type: ignore[return-value]


class Variable(Solution):
    """A variable of the optimization."""

    _kind = "variables"
    NotFound = exceptions.VariableNotFound
    NotUnique = exceptions.VariableNotUnique
    DeletionPrevented = exceptions.VariableDeletionPrevented
    DataInvalid = exceptions.VariableDataInvalid


class Equation(Solution):
    """An equation of the optimization."""

    _kind = "equations"
    NotFound = exceptions.EquationNotFound
    NotUnique = exceptions.EquationNotUnique
    DeletionPrevented = exceptions.EquationDeletionPrevented
    DataInvalid = exceptions.EquationDataInvalid
