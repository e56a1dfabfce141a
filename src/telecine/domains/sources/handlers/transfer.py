"""From a feed into the store, in pieces that outlive this worker."""

from dataclasses import dataclass

import anyio

from telecine import clock
from telecine.domains.sources import fetching, operations
from telecine.domains.sources.fetching import Run
from telecine.domains.sources.handlers.bench import Bench
from telecine.domains.sources.handlers.feed import Feed
from telecine.domains.sources.handlers.quota import check_quota
from telecine.domains.sources.models import Mode
from telecine.domains.sources.operations import Claim
from telecine.domains.sources.receiving import PartSink, receiving
from telecine.net.errors import OutboundError, TooMuch, Unreachable

_WORTH_KEEPING_BYTES = 1 << 20


@dataclass(slots=True)
class Progress:
    """How far a run has come. `offset`: bytes stored, counted from the file's start.

    `continues`: the next run can go on from there, and this one has brought it nearer.
    """

    offset: int
    continues: bool = False
    complete: bool = False


class _Watched:
    """A sink that notices when nobody wants the bytes any more. Raises Superseded."""

    def __init__(self, bench: Bench, run: Run, sink: PartSink) -> None:
        self._bench = bench
        self._run = run
        self._sink = sink
        self._looked_s = clock.monotonic_s()

    async def write(self, data: bytes | memoryview) -> None:
        await self._sink.write(data)
        if clock.monotonic_s() - self._looked_s >= self._bench.bounds.look_s:
            async with self._bench.db.transaction() as tx:
                await fetching.attend(tx, self._run)
            self._looked_s = clock.monotonic_s()


async def transfer(bench: Bench, run: Run, feed: Feed, progress: Progress) -> None:
    """Store what the feed gives until it ends or this run's turn is over.

    Raises:
        OutboundError: the feed failed; what had come is stored if it can be continued.
        Superseded: the source is no longer ours.
    """
    ends_s = clock.monotonic_s() + bench.bounds.turn_s
    while not progress.complete:
        await _piece(bench, run, feed, progress)
        if feed.resumable and clock.monotonic_s() >= ends_s:
            return


async def _piece(bench: Bench, run: Run, feed: Feed, progress: Progress) -> None:
    room_bytes = bench.bounds.piece_bytes
    if feed.total is not None:
        room_bytes = min(room_bytes, feed.total - progress.offset)
    claim = await _claim(bench, run, feed, progress.offset, room_bytes)
    failure: OutboundError | None = None
    try:
        async with receiving(bench.store, claim) as sink:
            try:
                last = await feed.fill(_Watched(bench, run, sink), room_bytes)
            except OutboundError as error:
                if not feed.divisible or sink.size_bytes < _WORTH_KEEPING_BYTES:
                    raise
                failure = error
            else:
                failure = _check_end(feed, progress.offset + sink.size_bytes, last=last)
        await _record(bench, run, feed, claim, sink, progress)
    except BaseException:
        with anyio.CancelScope(shield=True):
            await _abandon(bench, run, claim)
        raise
    if failure is not None and not progress.complete:
        raise failure


def _check_end(feed: Feed, end: int, *, last: bool) -> OutboundError | None:
    """Note the size of a feed that has just told it; return what is wrong with its end."""
    if last and feed.total is None:
        feed.total = end
    return Unreachable("the file ended early") if last and feed.total != end else None


async def _claim(bench: Bench, run: Run, feed: Feed, offset: int, room_bytes: int) -> Claim:
    async with bench.db.transaction() as tx:
        source, fetch = await fetching.attend(tx, run)
        missing_bytes = room_bytes if feed.total is None else feed.total - offset
        await check_quota(tx, run.project_id, missing_bytes)
        source.total, fetch.validator = feed.total, feed.validator
        # A feed of segments goes beyond the room; what does not fit finds its own place.
        return await operations.claim(tx, source, Mode.BYTES, offset, room_bytes)


async def _record(
    bench: Bench, run: Run, feed: Feed, claim: Claim, sink: PartSink, progress: Progress
) -> None:
    end = progress.offset + sink.size_bytes
    if sink.size_bytes == 0:
        raise Unreachable("the file is empty")
    if end > bench.bounds.source_bytes:
        raise too_large(bench)
    async with bench.db.transaction() as tx:
        source, fetch = await fetching.attend(tx, run)
        fetch.position = feed.position
        complete = await operations.store(tx, source, claim, sink.extents, total=feed.total)
        if complete:
            await fetching.finish(tx, fetch)
            await bench.complete(tx, source)
    progress.offset = end
    progress.continues = feed.resumable
    progress.complete = complete


def too_large(bench: Bench) -> TooMuch:
    """Return why a file is refused."""
    return TooMuch(f"the file is larger than {bench.bounds.source_bytes} bytes")


async def _abandon(bench: Bench, run: Run, claim: Claim) -> None:
    async with bench.db.transaction() as tx:
        left = await operations.release(tx, claim)
        if not await fetching.owns(tx, run, claim.key):
            left.append(claim.key)  # made anew after the video, or this start, was removed
    await bench.store.delete(left)
