"""ixmp4 databases to import from, made by ixmp4 itself in .venv-peer; states of runs to compare."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd
import peer
import psycopg
from support import NO_SERVER, Database

import stratalog

PROGRAM = str(Path(sys.executable).with_name("stratalog"))

_SQL = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    connection.execute(statement)
"""


class Source:
    """An ixmp4 database, with what ixmp4 says of it."""

    def __init__(self, engine: str, folder: Path, name: str) -> None:
        self.engine = engine
        self.folder = folder
        self.expected: dict[str, Any] = {}
        if engine == "sqlite":
            self.url = str(folder / f"{name}.sqlite3")
            self.dsn = f"sqlite:///{self.url}"
            return
        self.server = os.environ.get("STRATALOG_TEST_POSTGRES_URL", "")
        assert self.server, NO_SERVER
        self.database = f"ixmp4_{uuid.uuid4().hex}"
        base, _, parameters = self.server.partition("?")
        self.url = base.rsplit("/", 1)[0] + f"/{self.database}"
        self.url += f"?{parameters}" if parameters else ""
        self.dsn = self.url.replace("postgresql://", "postgresql+psycopg://", 1)

    @classmethod
    def make(cls, engine: str, folder: Path, recipe: str, *arguments: str) -> Source:
        source = cls(engine, folder, recipe)
        source.create()
        file = folder / f"{recipe}_{engine}.json"
        script = Path(__file__).parent / "ixmp4_make.py"
        peer.run(script, recipe, source.dsn, file, *arguments)
        source.expected = json.loads(file.read_text("utf-8"))
        return source

    def create(self) -> None:
        """Makes the database, with nothing in it."""
        if self.engine == "postgres":
            self._on_server(f"CREATE DATABASE {self.database}")

    def copy(self, folder: Path) -> Source:
        """One of its own, to be changed."""
        copy = Source(self.engine, folder, "copy")
        copy.expected = self.expected
        if self.engine == "sqlite":
            shutil.copy(self.url, copy.url)
        else:
            copy._on_server(f"CREATE DATABASE {copy.database} TEMPLATE {self.database}")
        return copy

    def sql(self, *statements: str) -> None:
        """Runs SQL as somebody who knows nothing of ixmp4."""
        if self.engine == "sqlite":
            subprocess.run([sys.executable, "-S", "-c", _SQL, self.url, *statements], check=True)
            return
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[arg-type]

    def upgrade(self, revision: str) -> None:
        """Brings its schema to a revision, with ixmp4's own migrations."""
        code = (
            "import sys; from ixmp4.db import get_alembic_controller; "
            "get_alembic_controller(sys.argv[1]).upgrade_database(sys.argv[2])"
        )
        peer.run("-c", code, self.dsn, revision)

    def contents(self) -> str:
        """A hash of all that is in it."""
        if self.engine == "sqlite":
            return hashlib.sha256(Path(self.url).read_bytes()).hexdigest()
        with psycopg.connect(self.url) as connection:
            tables = connection.execute(
                "SELECT relname FROM pg_stat_user_tables ORDER BY 1"
            ).fetchall()
            hashes = []
            for (table,) in tables:
                rows = f"SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM \"{table}\" t"
                hashes.append((table, connection.execute(rows).fetchone()))  # type: ignore[arg-type]
        return repr(hashes)

    def drop(self) -> None:
        if self.engine == "postgres":
            self._on_server(f"DROP DATABASE IF EXISTS {self.database} WITH (FORCE)")

    def _on_server(self, statement: str) -> None:
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]


Sources: TypeAlias = Callable[..., Source]
Copies: TypeAlias = Callable[[Source], Source]


def points(frame: pd.DataFrame) -> list[list[Any]]:
    rows = []
    for row in frame.to_dict("records"):
        year, moment, part = row.get("year"), row.get("datetime"), row.get("subannual")
        time = moment.isoformat() if year is None or pd.isna(year) else int(year)
        part = None if part is None or pd.isna(part) else part
        rows.append([row["region"], row["variable"], row["unit"], time, part, row["value"]])
    return sorted(rows, key=repr)


def _data(item: Any, columns: list[str]) -> list[list[Any]]:
    frame = item.tabulate()
    return sorted(([row[c] for c in columns] for row in frame.to_dict("records")), key=repr)


def state(view: stratalog.Run | stratalog.RunView) -> dict[str, Any]:
    """A run's state, in the words of ixmp4_make.py."""
    items = view.optimization

    def described(item: Any, *values: str) -> list[Any]:
        own = item.columns
        columns = own if own != item.indexsets else []
        return [
            item.docs,
            item.indexsets or None,
            columns or None,
            _data(item, [*own, *values]),
        ]

    return {
        "points": points(view.iamc.tabulate()),
        "meta": {key: [type(value).__name__, value] for key, value in view.meta.items()},
        "indexsets": {item.name: [item.docs, list(item.data)] for item in items.indexsets.list()},
        "scalars": {item.name: [item.docs, item.value, item.unit] for item in items.scalars.list()},
        "tables": {item.name: described(item) for item in items.tables.list()},
        "parameters": {
            item.name: described(item, "value", "unit") for item in items.parameters.list()
        },
        "variables": {
            item.name: described(item, "levels", "marginals") for item in items.variables.list()
        },
        "equations": {
            item.name: described(item, "levels", "marginals") for item in items.equations.list()
        },
    }


def without_docs(state: dict[str, Any]) -> dict[str, Any]:
    """ixmp4 keeps no history of docs."""
    kinds = ["indexsets", "scalars", "tables", "parameters", "variables", "equations"]
    undocumented = {
        kind: {name: described[1:] for name, described in state[kind].items()} for kind in kinds
    }
    return {**state, **undocumented}


def same(left: Any, right: Any) -> None:
    """Compares exactly: 1 is not 1.0, and 0.0 is not -0.0."""
    as_text = [json.dumps(side, indent=1, sort_keys=True) for side in (left, right)]
    assert as_text[0].splitlines() == as_text[1].splitlines()


def import_ixmp4(
    database: Database, source: Source | str, *arguments: str, code: int = 0
) -> tuple[str, str]:
    """The command; gives stdout and stderr."""
    url = source if isinstance(source, str) else source.dsn
    done = subprocess.run(
        [PROGRAM, "--db", database.url, "import-ixmp4", url, *arguments],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout, done.stderr
