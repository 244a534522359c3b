"""Locks that are objects, leases, who holds what, and ending it by hand."""

import gc
import os
import signal
import socket
import threading
import time
import warnings
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from support import Database, finish, free, nothing_written, points, ready, start, values

import stratalog

A = points(("a", 2020, 1.0))
B = points(("b", 2020, 2.0))


def test_a_lock_is_held_until_it_is_committed(run: stratalog.Run, database: Database) -> None:
    lock = run.lock("over several cells")
    assert lock.is_held and run.owns_lock
    assert (lock.message, lock.run_id, lock.token) == ("over several cells", run.id, 1)
    run.iamc.add(A)
    run.iamc.add(B)
    assert "is_held=True" in repr(lock)
    checkpoint = lock.commit()
    assert (checkpoint.message, checkpoint.transaction_id) == (
        "over several cells",
        run.last_transaction,
    )
    assert checkpoint == run.checkpoints["over several cells"]
    assert "is_held=False" in repr(lock)
    assert not lock.is_held and not run.owns_lock and free(database)
    assert len(run.iamc.tabulate()) == 2


def test_a_lock_that_is_rolled_back_says_what_it_undid(
    run: stratalog.Run, database: Database
) -> None:
    lock = run.lock("over several cells")
    run.iamc.add(A)
    run.checkpoints.create("half")
    run.iamc.add(B)
    undone = lock.rollback()
    assert (undone.inserted, undone.updated, undone.deleted) == (0, 0, 1)
    assert not lock.is_held and free(database)
    assert values(run.iamc.tabulate()) == {("a", 2020): 1.0}


@pytest.mark.parametrize("first", ["commit", "rollback"])
@pytest.mark.parametrize("second", ["commit", "rollback", "__enter__"])
def test_a_lock_ends_once(run: stratalog.Run, first: str, second: str) -> None:
    lock = run.lock("once")
    getattr(lock, first)()
    later = run.lock("later")
    with pytest.raises(stratalog.LockError, match=r"committed or rolled back already.*run\.lock"):
        getattr(lock, second)()
    assert later.is_held
    later.rollback()


def test_of_many_threads_that_end_a_lock_one_does(run: stratalog.Run, database: Database) -> None:
    lock = run.lock("once")
    run.iamc.add(A)
    outcomes: list[object] = []

    def end(number: int) -> None:
        try:
            outcomes.append((lock.commit if number % 2 else lock.rollback)())
        except stratalog.LockError as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=end, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(stratalog.LockError) == 7
    committed = any(isinstance(outcome, stratalog.Checkpoint) for outcome in outcomes)
    assert len(run.iamc.tabulate()) == len(run.checkpoints) == int(committed)
    assert free(database)


@pytest.mark.parametrize("how", ["deleted", "rebound"])
def test_a_lock_that_is_dropped_sets_the_run_back_and_says_so(
    platform: stratalog.Platform, run: stratalog.Run, database: Database, how: str
) -> None:
    other = platform.runs.create("model", "scenario")
    lock = run.lock("dropped")
    run.iamc.add(A)
    with pytest.warns(ResourceWarning) as caught:
        if how == "deleted":
            del lock
        else:
            lock = other.lock("another")
        gc.collect()
    (warning,) = caught
    text = str(warning.message)
    assert 'the lock of run model / scenario, version 1 for "dropped"' in text
    assert "rolled back (0 inserted, 0 updated, 1 deleted)" in text
    assert ".commit() or .rollback()" in text
    assert warning.filename == __file__
    assert run.iamc.tabulate().empty and not run.owns_lock
    if how == "rebound":
        lock.rollback()
    assert free(database)


def test_a_lock_that_is_dropped_while_an_exception_is_on_its_way(run: stratalog.Run) -> None:
    def work() -> None:
        lock = run.lock("dropped")
        run.iamc.add(A)
        assert lock.is_held
        raise ValueError("mine")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            work()
        except ValueError as error:
            assert str(error) == "mine"
        gc.collect()
    assert [warning.category for warning in caught] == [ResourceWarning]
    assert run.iamc.tabulate().empty


