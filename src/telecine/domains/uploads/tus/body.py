"""The body of a request that appends, read until it ends, breaks off or must make room."""

import asyncio
import enum
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NoReturn

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import Message

from telecine import clock
from telecine.domains.uploads.tus import writing as tus_writing
from telecine.domains.uploads.tus.fields import Checksum, Hash
from telecine.domains.uploads.tus.requests import too_large
from telecine.http.batches import arriving, batch_bytes
from telecine.http.multipart import Sink

CHECKPOINT_BYTES = 16 << 20
CHECKPOINT_S = 1.0
"""What has arrived is recorded as soon as both are reached since the last time."""

_DRAINED_BYTES = 16 << 20
_DRAINED_S = 2.0

Beat = Callable[[], Awaitable[bool]]


class Ending(enum.Enum):
    """Why no more bytes go to a span."""

    BODY = enum.auto()  # the body is complete
    CUT = enum.auto()  # no more of it will come
    ROOM = enum.auto()  # the span is full
    CHECKPOINT = enum.auto()  # it is time to record what came


class Cut(Exception):
    """No more of the body will come; the body's `failure` is why."""


class Body:
    """A request's body. `beat` shows every second that it lives; False: it has to end."""

    def __init__(self, request: Request, beat: Beat) -> None:
        self._request = request
        self._beat = beat
        self._due_s = clock.monotonic_s() + tus_writing.BEAT_S
        self._waiting = memoryview(b"")
        self._more = True
        self.failure: BaseException | None = None

    async def read(self, max_bytes: int) -> memoryview:
        """Return the next bytes, none at the body's end. Raises Cut."""
        while not self._waiting and self._more:
            message = await self._next()
            if message["type"] == "http.disconnect":
                self._fail(ClientDisconnect())
            self._waiting = memoryview(message.get("body", b""))
            self._more = message.get("more_body", False)
            self._request.state.body_is_read = not self._more
        data, self._waiting = self._waiting[:max_bytes], self._waiting[max_bytes:]
        return data

    async def _next(self) -> Message:
        while True:
            left_s = self._due_s - clock.monotonic_s()
            if left_s > 0:
                try:
                    async with asyncio.timeout(left_s):
                        return await self._request.receive()
                except TimeoutError:
                    pass  # nothing comes, but we live
                except asyncio.CancelledError as error:
                    self._fail(error)  # the server stops: what came so far is kept
            self._due_s = clock.monotonic_s() + tus_writing.BEAT_S
            if not await self._beat():
                self._fail(tus_writing.interrupted())

    def _fail(self, failure: BaseException) -> NoReturn:
        self.failure = failure
        raise Cut from failure

    async def skip(self, size_bytes: int) -> None:
        """Drop the next bytes. Raises Cut."""
        while size_bytes and (data := await self.read(size_bytes)):
            size_bytes -= len(data)


class Meter:
    """Passes bytes on in batches, up to byte `limit` of the file; hashes them if asked to."""

    def __init__(self, position: int, limit: int, checksum: Checksum | None) -> None:
        self.position = position
        self._limit = limit
        self._hash: Hash | None = None if checksum is None else checksum.fresh()
        self._expected = None if checksum is None else checksum.digest

    @property
    def verifies(self) -> bool:
        """Tell whether the bytes are kept together or not at all."""
        return self._hash is not None

    @property
    def mismatches(self) -> bool:
        """Tell whether the bytes are others than the client's checksum says."""
        return self._hash is not None and self._hash.digest() != self._expected

    async def fill(self, sink: Sink, body: Body, room_bytes: int | None) -> Ending:
        """Pass bytes on until there is a reason to stop. Raises Problem 413."""
        with arriving():
            return await self._fill(sink, body, room_bytes)

    async def _fill(self, sink: Sink, body: Body, room_bytes: int | None) -> Ending:
        taken_bytes, started_s = 0, clock.monotonic_s()
        while True:
            left = None if room_bytes is None else room_bytes - taken_bytes
            batch, ending = await self._batch(body, left)
            if batch:
                if self._hash is not None:
                    await asyncio.to_thread(self._hash.update, batch)
                await sink.write(batch)
                taken_bytes += len(batch)
            if ending is not None:
                return ending
            if self._is_due(taken_bytes, started_s):
                return Ending.CHECKPOINT

    async def _batch(self, body: Body, room_bytes: int | None) -> tuple[memoryview, Ending | None]:
        most = batch_bytes() if room_bytes is None else min(batch_bytes(), room_bytes)
        if most == 0:
            return memoryview(b""), Ending.ROOM
        batch, ending = bytearray(), None
        while len(batch) < most and ending is None:
            try:
                data = await body.read(most - len(batch))
            except Cut:
                ending = Ending.CUT
            else:
                batch += data
                ending = None if data else Ending.BODY
        self.position += len(batch)
        if self.position > self._limit:
            raise too_large(self._limit)
        return memoryview(batch), ending

    def _is_due(self, taken_bytes: int, started_s: float) -> bool:
        if self.verifies or taken_bytes < CHECKPOINT_BYTES:
            return False
        return clock.monotonic_s() - started_s >= CHECKPOINT_S


async def drain(request: Request) -> None:
    """Read and drop what a client sends before it reads its answer, for a while.

    One that waits to be told to go on is not told.
    """
    waits = "100-continue" in request.headers.get("expect", "").lower()
    if waits or getattr(request.state, "body_is_read", False):
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAINED_S):
            dropped, more = 0, True
            while more and dropped < _DRAINED_BYTES:
                message = await request.receive()
                dropped += len(message.get("body", b""))
                more = message.get("more_body", False)
