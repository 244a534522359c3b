"""Counts the instructions of small operations on SQLite with callgrind, and keeps them in counts.json beside this file.

Counts do not depend on how busy the machine is: run it before and after a change. Needs valgrind (Debian: apt-get
install valgrind). Prints each count and what it was.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

COUNTS = Path(__file__).with_name("counts.json")
OPERATIONS = [
    "one-row block",
    "change 100 rows",
    "change 100 rows and revert",
    "read 100 rows",
]
TIMES = 20


def collected(program: str, operation: str, times: int) -> int:
    done = subprocess.run(
        [
            "valgrind",
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            program,
            operation,
            str(times),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Collected\s*:\s*(\d+)", done.stderr)
    if done.returncode or not found:
        sys.exit(done.stderr)
    return int(found.group(1))


def main(program: str) -> None:
    if shutil.which("valgrind") is None:
        sys.exit("valgrind is not installed: apt-get install valgrind")
    before = json.loads(COUNTS.read_text()) if COUNTS.exists() else {}
    counts = {}
    for operation in OPERATIONS:
        count = (collected(program, operation, TIMES) - collected(program, operation, 0)) // TIMES
        counts[operation] = count
        was = before.get(operation)
        change = f" (was {was:,}, {count / was - 1:+.1%})" if was else ""
        print(f"{operation}: {count:,} instructions{change}", flush=True)
    COUNTS.write_text(json.dumps(counts, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
