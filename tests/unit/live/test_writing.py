import asyncio
import threading
from functools import partial

import pytest

from telecine.live.writing import Writing

pytestmark = pytest.mark.anyio


def fail() -> None:
    raise OSError("no room")


async def test_one_thing_is_done_after_another_beside_the_loop() -> None:
    done, threads = list[int](), set[threading.Thread]()

    def note(number: int) -> None:
        done.append(number)
        threads.add(threading.current_thread())

    with Writing() as writing:
        await asyncio.gather(*(writing.do(partial(note, number)) for number in range(9)))
    assert done == list(range(9))
    [thread] = threads
    assert thread is not threading.current_thread()
    await asyncio.to_thread(thread.join)  # it ends with its context


async def test_what_fails_is_raised_where_it_is_waited_for_and_the_next_is_done() -> None:
    done = list[int]()
    with Writing() as writing:
        with pytest.raises(OSError, match="no room"):
            await writing.do(fail)
        await writing.do(partial(done.append, 1))
    assert done == [1]


async def test_what_nobody_waits_for_any_more_is_done_before_the_end() -> None:
    begun, go_on, done = threading.Event(), threading.Event(), threading.Event()
    with Writing() as writing:

        def slow() -> None:
            begun.set()
            go_on.wait()

        first = asyncio.ensure_future(writing.do(slow))
        await asyncio.to_thread(begun.wait)
        second = asyncio.ensure_future(writing.do(done.set))
        await asyncio.wait([first, second], timeout=0)
        first.cancel()
        second.cancel()
        await asyncio.wait([first, second])
    assert not done.is_set()
    go_on.set()
    await asyncio.to_thread(done.wait)
