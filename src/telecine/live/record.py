"""Writes an event to a file as it comes: every part at once, durable every two seconds.

The file is a fragmented MP4, so that whatever is whole of it can be played.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from uuid import UUID

import structlog

from telecine import clock
from telecine.live.model import Ended, Init, Output, Part, Place, SegmentEnd
from telecine.live.ports import Broadcasts, RecordingPlace
from telecine.live.window import Window
from telecine.storage.local import LocalStore
from telecine.storage.store import StoreError

log = structlog.get_logger()

SYNC_S = 2.0
QUEUE_BYTES = 64 << 20
"""What may wait for the disk, of one recording; then it ends."""

LONGEST_MS = 12 * 3600 * 1000


class Recorder:
    """Records one event into `store`.

    `take` never blocks; `run` writes, and returns once everything that was taken before
    `Ended` is stored and reported. A new init segment begins a new file, as does the
    twelfth hour. A file that cannot go on ends where it is: viewers do not notice.
    """

    def __init__(
        self, broadcasts: Broadcasts, store: LocalStore, window: Window, stream: str, *, kept: bool
    ) -> None:
        self._broadcasts = broadcasts
        self._store = store
        self._window = window
        self._stream = stream
        self._kept = kept
        self._queue: asyncio.Queue[Output] = asyncio.Queue()
        self._waiting_bytes = 0
        self.failure: str | None = None
        self._closed: list[RecordingPlace] = []
        self._syncing: asyncio.Task[None] | None = None

    def take(self, output: Output) -> None:
        """Queue what the packager made."""
        if isinstance(output, Part | Init):
            if self.failure is None and self._waiting_bytes > QUEUE_BYTES:
                self.failure = "the disk does not keep up"
            if self.failure is not None:
                return
            self._waiting_bytes += len(output.data)
        self._queue.put_nowait(output)

    async def run(self, event: UUID) -> None:
        """Write files until the event has ended."""
        async with asyncio.TaskGroup() as group:
            await self._write(event, group)

    async def _write(self, event: UUID, group: asyncio.TaskGroup) -> None:
        init: Init | None = None
        file: _File | None = None
        async for output in self._outputs():
            if isinstance(output, Init):
                init = output
            full = file is not None and file.duration_ms >= LONGEST_MS
            new_segment = isinstance(output, Part) and output.number == 0
            if file is not None and (isinstance(output, Init) or (full and new_segment)):
                await self._close(file)
                file = None
            if isinstance(output, Part) and init is not None and self.failure is None:
                try:
                    if file is None:
                        file = await self._open(event, init)
                    await asyncio.to_thread(file.append, output)
                    if file.unsynced and (self._syncing is None or self._syncing.done()):
                        # A disk may take seconds: what comes meanwhile is written all the same.
                        self._syncing = group.create_task(self._sync(file))
                except StoreError as error:
                    self.failure = str(error)
                    log.warning("recording cut short", stream=self._stream, reason=str(error))
            elif isinstance(output, SegmentEnd) and file is not None and self.failure is None:
                file.note(self._window, output.msn)
        if file is not None:
            await self._close(file)

    async def drop(self) -> None:
        """Delete what is only needed while viewers can go back."""
        for place in self._closed:
            await self._broadcasts.recording_dropped(place.id, place.key)

    async def _outputs(self) -> AsyncIterator[Output]:
        output: Output | None = None
        while not isinstance(output, Ended):
            output = await self._queue.get()
            if isinstance(output, Part | Init):
                self._waiting_bytes -= len(output.data)
            yield output

    async def _open(self, event: UUID, init: Init) -> "_File":
        place = await self._broadcasts.recording_started(event, kept=self._kept)
        try:
            return await asyncio.to_thread(_File, self._store, place, init.data)
        except StoreError:
            await self._broadcasts.recording_dropped(place.id, place.key)
            raise

    async def _sync(self, file: "_File") -> None:
        try:
            await asyncio.to_thread(file.sync)
        except OSError as error:
            self.failure = str(error)
            log.warning("recording cut short", stream=self._stream, reason=str(error))

    async def _close(self, file: "_File") -> None:
        if self._syncing is not None:
            await self._syncing
        await asyncio.to_thread(file.close)
        place = file.place
        self._closed.append(place)
        if self._kept:
            seconds = file.duration_ms / 1000
            await self._broadcasts.recording_ended(place.id, place.key, file.size_bytes, seconds)


class _File:
    """One file that grows. Its methods block; call them in a thread, one at a time.

    `sync` alone may run beside another one, but for `close`.
    """

    def __init__(self, store: LocalStore, place: RecordingPlace, init: bytes) -> None:
        self.place = place
        self.size_bytes = 0
        self.duration_ms = 0
        self._store = store
        self._segment_begin = 0
        self._synced_s = clock.monotonic_s()
        path = store.local_path(place.key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise StoreError(f"{place.key}: {error.strerror}") from error
        try:
            self._write(init)
        except StoreError:
            os.close(self._descriptor)
            raise

    def append(self, part: Part) -> None:
        """Write a part. Raises StoreError."""
        if part.number == 0:
            self._segment_begin = self.size_bytes
        self._write(part.data)
        self.duration_ms += part.duration_ms

    @property
    def unsynced(self) -> bool:
        """Tell whether it is time to make durable what was written."""
        return clock.monotonic_s() - self._synced_s >= SYNC_S

    def sync(self) -> None:
        """Make durable what was written so far; may run beside `append`. Raises OSError."""
        self._synced_s = clock.monotonic_s()
        os.fdatasync(self._descriptor)

    def note(self, window: Window, msn: int) -> None:
        """Tell the window where a segment lies."""
        segment = window.segment(msn)
        if segment is not None:
            size = self.size_bytes - self._segment_begin
            segment.place = Place(self.place.key, self._segment_begin, size)

    def close(self) -> None:
        """Make it durable."""
        os.ftruncate(self._descriptor, self.size_bytes)  # without half of a part
        os.fsync(self._descriptor)
        os.close(self._descriptor)

    def _write(self, data: bytes) -> None:
        self._store.check_room()
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise StoreError(f"{self.place.key}: {error.strerror}") from error
        self.size_bytes += len(data)
