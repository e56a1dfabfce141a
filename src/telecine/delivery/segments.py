"""The one way to a segment: out of the source, from storage, or encoded on demand."""

import asyncio
import mmap
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog

from telecine import clock
from telecine.db.engine import Database
from telecine.delivery.media import AssetView, RenditionView
from telecine.delivery.parts import Part, StoredRange, out_of_file, prepared, stored
from telecine.delivery.wishes import Departure, NotStoredYet, Wish
from telecine.domains.encodings import objects, queries
from telecine.domains.encodings.wants import Wanted
from telecine.last_used import LastUsed
from telecine.pipeline.passthrough import SegmentIndex
from telecine.pipeline.stored_index import StoredIndex
from telecine.storage.store import ObjectMissing, Store

log = structlog.get_logger()

_COPIED_BYTES = 32 << 20  # of indexes: 2 h have 1 to 3 MB each, mapped where there is a disk
_STORED_BYTES = 32 << 20
_PIECES_KEPT = 1 << 16  # of what is encoded but not finished: some hundred bytes each
_CUTS_KEPT = 256  # some 15 KB each: tables, not media
_INITS_KEPT = 1024
_REREAD_S = 0.5


@dataclass(frozen=True, slots=True)
class Found:
    """A segment: its first parts, and the rest as soon as it is encoded."""

    parts: Sequence[Part]
    rest: AsyncGenerator[Part, None] | None = None


