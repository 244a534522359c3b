"""Blocks: what they take, keep, undo, and whom they refuse."""

import contextlib
import gc
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from support import Database, finish, free, nothing_written, points, python, ready, start, values

import stratalog

A = points(("a", 2020, 1.0))
B = points(("b", 2020, 2.0))


def test_a_block_ends_in_a_checkpoint(run: stratalog.Run, database: Database) -> None:
    assert not run.owns_lock
    with run.transact("Baseline") as lock:
        assert run.owns_lock
        assert (lock.message, lock.run_id, lock.token) == ("Baseline", run.id, 1)
        assert repr(lock) == (
            f"RunLock(run_id={run.id}, message='Baseline', token=1, is_held=True)"
        )
        run.iamc.add(A)
    assert not run.owns_lock
    assert [checkpoint.message for checkpoint in run.checkpoints] == ["Baseline"]
    assert run.checkpoints["Baseline"].transaction_id == run.last_transaction
    assert free(database)
    with run.transact("next") as lock:
        assert lock.token == 2


class Stop(BaseException):
    """Not an Exception."""


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit, Stop])
@pytest.mark.parametrize("checkpointed", [False, True])
def test_a_block_that_fails_is_rolled_back(
    run: stratalog.Run, database: Database, kind: type[BaseException], checkpointed: bool
) -> None:
    with run.transact("before"):
        run.iamc.add(A)
    error = kind("mine")
    with pytest.raises(kind) as raised, run.transact("fails"):
        run.iamc.add(points(("a", 2020, 5.0)))
        if checkpointed:
            run.checkpoints.create("half")
        run.iamc.add(B)
        run.iamc.remove(A)
        raise error
    assert raised.value is error
    assert error.__cause__ is None and not hasattr(error, "__notes__")
    assert values(run.iamc.tabulate()) == {("a", 2020): 5.0 if checkpointed else 1.0}
    messages = [checkpoint.message for checkpoint in run.checkpoints]
    assert messages == ["before", "half"] if checkpointed else ["before"]
    assert not run.owns_lock and free(database)
    assert run.log(limit=1)["operation"].tolist() == ['rollback of "fails"']
    assert database.open().verify().ok
    with run.transact("again"):
        run.iamc.add(B)


def test_a_block_that_did_nothing_and_fails_leaves_nothing(
    run: stratalog.Run, database: Database
) -> None:
    with nothing_written(database, run), pytest.raises(ZeroDivisionError), run.transact("fails"):
        _ = 1 // 0
    assert free(database)


def test_the_exception_of_a_refused_write_goes_on_too(run: stratalog.Run) -> None:
    with pytest.raises(stratalog.UnknownNames), run.transact("fails"):
        run.iamc.add(A)
        run.iamc.add(points(("a", 2020, 1.0), region="Wrold"))
    assert run.iamc.tabulate().empty
    with run.transact("handled"):
        run.iamc.add(A)
        with contextlib.suppress(stratalog.UnknownNames):
            run.iamc.add(points(("a", 2020, 1.0), region="Wrold"))
    assert len(run.iamc.tabulate()) == 1


@pytest.mark.parametrize("where", ["outside", "after", "in another's block"])
def test_writing_needs_the_lock(run: stratalog.Run, database: Database, where: str) -> None:
    if where == "after":
        with run.transact("over"):
            pass
    mine = run
    with contextlib.ExitStack() as stack:
        if where == "in another's block":
            stack.enter_context(run.transact("another's"))
            mine = database.open().runs.get_by_id(run.id)
        with nothing_written(database, run):
            for write in (
                lambda: mine.iamc.add(A),
                lambda: mine.iamc.add("not even a table"),  # type: ignore[arg-type]
                lambda: mine.iamc.remove(A),
                lambda: mine.checkpoints.create("mine"),
            ):
                with pytest.raises(stratalog.RunLockRequired, match="with run"):
                    write()
        assert mine.iamc.tabulate().empty  # reading needs none


def test_blocks_do_not_nest(run: stratalog.Run) -> None:
    with run.transact("outer"):
        run.iamc.add(A)
        with pytest.raises(stratalog.NestedTransact, match="do not nest"), run.transact("inner"):
            pytest.fail("was let in")
        assert run.owns_lock
        run.iamc.add(B)
    assert len(run.iamc.tabulate()) == 2
    assert [checkpoint.message for checkpoint in run.checkpoints] == ["outer"]


