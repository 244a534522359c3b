"""What is measured, the same for every side: each side imports this and prints a line of JSON per measurement."""

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable

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


def few(rows: int, factor: float) -> pd.DataFrame:
    """100 of the points, spread over all, with other values."""
    return frame(rows, factor).iloc[:: max(1, rows // FEW)].head(FEW).reset_index(drop=True)


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


def report_memory(before: int) -> None:
    """Peak memory above what was there before, in MB."""
    print(json.dumps({"work": "memory", "mb": (peak() - before) / 1e6}), flush=True)


def peak() -> int:
    """The most memory that this process has had so far, in bytes (Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
