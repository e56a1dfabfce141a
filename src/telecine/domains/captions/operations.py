"""Changes of text tracks. Each locks the video first, and tells delivery."""

from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from sqlalchemy import update

from telecine import clock
from telecine.db.engine import Transaction
from telecine.db.notify import notify
from telecine.domains.captions import languages, queries
from telecine.domains.captions.models import Caption, TextTrack
from telecine.domains.encodings.operations import MEDIA_CHANGED
from telecine.domains.videos import operations as videos
from telecine.domains.videos.queries import VideoRow
from telecine.domains.words import operations as words
from telecine.problems import bad_request, invalid_attribute, not_found

T = TypeVar("T", bound=TextTrack)


@dataclass(frozen=True, slots=True)
class Stored:
    """A WebVTT file in the store; `header_bytes`: its first line."""

    key: str
    size_bytes: int
    header_bytes: int


def check_language(tag: str) -> None:
    """Raise Problem 400 unless captions can be in this language."""
    detail = languages.objection(tag)
    if detail is not None:
        raise bad_request([invalid_attribute("language", detail)])


async def found(
    tx: Transaction, kind: type[T], project_id: UUID, video_id: str, language: str
) -> tuple[VideoRow, T]:
    """Return a video and its track. Raises Problem 404, or 400 on a language."""
    video = await videos.found(tx, project_id, video_id)
    check_language(language)
    return video, await _track(tx, kind, project_id, video, language)


async def put(
    tx: Transaction,
    kind: type[T],
    project_id: UUID,
    video_id: str,
    language: str,
    stored: Stored,
    *,
    generated: bool = False,
) -> tuple[VideoRow, T, str | None]:
    """Record the track of a video in a language; return also the key that it replaces.

    A caption that was the default stays it; `generated` ones come from a transcript.
    Raises Problem 404.
    """
    video = await videos.found(tx, project_id, video_id, lock=True)
    row = await queries.track(tx, kind, project_id, video.id, language)
    replaced = None
    if row is None:
        row = kind()
        row.project_id, row.video_id, row.language = project_id, video.id, language
        row.created_at = clock.now()
        tx.add(row)
    else:
        replaced = row.key
    row.key, row.size_bytes = stored.key, stored.size_bytes
    row.header_bytes = stored.header_bytes
    if isinstance(row, Caption):
        row.generated = generated
    await tx.flush()
    await notify(tx, MEDIA_CHANGED, video_id)
    return video, row, replaced


async def set_default(
    tx: Transaction, project_id: UUID, video_id: str, language: str, *, default: bool
) -> tuple[VideoRow, Caption]:
    """Make a caption the one that is shown unasked, or no longer. Raises Problem 404."""
    video = await videos.found(tx, project_id, video_id, lock=True)
    check_language(language)
    row = await _track(tx, Caption, project_id, video, language)
    if default:
        mine = Caption.project_id == project_id, Caption.video_id == video.id
        await tx.execute(update(Caption).where(*mine).values(is_default=False))
    row.is_default = default
    await tx.flush()
    await notify(tx, MEDIA_CHANGED, video_id)
    return video, row


async def remove(
    tx: Transaction, kind: type[TextTrack], project_id: UUID, video_id: str, language: str
) -> str:
    """Delete a track; return the key of its object. Raises Problem 404."""
    video = await videos.found(tx, project_id, video_id, lock=True)
    check_language(language)
    row = await _track(tx, kind, project_id, video, language)
    await tx.delete(row)
    if isinstance(row, Caption) and row.generated:
        await words.forget_transcript(tx, project_id, video.id, language)
    await notify(tx, MEDIA_CHANGED, video_id)
    return row.key


async def _track(
    tx: Transaction, kind: type[T], project_id: UUID, video: VideoRow, language: str
) -> T:
    row = await queries.track(tx, kind, project_id, video.id, language)
    if row is None:
        raise not_found("language")
    return row
