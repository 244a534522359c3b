"""Blocks for asyncio."""

import asyncio
import functools
import gc
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support import Database, finish, free, points, ready, start, values

import stratalog

A = points(("a", 2020, 1.0))
B = points(("b", 2020, 2.0))


def in_a_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Runs an async test to its end, with asyncio's own checks on."""

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        async def main() -> None:
            asyncio.get_running_loop().slow_callback_duration = 10
            await asyncio.wait_for(test(**fixtures), timeout=120)

        asyncio.run(main(), debug=True)
        for thread in threading.enumerate():
            if thread.name == "stratalog-async":
                # It may still be on its way out.
                thread.join(5)
                assert not thread.is_alive()

    return run


class Ticks:
    """Counts how often the event loop has a turn."""

    async def __aenter__(self) -> "Ticks":
        self.count = 0
        self.task = asyncio.create_task(self.tick())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()

    async def tick(self) -> None:
        while True:
            self.count += 1
            await asyncio.sleep(0.005)


@in_a_loop
async def test_a_block_ends_in_a_checkpoint(run: stratalog.Run, database: Database) -> None:
    block = run.transact_async("Baseline")
    assert repr(block) == "<async transact 'Baseline' on run model / scenario, version 1>"
    async with block as lock:
        assert isinstance(lock, stratalog.RunLock) and lock.is_held and run.owns_lock
        await asyncio.to_thread(run.iamc.add, A)
        run.iamc.add(B)
    assert not lock.is_held and free(database)
    assert run.checkpoints["Baseline"].transaction_id == run.last_transaction
    with pytest.raises(stratalog.LockError, match="used already"):
        async with block:
            pass
    assert len(run.iamc.tabulate()) == 2


class Stop(BaseException):
    """Not an Exception."""


@pytest.mark.parametrize("kind", [ValueError, Stop, asyncio.CancelledError])
@in_a_loop
async def test_a_block_that_fails_is_rolled_back(
    run: stratalog.Run, database: Database, kind: type[BaseException]
) -> None:
    error = kind("mine")
    with pytest.raises(kind) as raised:
        async with run.transact_async("fails"):
            run.iamc.add(A)
            run.checkpoints.create("half")
            await asyncio.to_thread(run.iamc.add, B)
            raise error
    assert raised.value is error and not hasattr(error, "__notes__")
    assert values(run.iamc.tabulate()) == {("a", 2020): 1.0}
    assert free(database)


@in_a_loop
async def test_a_rollback_that_fails_is_noted_on_the_users_error(
    run: stratalog.Run, database: Database
) -> None:
    with pytest.raises(ValueError, match="mine") as raised:
        async with run.transact_async("fails") as lock:
            database.open("bob").locks.force_unlock(run, token=lock.token, reason="in the way")
            raise ValueError("mine")
    assert "setting run model / scenario, version 1 back failed" in raised.value.__notes__[0]


@in_a_loop
async def test_a_commit_that_fails_is_raised(run: stratalog.Run, database: Database) -> None:
    with pytest.raises(stratalog.LockLost):
        async with run.transact_async("lost") as lock:
            database.open("bob").locks.force_unlock(run, token=lock.token, reason="in the way")
    assert not run.owns_lock


@in_a_loop
async def test_the_loop_goes_on_while_the_lock_is_waited_for(
    run: stratalog.Run, database: Database
) -> None:
    other = database.open().runs.get_by_id(run.id)
    async with run.transact_async("long edit"), Ticks() as ticks:
        started = time.monotonic()
        with pytest.raises(stratalog.RunIsLocked, match=r"waited 0\.\d s"):
            async with other.transact_async("x", timeout=0.5):
                pytest.fail("was let in")
        assert 0.4 < time.monotonic() - started < 10
        assert ticks.count > 20
        with pytest.raises(stratalog.RunIsLocked):
            async with other.transact_async("x"):
                pytest.fail("was let in")


