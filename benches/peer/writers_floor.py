"""How fast PostgreSQL alone writes points with their version rows, by one process and by several at once.

The tables have the columns and indexes of the library's, and nothing else: no triggers, no names, no locks. Nothing is
sent to the server but the statements; it makes the points itself.
"""

import sys

import psycopg
import work
from writers import measure

TABLES = """
CREATE TABLE floor_points (
  run_id bigint, region_id bigint, variable_id bigint, unit_id bigint, point_type smallint, step bigint,
  category text COLLATE "C", value double precision NOT NULL,
  PRIMARY KEY (run_id, region_id, variable_id, unit_id, point_type, step, category));
CREATE TABLE floor_points_version (
  LIKE floor_points, transaction_id bigint, end_transaction_id bigint, operation_type smallint NOT NULL,
  PRIMARY KEY (run_id, region_id, variable_id, unit_id, point_type, step, category, transaction_id));
CREATE INDEX ON floor_points_version (run_id, transaction_id);
CREATE SEQUENCE floor_runs;
"""

POINTS = """
INSERT INTO floor_points SELECT %(run)s, region, variable, 1, 0, step, '', region + variable + step + 0.5
  FROM generate_series(1, %(regions)s) region, generate_series(1, %(variables)s) variable,
    generate_series(1, %(steps)s) step
"""

VERSIONS = """
INSERT INTO floor_points_version SELECT p.*, %(run)s, NULL, 0 FROM floor_points p WHERE run_id = %(run)s
"""


def write(url: str, name: str, rows: int, ready: object, begin: object) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute("SELECT nextval('floor_runs')").fetchone()
        sizes = {
            "run": found[0],  # type: ignore[index]
            "regions": work.REGIONS,
            "variables": work.VARIABLES,
            "steps": rows // (work.REGIONS * work.VARIABLES),
        }
        ready.release()  # type: ignore[attr-defined]
        begin.wait()  # type: ignore[attr-defined]
        with connection.transaction():
            connection.execute(POINTS, sizes)
            connection.execute(VERSIONS, sizes)


def main(url: str, rows: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(TABLES)
    for writers in (1, 8):
        measure(url, writers, rows, write)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
