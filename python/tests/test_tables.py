"""Tables of one's own, described at run time."""

import datetime as dt
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
from support import Database, finish, python

import stratalog

COLUMNS = {
    "node": str,
    "year": int,
    "value": float,
    "note": str | None,
    "active": bool,
    "seen": dt.datetime | None,
}
NOON = dt.datetime(2031, 6, 17, 12, tzinfo=dt.UTC)


def flows(*rows: tuple[Any, ...]) -> pd.DataFrame:
    """From (node, year, value, note, active, seen)."""
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype({"seen": "datetime64[us, UTC]", "active": bool, "note": object})


@pytest.fixture
def filled(platform: stratalog.Platform, run: stratalog.Run) -> stratalog.Run:
    table = platform.tables.create("flows", columns=COLUMNS, key=["node", "year"])
    assert platform.tables.create("flows", COLUMNS, ["node", "year"]) == table
    with run.transact("raw"):
        run.tables["flows"].add(
            flows(("a", 2020, 1.0, None, True, None), ("b", 2030, -0.0, "x", False, NOON))
        )
    return run


def test_rows_come_back_as_they_went_in(
    platform: stratalog.Platform, filled: stratalog.Run
) -> None:
    frame = filled.tables["flows"].tabulate()
    assert frame.columns.tolist() == list(COLUMNS)
    assert frame["year"].dtype == "int64" and frame["active"].dtype == bool
    assert frame["seen"].tolist()[1] == NOON.replace(tzinfo=None) and pd.isna(frame["seen"][0])
    assert np.signbit(frame["value"][1]) and pd.isna(frame["note"][0])
    assert filled.tables["flows"].polars().height == filled.tables["flows"].arrow().num_rows == 2
    assert filled.tables["flows"].tabulate(node="b*", active=False, seen__gte=NOON).shape == (1, 6)
    assert filled.tables["flows"].tabulate(value__gt=0)["node"].tolist() == ["a"]
    with filled.transact("again"):
        assert not filled.tables["flows"].add(frame).inserted
        assert filled.tables["flows"].add(pl.from_pandas(frame)).updated == 0
        relation = duckdb.from_arrow(filled.tables["flows"].arrow())
        assert filled.tables["flows"].add(relation).updated == 0
    assert len(filled.log()) == 1, "nothing changed"
    assert list(filled.tables) == ["flows"] and "flows" in filled.tables
    assert repr(filled.tables["flows"]) == "<table 'flows': 2 rows>"
    described = platform.tables.get("flows")
    assert described.columns == COLUMNS and described.key == ["node", "year"]
    assert "note: str | None" in repr(described)
    assert platform.tables.tabulate()["column"].tolist() == list(COLUMNS)
    assert platform.verify()


def test_a_tables_rows_have_all_that_a_run_has(
    platform: stratalog.Platform, filled: stratalog.Run
) -> None:
    table = filled.tables["flows"]
    with filled.transact("changed"):
        changed = flows(("a", 2020, 1.5, "y", True, None), ("c", 2040, 3.0, None, True, None))
        counts = table.add(changed)
        assert (counts.inserted, counts.updated) == (1, 1)
        assert table.remove({"node": ["b", "z"], "year": [2030, 2030]}).deleted == 1
    history = table.history(node__in=["a", "b"])
    assert history["operation"].tolist() == ["insert", "update", "insert", "delete"]
    assert history["checkpoint"].tolist() == ["raw", "raw", "raw", "changed"]
    assert history["value"].isna().tolist() == [False, False, False, True]
    before = filled.as_of("raw")
    assert before.tables["flows"].tabulate()["node"].tolist() == ["a", "b"]
    with pytest.raises(stratalog.ReadOnlyView):
        before.tables["flows"].add(changed)
    difference = table.difference("raw")
    assert difference["operation"].tolist() == ["update", "delete", "insert"]
    assert difference["value_after"].tolist()[0] == 1.5
    assert filled.diff("raw").table("flows").equals(difference)
    assert filled.diff("raw").counts().values.tolist() == [["flows", 1, 1, 1]]
    clone = filled.clone()
    assert clone.tables["flows"].tabulate().equals(table.tabulate())
    filled.revert_to("raw")
    assert table.tabulate()["node"].tolist() == ["a", "b"]
    platform.runs.delete(filled)
    assert platform.runs.restore(filled).tables["flows"].tabulate().shape == (2, 6)
    with pytest.raises(RuntimeError, match="oh"), clone.transact("fails"):
        clone.tables["flows"].add(changed.assign(value=[9.0, 9.0]))
        raise RuntimeError("oh")
    assert clone.tables["flows"].tabulate()["value"].max() == 3.0
    assert platform.verify()


