"""Measures stratalog beside the engines, ixmp4 and SQLAlchemy-Continuum, and writes docs/benchmarks.md.

Run by `make bench-peer`; it takes about 40 minutes on two cores. Every side runs in a process of its own, one after the
other, on a fresh database. The floor is the engine without the library: `benches/write` measures it beside the library.
"""

import argparse
import datetime as dt
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import report

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PYTHONS = {
    side: ROOT / ".venv/bin/python" for side in ("stratalog", "growth", "writers", "writers_floor", "small_floor")
}
SCRIPTS = {
    "stratalog": "ours.py",
    "growth": "growth.py",
    "writers": "writers.py",
    "writers_floor": "writers_floor.py",
    "small_floor": "small_floor.py",
    "ixmp4": "ixmp4_peer.py",
    "continuum": "continuum.py",
}


def python_of(side: str) -> Path:
    return PYTHONS.get(side, ROOT / ".venv-peer/bin/python")


class Database:
    """A fresh database: a file, or a schema on the throwaway server."""

    def __init__(self, engine: str, folder: Path, side: str) -> None:
        self.url = str(folder / f"{side}.db")
        if engine == "postgres":
            server = os.environ["STRATALOG_TEST_POSTGRES_URL"]
            name = f"bench_{side}"
            code = (
                "import psycopg, sys; c = psycopg.connect(sys.argv[1], autocommit=True);"
                f"c.execute('DROP DATABASE IF EXISTS {name} WITH (FORCE)'); c.execute('CREATE DATABASE {name}')"
            )
            subprocess.run([python_of("ixmp4"), "-c", code, server], check=True)
            self.url = server.rsplit("/", 1)[0] + f"/{name}"


# A server for tests leaves them out.
DURABLE = ("fsync", "full_page_writes", "synchronous_commit")


def check_durability() -> None:
    """Refuses a server that acknowledges what a crash could lose."""
    code = (
        "import psycopg, sys; c = psycopg.connect(sys.argv[1]);"
        "print(*[s for s in sys.argv[2:] if c.execute('SHOW ' + s).fetchone()[0] != 'on'])"
    )
    server = os.environ["STRATALOG_TEST_POSTGRES_URL"]
    off = subprocess.check_output([python_of("ixmp4"), "-c", code, server, *DURABLE], text=True)
    if off.strip():
        sys.exit(
            f"the server does not wait for its disk (not on: {off.strip()}): measure on one that does, "
            "as tests/with-postgres --durable starts it"
        )


def measure(engine: str, side: str, rows: int) -> dict[str, dict[str, float]]:
    """What a side reports, by work."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(engine, Path(folder), side)
        print(f"{engine}: {side}, {rows:,} points …", file=sys.stderr, flush=True)
        done = subprocess.run(
            [python_of(side), HERE / SCRIPTS[side], database.url, str(rows)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["work"]: line for line in lines}


def take_turns(engine: str, sides: dict[str, int], rounds: int) -> dict[str, dict[str, dict[str, float]]]:
    """What sides report, by side and work: of some rounds the fastest, of memory the most."""
    best: dict[str, dict[str, dict[str, float]]] = {side: {} for side in sides}
    for _ in range(rounds):
        for side, rows in sides.items():
            for work, found in measure(engine, side, rows).items():
                so_far = best[side].setdefault(work, found)
                for key, better in (("seconds", min), ("mb", max)):
                    if key in found:
                        so_far[key] = better(so_far[key], found[key])
    return best


def floors(engine: str, rows: int) -> dict[str, dict[str, float]]:
    """Library and floor of the Rust benchmark, by operation, in seconds."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        print(
            f"{engine}: the engine without the library, {rows:,} points …",
            file=sys.stderr,
            flush=True,
        )
        subprocess.run(
            [
                "cargo",
                "bench",
                "--quiet",
                "--bench",
                "write",
                "--",
                "--measurement-time",
                "0.1",
                "--noplot",
            ],
            check=True,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            env={
                **os.environ,
                "STRATALOG_BENCH_ENGINES": engine,
                "STRATALOG_BENCH_ROWS": str(rows),
                "STRATALOG_BENCH_JSON": file.name,
            },
        )
        lines = [json.loads(line) for line in Path(file.name).read_text().splitlines()]
    return {line["operation"]: line for line in lines}


def versions() -> dict[str, str]:
    code = (
        "import importlib.metadata as m, json;"
        "print(json.dumps({n: m.version(n) for n in ('ixmp4', 'SQLAlchemy', 'SQLAlchemy-Continuum', 'pandas')}))"
    )
    peers = json.loads(subprocess.check_output([python_of("ixmp4"), "-c", code]))
    code = "import stratalog; print(stratalog.__version__)"
    ours = subprocess.check_output([python_of("stratalog"), "-c", code], text=True).strip()
    commit = subprocess.check_output(["git", "describe", "--always", "--dirty"], cwd=ROOT, text=True)
    return {
        "stratalog": f"{ours} ({commit.strip()})",
        **peers,
        "Python": platform.python_version(),
    }


def machine() -> str:
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="points for stratalog")
    parser.add_argument("--peer-rows", type=int, default=100_000, help="points for ixmp4")
    parser.add_argument(
        "--floor-rows",
        type=int,
        default=100_000,
        help="points for the floor and the library beside it",
    )
    parser.add_argument("--continuum-rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=2, help="how often the sides take turns")
    parser.add_argument(
        "--growth",
        default="10000,100000,1000000,10000000",
        help="points of the streams by which growth is measured (ten million take ten minutes); '' for none",
    )
    parser.add_argument("--engines", default="sqlite,postgres")
    parser.add_argument("--no-floor", action="store_true", help="leave out the engines on their own")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/benchmarks.md")
    arguments = parser.parse_args()
    results = {}
    engines = arguments.engines.split(",")
    if "postgres" in engines:
        check_durability()
    for engine in engines:
        grown = [int(rows) for rows in arguments.growth.split(",") if rows]
        each = max(1, arguments.rows // 20_000) * 1000
        # What is compared is measured one right after the other: other work on the machine comes and goes.
        sides = {
            "stratalog": arguments.rows,
            **({} if arguments.no_floor else {"small_floor": arguments.rows}),
            "ixmp4": arguments.peer_rows,
            "continuum": arguments.continuum_rows,
        }
        results[engine] = {
            **take_turns(engine, sides, arguments.rounds),
            "floor": {} if arguments.no_floor else floors(engine, arguments.floor_rows),
            **{f"growth {rows}": measure(engine, "growth", rows) for rows in grown},
            # SQLite has one writer at a time, and no floor of its own for several.
            **take_turns(
                engine,
                {"writers": each} | ({"writers_floor": each} if engine == "postgres" else {}),
                arguments.rounds,
            ),
        }
    text = report.page(
        results,
        machine=machine(),
        versions=versions(),
        date=dt.datetime.now(dt.UTC).date().isoformat(),
        rounds=arguments.rounds,
        command=f'make bench-peer ARGS="{" ".join(sys.argv[1:])}"',
    )
    arguments.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
