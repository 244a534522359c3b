"""Optimization items of a run: indexsets, scalars, tables, parameters, variables, equations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as _pa

    from stratalog._stratalog import ChangeCounts, _OptimizationItems

_Audited: TypeAlias = tuple[datetime | None, str | None, datetime | None, str | None]
Element: TypeAlias = str | int | float
_Described: TypeAlias = tuple[str, float | None, str | None, list[str], list[str], int, str | None]


class Item:
    """An optimization item of a run."""

    _kind: str

    def __init__(self, items: _OptimizationItems, described: _Described) -> None:
        self._items = items
        self._name = described[0]
        self._id = described[5]
        self._take(described)

    def _take(self, described: _Described) -> None:
        """Keeps what was read."""

    @property
    def name(self) -> str:
        """Its name, unique among its kind in the run."""
        return self._name

    @property
    def id(self) -> int:
        """A number that only this item has among all of its kind in the database."""
        return self._id

    @property
    def docs(self) -> str | None:
        """What is said of it, for people to read. Setting it needs the lock; ``None`` takes it
        back.
        """
        return self._items.get(self._kind, self._name)[6]

    @docs.setter
    def docs(self, docs: str | None) -> None:
        self._items.set_docs(self._kind, self._name, docs)

    @property
    def created_at(self) -> datetime | None:
        """When it was made (UTC); ``None`` where a compaction took that out of the log."""
        return self._audit[0]

    @property
    def created_by(self) -> str | None:
        """Who made it."""
        return self._audit[1]

    @property
    def updated_at(self) -> datetime | None:
        """When it was last changed (UTC), its data aside; ``None``: not since it was made."""
        return self._audit[2]

    @property
    def updated_by(self) -> str | None:
        """Who changed it last."""
        return self._audit[3]

    @property
    def _audit(self) -> _Audited:
        return self._items.audits(self._kind).get(self._name, (None, None, None, None))

    def delete(self) -> None:
        """Deletes it with its data.

        Raises:
            RunLockRequired: outside of ``with run.transact(…)``.
            InUse: an indexset that items have columns of; they are named.
        """
        self._items.delete(self._kind, self._name)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.name == self.name

    def __hash__(self) -> int:
        return hash((self._kind, self._name))

    def __repr__(self) -> str:
        return f"<{self._kind} {self._name!r}>"


class IndexSet(Item):
    """An ordered set of elements, all text, all whole numbers or all floats, that the columns of
    other items are taken from.
    """

    _kind = "indexset"

    @property
    def data(self) -> list[Element]:
        """Its elements, in the order in which they were added."""
        return self._items.elements(self._name)

    def add_data(self, data: Element | Iterable[Element]) -> ChangeCounts:
        """Adds an element or several to its end.

        Raises:
            RunLockRequired: outside of ``with run.transact(…)``.
            InvalidInput: elements that are there already, or of another type than the others; they
                are named, nothing was written.
        """
        return self._items.add_elements(self._name, data)

    def remove_data(self, data: Element | Iterable[Element]) -> ChangeCounts:
        """Removes an element or several, and the rows of all items that depend on them.

        Raises:
            RunLockRequired: outside of ``with run.transact(…)``.
            InvalidInput: elements that are not there; they are named, nothing was written.
        """
        return self._items.remove_elements(self._name, data)

    def __len__(self) -> int:
        return len(self.data)


class Scalar(Item):
    """A number with a unit."""

    _kind = "scalar"

    @property
    def value(self) -> float:
        """Its value. Setting it needs the lock."""
        value = self._items.get(self._kind, self._name)[1]
        assert value is not None
        return value

    @value.setter
    def value(self, value: float) -> None:
        self._items.set_scalar(self._name, value, self.unit)

    @property
    def unit(self) -> str:
        """The name of its unit, which exists in the platform. Setting it needs the lock."""
        return self._items.get(self._kind, self._name)[2] or ""

    @unit.setter
    def unit(self, unit: str) -> None:
        self._items.set_scalar(self._name, self.value, unit)


class DataItem(Item):
    """A table, parameter, variable or equation: rows, each with a combination of elements."""

    def _take(self, described: _Described) -> None:
        self._columns, self._indexsets = described[3], described[4]

    @property
    def columns(self) -> list[str]:
        """The names of its columns that hold elements."""
        return list(self._columns)

    @property
    def indexsets(self) -> list[str]:
        """The names of their indexsets."""
        return list(self._indexsets)

    def add_data(self, df: Any) -> ChangeCounts:
        """Inserts rows that are new and updates those that differ, by their elements. Rows that
        stay as they are leave no trace. All or nothing.

        Args:
            df: a table from pandas, polars, pyarrow or DuckDB, or a dict of lists, with the item's
                columns, and ``value`` and ``unit`` (parameters) or ``levels`` and ``marginals``
                (variables and equations).

        Raises:
            RunLockRequired: outside of ``with run.transact(…)``.
            InvalidFrame: columns, elements, values or duplicates that do not fit; they are named.
            UnknownNames: units that do not exist.
        """
        return self._items.add_data(self._kind, self._name, df)

    def remove_data(self, df: Any = None) -> ChangeCounts:
        """Removes the rows with these elements, those that are there; without ``df`` all rows.
        Other columns than the item's own are not looked at.
        """
        return self._items.remove_data(self._kind, self._name, df)

    def tabulate(self) -> pd.DataFrame:
        """Its rows in the order of its indexsets' elements: its columns, then ``value`` (float64)
        and ``unit``, or ``levels`` and ``marginals`` (float64).
        """
        return self._items.tabulate(self._kind, self._name)

    def arrow(self) -> _pa.Table:
        """As ``tabulate``, as a pyarrow ``Table``."""
        return self._items.arrow(self._kind, self._name)


class Table(DataItem):
    """Combinations of elements."""

    _kind = "table"


class Parameter(DataItem):
    """Combinations of elements with a value and a unit."""

    _kind = "parameter"


class Variable(DataItem):
    """Combinations of elements with a level and a marginal: a part of the solution."""

    _kind = "variable"


class Equation(DataItem):
    """Combinations of elements with a level and a marginal: a part of the solution."""

    _kind = "equation"


_Item = TypeVar("_Item", bound=Item)
_DataItem = TypeVar("_DataItem", bound=DataItem)


class Items(Generic[_Item]):
    """The items of one kind."""

    def __init__(self, items: _OptimizationItems, made: type[_Item]) -> None:
        self._items = items
        self._made = made

    def get(self, name: str) -> _Item:
        """The one of that name.

        Raises:
            NotFound: with a similar name.
        """
        return self._made(self._items, self._items.get(self._made._kind, name))

    def list(self, **filters: Any) -> list[_Item]:
        """All of them in the order in which they were made, or those that filters select: ``name``,
        ``id``, ``docs``; of scalars ``value`` and ``unit``; of those with data ``indexset``.

        Args:
            filters: ``name="x*"``, ``name__in=["x", "y"]``, ``value__gt=0``, ``unit="km"`` …

        Raises:
            InvalidFilter: an unknown filter, or a value that does not fit.
        """
        return [self._made(self._items, row) for row in self._found(filters)]

    def tabulate(self, *, audit_info: bool = False, **filters: Any) -> pd.DataFrame:
        """As ``list``: ``id`` (int64), ``name``; of scalars ``value`` and ``unit``; of those with
        data ``columns`` and ``indexsets`` (lists of names).

        Args:
            audit_info: adds ``created_at``, ``created_by``, ``updated_at``, ``updated_by``
                (datetime64[us, UTC], text).
            filters: as ``list`` takes them.
        """
        import pandas as pd

        rows = self._found(filters)
        frame = pd.DataFrame({"id": pd.Series([row[5] for row in rows], dtype="int64")})
        frame["name"] = pd.Series([row[0] for row in rows], dtype="str")
        if self._made is Scalar:
            frame["value"] = pd.Series([row[1] for row in rows], dtype="float64")
            frame["unit"] = pd.Series([row[2] for row in rows], dtype="str")
        elif issubclass(self._made, DataItem):
            frame["columns"] = pd.Series([row[3] for row in rows], dtype="object")
            frame["indexsets"] = pd.Series([row[4] for row in rows], dtype="object")
        if audit_info:
            audits = self._items.audits(self._made._kind)
            unknown: _Audited = (None, None, None, None)
            for column, name in enumerate(("created_at", "created_by", "updated_at", "updated_by")):
                dtype = "str" if name.endswith("by") else "datetime64[us, UTC]"
                values = [audits.get(row[0], unknown)[column] for row in rows]
                frame[name] = pd.Series(values, dtype=dtype)
        return frame

    def _found(self, filters: dict[str, Any]) -> Sequence[_Described]:
        return self._items.list(self._made._kind, filters)

    def delete(self, name: str) -> None:
        """Deletes one with its data: see ``Item.delete``."""
        self._items.delete(self._made._kind, name)


class IndexSets(Items[IndexSet]):
    """The indexsets of a run."""

    def create(self, name: str, data: Element | Iterable[Element] = ()) -> IndexSet:
        """Makes an indexset, with these elements.

        Raises:
            RunLockRequired: outside of ``with run.transact(…)``.
            AlreadyExists, InvalidName.
        """
        self._items.create_indexset(name)
        self._items.add_elements(name, data)
        return self.get(name)


class Scalars(Items[Scalar]):
    """The scalars of a run."""

    def create(self, name: str, value: float, unit: str = "") -> Scalar:
        """Makes a scalar. The unit must exist in the platform.

        Raises:
            RunLockRequired: outside of ``with run.transact(…)``.
            AlreadyExists, InvalidName, UnitNotFound.
        """
        self._items.create_scalar(name, value, unit)
        return self.get(name)


class DataItems(Items[_DataItem]):
    """The tables, parameters, variables or equations of a run."""

    def create(
        self, name: str, indexsets: Sequence[str] = (), columns: Sequence[str] | None = None
    ) -> _DataItem:
        """Makes one whose columns hold elements of the indexsets. Only variables and equations may
        have no column.

        Args:
            name: unique among its kind in the run.
            indexsets: names of indexsets.
            columns: the names of the columns, if not those of the indexsets.

        Raises:
            RunLockRequired: outside of ``with run.transact(…)``.
            AlreadyExists, InvalidName, NotFound (an indexset), InvalidInput (columns).
        """
        names = list(indexsets)
        own = None if columns is None else list(columns)
        self._items.create(self._made._kind, name, names, own)
        return self.get(name)


class Optimization:
    """The optimization items of a run. Reading needs no lock, writing does; it is logged and goes
    back with the run.
    """

    def __init__(self, items: _OptimizationItems) -> None:
        self._items = items

    @property
    def indexsets(self) -> IndexSets:
        """Its indexsets."""
        return IndexSets(self._items, IndexSet)

    @property
    def scalars(self) -> Scalars:
        """Its scalars."""
        return Scalars(self._items, Scalar)

    @property
    def tables(self) -> DataItems[Table]:
        """Its tables."""
        return DataItems(self._items, Table)

    @property
    def parameters(self) -> DataItems[Parameter]:
        """Its parameters."""
        return DataItems(self._items, Parameter)

    @property
    def variables(self) -> DataItems[Variable]:
        """Its variables."""
        return DataItems(self._items, Variable)

    @property
    def equations(self) -> DataItems[Equation]:
        """Its equations."""
        return DataItems(self._items, Equation)

    def remove_solution(self) -> ChangeCounts:
        """Removes the data of all variables and equations, as one transaction."""
        return self._items.remove_solution()

    def has_solution(self) -> bool:
        """Whether a variable or an equation has data."""
        return self._items.has_solution()
