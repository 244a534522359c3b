"""Runs the scripts on one side, ixmp4 or the swap, and writes down what every step came to.

    python transcript.py ixmp4|swap FOLDER OUT.json [SCRIPT...]
    python transcript.py ixmp4|swap postgresql://… OUT.json [SCRIPT...]

Each script works on a fresh database. Ids are written as their ranks, times and users as such,
because they cannot be the same on both sides.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib
import inspect
import itertools
import json
import linecache
import os
import re
import shutil
import sys
import traceback
import types
import warnings
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
SCRIPTS = sorted(path.stem for path in (HERE / "scripts").glob("*.py"))

#: Of toolkit's exceptions those that ixmp4 shows as its own.
SHOWN = {"ServiceException", "ProgrammingError", "InvalidFilter"}


class See:
    """Runs steps and writes down their outcomes: ``see(lambda: platform.runs.list())``.

    Args of a step:
        differs: the name of the difference (of ``differences.py``) that this step shows: on both
            engines, or ``{"sqlite": name}`` on one.
        order: whether the order of rows and lists is compared, and with it the ids.
        label: what tells the step from others of the same source.
    """

    def __init__(self, engine: str, recover: Callable[[], object]) -> None:
        self.engine = engine
        self.recover = recover
        self.steps: list[dict[str, Any]] = []
        self._ids: dict[str, dict[str, int]] = {}

    def __call__(
        self,
        step: Callable[[], object],
        *,
        differs: str | dict[str, str] | None = None,
        order: bool = True,
        label: str = "",
    ) -> Any:
        """Gives what the step gave; ``None`` if it failed."""
        if isinstance(differs, dict):
            differs = differs.get(self.engine)
        entry: dict[str, Any] = {"step": f"{_source(step)} {label}".strip(), "differs": differs}
        self.steps.append(entry)
        result = None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                result = step()
                entry["outcome"] = self._describe(result, order)
        except Exception as error:
            entry["outcome"] = _error(error)
            entry["message"] = str(error)
            self.recover()
        return result

    def _describe(self, value: Any, order: bool) -> Any:
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, pd.DataFrame):
            return {"frame": self._frame(value, order)}
        if isinstance(value, Enum):
            return {"enum": str(value)}
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float):
            return {"float": repr(value)}
        if isinstance(value, dt.datetime):
            return {"time": str(value.tzinfo)}
        if isinstance(value, list | tuple):
            described = [self._describe(item, order) for item in value]
            return described if order else sorted(described, key=repr)
        if isinstance(value, dict):
            return {"dict": {str(k): self._describe(v, order) for k, v in value.items()}}
        if type(value).__module__.split(".")[0] in ("ixmp4", "stratalog"):
            # ixmp4 has forgotten to say how some are shown.
            shown = str(value) if "object at 0x" in repr(value) else repr(value)
            return [
                type(value).__name__,
                *(self._text(value, text, order) for text in (str(value), shown)),
            ]
        return {"other": type(value).__name__}

    def _text(self, value: object, text: str, order: bool) -> str:
        """With ids renumbered by their first appearance among their kind, if they are looked at."""

        def renumber(match: re.Match[str]) -> str:
            if not order:
                return f"{match[1]}=?"
            numbers = self._ids.setdefault(f"{type(value).__name__}.{match[1]}", {})
            return f"{match[1]}={numbers.setdefault(match[2], len(numbers) + 1)}"

        return re.sub(r"(?<![a-z_])(id|[a-z_]+__id)=(\d+)", renumber, text)

    def _frame(self, frame: pd.DataFrame, order: bool) -> dict[str, Any]:
        columns = {}
        for name in frame.columns:
            values = list(frame[name])
            if name == "id" or name.endswith("__id") or name == "lock_transaction":
                # Their order is that of the rows.
                ranks = {
                    value: n * order
                    for n, value in enumerate(sorted({v for v in values if pd.notna(v)}), 1)
                }
                columns[name] = [
                    ranks.get(value) if pd.notna(value) else _cell(value) for value in values
                ]
            elif name.endswith("_at"):
                columns[name] = ["time" if pd.notna(value) else _cell(value) for value in values]
            elif name == "time":
                # Years beside moments are floats there, for no reason.
                columns[name] = [
                    _cell(int(v) if isinstance(v, float) and v.is_integer() else v) for v in values
                ]
            elif name.endswith("_by"):
                columns[name] = ["user" if pd.notna(value) else _cell(value) for value in values]
            else:
                columns[name] = [_cell(value) for value in values]
        rows = [list(row) for row in zip(*columns.values(), strict=True)]
        described: dict[str, Any] = {
            "columns": [str(name) for name in frame.columns],
            "dtypes": [str(dtype) for dtype in frame.dtypes],
            "rows": rows if order else sorted(rows, key=repr),
        }
        if order:
            described["index"] = [str(label) for label in frame.index]
        return described


def _cell(value: Any) -> Any:
    """With its type where a column may hold several; one kind of missing value is like another."""
    if isinstance(value, dict):
        return {str(key): _cell(held) for key, held in value.items()}
    if isinstance(value, list):
        return [_cell(held) for held in value]
    if pd.isna(value):
        return None
    if isinstance(value, bool | np.bool_):
        return f"bool {value}"
    if isinstance(value, int | np.integer):
        return f"int {value}"
    if isinstance(value, float | np.floating):
        return f"float {float(value)!r}"
    if isinstance(value, pd.Timestamp | dt.datetime):
        return f"time {pd.Timestamp(value).isoformat()}"
    return str(value)


def _error(error: Exception) -> dict[str, Any]:
    """Its class and those of its bases that a client can name."""
    mro = [
        kind.__name__
        for kind in type(error).__mro__
        if kind.__module__.startswith(("ixmp4", "stratalog")) or kind.__name__ in SHOWN
    ]
    return {"error": type(error).__name__, "mro": mro}


def _source(step: Callable[[], object]) -> str:
    """A lambda's own source; the name of a function."""
    code = step.__code__
    if code.co_name != "<lambda>":
        return code.co_name
    # The first instruction stands for the whole line, with no width.
    positions = [p for p in code.co_positions() if None not in p and (p[0], p[2]) != (p[1], p[3])]
    first = min((line, column) for line, _, column, _ in positions)
    last = max((line, column) for _, line, _, column in positions)
    lines = [linecache.getline(code.co_filename, n) for n in range(first[0], last[0] + 1)]
    lines[-1] = lines[-1][: last[1]]
    lines[0] = lines[0][first[1] :]
    return " ".join(" ".join(lines).split())


