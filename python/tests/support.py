"""What the tests share: databases, tables, and the proof that nothing was written."""

from __future__ import annotations

import contextlib
import os
import sqlite3
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


class Database:
    """An empty, migrated database of its own."""

    def __init__(self, engine: str, folder: Path) -> None:
        self.engine = engine
        self.schema = ""
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

    @contextlib.contextmanager
    def plain(self) -> Iterator[Any]:
        """A connection that knows nothing of stratalog."""
        connection: Any
        if self.engine == "sqlite":
            connection = sqlite3.connect(self.url, isolation_level=None)
        else:
            connection = psycopg.connect(self.url, autocommit=True)
        try:
            yield connection
        finally:
            connection.close()

    def value(self, sql: str) -> Any:
        """The one value that a query yields."""
        with self.plain() as connection:
            return connection.execute(sql).fetchone()[0]

    def transactions(self) -> int:
        return int(self.value("SELECT count(*) FROM transactions"))

    def drop(self) -> None:
        if self.schema:
            with psycopg.connect(self.server, autocommit=True) as connection:
                connection.execute("SET client_min_messages = warning")
                connection.execute(f"DROP SCHEMA {self.schema} CASCADE")  # type: ignore[arg-type]


@contextlib.contextmanager
def nothing_written(database: Database, run: stratalog.Run) -> Iterator[None]:
    """Fails if the block changes points, names or the log in any way."""

    def everything() -> list[Any]:
        platform = database.open()
        return [
            run.iamc.tabulate().to_dict("list"),
            *(
                names.tabulate().to_dict("list")
                for names in (platform.regions, platform.units, platform.variables)
            ),
            database.transactions(),
            len(run.checkpoints),
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
