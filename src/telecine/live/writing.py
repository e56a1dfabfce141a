"""A thread that writes for one recording, several times a second.

A pool of threads does the same for anybody, and costs more than the writing itself.
"""

import asyncio
import contextlib
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from types import TracebackType

_Job = tuple[asyncio.Future[None], Callable[[], None]]


class Writing:
    """Does one thing after another, as long as its context lasts."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="recording")

    def __enter__(self) -> "Writing":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._jobs.put(None)  # behind what was asked for, which is still done

    async def do(self, job: Callable[[], None]) -> None:
        """Call `job` in the thread; what it raises is raised here."""
        done = self._loop.create_future()
        self._jobs.put((done, job))
        await done

    def _work(self) -> None:
        while (asked := self._jobs.get()) is not None:
            done, job = asked
            error: Exception | None = None
            try:
                job()
            except Exception as raised:  # noqa: BLE001 - it is raised where it is waited for
                error = raised
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                self._loop.call_soon_threadsafe(_settle, done, error)


def _settle(done: asyncio.Future[None], error: Exception | None) -> None:
    if done.done():
        return  # nobody waits any more
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
