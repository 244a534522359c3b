"""pyam, the client that most people have, unmodified: writing, reading, filters."""

import datetime as dt
from typing import Any

import pandas as pd


def _frame(name: str) -> Any:
    import pyam

    columns = ["model", "scenario", "region", "variable", "unit"]
    key = ["model", "scenario", "World"]
    if name == "annual":
        rows = [
            [*key, "Primary Energy", "EJ/yr", 1.0, 6.0],
            [*key, "Primary Energy|Coal", "EJ/yr", 0.5, 3.0],
            ["model", "other", "World", "Primary Energy", "EJ/yr", 2.0, 7.0],
        ]
        frame = pyam.IamDataFrame(pd.DataFrame(rows, columns=[*columns, 2005, 2010]))
        frame.set_meta([1, 2], "number")
        frame.set_meta(["foo", None], "text")
        frame.set_meta([True, False], "flag")
        frame.set_meta([0.5, float("nan")], "float")
        return frame
    if name == "subannual":
        rows = [
            [*key, "Load", "EJ/yr", 2005, part, value]
            for part, value in (("summer", 1.0), ("winter", 2.0))
        ]
        return pyam.IamDataFrame(
            pd.DataFrame(rows, columns=[*columns, "year", "subannual", "value"])
        )
    moments: list[Any] = [dt.datetime(2005, 6, 17), dt.datetime(2010, 7, 21, 12)]
    if name == "mixed":
        moments[0] = 2005
    rows = [
        [*key, "Price", "EJ/yr", moment, value]
        for moment, value in zip(moments, (1.0, 2.0), strict=True)
    ]
    return pyam.IamDataFrame(pd.DataFrame(rows, columns=[*columns, "time", "value"]))


def _prepare(platform: Any) -> None:
    platform.regions.create("World", "common")
    platform.units.create("EJ/yr")


def _round_trip(name: str, platform: Any, see: Any) -> None:
    import pyam
    from pyam.ixmp4 import read_run

    _prepare(platform)
    written = _frame(name)
    see(lambda: written.to_ixmp4(platform))
    read = pyam.read_ixmp4(platform)
    see(lambda: read.data)
    see(lambda: read.meta.reset_index())
    expected = written.copy()
    expected.set_meta(1, "version")
    see(lambda: pyam.testing.assert_iamframe_equal(expected, read))
    run = platform.runs.get("model", "scenario")
    see(lambda: read_run(run).data)
    see(lambda: read_run(run).meta.reset_index())
    see(lambda: run.checkpoints.tabulate()["message"].tolist())


def annual(platform: Any, see: Any) -> None:
    _round_trip("annual", platform, see)


def subannual(platform: Any, see: Any) -> None:
    _round_trip("subannual", platform, see)


def moments(platform: Any, see: Any) -> None:
    _round_trip("moments", platform, see)


def mixed(platform: Any, see: Any) -> None:
    _round_trip("mixed", platform, see)


def filtered(platform: Any, see: Any) -> None:
    import pyam
    from pyam.ixmp4 import read_run

    _prepare(platform)
    frame = _frame("annual")
    frame.to_ixmp4(platform, "once")
    frame.to_ixmp4(platform, "twice")
    for filters in (
        {},
        {"model": "model"},
        {"model": ["model", "nothing"]},
        {"scenario": "o*"},
        {"region": "World"},
        {"variable": "Primary Energy|*"},
        {"variable": ["Primary Energy"]},
        {"unit": "EJ/yr"},
        {"year": 2005},
        {"variable": "nothing"},
    ):
        for default_only in (True, False):
            given = {**filters, "default_only": default_only}
            see(lambda given=given: pyam.read_ixmp4(platform, **given).data, label=str(given))
            see(
                lambda given=given: pyam.read_ixmp4(platform, **given).meta.reset_index(),
                label=str(given),
            )
    see(lambda: pyam.read_ixmp4(platform, year=[2005, 2010]).data, differs="more filters")
    run = platform.runs.get("model", "scenario")
    see(lambda: read_run(run, variable="*Coal", year=2010).data)


def refused(platform: Any, see: Any) -> None:
    frame = _frame("annual")
    see(lambda: frame.to_ixmp4(platform))
    platform.regions.create("World", "common")
    see(lambda: frame.to_ixmp4(platform))
    see(lambda: platform.runs.list(default_only=False))
