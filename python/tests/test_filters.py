"""Filters, docs, and who made what: what Python adds to what the Rust tests cover."""

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support import Database, points

import stratalog

NOON = dt.datetime(2031, 6, 17, 12, tzinfo=dt.timezone(dt.timedelta(hours=2)))


@pytest.fixture
def filled(platform: stratalog.Platform) -> stratalog.Platform:
    """A default run with points of each type, and a version of it that is none."""
    platform.regions.create("R5", hierarchy="r5")
    for value in (0.0, 10.0):
        run = platform.runs.create("model", "scenario")
        with run.transact("data"):
            run.iamc.add(points(("a", 2020, 1.0 + value), ("b", 2030, 2.0 + value)))
            moment = points(("c", 0, 3.0 + value)).drop(columns="year").assign(datetime=[NOON])
            run.iamc.add(moment.assign(region="R5"))
            run.meta = {"category": f"C{value:.0f}", "cost": value}
        if not value:
            run.set_as_default()
    return platform


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, [1, 2, 3]),
        ({"variable": "a"}, [1]),
        ({"variable": np.array(["a", "b"])}, [1, 2]),
        ({"variable": pd.Series(["a"])}, [1]),
        ({"variable": ("*", "x")}, [1, 2, 3]),
        ({"variable": {"name__in": ["a", "c"]}}, [1, 3]),
        ({"variable__notlike": "a"}, [2, 3]),
        ({"variable__ilike": "A"}, [1]),
        ({"region": {"hierarchy": "r5"}}, [3]),
        ({"year": np.int64(2030)}, [2]),
        ({"year": range(2020, 2025)}, [1]),
        ({"year__gte": 2021}, [2]),
        ({"year": None}, [1, 2, 3]),
        ({"datetime": NOON}, [3]),
        ({"datetime__lt": NOON.astimezone(dt.UTC)}, []),
        ({"datetime": pd.Timestamp(NOON)}, [3]),
        ({"type": "datetime"}, [3]),
        ({"value__gt": np.float64(1.5)}, [2, 3]),
    ],
)
def test_points(filled: stratalog.Platform, filters: dict[str, Any], expected: list[int]) -> None:
    run = filled.runs.get("model", "scenario")
    assert sorted(run.iamc.tabulate(**filters)["value"]) == expected
    assert run.iamc.arrow(**filters).num_rows == len(expected)
    frame = filled.iamc.tabulate(**filters)
    assert sorted(frame["value"]) == expected
    assert filled.iamc.arrow(**filters).num_rows == filled.iamc.polars(**filters).height
    both = filled.iamc.tabulate(run={"default_only": False}, run_id=True, **filters)
    later = 3 if "value__gt" in filters else len(expected)
    assert sorted(both["value"])[: len(expected)] == expected and len(both) == len(expected) + later
    assert both.columns[0] == "run_id"
    assert run.as_of("checkpoint").iamc.tabulate(**filters).shape[0] == len(expected)


def test_a_platform_gives_points_with_their_runs(filled: stratalog.Platform) -> None:
    frame = filled.iamc.tabulate(model="mod*", year__lt=2030)
    assert frame.drop(columns="unit").values.tolist() == [
        ["model", "scenario", 1, "World", "a", 2020, 1.0]
    ]
    assert filled.iamc.tabulate(run={"version": 2, "default_only": False})["value"].min() == 11.0
    assert filled.iamc.tabulate(scenario=["other"]).empty
    meta = filled.meta.tabulate(run={"version__gte": 1})
    assert meta["key"].tolist() == ["category", "cost"]
    assert filled.meta.tabulate("c*", value__lt=1, model={"name": "model"})["value"].tolist() == [
        0.0
    ]


