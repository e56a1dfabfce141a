"""Changes of videos. Each bumps `updated_at` and tells delivery in its transaction."""

from collections.abc import Mapping
from datetime import timedelta
from fractions import Fraction
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, update

from telecine import clock, ids
from telecine.db.engine import Transaction
from telecine.db.notify import notify
from telecine.domains.accounts.models import Environment, Project
from telecine.domains.encodings import operations as encodings
from telecine.domains.encodings import queries as media
from telecine.domains.encodings.operations import MEDIA_CHANGED, AssetOptions, VideoRef
from telecine.domains.players import operations as players
from telecine.domains.sources import fetching
from telecine.domains.sources.models import Source
from telecine.domains.videos import queries, timecodes, wishes
from telecine.domains.videos.clips import ASSUMED_RATE, Span
from telecine.domains.videos.models import Video
from telecine.domains.videos.queries import COLUMNS, VideoRow
from telecine.domains.watermarks import operations as watermarks
from telecine.domains.webhooks import events
from telecine.domains.webhooks.operations import announce
from telecine.problems import bad_request, invalid_attribute, not_found

SANDBOX_LIMIT_S = 30
"""How much of a video the sandbox keeps."""

"""How long a discarded video can be restored."""


async def found(
    tx: Transaction,
    project_id: UUID,
    public_id: str,
    *,
    lock: bool = False,
    discarded: bool = False,
) -> VideoRow:
    """Return a video, or a discarded one. Raises Problem 404."""
    row = await queries.video(tx, project_id, public_id, lock=lock, discarded=discarded)
    if row is None:
        raise not_found("videoId")
    return row


async def create_video(tx: Transaction, project_id: UUID, values: Mapping[str, Any]) -> VideoRow:
    """Create an empty container; `values` are columns. Raises Problem 400."""
    if values.get("player_id") is not None:
        await players.check_reference(tx, project_id, values["player_id"])
    now = clock.now()
    defaults = {"public_id": ids.public_id("vi"), "published_at": now, "created_at": now}
    stamps = {"project_id": project_id, "updated_at": now}
    statement = insert(Video).values({**defaults, **values, **stamps}).returning(*COLUMNS)
    row = VideoRow(*(await tx.execute(statement)).one())
    if values.get("watermarks"):
        await watermarks.note_use(tx, project_id, row.id, values["watermarks"])
    return row


async def update_video(
    tx: Transaction, project_id: UUID, public_id: str, changes: Mapping[str, Any]
) -> VideoRow:
    """Change columns of a video. Raises Problem 404, or 400."""
    row = await found(tx, project_id, public_id, lock=True)
    if changes.get("player_id") not in {None, row.player_id}:
        await players.check_reference(tx, project_id, changes["player_id"])
    if changes.get("mp4_support", row.mp4_support) != row.mp4_support:
        await encodings.set_mp4_support(tx, row.id, mp4_support=changes["mp4_support"])
    return await _write(tx, project_id, row, changes)


async def language_heard(
    tx: Transaction, project_id: UUID, row: VideoRow, language: str
) -> VideoRow:
    """Note what is spoken in a video whose row is locked, unless its owner has said so."""
    heard = {"language": language, "language_origin": "auto"}
    return await _write(tx, project_id, row, heard if row.language is None else {})


async def _write(
    tx: Transaction, project_id: UUID, row: VideoRow, changes: Mapping[str, Any]
) -> VideoRow:
    statement = (
        update(Video)
        .where(Video.project_id == project_id, Video.id == row.id)
        .values({"updated_at": clock.now(), **changes})
        .returning(*COLUMNS)
    )
    written = (await tx.execute(statement)).one()
    await notify(tx, MEDIA_CHANGED, row.public_id)
    return VideoRow(*written)


async def delete_video(
    tx: Transaction, project_id: UUID, public_id: str, *, kept: timedelta | None = None
) -> None:
    """Delete a video: it is gone at once, its bytes soon. Raises Problem 404.

    With `kept` it is discarded first, can be restored for so long, and then goes for good.
    """
    row = await found(tx, project_id, public_id, lock=True)
    if kept is not None:
        now = clock.now()
        changes = {"discarded_at": now, "deletes_at": now + kept}
        await _write(tx, project_id, row, changes)
    else:
        await remove(tx, project_id, row)


async def restore_video(tx: Transaction, project_id: UUID, public_id: str) -> VideoRow:
    """Bring a discarded video back, with all it had. Raises Problem 404."""
    row = await found(tx, project_id, public_id, lock=True, discarded=True)
    await wishes.resume(tx, project_id, row.id)
    return await _write(tx, project_id, row, {"discarded_at": None, "deletes_at": None})


async def remove(tx: Transaction, project_id: UUID, row: VideoRow) -> None:
    """Delete a video whose row is locked, discarded or not."""
    await _write(tx, project_id, row, {"deleted_at": clock.now()})
    await announce(tx, project_id, events.DELETED, row.public_id, {"videoId": row.public_id})
    await encodings.remove_media(tx, reference(row, project_id))
    await fetching.release_copies(tx, project_id, row.public_id)


