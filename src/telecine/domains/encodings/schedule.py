"""Which encodes are asked for, and when: first ones, missing ones, the next chunk of many."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from telecine.db.engine import Transaction
from telecine.domains.encodings import queries, wants
from telecine.domains.encodings.completion import ask_for_extras, ask_for_storyboard
from telecine.domains.encodings.jobs import (
    CheckAsset,
    EncodeAudio,
    EncodeChunk,
    FinishRendition,
    TakeStill,
)
from telecine.domains.encodings.models import Asset, Growth, Rendition
from telecine.domains.encodings.operations import BACKGROUND, NORMAL, URGENT
from telecine.domains.encodings.wants import Wanted
from telecine.jobs import queue

CHUNK_WINDOW = 50
"""Ladder jobs of one video that wait in the queue at a time."""


async def enqueue_first_jobs(
    tx: Transaction, asset: Asset, rows: Sequence[Rendition], audio_spans: int
) -> None:
    """Ask for everything that follows a plan: the thumbnail, the sound, the ladder."""
    still_at_ms = asset.options.get("still_at_ms")
    at_ms = -1 if still_at_ms is None else int(still_at_ms)
    await queue.enqueue(tx, TakeStill(asset_id=asset.id, at_ms=at_ms), priority=NORMAL)
    await _enqueue_encodes(tx, asset, rows, audio_spans)


async def enqueue_missing(
    tx: Transaction, asset_id: UUID, rows: Sequence[Rendition], audio_spans: int
) -> None:
    """Ask again for all encodes of an asset that has renditions without an index."""
    asset = await queries.lock_asset(tx, asset_id)
    if asset is None:
        return
    open_rows = [row for row in rows if row.index_key is None]
    await _enqueue_encodes(tx, asset, open_rows, audio_spans)
    for row in open_rows:
        if not row.passthrough and row.pieces_stored == row.pieces:
            job = FinishRendition(asset_id=asset_id, rendition_id=row.id)
            await queue.enqueue(tx, job, priority=NORMAL)


async def _enqueue_encodes(
    tx: Transaction, asset: Asset, rows: Sequence[Rendition], audio_spans: int
) -> None:
    if any(not row.passthrough for row in rows if row.name == queries.AUDIO):
        spans = [EncodeAudio(asset_id=asset.id, span=span) for span in range(audio_spans)]
        await queue.enqueue(tx, *spans[:1], priority=URGENT)
        await queue.enqueue(tx, *spans[1:], priority=NORMAL)
    if any(not row.passthrough for row in queries.ladder(rows)):
        await _want_ahead(tx, asset, [row for row in queries.ladder(rows) if not row.passthrough])
        asset.next_chunk = min(asset.chunks, CHUNK_WINDOW)
        chunks = [EncodeChunk(asset_id=asset.id, chunk=n) for n in range(asset.next_chunk)]
        await queue.enqueue_in_turn(tx, asset.project_id, *chunks, priority=BACKGROUND)
    await ask_for_storyboard(tx, asset, rows)
    if all(row.passthrough for row in rows) and asset.growth != Growth.OPEN:
        await queue.enqueue(tx, CheckAsset(asset_id=asset.id), priority=BACKGROUND)
    await ask_for_extras(tx, asset, rows)


async def _want_ahead(tx: Transaction, asset: Asset, rungs: Sequence[Rendition]) -> None:
    """Have the first segments of the lowest and, before it, the middle rung ready soon."""
    if not asset.arrived:
        return
    for row in dict.fromkeys((rungs[0], rungs[len(rungs) // 2])):
        await wants.ask_ahead(tx, Wanted(asset.project_id, asset.id, row.id, 0))


async def refill_window(tx: Transaction, asset_id: UUID) -> None:
    """A chunk is done: enqueue the next one of that video that is not yet queued."""
    asset = await queries.lock_asset(tx, asset_id)
    if asset is not None and asset.next_chunk < asset.chunks:
        chunk = EncodeChunk(asset_id=asset_id, chunk=asset.next_chunk)
        await queue.enqueue_in_turn(tx, asset.project_id, chunk, priority=BACKGROUND)
        asset.next_chunk += 1


async def finish_later(tx: Transaction, rendition: Rendition) -> None:
    """Ask for the index of a rendition whose pieces are all stored; its row is locked.

    While the source arrives there may be more to come: then its end will ask.
    """
    growth = await tx.scalar(select(Asset.growth).where(Asset.id == rendition.asset_id))
    if growth != Growth.OPEN:
        job = FinishRendition(asset_id=rendition.asset_id, rendition_id=rendition.id)
        await queue.enqueue(tx, job, priority=NORMAL)
