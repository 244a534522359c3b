"""Blocks for asyncio: entered and left in a thread, so that the event loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Literal, TypeVar, cast

if TYPE_CHECKING:
    from stratalog._stratalog import RunLock, Transact

__all__ = ["TransactAsync"]

_T = TypeVar("_T")


class TransactAsync:
    """A block that writes to a run; made by ``Run.transact_async``, used once in an ``async with``
    statement. It takes, commits and rolls back as a ``Transact`` block does, and
    ``asyncio.CancelledError`` is an exception like any other.
    """

    def __init__(self, block: Transact) -> None:
        self._block = block

    async def __aenter__(self) -> RunLock:
        """Takes the lock. A task that is cancelled while it waits never holds it afterwards.

        Raises:
            RunIsLocked: somebody else holds it, still after ``timeout`` seconds.
            NestedTransact: this very ``Run`` object holds it, another task perhaps.
            LockError: this block was used already.
        """
        given_up = threading.Event()

        def wanted() -> bool:
            # The thread must not keep a program from ending whose event loop is gone.
            return not given_up.is_set() and threading.main_thread().is_alive()

        entering = _in_a_thread(functools.partial(self._block._enter_while, wanted))
        try:
            await asyncio.wait([entering])
        except asyncio.CancelledError as cancelled:
            given_up.set()
            await _finish(entering)
            if entering.exception() is None:
                # The lock came at the same moment.
                leaving = _in_a_thread(functools.partial(_leave, self._block, cancelled))
                await _finish(leaving)
                leaving.result()
            raise
        except GeneratorExit:
            # Nobody runs this any more, so nothing may be awaited. A lock that comes now is
            # dropped with the block.
            given_up.set()
            raise
        return entering.result()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> Literal[False]:
        """Commits, or rolls back when an exception is on its way. Never swallows one. Goes on to
        its end when the task is cancelled meanwhile, and passes the cancellation on after that.
        """
        if isinstance(exc, GeneratorExit):
            # Nobody runs this any more, so nothing may be awaited.
            _leave(self._block, exc)
            return False
        leaving = _in_a_thread(functools.partial(_leave, self._block, exc))
        cancelled = await _finish(leaving)
        leaving.result()
        if cancelled is not None:
            raise cancelled
        return False

    def __repr__(self) -> str:
        return f"<async {repr(self._block).strip('<>')}>"


def _leave(block: Transact, exc: BaseException | None) -> None:
    block.__exit__(type(exc) if exc else None, exc, exc.__traceback__ if exc else None)


def _in_a_thread(work: Callable[[], _T]) -> asyncio.Future[_T]:
    """Does the work in a thread of its own.

    Not in one of the loop's: tasks that wait for a lock could occupy all of those, and its holder
    needs one for what it does under the lock.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_T] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: _T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(cast("_T", result))
        else:
            future.set_exception(error)

    def run() -> None:
        result, error = None, None
        try:
            result = context.run(work)
        except BaseException as raised:
            error = raised
        # Nobody listens any more when the loop was closed; dropping the block ends it then.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result, error)
        # Its traceback holds this frame.
        error = None

    threading.Thread(target=run, name="stratalog-async").start()
    return future


async def _finish(future: asyncio.Future[_T]) -> asyncio.CancelledError | None:
    """Waits for it to the end, however often the task is cancelled; gives the last cancellation."""
    cancelled = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    return cancelled
