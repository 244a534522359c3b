"""The benchmark beside ixmp4 goes on working: our side on few points, and the page it writes."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from support import Database

PEER = Path(__file__).parents[2] / "benches/peer"


def measured(database: Database, rows: int, script: str = "ours.py") -> dict[str, dict[str, float]]:
    done = subprocess.run(
        [sys.executable, PEER / script, database.url, str(rows)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["work"]: line for line in lines}


def test_our_side_is_measured_and_reported(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(PEER))
    import report

    ours = measured(database, 1000)
    assert set(report.WORKS) | {"memory"} == set(ours)

    def in_a_fresh_one(rows: int, script: str) -> dict[str, dict[str, float]]:
        (tmp_path / script).mkdir()
        fresh = Database(database.engine, tmp_path / script)
        found = measured(fresh, rows, script)
        fresh.drop()
        return found

    grown = in_a_fresh_one(2000, "growth.py")
    small = in_a_fresh_one(1000, "small_floor.py")
    assert set(small) == {"change 100", "revert 100", "one row"}
    assert set(report.GROWTH) | {"memory", "memory of all"} == set(grown)
    slow = {work: {**line, "seconds": 100.0} for work, line in ours.items() if "seconds" in line}
    smaller = {work: {**line, "rows": 200} for work, line in grown.items()}
    alone = {}
    if database.engine == "postgres":
        alone = measured(database, 1000, "writers_floor.py")
    sides = {
        "stratalog": ours,
        "growth 200": smaller,
        "growth 2000": {
            work: {**line, "seconds": 1e6, "mb": 300.0} for work, line in grown.items()
        },
        "writers": measured(database, 1000, "writers.py"),
        "writers_floor": alone,
        "small_floor": {work: {**line, "seconds": 50.0} for work, line in small.items()},
        "ixmp4": {**slow, "memory": {"mb": 1.0}},
        "continuum": {**slow, "memory": {"mb": 1.0}},
        "floor": {"add": {"library": 2.0, "floor": 1.0, "rows": 1000}},
    }
    page = report.page(
        {database.engine: sides}, "a machine", {"x": "1"}, "2026-01-01", 2, "make bench-peer"
    )
    rows = [line for line in page.splitlines() if line.startswith("| add into")]
    assert len(rows) == 1 and " x ixmp4, **0." in rows[0] and "(1,000 points)" in rows[0]
    few = next(line for line in page.splitlines() if line.startswith("| change 100 points"))
    assert f"| {50.0 / ours['change 100']['seconds']:.2f} | 2.0 |" in few
    assert "eight at once to eight runs" in page
    assert ("The engine without the library" in page) == (database.engine == "postgres")
    assert "| work | 200 | 2,000 | slope | target |" in page
    assert "| **1.1** |" in page and "| **flat** |" in page and "**200 MB**, " in page


def test_of_the_rounds_the_fastest_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PEER))
    spec = importlib.util.spec_from_file_location("peer", PEER / "__main__.py")
    assert spec is not None and spec.loader is not None
    peer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(peer)
    seconds = {"a": iter([2.0, 1.0, 3.0]), "b": iter([5.0, 7.0, 6.0])}
    turns = []

    def measure(engine: str, side: str, rows: int) -> dict[str, dict[str, float]]:
        turns.append((engine, side, rows))
        taken = next(seconds[side])
        return {"add": {"rows": rows, "seconds": taken}, "memory": {"mb": taken}}

    monkeypatch.setattr(peer, "measure", measure)
    best = peer.take_turns("sqlite", {"a": 10, "b": 20}, 3)
    assert turns == [("sqlite", "a", 10), ("sqlite", "b", 20)] * 3
    assert best["a"] == {"add": {"rows": 10, "seconds": 1.0}, "memory": {"mb": 3.0}}
    assert best["b"] == {"add": {"rows": 20, "seconds": 5.0}, "memory": {"mb": 7.0}}


def test_a_stream_is_the_same_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PEER))
    import work

    whole = pd.concat(list(work.stream(10_000, 1.5)), ignore_index=True)
    pd.testing.assert_frame_equal(whole, work.frame(10_000, 1.5))
