"""Runs: versions, defaults, lists, deletion, clones."""

from typing import Any

import pandas as pd


def _point(value: float) -> pd.DataFrame:
    point = {"region": "World", "variable": "Coal", "unit": "EJ/yr", "year": 2030, "value": value}
    return pd.DataFrame([point])


def runs(ixmp4: Any, platform: Any, see: Any) -> None:
    see(lambda: platform.runs.tabulate())
    see(lambda: platform.runs.list())
    first = see(lambda: platform.runs.create("model", "scenario"))
    second = see(lambda: platform.runs.create("model", "scenario"))
    see(lambda: platform.runs.create("model", "other"))
    see(lambda: first.model.name)
    see(lambda: first.scenario.name)
    see(lambda: first.model.id == platform.models.get_by_name("model").id)
    see(lambda: second.version)
    see(lambda: first.created_at)
    see(lambda: isinstance(first.created_by, str))
    see(lambda: first.is_default)
    see(lambda: first.owns_lock)
    see(lambda: platform.runs.get("model", "scenario"))
    see(lambda: platform.runs.get("model", "scenario", version=2))
    see(lambda: platform.runs.get("model", "scenario", 3))
    see(lambda: platform.runs.get("no", "scenario"))
    see(lambda: platform.runs.get("no", "scenario", 1))
    see(lambda: platform.runs.list())
    see(lambda: platform.runs.tabulate())
    see(lambda: platform.runs.tabulate(default_only=False))
    see(lambda: second.set_as_default())
    see(lambda: second.is_default)
    see(lambda: platform.runs.get("model", "scenario"))
    see(lambda: platform.runs.list())
    see(lambda: platform.runs.list(default_only=False))
    see(lambda: platform.runs.tabulate())
    see(lambda: platform.runs.tabulate(include_audit_info=True))
    see(lambda: platform.runs.tabulate(audit_info=True))
    see(lambda: platform.runs.tabulate(include_internal_columns=True))
    see(lambda: platform.runs.tabulate(True, True))
    see(lambda: first.set_as_default())
    see(lambda: platform.runs.get("model", "scenario"))
    see(lambda: first.unset_as_default())
    see(lambda: first.is_default)
    see(lambda: platform.runs.get("model", "scenario"))
    see(lambda: ixmp4.Run.NotFound.__name__)
    see(lambda: ixmp4.Run.NotUnique.__name__)
    see(lambda: ixmp4.Run.IsLocked.__name__)
    see(lambda: ixmp4.Run.LockRequired.__name__)
    see(lambda: ixmp4.Run.NoDefaultVersion.__name__)
    see(lambda: ixmp4.Run.DeletionPrevented.__name__)


def delete(platform: Any, see: Any) -> None:
    platform.regions.create("World", "common")
    platform.units.create("EJ/yr")
    run = platform.runs.create("model", "scenario")
    other = platform.runs.create("model", "scenario")
    with run.transact("all"):
        run.iamc.add(_point(1.0))
        run.meta["a"] = 1
        run.optimization.indexsets.create("i").add_data(["x", "y"])
        run.optimization.tables.create("t", ["i"]).add_data({"i": ["x"]})
    run.set_as_default()
    see(lambda: platform.runs.delete(run))
    see(lambda: platform.runs.list(default_only=False))
    see(lambda: platform.runs.delete(run))
    see(lambda: platform.runs.delete(4711))
    see(lambda: platform.runs.delete("model"))
    see(lambda: platform.iamc.tabulate(run={"default_only": False}))
    see(lambda: other.delete())
    see(lambda: platform.runs.get("model", "scenario", 2))
    see(lambda: platform.runs.list(default_only=False))
    see(lambda: platform.regions.delete("World"))


def deleted_versions(platform: Any, see: Any) -> None:
    run = platform.runs.create("model", "scenario")
    platform.runs.delete(run)
    see(
        lambda: platform.runs.create("model", "scenario").version,
        differs="versions are not used again",
    )


def clone(platform: Any, see: Any) -> None:
    platform.regions.create("World", "common")
    platform.units.create("EJ/yr")
    run = platform.runs.create("model", "scenario")
    with run.transact("all"):
        run.iamc.add(_point(1.5))
        run.meta = {"a": True, "b": "text"}
        items = run.optimization
        items.indexsets.create("i").add_data([10, 20])
        items.scalars.create("s", 2.5, "EJ/yr")
        items.tables.create("t", ["i"], column_names=["n"]).add_data({"n": [10]})
        items.parameters.create("p", ["i"]).add_data(
            {"i": [10, 20], "values": [1.0, 2.0], "units": ["EJ/yr", "EJ/yr"]}
        )
        items.variables.create("x", ["i"]).add_data(
            {"i": [20], "levels": [1.0], "marginals": [0.0]}
        )
        items.equations.create("e").add_data({"levels": [1.0], "marginals": [0.5]})
    copy = see(lambda: run.clone())
    see(lambda: copy.is_default)
    see(lambda: copy.owns_lock)
    see(lambda: copy.iamc.tabulate())
    see(lambda: dict(copy.meta))
    see(lambda: copy.optimization.scalars.list())
    see(lambda: copy.optimization.indexsets.get_by_name("i").data)
    see(lambda: copy.optimization.tables.get_by_name("t").data)
    see(lambda: copy.optimization.parameters.get_by_name("p").data)
    see(lambda: copy.optimization.variables.get_by_name("x").data)
    see(lambda: copy.optimization.equations.get_by_name("e").data)
    see(lambda: copy.optimization.has_solution())
    bare = see(lambda: run.clone(model="other", scenario="case", keep_solution=False))
    see(lambda: bare.optimization.has_solution())
    see(lambda: bare.optimization.variables.get_by_name("x").data)
    see(lambda: bare.optimization.parameters.get_by_name("p").values)
    see(lambda: len(bare.checkpoints.tabulate()))
    see(lambda: run.clone(scenario="case"))