class Segments:
    """Segments of all assets that this process serves."""

    def __init__(self, db: Database, store: Store, *, wait_s: float, queue_limit: int = 4) -> None:
        self._db = db
        self._store = store
        self._wait_s = wait_s
        self._queue_limit = queue_limit
        self._sources = LastUsed[tuple[UUID, str], SegmentIndex](
            _COPIED_BYTES, lambda index: index.data.nbytes
        )
        self._stored = LastUsed[UUID, StoredIndex](_STORED_BYTES, lambda index: index.size_bytes)
        self._cuts = LastUsed[tuple[UUID, str, int], Sequence[Part]](_CUTS_KEPT)
        self._pieces = LastUsed[UUID, Mapping[int, StoredRange]](_PIECES_KEPT, len)
        self._inits = LastUsed[UUID, bytes](_INITS_KEPT)  # newer than what media tell
        self._arrivals: dict[UUID, asyncio.Event] = defaultdict(asyncio.Event)

    def pieces_arrived(self, asset_id: UUID) -> None:
        """Wake everybody who waits for a piece of that asset."""
        arrived = self._arrivals.pop(asset_id, None)
        if arrived is not None:
            arrived.set()

    async def init(self, asset: AssetView, rendition: RenditionView) -> bytes:
        """Return the init segment. Raises NotStoredYet before the first encode."""
        known = rendition.init or self._inits.get(rendition.id)
        if known is not None:
            return known
        found = await self.get(asset, rendition, 0)
        if found.rest is not None:
            await found.rest.aclose()
        async with self._db.transaction() as tx:
            rows = await queries.renditions_of(tx, asset.id)
        for row in rows:
            if row.name == rendition.name and row.init is not None:
                self._inits.put(rendition.id, row.init)
                return row.init
        raise NotStoredYet

    async def get(
        self,
        asset: AssetView,
        rendition: RenditionView,
        segment: int,
        departure: Departure | None = None,
    ) -> Found:
        """Return a segment; `segment` must be one of the plan's.

        One that nobody has stored is encoded at once, as long as the viewer stays
        (until `departure` returns). Raises NotStoredYet where that takes too long.
        """
        if rendition.passthrough:
            await self.source_index(asset, _kind(rendition))
        elif rendition.index_key is not None:
            await self.stored_index(rendition.id, rendition.index_key)
        known = self.known(asset, rendition, segment)
        if known is not None:
            return Found(known)
        pieces = _pieces(asset, rendition, segment)
        arriving = self._arriving(asset, rendition, segment, pieces, departure)
        begun = [await anext(arriving)]
        known = self.known(asset, rendition, segment)
        if known is not None:
            await arriving.aclose()
            return Found(known)
        return Found(begun, arriving)

    def known(
        self, asset: AssetView, rendition: RenditionView, segment: int
    ) -> Sequence[Part] | None:
        """Return a segment if this process knows where it lies, without a look elsewhere."""
        if rendition.passthrough:
            return self._copied(asset, _kind(rendition), segment)
        pieces = _pieces(asset, rendition, segment)
        index = self._stored.get(rendition.id)
        if index is not None:
            return stored(index.ranges(pieces.start, pieces.stop))
        held = self._pieces.get(rendition.id)
        if held is not None and all(piece in held for piece in pieces):
            return [held[piece] for piece in pieces]
        return None

    async def source_index(self, asset: AssetView, kind: str) -> SegmentIndex:
        """Return the passthrough segments of an asset ("video" or "audio")."""
        index = self._sources.get((asset.id, kind))
        if index is None:
            key = objects.passthrough_key(asset.prefix, kind, asset.revision)
            index = SegmentIndex.from_bytes(await self._object(key))
            self._sources.put((asset.id, kind), index)
        return index

    async def stored_index(self, rendition_id: UUID, key: str) -> StoredIndex:
        """Return the index of a finished rendition."""
        index = self._stored.get(rendition_id)
        if index is None:
            index = StoredIndex.from_bytes(await self._object(key))
            self._stored.put(rendition_id, index)
            self._pieces.pop(rendition_id)
        return index

    async def _object(self, key: str) -> memoryview:
        """Return an object that is read here and there: off a disk no more than that."""
        path = self._store.local_path(key)
        if path is None:
            return memoryview(await self._store.read(key))
        try:
            with path.open("rb") as file:
                return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except FileNotFoundError as error:
            raise ObjectMissing(key) from error

    def _copied(self, asset: AssetView, kind: str, segment: int) -> Sequence[Part] | None:
        """Return a segment of the source; viewers of a film often ask for the same ones."""
        kept = self._cuts.get((asset.id, kind, segment))
        if kept is not None:
            return kept
        index = self._sources.get((asset.id, kind))
        if index is None:
            return None
        cut = index.segment(segment)
        parts = [cut.head, *map(prepared, out_of_file(asset.source, cut.table, cut.payload_bytes))]
        if asset.is_open:
            return parts  # its file still changes
        self._cuts.put((asset.id, kind, segment), parts)
        return parts

    async def _arriving(
        self,
        asset: AssetView,
        rendition: RenditionView,
        segment: int,
        pieces: range,
        departure: Departure | None,
    ) -> AsyncGenerator[Part, None]:
        """Yield pieces, each as soon as it is stored. Raises NotStoredYet."""
        chunk = None
        if rendition.name != queries.AUDIO:
            ends = enumerate(asset.plan.chunk_segments[1:])
            chunk = next(number for number, end in ends if segment < end)
        wanted = Wanted(asset.project_id, asset.id, rendition.id, segment)
        async with Wish(self._db, wanted, chunk, departure, self._queue_limit) as wish:
            for piece in pieces:
                deadline_s = clock.monotonic_s() + self._wait_s
                while (found := self._piece(rendition.id, piece)) is None:
                    arrived = self._arrivals[asset.id]
                    await self._read_runs(asset, rendition)
                    if self._piece(rendition.id, piece) is not None:
                        continue
                    await wish.keep()
                    left_s = deadline_s - clock.monotonic_s()
                    if left_s <= 0:
                        log.info("segment not ready", asset=str(asset.id), n=segment,
                                 quality=rendition.name)  # fmt: skip
                        raise NotStoredYet
                    await wish.wait(arrived, min(left_s, _REREAD_S))
                yield found

    def _piece(self, rendition_id: UUID, piece: int) -> StoredRange | None:
        index = self._stored.get(rendition_id)
        if index is not None:
            return StoredRange(*index.ranges(piece, piece + 1)[0])
        held = self._pieces.get(rendition_id)
        return None if held is None else held.get(piece)

    async def _read_runs(self, asset: AssetView, rendition: RenditionView) -> None:
        async with self._db.transaction() as tx:
            runs = await queries.runs_of(tx, asset.id, [rendition.id])
            finished_key = None
            if not runs:
                rows = await queries.renditions_of(tx, asset.id)
                finished_key = next((row.index_key for row in rows if row.id == rendition.id), None)
        if finished_key is not None:
            await self.stored_index(rendition.id, finished_key)
            return
        held = {}
        for run in runs:
            for number, start in enumerate(run.offsets[:-1]):
                size = run.offsets[number + 1] - start
                held[run.first_piece + number] = StoredRange(run.object_key, start, size)
        self._pieces.put(rendition.id, held)


def _kind(rendition: RenditionView) -> str:
    return queries.AUDIO if rendition.name == queries.AUDIO else "video"


def _pieces(asset: AssetView, rendition: RenditionView, segment: int) -> range:
    if rendition.name == queries.AUDIO:
        return range(segment, segment + 1)
    bounds = asset.plan.segment_pieces
    return range(bounds[segment], bounds[segment + 1])
