"""Filters as ixmp4 has them, and what they are in stratalog's.

A plain name may hold ``*``, a list of names is taken letter by letter, and so is ``name`` in a dict
of filters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime as datetime_type
from typing import Any, TypeAlias, TypedDict

from stratalog.ixmp4.exceptions import InvalidArguments


class IdFilter(TypedDict, total=False):
    """By id."""

    id: int
    id__in: list[int]


class NameFilter(TypedDict, total=False):
    """By name."""

    name: str
    name__in: list[str]
    name__like: str
    name__ilike: str
    name__notlike: str
    name__notilike: str


class UnitFilter(IdFilter, NameFilter, total=False):
    """Of units, where they are filtered by."""


class ModelFilter(IdFilter, NameFilter, total=False):
    """Of models, where they are filtered by."""


class ScenarioFilter(IdFilter, NameFilter, total=False):
    """Of scenarios, where they are filtered by."""


class VariableFilter(IdFilter, NameFilter, total=False):
    """Of variables, where they are filtered by."""


class RegionFilter(IdFilter, NameFilter, total=False):
    """Of regions, where they are filtered by."""

    hierarchy: str
    hierarchy__in: list[str]
    hierarchy__like: str
    hierarchy__ilike: str
    hierarchy__notlike: str
    hierarchy__notilike: str


class IamcRunFilter(TypedDict, total=False):
    """Of the points of runs."""

    variable: VariableFilter
    unit: UnitFilter
    region: RegionFilter


class FacadeRunFilter(IdFilter, total=False):
    """Of runs; of default ones unless ``default_only`` is ``False``."""

    version: int
    version__in: list[int]
    is_default: bool
    default_only: bool
    model: ModelFilter | str | Iterable[str]
    scenario: ScenarioFilter | str | Iterable[str]
    iamc: IamcRunFilter | bool | None


class IamcFilter(IamcRunFilter, total=False):
    """Of the points of regions, units, models and scenarios."""

    run: FacadeRunFilter


class FacadeRegionFilter(RegionFilter, total=False):
    """Of regions."""

    iamc: IamcFilter | bool | None


class FacadeUnitFilter(UnitFilter, total=False):
    """Of units."""

    iamc: IamcFilter | bool | None


class FacadeModelFilter(ModelFilter, total=False):
    """Of models."""

    iamc: IamcFilter | bool | None


class FacadeScenarioFilter(ScenarioFilter, total=False):
    """Of scenarios."""

    iamc: IamcFilter | bool | None


class FacadeVariableFilter(VariableFilter, total=False):
    """Of variables: those of default runs, unless ``run`` says otherwise."""

    unit: UnitFilter
    region: RegionFilter
    run: FacadeRunFilter | None


class FacadeDataPointFilter(TypedDict, total=False):
    """Of points."""

    region: RegionFilter | str | Iterable[str]
    unit: UnitFilter | str | Iterable[str]
    variable: VariableFilter | str | Iterable[str]
    model: ModelFilter | str | Iterable[str]
    scenario: ScenarioFilter | str | Iterable[str]
    run: FacadeRunFilter
    type: str
    type__in: list[str]
    year: int
    year__in: list[int]
    year__gt: int
    year__gte: int
    year__lt: int
    year__lte: int
    step_year: int
    step_year__in: list[int]
    step_year__gt: int
    step_year__gte: int
    step_year__lt: int
    step_year__lte: int
    category: str
    category__in: list[str]
    step_category: str
    step_category__in: list[str]
    datetime: datetime_type
    datetime__in: list[datetime_type]
    datetime__gt: datetime_type
    datetime__gte: datetime_type
    datetime__lt: datetime_type
    datetime__lte: datetime_type
    step_datetime: datetime_type
    step_datetime__in: list[datetime_type]
    step_datetime__gt: datetime_type
    step_datetime__gte: datetime_type
    step_datetime__lt: datetime_type
    step_datetime__lte: datetime_type
    value: float
    value__in: list[float]
    value__gt: float
    value__gte: float
    value__lt: float
    value__lte: float


class FacadeRunMetaEntryFilter(TypedDict, total=False):
    """Of meta indicators; of default runs unless ``run`` says otherwise."""

    run: FacadeRunFilter
    run__id: int
    run__id__in: list[int]
    key: str
    key__in: list[str]
    key__like: str
    key__ilike: str
    key__notlike: str
    key__notilike: str
    dtype: str
    dtype__in: list[str]


class ItemFilter(IdFilter, NameFilter, total=False):
    """Of optimization items of a run."""

    run__id: int
    run__id__in: list[int]


class DocsFilter(TypedDict, total=False):
    """Of what is said of things."""

    dimension__id: int
    dimension__id__in: list[int]


Filters: TypeAlias = Mapping[str, Any]
_Translate: TypeAlias = Callable[[Any], Any]

_TYPES = {"ANNUAL": "yearly", "CATEGORICAL": "categorical", "DATETIME": "datetime"}
_DTYPES = {"INT": "int", "STR": "str", "FLOAT": "float", "BOOL": "bool"}


def named(kind: type) -> _Translate:
    """Of a name, several, or a filter of names."""

    def translate(value: Any) -> Any:
        if isinstance(value, Mapping):
            return _translated(value, kind)
        if isinstance(value, Iterable) and not isinstance(value, str | bytes):
            return {"name__in": list(value)}
        return value

    return translate


def _of_words(words: Mapping[str, str]) -> _Translate:
    def translate(value: Any) -> Any:
        if isinstance(value, str):
            # Enums of text are text, and are written as their values.
            return words.get(str(value), str(value))
        return [translate(each) for each in value] if isinstance(value, Iterable) else value

    return translate


def _in_use(value: Any) -> Any:
    if value == {}:
        return True
    return _translated(value, IamcFilter) if isinstance(value, Mapping) else value


def run_filter(value: Any) -> Any:
    """Of a filter of runs, for what belongs to runs."""
    return _translated(value, FacadeRunFilter) if isinstance(value, Mapping) else value


_TRANSLATIONS: dict[str, tuple[str, _Translate]] = {
    "region": ("region", named(RegionFilter)),
    "unit": ("unit", named(UnitFilter)),
    "variable": ("variable", named(VariableFilter)),
    "model": ("model", named(ModelFilter)),
    "scenario": ("scenario", named(ScenarioFilter)),
    "run": ("run", run_filter),
    "iamc": ("iamc", _in_use),
    "type": ("type", _of_words(_TYPES)),
    "dtype": ("type", _of_words(_DTYPES)),
    "step_year": ("year", lambda value: value),
    "category": ("subannual", lambda value: value),
    "step_category": ("subannual", lambda value: value),
    "step_datetime": ("datetime", lambda value: value),
}
#: Taken letter by letter where no lookup says otherwise.
_EXACT = {"name", "hierarchy", "key", "subannual", "type"}


def _translated(filters: Filters, kind: type) -> dict[str, Any]:
    known = kind.__annotations__
    translated = {}
    for key, value in filters.items():
        if key not in known:
            raise InvalidArguments(f"there is no filter {key!r} here; there are {', '.join(known)}")
        name, separator, lookup = key.partition("__")
        name, translate = _TRANSLATIONS.get(name, (name, lambda value: value))
        if not separator and name in _EXACT:
            separator, lookup = "__", "eq"
        translated[name + separator + lookup] = translate(value)
    return translated


def _default_only(run: Any) -> Any:
    return {"default_only": True, **run} if isinstance(run, Mapping) else run


def names(filters: Filters, kind: type) -> dict[str, Any]:
    """Of regions, units, models and scenarios."""
    return _translated(filters, kind)


def variables(filters: Filters) -> dict[str, Any]:
    """Of variables of time series."""
    translated = _translated({"run": {}, **filters}, FacadeVariableFilter)
    points: dict[str, Any] = {
        key: translated.pop(key) for key in ("region", "unit") if key in translated
    }
    run = _default_only(translated.pop("run"))
    if run is not None:
        points["run"] = run
    return {**translated, "iamc": points} if points else translated


def runs(filters: Filters) -> dict[str, Any]:
    """Of runs."""
    return _translated({"default_only": True, **filters}, FacadeRunFilter)


def points(filters: Filters) -> dict[str, Any]:
    """Of the points of a run."""
    return _translated(filters, FacadeDataPointFilter)


def platform_points(filters: Filters) -> dict[str, Any]:
    """Of the points of a platform."""
    translated = points(filters)
    return {**translated, "run": _default_only(translated.get("run", {}))}


def meta(filters: Filters) -> dict[str, Any]:
    """Of meta indicators."""
    translated = _translated(filters, FacadeRunMetaEntryFilter)
    run = _default_only(translated.pop("run", {}))
    for key in ("run__id", "run__id__in"):
        if key in translated:
            run = {**run, key.removeprefix("run__"): translated.pop(key)}
    return {**translated, "run": run}


def items(filters: Filters) -> dict[str, Any]:
    """Of optimization items, which are those of one run."""
    translated = _translated(filters, ItemFilter)
    return {key: value for key, value in translated.items() if not key.startswith("run__")}


def docs(filters: Filters) -> dict[str, Any]:
    """Of what is said of things, for a list of those things."""
    translated = _translated(filters, DocsFilter)
    return {key.removeprefix("dimension__"): value for key, value in translated.items()}
