"""Reads of summaries, of one project and of videos that are there."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select

from telecine.db.engine import Transaction
from telecine.domains.videos.models import Video
from telecine.domains.words.models import Summary
from telecine.http.pagination import Page

SORTS = {
    "createdAt": Summary.created_at,
    "updatedAt": Summary.updated_at,
    "videoId": Video.public_id,
}


@dataclass(frozen=True, slots=True)
class Listing:
    """Which summaries are asked for, and in which order. None: any."""

    video_id: str | None = None
    origin: str | None = None
    source_status: str | None = None
    sort_by: str = "createdAt"
    descending: bool = True


@dataclass(frozen=True, slots=True)
class Shown:
    """A summary, and the public id of its video."""

    summary: Summary
    video_id: str


def _shown(project_id: UUID) -> Select[Summary, str]:
    return (
        select(Summary, Video.public_id)
        .join(Video, (Video.id == Summary.video_id) & (Video.project_id == Summary.project_id))
        .where(
            Summary.project_id == project_id,
            Video.deleted_at.is_(None),
            Video.discarded_at.is_(None),
        )
    )


async def summary(
    tx: Transaction, project_id: UUID, public_id: str, *, lock: bool = False
) -> Summary | None:
    """Return a summary; `lock` keeps others from changing it."""
    rows = _shown(project_id).where(Summary.public_id == public_id)
    if lock:
        rows = rows.with_for_update(of=Summary)
    found = (await tx.execute(rows)).one_or_none()
    return None if found is None else found[0]


async def page(
    tx: Transaction, project_id: UUID, listing: Listing, wanted: Page
) -> tuple[int, Sequence[Shown]]:
    """Return the number of all matching summaries, and those of one page."""
    filters: list[tuple[ColumnElement[str], str | None]] = [
        (Video.public_id.expression, listing.video_id),
        (Summary.origin.expression, listing.origin),
        (Summary.source_status.expression, listing.source_status),
    ]
    rows = _shown(project_id).where(*(column == value for column, value in filters if value))
    total = await tx.scalar(select(func.count()).select_from(rows.subquery()))
    order = [
        key.desc() if listing.descending else key.asc()
        for key in (SORTS[listing.sort_by], Summary.id)
    ]
    found = await tx.execute(rows.order_by(*order).offset(wanted.bounded_offset).limit(wanted.size))
    return total or 0, [Shown(row[0], row[1]) for row in found]
