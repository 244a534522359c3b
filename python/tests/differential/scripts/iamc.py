"""Time series: adding, removing and reading them."""

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd


def _prepare(platform: Any) -> Any:
    for region in ("World", "Austria"):
        platform.regions.create(region, "common")
    for unit in ("EJ/yr", "Mt"):
        platform.units.create(unit)
    return platform.runs.create("model", "scenario")


def _frame(*rows: tuple[Any, ...], time: str = "year") -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["region", "variable", "unit", time, "value"])


ANNUAL = _frame(
    ("World", "Coal", "EJ/yr", 2030, 1.0),
    ("World", "Coal", "EJ/yr", 2020, 2.0),
    ("Austria", "Gas", "EJ/yr", 2020, 3.0),
    ("Austria", "CO2", "Mt", 2020, -1.5),
)
CATEGORICAL = pd.DataFrame(
    [
        ("World", "Coal", "EJ/yr", 2020, "summer", 1.0),
        ("World", "Coal", "EJ/yr", 2020, "winter", 2.0),
    ],
    columns=["region", "variable", "unit", "year", "subannual", "value"],
)
DATETIME = _frame(
    ("World", "Coal", "EJ/yr", dt.datetime(2020, 1, 1, 12), 1.0),
    ("World", "Coal", "EJ/yr", dt.datetime(2020, 1, 1, 13, 30), 2.0),
    time="datetime",
)


def annual(platform: Any, see: Any) -> None:
    run = _prepare(platform)
    see(lambda: run.iamc.tabulate())
    with run.transact("all"):
        see(lambda: run.iamc.add(ANNUAL))
        see(lambda: run.iamc.tabulate(), order=False)
        see(lambda: run.iamc.add(ANNUAL))
        see(lambda: run.iamc.add(ANNUAL.assign(value=[1.0, 20.0, 3.0, -1.5])))
        see(lambda: run.iamc.tabulate(), order=False)
        see(lambda: run.iamc.remove(ANNUAL.iloc[:1].drop(columns=["value"])))
        see(lambda: run.iamc.tabulate(), order=False)
        see(lambda: run.iamc.remove(ANNUAL.iloc[:1]))
        see(lambda: run.iamc.remove(ANNUAL))
        see(lambda: run.iamc.tabulate())
    for kind in ("ANNUAL", "annual"):
        with run.transact("with a type"):
            see(lambda kind=kind: run.iamc.add(ANNUAL, type=kind))
            see(lambda: run.iamc.tabulate(), order=False)
            see(lambda kind=kind: run.iamc.remove(ANNUAL, type=kind))
    with run.transact("other names"):
        see(lambda: run.iamc.add(ANNUAL.rename(columns={"year": "step_year"})))
        see(lambda: run.iamc.add(ANNUAL.astype({"value": "int64"}).assign(variable="Ints")))
        see(lambda: run.iamc.add(ANNUAL.assign(variable="Time").rename(columns={"year": "time"})))
        see(lambda: run.iamc.tabulate(), order=False)


def types(ixmp4: Any, platform: Any, see: Any) -> None:
    from ixmp4.core.iamc.datapoint import DataPoint
    from ixmp4.data.iamc.datapoint.type import Type

    run = _prepare(platform)
    see(lambda: [str(kind) for kind in Type])
    see(lambda: DataPoint.Type.ANNUAL == "ANNUAL")
    see(lambda: DataPoint.NotFound.__name__)
    with run.transact("all"):
        see(lambda: run.iamc.add(ANNUAL, type=Type.ANNUAL))
        see(lambda: run.iamc.add(CATEGORICAL, type=Type.CATEGORICAL))
        see(lambda: run.iamc.add(DATETIME, type=DataPoint.Type.DATETIME))
        see(lambda: run.iamc.add(ANNUAL, type="no such type"))
        see(lambda: run.iamc.add(ANNUAL, type=Type.DATETIME))
        see(lambda: run.iamc.add(CATEGORICAL, type=Type.ANNUAL))
        see(lambda: run.iamc.add(DATETIME, type=Type.CATEGORICAL))
    see(lambda: run.iamc.tabulate(), order=False)


