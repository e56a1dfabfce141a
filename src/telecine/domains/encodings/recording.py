"""What the pipeline made, written down: plans, runs, finished renditions.

Every function may be called twice with the same facts and then changes nothing.
The caller owns the transaction; rows, jobs and events appear together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update

from telecine import clock
from telecine.db.engine import Transaction
from telecine.db.notify import notify
from telecine.domains.encodings import queries
from telecine.domains.encodings.completion import (
    ask_for_checks,
    ask_for_extras,
    ask_for_storyboard,
)
from telecine.domains.encodings.models import (
    Asset,
    AssetState,
    Growth,
    Rendition,
    RenditionState,
    Run,
)
from telecine.domains.encodings.operations import MEDIA_CHANGED
from telecine.domains.encodings.schedule import enqueue_first_jobs, finish_later
from telecine.domains.webhooks import events
from telecine.domains.webhooks.operations import announce
from telecine.domains.words import operations as words
from telecine.pipeline.extra import is_extra
from telecine.pipeline.model import Plan

PIECES_STORED = "telecine_pieces"
"""NOTIFY channel: the id of an asset that has more pieces than before."""


class InitMismatch(Exception):
    """An encode made another init segment than the one that is stored."""


@dataclass(frozen=True, slots=True)
class PassthroughFacts:
    """What is known of a passthrough rendition without encoding: init and rates."""

    init: bytes
    peak_bps: int
    average_bps: int


@dataclass(frozen=True, slots=True)
class StoredRun:
    """An object that was just written: pieces from `first_piece` on, back to back."""

    rendition_id: UUID
    first_piece: int
    key: str
    init: bytes
    sizes: tuple[int, ...]  # bytes of each piece


async def record_plan(
    tx: Transaction,
    asset_id: UUID,
    plan: Plan,
    audio_spans: int,
    facts: Mapping[str, PassthroughFacts],
    summary: dict[str, Any],
    duration_s: float,
    *,
    arrived: int | None = None,
) -> None:
    """Make the asset playable: renditions, first jobs, events of what is ready.

    `arrived`: how many segments can be made of what has come of the source; None: all.
    `audio_spans`: of how many spans the sound can be encoded, or a part of it.
    """
    asset = await queries.lock_asset(tx, asset_id)
    if asset is None or asset.state != AssetState.PROBING:
        return
    asset.arrived = plan.segments if arrived is None else arrived
    asset.state = AssetState.PLANNED
    asset.playable_at = clock.now()
    asset.summary = summary
    asset.duration_s = duration_s
    asset.chunks = plan.arrived_chunks(asset.arrived, more=asset.growth == Growth.OPEN)
    rows = [
        _planned(asset, rendition.name, plan.pieces, facts.get(rendition.name))
        for rendition in (*plan.renditions, *plan.extra)
    ]
    if plan.audio is not None:
        rows.append(_planned(asset, queries.AUDIO, plan.segments, facts.get(queries.AUDIO)))
    tx.add_all(rows)
    await tx.flush()
    await enqueue_first_jobs(tx, asset, rows, audio_spans)
    await announce(
        tx, asset.project_id, events.PLAYABLE, asset.public_id, {"videoId": asset.public_id}
    )
    for row in queries.ladder(rows):
        await announce_ready(tx, asset, rows, row)
    if asset.growth != Growth.OPEN:
        await words.media_ready(tx, asset.project_id, asset.video_id, asset.id)
    await notify(tx, MEDIA_CHANGED, asset.public_id)


def _planned(asset: Asset, name: str, pieces: int, facts: PassthroughFacts | None) -> Rendition:
    row = Rendition(
        project_id=asset.project_id,
        asset_id=asset.id,
        name=name,
        passthrough=facts is not None,
        state=RenditionState.WAITING,
        pieces=pieces,
        pieces_stored=0,
    )
    if facts is not None:
        row.init = facts.init
        row.peak_bps, row.average_bps = facts.peak_bps, facts.average_bps
        if asset.growth == Growth.OPEN:
            row.state = RenditionState.ENCODING
        else:
            mark_copied(row)
    return row


def mark_copied(row: Rendition) -> None:
    """A rendition that is the source itself is complete, because the source is."""
    row.state = RenditionState.ENCODED
    row.pieces_stored = row.pieces
    row.encoded_at = clock.now()


async def record_failure(tx: Transaction, asset_id: UUID, failure: str) -> None:
    """The source cannot be played: the video's one quality is `failed`, with a reason."""
    asset = await queries.lock_asset(tx, asset_id)
    if asset is None or asset.state != AssetState.PROBING:
        return
    asset.state = AssetState.FAILED
    asset.failure = failure
    await _announce_failed(tx, asset, [], failure)
    await words.media_failed(tx, asset.project_id, asset.video_id, failure)
    await notify(tx, MEDIA_CHANGED, asset.public_id)


