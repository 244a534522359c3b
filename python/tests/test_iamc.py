"""Time series: adding, removing, reading. What input is refused is in test_frames.py."""

import datetime as dt
import math
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from support import Database, nothing_written, points, values

import stratalog
from stratalog import PointType

YEARLY = points(("Energy|Coal", 2020, 1.0), ("Energy|Coal", 2030, 2.0), ("Energy|Gas", 2030, 3.0))
CATEGORICAL = points(("Load", 2020, 4.0), ("Load", 2020, 5.0)).assign(
    subannual=["Winter", "Summer"]
)
DATETIME = pd.DataFrame(
    {
        "region": "World",
        "variable": "Load",
        "unit": "EJ/yr",
        "datetime": pd.to_datetime(["2020-06-01 12:00:00.0", "2020-06-01 13:00:00.000001"]),
        "value": [6.0, 7.0],
    }
)


def add(run: stratalog.Run, *frames: Any) -> None:
    with run.transact("data"):
        for frame in frames:
            run.iamc.add(frame)


def test_adding_inserts_updates_and_passes_over(run: stratalog.Run, database: Database) -> None:
    with run.transact("data"):
        assert run.iamc.add(YEARLY).inserted == 3
        before = database.last_transaction()
        same = run.iamc.add(YEARLY)
        assert (same.inserted, same.updated, same.deleted, same.total) == (0, 0, 0, 0)
        assert not same
        assert database.last_transaction() == before  # no trace
        changed = run.iamc.add(YEARLY.assign(value=[1.0, 2.5, 3.0]))
        assert (changed.inserted, changed.updated, changed.deleted) == (0, 1, 0)
        assert changed
        assert repr(changed) == "ChangeCounts(inserted=0, updated=1, deleted=0)"
    assert values(run.iamc.tabulate())["Energy|Coal", 2030] == 2.5


def test_removing_needs_only_the_keys(run: stratalog.Run, database: Database) -> None:
    add(run, YEARLY)
    with run.transact("less"):
        keys = YEARLY.drop(columns="value").iloc[1:]
        assert run.iamc.remove(keys).deleted == 2
        before = database.last_transaction()
        assert run.iamc.remove(keys).total == 0
        assert database.last_transaction() == before
    assert values(run.iamc.tabulate()) == {("Energy|Coal", 2020): 1.0}


def test_what_is_not_there_cannot_be_removed_unless_its_names_are(run: stratalog.Run) -> None:
    add(run, YEARLY)
    with run.transact("less"):
        with pytest.raises(stratalog.UnknownNames, match="Energy\\|Wind"):
            run.iamc.remove(points(("Energy|Wind", 2020, 1.0)))
        assert run.iamc.remove(points(("Energy|Gas", 2020, 1.0))).deleted == 0


def test_points_of_all_types(run: stratalog.Run) -> None:
    add(run, YEARLY, CATEGORICAL, DATETIME)
    table = run.iamc.tabulate()
    assert table.columns.tolist() == [
        "region",
        "variable",
        "unit",
        "year",
        "subannual",
        "datetime",
        "value",
    ]
    assert len(table) == 7
    assert str(table["year"].dtype) == "Int64"  # with gaps
    assert str(table["datetime"].dtype) == "datetime64[us]"
    assert table["value"].dtype == np.float64
    moments = table.dropna(subset="datetime")
    assert moments["datetime"].tolist() == DATETIME["datetime"].tolist()
    assert moments["year"].isna().all()
    parts = table.dropna(subset="subannual")
    assert dict(zip(parts["subannual"], parts["value"], strict=True)) == {"Winter": 4, "Summer": 5}
    # What comes out goes in again and changes nothing.
    with run.transact("again"):
        assert run.iamc.add(table).total == 0
        assert run.iamc.add(run.iamc.arrow()).total == 0