def test_a_nested_block_that_nobody_catches_fails_the_outer_one(run: stratalog.Run) -> None:
    with pytest.raises(stratalog.NestedTransact), run.transact("outer"):
        run.iamc.add(A)
        with run.transact("inner"):
            pass
    assert run.iamc.tabulate().empty


def test_a_block_is_used_once(run: stratalog.Run) -> None:
    block = run.transact("once")
    assert repr(block) == "<transact 'once' on run model / scenario, version 1>"
    with block:
        run.iamc.add(A)
        with pytest.raises(stratalog.LockError, match="used already"), block:
            pass
        run.iamc.add(B)
    with pytest.raises(stratalog.LockError, match="used already"), block:
        pass
    assert len(run.iamc.tabulate()) == 2
    run.transact("never entered")
    assert not run.owns_lock


@pytest.mark.parametrize("message", ["", "a\0b"])
def test_a_block_needs_a_message(run: stratalog.Run, message: str) -> None:
    with pytest.raises(stratalog.InvalidName), run.transact(message):
        pass
    with run.transact("good"), pytest.raises(stratalog.InvalidName):
        run.checkpoints.create(message)


def test_a_second_writer_is_told_who_holds_the_lock(run: stratalog.Run, database: Database) -> None:
    bob = database.open(actor="bob").runs.get_by_id(run.id)
    ada = database.open(actor="ada").runs.get_by_id(run.id)
    before = datetime.now(UTC)
    with ada.transact("long edit"):
        started = time.monotonic()
        with pytest.raises(stratalog.RunIsLocked) as raised, bob.transact("mine"):
            pass
        assert time.monotonic() - started < 5  # at once
        error = raised.value
        assert (error.holder, error.reason, error.pid) == ("ada", "long edit", os.getpid())
        assert (error.host, error.run_id, error.token) == (socket.gethostname(), run.id, 1)
        assert error.run == "model / scenario, version 1"
        assert before - timedelta(seconds=1) <= error.since <= datetime.now(UTC)
        for text in (
            "model / scenario, version 1",
            "ada",
            "long edit",
            str(os.getpid()),
            "timeout",
        ):
            assert text in str(error)
        assert not bob.owns_lock
        (row,) = database.open().locks.tabulate().to_dict("records")
        assert (row["run_id"], row["run"], row["state"]) == (run.id, error.run, "held")
        assert (row["holder"], row["reason"], row["token"]) == ("ada", "long edit", 1)
        assert row["acquired_at"] == error.since
        # Reading never waits.
        assert bob.iamc.tabulate().empty
    with bob.transact("mine"):
        pass


def test_waiting_for_the_lock(run: stratalog.Run, database: Database) -> None:
    other = database.open().runs.get_by_id(run.id)
    with run.transact("long edit"):
        started = time.monotonic()
        with (
            pytest.raises(stratalog.RunIsLocked, match=r"waited 0\.3 s"),
            other.transact("x", timeout=0.3),
        ):
            pass
        assert 0.25 < time.monotonic() - started < 5
        with pytest.raises(stratalog.RunIsLocked):
            other.revert_to(0, timeout=0.1)
    entered = threading.Event()
    order = []

    def hold() -> None:
        with run.transact("for a while"):
            entered.set()
            time.sleep(0.5)
            order.append("released")

    holder = threading.Thread(target=hold)
    holder.start()
    entered.wait()
    with other.transact("got it", timeout=30):
        order.append("taken")
    holder.join()
    assert order == ["released", "taken"]


@pytest.mark.parametrize("timeout", [-1, float("nan"), -float("inf")])
def test_a_timeout_is_some_time(run: stratalog.Run, timeout: float) -> None:
    with pytest.raises(stratalog.InvalidInput, match="timeout="):
        run.transact("x", timeout=timeout)
    with run.transact("for ever", timeout=float("inf")):
        pass


