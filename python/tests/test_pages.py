"""The examples of the README and of the pages in docs/ do what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
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
        exec(compile(code, page, "exec"), namespace)
    assert stratalog.Platform("scenarios.db").verify().ok


def shell(path: Path, sql: str) -> subprocess.CompletedProcess[str]:
    """A plain SQLite shell: Python's own."""
    code = """
import sqlite3, sys
sqlite3.connect(sys.argv[1], isolation_level=None).executescript(sys.argv[2])
"""
    arguments = [sys.executable, "-c", code, str(path), sql]
    return subprocess.run(arguments, capture_output=True, text=True, check=False)


def test_the_sql_examples_run(tmp_path: Path) -> None:
    path = tmp_path / "scenarios.db"
    platform = stratalog.Platform(str(path))
    platform.regions.create("World")
    platform.units.create("EJ/yr")
    run = platform.runs.create("model", "scenario")
    point = {"region": "World", "variable": "Energy", "unit": "EJ/yr", "year": 2030, "value": 21.0}
    with run.transact("start"):
        run.iamc.add(pd.DataFrame([point]))
    # In a process of its own: two SQLite libraries in one process take each other's locks away.
    for sql in blocks("docs/sql.md", "sql refused"):
        assert "stratalog:outside_transaction" in shell(path, sql).stderr
    for sql in blocks("docs/sql.md", "sql"):
        done = shell(path, sql)
        assert done.returncode == 0, done.stderr
    assert run.iamc.tabulate()["value"].tolist() == [42.0]
    assert [c.message for c in run.checkpoints.list()] == ["start", "doubled by hand"]
    assert platform.locks.tabulate().empty
    assert platform.verify().ok
    run.revert_to("start")
    assert run.iamc.tabulate()["value"].tolist() == [21.0]


def test_the_commands_run(tmp_path: Path) -> None:
    script = "\n".join(["set -e", *blocks("docs/cli.md", "console")])
    path = sysconfig.get_path("scripts") + os.pathsep + os.environ["PATH"]
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "600.5" in done.stdout and "610.5" in (tmp_path / "then.csv").read_text()
