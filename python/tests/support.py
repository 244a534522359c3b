"""What the tests share: databases, tables, and the proof that nothing was written."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg

import stratalog

ENGINES = ["sqlite", "postgres"]

NO_SERVER = (
    "no PostgreSQL to test on: run the tests with `make test` or through tests/with-postgres, "
    "or set STRATALOG_TEST_POSTGRES_URL"
)


_PLAIN_SQLITE = """
import json, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    row = connection.execute(statement).fetchone()
print(json.dumps(row[0] if row else None))
"""


class Database:
    """An empty, migrated database of its own."""

    def __init__(self, engine: str, folder: Path) -> None:
        self.engine = engine
        self.schema = ""
        self.watcher: stratalog.Platform | None = None
        if engine == "sqlite":
            self.url = str(folder / "test.db")
            return
        # A missing server is a failure: a skipped test would look like one that passed.
        self.server = os.environ.get("STRATALOG_TEST_POSTGRES_URL", "")
        assert self.server, NO_SERVER
        self.schema = f"py_{uuid.uuid4().hex}"
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {self.schema}")  # type: ignore[arg-type]
        separator = "&" if "?" in self.server else "?"
        self.url = f"{self.server}{separator}options=-csearch_path%3D{self.schema}"
        stratalog.Platform.migrate(self.url)

    def open(self, actor: str | None = None) -> stratalog.Platform:
        return stratalog.Platform(self.url, actor)

    def plain(self, *statements: str) -> Any:
        """Runs SQL as somebody who knows nothing of stratalog; gives the last one's first value.

        SQLite in a process of its own: two SQLite libraries in one process, Python's and ours, take
        each other's locks away when they close the same file.
        """
        if self.engine == "sqlite":
            out = subprocess.run(
                [sys.executable, "-S", "-c", _PLAIN_SQLITE, self.url, *statements],
                check=True,
                capture_output=True,
                text=True,
            ).stdout
            return json.loads(out)
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement)  # type: ignore[arg-type]
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None

    def last_transaction(self) -> int:
        """The last transaction's id: another number afterwards means that something was written."""
        if self.watcher is None:
            self.watcher = self.open()
        return int(self.watcher.log(limit=1)["id"].sum())

    def drop(self) -> None:
        if self.schema:
            with psycopg.connect(self.server, autocommit=True) as connection:
                connection.execute("SET client_min_messages = warning")
                connection.execute(f"DROP SCHEMA {self.schema} CASCADE")  # type: ignore[arg-type]


@contextlib.contextmanager
def nothing_written(database: Database, run: stratalog.Run) -> Iterator[None]:
    """Fails if the block changes points, names or the log in any way."""

    def everything() -> list[Any]:
        last = database.last_transaction()
        assert database.watcher is not None
        names = (database.watcher.regions, database.watcher.units, database.watcher.variables)
        return [
            last,
            run.iamc.tabulate().to_dict("list"),
            len(run.checkpoints),
            *([named.name for named in kind.list()] for kind in names),
        ]

    before = everything()
    yield
    assert everything() == before


def points(*rows: tuple[Any, ...], region: str = "World", unit: str = "EJ/yr") -> pd.DataFrame:
    """Yearly points from (variable, year, value)."""
    return pd.DataFrame(
        [(region, variable, unit, year, value) for variable, year, value in rows],
        columns=["region", "variable", "unit", "year", "value"],
    )


def values(frame: pd.DataFrame) -> dict[Any, float]:
    """Values by (variable, year)."""
    return dict(
        zip(zip(frame["variable"], frame["year"], strict=True), frame["value"], strict=True)
    )


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    """A Python process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], timeout: float = 60) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    with process:
        out, err = process.communicate(timeout=timeout)
    return process.returncode, out, err
