"""Work in threads, and what a cancellation of its caller does to it."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from telecine.storage.threads import in_thread
from tests.fixtures.waiting import until

pytestmark = pytest.mark.anyio


class Work:
    """Blocks until it is let go; remembers how far it came."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error
        self.begun = threading.Event()
        self.let_go = threading.Event()
        self.ended = False

    def __call__(self) -> str:
        self.begun.set()
        self.let_go.wait()
        self.ended = True
        if self._error is not None:
            raise self._error
        return threading.current_thread().name

    async def has_begun(self) -> bool:
        return self.begun.is_set()


async def test_the_result_and_the_error_come_back() -> None:
    assert await in_thread(None, int, "12", base=3) == 5
    with pytest.raises(ValueError, match="twelve"):
        await in_thread(None, int, "twelve")
    work = Work()
    work.let_go.set()
    with ThreadPoolExecutor(1, "mine") as threads:
        assert (await in_thread(threads, work)).startswith("mine")


@pytest.mark.parametrize("error", [None, OSError("too late")])
async def test_who_is_cancelled_waits_for_the_end(error: Exception | None) -> None:
    work = Work(error)
    caller = asyncio.create_task(in_thread(None, work))
    await until(work.has_begun)
    for _ in range(3):
        caller.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not caller.done()
    work.let_go.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert work.ended


async def test_a_cancellation_that_meets_the_end_leaves_nothing_waiting() -> None:
    for _ in range(200):
        work = Work()
        caller = asyncio.create_task(in_thread(None, work))
        await asyncio.sleep(0)
        work.let_go.set()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert work.ended
