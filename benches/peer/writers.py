"""How fast one process adds points to a run, and several at once, each to a run of its own."""

import multiprocessing
import sys
import time
from collections.abc import Callable

import stratalog
import work


def write(url: str, name: str, rows: int, ready: object, begin: object) -> None:
    platform = stratalog.Platform(url)
    run = platform.runs.create("writers", name)
    frame = work.frame(rows)
    ready.release()  # type: ignore[attr-defined]
    begin.wait()  # type: ignore[attr-defined]
    with run.transact("all"):
        run.iamc.add(frame)


def measure(url: str, writers: int, rows: int, write: Callable[..., None] = write) -> None:
    """`rows` points for each writer."""
    context = multiprocessing.get_context("spawn")
    ready, begin = context.Semaphore(0), context.Event()
    processes = [
        context.Process(target=write, args=(url, f"{writers}, {n}", rows, ready, begin)) for n in range(writers)
    ]
    for process in processes:
        process.start()
    for _ in processes:
        ready.acquire()
    started = time.perf_counter()
    begin.set()
    for process in processes:
        process.join()
    taken = time.perf_counter() - started
    if any(process.exitcode for process in processes):
        sys.exit("a writer failed")
    work.report(f"{writers} writers", writers * rows, [taken])


def main(url: str, rows: int) -> None:
    if url.startswith("postgresql"):
        stratalog.Platform.migrate(url)
    platform = stratalog.Platform(url)
    # Names are there before: who makes one waits for whoever makes the same.
    run = platform.runs.create("writers", "names")
    with run.transact("names"):
        run.iamc.add(work.frame(rows), create_missing=True)
    for writers in (1, 8):
        measure(url, writers, rows)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
