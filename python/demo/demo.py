"""The main job of Stratalog, step by step, with real data: `make demo`.

python python/demo/demo.py [--url URL] [--data FILE]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import textwrap
from pathlib import Path

import pandas as pd

import stratalog

HERE = Path(__file__).parent
DATABASE = "stratalog-demo.db"

# What another person's program does: it asks for the run while we hold it.
SECOND_WRITER = """
import sys, stratalog
platform = stratalog.Platform(sys.argv[1], actor="bob")
run = platform.runs.get_by_id(int(sys.argv[2]))
try:
    with run.transact("bob's edit"):
        print("bob got in")
except stratalog.RunIsLocked as error:
    print(f"bob is refused: {error}")
"""


def step(number: int, title: str) -> None:
    """A heading."""
    print(f"\n\033[1m{number}. {title}\033[0m" if sys.stdout.isatty() else f"\n{number}. {title}")


def say(text: str) -> None:
    """A sentence, wrapped and indented."""
    print(textwrap.fill(text, 96, initial_indent="   ", subsequent_indent="   "))


def show(frame: pd.DataFrame, rows: int = 6) -> None:
    """The first rows of a table."""
    text = frame.head(rows).to_string(index=False)
    print(textwrap.indent(text, "   "))
    if len(frame) > rows:
        print(f"   ... {len(frame) - rows} more rows")


def main() -> int:
    """Run the demo; 0 when everything went as it should."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--url", default=DATABASE, help=f"database (default: {DATABASE})")
    parser.add_argument(
        "--data", default=str(HERE / "gapminder.csv"), help="an IAMC file, CSV or Excel"
    )
    arguments = parser.parse_args()

    step(1, "Open the platform")
    if arguments.url == DATABASE:
        # Each demo begins anew; only the demo's own file is ever deleted.
        for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"):
            Path(name).unlink(missing_ok=True)
    elif arguments.url.startswith("postgres"):
        applied = stratalog.Platform.migrate(arguments.url)
        say(f"The schema is up to date ({len(applied)} migrations applied now).")
    platform = stratalog.Platform(arguments.url, actor="ada")
    say(f"{platform.url} ({platform.engine}), writing as {platform.actor}.")

    step(2, "Import the data under the run's lock")
    source = stratalog.read_file(arguments.data)[0]
    run = platform.runs.create(source.model or "Demo", source.scenario or "Data")
    say(f"{arguments.data}: {len(source)} points, into {run.label}.")
    with run.transact("imported"):
        run.iamc.add(source, create_missing=True, progress=True)
        say("While the block is open, a second process asks for the same run:")
        refused = subprocess.run(
            [sys.executable, "-c", SECOND_WRITER, arguments.url, str(run.id)],
            capture_output=True,
            text=True,
            check=True,
        )
        say(refused.stdout.strip())
        assert "refused" in refused.stdout
    data = run.iamc.tabulate()
    show(data, 4)

    step(3, "Correct it and make a second checkpoint")
    first = data.iloc[0]
    series = run.iamc.tabulate(region=first["region"], variable=first["variable"])
    say(f"{first['variable']} of {first['region']} is raised by 10 %.")
    with run.transact("corrected"):
        run.iamc.add(series.assign(value=series["value"] * 1.1))
    show(run.checkpoints.tabulate())

    step(4, "A block that fails halfway")
    before = len(run.iamc.tabulate())
    try:
        with run.transact("clean up"):
            removed = run.iamc.remove(run.iamc.tabulate(variable=first["variable"]))
            say(f"{removed.deleted} points of {first['variable']} are gone, and then ...")
            raise RuntimeError("the clean-up script crashed")
    except RuntimeError as error:
        say(f"... {error}. The run is set back to its last checkpoint:")
    assert len(run.iamc.tabulate()) == before
    rollback = run.log().iloc[0]
    say(f"{rollback['operation']}: {rollback['inserted']} points put back.")

    step(5, "What changed between the two checkpoints")
    show(run.diff("imported", "corrected").counts())
    show(run.iamc.difference("imported", "corrected"), 4)

    step(6, "Revert to the first checkpoint, by its name")
    say(f"{run.revert_to('imported')!r}")
    pd.testing.assert_frame_equal(run.iamc.tabulate(), data)
    say("The data is what was imported, bit for bit. Nothing is lost: the log has every step.")
    show(run.log()[["id", "operation", "inserted", "updated", "deleted", "checkpoints"]])

    step(7, "Verify that the log and the tables agree")
    report = platform.verify()
    report.raise_if_broken()
    say(f"OK: {report.live_rows} rows and {report.version_rows} version rows compared.")

    print(f"\nLook around: stratalog --db {platform.url} log {run.id}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