@pytest.mark.parametrize(
    ("type", "frame", "others"),
    [
        ("yearly", YEARLY, [CATEGORICAL, DATETIME]),
        ("annual", YEARLY, [CATEGORICAL, DATETIME]),
        (PointType.YEARLY, YEARLY, [CATEGORICAL]),
        (PointType.ANNUAL, YEARLY, [DATETIME]),
        ("categorical", CATEGORICAL, [YEARLY, DATETIME]),
        (PointType.CATEGORICAL, CATEGORICAL, [YEARLY]),
        ("datetime", DATETIME, [YEARLY, CATEGORICAL]),
        (PointType.DATETIME, DATETIME, [CATEGORICAL]),
    ],
)
def test_a_type_is_a_promise(
    run: stratalog.Run,
    database: Database,
    type: Any,
    frame: pd.DataFrame,
    others: list[pd.DataFrame],
) -> None:
    with run.transact("data"):
        assert run.iamc.add(frame, type=type).inserted == len(frame)
        assert run.iamc.remove(frame, type=type).deleted == len(frame)
        for other in others:
            with (
                nothing_written(database, run),
                pytest.raises(stratalog.InvalidFrame, match="rows 0, 1"),
            ):
                run.iamc.add(other, type=type)
        with pytest.raises(stratalog.InvalidFilter, match="yearly"):
            run.iamc.add(frame, type="hourly")  # type: ignore[arg-type]


def test_the_result_is_plain_pandas(run: stratalog.Run) -> None:
    empty = run.iamc.tabulate()
    assert empty.columns.tolist() == ["region", "variable", "unit", "year", "value"]
    assert empty.empty
    add(run, YEARLY)
    table = run.iamc.tabulate()
    assert table.dtypes.equals(empty.dtypes)
    assert table["year"].dtype == np.int64
    assert table["value"].dtype == np.float64
    assert isinstance(table.index, pd.RangeIndex)
    for name in ("region", "variable", "unit"):
        assert table[name].dtype == pd.Series(["x"]).dtype  # plain text, not categories
    pd.testing.assert_frame_equal(table, YEARLY)


def test_the_result_as_arrow(run: stratalog.Run) -> None:
    add(run, YEARLY)
    table = run.iamc.arrow(region="World")
    assert isinstance(table, pa.Table)
    assert table.column_names == ["region", "variable", "unit", "year", "value"]
    assert pa.types.is_dictionary(table.schema.field("variable").type)
    assert table.column("value").to_pylist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, 5),
        ({"region": "World"}, 3),
        ({"region": ["World", "Africa"]}, 5),
        ({"region": {"Africa"}}, 2),
        ({"region": "W*"}, 3),
        ({"region": []}, 0),
        ({"region": "Nowhere"}, 0),
        ({"variable": "Energy|*"}, 5),
        ({"variable": "*Gas"}, 2),
        ({"variable": ["*Gas", "*Coal"]}, 5),
        ({"variable": "Energy"}, 0),
        ({"variable": "E*|C*l", "region": "World"}, 2),
        ({"variable": "Energy_Coal"}, 0),
        ({"variable": "energy|*"}, 0),
        ({"unit": "EJ/yr"}, 5),
        ({"year": 2030}, 3),
        ({"year": [2020, 2030]}, 5),
        ({"year": range(2021, 2040)}, 3),
        ({"year": np.int64(2020)}, 2),
        ({"year": np.array([2020])}, 2),
        ({"year": pd.Series([2030])}, 3),
        ({"year": []}, 0),
        ({"region": None, "year": None}, 5),
        ({"region": "World", "variable": "*Coal", "unit": "EJ/yr", "year": 2020}, 1),
    ],
)
def test_filters(
    platform: stratalog.Platform, run: stratalog.Run, filters: dict[str, Any], expected: int
) -> None:
    platform.regions.create("Africa")
    add(run, YEARLY, YEARLY.iloc[[0, 2]].assign(region="Africa"))
    table = run.iamc.tabulate(**filters)
    assert len(table) == expected
    assert table.dtypes.equals(YEARLY.dtypes)
    assert run.iamc.arrow(**filters).num_rows == expected
    assert len(run.checkpoints["data"].iamc.tabulate(**filters)) == expected
    assert run.checkpoints["data"].iamc.arrow(**filters).num_rows == expected


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"regions": "World"}, '"regions".*by region, variable, unit, year, subannual'),
        ({"region": 5}, "region=5"),
        ({"region": ["World", None]}, "region=None"),
        ({"unit": b"EJ/yr"}, "unit="),
        ({"year": "2020"}, 'year="2020"'),
        ({"year": 2020.5}, "year=2020.5"),
        ({"year": [2020, "x"]}, 'year="x"'),
        ({"year": True}, "year=true"),
        ({"year": 2**70}, "year="),
    ],
)
def test_what_is_no_filter_is_refused(
    run: stratalog.Run, filters: dict[str, Any], message: str
) -> None:
    with run.transact("data"):
        checkpoint = run.checkpoints.create("now")
        for read in (
            run.iamc.tabulate,
            run.iamc.arrow,
            checkpoint.iamc.tabulate,
            checkpoint.iamc.arrow,
        ):
            with pytest.raises(stratalog.InvalidFilter, match=message):
                read(**filters)


