"""Stratalog, as a user writes it: from a pandas frame to a committed, checkpointed run."""

import subprocess
import sys

import stratalog
import work


def main(url: str, rows: int) -> None:
    if url.startswith("postgresql"):
        stratalog.Platform.migrate(url)
    platform = stratalog.Platform(url)
    for region in work.regions:
        platform.regions.create(region)
    platform.units.create(work.UNIT)
    run = platform.runs.create("model", "scenario")
    first, second = work.frame(rows), work.frame(rows, 1.5)

    def add(message: str, frame: object) -> None:
        with run.transact(message):
            run.iamc.add(frame)

    def remove() -> None:
        with run.transact("nothing"):
            run.iamc.remove(first)

    before = work.peak()
    work.report("add", rows, [work.seconds(lambda: add("all", first))])
    work.report_memory(before)
    work.report("add again", rows, [work.seconds(lambda: add("all", first))])
    work.report("arrow", rows, [work.seconds(run.iamc.arrow) for _ in range(3)])
    work.report("pandas", rows, [work.seconds(run.iamc.tabulate) for _ in range(3)])
    changes, reverts = [], []
    for nth in range(7):
        some = work.few(rows, 2.0 + nth)
        changes.append(work.seconds(lambda some=some: add("few", some)))
        reverts.append(work.seconds(lambda: run.revert_to("all")))
    work.report("change 100", work.FEW, changes)
    work.report("revert 100", work.FEW, reverts)
    work.report("update", rows, [work.seconds(lambda: add("other", second))])
    work.report("remove", rows, [work.seconds(remove)])
    one = first.head(1)
    times = [work.seconds(lambda nth=nth: add("one", one.assign(value=float(nth)))) for nth in range(30)]
    work.report("one row", 1, times)
    # Beside the interpreter and what is loaded anyway.
    code = "import {}, time; t = time.perf_counter(); import stratalog; print(time.perf_counter() - t)"
    imports = [float(subprocess.check_output([sys.executable, "-c", code.format("sys")])) for _ in range(5)]
    work.report("import", 1, imports)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