def categorical(platform: Any, see: Any) -> None:
    run = _prepare(platform)
    with run.transact("all"):
        see(lambda: run.iamc.add(CATEGORICAL))
        see(lambda: run.iamc.tabulate(), order=False)
        see(lambda: run.iamc.add(CATEGORICAL.rename(columns={"subannual": "category"})))
        see(lambda: run.iamc.add(CATEGORICAL.rename(columns={"subannual": "step_category"})))
        see(lambda: run.iamc.tabulate(), order=False)
        see(lambda: run.iamc.add(ANNUAL))
        see(lambda: run.iamc.tabulate(), order=False)
        see(lambda: run.iamc.remove(CATEGORICAL.iloc[:1]))
        see(lambda: run.iamc.tabulate(), order=False)


def datetimes(platform: Any, see: Any) -> None:
    run = _prepare(platform)
    with run.transact("all"):
        see(lambda: run.iamc.add(DATETIME))
        see(lambda: run.iamc.tabulate(), order=False)
        see(lambda: run.iamc.add(DATETIME.rename(columns={"datetime": "time"})))
        see(lambda: run.iamc.add(DATETIME.rename(columns={"datetime": "step_datetime"})))
        see(
            lambda: run.iamc.add(DATETIME.assign(datetime=["2021-01-01", "2022-02-02 10:00"])),
            differs="one kind of refusal",
        )
        see(lambda: run.iamc.tabulate(), order=False)
        zoned = DATETIME.assign(datetime=DATETIME["datetime"].dt.tz_localize("Europe/Vienna"))
        see(lambda: run.iamc.add(zoned.assign(variable="Zoned")))
        see(lambda: run.iamc.tabulate(variable="Zoned"), order=False)
        see(lambda: run.iamc.remove(DATETIME.iloc[1:]))
        see(lambda: run.iamc.tabulate(), order=False)


def mixed(platform: Any, see: Any) -> None:
    run = _prepare(platform)
    with run.transact("all"):
        run.iamc.add(ANNUAL)
        run.iamc.add(DATETIME)
        see(lambda: run.iamc.tabulate(), order=False)
        run.iamc.add(CATEGORICAL)
        see(lambda: run.iamc.tabulate(), order=False)
    other = platform.runs.create("model", "other")
    both = _frame(
        ("World", "Coal", "EJ/yr", 2020, 1.0),
        ("World", "Coal", "EJ/yr", dt.datetime(2020, 1, 1), 2.0),
        time="time",
    )
    every = pd.DataFrame(
        [
            ("World", "Gas", "EJ/yr", "ANNUAL", 2020, None, None, 1.0),
            ("World", "Gas", "EJ/yr", "CATEGORICAL", 2020, "summer", None, 2.0),
            ("World", "Gas", "EJ/yr", "DATETIME", None, None, dt.datetime(2020, 1, 1), 3.0),
        ],
        columns=[
            "region",
            "variable",
            "unit",
            "type",
            "step_year",
            "step_category",
            "step_datetime",
            "value",
        ],
    )
    with other.transact("all"):
        see(lambda: other.iamc.add(both))
        see(lambda: other.iamc.tabulate(), order=False)
        see(lambda: other.iamc.add(every))
        see(lambda: other.iamc.tabulate(), order=False)
        see(lambda: other.iamc.add(every.drop(columns=["type"]).assign(variable="Wind")))
        see(lambda: other.iamc.remove(every))
        see(lambda: other.iamc.remove(both))
        see(lambda: other.iamc.tabulate(), order=False)


