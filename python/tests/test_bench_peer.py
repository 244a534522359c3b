"""The benchmark beside ixmp4 goes on working: our side on few points, and the page it writes."""

import json
import subprocess
import sys
from pathlib import Path

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
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(PEER))
    import report

    ours = measured(database, 1000)
    assert set(report.WORKS) | {"memory"} == set(ours)
    slow = {work: {**line, "seconds": 100.0} for work, line in ours.items() if "seconds" in line}
    sides = {
        "stratalog": ours,
        "small": {work: {**line, "rows": 100} for work, line in ours.items()},
        "writers": measured(database, 1000, "writers.py"),
        "ixmp4": {**slow, "memory": {"mb": 1.0}},
        "continuum": {**slow, "memory": {"mb": 1.0}},
        "floor": {"add": {"library": 2.0, "floor": 1.0, "rows": 1000}},
    }
    page = report.page({"sqlite": sides}, "a machine", {"x": "1"}, "2026-01-01", "make bench-peer")
    rows = [line for line in page.splitlines() if line.startswith("| add into")]
    assert len(rows) == 1 and "30 x ixmp4" in rows[0] and "**0.6 of the floor**" in rows[0]
    assert "eight at once to eight runs" in page
    assert "Growth from 100 to 1,000 points" in page
