"""Registering the swap as ``ixmp4``, and the submodules that clients import."""

from __future__ import annotations

import sys
import types
from typing import Any

from stratalog.ixmp4 import (
    checkpoints,
    exceptions,
    filters,
    iamc,
    items,
    meta,
    names,
    optimization,
    platform,
    run,
    settings,
    transport,
)

VERSION = "0.17.0"

_EXCEPTIONS = {
    name: kind
    for name, kind in vars(exceptions).items()
    if isinstance(kind, type) and issubclass(kind, Exception)
}

#: What ixmp4 shows at its top. Before 0.15 also what the second line has.
TOP: dict[str, Any] = {
    **{kind.__name__: kind for kind in (names.Model, names.Region, names.Scenario, names.Unit)},
    "Platform": platform.Platform,
    "Run": run.Run,
    **{
        name: _EXCEPTIONS[name]
        for name in (
            "InconsistentIamcType",
            "InvalidCredentials",
            "InvalidToken",
            "Ixmp4Error",
            "NotFound",
            "NotUnique",
        )
    },
    "Checkpoint": checkpoints.Checkpoint,
    "DataPoint": iamc.DataPoint,
    "Variable": names.Variable,
    "OptimizationVariable": items.Variable,
    **{
        kind.__name__: kind
        for kind in (
            items.Equation,
            items.IndexSet,
            items.Parameter,
            items.Scalar,
            items.Table,
        )
    },
}


def _exceptions(*parts: str) -> dict[str, Any]:
    """The exceptions whose names begin with one of these."""
    return {name: kind for name, kind in _EXCEPTIONS.items() if name.startswith(parts)}


def _of(module: types.ModuleType, *wanted: str) -> dict[str, Any]:
    return {name: getattr(module, name) for name in wanted}


_ITEMS = {
    "equation": "Equation",
    "indexset": "IndexSet",
    "parameter": "Parameter",
    "scalar": "Scalar",
    "table": "Table",
    "variable": "Variable",
}
_NAMES = {"region": "Region", "unit": "Unit", "model": "Model", "scenario": "Scenario"}

#: The submodules, and what is in them.
MODULES: dict[str, dict[str, Any]] = {
    "base_exceptions": _EXCEPTIONS,
    "conf": {},
    "conf.platforms": {
        **_of(settings, "ManagerPlatforms", "TomlPlatform", "TomlPlatforms"),
        "resolve_dsn_env_tokens": transport.resolve_dsn_env_tokens,
    },
    "conf.settings": _of(settings, "Settings"),
    "core": TOP,
    "core.checkpoint": _of(checkpoints, "Checkpoint", "RunCheckpoints"),
    "core.exceptions": _EXCEPTIONS,
    "core.iamc": {**_of(iamc, "DataPoint", "PlatformIamcData", "RunIamcData")},
    "core.iamc.data": _of(iamc, "PlatformIamcData", "RunIamcData"),
    "core.iamc.datapoint": _of(iamc, "DataPoint", "Type"),
    "core.iamc.variable": _of(names, "Variable", "VariableServiceFacade"),
    "core.meta": _of(meta, "PlatformRunMetaFacade", "RunMetaDictFacade"),
    "core.optimization": {
        **_of(items, *_ITEMS.values()),
        **_of(optimization, "RunOptimizationData"),
    },
    "core.optimization.data": _of(optimization, "RunOptimizationData"),
    "core.platform": _of(platform, "Platform"),
    "core.run": _of(run, "Run", "RunServiceFacade"),
    "data": {},
    "data.abstract": TOP,
    "data.backend": _of(transport, "Backend"),
    "data.checkpoint": {},
    "data.checkpoint.dto": _of(checkpoints, "Checkpoint"),
    "data.checkpoint.exceptions": _exceptions("Checkpoint"),
    "data.docs": {},
    "data.docs.filter": _of(filters, "DocsFilter"),
    "data.docs.repository": _exceptions("Docs"),
    "data.iamc": {},
    "data.iamc.datapoint": {},
    "data.iamc.datapoint.exceptions": _exceptions("DataPoint"),
    "data.iamc.datapoint.filter": _of(filters, "FacadeDataPointFilter"),
    "data.iamc.datapoint.type": _of(iamc, "Type"),
    "data.iamc.variable": {},
    "data.iamc.variable.exceptions": _exceptions("Variable"),
    "data.iamc.variable.filter": _of(filters, "FacadeVariableFilter"),
    "data.meta": {},
    "data.meta.dto": {"MetaValueType": meta.MetaValueType},
    "data.meta.exceptions": {**_exceptions("RunMetaEntry"), **_exceptions("InvalidRunMeta")},
    "data.meta.filter": _of(filters, "FacadeRunMetaEntryFilter"),
    "data.optimization": {},
    "data.run": {},
    "data.run.exceptions": {**_exceptions("Run"), **_exceptions("NoDefaultRunVersion")},
    "data.run.filter": _of(filters, "FacadeRunFilter"),
    "db": _of(transport, "get_alembic_controller"),
    "transport": _of(transport, "DirectTransport", "Transport"),
}
for _module, _name in _NAMES.items():
    _held = _of(names, _name, f"{_name}ServiceFacade")
    # As they were called before 0.15.
    MODULES[f"core.{_module}"] = {**_held, f"{_name}Model": _held[_name]}
    MODULES[f"data.{_module}"] = {}
    MODULES[f"data.{_module}.exceptions"] = _exceptions(_name)
    MODULES[f"data.{_module}.filter"] = _of(filters, f"Facade{_name}Filter")
