"""Bytes of a part on their way into the store."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from telecine.domains.sources.operations import Claim
from telecine.storage.extents import Extent, Extents
from telecine.storage.store import ObjectWriter, Store, cut


class PartSink:
    """Takes the bytes of one part: in place as far as they fit, the rest in its own object."""

    def __init__(self, store: Store, claim: Claim, writers: AsyncExitStack) -> None:
        self._store = store
        self._claim = claim
        self._writers = writers
        self._in_place: ObjectWriter | None = None
        self._own: ObjectWriter | None = None
        self._begun = False
        self._placed_bytes = 0
        self._own_bytes = 0

    @property
    def size_bytes(self) -> int:
        """Return how many bytes were taken."""
        return self._placed_bytes + self._own_bytes

    @property
    def extents(self) -> list[Extent]:
        """Return where the bytes lie; durable once the sink's block has ended."""
        found = []
        if self._claim.place is not None and self._placed_bytes:
            start = self._claim.place.start
            found.append(Extent(self._claim.key, self._placed_bytes, start))
        if self._own_bytes:
            found.append(Extent(self._claim.own_key, self._own_bytes))
        return found

    async def write(self, *pieces: bytes | memoryview) -> None:
        """Append bytes. Raises OutOfSpace."""
        rest: Sequence[bytes | memoryview] = pieces
        if not self._begun:
            await self._begin()
        if self._in_place is not None and self._claim.place is not None:
            fits, rest = cut(pieces, self._claim.place.room_bytes - self._placed_bytes)
            if fits:
                await self._in_place.write(*fits)
                self._placed_bytes += sum(map(len, fits))
        if not rest:
            return
        if self._own is None:
            writer = self._store.writer(self._claim.own_key)
            self._own = await self._writers.enter_async_context(writer)
        await self._own.write(*rest)
        self._own_bytes += sum(map(len, rest))

    async def _begin(self) -> None:
        self._begun = True
        if self._claim.place is None:
            return
        region = self._store.region(self._claim.key, self._claim.place.start)
        if region is not None:
            self._in_place = await self._writers.enter_async_context(region)


@asynccontextmanager
async def receiving(store: Store, claim: Claim) -> AsyncIterator[PartSink]:
    """Give a sink for the bytes of `claim`; they are durable when the block has ended.

    After an exception nothing of them is: only what is recorded counts.
    """
    async with AsyncExitStack() as writers:
        yield PartSink(store, claim, writers)


class Comparison:
    """Takes the bytes of a part that is stored already, and only compares them."""

    def __init__(self, stored: Extents) -> None:
        self._stored = stored
        self._position = 0
        self._same = True

    @property
    def same(self) -> bool:
        """Tell whether exactly the stored bytes came."""
        return self._same and self._position == self._stored.size_bytes

    async def write(self, *pieces: bytes | memoryview) -> None:
        """Compare the next bytes."""
        for piece in pieces:
            if self._same:
                self._same = await self._stored.read(self._position, len(piece)) == piece
            self._position += len(piece)


async def same_bytes(one: Extents, other: Extents) -> bool:
    """Tell whether two files have the same content."""
    comparison = Comparison(other)
    async for piece in one.stream(0, one.size_bytes):
        await comparison.write(piece)
    return comparison.same
