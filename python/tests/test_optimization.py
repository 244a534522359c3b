"""Optimization items: the transport problem of every textbook, and what is refused."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from support import Database, nothing_written

import stratalog


@pytest.fixture
def transport(platform: stratalog.Platform) -> stratalog.Run:
    """Dantzig's transport problem, with a checkpoint "input"."""
    for unit in ("cases", "km", "USD/km"):
        platform.units.create(unit)
    run = platform.runs.create("transport problem", "standard")
    with run.transact("input"):
        items = run.optimization
        items.indexsets.create("i", ["seattle", "san-diego"])
        items.indexsets.create("j").add_data(["new-york", "chicago", "topeka"])
        items.scalars.create("f", 90, "USD/km")
        supply = items.parameters.create("a", ["i"], ["plant"])
        plants = {"plant": ["seattle", "san-diego"], "value": [350, 600], "unit": ["cases"] * 2}
        supply.add_data(plants)
        items.parameters.create("d", ["i", "j"]).add_data(distances())
        items.variables.create("x", ["i", "j"])
        items.equations.create("cost")
    return run


def distances() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "i": ["seattle"] * 3 + ["san-diego"] * 3,
            "j": ["new-york", "chicago", "topeka"] * 2,
            "value": [2.5, 1.7, 1.8, 2.5, 1.8, 1.4],
            "unit": ["km"] * 6,
        }
    )


def test_items_come_back_as_they_were_made(transport: stratalog.Run) -> None:
    items = transport.optimization
    assert items.indexsets.get("j").data == ["new-york", "chicago", "topeka"]
    assert [item.name for item in items.indexsets.list()] == ["i", "j"]
    scalar = items.scalars.get("f")
    assert (scalar.value, scalar.unit) == (90.0, "USD/km")
    listed = items.scalars.tabulate()
    assert listed.values.tolist() == [[scalar.id, "f", 90.0, "USD/km"]]
    supply = items.parameters.get("a")
    assert supply.columns == ["plant"] and supply.indexsets == ["i"]
    assert supply.tabulate().columns.tolist() == ["plant", "value", "unit"]
    frame = items.parameters.get("d").tabulate()
    pd.testing.assert_frame_equal(
        frame.astype({"i": "str", "j": "str", "unit": "str"}), distances(), check_dtype=False
    )
    assert pl.from_arrow(items.parameters.get("d").arrow()).height == 6  # type: ignore[union-attr]
    described = items.parameters.tabulate()
    assert described.columns.tolist() == ["id", "name", "columns", "indexsets"]
    assert described["id"].tolist() == [supply.id, items.parameters.get("d").id]
    assert described["columns"].tolist() == [["plant"], ["i", "j"]]
    assert repr(supply) == "<parameter 'a'>" and supply == items.parameters.get("a")
    assert items.variables.get("x").tabulate().columns.tolist() == ["i", "j", "levels", "marginals"]
    assert not items.has_solution()


def test_a_change_is_logged_and_reverted(transport: stratalog.Run) -> None:
    items = transport.optimization
    parameter = items.parameters.get("d")
    with transport.transact("solved"):
        items.scalars.get("f").value = 91
        items.scalars.get("f").unit = "km"
        assert parameter.add_data(distances().head(2).assign(value=[2.5, 9.9])).updated == 1
        items.variables.get("x").add_data(
            {"i": ["seattle"], "j": ["chicago"], "levels": [300.0], "marginals": [0.0]}
        )
        items.equations.get("cost").add_data({"levels": [153.675], "marginals": [1.0]})
    assert items.has_solution() and items.equations.get("cost").tabulate().shape == (1, 2)
    with transport.transact("less"):
        assert items.remove_solution().deleted == 2
        assert parameter.remove_data(distances()[["i", "j"]].head(1)).deleted == 1
        assert parameter.remove_data().deleted == 5
    before = transport.as_of("solved").optimization
    assert before.has_solution() and before.scalars.get("f").value == 91.0
    assert before.parameters.get("d").tabulate()["value"].tolist()[1] == 9.9
    with pytest.raises(stratalog.ReadOnlyView):
        before.indexsets.get("i").add_data("x")
    transport.revert_to("input")
    assert parameter.tabulate()["value"].tolist() == distances()["value"].tolist()
    assert items.scalars.get("f").value == 90.0
    assert "optimization_rows" in str(transport.diff("solved").summary())