def test_the_warning_is_shown_although_python_hides_its_kind(
    run: stratalog.Run, database: Database
) -> None:
    code = """
lock = run.lock("dropped")
run.iamc.add(points(("a", 2020, 1.0)))
del lock
print("went on", run.owns_lock)
"""
    exit_code, out, err = finish(start(code, database, run))
    assert (exit_code, out) == (0, "went on False\n")
    assert "ResourceWarning: stratalog: the lock of run model / scenario, version 1" in err
    assert free(database)


def test_an_ended_lock_is_dropped_without_a_word(run: stratalog.Run) -> None:
    lock = run.lock("ended")
    lock.commit()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del lock
        gc.collect()


def test_a_cell_that_is_run_again_is_told_to_end_the_first_lock(
    run: stratalog.Run, database: Database
) -> None:
    cell = "lock = run.lock('cell')"
    namespace: dict[str, stratalog.RunLock | stratalog.Run] = {"run": run}
    exec(cell, namespace)
    run.iamc.add(A)
    with pytest.raises(stratalog.NestedTransact, match=r"\.commit\(\) or \.rollback\(\) first"):
        exec(cell, namespace)
    with pytest.raises(stratalog.NestedTransact, match="commit"), run.transact("inner"):
        pytest.fail("was let in")
    lock = namespace["lock"]
    assert isinstance(lock, stratalog.RunLock) and lock.is_held
    run.iamc.add(B)
    lock.commit()
    assert len(run.iamc.tabulate()) == 2
    exec(cell, namespace)
    lock = namespace["lock"]
    assert isinstance(lock, stratalog.RunLock)
    lock.rollback()
    assert free(database)


def test_a_lock_in_a_with_statement_is_a_block(run: stratalog.Run, database: Database) -> None:
    with run.lock("fine") as lock:
        run.iamc.add(A)
        with pytest.raises(stratalog.LockError, match="with statement already"), lock:
            pass
    assert not lock.is_held
    with pytest.raises(ValueError, match="mine"), run.lock("fails"):
        run.iamc.add(B)
        raise ValueError("mine")
    assert values(run.iamc.tabulate()) == {("a", 2020): 1.0}
    assert [checkpoint.message for checkpoint in run.checkpoints] == ["fine"]
    assert free(database)


@pytest.mark.parametrize("how", ["transact", "lock"])
@pytest.mark.parametrize("end", ["commit", "rollback"])
@pytest.mark.parametrize("then", ["leave", "raise"])
def test_a_block_may_be_ended_in_itself(run: stratalog.Run, how: str, end: str, then: str) -> None:
    stop = KeyError("stop")
    try:
        with getattr(run, how)("early") as lock:
            run.iamc.add(A)
            getattr(lock, end)()
            with pytest.raises(stratalog.RunLockRequired):
                run.iamc.add(B)
            if then == "raise":
                raise stop
    except KeyError as error:
        assert error is stop and not hasattr(error, "__notes__")
    kept = int(end == "commit")
    assert len(run.iamc.tabulate()) == len(run.checkpoints) == kept


def test_the_lock_object_of_a_block_does_not_end_it(run: stratalog.Run) -> None:
    with run.transact("block") as lock:
        run.iamc.add(A)
        del lock
        gc.collect()
        assert run.owns_lock
    assert len(run.iamc.tabulate()) == 1


def test_a_lock_that_was_taken_over_is_lost_and_finished(
    run: stratalog.Run, database: Database
) -> None:
    lock = run.lock("mine")
    run.iamc.add(A)
    bob = database.open("bob")
    bob.locks.force_unlock(run, token=lock.token, reason="it blocks the release")
    theirs = bob.runs.get_by_id(run.id).lock("theirs")
    with pytest.raises(stratalog.LockLost):
        run.iamc.add(B)
    with pytest.raises(stratalog.LockLost):
        lock.commit()
    assert not lock.is_held and not run.owns_lock
    with pytest.raises(stratalog.LockError, match="already"):
        lock.rollback()
    theirs.rollback()
    with run.lock("again"):
        run.iamc.add(B)