def reference(row: VideoRow, project_id: UUID) -> VideoRef:
    """Return a video as the domains below know it."""
    return VideoRef(row.id, project_id, row.public_id)


async def source_arrived(
    tx: Transaction,
    project_id: UUID,
    row: VideoRow,
    source: Source,
    *,
    complete: bool,
    sandbox: bool,
) -> VideoRow:
    """Note that more of a video's source is stored; have it played.

    The caller has locked the video's row, in this transaction.
    """
    video = reference(row, project_id)
    if not complete and await encodings.source_grew(tx, video, source):
        await notify(tx, MEDIA_CHANGED, row.public_id)
        return row
    options = await _asset_options(tx, project_id, row, sandbox=sandbox)
    if complete:
        members = {"videoId": row.public_id}
        await announce(tx, project_id, events.SOURCE_UPLOADED, row.public_id, members)
        await encodings.source_completed(tx, video, source, options)
        await fetching.release_copies(tx, project_id, row.public_id)
    else:
        await encodings.source_begins(tx, video, source, options)
    return await _write(tx, project_id, row, {})


async def _asset_options(
    tx: Transaction, project_id: UUID, row: VideoRow, *, sandbox: bool
) -> AssetOptions:
    clip = await clip_of(tx, project_id, row.id)
    return AssetOptions(
        mp4_support=row.mp4_support,
        still_at_ms=row.thumbnail_at_ms,
        limit_s=SANDBOX_LIMIT_S if sandbox else None,
        sandbox_mark=sandbox,
        live_stream_id=row.live_stream_id,
        clip_start_ms=clip.start_ms or None,
        clip_end_ms=clip.end_ms,
        watermarks=tuple(await watermarks_of(tx, project_id, row.id)),
    )


async def source_ingested(tx: Transaction, source: Source) -> None:
    """Make the asset of a source that we got ourselves; its video's row is locked."""
    project_id = source.project_id
    row = await _row_of(tx, source)
    environment = await tx.scalar(select(Project.environment).where(Project.id == project_id))
    sandbox = environment == Environment.SANDBOX
    await source_arrived(tx, project_id, row, source, complete=True, sandbox=sandbox)


async def source_failed(tx: Transaction, source: Source) -> None:
    """Tell those who wait that a source will never come; its video's row is locked.

    Like any other change it starts the time that a video without a file is kept.
    """
    await _write(tx, source.project_id, await _row_of(tx, source), {})


async def _row_of(tx: Transaction, source: Source) -> VideoRow:
    rows = select(*COLUMNS).where(
        Video.project_id == source.project_id, Video.id == source.video_id
    )
    return VideoRow(*(await tx.execute(rows)).one())


async def clip_of(tx: Transaction, project_id: UUID, video_id: UUID) -> Span:
    """Return which part of its file a video shows."""
    stored = select(Video.clip).where(Video.project_id == project_id, Video.id == video_id)
    return Span.from_json(await tx.scalar(stored))


async def watermarks_of(tx: Transaction, project_id: UUID, video_id: UUID) -> list[dict[str, Any]]:
    """Return what is burnt into a video, in the order in which it is drawn."""
    stored = select(Video.watermarks).where(Video.project_id == project_id, Video.id == video_id)
    return await tx.scalar(stored) or []


async def set_thumbnail(
    tx: Transaction, project_id: UUID, public_id: str, key: str
) -> tuple[VideoRow, str | None]:
    """Show an uploaded picture; return also the key of the one that it replaces."""
    row = await found(tx, project_id, public_id, lock=True)
    return await _write(tx, project_id, row, {"thumbnail_key": key}), row.thumbnail_key


async def pick_thumbnail(
    tx: Transaction, project_id: UUID, public_id: str, timecode: str
) -> tuple[VideoRow, str | None]:
    """Show a frame of the video; return also the key of a picture that it replaces.

    A time behind the end means the first frame. Without media the wish is kept.
    """
    row = await found(tx, project_id, public_id, lock=True)
    asset = await media.current_asset(tx, row.id)
    rate, duration_s = ASSUMED_RATE, None
    if asset is not None:
        rate = Fraction(asset.summary.get("framerate") or ASSUMED_RATE)
        duration_s = asset.duration_s
    try:
        at_ms = timecodes.milliseconds(timecode, rate)
    except ValueError:
        detail = "This value must be a timecode (hh:mm:ss.ms, hh:mm:ss:frame or seconds)."
        raise bad_request([invalid_attribute("timecode", detail)]) from None
    if duration_s is not None and at_ms >= duration_s * 1000:
        at_ms = 0
    changes = {"thumbnail_key": None, "thumbnail_at_ms": at_ms}
    written = await _write(tx, project_id, row, changes)
    await encodings.pick_thumbnail(tx, row.id, at_ms)
    return written, row.thumbnail_key
