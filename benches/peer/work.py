"""What is measured, the same for every side: each side imports this and prints a line of JSON per measurement."""

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

REGIONS, VARIABLES = 20, 50
FEW = 100
UNIT = "EJ/yr"

regions = [f"Region {number:02}" for number in range(REGIONS)]


def frame(rows: int, factor: float = 1.0) -> pd.DataFrame:
    """Yearly points: 20 regions, 50 variables, as many years as that takes."""
    steps = rows // (REGIONS * VARIABLES)
    if steps * REGIONS * VARIABLES != rows:
        sys.exit(f"ROWS={rows}: give a multiple of {REGIONS * VARIABLES}")
    names = [f"Final Energy|Sector {number:02}" for number in range(VARIABLES)]
    return pd.DataFrame(
        {
            "region": np.repeat(np.array(regions, dtype=object), VARIABLES * steps),
            "variable": np.tile(np.repeat(np.array(names, dtype=object), steps), REGIONS),
            "unit": UNIT,
            "year": np.tile(np.arange(steps, dtype="int64"), REGIONS * VARIABLES),
            "value": (np.arange(rows) + 0.5) * factor,
        }
    )


BATCH = 100_000


def stream(rows: int, factor: float = 1.0) -> Iterator[pd.DataFrame]:
    """The same points in tables of 100,000 at most, in the same order."""
    steps = rows // (REGIONS * VARIABLES)
    if steps * REGIONS * VARIABLES != rows:
        sys.exit(f"ROWS={rows}: give a multiple of {REGIONS * VARIABLES}")
    at_once = max(1, BATCH // steps)
    years = np.arange(steps, dtype="int64")
    for region in range(REGIONS):
        for first in range(0, VARIABLES, at_once):
            numbers = range(first, min(first + at_once, VARIABLES))
            names = [f"Final Energy|Sector {number:02}" for number in numbers]
            row = (region * VARIABLES + first) * steps
            yield pd.DataFrame(
                {
                    "region": regions[region],
                    "variable": np.repeat(np.array(names, dtype=object), steps),
                    "unit": UNIT,
                    "year": np.tile(years, len(names)),
                    "value": (np.arange(row, row + len(names) * steps) + 0.5) * factor,
                }
            )


def few(rows: int, factor: float) -> pd.DataFrame:
    """100 of the points, spread over all, with other values."""
    steps = rows // (REGIONS * VARIABLES)
    row = np.arange(FEW) * (rows // FEW)
    names = np.array(
        [f"Final Energy|Sector {number:02}" for number in range(VARIABLES)],
        dtype=object,
    )
    return pd.DataFrame(
        {
            "region": np.array(regions, dtype=object)[row // (VARIABLES * steps)],
            "variable": names[row // steps % VARIABLES],
            "unit": UNIT,
            "year": (row % steps).astype("int64"),
            "value": (row + 0.5) * factor,
        }
    )


def seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def report(work: str, rows: int, durations: list[float]) -> None:
    """The median; `rows` is how many the work is about."""
    print(
        json.dumps({"work": work, "rows": rows, "seconds": statistics.median(durations)}),
        flush=True,
    )


def report_memory(before: int, work: str = "memory") -> None:
    """Peak memory above what was there before, in MB."""
    print(json.dumps({"work": work, "mb": (peak() - before) / 1e6}), flush=True)


def peak() -> int:
    """The most memory that this process has had so far, in bytes (Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