def test_a_lock_at_the_end_of_the_program_is_rolled_back(
    run: stratalog.Run, database: Database
) -> None:
    code = """
lock = run.lock("notebook")
run.iamc.add(points(("a", 2020, 1.0)))
"""
    exit_code, out, err = finish(start(code, database, run))
    assert (exit_code, out) == (0, "")
    assert "run model / scenario, version 1 was still locked when Python ended: rolled back" in err
    assert "Warning" not in err
    assert free(database) and run.iamc.tabulate().empty


def test_the_table_of_locks(run: stratalog.Run, database: Database) -> None:
    ada = database.open("ada", lease=20)
    before = datetime.now(UTC)
    table = ada.locks.tabulate()
    columns = {
        "run_id": "int64",
        "run": "object",
        "token": "int64",
        "holder": "object",
        "host": "object",
        "pid": "int64",
        "reason": "object",
        "acquired_at": "datetime64[us, UTC]",
        "expires_at": "datetime64[us, UTC]",
        "last_write_at": "datetime64[us, UTC]",
        "state": "object",
        "lock_transaction": "int64",
    }
    assert table.empty and table.columns.tolist() == list(columns)
    lock = ada.runs.get_by_id(run.id).lock("long edit")
    table = ada.locks.tabulate()
    assert table.columns.tolist() == list(columns)
    for name, dtype in columns.items():
        if dtype == "object":
            assert pd.api.types.is_string_dtype(table[name]), name
        else:
            assert str(table[name].dtype) == dtype, name
    (row,) = table.to_dict("records")
    times = {name: row.pop(name) for name in ("acquired_at", "expires_at", "last_write_at")}
    assert row == {
        "run_id": run.id,
        "run": "model / scenario, version 1",
        "token": 1,
        "holder": "ada",
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "reason": "long edit",
        "state": "held",
        "lock_transaction": 0,
    }
    second = timedelta(seconds=1)
    assert before - second <= times["acquired_at"] <= datetime.now(UTC) + second
    lasts = times["expires_at"] - times["acquired_at"]
    assert abs(lasts - timedelta(seconds=20)) < 10 * second
    assert times["last_write_at"] is pd.NaT
    with pytest.raises(stratalog.RunIsLocked) as raised:
        run.lock("mine")
    assert raised.value.last_write_at is None
    assert raised.value.expires_at > datetime.now(UTC)
    lock.rollback()


def test_the_last_write_is_shown(run: stratalog.Run, database: Database) -> None:
    with run.transact("mine"):
        run.iamc.add(A)
        written = database.open().locks.tabulate()["last_write_at"][0]
        assert abs(written - datetime.now(UTC)) < timedelta(seconds=60)
        with pytest.raises(stratalog.RunIsLocked) as raised:
            database.open().runs.get_by_id(run.id).lock("theirs")
        assert raised.value.last_write_at == written


def test_unlocking_by_hand(
    platform: stratalog.Platform, run: stratalog.Run, database: Database
) -> None:
    ada, bob = database.open("ada"), database.open("bob")
    with run.transact("before"):
        run.iamc.add(A)
    lock = ada.runs.get_by_id(run.id).lock("forgotten")
    with nothing_written(database, run):
        with pytest.raises(stratalog.LockTokenMismatch, match="under token 7") as wrong:
            bob.locks.force_unlock(run, token=7, reason="why")
        assert (wrong.value.asked, wrong.value.found) == (7, lock.token)
        assert wrong.value.run == "model / scenario, version 1"
        assert isinstance(wrong.value, stratalog.LockError)
        with pytest.raises(stratalog.InvalidName, match="say why"):
            bob.locks.force_unlock(run, token=lock.token, reason=" ")
        with pytest.raises(stratalog.RunNotFound):
            bob.locks.force_unlock(77, token=lock.token, reason="why")
        with pytest.raises(TypeError):
            bob.locks.force_unlock(run, lock.token, "why")  # type: ignore[misc]
        assert lock.is_held
    undone = bob.locks.force_unlock(run.id, token=lock.token, reason="left for the weekend")
    assert isinstance(undone, stratalog.ChangeCounts) and not undone
    assert free(database)
    with pytest.raises(stratalog.LockLost):
        lock.rollback()
    with pytest.raises(stratalog.LockTokenMismatch, match="it is free") as wrong:
        bob.locks.force_unlock(run, token=lock.token, reason="again")
    assert wrong.value.found is None