@in_a_loop
async def test_tasks_take_turns(run: stratalog.Run, database: Database) -> None:
    platform = database.open()
    inside = 0

    async def write(number: int) -> None:
        nonlocal inside
        mine = platform.runs.get_by_id(run.id)
        # More of them than the loop has threads: those who wait must not occupy the holder's.
        async with mine.transact_async(f"{number}", timeout=60):
            inside += 1
            assert inside == 1
            await asyncio.to_thread(mine.iamc.add, points((f"{number}", 2020, 1.0)))
            inside -= 1

    async with asyncio.TaskGroup() as group:
        for number in range(40):
            group.create_task(write(number))
    assert len(run.iamc.tabulate()) == len(run.checkpoints) == 40
    assert free(database) and platform.verify().ok


@in_a_loop
async def test_two_tasks_on_one_run_object_do_not_nest(run: stratalog.Run) -> None:
    inside, leave = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with run.transact_async("first"):
            inside.set()
            await leave.wait()

    task = asyncio.create_task(first())
    await inside.wait()
    with pytest.raises(stratalog.NestedTransact):
        async with run.transact_async("second", timeout=60):
            pytest.fail("was let in")
    leave.set()
    await task
    async with run.transact_async("second"):
        pass
    assert [checkpoint.message for checkpoint in run.checkpoints] == ["first", "second"]


@in_a_loop
async def test_a_task_that_is_cancelled_while_it_waits_never_holds_the_lock(
    run: stratalog.Run, database: Database
) -> None:
    other = database.open().runs.get_by_id(run.id)
    async with run.transact_async("long edit"):

        async def wait() -> None:
            async with other.transact_async("x", timeout=600):
                pytest.fail("was let in")

        task = asyncio.create_task(wait())
        await asyncio.sleep(0.3)
        started = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - started < 5
        assert not other.owns_lock
    assert free(database)
    async with other.transact_async("next"):
        pass


@pytest.mark.parametrize("milliseconds", range(0, 60, 3))
@in_a_loop
async def test_a_task_that_is_cancelled_around_the_moment_it_gets_the_lock(
    run: stratalog.Run, database: Database, milliseconds: int
) -> None:
    other = database.open().runs.get_by_id(run.id)
    entered = False

    async def enter() -> None:
        nonlocal entered
        async with other.transact_async("x", timeout=60):
            entered = True
            other.iamc.add(A)
            await asyncio.sleep(60)

    task = asyncio.create_task(enter())
    await asyncio.sleep(milliseconds / 1000)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not other.owns_lock and free(database)
    assert run.iamc.tabulate().empty and len(run.checkpoints) == 0
    assert run.log()["operation"].tolist() == (['rollback of "x"', "iamc.add"] if entered else [])


@in_a_loop
async def test_a_timeout_of_asyncio_ends_the_waiting_and_the_block(
    run: stratalog.Run, database: Database
) -> None:
    other = database.open().runs.get_by_id(run.id)
    async with run.transact_async("long edit"):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3), other.transact_async("x", timeout=600):
                pytest.fail("was let in")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5), run.transact_async("slow"):
            await asyncio.to_thread(run.iamc.add, A)
            await asyncio.sleep(60)
    assert run.iamc.tabulate().empty and free(database)


@in_a_loop
async def test_a_task_group_that_fails_rolls_back_its_other_blocks(
    platform: stratalog.Platform, run: stratalog.Run, database: Database
) -> None:
    other = platform.runs.create("model", "other")
    both = asyncio.Barrier(2)

    async def write() -> None:
        async with other.transact_async("other"):
            await asyncio.to_thread(other.iamc.add, A)
            await both.wait()
            await asyncio.sleep(60)

    async def fail() -> None:
        async with run.transact_async("fails"):
            await asyncio.to_thread(run.iamc.add, A)
            await both.wait()
            raise ValueError("mine")

    with pytest.raises(ExceptionGroup) as raised:
        async with asyncio.TaskGroup() as group:
            group.create_task(write())
            group.create_task(fail())
    assert [type(error) for error in raised.value.exceptions] == [ValueError]
    assert run.iamc.tabulate().empty and other.iamc.tabulate().empty
    assert free(database)


