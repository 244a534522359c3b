"""The optimization items of a run."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, Unpack

import stratalog
from stratalog.ixmp4 import exceptions, filters
from stratalog.ixmp4.exceptions import (
    IndexSetNotFound,
    OptimizationItemUsageError,
    UnitNotFound,
)
from stratalog.ixmp4.frames import as_ixmp4
from stratalog.ixmp4.items import (
    DataItem,
    Equation,
    IndexSet,
    Item,
    Parameter,
    Scalar,
    Table,
    Variable,
)
from stratalog.ixmp4.names import Unit
from stratalog.ixmp4.refusals import refusals
from stratalog.ixmp4.transport import Backend

if TYPE_CHECKING:
    import pandas as pd

    from stratalog.ixmp4.run import Run

_Item = TypeVar("_Item", bound=Item)
_DataItem = TypeVar("_DataItem", bound=DataItem)


class ItemFacade(Generic[_Item]):
    """The items of one kind."""

    _made: ClassVar[type[Any]]

    def __init__(self, backend: Backend, run: Run) -> None:
        self._backend = backend
        self._run = run

    @property
    def _items(self) -> Any:
        return getattr(self._run.stratalog.optimization, self._made._kind)

    def _item(self, item: Any) -> _Item:
        made: _Item = self._made(self._backend, item, self._run)
        return made

    def _find(self, x: _Item | int | str) -> _Item:
        if isinstance(x, self._made):
            x = x.name
        if isinstance(x, str):
            return self.get_by_name(x)
        if not isinstance(x, int):
            raise TypeError(f"expected {self._made.__name__}, int or str, not {type(x).__name__}")
        found = self._list({"id": x})
        if not found:
            raise self._made.NotFound(f"there is no {self._made.__name__} with the id {x} here")
        return found[0]

    def delete(self, x: _Item | int | str) -> None:
        """Deletes one, given as such, by its id or its name, with its data; needs the lock."""
        self._run.require_lock()
        self._find(x).delete()

    def get_by_name(self, name: str) -> _Item:
        """The one of that name."""
        with self._made._refusals():
            return self._item(self._items.get(name))

    def _list(self, selected: dict[str, Any]) -> builtins.list[_Item]:
        with self._made._refusals():
            found = self._items.list(**selected)
        return [self._item(item) for item in sorted(found, key=lambda item: item.id)]

    def list(self, **kwargs: Unpack[filters.ItemFilter]) -> builtins.list[_Item]:
        """All of them, or those that the filters select, by id."""
        return self._list(filters.items(kwargs))

    def tabulate(self, **kwargs: Unpack[filters.ItemFilter]) -> pd.DataFrame:
        """As ``list``: ``name``, what it holds, ``id``, ``created_at``, ``created_by``."""
        with self._made._refusals():
            frame = self._items.tabulate(audit_info=True, **filters.items(kwargs))
        frame = frame.sort_values("id").reset_index(drop=True)
        held = self._held(frame)
        return as_ixmp4(frame.assign(**held), ["name", *held, "id", "created_at", "created_by"])

    def _held(self, frame: pd.DataFrame) -> dict[str, pd.Series[Any]]:
        """The columns of what the items of a table hold."""
        raise NotImplementedError

    def get_docs(self, x: _Item | int | str) -> str | None:
        """What is said of one."""
        return self._find(x).docs

    def set_docs(self, x: _Item | int | str, description: str | None) -> str | None:
        """Says something of one; ``None`` takes it back. Needs the lock."""
        item = self._find(x)
        with self._made._refusals():
            item._item.docs = description
        return description

    def delete_docs(self, x: _Item | int | str) -> None:
        """Takes back what is said of one; needs the lock."""
        self.set_docs(x, None)

    def list_docs(self, **kwargs: Unpack[filters.DocsFilter]) -> builtins.list[str]:
        """All that is said, by the ids of those it is said of."""
        found = (item.docs for item in self._list(filters.docs(kwargs)))
        return [docs for docs in found if docs is not None]


class IndexSetServiceFacade(ItemFacade[IndexSet]):
    """The indexsets of a run."""

    _made = IndexSet

    def create(self, name: str) -> IndexSet:
        """Makes an empty indexset; needs the lock."""
        self._run.require_lock()
        with IndexSet._refusals():
            return self._item(self._items.create(name))

    def _held(self, frame: pd.DataFrame) -> dict[str, pd.Series[Any]]:
        words = {str: "STR", int: "INT", float: "FLOAT"}
        first = frame["name"].map(lambda name: next(iter(self._items.get(name).data), None))
        types = first.map(lambda element: words.get(type(element)))
        return {"data_type": types.astype("str" if types.notna().any() else "object")}


class ScalarServiceFacade(ItemFacade[Scalar]):
    """The scalars of a run."""

    _made = Scalar

    def create(self, name: str, value: float, unit: str | Unit | None = None) -> Scalar:
        """Makes a scalar; needs the lock. Without a unit it is that of numbers without one, ``""``,
        which is made if it is not there.
        """
        self._run.require_lock()
        if isinstance(value, str):
            raise exceptions.InvalidArguments(f"the value of a scalar is a number, not {value!r}")
        if unit is None:
            unit = ""
            self._make_unit_of_pure_numbers()
        with Scalar._refusals(UnitNotFound=UnitNotFound):
            unit_name = unit.name if isinstance(unit, Unit) else unit
            return self._item(self._items.create(name, value, unit_name))

    def _make_unit_of_pure_numbers(self) -> None:
        units = self._backend.stratalog.units
        with refusals():
            try:
                units.get("")
            except stratalog.UnitNotFound:
                units.create("")

    def _held(self, frame: pd.DataFrame) -> dict[str, pd.Series[Any]]:
        ids = self._backend.stratalog.units.tabulate().set_index("name")["id"]
        return {"value": frame["value"], "unit__id": frame["unit"].map(ids)}


class DataItemFacade(ItemFacade[_DataItem]):
    """The tables, parameters, variables or equations of a run."""

    def _create(
        self, name: str, indexsets: builtins.list[str] | None, columns: builtins.list[str] | None
    ) -> _DataItem:
        self._run.require_lock()
        if columns and indexsets is None:
            raise OptimizationItemUsageError(f"{name}: names of columns, but no indexsets for them")
        with self._made._refusals(
            # What is not found is an indexset.
            NotFound=IndexSetNotFound,
            InvalidInput=OptimizationItemUsageError,
        ):
            return self._item(self._items.create(name, indexsets or [], columns or None))

    def _held(self, frame: pd.DataFrame) -> dict[str, pd.Series[Any]]:
        return {"data": frame["name"].map(lambda name: self.get_by_name(name).data)}


class TableServiceFacade(DataItemFacade[Table]):
    """The tables of a run."""

    _made = Table

    def create(
        self,
        name: str,
        constrained_to_indexsets: builtins.list[str],
        column_names: builtins.list[str] | None = None,
    ) -> Table:
        """Makes a table; needs the lock.

        Args:
            constrained_to_indexsets: names of the indexsets that its columns hold elements of.
            column_names: the names of its columns, if not those.
        """
        return self._create(name, constrained_to_indexsets, column_names)


class ParameterServiceFacade(DataItemFacade[Parameter]):
    """The parameters of a run."""

    _made = Parameter

    def create(
        self,
        name: str,
        constrained_to_indexsets: builtins.list[str],
        column_names: builtins.list[str] | None = None,
    ) -> Parameter:
        """Makes a parameter; as ``TableServiceFacade.create``."""
        return self._create(name, constrained_to_indexsets, column_names)


class VariableServiceFacade(DataItemFacade[Variable]):
    """The variables of a run's optimization."""

    _made = Variable

    def create(
        self,
        name: str,
        constrained_to_indexsets: builtins.list[str] | None = None,
        column_names: builtins.list[str] | None = None,
    ) -> Variable:
        """Makes a variable; as ``TableServiceFacade.create``. Without indexsets it has one row."""
        return self._create(name, constrained_to_indexsets, column_names)