def test_years_leave_datetimes_out(run: stratalog.Run) -> None:
    add(run, YEARLY, CATEGORICAL, DATETIME)
    table = run.iamc.tabulate(year=2020)
    assert sorted(table["value"]) == [1.0, 4.0, 5.0]
    assert "datetime" not in table.columns


def test_values_come_back_bit_for_bit(run: stratalog.Run) -> None:
    wanted = [0.0, -0.0, 5e-324, 1.7976931348623157e308, 0.1, -1 / 3, 2.0**53 + 2]
    add(run, points(*((str(n), 2020, value) for n, value in enumerate(wanted))))
    found = values(run.iamc.tabulate())
    for n, value in enumerate(wanted):
        same = found[str(n), 2020]
        assert same == value and math.copysign(1, same) == math.copysign(1, value)
    with run.transact("signs"):
        assert run.iamc.add(points(("0", 2020, -0.0), ("1", 2020, 0.0))).updated == 2


def test_years_and_times_at_the_edges(run: stratalog.Run) -> None:
    years = points(*(("a", year, 1.0) for year in (-10_000, 0, 1, 9999, 2**53)))
    times = DATETIME.assign(
        datetime=np.array(["0001-01-01", "9999-12-31T23:59:59.999999"], "datetime64[us]")
    )
    add(run, years, times)
    table = run.iamc.tabulate()
    assert sorted(table["year"].dropna()) == [-10_000, 0, 1, 9999, 2**53]
    assert table["datetime"].dropna().tolist() == times["datetime"].tolist()


def test_names_of_any_kind(platform: stratalog.Platform, run: stratalog.Run) -> None:
    platform.regions.create("Côte d'Ivoire 🌍")
    platform.units.create("")
    names = ['a"b', "a'b", "a\\b", "a\nb", "%", "ß", "日本"]
    frame = pd.concat(
        [points((name, 2020, 1.0), region="Côte d'Ivoire 🌍", unit="") for name in names]
    )
    add(run, frame)
    table = run.iamc.tabulate(region="Côte*", unit="")
    assert sorted(table["variable"]) == sorted(names)


