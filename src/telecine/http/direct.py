"""Large bodies, received straight into one buffer.

On the usual way every byte is copied twice before the application sees it, into objects
that the allocator fetches from the kernel and gives back for each read. Here the kernel
copies into a buffer that is used again and again, and the parser, which has nothing to
find in the rest of a body of known length, sees none of it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from starlette.requests import ClientDisconnect, Request

SCOPE_KEY = "telecine.direct"
"""Where a request's scope has a `TakeOver`."""

LEAST_BYTES = 1 << 20
"""Shorter rests of a body are not worth the change."""

Room = Callable[[], int]
"""Tells how many bytes the next piece may have at most."""


class Connection(Protocol):
    """The connection's usual protocol, as far as a body needs it while it is received."""

    def direct_received(self, size: int) -> bool:
        """Note `size` more bytes of the body; tell whether anybody still wants them."""

    def direct_ended(self) -> None:
        """Take the connection back: the body is complete."""

    def pause_reading(self) -> None:
        """Have nothing received until `resume_reading`."""

    def resume_reading(self) -> None:
        """Go on."""

    def pause_writing(self) -> None:
        """As in `asyncio.BaseProtocol`."""

    def resume_writing(self) -> None:
        """As in `asyncio.BaseProtocol`."""

    def connection_lost(self, exc: Exception | None) -> None:
        """As in `asyncio.BaseProtocol`."""


class DirectBody(asyncio.BufferedProtocol):
    """The last `left_bytes` of a body, as the protocol of their connection meanwhile."""

    def __init__(self, connection: Connection, left_bytes: int, room: Room) -> None:
        self._connection = connection
        self._left_bytes = left_bytes
        self._room = room
        self._buffer = memoryview(b"")
        self._filled_bytes = 0
        self._broken = False
        self._changed = asyncio.Event()
        self._make_room()

    async def pieces(self) -> AsyncIterator[memoryview]:
        """Yield the bytes; each piece is valid until the next one is asked for.

        Raises ClientDisconnect.
        """
        while self._left_bytes or self._filled_bytes:
            await self._changed.wait()
            self._changed.clear()
            if self._broken:
                raise ClientDisconnect
            yield self._buffer[: self._filled_bytes]
            self._filled_bytes = 0
            if self._left_bytes:
                self._make_room()
                self._connection.resume_reading()

    def _make_room(self) -> None:
        size = min(self._room(), self._left_bytes)
        if not size <= len(self._buffer) < 2 * size:
            self._buffer = memoryview(bytearray(size))

    def break_off(self) -> None:
        """Tell whoever waits for more that there will be none."""
        self._broken = True
        self._changed.set()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the next bytes go: never more than there are of the body."""
        del sizehint
        if self._filled_bytes == len(self._buffer):
            if self._connection.direct_received(0):
                # Whoever resumed reading beside us: better no body than a wrong one.
                raise RuntimeError("a piece of the body is still in use")
            self._filled_bytes = 0  # the request was answered, and this is in nobody's way
        end = min(len(self._buffer), self._filled_bytes + self._left_bytes)
        return self._buffer[self._filled_bytes : end]

    def buffer_updated(self, nbytes: int) -> None:
        """Take note of bytes that were received."""
        self._left_bytes -= nbytes
        self._filled_bytes += nbytes
        wanted = self._connection.direct_received(nbytes)
        if self._left_bytes == 0:
            self._connection.direct_ended()
        elif wanted and self._filled_bytes == len(self._buffer):
            self._connection.pause_reading()
        else:
            return
        self._changed.set()

    def pause_writing(self) -> None:
        """Hand it on."""
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        """Hand it on."""
        self._connection.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the body, and hand it on."""
        self.break_off()
        self._connection.connection_lost(exc)


TakeOver = Callable[[Room], DirectBody | None]
"""Receives the rest of a body directly; None where that is not possible, or not worth it."""


async def pieces_of(request: Request, room: Room) -> AsyncIterator[bytes | memoryview]:
    """Yield the body of a request; a view is valid until the next piece is asked for.

    `room` bounds the views. Raises ClientDisconnect.
    """
    take_over: TakeOver | None = request.scope.get(SCOPE_KEY)
    async for piece in request.stream():
        # Before anybody waits for anything: more of the body would go the usual way.
        direct = take_over(room) if take_over is not None else None
        yield piece
        if direct is not None:
            async for view in direct.pieces():
                yield view
            return
