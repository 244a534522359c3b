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

    def open(self, actor: str | None = None, lease: float = 30.0) -> stratalog.Platform:
        return stratalog.Platform(self.url, actor, lease)

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

    def url_as(self, role: str, password: str) -> str:
        """The URL for another role of the server."""
        scheme, rest = self.url.split("://", 1)
        authority = rest.split("/", 1)[0]
        host = authority.rsplit("@", 1)[-1]
        return f"{scheme}://{role}:{password}@{host}{rest.removeprefix(authority)}"

    def drop(self, *roles: str) -> None:
        if self.schema:
            with psycopg.connect(self.server, autocommit=True) as connection:
                connection.execute("SET client_min_messages = warning")
                connection.execute(f"DROP SCHEMA {self.schema} CASCADE")  # type: ignore[arg-type]
                made = "SELECT rolname FROM pg_roles WHERE rolname = ANY (%s)"
                for (role,) in connection.execute(made, (list(roles),)).fetchall():
                    connection.execute(f"DROP OWNED BY {role}")
                    connection.execute(f"DROP ROLE {role}")


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


PREPARE = """
import os, signal, sys, time, stratalog
sys.path.insert(0, {tests!r})
from support import points
platform = stratalog.Platform(sys.argv[1])
run = platform.runs.get_by_id(int(sys.argv[2]))
"""


def start(
    code: str, database: Database, run: stratalog.Run | int, *arguments: str
) -> subprocess.Popen[str]:
    """A process that runs the code with `platform`, `run`, `points` and `sys.argv[3:]`."""
    prepare = PREPARE.format(tests=str(Path(__file__).parent))
    run_id = run if isinstance(run, int) else run.id
    return python(prepare + code, database.url, str(run_id), *arguments)


def ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line == "ready\n", (line, process.stderr and process.stderr.read())


def free(database: Database) -> bool:
    return database.open().locks.tabulate().empty


def finish(
    process: subprocess.Popen[str], timeout: float = 60, input: str | None = None
) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    with process:
        out, err = process.communicate(input, timeout=timeout)
    return process.returncode, out, err
