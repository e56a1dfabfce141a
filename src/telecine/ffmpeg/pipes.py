"""Pipes to and from a child, read and written by the event loop without a thread.

Asyncio's own pipe transports copy every byte once more and read at most 256 KiB.
"""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Callable

PIPE_BYTES = 1 << 20
"""The most an unprivileged process may ask for by default (fs.pipe-max-size)."""


class Pipe:
    """A pipe with one end here and the other for a child.

    Used as a context manager; `far` is closed by `hand_over` once the child has its copy.
    """

    def __init__(self, *, to_child: bool, size_bytes: int = PIPE_BYTES) -> None:
        reading, writing = os.pipe()
        self._near, self.far = (writing, reading) if to_child else (reading, writing)
        os.set_blocking(self._near, False)
        with contextlib.suppress(OSError):  # over the user's quota: the usual 64 KiB do
            fcntl.fcntl(self._near, fcntl.F_SETPIPE_SZ, size_bytes)

    def __enter__(self) -> "Pipe":
        return self

    def __exit__(self, *_: object) -> None:
        self.hand_over()
        self.close()

    def hand_over(self) -> None:
        """Close the child's end here, so that the child's exit ends the pipe."""
        if self.far >= 0:
            os.close(self.far)
            self.far = -1

    def close(self) -> None:
        """Close our end; for a pipe to the child this is its end of file."""
        if self._near >= 0:
            os.close(self._near)
            self._near = -1

    async def read(self) -> bytes:
        """Return what is there, waiting for the first byte; empty at the end."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                return os.read(self._near, PIPE_BYTES)
            except BlockingIOError:
                await _ready(self._near, loop.add_reader, loop.remove_reader)

    async def write(self, data: bytes, on_written: Callable[[], None]) -> None:
        """Write all of `data`, calling `on_written` each time the child took some.

        Raises:
            BrokenPipeError: the child closed its end.
        """
        loop = asyncio.get_running_loop()
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._near, rest) :]
                on_written()
            except BlockingIOError:
                await _ready(self._near, loop.add_writer, loop.remove_writer)


async def _ready(fd: int, add: Callable[..., None], remove: Callable[[int], bool]) -> None:
    woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    add(fd, _wake, woken)
    try:
        await woken
    finally:
        remove(fd)


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)
