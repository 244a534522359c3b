"""Regions, units, models, scenarios, and variables of time series."""

from __future__ import annotations

import builtins
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, Unpack

import stratalog
from stratalog.ixmp4 import exceptions, filters
from stratalog.ixmp4.exceptions import DocsNotFound
from stratalog.ixmp4.frames import as_ixmp4, naive
from stratalog.ixmp4.refusals import HasExceptions
from stratalog.ixmp4.transport import Backend

if TYPE_CHECKING:
    import pandas as pd


class Named(HasExceptions):
    """What they have in common."""

    _kind: ClassVar[str]

    def __init__(self, backend: Backend, named: stratalog.Named) -> None:
        self._backend = backend
        self._named = named

    @classmethod
    def _names(cls, backend: Backend) -> stratalog.Names | stratalog.Regions:
        names: stratalog.Names | stratalog.Regions = getattr(backend.stratalog, cls._kind)
        return names

    @property
    def id(self) -> int:
        """Its id."""
        return self._named.id

    @property
    def name(self) -> str:
        """Its name."""
        return self._named.name

    @property
    def created_at(self) -> datetime | None:
        """When it was made (UTC, without a zone)."""
        return naive(self._named.created_at)

    @property
    def created_by(self) -> str | None:
        """Who made it."""
        return self._named.created_by

    @property
    def docs(self) -> str | None:
        """What is said of it. Setting ``None`` or deleting takes it back."""
        with self._refusals():
            return self._names(self._backend).get_by_id(self.id).docs

    @docs.setter
    def docs(self, docs: str | None) -> None:
        if docs is None and self.docs is None:
            raise DocsNotFound(f"nothing is said of {self}")
        with self._refusals():
            self._names(self._backend).set_docs(self.name, docs)

    @docs.deleter
    def docs(self) -> None:
        with self._refusals():
            self._names(self._backend).set_docs(self.name, None)

    def delete(self) -> None:
        """Deletes it, if nothing refers to it."""
        with self._refusals():
            self._names(self._backend).delete(self.name)

    def __str__(self) -> str:
        return f"<{type(self).__name__} name='{self.name}' id={self.id}>"

    def __repr__(self) -> str:
        return str(self)


class Region(Named):
    """A region."""

    _kind = "regions"
    Filter: ClassVar[type[Any]] = filters.FacadeRegionFilter
    NotFound = exceptions.RegionNotFound
    NotUnique = exceptions.RegionNotUnique
    DeletionPrevented = exceptions.RegionDeletionPrevented

    @property
    def hierarchy(self) -> str:
        """Its hierarchy."""
        return self._named.hierarchy or ""

    def __str__(self) -> str:
        return f"<Region name='{self.name}' hierarchy='{self.hierarchy}' id={self.id}>"


class Unit(Named):
    """A unit."""

    _kind = "units"
    Filter: ClassVar[type[Any]] = filters.FacadeUnitFilter
    NotFound = exceptions.UnitNotFound
    NotUnique = exceptions.UnitNotUnique
    DeletionPrevented = exceptions.UnitDeletionPrevented


class Model(Named):
    """A model."""

    _kind = "models"
    Filter: ClassVar[type[Any]] = filters.FacadeModelFilter
    NotFound = exceptions.ModelNotFound
    NotUnique = exceptions.ModelNotUnique
    DeletionPrevented = exceptions.ModelDeletionPrevented


class Scenario(Named):
    """A scenario."""

    _kind = "scenarios"
    Filter: ClassVar[type[Any]] = filters.FacadeScenarioFilter
    NotFound = exceptions.ScenarioNotFound
    NotUnique = exceptions.ScenarioNotUnique
    DeletionPrevented = exceptions.ScenarioDeletionPrevented


class Variable(Named):
    """A variable of time series."""

    _kind = "variables"
    Filter: ClassVar[type[Any]] = filters.FacadeVariableFilter
    NotFound = exceptions.VariableNotFound
    NotUnique = exceptions.VariableNotUnique
    DeletionPrevented = exceptions.VariableDeletionPrevented


_Item = TypeVar("_Item", bound=Named)


class NamedFacade(Generic[_Item]):
    """All regions, units, models, scenarios or variables of a platform."""

    _item: ClassVar[type[Any]]
    _columns: ClassVar[builtins.list[str]] = ["name", "id", "created_at", "created_by"]

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @property
    def _names(self) -> stratalog.Names | stratalog.Regions:
        names: stratalog.Names | stratalog.Regions = self._item._names(self._backend)
        return names

    def _made(self, named: stratalog.Named) -> _Item:
        item: _Item = self._item(self._backend, named)
        return item

    def _named(self, ref: _Item | int | str) -> stratalog.Named:
        with self._item._refusals():
            if isinstance(ref, self._item):
                return self._names.get_by_id(ref.id)
            if isinstance(ref, int):
                return self._names.get_by_id(ref)
            if isinstance(ref, str):
                return self._names.get(ref)
        raise ValueError(f"{ref!r} is no {self._item.__name__.lower()}, nor a name or id of one")

    def delete(self, ref: _Item | int | str) -> None:
        """Deletes one, given as such, by its id or its name, if nothing refers to it."""
        named = self._named(ref)
        with self._item._refusals():
            self._names.delete(named.name)

    def get_by_name(self, name: str) -> _Item:
        """The one of that name."""
        with self._item._refusals():
            return self._made(self._names.get(name))

    def _list(self, selected: dict[str, Any]) -> builtins.list[_Item]:
        with self._item._refusals():
            found = self._names.list(**selected)
        return [self._made(named) for named in sorted(found, key=lambda named: named.id)]

    def _tabulate(self, selected: dict[str, Any]) -> pd.DataFrame:
        with self._item._refusals():
            frame = self._names.tabulate(audit_info=True, **selected)
        return as_ixmp4(frame.sort_values("id"), self._columns)

    def get_docs(self, x: _Item | int | str) -> str | None:
        """What is said of one."""
        return self._named(x).docs

    def set_docs(self, x: _Item | int | str, description: str | None) -> str | None:
        """Says something of one; ``None`` takes it back."""
        named = self._named(x)
        with self._item._refusals():
            self._names.set_docs(named.name, description)
        return description

    def delete_docs(self, x: _Item | int | str) -> None:
        """Takes back what is said of one."""
        self.set_docs(x, None)

    def list_docs(self, **kwargs: Unpack[filters.DocsFilter]) -> builtins.list[str]:
        """All that is said, by the ids of those it is said of."""
        with self._item._refusals():
            found = self._names.list(**filters.docs(kwargs))
        named = sorted(found, key=lambda named: named.id)
        return [each.docs for each in named if each.docs is not None]