def test_one_process_does_not_get_in_while_another_holds(
    run: stratalog.Run, database: Database
) -> None:
    code = """
import sys, stratalog
run = stratalog.Platform(sys.argv[1], actor="child").runs.get_by_id(int(sys.argv[2]))
with run.transact("child's"):
    print("in", flush=True)
    sys.stdin.readline()
"""
    child = python(code, database.url, str(run.id))
    assert child.stdout is not None and child.stdout.readline() == "in\n"
    with pytest.raises(stratalog.RunIsLocked) as raised, run.transact("mine"):
        pass
    assert (raised.value.holder, raised.value.pid) == ("child", child.pid)
    assert child.stdin is not None
    child.stdin.write("\n")
    child.stdin.flush()
    with run.transact("mine", timeout=30):
        pass
    assert finish(child)[0] == 0


def test_eight_writers_take_turns(run: stratalog.Run, database: Database) -> None:
    def write(thread: int) -> None:
        try:
            mine = database.open(f"writer {thread}").runs.get_by_id(run.id)
            for number in range(3):
                with mine.transact(f"{thread}", timeout=60):
                    mine.iamc.add(points((f"{thread}", 2000 + number, float(number))))
        except BaseException as error:
            failures.append(error)

    failures: list[BaseException] = []
    threads = [threading.Thread(target=write, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(run.iamc.tabulate()) == len(run.checkpoints) == 24
    assert database.open().verify().ok


def test_threads_may_write_in_one_block(run: stratalog.Run) -> None:
    failures: list[BaseException] = []

    def write(thread: int) -> None:
        try:
            for number in range(5):
                run.iamc.add(points((f"{thread}", 2000 + number, 1.0)))
                assert run.owns_lock
                with pytest.raises(stratalog.NestedTransact), run.transact("mine"):
                    pass
        except BaseException as error:
            failures.append(error)

    with run.transact("together"):
        threads = [threading.Thread(target=write, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failures
    assert len(run.iamc.tabulate()) == 20


@pytest.mark.parametrize("work", ["waiting", "writing", "reading", "verifying"])
def test_other_threads_go_on_meanwhile(run: stratalog.Run, database: Database, work: str) -> None:
    other = database.open().runs.get_by_id(run.id)
    frame = pd.concat([A] * 20_000).assign(year=range(20_000))

    def wait() -> None:
        with pytest.raises(stratalog.RunIsLocked), other.transact("x", timeout=0.5):
            pass

    def verify() -> None:
        for _ in range(20):
            assert database.open().verify().ok

    with run.transact("mine"):
        if work != "writing":
            run.iamc.add(frame)
        task = {
            "waiting": wait,
            "writing": lambda: run.iamc.add(frame),
            "reading": lambda: [run.iamc.arrow() for _ in range(5)],
            "verifying": verify,
        }[work]
        worker = threading.Thread(target=task)
        turns = 0
        worker.start()
        while worker.is_alive():
            time.sleep(0.001)
            turns += 1
        worker.join()
        # Kept by the worker, the interpreter would give a turn or two.
        assert turns > 10


def stolen(database: Database, run: stratalog.Run) -> None:
    """Somebody takes the lock from its holder, as a takeover does."""
    database.plain(
        "UPDATE run_locks SET token = token + 1, holder_user = 'thief', reason = 'theft' "
        f"WHERE run_id = {run.id}"
    )


def test_a_lost_lock_writes_nothing_more(run: stratalog.Run, database: Database) -> None:
    with pytest.raises(stratalog.LockLost), run.transact("mine"):
        run.iamc.add(A)
        stolen(database, run)
        with nothing_written(database, run):
            for write in (
                lambda: run.iamc.add(B),
                lambda: run.iamc.remove(A),
                lambda: run.checkpoints.create("x"),
                lambda: run.revert_to(0),
            ):
                with pytest.raises(stratalog.LockLost):
                    write()
    assert not run.owns_lock
    assert len(run.iamc.tabulate()) == 1  # whoever took it over decides


def test_the_users_error_goes_on_when_the_rollback_fails_too(
    run: stratalog.Run, database: Database
) -> None:
    with pytest.raises(ValueError, match="mine") as raised, run.transact("fails"):
        run.iamc.add(A)
        stolen(database, run)
        raise ValueError("mine")
    (note,) = raised.value.__notes__
    assert "setting run model / scenario, version 1 back failed" in note
    assert "lost" in note


def test_a_commit_that_fails_rolls_back(run: stratalog.Run, database: Database) -> None:
    with run.transact("before"):
        run.iamc.add(A)
    refusing = (
        [
            "CREATE TRIGGER refuse BEFORE INSERT ON checkpoints "
            "BEGIN SELECT RAISE(ABORT, 'no more checkpoints'); END"
        ]
        if database.engine == "sqlite"
        else [
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN RAISE EXCEPTION 'no more checkpoints'; END$$",
            "CREATE TRIGGER refuse BEFORE INSERT ON checkpoints EXECUTE FUNCTION refuse()",
        ]
    )
    database.plain(*refusing)
    with (
        pytest.raises(stratalog.DatabaseError, match="no more checkpoints"),
        run.transact("cannot end"),
    ):
        run.iamc.add(B)
    assert values(run.iamc.tabulate()) == {("a", 2020): 1.0}
    assert not run.owns_lock and free(database)


def test_a_rollback_that_cannot_be_is_finished_by_the_next_holder(
    platform: stratalog.Platform, run: stratalog.Run, database: Database
) -> None:
    platform.regions.create("Africa")
    with run.transact("before"):
        run.iamc.add(points(("a", 2020, 1.0), region="Africa"))
    with pytest.raises(ValueError) as raised, run.transact("fails"):
        run.iamc.remove(points(("a", 2020, 1.0), region="Africa"))
        platform.regions.delete("Africa")
        raise ValueError
    assert "Africa" in raised.value.__notes__[0]
    assert platform.locks.tabulate()["state"].tolist() == ["recovering"]
    assert run.iamc.tabulate().empty
    platform.regions.create("Africa")
    with run.transact("next"):
        assert len(run.iamc.tabulate()) == 1  # restored before the block began
    assert platform.verify().ok


def test_a_block_in_a_generator_ends_with_it(run: stratalog.Run, database: Database) -> None:
    def writer() -> Iterator[None]:
        with run.transact("generator"):
            run.iamc.add(A)
            yield
            pytest.fail("went on")

    generator = writer()
    next(generator)
    assert run.owns_lock
    del generator
    gc.collect()
    assert not run.owns_lock and free(database)
    assert run.iamc.tabulate().empty


def test_a_block_that_is_dropped_is_rolled_back(run: stratalog.Run, database: Database) -> None:
    # As when a signal makes CPython skip __exit__.
    block = run.transact("dropped")
    block.__enter__()
    run.iamc.add(A)
    del block
    gc.collect()
    assert not run.owns_lock and free(database)
    assert run.iamc.tabulate().empty


@pytest.mark.parametrize(
    "ending",
    [
        "sys.exit(3)",
        "raise KeyboardInterrupt",
        "raise ValueError('mine')",
        "keep = [globals(), run]; generator = block(); next(generator)",
    ],
)
def test_a_process_that_ends_in_a_block_leaves_nothing(
    run: stratalog.Run, database: Database, ending: str
) -> None:
    code = f"""
def block():
    with run.transact("child's"):
        run.iamc.add(points(("a", 2020, 1.0)))
        yield
if {"generator" in ending}:
    {ending}
else:
    with run.transact("child's"):
        run.iamc.add(points(("a", 2020, 1.0)))
        {ending if "generator" not in ending else "pass"}
"""
    finish(start(code, database, run))
    assert free(database)
    assert run.iamc.tabulate().empty
    assert run.log(limit=1)["operation"].tolist() == ['rollback of "child\'s"']


def test_ctrl_c_in_a_block_rolls_back(run: stratalog.Run, database: Database) -> None:
    code = """
try:
    with run.transact("child's"):
        run.iamc.add(points(("a", 2020, 1.0)))
        print("ready", flush=True)
        time.sleep(60)
except KeyboardInterrupt:
    print("interrupted", run.owns_lock, len(run.iamc.tabulate()))
"""
    child = start(code, database, run)
    ready(child)
    child.send_signal(signal.SIGINT)
    exit_code, out, err = finish(child)
    assert (exit_code, out) == (0, "interrupted False 0\n"), err
    assert free(database)
    assert run.iamc.tabulate().empty


def test_ctrl_c_while_waiting_for_the_lock(run: stratalog.Run, database: Database) -> None:
    code = """
print("ready", flush=True)
try:
    with run.transact("child's", timeout=600):
        print("got in")
except KeyboardInterrupt:
    print("interrupted", run.owns_lock)
"""
    with run.transact("parent's"):
        child = start(code, database, run)
        ready(child)
        time.sleep(0.3)
        child.send_signal(signal.SIGINT)
        started = time.monotonic()
        exit_code, out, err = finish(child)
        assert time.monotonic() - started < 10
        assert (exit_code, out) == (0, "interrupted False\n"), err
    assert free(database)
    with run.transact("next"):
        pass


@pytest.mark.parametrize("operation", ["add", "remove"])
def test_ctrl_c_during_a_long_call(run: stratalog.Run, database: Database, operation: str) -> None:
    code = """
import pandas as pd
n = 300_000
frame = pd.DataFrame({"region": "World", "variable": [f"v{i // 100}" for i in range(n)],
                      "unit": "EJ/yr", "year": [1900 + i % 100 for i in range(n)], "value": 1.0})
try:
    with run.transact("child's"):
        if sys.argv[3] == "remove":
            run.iamc.add(frame.iloc[::100])
            run.checkpoints.create("all variables")
        print("ready", flush=True)
        getattr(run.iamc, sys.argv[3])(frame)
        time.sleep(60)  # if that was faster than the signal
except KeyboardInterrupt:
    print("interrupted", run.owns_lock)
"""
    child = start(code, database, run, operation)
    ready(child)
    time.sleep(0.7)
    child.send_signal(signal.SIGINT)
    exit_code, out, err = finish(child)
    assert (exit_code, out) == (0, "interrupted False\n"), err
    assert free(database)
    assert len(run.iamc.tabulate()) == (0 if operation == "add" else 3000)
    assert database.open().verify().ok


def test_a_block_that_is_dropped_while_another_thread_writes_in_it(
    run: stratalog.Run, database: Database
) -> None:
    # The writer asks the interpreter for signals, the one who drops waits for the writer.
    years = range(30_000)
    frame = pd.concat([A] * len(years)).assign(year=years)
    block = run.transact("dropped")
    block.__enter__()
    results: list[object] = []

    def write() -> None:
        try:
            results.append(run.iamc.add(frame))
        except stratalog.RunLockRequired as error:
            results.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    time.sleep(0.05)
    del block
    gc.collect()
    writer.join(60)
    assert results and not writer.is_alive()
    assert not run.owns_lock and free(database)
    assert run.iamc.tabulate().empty


def test_whatever_a_signal_handler_raises_ends_the_waiting(
    run: stratalog.Run, database: Database
) -> None:
    code = """
class Alarm(Exception):
    pass
def handler(*_):
    raise Alarm
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.3)
try:
    run.revert_to(0, timeout=600)
except Alarm:
    print("alarm")
"""
    with run.transact("parent's"):
        exit_code, out, err = finish(start(code, database, run))
    assert (exit_code, out) == (0, "alarm\n"), err


def test_ctrl_c_at_any_moment_leaves_all_or_nothing(run: stratalog.Run, database: Database) -> None:
    # Blocks of two writes each, interrupted at random moments: at the end, what is there are whole
    # blocks, and the lock is free.
    code = """
import random, threading
random.seed(int(sys.argv[3]))
done = 0
def interrupt():
    time.sleep(random.random() * 0.05)
    os.kill(os.getpid(), signal.SIGINT)
for attempt in range(30):
    killer = threading.Thread(target=interrupt)
    try:
        killer.start()
        for number in range(1000):
            with run.transact(f"{attempt} {number}"):
                run.iamc.add(points(("a", attempt, float(number))))
                run.iamc.add(points(("b", attempt, float(number))))
    except KeyboardInterrupt:
        done += 1
    try:
        killer.join()
    except KeyboardInterrupt:
        pass
    assert not run.owns_lock, attempt
    table = run.iamc.tabulate(year=attempt)
    a, b = (table[table["variable"] == name]["value"].tolist() for name in "ab")
    assert a == b, (attempt, a, b)
    # A commit that was done counts, whether or not the interruption came before its block was left.
    last = [c.message for c in run.checkpoints if c.message.startswith(f"{attempt} ")]
    assert a == ([float(last[-1].split()[1])] if last else []), (attempt, a, last[-1:])
print("ended", done)
"""
    process = start(code, database, run, "1")
    exit_code, out, err = finish(process)
    assert (exit_code, out) == (0, "ended 30\n"), err
    assert free(database)
    assert database.open().verify().ok