class Databases:
    """Fresh databases, copied from one that was set up once."""

    def __init__(self, where: str, side: str) -> None:
        self.where, self.side = where, side
        self.engine = "postgres" if where.startswith("postgresql") else "sqlite"
        self.number = itertools.count(1)
        # Somebody else may be testing on the same server.
        self.template = f"differential_{side}_{os.getpid()}"

    @contextlib.contextmanager
    def set_up(self, set_up: Callable[[str], None]) -> Iterator[None]:
        """Makes the one that is copied; it is there as long as this block."""
        if self.engine == "sqlite":
            set_up(f"sqlite:///{self.where}/{self.template}.db")
            yield
            return
        with self._made(self.template):
            set_up(self._url(self.template))
            # Whoever is still connected keeps it from being copied.
            self._sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                f"WHERE datname = '{self.template}'"
            )
            yield

    @contextlib.contextmanager
    def fresh(self) -> Iterator[str]:
        """The DSN of an empty one."""
        name = f"{self.template}_{next(self.number)}"
        if self.engine == "sqlite":
            path = f"{self.where}/{name}.db"
            shutil.copy(f"{self.where}/{self.template}.db", path)
            yield f"sqlite:///{path}"
            return
        with self._made(f"{name} TEMPLATE {self.template}"):
            yield self._url(name)

    @contextlib.contextmanager
    def _made(self, how: str) -> Iterator[None]:
        self._sql(f"CREATE DATABASE {how}")
        try:
            yield
        finally:
            self._sql(f"DROP DATABASE {how.split()[0]} WITH (FORCE)")

    def _url(self, name: str) -> str:
        return urlsplit(self.where)._replace(path=f"/{name}").geturl()

    def _sql(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self.where, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]


def start(side: str) -> types.ModuleType:
    """The module ``ixmp4`` of that side."""
    if side == "swap":
        import stratalog.ixmp4

        stratalog.ixmp4.install()
    return importlib.import_module("ixmp4")


def main(side: str, where: str, out: str, *only: str) -> None:
    ixmp4 = start(side)
    from ixmp4.db import get_alembic_controller
    from ixmp4.transport import DirectTransport

    def set_up(dsn: str) -> None:
        if dsn.startswith("postgresql"):
            dsn = DirectTransport.check_dsn(dsn)
        get_alembic_controller(dsn).upgrade_database("head")

    databases = Databases(where, side)
    transcripts = {}
    sys.path.insert(0, str(HERE))
    with databases.set_up(set_up):
        for name in only or SCRIPTS:
            script = importlib.import_module(f"scripts.{name}")
            for function_name, function in inspect.getmembers(script, inspect.isfunction):
                if function.__module__ != script.__name__ or function_name.startswith("_"):
                    continue
                with databases.fresh() as dsn:
                    transport = DirectTransport.from_dsn(dsn)
                    # On PostgreSQL ixmp4's session is of no use after a refusal.
                    recover = transport.session.rollback if side == "ixmp4" else int
                    see = See(databases.engine, recover)
                    run(function, see, ixmp4=ixmp4, platform=ixmp4.Platform(transport), dsn=dsn)
                    transport.close()
                transcripts[f"{name}.{function_name}"] = see.steps
    Path(out).write_text(json.dumps(transcripts, indent=1))


def run(function: Callable[..., None], see: See, **given: Any) -> None:
    """Runs a script, which takes what it needs of what is given."""
    wanted = inspect.signature(function).parameters
    try:
        function(**{key: value for key, value in {"see": see, **given}.items() if key in wanted})
    except Exception:
        # What is not a step must work: say where it did not.
        see.steps.append({"step": "(script)", "differs": None, "outcome": traceback.format_exc()})


if __name__ == "__main__":
    main(*sys.argv[1:])
