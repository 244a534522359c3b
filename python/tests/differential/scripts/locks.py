"""Run locks, checkpoints, and what a failing block leaves behind."""

from typing import Any

import pandas as pd


def _point(value: float, year: int = 2030) -> pd.DataFrame:
    point = {"region": "World", "variable": "Coal", "unit": "EJ/yr", "year": year, "value": value}
    return pd.DataFrame([point])


def _prepare(platform: Any) -> Any:
    platform.regions.create("World", "common")
    platform.units.create("EJ/yr")
    return platform.runs.create("model", "scenario")


def blocks(platform: Any, see: Any) -> None:
    run = _prepare(platform)
    see(lambda: run.owns_lock)
    see(lambda: run.require_lock())
    with run.transact("first"):
        see(lambda: run.owns_lock)
        see(lambda: run.require_lock())
        run.iamc.add(_point(1.0))
    see(lambda: run.owns_lock)
    see(lambda: run.checkpoints.tabulate(), differs={"sqlite": "history on SQLite"})
    with run.transact("second", timeout=1):
        run.iamc.add(_point(2.0))
    with run.transact(message="third", timeout=None, revert_platform_on_error=False):
        pass
    see(lambda: run.checkpoints.tabulate()["message"].tolist())


def no_lock(platform: Any, see: Any) -> None:
    run = _prepare(platform)
    with run.transact("items"):
        indexset = run.optimization.indexsets.create("i")
        indexset.add_data(["x"])
        scalar = run.optimization.scalars.create("s", 1, "EJ/yr")
        table = run.optimization.tables.create("t", ["i"])
        parameter = run.optimization.parameters.create("p", ["i"])
        variable = run.optimization.variables.create("v", ["i"])
        equation = run.optimization.equations.create("e", ["i"])
        run.meta["a"] = 1
    items = run.optimization
    see(lambda: run.iamc.add(_point(1.0)))
    see(lambda: run.iamc.remove(_point(1.0)))
    see(lambda: run.checkpoints.create("no"))
    see(lambda: run.meta.__setitem__("a", 2))
    see(lambda: run.meta.__delitem__("a"))
    see(lambda: setattr(run, "meta", {}))
    see(lambda: items.indexsets.create("j"))
    see(lambda: items.indexsets.delete("i"))
    see(lambda: indexset.add_data("y"))
    see(lambda: indexset.remove_data("x"))
    see(lambda: indexset.delete())
    see(lambda: items.scalars.create("r", 1, "EJ/yr"))
    see(lambda: items.scalars.delete("s"))
    see(lambda: scalar.update(value=2))
    see(lambda: setattr(scalar, "value", 2))
    see(lambda: setattr(scalar, "unit", "EJ/yr"))
    see(lambda: scalar.delete())
    for facade, item in (
        (items.tables, table),
        (items.parameters, parameter),
        (items.variables, variable),
        (items.equations, equation),
    ):
        see(lambda facade=facade: facade.create("z", ["i"]))
        see(lambda facade=facade, item=item: facade.delete(item.name))
        see(lambda item=item: item.add_data({"i": ["x"]}))
        see(lambda item=item: item.remove_data())
        see(lambda item=item: item.delete())
    see(lambda: items.remove_solution())
    see(lambda: dict(run.meta))
    see(lambda: run.iamc.tabulate())


def locked(ixmp4: Any, platform: Any, see: Any) -> None:
    run = _prepare(platform)
    other = platform.runs.get("model", "scenario", 1)

    def enter(held: Any, **how: Any) -> str:
        with held.transact("again", **how):
            return "entered"

    with run.transact("held"):
        see(lambda: enter(other))
        see(lambda: enter(other, timeout=0.3))
        see(lambda: enter(run))
        see(lambda: other.owns_lock)
        see(lambda: other.iamc.add(_point(1.0)))
        see(lambda: isinstance(ixmp4.Run.IsLocked(), ixmp4.Ixmp4Error))
    see(lambda: enter(other))
    see(lambda: run.checkpoints.tabulate()["message"].tolist())


def failing(platform: Any, see: Any) -> None:
    run = _prepare(platform)
    with run.transact("good"):
        run.iamc.add(_point(1.0))
        run.meta["kept"] = "yes"

    def fail() -> None:
        with run.transact("bad"):
            run.iamc.add(_point(2.0))
            run.iamc.add(_point(3.0, 2040))
            run.meta["kept"] = "no"
            run.optimization.indexsets.create("i")
            raise RuntimeError("something went wrong")

    history = {"sqlite": "history on SQLite"}
    see(fail)
    see(lambda: run.owns_lock)
    see(lambda: run.iamc.tabulate(), differs=history)
    see(lambda: dict(run.meta), differs=history)
    see(lambda: run.optimization.indexsets.list(), differs=history)
    see(lambda: run.checkpoints.tabulate()["message"].tolist())

    def fail_after_checkpoint() -> None:
        with run.transact("bad"):
            run.iamc.add(_point(4.0))
            run.checkpoints.create("half")
            run.iamc.add(_point(5.0))
            raise RuntimeError("something went wrong")

    see(fail_after_checkpoint)
    see(lambda: run.iamc.tabulate(), differs=history)
    see(lambda: run.checkpoints.tabulate()["message"].tolist())


def checkpoints(platform: Any, see: Any) -> None:
    run = _prepare(platform)
    see(lambda: run.checkpoints.tabulate())
    with run.transact("end"):
        history = {"sqlite": "history on SQLite"}
        checkpoint = see(lambda: run.checkpoints.create("before"), differs=history)
        see(lambda: checkpoint.message)
        see(lambda: checkpoint.run__id == run.id)
        see(lambda: isinstance(checkpoint.id, int))
        run.iamc.add(_point(1.0))
        see(lambda: run.checkpoints.create("before"), differs=history)
    see(lambda: run.checkpoints.tabulate(), differs={"sqlite": "history on SQLite"})
    see(lambda: run.checkpoints.NotFound.__name__)
    see(lambda: run.checkpoints.NotUnique.__name__)
    see(lambda: run.checkpoints.DeletionPrevented.__name__)


def deleted_under_lock(platform: Any, see: Any) -> None:
    run = _prepare(platform)
    other = platform.runs.get("model", "scenario", 1)

    def delete() -> None:
        with run.transact("held"):
            see(lambda: other.delete(), differs="locks hold")

    see(delete, differs="locks hold")