class EquationServiceFacade(DataItemFacade[Equation]):
    """The equations of a run's optimization."""

    _made = Equation

    def create(
        self,
        name: str,
        constrained_to_indexsets: builtins.list[str] | None = None,
        column_names: builtins.list[str] | None = None,
    ) -> Equation:
        """Makes an equation; as ``TableServiceFacade.create``. Without indexsets it has one row."""
        return self._create(name, constrained_to_indexsets, column_names)


class RunOptimizationData:
    """The optimization items of a run."""

    equations: EquationServiceFacade
    indexsets: IndexSetServiceFacade
    parameters: ParameterServiceFacade
    scalars: ScalarServiceFacade
    tables: TableServiceFacade
    variables: VariableServiceFacade

    def __init__(self, backend: Backend, run: Run) -> None:
        self._run = run
        self.equations = EquationServiceFacade(backend, run)
        self.indexsets = IndexSetServiceFacade(backend, run)
        self.parameters = ParameterServiceFacade(backend, run)
        self.scalars = ScalarServiceFacade(backend, run)
        self.tables = TableServiceFacade(backend, run)
        self.variables = VariableServiceFacade(backend, run)

    def remove_solution(self) -> None:
        """Removes the data of all variables and equations; needs the lock."""
        with refusals():
            self._run.stratalog.optimization.remove_solution()

    def has_solution(self) -> bool:
        """Whether a variable or an equation has data."""
        with refusals():
            return self._run.stratalog.optimization.has_solution()
