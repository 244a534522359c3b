"""How time and memory grow with the points: a stream in, changes of all and of few, a stream out."""

import sys
import time

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
    # A batch, and what reading one loads, is there before.
    batch = next(work.stream(rows))
    run.iamc.arrow()
    del batch

    def add(message: str, factor: float) -> None:
        with run.transact(message):
            run.iamc.add(work.stream(rows, factor))

    def add_few(factor: float) -> None:
        with run.transact("few"):
            run.iamc.add(work.few(rows, factor))

    def remove() -> None:
        with run.transact("nothing"):
            run.iamc.remove(work.stream(rows))

    def read() -> None:
        assert sum(batch.num_rows for batch in run.iamc.batches()) == rows

    before = work.peak()
    work.report("add", rows, [work.seconds(lambda: add("all", 1.0))])
    work.report_memory(before)
    work.report("read", rows, [work.seconds(read)])
    changes, reverts = [], []
    for nth in range(10):
        # After a load PostgreSQL vacuums and writes a checkpoint, which comes and goes.
        time.sleep(1)
        changes.append(work.seconds(lambda nth=nth: add_few(2.0 + nth)))
        reverts.append(work.seconds(lambda: run.revert_to("all")))
    work.report("change 100", work.FEW, changes)
    work.report("revert 100", work.FEW, reverts)
    work.report("update", rows, [work.seconds(lambda: add("other", 1.5))])
    work.report("remove", rows, [work.seconds(remove)])
    work.report_memory(before, "memory of all")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
