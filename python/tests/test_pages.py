"""The examples of the README and of the pages in docs/ do what they say."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pandas as pd
import pytest
import stratalog

ROOT = Path(__file__).parents[2]


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page whose info string is exactly `language`."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no {language} blocks"
    return found


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_the_python_examples_run(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    for code in blocks(page, "python"):
        exec(compile(code, page, "exec"), namespace)  # noqa: S102
    assert stratalog.Platform("scenarios.db").verify().ok


def test_the_sql_examples_run(tmp_path: Path) -> None:
    path = tmp_path / "scenarios.db"
    platform = stratalog.Platform(str(path))
    platform.regions.create("World")
    platform.units.create("EJ/yr")
    run = platform.runs.create("model", "scenario")
    point = {"region": "World", "variable": "Energy", "unit": "EJ/yr", "year": 2030, "value": 21.0}
    with run.transact("start"):
        run.iamc.add(pd.DataFrame([point]))
    connection = sqlite3.connect(path, isolation_level=None)
    for sql in blocks("docs/sql.md", "sql refused"):
        with pytest.raises(sqlite3.Error, match="stratalog:outside_transaction"):
            connection.executescript(sql)
    for sql in blocks("docs/sql.md", "sql"):
        connection.executescript(sql)
    connection.close()
    assert run.iamc.tabulate()["value"].tolist() == [42.0]
    assert [c.message for c in run.checkpoints.list()] == ["start", "doubled by hand"]
    assert platform.locks.tabulate().empty
    assert platform.verify().ok
    run.revert_to("start")
    assert run.iamc.tabulate()["value"].tolist() == [21.0]
