"""Writes an event to a file as it comes: every part at once, durable every two seconds.

The file is a fragmented MP4, so that whatever is whole of it can be played.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from functools import partial
from uuid import UUID

import structlog

from telecine.live.journal import History, Journal
from telecine.live.model import Ended, Init, Output, Part, SegmentEnd, Targets
from telecine.live.ports import Broadcasts, RecordingPlace, Shortfall
from telecine.live.recording_file import File
from telecine.live.window import Window
from telecine.live.writing import Writing
from telecine.storage.local import LocalStore
from telecine.storage.store import OutOfSpace, StoreError

log = structlog.get_logger()

QUEUE_BYTES = 64 << 20
"""What may wait for the disk, of one recording; then it ends."""

LONGEST_MS = 12 * 3600 * 1000


class Recorder:
    """Records one event into `store`.

    `take` never blocks; `run` writes, and returns once everything that was taken before
    `Ended` is written; `report` then tells of the last file. A new init segment begins a new
    file, as does the twelfth hour; what was closed is reported beside the writing, which must
    not wait until hours of media are in an object storage. A file that cannot go on ends where
    it is, and its video says why (`cut`): viewers do not notice. With a `journal` an event can
    go on in another process; `history`: it does, and this is what is left. `left` tells whether
    its file was left to one.
    """

    def __init__(
        self,
        broadcasts: Broadcasts,
        store: LocalStore,
        window: Window,
        stream: str,
        *,
        kept: bool,
        journal: Journal | None = None,
        history: History | None = None,
    ) -> None:
        self._broadcasts = broadcasts
        self._store = store
        self._window = window
        self._stream = stream
        self._kept = kept
        self._journal = journal
        self._history = history
        self._queue: asyncio.Queue[Output | None] = asyncio.Queue()
        self._suspended = self.left = False
        self._waiting_bytes = 0
        self.failure: str | None = None
        self.cut: Shortfall | None = None
        self._closed: list[RecordingPlace] = []
        self._syncing: asyncio.Task[None] | None = None
        self._file: File | None = None  # the one that grows
        self._unreported: deque[tuple[File, Shortfall | None]] = deque()
        self._reporting = asyncio.Lock()  # one at a time, in their order

    def take(self, output: Output) -> None:
        """Queue what the packager made."""
        if isinstance(output, Part | Init):
            if self.failure is None and self._waiting_bytes > QUEUE_BYTES:
                self._fail(Shortfall.TOO_SLOW, "the disk does not keep up")
            if self.failure is None:
                self._waiting_bytes += len(output.data)
        if self.failure is not None and not isinstance(output, Ended):
            return
        self._queue.put_nowait(output)

    def suspend(self) -> None:
        """Stop after what was taken, without an end: another process is to go on."""
        self._queue.put_nowait(None)

    async def run(self, event: UUID) -> None:
        """Write files until the event has ended, or is left."""
        with Writing() as writing:
            try:
                async with asyncio.TaskGroup() as group:
                    await self._write(event, group, writing)
            except Exception:  # no matter to those who watch, and what there is is kept
                log.exception("recording failed", stream=self._stream)
                self._fail(Shortfall.BROKEN, "an error of the server's")
                file, self._syncing = self._file, None
                if file is not None:
                    await self._close(file)

    async def _write(self, event: UUID, group: asyncio.TaskGroup, writing: Writing) -> None:
        init, file = await self._left()
        async for output in self._outputs():
            if isinstance(output, Init):
                init = output
            full = file is not None and file.duration_ms >= LONGEST_MS
            new_segment = isinstance(output, Part) and output.number == 0
            if file is not None and (isinstance(output, Init) or (full and new_segment)):
                await self._close(file)
                group.create_task(self._report_one())
                file = None
            if init is not None and self.failure is None:
                try:
                    if file is None and isinstance(output, Part):
                        file = await self._open(event, init)
                    await self._put(output, file, writing)
                except StoreError as error:
                    self._give_up(error)
                    if file is not None:
                        file.forget()
            idle = self._syncing is None or self._syncing.done()
            if file is not None and idle and file.unsynced and self.failure is None:
                # A disk may take seconds: what comes meanwhile is written all the same.
                self._syncing = group.create_task(self._sync(file))
        if file is not None and not await self._leave(file):
            await self._close(file)

    async def _leave(self, file: File) -> bool:
        """Leave a file to another process, if one is to go on and can."""
        if not self._suspended or self._journal is None or self.failure is not None:
            return False
        if self._syncing is not None:
            await self._syncing
        try:
            await asyncio.to_thread(file.leave)
        except StoreError as error:
            self._give_up(error)
            return False
        self._file, self.left = None, True
        return True

    async def _put(self, output: Output, file: File | None, writing: Writing) -> None:
        """Write what an output says, to the file or to its journal. Raises StoreError."""
        journal = self._journal
        if isinstance(output, Part) and file is not None:
            line = b"" if journal is None else journal.part(output)
            await writing.do(partial(file.append, output, line))
        elif isinstance(output, Targets) and journal is not None:
            line = journal.promise(output)
            if file is not None:
                file.tell(line)
        elif isinstance(output, SegmentEnd) and file is not None:
            file.note(self._window, output.msn)

    async def report(self) -> None:
        """Make videos of all that was closed and not yet reported."""
        while self._unreported:
            await self._report_one()

    async def _report_one(self) -> None:
        """Make a video of what was closed first; again, if it was given up meanwhile."""
        async with self._reporting:
            if not self._unreported:
                return
            file, cut = self._unreported[0]
            if self._kept:
                place, seconds = file.place, file.duration_ms / 1000
                await self._broadcasts.recording_ended(
                    place.id, place.key, file.size_bytes, seconds, cut
                )
            self._unreported.popleft()

    async def drop(self) -> None:
        """Delete what is only needed while viewers can go back."""
        for place in self._closed:
            await self._broadcasts.recording_dropped(place.id, place.key)

    async def _outputs(self) -> AsyncIterator[Output]:
        output: Output | None = None
        while not isinstance(output, Ended):
            output = await self._queue.get()
            if output is None:
                self._suspended = True
                return
            if isinstance(output, Part | Init):
                self._waiting_bytes -= len(output.data)
            yield output

    async def _left(self) -> tuple[Init | None, File | None]:
        """Return what a killed process was writing."""
        found = self._history
        if found is None:
            return None, None
        try:
            self._file = await asyncio.to_thread(File.left, self._store, found)
        except StoreError as error:
            self._give_up(error)  # the next start finds it, and makes its video
            return found.init, None
        return found.init, self._file

    def _give_up(self, error: StoreError) -> None:
        self._fail(_shortfall(error), str(error))

    def _fail(self, cut: Shortfall, reason: str) -> None:
        self.cut, self.failure = cut, reason
        log.warning("recording cut short", stream=self._stream, reason=reason)

    async def _open(self, event: UUID, init: Init) -> File:
        place = await self._broadcasts.recording_started(event, kept=self._kept)
        opening = self._journal.opening(init) if self._journal else b""
        try:
            made = await asyncio.to_thread(File.create, self._store, place, init.data, opening)
        except StoreError as error:
            if self._kept:
                await self._broadcasts.recording_failed(place.id, place.key, _shortfall(error))
            else:
                await self._broadcasts.recording_dropped(place.id, place.key)
            raise
        self._file = made
        return made

    async def _sync(self, file: File) -> None:
        try:
            await asyncio.to_thread(file.sync)
        except StoreError as error:
            self._give_up(error)

    async def _close(self, file: File) -> None:
        if self._syncing is not None:
            await self._syncing
        try:
            await asyncio.to_thread(file.close)
        except StoreError as error:
            self._give_up(error)
        self._file = None
        self._closed.append(file.place)
        self._unreported.append((file, self.cut))


def _shortfall(error: StoreError) -> Shortfall:
    return Shortfall.NO_ROOM if isinstance(error, OutOfSpace) else Shortfall.BROKEN