class RegionServiceFacade(NamedFacade[Region]):
    """All regions of a platform."""

    _item = Region
    _columns: ClassVar[builtins.list[str]] = ["name", "hierarchy", "id", "created_at", "created_by"]

    def create(self, name: str, hierarchy: str) -> Region:
        """Makes a region."""
        with Region._refusals():
            return self._made(self._backend.stratalog.regions.create(name, hierarchy))

    def list(self, **kwargs: Unpack[filters.FacadeRegionFilter]) -> builtins.list[Region]:
        """All of them, or those that the filters select, by id."""
        return self._list(filters.names(kwargs, filters.FacadeRegionFilter))

    def tabulate(self, **kwargs: Unpack[filters.FacadeRegionFilter]) -> pd.DataFrame:
        """As ``list``: ``name``, ``hierarchy``, ``id``, ``created_at``, ``created_by``."""
        return self._tabulate(filters.names(kwargs, filters.FacadeRegionFilter))


class UnitServiceFacade(NamedFacade[Unit]):
    """All units of a platform."""

    _item = Unit

    def create(self, name: str) -> Unit:
        """Makes a unit; that of numbers without one is ``""``."""
        if name != "" and name.strip() == "":
            raise ValueError("a unit's name is not of blanks only")
        if name == "dimensionless":
            raise ValueError("the unit of numbers without one is ''")
        with Unit._refusals():
            return self._made(self._backend.stratalog.units.create(name))

    def list(self, **kwargs: Unpack[filters.FacadeUnitFilter]) -> builtins.list[Unit]:
        """All of them, or those that the filters select, by id."""
        return self._list(filters.names(kwargs, filters.FacadeUnitFilter))

    def tabulate(self, **kwargs: Unpack[filters.FacadeUnitFilter]) -> pd.DataFrame:
        """As ``list``: ``name``, ``id``, ``created_at``, ``created_by``."""
        return self._tabulate(filters.names(kwargs, filters.FacadeUnitFilter))


class ModelServiceFacade(NamedFacade[Model]):
    """All models of a platform."""

    _item = Model

    def create(self, name: str) -> Model:
        """Makes a model."""
        with Model._refusals():
            return self._made(self._backend.stratalog.models.create(name))

    def list(self, **kwargs: Unpack[filters.FacadeModelFilter]) -> builtins.list[Model]:
        """All of them, or those that the filters select, by id."""
        return self._list(filters.names(kwargs, filters.FacadeModelFilter))

    def tabulate(self, **kwargs: Unpack[filters.FacadeModelFilter]) -> pd.DataFrame:
        """As ``list``: ``name``, ``id``, ``created_at``, ``created_by``."""
        return self._tabulate(filters.names(kwargs, filters.FacadeModelFilter))


class ScenarioServiceFacade(NamedFacade[Scenario]):
    """All scenarios of a platform."""

    _item = Scenario

    def create(self, name: str) -> Scenario:
        """Makes a scenario."""
        with Scenario._refusals():
            return self._made(self._backend.stratalog.scenarios.create(name))

    def list(self, **kwargs: Unpack[filters.FacadeScenarioFilter]) -> builtins.list[Scenario]:
        """All of them, or those that the filters select, by id."""
        return self._list(filters.names(kwargs, filters.FacadeScenarioFilter))

    def tabulate(self, **kwargs: Unpack[filters.FacadeScenarioFilter]) -> pd.DataFrame:
        """As ``list``: ``name``, ``id``, ``created_at``, ``created_by``."""
        return self._tabulate(filters.names(kwargs, filters.FacadeScenarioFilter))


class VariableServiceFacade(NamedFacade[Variable]):
    """All variables of time series of a platform."""

    _item = Variable

    def create(self, name: str) -> Variable:
        """Makes a variable; adding points makes them as needed."""
        with Variable._refusals():
            return self._made(self._backend.stratalog.variables.create(name))

    def list(self, **kwargs: Unpack[filters.FacadeVariableFilter]) -> builtins.list[Variable]:
        """Those that default runs have points of, or those that the filters select, by id;
        ``run=None``: all of them.
        """
        return self._list(filters.variables(kwargs))

    def tabulate(self, **kwargs: Unpack[filters.FacadeVariableFilter]) -> pd.DataFrame:
        """As ``list``: ``name``, ``id``, ``created_at``, ``created_by``."""
        return self._tabulate(filters.variables(kwargs))