for _module, _name in _ITEMS.items():
    MODULES[f"core.optimization.{_module}"] = {
        **_of(items, _name),
        **_of(optimization, f"{_name}ServiceFacade"),
    }
    MODULES[f"data.optimization.{_module}"] = {}
    MODULES[f"data.optimization.{_module}.exceptions"] = _exceptions(_name)
    MODULES[f"data.optimization.{_module}.filter"] = {f"{_name}Filter": filters.ItemFilter}


class Swap(types.ModuleType):
    """A module that was made by ``install``."""


def register(root: str) -> None:
    """Makes the submodules of a module that stands for ixmp4; those that are there stay."""
    for name in sorted(MODULES):
        if f"{root}.{name}" in sys.modules:
            continue
        module = Swap(f"{root}.{name}", "As in ixmp4; see stratalog.ixmp4.")
        module.__path__ = []
        vars(module).update(MODULES[name])
        sys.modules[module.__name__] = module
        outer, _, own = module.__name__.rpartition(".")
        setattr(sys.modules[outer], own, module)
    for name in ("iamc", "optimization"):
        vars(sys.modules[root]).setdefault(name, sys.modules[f"{root}.core.{name}"])


def install() -> None:
    """Makes ``import ixmp4`` give stratalog's swap, for clients that import it: call it before
    they are imported. Doing it again changes nothing.

    Raises:
        ImportError: ixmp4 itself was imported already; what holds its classes would not see the
            swap's.
    """
    there = sys.modules.get("ixmp4")
    if isinstance(there, Swap):
        return
    others = sorted(name for name in sys.modules if name.partition(".")[0] == "ixmp4")
    if others:
        raise ImportError(
            "ixmp4 itself was imported already (" + ", ".join(others[:3]) + " …): call "
            "stratalog.ixmp4.install() before anything imports it, in a new process"
        )
    top = Swap("ixmp4", "stratalog.ixmp4, in place of ixmp4.")
    top.__path__ = []
    vars(top).update(
        TOP, __version__=VERSION, __version_tuple__=tuple(map(int, VERSION.split(".")))
    )
    sys.modules["ixmp4"] = top
    register("ixmp4")


def uninstall() -> None:
    """Takes ``install`` back: the next ``import ixmp4`` gives ixmp4 itself, if it is installed.
    Clients that were imported meanwhile keep the swap's classes. Without ``install`` it does
    nothing.
    """
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "ixmp4" and isinstance(module, Swap):
            del sys.modules[name]
