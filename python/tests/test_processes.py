"""Processes that fork, are killed, are interrupted at any moment, or end in the middle."""

import gc
import io
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from support import Database, finish, free, points, python, ready, start, values

import stratalog

A = points(("a", 2020, 1.0))

# A name of its own for what the children import: they find this file under it.
sys.path.append(str(Path(__file__).parent))

METHODS = ["fork", "forkserver", "spawn"]


@pytest.fixture(autouse=True)
def forking_beside_threads() -> Iterator[None]:
    """Newer Pythons warn of what these tests are about."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*fork.*", category=DeprecationWarning)
        yield


def opened(url: str, run: int, lease: float = 600.0) -> stratalog.Run:
    """The run, on a platform of this process's own."""
    return stratalog.Platform(url, "child", lease).runs.get_by_id(run)


def add_one(url: str, run: int, number: int) -> int:
    """One block of one point; what a pool's worker does."""
    mine = opened(url, run)
    with mine.transact(f"{number}", timeout=60):
        mine.iamc.add(points((f"v{number}", 2020, float(number))))
    return number


def fail() -> None:
    """Raises, and keeps the traceback to itself: it would look as if a test had failed."""
    sys.stderr = io.StringIO()
    raise ZeroDivisionError("on purpose")


ENDINGS: dict[str, Callable[[], object]] = {
    "returns": lambda: None,
    "sys.exit": lambda: sys.exit(3),
    "os._exit": lambda: os._exit(3),
    "raises": fail,
    "is killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "is terminated": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "raises in a thread": lambda: in_a_thread(fail),
    "exits in a thread": lambda: in_a_thread(lambda: os._exit(3)),
}


