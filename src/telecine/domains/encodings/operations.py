"""What other domains ask of the pipeline: begin, complete, pick a still, remove."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.sql import column, table

from telecine.db.engine import Transaction
from telecine.db.notify import notify
from telecine.domains.encodings import queries
from telecine.domains.encodings.jobs import (
    CheckAsset,
    GrowAsset,
    ProbeAsset,
    RemoveMedia,
    RetryAsset,
    TakeStill,
)
from telecine.domains.encodings.models import Asset, AssetState, Growth, RenditionState
from telecine.domains.sources.models import Owner, Source
from telecine.domains.words import operations as words
from telecine.jobs import queue

MEDIA_CHANGED = "telecine_media"
"""NOTIFY channel: the public id of a video whose delivery may have changed."""

URGENT, NORMAL, BACKGROUND = 100, 10, 0
"""Priorities of jobs in their lane: a viewer waits, a person waits, nobody waits."""

# The row belongs to a domain above this one; who makes an asset has locked it.
_VIDEO = table("video", column("id"), column("epochs"))


@dataclass(frozen=True, slots=True)
class VideoRef:
    """The video that a piece of media belongs to."""

    id: UUID
    project_id: UUID
    public_id: str

    @property
    def prefix(self) -> str:
        """Return the folder of all objects of the video."""
        return f"{self.project_id}/{self.public_id}/"

    @property
    def owner(self) -> Owner:
        """Return it as the owner of its source."""
        return Owner(self.project_id, self.id, self.prefix)


@dataclass(frozen=True, slots=True)
class AssetOptions:
    """What the owner wants of an asset, fixed when the source is complete."""

    mp4_support: bool = True
    still_at_ms: int | None = None
    limit_s: int | None = None  # sandbox: only the first seconds are kept
    sandbox_mark: bool = False  # sandbox: a mark is burnt into the picture
    live_stream_id: str | None = None
    # The part of the source that becomes the video; None: from its start, to its end.
    clip_start_ms: int | None = None
    clip_end_ms: int | None = None
    # As `watermarks.operations.burning` writes them, in the order in which they are drawn.
    watermarks: tuple[dict[str, Any], ...] = ()


async def make_asset(
    tx: Transaction, video: VideoRef, source: Source, options: AssetOptions
) -> Asset:
    """Make an asset of a source whose last byte is stored, and ask for the probe.

    In the transaction that completes the source: both appear together or not at all.
    """
    asset = await new_asset(tx, video, source.id, asdict(options))
    await queue.enqueue(tx, ProbeAsset(asset_id=asset.id), priority=NORMAL)
    await notify(tx, MEDIA_CHANGED, video.public_id)
    return asset


async def new_asset(
    tx: Transaction, video: VideoRef, source_id: UUID, options: Mapping[str, Any]
) -> Asset:
    """Add an asset with an epoch that its video never had; nobody works on it yet."""
    counted = update(_VIDEO).where(_VIDEO.c.id == video.id).values(epochs=_VIDEO.c.epochs + 1)
    epoch = int((await tx.execute(counted.returning(_VIDEO.c.epochs))).scalar_one())
    asset = Asset(
        project_id=video.project_id,
        video_id=video.id,
        source_id=source_id,
        public_id=video.public_id,
        prefix=f"{video.prefix}{epoch}/",
        epoch=epoch,
        state=AssetState.PROBING,
        options=dict(options),
        summary={},
        remarks=[],
    )
    tx.add(asset)
    await tx.flush()
    return asset


async def source_begins(
    tx: Transaction, video: VideoRef, source: Source, options: AssetOptions
) -> None:
    """The first of a source is stored: make an asset that grows with it.

    The caller holds the video's row.
    """
    asset = await new_asset(tx, video, source.id, asdict(options))
    asset.growth = Growth.OPEN
    await tx.flush()
    await queue.enqueue(tx, GrowAsset(asset_id=asset.id), priority=NORMAL)


async def source_grew(tx: Transaction, video: VideoRef, source: Source) -> bool:
    """More of a source is stored: let somebody see whether its beginning can be played.

    False: nobody has made its asset yet. The caller holds the video's row, so there is one
    such job at a time in the queue.
    """
    asset = await queries.current_asset(tx, video.id)
    if asset is None or asset.source_id != source.id:
        return False
    job = GrowAsset(asset_id=asset.id)
    if asset.growth == Growth.OPEN and not await queue.waits(tx, job):
        await queue.enqueue(tx, job, priority=NORMAL, not_before=asset.look_at)
    return True


async def source_completed(
    tx: Transaction, video: VideoRef, source: Source, options: AssetOptions
) -> None:
    """The last byte of a source is stored: make its asset, or end the one that grew."""
    asset = await queries.current_asset(tx, video.id, lock=True)
    if asset is None or asset.source_id != source.id or asset.growth != Growth.OPEN:
        await make_asset(tx, video, source, options)
    elif asset.state == AssetState.PLANNED:
        await queue.enqueue(tx, GrowAsset(asset_id=asset.id), priority=URGENT)
        await notify(tx, MEDIA_CHANGED, video.public_id)
    else:
        # Nothing could be made of its beginning: the ordinary way.
        asset.growth = None
        asset.options = asdict(options)
        await queue.enqueue(tx, ProbeAsset(asset_id=asset.id), priority=NORMAL)
        await notify(tx, MEDIA_CHANGED, video.public_id)


async def forsake(tx: Transaction, source_id: UUID) -> list[str]:
    """Stop all work on a source that its uploader gave up, before its row is deleted.

    Returns the folders that are to be deleted once that has happened.
    """
    assets = (await tx.scalars(select(Asset).where(Asset.source_id == source_id))).all()
    for asset in assets:
        await queue.cancel(tx, asset_id=str(asset.id))
        await notify(tx, MEDIA_CHANGED, asset.public_id)
    return [asset.prefix for asset in assets]


async def pick_thumbnail(tx: Transaction, video_id: UUID, at_ms: int) -> None:
    """Ask for a still at `at_ms` of the current asset.

    While the source is being probed the wish is kept for the first still.
    """
    asset = await queries.current_asset(tx, video_id, lock=True)
    if asset is not None and asset.state == AssetState.PROBING:
        asset.options = {**asset.options, "still_at_ms": at_ms}
    elif asset is not None and asset.state == AssetState.PLANNED:
        await queue.enqueue(tx, TakeStill(asset_id=asset.id, at_ms=at_ms), priority=URGENT)


async def ask_for_report(tx: Transaction, public_id: str, *, compared: bool) -> bool:
    """Ask for a new report on the current asset; False where there is none to look at."""
    asset = await queries.asset_of_public_id(tx, public_id)
    if asset is None or asset.state != AssetState.PLANNED:
        return False
    job = CheckAsset(asset_id=asset.id, compared=int(compared))
    await queue.enqueue(tx, job, priority=NORMAL)
    return True


class NothingFailed(Exception):
    """There is nothing to try again: the work is done, or has not failed yet."""


async def retry(tx: Transaction, asset: Asset) -> None:
    """Try again what failed of an asset, with the same source.

    What is stored stays, under the same URLs. An asset that is being probed is left
    alone, so asking twice asks once.

    Raises:
        NothingFailed: no quality failed.
    """
    locked = await tx.get(Asset, asset.id, with_for_update=True, populate_existing=True)
    if locked is None or locked.state == AssetState.PROBING:
        return
    rows = await queries.renditions_of(tx, locked.id)
    if locked.state == AssetState.FAILED and not rows:
        locked.state, locked.failure = AssetState.PROBING, None
        await queue.enqueue(tx, ProbeAsset(asset_id=locked.id), priority=NORMAL)
    else:
        failed_as_a_whole = locked.state == AssetState.FAILED  # after it was planned
        locked.state, locked.failure = AssetState.PLANNED, None
        failed = [row for row in rows if row.state == RenditionState.FAILED]
        if not failed:
            raise NothingFailed
        for row in failed:
            row.state = RenditionState.ENCODING if row.pieces_stored else RenditionState.WAITING
            row.failure = None
        await queue.enqueue(tx, RetryAsset(asset_id=locked.id), priority=NORMAL)
        if failed_as_a_whole:
            await words.media_ready(tx, locked.project_id, locked.video_id, locked.id)
    await notify(tx, MEDIA_CHANGED, locked.public_id)


async def set_mp4_support(tx: Transaction, video_id: UUID, *, mp4_support: bool) -> None:
    """Record whether the MP4 of a video is offered (and announced when it is done)."""
    asset = await queries.current_asset(tx, video_id)
    if asset is not None:
        asset.options = {**asset.options, "mp4_support": mp4_support}


async def remove_media(tx: Transaction, video: VideoRef) -> None:
    """Stop all work for a video and ask for the removal of its objects and row.

    The caller has marked the row as deleted in the same transaction.
    """
    await tx.execute(
        update(Asset)
        .where(Asset.video_id == video.id, Asset.state == AssetState.PROBING)
        .values(state=AssetState.FAILED, failure=queries.DELETED)
    )
    asset = await queries.current_asset(tx, video.id)
    if asset is not None:
        await queue.cancel(tx, asset_id=str(asset.id))
    await queue.enqueue(tx, RemoveMedia(video_id=video.id, prefix=video.prefix))
    await notify(tx, MEDIA_CHANGED, video.public_id)
