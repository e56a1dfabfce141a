"""Reads of text tracks: captions here, chapters by the same words."""

from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

from sqlalchemy import func, select

from telecine.db.engine import Transaction
from telecine.domains.captions.models import TextTrack
from telecine.http.pagination import Page

T = TypeVar("T", bound=TextTrack)


async def track(
    tx: Transaction, kind: type[T], project_id: UUID, video_id: UUID, language: str
) -> T | None:
    """Return the track of a video in one language."""
    rows = select(kind).where(
        kind.project_id == project_id, kind.video_id == video_id, kind.language == language
    )
    return (await tx.scalars(rows)).one_or_none()


async def page(
    tx: Transaction, kind: type[T], project_id: UUID, video_id: UUID, wanted: Page
) -> tuple[int, Sequence[T]]:
    """Return the number of all tracks of a video, and those of one page, by language."""
    mine = kind.project_id == project_id, kind.video_id == video_id
    total = await tx.scalar(select(func.count()).select_from(kind).where(*mine))
    rows = (
        select(kind)
        .where(*mine)
        .order_by(kind.language)
        .offset(wanted.bounded_offset)
        .limit(wanted.size)
    )
    return total or 0, (await tx.scalars(rows)).all()


async def tracks(tx: Transaction, kind: type[T], project_id: UUID, video_id: UUID) -> Sequence[T]:
    """Return all tracks of a video, by language."""
    rows = select(kind).where(kind.project_id == project_id, kind.video_id == video_id)
    return (await tx.scalars(rows.order_by(kind.language))).all()