def test_unlocking_by_hand_rolls_back(run: stratalog.Run, database: Database) -> None:
    with run.transact("before"):
        run.iamc.add(A)
    lock = run.lock("forgotten")
    run.iamc.remove(A)
    undone = database.open("bob").locks.force_unlock(run, token=lock.token, reason="in the way")
    assert (undone.inserted, undone.total) == (1, 1)
    assert values(run.iamc.tabulate()) == {("a", 2020): 1.0}
    with pytest.raises(stratalog.LockLost):
        lock.rollback()
    assert database.open().verify().ok


def test_the_table_of_events(
    platform: stratalog.Platform, run: stratalog.Run, database: Database
) -> None:
    other = platform.runs.create("model", "other")
    locks = database.open("bob").locks
    empty = locks.events()
    columns = [
        "id",
        "occurred_at",
        "run_id",
        "event",
        "token",
        "holder",
        "host",
        "pid",
        "holder_reason",
        "actor",
        "reason",
    ]
    assert empty.empty and empty.columns.tolist() == columns
    for victim in (run, other, run):
        lock = victim.lock("forgotten")
        locks.force_unlock(victim, token=lock.token, reason="in the way")
        with pytest.raises(stratalog.LockLost):
            lock.rollback()
    events = locks.events()
    assert events["run_id"].tolist() == [run.id, other.id, run.id]
    assert events["id"].is_monotonic_decreasing
    assert str(events["occurred_at"].dtype) == "datetime64[us, UTC]"
    newest = events.iloc[0].drop(["id", "occurred_at"]).to_dict()
    assert newest == {
        "run_id": run.id,
        "event": "forced",
        "token": 3,
        "holder": platform.actor,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "holder_reason": "forgotten",
        "actor": "bob",
        "reason": "in the way",
    }
    assert locks.events(run)["run_id"].tolist() == [run.id, run.id]
    assert locks.events(other.id)["run_id"].tolist() == [other.id]
    assert locks.events(limit=1)["id"].tolist() == [events["id"][0]]
    assert len(locks.events(limit=None)) == 3
    with pytest.raises(stratalog.InvalidFilter, match="limit=-1"):
        locks.events(limit=-1)


@pytest.mark.parametrize("lease", [0, -1, 0.05, float("nan"), float("inf"), 1e9])
def test_a_lease_that_cannot_work_is_refused(run: stratalog.Run, lease: float) -> None:
    with pytest.raises(stratalog.InvalidLease, match="lease"):
        stratalog.Platform("sqlite://:memory:", lease=lease)
    with pytest.raises(stratalog.InvalidLease, match="lease"), run.transact("x", lease=lease):
        pytest.fail("was let in")
    with pytest.raises(stratalog.InvalidLease, match="lease"):
        run.lock("x", lease=lease)
    assert not run.owns_lock
    with pytest.raises(stratalog.InvalidLease, match="heartbeat"):
        stratalog.Platform("sqlite://:memory:", lease=10, heartbeat=6)
    assert issubclass(stratalog.InvalidLease, ValueError)


def lease_of(database: Database) -> float:
    """What the only lock's lease was renewed to, in seconds from now."""
    expires = database.open().locks.tabulate()["expires_at"][0]
    return float((expires - datetime.now(UTC)).total_seconds())


def test_a_lease_may_be_the_platforms_or_the_blocks(run: stratalog.Run, database: Database) -> None:
    mine = database.open(lease=100).runs.get_by_id(run.id)
    with mine.transact("platform's"):
        assert 80 < lease_of(database) < 102
    with mine.transact("block's", lease=200):
        assert 180 < lease_of(database) < 202
    with mine.lock("lock's", lease=300):
        assert 280 < lease_of(database) < 302