def test_what_changed(run: stratalog.Run) -> None:
    add(run, YEARLY)
    first = run.checkpoints["data"]
    with run.transact("edit"):
        run.iamc.add(points(("Energy|Coal", 2020, 1.5), ("Energy|Oil", 2020, 9.0)))
        run.iamc.remove(YEARLY.iloc[[2]])
    changes = run.iamc.difference(first)
    assert changes.columns.tolist() == [
        "operation",
        "region",
        "variable",
        "unit",
        "year",
        "value_before",
        "value_after",
    ]
    rows = {row["variable"]: row for _, row in changes.iterrows()}
    assert rows["Energy|Coal"]["operation"] == "update"
    assert (rows["Energy|Coal"]["value_before"], rows["Energy|Coal"]["value_after"]) == (1.0, 1.5)
    assert rows["Energy|Oil"]["operation"] == "insert"
    assert math.isnan(rows["Energy|Oil"]["value_before"])
    assert rows["Energy|Gas"]["operation"] == "delete"
    assert math.isnan(rows["Energy|Gas"]["value_after"])
    summary = run.diff("data", "edit").counts()
    assert summary.values.tolist() == [["datapoints", 1, 1, 1]]
    assert summary.columns.tolist() == ["table", "inserted", "updated", "deleted"]
    # Backwards, and against itself.
    assert run.diff("edit", "data").counts().values.tolist() == [["datapoints", 1, 1, 1]]
    back = run.iamc.difference("edit", "data").set_index("variable")["operation"].to_dict()
    assert back == {"Energy|Coal": "update", "Energy|Oil": "delete", "Energy|Gas": "insert"}
    nothing = run.iamc.difference("edit")
    assert nothing.empty
    assert nothing.dtypes.equals(changes.dtypes)
    assert not run.diff("edit") and run.diff("edit").counts().empty
    assert run.diff(0, first.transaction_id).counts().values.tolist() == [["datapoints", 3, 0, 0]]
    with pytest.raises(stratalog.CheckpointNotFound, match='"data"'):
        run.diff("date")
    with pytest.raises(stratalog.TransactionNotFound):
        run.iamc.difference(1)


def test_adding_makes_what_is_missing_if_told_so(
    platform: stratalog.Platform, run: stratalog.Run, database: Database
) -> None:
    frame = YEARLY.assign(region=["World", "Africa", "Asia"], unit=["EJ/yr", "GW", "GW"])
    with run.transact("data"):
        with nothing_written(database, run), pytest.raises(stratalog.UnknownNames) as raised:
            run.iamc.add(frame)
        for name in ("Africa", "Asia", "GW", "platform.regions.create", "platform.units.create"):
            assert name in str(raised.value)
        assert run.iamc.add(frame, create_missing=True).inserted == 3
    assert [region.name for region in platform.regions.list()] == ["Africa", "Asia", "World"]


def test_progress_is_shown_when_asked_for(
    run: stratalog.Run, capfd: pytest.CaptureFixture[str]
) -> None:
    with run.transact("data"):
        run.iamc.add(YEARLY)
        assert capfd.readouterr().err == ""
        run.iamc.add(YEARLY, progress=True)
    assert "3 rows" in capfd.readouterr().err


def test_the_columns_of_the_run_may_be_there(run: stratalog.Run, database: Database) -> None:
    frame = YEARLY.assign(model="model", scenario="scenario", version=1)
    with run.transact("data"):
        assert run.iamc.add(frame).inserted == 3
        for column, value in (("model", "another"), ("scenario", "another"), ("version", 2)):
            other = frame.assign(**{column: [frame[column][0], value, value]})
            with (
                nothing_written(database, run),
                pytest.raises(
                    stratalog.InvalidFrame, match=f'"{column}" names another run.*rows 1, 2'
                ),
            ):
                run.iamc.add(other)


def test_a_hundred_thousand_points(run: stratalog.Run) -> None:
    frame = pd.DataFrame(
        {
            "region": "World",
            "variable": [f"v{n // 100}" for n in range(100_000)],
            "unit": "EJ/yr",
            "year": [1950 + n % 100 for n in range(100_000)],
            "value": np.arange(100_000) * 0.5,
        }
    )
    with run.transact("data"):
        assert run.iamc.add(frame).inserted == 100_000
        run.checkpoints.create("all")
        assert run.iamc.add(frame.iloc[:100].assign(value=-1.0)).updated == 100
    assert run.revert_to("all").updated == 100
    assert run.iamc.tabulate()["value"].sum() == frame["value"].sum()


def test_a_datetime_is_utc_whatever_its_zone(run: stratalog.Run) -> None:
    zone = dt.timezone(dt.timedelta(hours=2))
    aware = DATETIME.assign(
        datetime=pd.to_datetime(["2020-06-01 12:00", "2020-06-01 13:00"]).tz_localize(zone)
    )
    add(run, aware)
    assert run.iamc.tabulate()["datetime"].dt.hour.tolist() == [10, 11]