def refused(platform: Any, see: Any) -> None:
    run = _prepare(platform)
    with run.transact("good"):
        run.iamc.add(ANNUAL)
    with run.transact("all"):
        see(lambda: run.iamc.add(ANNUAL.assign(region="Nowhere")))
        see(lambda: run.iamc.add(ANNUAL.assign(unit="no unit")))
        see(lambda: run.iamc.remove(ANNUAL.assign(region="Nowhere")))
        see(lambda: run.iamc.remove(ANNUAL.assign(unit="no unit")))
        see(
            lambda: run.iamc.remove(ANNUAL.assign(variable="unknown")),
            differs="variables that do not exist",
        )
        see(lambda: run.iamc.add(ANNUAL.drop(columns=["value"])))
        see(lambda: run.iamc.add(ANNUAL.drop(columns=["year"])))
        see(lambda: run.iamc.add(ANNUAL.drop(columns=["unit"])), differs="one kind of refusal")
        see(lambda: run.iamc.add(ANNUAL.drop(columns=["region"])), differs="one kind of refusal")
        see(lambda: run.iamc.add(ANNUAL.assign(extra=1)))
        see(lambda: run.iamc.add(ANNUAL.assign(value=np.inf)))
        see(lambda: run.iamc.add(ANNUAL.assign(value=np.nan)))
        see(lambda: run.iamc.add(ANNUAL.assign(value="text")), differs="one kind of refusal")
        see(lambda: run.iamc.add(ANNUAL.assign(year="text")), differs="one kind of refusal")
        see(lambda: run.iamc.add(ANNUAL.assign(year=2020.5)), differs="one kind of refusal")
        see(
            lambda: run.iamc.add(
                ANNUAL.assign(year=[2020.0, 2021.0, 2022.0, 2023.0], variable="Floats")
            )
        )
        see(lambda: run.iamc.add(ANNUAL.iloc[:0]), differs="tables without rows")
        see(lambda: run.iamc.remove(ANNUAL.iloc[:0]))
        see(lambda: run.iamc.add(pd.DataFrame()), differs="one kind of refusal")
        see(lambda: run.iamc.add(ANNUAL.assign(datetime=dt.datetime(2020, 1, 1))))
    see(lambda: run.iamc.tabulate(), order=False)


def duplicates(platform: Any, see: Any) -> None:
    run = _prepare(platform)
    twice = pd.concat([ANNUAL, ANNUAL])
    unlike = pd.concat([ANNUAL, ANNUAL.assign(value=9.0)]).assign(variable="Unlike")
    with run.transact("all"):
        see(lambda: run.iamc.add(twice), differs="a point is there once")
        see(lambda: run.iamc.add(unlike), differs="a point is there once")
        see(
            lambda: run.iamc.add(CATEGORICAL.assign(subannual=None)),
            differs="a point is there once",
        )
    see(lambda: len(run.iamc.tabulate()), differs="a point is there once")


def index(platform: Any, see: Any) -> None:
    """What pandas has as an index is no column."""
    run = _prepare(platform)
    with run.transact("all"):
        see(lambda: run.iamc.add(ANNUAL.set_index("region")), differs="one kind of refusal")
        see(lambda: run.iamc.add(ANNUAL.set_index(pd.Index([7, 8, 9, 9]))))
        see(lambda: run.iamc.add(ANNUAL.astype({"region": "category", "variable": "string"})))
    see(lambda: run.iamc.tabulate(), order=False)
    before = ANNUAL.copy()
    see(lambda: before.equals(ANNUAL))


def platform_wide(platform: Any, see: Any) -> None:
    run = _prepare(platform)
    second = platform.runs.create("model", "scenario")
    see(lambda: platform.iamc.tabulate())
    with run.transact("all"):
        run.iamc.add(ANNUAL)
    with second.transact("all"):
        second.iamc.add(DATETIME)
    see(lambda: platform.iamc.tabulate())
    see(lambda: platform.iamc.tabulate(run={"default_only": False}), order=False)
    run.set_as_default()
    see(lambda: platform.iamc.tabulate(), order=False)
    see(lambda: platform.iamc.tabulate(join_runs=False), order=False)
    see(lambda: platform.iamc.tabulate(join_run_id=True), order=False)
    see(lambda: platform.iamc.tabulate(join_runs=False, join_run_id=True), order=False)
    see(lambda: platform.iamc.tabulate(raw=True), order=False)
    see(lambda: run.iamc.tabulate(raw=True), order=False)
    see(lambda: platform.iamc.variables.list(), order=False)
    see(lambda: platform.iamc.variables.tabulate(), order=False)
    see(lambda: platform.iamc.variables.tabulate(run={"default_only": False}), order=False)
    see(lambda: platform.iamc.variables.list(run=None), order=False)