def in_a_thread(work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def lock_and_end(url: str, run: int, ending: str) -> None:
    """Ends in the middle of its work, with a lock that no block would release."""
    mine = opened(url, run)
    globals()["kept"] = mine.lock("child's")
    mine.iamc.add(points(("a", 2020, 1.0)))
    mine.checkpoints.create("half")
    mine.iamc.add(points(("b", 2020, 2.0)))
    ENDINGS[ending]()


def block_and_end(url: str, run: int, ending: str) -> None:
    """Ends in a block, in the thread that entered it."""
    mine = opened(url, run)
    with mine.transact("child's"):
        mine.iamc.add(points(("a", 2020, 1.0)))
        mine.checkpoints.create("half")
        mine.iamc.add(points(("b", 2020, 2.0)))
        ENDINGS[ending]()


def join(process: BaseProcess, seconds: float = 30) -> None:
    process.join(seconds)
    hangs = process.is_alive()
    if hangs:
        process.kill()
        process.join()
    assert not hangs, "the child did not end"


def taken_at_once(run: stratalog.Run) -> dict[Any, float]:
    """Takes the lock, however its last holder ended; what is there then."""
    started = time.monotonic()
    with run.transact("next", timeout=30):
        assert time.monotonic() - started < 10  # and not the lease's ten minutes
        return values(run.iamc.tabulate())


@pytest.mark.parametrize("method", METHODS)
def test_a_pool_writes_to_one_run(run: stratalog.Run, database: Database, method: str) -> None:
    context = multiprocessing.get_context(method)
    with context.Pool(3) as pool:
        done = pool.starmap_async(add_one, [(database.url, run.id, n) for n in range(12)])
        assert done.get(timeout=120) == list(range(12))
    assert len(run.iamc.tabulate()) == len(run.checkpoints) == 12
    assert free(database) and database.open().verify().ok


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("ending", list(ENDINGS))
def test_a_process_that_ends_with_a_lock_leaves_its_last_checkpoint(
    run: stratalog.Run, database: Database, method: str, ending: str
) -> None:
    context = multiprocessing.get_context(method)
    arguments = (database.url, run.id, ending)
    process = context.Process(target=lock_and_end, args=arguments)
    process.start()
    join(process)
    assert taken_at_once(run) == {("a", 2020): 1.0}
    assert free(database) and database.open().verify().ok


@pytest.mark.parametrize("ending", list(ENDINGS))
def test_a_process_that_ends_in_a_block_leaves_its_last_checkpoint(
    run: stratalog.Run, database: Database, ending: str
) -> None:
    process = multiprocessing.get_context("fork").Process(
        target=block_and_end, args=(database.url, run.id, ending)
    )
    process.start()
    join(process)
    goes_on = ending in ("returns", "raises in a thread")
    expected = {("a", 2020): 1.0, ("b", 2020): 2.0} if goes_on else {("a", 2020): 1.0}
    assert taken_at_once(run) == expected
    assert free(database) and database.open().verify().ok


def forked(work: Callable[[], None]) -> int:
    """A child that does the work, exits without Python's farewell, and says what failed."""
    child = os.fork()
    if child:
        return child
    try:
        work()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(1)


def ended(child: int, seconds: float = 30) -> None:
    """The child ended well."""
    deadline = time.monotonic() + seconds
    while (status := os.waitpid(child, os.WNOHANG))[0] == 0:
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            pytest.fail("the child hangs")
        time.sleep(0.01)
    assert os.waitstatus_to_exitcode(status[1]) == 0


@pytest.mark.parametrize("how", ["transact", "lock"])
def test_a_child_has_nothing_of_its_parents_lock(
    run: stratalog.Run, database: Database, how: str
) -> None:
    block = getattr(run, how)("parent's")
    lock = block.__enter__()
    run.iamc.add(A)

    def leave() -> None:
        block.__exit__(None, None, None)

    def work() -> None:
        nonlocal block, lock
        for use in (
            lambda: run.owns_lock,
            lambda: run.iamc.add(A),
            lambda: run.lock("mine"),
            lock.commit,
            lock.rollback,
            leave,
        ):
            with pytest.raises(stratalog.StratalogError, match="by fork"):
                use()
        assert not lock.is_held
        mine = opened(database.url, run.id)
        with pytest.raises(stratalog.RunIsLocked) as raised:
            mine.lock("mine")
        assert (raised.value.pid, raised.value.reason) == (os.getppid(), "parent's")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            del block, lock
            gc.collect()

    ended(forked(work))
    assert run.owns_lock and lock.is_held
    run.iamc.add(points(("b", 2020, 2.0)))
    leave()
    assert len(run.iamc.tabulate()) == 2 and free(database)
    assert database.open().verify().ok


def test_a_child_works_on_a_platform_of_its_own_and_so_does_its_child(
    platform: stratalog.Platform, run: stratalog.Run, database: Database
) -> None:
    others = [platform.runs.create("model", "scenario").id for _ in range(2)]

    def write(run: int) -> None:
        add_one(database.url, run, 1)
        add_one(database.url, run, 2)

    def child() -> None:
        write(others[0])
        ended(forked(lambda: write(others[1])))
        write(others[0])

    with run.transact("parent's"):
        run.iamc.add(A)
        ended(forked(child))
        run.iamc.add(points(("b", 2020, 2.0)))
    assert [len(platform.runs.get_by_id(other).iamc.tabulate()) for other in others] == [2, 2]
    assert len(run.iamc.tabulate()) == 2
    assert free(database) and platform.verify().ok


def test_what_other_threads_do_at_the_fork_does_not_hang_the_child(
    platform: stratalog.Platform, run: stratalog.Run, database: Database
) -> None:
    theirs = platform.runs.create("model", "theirs").id
    stop = threading.Event()

    def work() -> None:
        number = 0
        while not stop.is_set():
            # Opens and closes: files, sockets, heartbeats, and SQLite's own locks.
            mine = opened(database.url, run.id)
            with mine.transact("thread's", timeout=60):
                mine.iamc.add(points((f"v{number}", 2020, 1.0)))
            number += 1

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number in range(15):
            ended(forked(lambda number=number: add_one(database.url, theirs, number)))  # type: ignore[misc]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert len(platform.runs.get_by_id(theirs).iamc.tabulate()) == 15
    assert free(database) and platform.verify().ok


def test_slow_hooks_around_a_fork_do_not_hang_threads_that_take_locks(
    run: stratalog.Run, database: Database
) -> None:
    # Registered before stratalog's, they run between those and the fork, and sleeping lets other
    # threads have the interpreter meanwhile.
    code = """
import os, sys, threading, time
slow = lambda: time.sleep(0.02)
os.register_at_fork(before=slow, after_in_parent=slow, after_in_child=slow)
import stratalog
stop = threading.Event()
def lock():
    while not stop.is_set():
        mine = stratalog.Platform(sys.argv[1]).runs.get_by_id(int(sys.argv[2]))
        with mine.transact("thread's", timeout=60):
            pass
        del mine
def fork():
    for _ in range(20):
        child = os.fork()
        if child == 0:
            stratalog.Platform(sys.argv[1]).runs.list()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
threads = [threading.Thread(target=work) for work in (lock, lock, fork, fork)]
for thread in threads:
    thread.start()
for thread in threads[2:]:
    thread.join()
stop.set()
"""
    exit_code, _, err = finish(python(code, database.url, str(run.id)))
    assert exit_code == 0, err
    assert free(database)


def test_a_childs_writes_survive_its_parent(database: Database) -> None:
    # The end of the parent makes others the only users of the database: on SQLite the last one
    # deletes the log, and a child without file locks of its own would write into a deleted file.
    code = """
with run.transact("parent's"):
    run.iamc.add(points(("a", 2020, 1.0)))
child = os.fork()
if child == 0:
    mine = stratalog.Platform(sys.argv[1]).runs.get_by_id(run.id)
    mine.iamc.tabulate()
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(3):
        with mine.transact("child's"):
            mine.iamc.add(points((f"c{number}", 2020, 1.0)))
        print("written", flush=True)
        sys.stdin.readline()
    os._exit(0)
os.waitpid(child, 0)
"""
    url = database.url

    def prepare() -> int:
        platform = stratalog.Platform(url)
        platform.regions.create("World")
        platform.units.create("EJ/yr")
        return platform.runs.create("model", "scenario").id

    # This process must have nothing open.
    number = prepare()
    parent = start(code, database, number)
    ready(parent)
    assert parent.stdin is not None and parent.stdout is not None
    parent.kill()
    parent.wait()
    for written in range(3):
        look = "import sys, stratalog; print(len(stratalog.Platform(sys.argv[1]).log()))"
        subprocess.run([sys.executable, "-c", look, url], check=True, capture_output=True)
        parent.stdin.write("\n")
        parent.stdin.flush()
        assert parent.stdout.readline() == "written\n"
        assert len(opened(url, number).iamc.tabulate()) == 2 + written
    finish(parent, input="\n")
    assert database.open().verify().ok


def test_the_end_of_a_parent_is_seen_while_its_child_lives_on(
    run: stratalog.Run, database: Database
) -> None:
    code = """
hold = stratalog.Platform(sys.argv[1], lease=600).runs.get_by_id(run.id)
lock = hold.lock("parent's")
hold.iamc.add(points(("a", 2020, 1.0)))
child = os.fork()
# Both write into one pipe: each its line at once, which print does not.
if child == 0:
    os.write(1, b"ready\\n")
    time.sleep(600)
    os._exit(0)
os.write(1, f"{child}\\n".encode())
time.sleep(600)
"""
    parent = start(code, database, run)
    assert parent.stdout is not None
    lines = {parent.stdout.readline(), parent.stdout.readline()}
    assert "ready\n" in lines
    (child,) = (int(line) for line in lines if line != "ready\n")
    try:
        parent.kill()
        parent.wait()
        assert taken_at_once(run) == {}
        os.kill(child, 0)  # it does live on
    finally:
        os.kill(child, signal.SIGKILL)
        finish(parent)
    assert free(database)
    assert database.open().locks.events()["reason"].tolist() == ["its process ended"]


def test_children_that_are_killed_with_the_lock_are_followed_at_once(
    run: stratalog.Run, database: Database
) -> None:
    context = multiprocessing.get_context("fork")
    for number in range(4):
        inside = context.Event()

        def hold(number: int = number, inside: Any = inside) -> None:
            mine = opened(database.url, run.id)
            with mine.transact("child's"):
                mine.iamc.add(points((f"kept {number}", 2020, 1.0)))
                mine.checkpoints.create(f"{number}")
                mine.iamc.add(points((f"lost {number}", 2020, 1.0)))
                inside.set()
                time.sleep(600)

        process = context.Process(target=hold)
        process.start()
        assert inside.wait(30)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        join(process)
        kept = {(f"kept {earlier}", 2020): 1.0 for earlier in range(number + 1)}
        assert taken_at_once(run) == kept
    assert free(database) and database.open().verify().ok
    assert len(database.open().locks.events()) == 4


INTERRUPTED = """
import random, subprocess
seed, rounds = int(sys.argv[3]), int(sys.argv[4])
random.seed(seed)
# A block takes about so long here.
started = time.monotonic()
for number in range(5):
    with run.transact("measure"):
        run.iamc.add(points(("m", 3000 + number, 1.0)))
        run.checkpoints.create("m")
        run.iamc.add(points(("n", 3000 + number, 1.0)))
span = (time.monotonic() - started) / 5 * 1.2
# From another process, so that a signal may come between any two instructions of this one.
killer = subprocess.Popen([sys.executable, "-Sc", '''
import os, signal, sys, time
for line in sys.stdin:
    time.sleep(float(line))
    os.kill(os.getppid(), signal.SIGINT)
'''], stdin=subprocess.PIPE, text=True, process_group=0)
where = {"before": 0, "in": 0, "after": 0}
for attempt in range(rounds):
    say = f"seed {seed}, attempt {attempt}"
    place = "before"
    try:
        killer.stdin.write(f"{random.random() * span}\\n")
        killer.stdin.flush()
        with run.transact(f"end {attempt}"):
            place = "in"
            run.iamc.add(points(("a", attempt, 1.0)))
            run.checkpoints.create(f"half {attempt}")
            run.iamc.add(points(("b", attempt, 1.0)))
        place = "after"
        time.sleep(60)
    except KeyboardInterrupt:
        where[place] += 1
    else:
        sys.exit(f"{say}: no interruption came")
    assert not run.owns_lock, say
    found = sorted(run.iamc.tabulate(year=attempt)["variable"])
    last = [c.message for c in run.checkpoints.list() if c.message.endswith(f" {attempt}")]
    half, end = f"half {attempt}", f"end {attempt}"
    expected = {(): [], (half,): ["a"], (half, end): ["a", "b"]}
    assert found == expected[tuple(last)], (say, found, last)
killer.stdin.close()
killer.wait()
print(sum(where.values()))
print(where, file=sys.stderr)
assert where["in"] > rounds / 4, where
"""


def test_200_interruptions_at_random_moments(run: stratalog.Run, database: Database) -> None:
    seed = int(os.environ.get("STRATALOG_TEST_SEED") or time.time_ns() % 1_000_000)
    child = start(INTERRUPTED, database, run, str(seed), "200")
    exit_code, out, err = finish(child, timeout=300)
    assert (exit_code, out) == (0, "200\n"), f"STRATALOG_TEST_SEED={seed}\n{err}"
    assert free(database)
    assert database.open().verify().ok
