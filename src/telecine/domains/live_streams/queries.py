"""Reads of live streams."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from telecine import ids
from telecine.db.engine import Transaction
from telecine.domains.accounts.models import Project
from telecine.domains.live_streams.models import Broadcast, LiveStream
from telecine.http.pagination import Page

SORT_COLUMNS = {
    "name": "name_start",
    "createdAt": "created_at",
    "updatedAt": "updated_at",
    "publishedAt": "created_at",
}

_SHORTEST_INDEXED = 3  # characters of a trigram


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Which live streams are wanted, and in which order; `sort_by` is a member's name."""

    name: str | None = None
    stream_key: str | None = None
    sort_by: str = "createdAt"
    descending: bool = True


async def live_stream(
    tx: Transaction, project_id: UUID, public_id: str, *, lock: bool = False
) -> LiveStream | None:
    """Return a live stream of a project, None if there is none."""
    rows = select(LiveStream).where(
        LiveStream.project_id == project_id,
        LiveStream.public_id == public_id,
        LiveStream.deleted_at.is_(None),
    )
    return await tx.scalar(rows.with_for_update() if lock else rows)


async def watched(tx: Transaction, public_id: str) -> tuple[LiveStream, dict[str, Any]] | None:
    """Return a live stream, for its viewers, and its project's settings.

    None if there is none, or the project is suspended.
    """
    rows = (
        select(LiveStream, Project.settings)
        .join(Project, Project.id == LiveStream.project_id)
        .where(
            LiveStream.public_id == public_id,
            LiveStream.deleted_at.is_(None),
            Project.suspended_at.is_(None),
        )
    )
    found = (await tx.execute(rows)).one_or_none()
    return None if found is None else (found[0], found[1])


async def of_any_project(tx: Transaction, public_id: str) -> LiveStream | None:
    """Return a live stream of whatever project, for the operator."""
    return await tx.scalar(
        select(LiveStream).where(LiveStream.public_id == public_id, LiveStream.deleted_at.is_(None))
    )


async def running(tx: Transaction, project_id: UUID, live_stream_id: UUID) -> Broadcast | None:
    """Return the event that runs on a live stream, None if there is none."""
    rows = select(Broadcast).where(
        Broadcast.project_id == project_id,
        Broadcast.live_stream_id == live_stream_id,
        Broadcast.ended_at.is_(None),
    )
    return await tx.scalar(rows)


async def page(
    tx: Transaction, project_id: UUID, listing: Listing, wanted: Page
) -> tuple[int, Sequence[LiveStream]]:
    """Return the number of live streams that are wanted, and those of one page."""
    chosen = [LiveStream.project_id == project_id, LiveStream.deleted_at.is_(None)]
    if listing.stream_key is not None:
        chosen.append(LiveStream.key_digest == ids.digest(listing.stream_key))
    if listing.name is not None:
        chosen.append(LiveStream.name.icontains(listing.name, autoescape=True))
        if len(listing.name) >= _SHORTEST_INDEXED:
            trigrams = func.telecine_trigrams(listing.name)
            chosen.append(LiveStream.name_trigrams.bool_op("@>")(trigrams))
    total = await tx.scalar(select(func.count()).select_from(LiveStream).where(*chosen))
    keys = (getattr(LiveStream, SORT_COLUMNS[listing.sort_by]), LiveStream.id)
    rows = (
        select(LiveStream)
        .where(*chosen)
        .order_by(*(key.desc() if listing.descending else key.asc() for key in keys))
        .offset(wanted.bounded_offset)
        .limit(wanted.size)
    )
    return total or 0, (await tx.scalars(rows)).all()
