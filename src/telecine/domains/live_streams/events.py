"""The memory of the process that broadcasts (`live.ports.Broadcasts`), in rows and objects.

What the database or the store refuses for the moment is tried again: media goes on
meanwhile, and whatever is written down twice is written down once.
"""

import asyncio
import contextlib
import errno
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TypeVar
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from telecine import clock, ids
from telecine.db.engine import Database
from telecine.domains.live_streams import broadcasting, restreams
from telecine.domains.live_streams.broadcasting import SHORTEST_RECORDING, Finished
from telecine.domains.live_streams.models import Broadcast, LiveStream, Recording
from telecine.domains.live_streams.salvage import salvage
from telecine.formats.errors import FormatError
from telecine.formats.mp4.multitrack import Whole
from telecine.live import journal
from telecine.live.journal import SUFFIX, JournalError, Left
from telecine.live.ports import Destination, Elsewhere, RecordingPlace, Shortfall, Stream
from telecine.sealing import Sealer, SealError
from telecine.storage.local import LocalStore
from telecine.storage.store import ObjectMissing, Store, StoreError

log = structlog.get_logger()

RECORDINGS = "live/"
"""The folder of files that are being written, with one below it for each process."""

SANDBOX_EVENT_S = 30 * 60.0
SANDBOX_RESTREAM_S = 2 * 60.0
_NOTHING: Mapping[Shortfall, str] = {
    Shortfall.NO_ROOM: "Nothing of the live event was recorded: the disk was full.",
    Shortfall.TOO_SLOW: "Nothing of the live event was recorded: the disk did not keep up.",
    Shortfall.BROKEN: "Nothing of the live event was recorded: the disk could not be written to.",
}
_PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What a process left behind: `events` that may go on, and what is of no event any more.

    `keys`: of all files that nobody writes to; those of `recordings` become videos first.
    """

    events: Sequence[Left]
    recordings: Sequence[Recording]
    keys: frozenset[str]


class StoredBroadcasts:
    """Remembers events of the process `node`.

    `recordings` holds files while they are written; it may be `store` itself. `address`: where
    other nodes get the media of the events, None: nowhere.
    """

    def __init__(
        self,
        db: Database,
        store: Store,
        recordings: LocalStore,
        node: str,
        sealer: Sealer,
        address: str | None = None,
    ) -> None:
        self._db = db
        self._sealer = sealer
        self._store = store
        self._recordings = recordings
        self._node = node
        self._address = address
        self._folder = f"{RECORDINGS}{ids.digest(node).hex()[:12]}/"
        self._lost: set[str] = set()  # files that are kept for a person

    async def authorise(self, stream_key: str) -> Stream | None:
        """Return the stream of a key; None: there is none, or nobody can say."""
        try:
            async with self._db.transaction() as tx:
                found = await broadcasting.authorised(tx, stream_key)
                there = None
                if found is not None:
                    there = await broadcasting.elsewhere(tx, found[0].id, self._node)
        except (SQLAlchemyError, OSError) as error:
            log.warning("publisher refused", reason=type(error).__name__)
            return None
        if found is None:
            return None
        stream = self._stream(*found)
        if there is None:
            return stream
        return replace(stream, elsewhere=Elsewhere(there.node, there.address))

    def _stream(self, row: LiveStream, environment: str) -> Stream:
        sandbox = broadcasting.is_sandbox(environment)
        return Stream(
            row.project_id,
            row.public_id,
            record=row.record is not False,
            longest_s=SANDBOX_EVENT_S if sandbox else None,
            longest_restream_s=SANDBOX_RESTREAM_S if sandbox else None,
            destinations=self.destinations(row),
        )

    def destinations(self, row: LiveStream) -> tuple[Destination, ...]:
        """Return where a stream is sent on to; nowhere, if nobody can read that any more."""
        try:
            found = restreams.opened(self._sealer, row.public_id, row.sealed_restreams)
        except SealError:
            log.exception("targets cannot be read", stream=row.public_id)
            return ()
        return tuple(Destination(**asdict(each)) for each in found)

    async def started(self, stream: Stream) -> UUID | None:
        """Record the begin of an event."""

        async def begin() -> UUID | None:
            async with self._db.transaction() as tx:
                event = await broadcasting.begin(
                    tx, stream.project_id, stream.public_id, self._node, self._address
                )
                return None if event is None else event.id

        return await _insist(begin)

    async def ended(self, event: UUID) -> None:
        """Record the end of an event."""

        async def end() -> None:
            async with self._db.transaction() as tx:
                await broadcasting.end(tx, event)

        await _insist(end)

    async def recording_started(self, event: UUID, *, kept: bool) -> RecordingPlace:
        """Record that a file begins to be written."""

        async def begin() -> RecordingPlace:
            async with self._db.transaction() as tx:
                row = await broadcasting.begin_recording(
                    tx, event, f"{self._folder}{ids.nonce()}", kept=kept
                )
                return RecordingPlace(row.id, row.key)

        return await _insist(begin)

    async def recording_ended(
        self,
        recording: UUID,
        key: str,
        size_bytes: int,
        duration_s: float,
        cut: Shortfall | None = None,
    ) -> None:
        """Make the video of a finished file, which stays where it is as well."""
        if duration_s < SHORTEST_RECORDING.total_seconds():
            if cut is None:
                await _insist(lambda: self._drop(recording))
            else:
                await self._fail(recording, cut)
            return
        finished = Finished(recording, size_bytes, duration_s, cut)
        video_id = ids.public_id("vi")

        async def make() -> str | None:
            async with self._db.transaction() as tx:
                project_id = await broadcasting.project_of(tx, recording)
            target = broadcasting.video_key(project_id, video_id)
            await self._publish(key, target)
            async with self._db.transaction() as tx:
                return await broadcasting.recorded(tx, finished, video_id, target)

        try:
            made = await _insist(make)
        except _UnreadableError as error:
            await self._lose(recording, key, str(error))
            return
        if made is not None:
            log.info("recording finished", video=made, seconds=round(duration_s, 1))

    async def recording_failed(self, recording: UUID, key: str, why: Shortfall) -> None:
        """Make a video that tells why there is nothing to see."""
        await self._fail(recording, why)
        await self._delete([key])

    async def recording_dropped(self, recording: UUID, key: str) -> None:
        """Delete a file that nobody needs any more, and no video comes of if none has."""
        await _insist(lambda: self._drop(recording))
        if key not in self._lost:
            await self._delete([key])

    async def stay(self, busy: Callable[[], bool]) -> None:
        """Tell other nodes again and again that this one is there, while it is `busy`."""
        while True:
            await asyncio.sleep(broadcasting.RENEW_S)
            if not busy():
                continue
            try:
                async with self._db.transaction() as tx:
                    await broadcasting.alive(tx, self._node)
            except (SQLAlchemyError, OSError) as error:
                log.warning("lease not renewed", reason=type(error).__name__)

    async def recover(self, grace_s: float = 0.0) -> Leftovers:
        """Return what a process of this name left behind; events that cannot go on are ended.

        Those whose media ended less than `grace_s` ago may go on. Call it before anything is
        recorded, and `finish` beside that.
        """
        async with self._db.transaction() as tx:
            await broadcasting.back(tx, self._node, self._address)
            recordings = await broadcasting.unfinished_recordings(tx, self._node)
            events = await broadcasting.unfinished(tx, self._node)
        found, spared = list[Left](), set[str]()
        for event in events:
            own = [row for row in recordings if row.broadcast_id == event.id]
            left = await self._left(event, own, grace_s)
            if left is None:
                await self.ended(event.id)
            else:
                found.append(left)
                spared |= {left.history.place.key, left.history.place.key + SUFFIX}
        keys = {entry.key async for entry in self._recordings.list(self._folder)} - spared
        over = [row for row in recordings if row.key not in spared]
        return Leftovers(found, over, frozenset(keys))

    async def finish(self, left: Leftovers) -> None:
        """Make videos of recordings whose events are over, which may have to be stored first."""
        keys = set(left.keys)
        for row in left.recordings:
            try:
                await self._finish(row)
            except Exception:  # the others are finished all the same, and events go on
                log.exception("recording not finished", object=row.key)
                keys -= {row.key, row.key + SUFFIX}  # the next start tries it again

        async def unreadable() -> set[str]:
            async with self._db.transaction() as tx:
                return await broadcasting.unreadable(tx, keys)

        # What cannot be read today is all that there is of somebody's event.
        await self._delete(sorted(keys - await _insist(unreadable)))

    async def _left(
        self, event: Broadcast, recordings: Sequence[Recording], grace_s: float
    ) -> Left | None:
        """Return an event that may go on; None: nobody is to wait for its encoder."""
        async with self._db.transaction() as tx:
            stream = await broadcasting.continuable(tx, event)
        for row in recordings:
            path = self._recordings.local_path(row.key)
            if stream is None or not path.with_name(path.name + SUFFIX).exists():
                continue
            try:
                quiet_s = clock.unix_ms() / 1000 - path.stat().st_mtime
                if quiet_s >= grace_s:
                    return None
                place = RecordingPlace(row.id, row.key)
                history = await asyncio.to_thread(journal.read, path, place)
            except (OSError, JournalError) as error:
                log.warning("broadcast cannot go on", broadcast=str(event.id), reason=str(error))
                return None
            lasted_s = (clock.now() - event.started_at).total_seconds()
            return Left(
                _shortened(replace(self._stream(*stream), record=row.kept), lasted_s),
                event.id,
                history,
                lasted_s,
                max(0.0, quiet_s),
            )
        return None

    async def _finish(self, row: Recording) -> None:
        """Make the video of a recording whose event is over."""
        path = self._recordings.local_path(row.key)
        try:
            whole = await asyncio.to_thread(salvage, path)
        except FormatError as error:
            # It goes the way of any other file: whoever reads it says what it is.
            log.warning("recording is damaged", object=row.key, reason=str(error))
            whole = Whole(path.stat().st_size, SHORTEST_RECORDING.total_seconds())
        except OSError as error:
            # Without its folder the disk may be another one, or not be there today.
            begun = not isinstance(error, FileNotFoundError) or not path.parent.is_dir()
            if row.kept and begun:
                await self._lose(row.id, row.key, error.strerror or str(error))
                return
            # Nobody wants it, or it was not begun: rows are written before files.
            log.warning("recording left nothing", object=row.key, reason=error.strerror)
            await _insist(lambda: self._drop(row.id))
            return
        if row.kept:
            await self.recording_ended(row.id, row.key, whole.size_bytes, whole.duration_s)
        await self.recording_dropped(row.id, row.key)

    async def _fail(self, recording: UUID, why: Shortfall) -> None:
        video_id = ids.public_id("vi")

        async def make() -> None:
            async with self._db.transaction() as tx:
                await broadcasting.lost(tx, recording, video_id, _NOTHING[why])

        await _insist(make)

    async def _drop(self, recording: UUID) -> None:
        async with self._db.transaction() as tx:
            await broadcasting.dropped(tx, recording)

    async def _lose(self, recording: UUID, key: str, reason: str) -> None:
        """Tell with a video why it has nothing of a recording, whose file is kept."""
        video_id, told = ids.public_id("vi"), f"The recording cannot be read: {reason}."
        self._lost.add(key)
        log.error("recording cannot be read, and is kept", object=key, video=video_id)

        async def make() -> None:
            async with self._db.transaction() as tx:
                await broadcasting.lost(tx, recording, video_id, told)

        await _insist(make)

    async def _delete(self, keys: Sequence[str]) -> None:
        """Delete files; what cannot be deleted today is found at the next start."""
        try:
            await self._recordings.delete(keys)
        except (StoreError, OSError) as error:
            log.warning("recordings not deleted", objects=keys, reason=str(error))

    async def _publish(self, key: str, target: str) -> None:
        """Store a finished file. Raises StoreError, _UnreadableError."""
        if isinstance(self._store, LocalStore) and self._store.root == self._recordings.root:
            with _reading():
                await self._store.copy(key, target)  # a second name of the same file
            return
        async with self._store.writer(target) as writer:
            async for piece in self._pieces(key):
                await writer.write(piece)

    async def _pieces(self, key: str) -> AsyncIterator[bytes]:
        with _reading():
            async for piece in self._recordings.stream(key):
                yield piece


def _shortened(stream: Stream, lasted_s: float) -> Stream:
    """Return a stream whose event has lasted for a while."""

    def left(longest_s: float | None) -> float | None:
        return None if longest_s is None else max(0.0, longest_s - lasted_s)

    return replace(
        stream,
        longest_s=left(stream.longest_s),
        longest_restream_s=left(stream.longest_restream_s),
    )


class _UnreadableError(Exception):
    """Nobody will read a file of ours, however often it is tried; why."""


@contextlib.contextmanager
def _reading() -> Iterator[None]:
    """Tell what a file itself is to blame for from what may be over in a moment."""
    try:
        yield
    except StoreError as error:
        cause = error.__cause__
        broken = isinstance(cause, OSError) and cause.errno == errno.EIO
        if not (broken or isinstance(error, ObjectMissing)):
            raise
        raise _UnreadableError(getattr(cause, "strerror", None) or str(error)) from error


async def _insist(work: Callable[[], Awaitable[T]]) -> T:
    """Do something until database and store let it be done."""
    failures = 0
    while True:
        try:
            return await work()
        except (SQLAlchemyError, StoreError, OSError) as error:
            reason = type(error).__name__
            log.warning("broadcast not recorded yet", reason=reason)
            await asyncio.sleep(_PAUSES_S[min(failures, len(_PAUSES_S) - 1)])
            failures += 1
