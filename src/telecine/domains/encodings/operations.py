"""What other domains ask of the pipeline: begin, complete, pick a still, remove."""

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update

from telecine.db.engine import Transaction
from telecine.db.notify import notify
from telecine.domains.encodings import queries
from telecine.domains.encodings.jobs import CheckAsset, ProbeAsset, RemoveMedia, TakeStill
from telecine.domains.encodings.models import Asset, AssetState
from telecine.domains.sources.models import Owner, Source
from telecine.jobs import queue

MEDIA_CHANGED = "telecine_media"
"""NOTIFY channel: the public id of a video whose delivery may have changed."""

URGENT, NORMAL, BACKGROUND = 100, 10, 0
"""Priorities of jobs in their lane: a viewer waits, a person waits, nobody waits."""


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
    last = await tx.scalar(
        select(func.coalesce(func.max(Asset.epoch), 0)).where(Asset.video_id == video.id)
    )
    epoch = int(last or 0) + 1
    asset = Asset(
        project_id=video.project_id,
        video_id=video.id,
        source_id=source.id,
        public_id=video.public_id,
        prefix=f"{video.prefix}{epoch}/",
        epoch=epoch,
        state=AssetState.PROBING,
        options=asdict(options),
        summary={},
    )
    tx.add(asset)
    await tx.flush()
    await queue.enqueue(tx, ProbeAsset(asset_id=asset.id), priority=NORMAL)
    await notify(tx, MEDIA_CHANGED, video.public_id)
    return asset


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
        .values(state=AssetState.FAILED, failure="deleted")
    )
    asset = await queries.current_asset(tx, video.id)
    if asset is not None:
        await queue.cancel(tx, asset_id=str(asset.id))
    await queue.enqueue(tx, RemoveMedia(video_id=video.id, prefix=video.prefix))
    await notify(tx, MEDIA_CHANGED, video.public_id)
