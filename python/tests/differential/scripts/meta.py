"""Meta indicators."""

from typing import Any

import numpy as np
import pandas as pd


def indicators(platform: Any, see: Any) -> None:
    run = platform.runs.create("model", "scenario")
    see(lambda: dict(run.meta))
    see(lambda: run.meta == {})
    with run.transact("meta"):
        run.meta = {"int": 1, "bool": True, "float": 1.0, "text": "one", "none": None}
    see(lambda: dict(run.meta))
    see(lambda: [type(value).__name__ for _, value in sorted(run.meta.items())])
    see(lambda: len(run.meta))
    see(lambda: sorted(run.meta))
    see(lambda: run.meta["int"])
    see(lambda: run.meta["nothing"])
    see(lambda: run.meta.get("nothing", "default"))
    see(lambda: "bool" in run.meta)
    with run.transact("one by one"):
        run.meta["int"] = 2
        run.meta["new"] = -1.5
        run.meta["text"] = None
        see(lambda: dict(run.meta))
        del run.meta["new"]
        see(lambda: run.meta.__delitem__("new"))
        see(lambda: run.meta.__setitem__("float", np.nan))
        see(lambda: run.meta.__setitem__("numpy", np.int64(7)))
        see(lambda: run.meta.__setitem__("numpy bool", np.bool_(False)))
        see(lambda: run.meta.__setitem__("numpy float", np.float64(0.5)))
        see(lambda: run.meta.update({"up": 1, "date": "2020"}))
        see(lambda: run.meta.pop("up"))
        see(lambda: run.meta.setdefault("date", "2030"))
        see(lambda: dict(run.meta))
    see(lambda: run.meta == {"a": 1})
    see(lambda: str(run.meta))
    see(lambda: repr(run.meta))
    with run.transact("refused"):
        see(lambda: run.meta.__setitem__("list", [1, 2]), differs="one kind of refusal")
        see(lambda: run.meta.__setitem__("dict", {"a": 1}), differs="one kind of refusal")
        see(lambda: run.meta.__setitem__("model", "x"))
        see(lambda: run.meta.__setitem__("is_default", True))
        see(lambda: setattr(run, "meta", {"version": 3}))
        see(lambda: setattr(run, "meta", {"a": object()}))
        see(lambda: run.meta.__setitem__(3, "three"), differs="one kind of refusal")
    with run.transact("replaced"):
        run.meta = {"category": "C1", "n": np.float64(2.0), "m": np.nan}
    see(lambda: dict(run.meta))
    with run.transact("emptied"):
        run.meta = {}
    see(lambda: dict(run.meta))


def table(platform: Any, see: Any) -> None:
    see(lambda: platform.meta.tabulate())
    first = platform.runs.create("model 1", "scenario")
    second = platform.runs.create("model 2", "scenario")
    third = platform.runs.create("model 2", "scenario")
    with first.transact("meta"):
        first.meta = {"b": "text", "a": 1}
    with second.transact("meta"):
        second.meta = {"a": 2, "c": 0.5, "d": False}
    with third.transact("meta"):
        third.meta = {"a": 3}
    see(lambda: platform.meta.tabulate())
    see(lambda: platform.meta.tabulate(run={"default_only": False}))
    first.set_as_default()
    second.set_as_default()
    see(lambda: platform.meta.tabulate())
    see(lambda: platform.meta.tabulate(key="a"))
    see(lambda: platform.meta.tabulate(key="b"))
    see(lambda: platform.meta.tabulate(key="c"))
    see(lambda: platform.meta.tabulate(key="d"))
    see(lambda: platform.meta.tabulate(key="nothing"))
    see(lambda: platform.meta.tabulate(key__in=["a", "c"]))
    see(lambda: platform.meta.tabulate(key__in=["c", "d"]))
    see(lambda: platform.meta.tabulate(key__like="*"))
    see(lambda: platform.meta.tabulate(key__notlike="a"))
    see(lambda: platform.meta.tabulate(key__ilike="A"))
    see(lambda: platform.meta.tabulate(key__notilike="A"))
    see(lambda: platform.meta.tabulate(dtype="INT"))
    see(lambda: platform.meta.tabulate(dtype__in=["INT", "STR"]))
    see(lambda: platform.meta.tabulate(run={"model": "model 2"}))
    see(lambda: platform.meta.tabulate(run={"model": {"name": "model 1"}}))
    see(lambda: platform.meta.tabulate(run={"scenario": ["scenario"], "default_only": False}))
    see(lambda: platform.meta.tabulate(run={"id": third.id, "default_only": False}))
    see(lambda: platform.meta.tabulate(run__id=second.id))
    see(lambda: platform.meta.tabulate(run__id__in=[first.id, second.id]))
    see(lambda: platform.meta.tabulate(nothing=1))
    see(lambda: platform.meta.tabulate(run={"nothing": 1}))
    see(lambda: platform.meta.tabulate(key=1))


def frames(platform: Any, see: Any) -> None:
    """As pyam writes and reads them."""
    run = platform.runs.create("model", "scenario")
    meta = pd.DataFrame([[1, "foo", 2.5]], columns=["number", "text", "float"])
    with run.transact("meta"):
        see(lambda: setattr(run, "meta", dict(meta.loc[0])))
    see(lambda: dict(run.meta))
