"""Draws the pictures of the documentation: `.venv/bin/python python/demo/pictures.py`."""

from pathlib import Path

import matplotlib as mpl
import pandas as pd

import stratalog

DOCS = Path(__file__).parents[2] / "docs"
YEARS = range(2020, 2101, 10)
SERIES = {
    "Primary Energy|Coal": (150.0, -1.6),
    "Primary Energy|Gas": (130.0, 0.35),
    "Primary Energy|Wind": (8.0, 1.1),
    "Primary Energy|Solar": (6.0, 1.9),
}


def points(names: list[str], factor: float = 1.0) -> pd.DataFrame:
    """Yearly figures of some series; a factor bends them more, the later the year."""
    rows = [
        ("World", name, "EJ/yr", year, max(0.0, start + slope * (year - 2020) * factor))
        for name in names
        for start, slope in [SERIES[name]]
        for year in YEARS
    ]
    return pd.DataFrame(rows, columns=["region", "variable", "unit", "year", "value"])


def a_run() -> stratalog.Run:
    platform = stratalog.Platform("sqlite://:memory:", actor="anna")
    platform.regions.create("World")
    platform.units.create("EJ/yr")
    run = platform.runs.create("MESSAGEix", "SSP2-1.5C")
    coal, gas, wind, solar = SERIES
    with run.transact("raw data"):
        run.iamc.add(points([coal, gas]))
        run.iamc.add(points([wind, solar]))
    with run.transact("recalibrated"):
        run.iamc.add(points([coal], 1.15))
        run.iamc.add(points([solar], 1.4))
    try:
        with run.transact("new model"):
            run.iamc.remove(points([gas, wind]))
            run.iamc.add(points([coal], 0.2))
            raise RuntimeError("the model did not converge")
    except RuntimeError:
        pass
    with run.transact("net zero"):
        run.iamc.add(points([gas], -4.0))
        run.iamc.add(points([wind], 1.7))
    with run.transact("no coal"):
        run.iamc.remove(points([coal])[lambda frame: frame["year"] > 2050])
    run.revert_to("net zero")
    return run


def main() -> None:
    mpl.use("Agg")
    run = a_run()
    timeline = run.plot_timeline()
    timeline.figure.savefig(DOCS / "timeline.png", dpi=110)
    diff = run.diff("raw data", "net zero").plot()
    diff.figure.savefig(DOCS / "diff.png", dpi=110)


if __name__ == "__main__":
    main()