GOOD = ("a", 2020, 1.0, None, True, None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"node": [5]}, '"node" must hold text, not'),
        ({"node": [None]}, '"node" has missing values'),
        ({"year": [2020.5]}, '"year" must hold whole numbers; these do not fit: row 0'),
        ({"year": ["2020"]}, '"year" must hold whole numbers, not'),
        ({"year": np.array([2**63], dtype="uint64")}, '"year" must hold whole numbers; these do'),
        ({"value": [np.inf]}, '"value" has NaN or infinity in row 0'),
        ({"value": [2**53 + 1]}, '"value" must hold numbers; these do not fit: row 0'),
        ({"value": [None]}, '"value" has missing values'),
        ({"active": [1]}, '"active" must hold true or false, not'),
        ({"seen": ["soon"]}, '"seen" must hold dates and times to the microsecond, not'),
        ({"seen": pd.to_datetime(["2031-06-17 12:00:00.123456789"])}, "these do not fit: row 0"),
        ({"note": ["a\0b"]}, "NUL"),
        ({"notes": ["x"]}, 'unknown columns "notes": flows has node, year'),
    ],
)
def test_what_does_not_fit_is_refused(
    filled: stratalog.Run, change: dict[str, Any], message: str
) -> None:
    table = filled.tables["flows"]
    with filled.transact("bad"):
        with pytest.raises(stratalog.InvalidFrame, match=message):
            table.add(flows(GOOD).assign(**change))
        with pytest.raises(
            stratalog.InvalidFrame, match="the same key more than once, in rows 0, 1"
        ):
            table.add(flows(GOOD, GOOD))
        with pytest.raises(stratalog.InvalidFrame, match='"value" is missing'):
            table.add(flows(GOOD).drop(columns="value"))
    assert len(filled.log()) == 1, "nothing was written"
    with pytest.raises(stratalog.RunLockRequired):
        table.add(flows(GOOD))


def test_zones_of_times_are_converted(filled: stratalog.Run) -> None:
    zone = dt.timezone(dt.timedelta(hours=2))
    with filled.transact("zones"):
        filled.tables["flows"].add(
            flows(GOOD).assign(
                seen=pd.Series([NOON.astimezone(zone)], dtype="datetime64[ns, UTC+02:00]")
            )
        )
    assert filled.tables["flows"].tabulate(node="a")["seen"].tolist() == [NOON.replace(tzinfo=None)]


def test_descriptions_that_cannot_be(platform: stratalog.Platform) -> None:
    create = platform.tables.create
    with pytest.raises(stratalog.InvalidInput, match="no type of columns; there are str, int"):
        create("x", {"a": complex}, ["a"])
    with pytest.raises(stratalog.InvalidInput, match="no type of columns"):
        create("x", {"a": str | int}, ["a"])
    for name, columns, key, message in [
        ("Big", {"a": str}, ["a"], "not a usable name"),
        ("x", {"a": str}, ["b"], "not a column"),
        ("x", {"a": str}, [], "at least one more"),
        ("x", {"a": str | None}, ["a"], "must not be nullable"),
        ("runs", {"a": str}, ["a"], "taken by stratalog"),
        ("x", {"run_id": int}, ["run_id"], "twice"),
    ]:
        with pytest.raises(stratalog.SchemaError, match=message):
            create(name, columns, key)
    create("x", {"a": str}, ["a"])
    with pytest.raises(stratalog.SchemaError, match="other columns, key or rank"):
        create("x", {"a": int}, ["a"])
    with pytest.raises(stratalog.NotFound, match="there are x"):
        platform.tables.get("yy")
    with pytest.raises(KeyError, match="no table of runs"):
        platform.runs.create("m", "s").tables["y"]


OTHER = """
import sys, stratalog
platform = stratalog.Platform(sys.argv[1])
run = platform.runs.get("model", "scenario", 1)
with run.transact("other process"):
    run.tables["flows"].add({"node": ["p"], "year": [1], "value": [1.0], "note": [None],
                             "active": [True], "seen": [None]})
"""


def test_every_process_knows_it(database: Database, platform: stratalog.Platform) -> None:
    early = database.open()
    run = platform.runs.create("model", "scenario")
    run.lock("empty").commit()
    platform.tables.create("flows", columns=COLUMNS, key=["node", "year"])
    code, _, err = finish(python(OTHER, database.url))
    assert code == 0, err
    same = early.runs.get_by_id(run.id)
    assert same.tables["flows"].tabulate()["node"].tolist() == ["p"]
    same.revert_to("empty")
    assert run.tables["flows"].tabulate().empty
    assert early.verify() and "flows" in early.verify().tables
