"""The examples of the README and of the pages in docs/ do what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import uuid
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import psycopg
import pytest
from support import Database, points

import stratalog

ROOT = Path(__file__).parents[2]


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page whose info string is exactly `language`."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no {language} blocks"
    return found


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # docs/locks.md does it
@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "docs/tutorial.md",
        "docs/locks.md",
        "docs/look-back.md",
        "docs/large-data.md",
        "docs/whole-run.md",
        "docs/filters.md",
    ],
)
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


class WithRoles:
    """A PostgreSQL database that names of its own take the place of the pages' names in."""

    def __init__(self, folder: Path) -> None:
        self.database = Database("postgres", folder)
        unique = uuid.uuid4().hex[:12]
        self.owner, self.app, self.login = f"owner_{unique}", f"app_{unique}", f"ada_{unique}"
        self.url = self.database.url_as(self.login, "secret")

    def fill_in(self, text: str) -> str:
        for name, own in (
            ("postgresql://admin@server/scenarios", f"'{self.database.url}'"),
            ("postgresql://ada:secret@server/scenarios", f"'{self.url}'"),
            ("scenarios_owner", self.owner),
            ("scenarios_app", self.app),
            ("ROLE ada", f"ROLE {self.login}"),
        ):
            text = text.replace(name, own)
        return text

    def add_login(self) -> None:
        for sql in blocks("docs/postgresql.md", "sql admin"):
            self.database.plain(self.fill_in(sql))


@pytest.fixture
def roles(tmp_path: Path) -> Iterator[WithRoles]:
    roles = WithRoles(tmp_path)
    yield roles
    roles.database.drop(roles.login, roles.app, roles.owner)


# PostgreSQL only: the same, with what the page says of it, for a member of the app role.
def test_the_sql_examples_run_on_postgresql(roles: WithRoles) -> None:
    assert stratalog.Platform.migrate(roles.database.url, roles.owner, roles.app) == []
    roles.add_login()
    platform = stratalog.Platform(roles.url)
    platform.regions.create("World")
    platform.units.create("EJ/yr")
    run = platform.runs.create("model", "scenario")
    with run.transact("start"):
        run.iamc.add(points(("Energy", 2030, 21.0)))
    (begin,) = blocks("docs/sql.md", "sql postgres")
    with psycopg.connect(roles.url, autocommit=True) as connection:
        for sql in blocks("docs/sql.md", "sql refused"):
            with pytest.raises(psycopg.Error, match="stratalog:outside_transaction"):
                connection.execute(sql)  # type: ignore[arg-type]
        for sql in blocks("docs/sql.md", "sql"):
            lines = [line for line in sql.splitlines() if "SQLite only" not in line]
            sql = "\n".join(lines).replace("BEGIN IMMEDIATE", "BEGIN")
            sql = re.sub(r"INSERT INTO transactions .*?;", lambda _: begin, sql, flags=re.DOTALL)
            connection.execute(sql)  # type: ignore[arg-type]
    assert run.iamc.tabulate()["value"].tolist() == [42.0]
    assert [c.message for c in run.checkpoints.list()] == ["start", "doubled by hand"]
    assert platform.log(run)["operation"].tolist()[0] == "doubled by hand"
    assert platform.locks.tabulate().empty
    assert platform.verify().ok and platform.doctor().ok
    run.revert_to("start")
    assert run.iamc.tabulate()["value"].tolist() == [21.0]


def test_the_roles_are_set_up_as_the_page_says(roles: WithRoles, tmp_path: Path) -> None:
    path = sysconfig.get_path("scripts") + os.pathsep + os.environ["PATH"]
    migrate, doctor = blocks("docs/postgresql.md", "console")
    for command in (migrate, doctor):
        done = subprocess.run(
            ["bash", "-c", roles.fill_in(command)],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        if command == migrate:
            roles.add_login()
    assert f"{roles.login} can write data and cannot change history" in done.stdout


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
