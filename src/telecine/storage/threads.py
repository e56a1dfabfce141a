"""Blocking work in threads, whose end a cancelled caller waits for."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(
    threads: Executor | None, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Run blocking work (None: in the loop's own threads); when cancelled, first wait for its end.

    It holds a descriptor, whose number would name another file once it is closed.
    """
    loop = asyncio.get_running_loop()
    future = loop.run_in_executor(threads, lambda: work(*args, **kwargs))
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        while not future.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([future])
        if not future.cancelled():
            future.exception()  # seen; the cancellation is what counts
        raise