def test_lists(filled: stratalog.Platform) -> None:
    run = filled.runs.get("model", "scenario")
    assert [region.name for region in filled.regions.list(hierarchy="r5")] == ["R5"]
    assert [region.name for region in filled.regions.list(iamc={"variable": "c"})] == ["R5"]
    assert filled.regions.tabulate(name="W*")["name"].tolist() == ["World"]
    assert filled.units.list(iamc=False) == []
    assert [v.name for v in filled.variables.list(name__ne="b")] == ["a", "c"]
    assert [model.name for model in filled.models.list(id=filled.models.get("model").id)] == [
        "model"
    ]
    assert [found.version for found in filled.runs.list(is_default=False)] == [2]
    assert filled.runs.tabulate(iamc={"value__lt": 5})["id"].tolist() == [run.id]
    with run.transact("items"):
        run.optimization.indexsets.create("i", ["x"])
        run.optimization.parameters.create("p", ["i"])
        run.optimization.scalars.create("s", 1.5, filled.units.list()[0].name)
    assert [item.name for item in run.optimization.parameters.list(indexset="i")] == ["p"]
    assert run.optimization.scalars.tabulate(value__gt=2).empty
    assert run.optimization.indexsets.tabulate(name="i")["id"].tolist() == [
        run.optimization.indexsets.get("i").id
    ]


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (lambda p: p.regions.list(namee="x"), r'"namee" \(did you mean "name"\?\): regions can be'),
        (lambda p: p.runs.list(year=2030), 'unknown filter "year": runs can be filtered by id'),
        (lambda p: p.iamc.tabulate(run={"defaultonly": 1}), 'did you mean "default_only"'),
        (lambda p: p.iamc.tabulate(region={1: "x"}), r"region=\{1: 'x'\}"),
        (lambda p: p.meta.tabulate(keys="x"), "meta indicators can be filtered by key"),
        (lambda p: p.regions.list(name=[["x"]]), r"name=\['x'\]"),
    ],
)
def test_what_is_not_known_is_refused(filled: stratalog.Platform, work: Any, message: str) -> None:
    with pytest.raises(stratalog.InvalidFilter, match=message):
        work(filled)


def test_what_is_said_of_names(database: Database, platform: stratalog.Platform) -> None:
    world = platform.regions.get("World")
    assert world.docs is None and world.updated_at is None
    assert world.created_by == platform.actor and world.created_at is not None
    assert world.created_at.tzinfo is not None
    other = database.open(actor="somebody")
    other.regions.set_docs("World", "all of it")
    described = platform.regions.get_by_id(world.id)
    assert described.docs == "all of it" and described.updated_by == "somebody"
    frame = platform.regions.tabulate(audit_info=True)
    assert frame.columns.tolist()[-4:] == ["created_at", "created_by", "updated_at", "updated_by"]
    assert frame["created_at"].dtype == "datetime64[us, UTC]"
    assert frame["updated_by"].tolist() == ["somebody"]
    platform.regions.set_docs("World", None)
    assert platform.regions.get("World").docs is None
    with pytest.raises(stratalog.UnitNotFound):
        platform.units.set_docs("parsecs", "far")


def test_who_made_runs_and_items(database: Database, run: stratalog.Run) -> None:
    other = database.open(actor="somebody")
    theirs = other.runs.get_by_id(run.id)
    with theirs.transact("items"):
        item = theirs.optimization.indexsets.create("i", ["x"])
        item.docs = "letters"
    assert run.created_by != "somebody" and run.updated_by == "somebody"
    assert run.created_at is not None and run.updated_at is not None
    assert run.created_at <= run.updated_at
    mine = run.optimization.indexsets.get("i")
    assert mine.docs == "letters" and mine.created_by == mine.updated_by == "somebody"
    frame = other.runs.tabulate(audit_info=True)
    assert frame["updated_by"].tolist() == ["somebody"]
    items = run.optimization.indexsets.tabulate(audit_info=True)
    assert items["created_by"].tolist() == ["somebody"]
    assert items["created_at"].tolist() == [mine.created_at]
