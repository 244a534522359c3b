"""Files in, from Python. What files may hold is tested in Rust."""

from pathlib import Path

import pandas as pd
import pytest
from support import Database, nothing_written, points, values

import stratalog

LONG = """\
Model,Scenario,Region,Variable,Unit,Year,Value
m,s,World,a,EJ/yr,2020,1
m,s,World,a,EJ/yr,2030,2.5
m,t,World,b,EJ/yr,2020,3
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "data.csv"
    path.write_text(text)
    return path


def test_a_file_is_read_by_run(platform: stratalog.Platform, tmp_path: Path) -> None:
    first, second = stratalog.read_file(write(tmp_path, LONG))
    assert (first.model, first.scenario, first.version, len(first)) == ("m", "s", None, 2)
    assert (second.scenario, len(second)) == ("t", 1)
    assert repr(first) == "FileRun(m / s, 2 points)"
    run = platform.runs.create("m", "s")
    with run.transact("import"):
        assert run.iamc.add(first).inserted == 2
        assert run.iamc.add(first).total == 0  # may be read again
    assert values(run.iamc.tabulate()) == {("a", 2020): 1.0, ("a", 2030): 2.5}


def test_a_workbook_is_read(run: stratalog.Run, tmp_path: Path) -> None:
    wide = points(("a", 2020, 1.0), ("a", 2030, 2.5)).pivot(
        index=["region", "variable", "unit"], columns="year", values="value"
    )
    wide.reset_index().to_excel(tmp_path / "data.xlsx", sheet_name="data", index=False)
    (only,) = stratalog.read_file(str(tmp_path / "data.xlsx"))
    assert (only.model, only.scenario, only.version) == (None, None, None)
    with run.transact("import"):
        run.iamc.add(only)
    pd.testing.assert_frame_equal(run.iamc.tabulate(), points(("a", 2020, 1.0), ("a", 2030, 2.5)))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(stratalog.FileError, match=r"nowhere\.csv"):
        stratalog.read_file(tmp_path / "nowhere.csv")
    with pytest.raises(stratalog.InvalidFrame, match="line 3"):
        stratalog.read_file(write(tmp_path, LONG.replace("2.5", "two")))


def test_points_of_another_run_are_refused(
    database: Database, platform: stratalog.Platform, tmp_path: Path
) -> None:
    file = write(tmp_path, LONG.replace("EJ/yr", "GW"))
    run = platform.runs.create("m", "s")
    with run.transact("import"), nothing_written(database, run):
        for each in stratalog.read_file(file):
            with pytest.raises(stratalog.UnknownNames, match="GW"):
                run.iamc.add(each)
