"""How long the engine alone takes for small work beside many points: each change with its version rows, in one commit.

The tables have the columns and indexes of the library's, and nothing else: no triggers, no names, no locks (which the
library commits before and after each block).
"""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Protocol

import psycopg
import work

COLUMNS = """
  run_id {integer} NOT NULL, region_id {integer} NOT NULL, variable_id {integer} NOT NULL, unit_id {integer} NOT NULL,
  point_type {small} NOT NULL, step {integer} NOT NULL, category {text} NOT NULL, value {float} NOT NULL"""
KEY = "run_id, region_id, variable_id, unit_id, point_type, step, category"
TABLES = (
    f"CREATE TABLE small_points ({COLUMNS}, PRIMARY KEY ({KEY})){{options}}",
    f"""CREATE TABLE small_versions ({COLUMNS}, transaction_id {{integer}} NOT NULL, end_transaction_id {{integer}},
      operation_type {{small}} NOT NULL, PRIMARY KEY ({KEY}, transaction_id)){{options}}""",
    "CREATE INDEX small_versions_changes ON small_versions (run_id, transaction_id)",
    "CREATE TABLE small_checkpoints (transaction_id {integer}, message {text})",
)
NUMBERS = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {last})"
FILL = (
    f"""INSERT INTO small_points {NUMBERS}
      SELECT 1, i / ({work.VARIABLES} * {{steps}}), i / {{steps}} % {work.VARIABLES}, 1, 0, i % {{steps}}, '', i + 0.5
      FROM n""",
    "INSERT INTO small_versions SELECT p.*, 1, NULL, 0 FROM small_points p",
)
# A point is told by region, variable and step here; the rest of the key is the same for all.
THIS = """run_id = 1 AND region_id = {region} AND variable_id = {variable} AND unit_id = 1
  AND point_type = 0 AND step = {step} AND category = ''"""


# What the last transaction changed, as it was before.
BEFORE = f"""
SELECT v.region_id, v.variable_id, v.step, v.value FROM small_versions k {{by_transaction}} CROSS JOIN small_versions v
  WHERE {" AND ".join(f"v.{column} = k.{column}" for column in KEY.split(", "))} AND v.end_transaction_id = {{last}}
    AND k.run_id = 1 AND k.transaction_id = {{last}}"""
CHECKPOINT = "INSERT INTO small_checkpoints VALUES ({now}, 'few')"

Points = list[tuple[int, int, int, float]]


class Engine(Protocol):
    words: dict[str, str]

    def run(self, text: str) -> Any: ...

    def filled(self) -> None: ...

    def change(self, points: Points, now: int) -> None: ...


class Sqlite:
    words: ClassVar[dict[str, str]] = {
        "integer": "INTEGER",
        "small": "INTEGER",
        "text": "TEXT",
        "float": "ANY",
        "options": " STRICT, WITHOUT ROWID",
        "by_transaction": "INDEXED BY small_versions_changes",
    }

    def __init__(self, path: str) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        for setting in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -65536"):
            self.run(f"PRAGMA {setting}")

    def run(self, text: str) -> Any:
        return self.connection.execute(text)

    def filled(self) -> None:
        pass

    def change(self, points: Points, now: int) -> None:
        this = THIS.format(region=":r", variable=":v", step=":s")
        rows = [{"r": r, "v": v, "s": s, "value": value, "now": now} for r, v, s, value in points]
        for text in (
            f"UPDATE small_points SET value = :value WHERE {this}",
            f"UPDATE small_versions SET end_transaction_id = :now WHERE {this} AND end_transaction_id IS NULL",
            "INSERT INTO small_versions VALUES (1, :r, :v, 1, 0, :s, '', :value, :now, NULL, 1)",
        ):
            self.connection.executemany(text, rows)


class Postgres:
    words: ClassVar[dict[str, str]] = {
        "integer": "bigint",
        "small": "smallint",
        "text": 'text COLLATE "C"',
        "float": "double precision",
        "options": "",
        "by_transaction": "",
    }

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)

    def run(self, text: str) -> Any:
        return self.connection.execute(text)

    def filled(self) -> None:
        # It knows what is there, and has nothing left to tidy up.
        self.run("VACUUM ANALYZE")

    def change(self, points: Points, now: int) -> None:
        r, v, s, values = (list(column) for column in zip(*points, strict=True))
        given = {"r": r, "v": v, "s": s, "values": values, "now": now}
        rows = "unnest(%(r)s::bigint[], %(v)s::bigint[], %(s)s::bigint[], %(values)s::float8[]) c (r, v, s, value)"
        this = THIS.format(region="c.r", variable="c.v", step="c.s")
        for text in (
            f"UPDATE small_points SET value = c.value FROM {rows} WHERE {this}",
            f"""UPDATE small_versions SET end_transaction_id = %(now)s
                FROM {rows} WHERE {this} AND end_transaction_id IS NULL""",
            f"INSERT INTO small_versions SELECT 1, c.r, c.v, 1, 0, c.s, '', c.value, %(now)s, NULL, 1 FROM {rows}",
        ):
            self.connection.execute(text, given, prepare=True)


@contextmanager
def transaction(engine: Engine) -> Iterator[None]:
    engine.run("BEGIN")
    yield
    engine.run("COMMIT")


def main(url: str, rows: int) -> None:
    engine: Engine = Postgres(url) if url.startswith("postgresql") else Sqlite(url)
    steps = rows // (work.REGIONS * work.VARIABLES)
    for table in TABLES:
        engine.run(table.format(**engine.words))
    for text in FILL:
        engine.run(text.format(last=rows - 1, steps=steps))
    engine.filled()
    now = 1

    def change(numbers: range, factor: float) -> None:
        nonlocal now
        now += 1
        points = [
            (
                i // (work.VARIABLES * steps),
                i // steps % work.VARIABLES,
                i % steps,
                (i + 0.5) * factor,
            )
            for i in numbers
        ]
        with transaction(engine):
            engine.change(points, now)
            engine.run(CHECKPOINT.format(now=now))

    def revert() -> None:
        nonlocal now
        now += 1
        with transaction(engine):
            before = engine.run(BEFORE.format(last=now - 1, **engine.words)).fetchall()
            engine.change(before, now)
            engine.run(CHECKPOINT.format(now=now))

    few = range(0, rows, rows // work.FEW)
    changes, reverts = [], []
    for nth in range(7):
        changes.append(work.seconds(lambda nth=nth: change(few, 2.0 + nth)))
        reverts.append(work.seconds(revert))
    work.report("change 100", work.FEW, changes)
    work.report("revert 100", work.FEW, reverts)
    ones = [work.seconds(lambda nth=nth: change(range(1), float(nth))) for nth in range(30)]
    work.report("one row", 1, ones)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