async def fail_renditions(tx: Transaction, asset_id: UUID, names: set[str], failure: str) -> None:
    """Renditions cannot be completed: they are `failed`, with a reason; the rest stays."""
    asset = await queries.lock_asset(tx, asset_id)
    if asset is None:
        return
    rows = select(Rendition).where(Rendition.asset_id == asset_id).with_for_update()
    failed = []
    for row in await tx.scalars(rows):
        if row.name in names and row.state not in (RenditionState.ENCODED, RenditionState.FAILED):
            row.state = RenditionState.FAILED
            row.failure = failure
            if not is_extra(row.name):
                failed.append(row.name)
    if failed:
        await _announce_failed(tx, asset, failed, failure)
    await notify(tx, MEDIA_CHANGED, asset.public_id)


async def record_runs(tx: Transaction, asset_id: UUID, stored: Sequence[StoredRun]) -> set[str]:
    """Take over the pieces that nobody stored before; return keys nobody needs.

    The first writer of a piece wins: a segment that was served once stays the same
    bytes for ever. Rows are locked in one order, so racing jobs cannot deadlock.

    Raises:
        InitMismatch: the encoder's settings differ from the stored ones.
    """
    unused: set[str] = set()
    for run in sorted(stored, key=lambda run: run.rendition_id):
        locked = select(Rendition).where(Rendition.id == run.rendition_id).with_for_update()
        rendition = (await tx.scalars(locked)).one_or_none()
        if (
            rendition is None
            or rendition.index_key is not None
            or not await _take_pieces(tx, rendition, run)
        ):
            unused.add(run.key)
    await notify(tx, PIECES_STORED, str(asset_id))
    return unused


async def _take_pieces(tx: Transaction, rendition: Rendition, run: StoredRun) -> bool:
    """Insert a run for each stretch of pieces that are not held; return whether any."""
    if rendition.init is None:
        rendition.init = run.init
    elif rendition.init != run.init:
        raise InitMismatch(f"rendition {rendition.id}, piece {run.first_piece}")
    held: set[int] = set()
    for other in await queries.runs_of(tx, rendition.asset_id, [rendition.id]):
        held.update(range(other.first_piece, other.first_piece + len(other.offsets) - 1))
    offsets = [0]
    for size in run.sizes:
        offsets.append(offsets[-1] + size)
    taken = 0
    start: int | None = None
    for index in range(len(run.sizes) + 1):
        free = index < len(run.sizes) and run.first_piece + index not in held
        if free and start is None:
            start = index
        elif not free and start is not None:
            tx.add(
                Run(
                    project_id=rendition.project_id,
                    asset_id=rendition.asset_id,
                    rendition_id=rendition.id,
                    first_piece=run.first_piece + start,
                    object_key=run.key,
                    offsets=offsets[start : index + 1],
                )
            )
            taken += index - start
            start = None
    if taken:
        rendition.pieces_stored += taken
        if rendition.state != RenditionState.FAILED:
            rendition.state = RenditionState.ENCODING
        if rendition.pieces_stored == rendition.pieces:
            await finish_later(tx, rendition)
        await tx.flush()
    return taken > 0


