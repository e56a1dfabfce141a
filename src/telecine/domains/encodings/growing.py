"""Assets that are played while their source arrives, written down.

Whoever changes one locks its video, its source and itself, in this order, as uploads do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.sql import column, table

from telecine.db.engine import Transaction
from telecine.db.notify import notify
from telecine.domains.encodings import queries
from telecine.domains.encodings.completion import (
    ask_for_checks,
    ask_for_extras,
    ask_for_storyboard,
)
from telecine.domains.encodings.jobs import (
    EncodeAudio,
    EncodeChunk,
    ProbeAsset,
    TakeStill,
)
from telecine.domains.encodings.models import (
    Asset,
    Growth,
    Rendition,
)
from telecine.domains.encodings.operations import (
    BACKGROUND,
    MEDIA_CHANGED,
    NORMAL,
    VideoRef,
    new_asset,
)
from telecine.domains.encodings.recording import (
    announce_ready,
    mark_copied,
)
from telecine.domains.encodings.schedule import CHUNK_WINDOW, finish_later
from telecine.domains.sources import queries as sources
from telecine.domains.sources.models import Source
from telecine.domains.words import operations as words
from telecine.jobs import queue
from telecine.pipeline.model import Plan
from telecine.pipeline.spans import audio_spans

# The row belongs to a domain above this one.
_VIDEO = table("video", column("id"))


async def lock_growing(tx: Transaction, asset_id: UUID) -> tuple[Asset, Source] | None:
    """Lock an asset that grows, and its source; None if it does not grow any more."""
    owners = select(Asset.video_id, Asset.source_id).where(Asset.id == asset_id)
    found = (await tx.execute(owners)).one_or_none()
    if found is None:
        return None
    video = select(_VIDEO.c.id).where(_VIDEO.c.id == found[0])
    await tx.execute(video.with_for_update(key_share=True))
    source = await sources.locked(tx, found[1])
    asset = await queries.lock_asset(tx, asset_id)
    if source is None or asset is None or asset.growth != Growth.OPEN:
        return None
    return asset, source


async def note_look(
    tx: Transaction, asset_id: UUID, look_at: datetime, look_from_bytes: int
) -> None:
    """Note when, and with how many bytes, it is of use to look again."""
    await tx.execute(
        update(Asset)
        .where(Asset.id == asset_id, Asset.growth == Growth.OPEN)
        .values(look_at=look_at, look_from_bytes=look_from_bytes)
    )


@dataclass(frozen=True, slots=True)
class Probed:
    """What the API tells of a source, as far as it has come."""

    summary: dict[str, Any]
    duration_s: float


async def record_arrival(tx: Transaction, asset: Asset, plan: Plan, arrived: int) -> None:
    """More segments can be made: ask for what is now whole of the ladder and the sound."""
    before, asset.arrived = asset.arrived, arrived
    chunks = plan.arrived_chunks(arrived, more=asset.growth == Growth.OPEN)
    rows = await queries.renditions_of(tx, asset.id)
    if any(not row.passthrough for row in queries.ladder(rows)):
        # With others still to be asked for, each that is done asks for the next.
        if asset.next_chunk == asset.chunks:
            end = min(chunks, asset.next_chunk + CHUNK_WINDOW)
            new = [EncodeChunk(asset_id=asset.id, chunk=n) for n in range(asset.next_chunk, end)]
            await queue.enqueue_in_turn(tx, asset.project_id, *new, priority=BACKGROUND)
            asset.next_chunk = end
        asset.chunks = chunks
    if any(not row.passthrough for row in rows if row.name == queries.AUDIO):
        spans = [
            EncodeAudio(asset_id=asset.id, span=number)
            for number, (first, end) in enumerate(audio_spans(plan))
            if first < arrived and end > before
        ]
        await queue.enqueue(tx, *spans, priority=NORMAL)
    await notify(tx, MEDIA_CHANGED, asset.public_id)


async def record_end(tx: Transaction, asset: Asset, plan: Plan) -> None:
    """The source is complete, and the asset is what was announced: it ends as it is."""
    asset.growth = Growth.CLOSED
    await record_arrival(tx, asset, plan, plan.segments)
    await tx.flush()
    locked = select(Rendition).where(Rendition.asset_id == asset.id).order_by(Rendition.id)
    rows = (await tx.scalars(locked.with_for_update())).all()
    await _finish_whole(tx, rows)
    for row in queries.ladder(rows):
        await announce_ready(tx, asset, rows, row)
    await ask_for_storyboard(tx, asset, rows)
    if asset.options.get("still_at_ms") is not None:
        at_ms = int(asset.options["still_at_ms"])
        await queue.enqueue(tx, TakeStill(asset_id=asset.id, at_ms=at_ms), priority=NORMAL)
    await ask_for_extras(tx, asset, rows)
    await ask_for_checks(tx, asset, rows)
    await words.media_ready(tx, asset.project_id, asset.video_id, asset.id)


async def _finish_whole(tx: Transaction, rows: Sequence[Rendition]) -> None:
    for row in rows:
        if row.passthrough:
            mark_copied(row)
        elif row.index_key is None and row.pieces_stored == row.pieces:
            await finish_later(tx, row)


async def record_longer(
    tx: Transaction, asset: Asset, plan: Plan, revision: str, probed: Probed
) -> str:
    """More is known of what is played, under a new revision; return the one to delete.

    The last one stays: others may be about to read it.
    """
    unused, asset.earlier_revision, asset.revision = (
        asset.earlier_revision,
        asset.revision,
        revision,
    )
    asset.summary, asset.duration_s = probed.summary, probed.duration_s
    rows = select(Rendition).where(Rendition.asset_id == asset.id).order_by(Rendition.id)
    for row in (await tx.scalars(rows.with_for_update())).all():
        row.pieces = plan.segments if row.name == queries.AUDIO else plan.pieces
    return unused


async def replace(tx: Transaction, asset: Asset, source: Source) -> None:
    """The source is not what its beginning promised: it is cut anew, as a new epoch.

    The old one is shown until the new one can be played.
    """
    asset.growth = Growth.REPLACED
    video = VideoRef(asset.video_id, asset.project_id, asset.public_id)
    new = await new_asset(tx, video, source.id, asset.options)
    await queue.enqueue(tx, ProbeAsset(asset_id=new.id), priority=NORMAL)
    await notify(tx, MEDIA_CHANGED, asset.public_id)
