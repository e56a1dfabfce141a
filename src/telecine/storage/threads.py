"""Blocking work in threads, whose end a cancelled caller waits for.

An upload goes to a thread for each piece, so the way there is kept short: asyncio's own
makes three futures of one, each with its locks and callbacks.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_ANY = ThreadPoolExecutor(16, "store-any")


async def in_thread(
    threads: Executor | None, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Run blocking work (None: in threads for any); when cancelled, first wait for its end.

    It holds a descriptor, whose number would name another file once it is closed.
    """
    call = _Call[T](asyncio.get_running_loop())
    (threads or _ANY).submit(call.run, lambda: work(*args, **kwargs))
    return await call.wait()


class _Call(Generic[T]):
    """One piece of work: `run` in a thread, all else on the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._told = loop.create_future()
        self._ended = False

    def run(self, work: Callable[[], T]) -> None:
        """Do the work, and have the loop told of its result or its error."""
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - the caller gets it, whatever it is
            self._loop.call_soon_threadsafe(self._end, None, error)
        else:
            self._loop.call_soon_threadsafe(self._end, result, None)

    def _end(self, result: T | None, error: BaseException | None) -> None:
        self._ended = True
        if self._told.done():
            return  # the caller was cancelled, and has not come to wait again yet
        if error is None:
            self._told.set_result(result)
        else:
            self._told.set_exception(error)

    async def wait(self) -> T:
        """Return the result; a cancellation ends it only when the work has ended."""
        try:
            return await self._told  # type: ignore[no-any-return]
        except asyncio.CancelledError:
            while not self._ended:
                self._told = self._loop.create_future()
                await self._settle()
            raise

    async def _settle(self) -> None:
        try:
            await asyncio.wait([self._told])
        except asyncio.CancelledError:
            return  # once more: it changes nothing
        self._told.exception()  # seen; the cancellation is what counts