async def record_finished(
    tx: Transaction, asset_id: UUID, rendition_id: UUID, index_key: str, rates_bps: tuple[int, int]
) -> bool:
    """The rendition is complete: its index replaces its rows, and the event is written.

    Returns False when it was finished before; `index_key` is then not needed.
    """
    asset = await queries.lock_asset(tx, asset_id)
    locked = select(Rendition).where(Rendition.id == rendition_id).with_for_update()
    rendition = (await tx.scalars(locked)).one_or_none()
    if asset is None or rendition is None or rendition.index_key is not None:
        return False
    rendition.index_key = index_key
    rendition.peak_bps, rendition.average_bps = rates_bps
    rendition.state = RenditionState.ENCODED
    rendition.failure = None
    rendition.encoded_at = clock.now()
    await tx.execute(delete(Run).where(Run.rendition_id == rendition_id))
    await tx.flush()
    rows = await queries.renditions_of(tx, asset_id)
    for row in queries.ladder(rows):
        if rendition.name in (row.name, queries.AUDIO):
            await announce_ready(tx, asset, rows, row)
    if all(row.name == queries.AUDIO for row in rows):
        await _announce(tx, asset, "hls", "240p")
    if rendition == queries.lowest(rows):
        await ask_for_storyboard(tx, asset, rows)
    if not is_extra(rendition.name):
        await ask_for_extras(tx, asset, rows)
    await ask_for_checks(tx, asset, rows)
    await notify(tx, MEDIA_CHANGED, asset.public_id)
    return True


async def record_crf(tx: Transaction, asset_id: UUID, crf: Mapping[str, float]) -> None:
    """Change the CRF of what is encoded from now on, by rendition; the first word counts."""
    for name, value in crf.items():
        unsaid = (Rendition.asset_id == asset_id, Rendition.name == name, Rendition.crf.is_(None))
        await tx.execute(update(Rendition).where(*unsaid).values(crf=value))


async def record_storyboard(
    tx: Transaction, asset_id: UUID, key: str | None, sizes: Sequence[int]
) -> bool:
    """Take over a storyboard, the first one only; no key and no sizes: there is none.

    `sizes` are the bytes of its parts. Returns False when `key` is not needed.
    """
    asset = await queries.lock_asset(tx, asset_id)
    if asset is None or asset.storyboard_offsets is not None:
        return False
    asset.storyboard_key = key
    asset.storyboard_offsets = [*accumulate(sizes, initial=0)] if sizes else []
    await notify(tx, MEDIA_CHANGED, asset.public_id)
    return True


async def announce_ready(
    tx: Transaction, asset: Asset, rows: Sequence[Rendition], video: Rendition
) -> None:
    """Write the event of a quality that has just become complete, MP4 after the top."""
    audio = next((row for row in rows if row.name == queries.AUDIO), None)
    if queries.joint_state(video, audio) != RenditionState.ENCODED:
        return
    await _announce(tx, asset, "hls", video.name)
    if video == queries.ladder(rows)[-1] and asset.options.get("mp4_support", True):
        await _announce(tx, asset, "mp4", video.name)


async def _announce(tx: Transaction, asset: Asset, encoding: str, quality: str) -> None:
    members = {"videoId": asset.public_id}
    if asset.options.get("live_stream_id"):
        members["liveStreamId"] = asset.options["live_stream_id"]
    members |= {"encoding": encoding, "quality": quality}
    await announce(tx, asset.project_id, events.QUALITY_COMPLETED, asset.public_id, members)


async def _announce_failed(
    tx: Transaction, asset: Asset, qualities: Sequence[str], failure: str
) -> None:
    members = {"videoId": asset.public_id, "qualities": [*qualities], "reason": failure}
    await announce(tx, asset.project_id, events.ENCODING_FAILED, asset.public_id, members)
