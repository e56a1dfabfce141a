"""Copies: the file of one video becomes that of another, without a byte through us."""

import itertools
from collections.abc import Iterator, Sequence
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.sql import column, table

from telecine.db.engine import Transaction
from telecine.domains.sources import fetching, operations, queries
from telecine.domains.sources.fetching import Run, Superseded
from telecine.domains.sources.handlers.bench import Bench
from telecine.domains.sources.handlers.download import recorded
from telecine.domains.sources.handlers.quota import check_quota
from telecine.domains.sources.jobs import CopySource
from telecine.domains.sources.models import Mode, Source
from telecine.jobs.worker import PermanentFailure
from telecine.net.errors import TooMuch
from telecine.storage.extents import Extent
from telecine.storage.store import ObjectMissing

log = structlog.get_logger()

_VIDEO = table(
    "video", column("id"), column("project_id"), column("public_id"), column("deleted_at")
)


async def copy(bench: Bench, job: CopySource) -> None:
    """Copy the objects of the original and complete the source with them.

    Raises:
        PermanentFailure: there is no original any more.
    """
    async with bench.db.transaction() as tx:
        run = await fetching.start(tx, job.source_id)
        original = None if run is None else await _original(tx, run.project_id, run.origin_video)
        if run is None:
            return
        if original is not None and original.completed_at is None and original.failure is None:
            await fetching.wait(tx, run, f"waits for {run.origin_video}")
            return
    if original is None:
        msg = f"{run.origin_video} was deleted before it could be copied"
        raise PermanentFailure(msg)
    if original.completed_at is None:
        msg = f"{run.origin_video} has no file: {original.failure}"
        raise PermanentFailure(msg)
    try:
        async with recorded(bench, run):
            await _copy(bench, run, original)
    except ObjectMissing as error:
        msg = f"{run.origin_video} was deleted while it was copied"
        raise PermanentFailure(msg) from error
    except TooMuch as error:
        raise PermanentFailure(str(error)) from error
    except Superseded:
        log.info("copy is no longer wanted", source_id=run.source_id)


async def _copy(bench: Bench, run: Run, original: Source) -> None:
    """Copy object after object; each is recorded, so that the status tells how far it is."""
    theirs = [Extent.from_json(stored) for stored in original.extents]
    total = sum(extent.size_bytes for extent in theirs)
    async with bench.db.transaction() as tx:
        source, _ = await fetching.attend(tx, run)
        await check_quota(tx, run.project_id, total - run.offset)
        source.total = total
    # The same keys at every attempt, so that none leaves objects behind.
    keys = {
        key: f"{source.key}-{number}"
        for number, key in enumerate(dict.fromkeys(extent.key for extent in theirs))
    }
    copied: set[str] = set()
    try:
        for start, key, extents in _stretches(theirs):
            if start < run.offset:
                continue  # an earlier attempt came as far
            if key not in copied:
                await bench.store.copy(key, keys[key])
                copied.add(key)
            ours = [Extent(keys[key], each.size_bytes, each.offset) for each in extents]
            await _record(bench, run, start, ours, total)
    except Superseded:
        async with bench.db.transaction() as tx:
            owned = await fetching.owns(tx, run, source.key)
        if not owned:
            await bench.store.delete(keys.values())
        raise
    log.info("source copied", source_id=run.source_id, objects=len(keys))


def _stretches(extents: Sequence[Extent]) -> Iterator[tuple[int, str, list[Extent]]]:
    """Yield what lies in one object without a break: its first byte, the key, the extents."""
    start = 0
    for key, found in itertools.groupby(extents, key=lambda extent: extent.key):
        stretch = list(found)
        yield start, key, stretch
        start += sum(extent.size_bytes for extent in stretch)


async def _record(
    bench: Bench, run: Run, start: int, extents: Sequence[Extent], total: int
) -> None:
    size_bytes = sum(extent.size_bytes for extent in extents)
    async with bench.db.transaction() as tx:
        source, fetch = await fetching.attend(tx, run)
        claim = await operations.claim(tx, source, Mode.BYTES, start, size_bytes)
        if await operations.store(tx, source, claim, extents, total=total):
            await fetching.finish(tx, fetch)
            await bench.complete(tx, source)


async def _original(tx: Transaction, project_id: UUID, public_id: str) -> Source | None:
    """Return the source of a video that still exists; a made-up one where it has none yet."""
    video = select(_VIDEO.c.id).where(
        _VIDEO.c.project_id == project_id,
        _VIDEO.c.public_id == public_id,
        _VIDEO.c.deleted_at.is_(None),
    )
    video_id = await tx.scalar(video)
    if video_id is None:
        return None
    return await queries.source_of(tx, video_id) or Source()