def test_a_model_may_have_levels_of_its_own(run: stratalog.Run) -> None:
    with run.transact("energy system"):
        run.optimization.indexsets.create("level", ["primary", "final"])
        supply = run.optimization.variables.create("supply", ["level"])
        supply.add_data({"level": ["final"], "levels": [2.0], "marginals": [0.5]})
    assert supply.tabulate().to_dict("list") == {
        "level": ["final"],
        "levels": [2.0],
        "marginals": [0.5],
    }


def test_elements_keep_order_and_type(run: stratalog.Run) -> None:
    with run.transact("elements"):
        sets = run.optimization.indexsets
        for name, data in {"s": ["b", "a"], "n": [3, 1], "x": [2.5, 1.0]}.items():
            sets.create(name, data)
        sets.get("s").add_data("c")
        sets.get("n").add_data(np.array([2, 7]))
        sets.get("x").add_data(np.float64(0.5))
        sets.get("n").remove_data([3])
    read = {item.name: item.data for item in sets.list()}
    assert read == {"n": [1, 2, 7], "s": ["b", "a", "c"], "x": [2.5, 1.0, 0.5]}
    assert {type(element) for element in read["n"]} == {int}
    assert {type(element) for element in read["x"]} == {float} and len(sets.get("x")) == 3


def test_numbers_as_elements_come_back_as_numbers(run: stratalog.Run) -> None:
    with run.transact("table"):
        run.optimization.indexsets.create("year", range(2020, 2023))
        run.optimization.indexsets.create("share", [0.5, 0.25])
        table = run.optimization.tables.create("t", ["year", "share"])
        table.add_data({"year": [2022, 2020], "share": [0.25, 0.5]})
    frame = table.tabulate()
    assert frame.values.tolist() == [[2020, 0.5], [2022, 0.25]]
    assert frame.dtypes.astype(str).tolist() == ["int64", "float64"]
    with run.transact("fewer"):
        run.optimization.indexsets.get("share").remove_data(0.5)
    assert table.tabulate().values.tolist() == [[2022, 0.25]]


def test_what_does_not_fit_is_refused(database: Database, transport: stratalog.Run) -> None:
    items = transport.optimization
    database.watcher = database.open()
    with nothing_written(database, transport), pytest.raises(stratalog.RunLockRequired):
        items.indexsets.create("k")
    parameter = items.parameters.get("d")
    good = distances()
    refused: list[tuple[object, type[Exception], str]] = [
        (good.drop(columns="unit"), stratalog.InvalidFrame, 'missing columns "unit"'),
        (good.assign(extra=1), stratalog.InvalidFrame, 'unknown columns "extra"'),
        (good.replace({"i": {"seattle": "Seattle"}}), stratalog.InvalidFrame, '"Seattle"'),
        (pd.concat([good, good.head(1)]), stratalog.InvalidFrame, "more than once"),
        (good.assign(value=np.nan), stratalog.InvalidFrame, "NaN"),
        (good.assign(unit="kg"), stratalog.UnknownNames, '"kg"'),
    ]
    with transport.transact("bad"):
        for frame, error, message in refused:
            with pytest.raises(error, match=message):
                parameter.add_data(frame)
        with pytest.raises(stratalog.InvalidFrame):
            parameter.add_data({"i": ["seattle"], "j": ["chicago", "topeka"]})
        with pytest.raises(stratalog.AlreadyExists, match='indexset "i" exists already'):
            items.indexsets.create("i")
        with pytest.raises(stratalog.NotFound, match='did you mean "i"'):
            items.indexsets.get("I")
        with pytest.raises(stratalog.InUse, match='parameter "a", parameter "d", variable "x"'):
            items.indexsets.delete("i")
        with pytest.raises(stratalog.InvalidInput, match="True"):
            items.indexsets.get("i").add_data([True])
        with pytest.raises(stratalog.InvalidInput, match="there already"):
            items.indexsets.get("i").add_data(["new", "seattle"])
        with pytest.raises(stratalog.UnitNotFound):
            items.scalars.create("g", 1, "kg")
        with pytest.raises(stratalog.InvalidInput, match="at least one indexset"):
            items.tables.create("t")
    assert items.indexsets.get("i").data == ["seattle", "san-diego"]
    assert parameter.tabulate().shape == (6, 4)