def test_a_lease_is_renewed_while_python_is_busy(run: stratalog.Run, database: Database) -> None:
    mine = database.open(lease=1.5).runs.get_by_id(run.id)
    with mine.transact("busy"):
        # One call that never lets go of the interpreter.
        started = time.monotonic()
        while time.monotonic() - started < 3:
            sum(range(10_000_000))
        with pytest.raises(stratalog.RunIsLocked):
            database.open().runs.get_by_id(run.id).lock("theirs")
        mine.iamc.add(A)
    assert len(run.iamc.tabulate()) == 1


HOLD = """
import signal
hold = stratalog.Platform(sys.argv[1], actor="child", lease=float(sys.argv[3]))
held = hold.runs.get_by_id(run.id)
with held.transact("child's"):
    held.iamc.add(points(("a", 2020, 1.0)))
    held.checkpoints.create("half")
    held.iamc.add(points(("b", 2020, 2.0)))
    print("ready", flush=True)
    sys.stdin.readline()
    held.iamc.add(points(("c", 2020, 3.0)))
"""


def test_a_killed_holder_is_followed_at_once(run: stratalog.Run, database: Database) -> None:
    child = start(HOLD, database, run, "600")
    ready(child)
    child.kill()
    child.wait()
    started = time.monotonic()
    with run.transact("next", timeout=30):
        assert values(run.iamc.tabulate()) == {("a", 2020): 1.0}
    assert time.monotonic() - started < 10  # and not the lease's ten minutes
    finish(child)
    (event,) = database.open().locks.events().to_dict("records")
    assert (event["event"], event["reason"]) == ("taken over", "its process ended")
    assert (event["holder"], event["pid"]) == ("child", child.pid)
    assert run.log(limit=1)["operation"][0] == 'rollback of "child\'s": its process ended'
    assert database.open().verify().ok


def test_a_killed_holder_is_shown_as_dead(run: stratalog.Run, database: Database) -> None:
    child = start(HOLD, database, run, "600")
    ready(child)
    assert database.open().locks.tabulate()["state"].tolist() == ["held"]
    child.kill()
    finish(child)
    deadline = time.monotonic() + 10
    while (state := database.open().locks.tabulate()["state"].tolist()) != ["dead"]:
        assert time.monotonic() < deadline, state


def test_a_stopped_holder_loses_the_lock_when_its_lease_runs_out(
    run: stratalog.Run, database: Database
) -> None:
    child = start(HOLD, database, run, "1.5")
    ready(child)
    child.send_signal(signal.SIGSTOP)
    started = time.monotonic()
    with pytest.raises(stratalog.RunIsLocked):
        run.lock("at once")
    with run.transact("next", timeout=30):
        assert 0.5 < time.monotonic() - started < 20
        assert values(run.iamc.tabulate()) == {("a", 2020): 1.0}
        child.send_signal(signal.SIGCONT)
        exit_code, _, err = finish(child, input="\n")
        assert exit_code == 1 and "stratalog.LockLost" in err
        assert values(run.iamc.tabulate()) == {("a", 2020): 1.0}
    assert database.open().locks.events()["reason"].tolist() == ["its lease ran out"]
    assert database.open().verify().ok


def test_a_stopped_holder_keeps_the_lock_that_nobody_asked_for(
    run: stratalog.Run, database: Database
) -> None:
    child = start(HOLD, database, run, "1.5")
    ready(child)
    child.send_signal(signal.SIGSTOP)
    deadline = time.monotonic() + 20
    while (state := database.open().locks.tabulate()["state"].tolist()) != ["expired"]:
        assert time.monotonic() < deadline, state
        time.sleep(0.1)
    child.send_signal(signal.SIGCONT)
    exit_code, _, err = finish(child, input="\n")
    assert exit_code == 0, err
    assert sorted(values(run.iamc.tabulate())) == [("a", 2020), ("b", 2020), ("c", 2020)]
    assert run.checkpoints["child's"].actor == "child"
    assert free(database) and database.open().locks.events().empty