@in_a_loop
async def test_a_block_that_is_cancelled_while_a_thread_writes_waits_for_it(
    run: stratalog.Run, database: Database
) -> None:
    many = points(*[("a", year, 1.0) for year in range(2_000)])

    async def write() -> None:
        async with run.transact_async("x"):
            await asyncio.to_thread(run.iamc.add, many)
            await asyncio.sleep(60)

    task = asyncio.create_task(write())
    while not run.owns_lock:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert run.iamc.tabulate().empty and free(database)


@pytest.mark.parametrize("times", [1, 3])
@in_a_loop
async def test_a_block_that_is_cancelled_while_it_is_left_is_left_whole(
    run: stratalog.Run, database: Database, times: int
) -> None:
    left = asyncio.Event()

    async def write() -> None:
        async with run.transact_async("whole"):
            run.iamc.add(A)
            left.set()
        pytest.fail("the cancellation was swallowed")

    task = asyncio.create_task(write())
    await left.wait()
    for _ in range(times):
        # The thread that commits was started in the step that set the event.
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [checkpoint.message for checkpoint in run.checkpoints] == ["whole"]
    assert len(run.iamc.tabulate()) == 1 and free(database)


def test_a_loop_that_is_closed_over_a_block_leaves_nothing(
    run: stratalog.Run, database: Database
) -> None:
    async def write() -> None:
        async with run.transact_async("abandoned"):
            run.iamc.add(A)
            await asyncio.sleep(60)

    loop = asyncio.new_event_loop()
    task = loop.create_task(write())
    while not run.owns_lock or run.iamc.tabulate().empty:
        loop.run_until_complete(asyncio.sleep(0.01))
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.close()
    del task, loop
    gc.collect()
    deadline = time.monotonic() + 10
    while run.owns_lock:
        assert time.monotonic() < deadline
        gc.collect()
    assert run.iamc.tabulate().empty and free(database)


MAIN = """
import asyncio
async def main():
    async with run.transact_async("child's"):
        await asyncio.to_thread(run.iamc.add, points(("a", 2020, 1.0)))
        print("ready", flush=True)
        {ending}
asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("await asyncio.sleep(60)", -signal.SIGINT),
        ("sys.exit(3)", 3),
        ("raise ValueError('mine')", 1),
        ("asyncio.get_running_loop().stop(); await asyncio.sleep(60)", 1),
    ],
)
def test_a_program_that_ends_in_a_block_leaves_nothing(
    run: stratalog.Run, database: Database, ending: str, code: int
) -> None:
    child = start(MAIN.format(ending=ending), database, run)
    ready(child)
    if code == -signal.SIGINT:
        child.send_signal(signal.SIGINT)
    started = time.monotonic()
    exit_code, _, err = finish(child)
    assert time.monotonic() - started < 10
    assert exit_code == code, err
    assert free(database) and run.iamc.tabulate().empty
    assert run.log(limit=1)["operation"].tolist() == ['rollback of "child\'s"']


def test_a_program_whose_loop_is_gone_does_not_wait_for_the_lock(
    run: stratalog.Run, database: Database
) -> None:
    code = """
import asyncio
async def wait():
    async with run.transact_async("child's", timeout=600):
        print("got in")
loop = asyncio.new_event_loop()
task = loop.create_task(wait())
loop.run_until_complete(asyncio.sleep(0.3))
print("ready", flush=True)
"""
    with run.transact("parent's"):
        child = start(code, database, run)
        ready(child)
        started = time.monotonic()
        _, out, _ = finish(child)
        assert time.monotonic() - started < 10
        assert out == ""
    assert free(database)
