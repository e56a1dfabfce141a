"""Reads of live streams."""

from uuid import UUID

from sqlalchemy import select

from telecine.db.engine import Transaction
from telecine.domains.accounts.models import Project
from telecine.domains.live_streams.models import Broadcast, LiveStream


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


async def watched(tx: Transaction, public_id: str) -> LiveStream | None:
    """Return a live stream of a project that is not suspended, for its viewers."""
    rows = (
        select(LiveStream)
        .join(Project, Project.id == LiveStream.project_id)
        .where(
            LiveStream.public_id == public_id,
            LiveStream.deleted_at.is_(None),
            Project.suspended_at.is_(None),
        )
    )
    return await tx.scalar(rows)


async def running(tx: Transaction, project_id: UUID, live_stream_id: UUID) -> Broadcast | None:
    """Return the event that runs on a live stream, None if there is none."""
    rows = select(Broadcast).where(
        Broadcast.project_id == project_id,
        Broadcast.live_stream_id == live_stream_id,
        Broadcast.ended_at.is_(None),
    )
    return await tx.scalar(rows)
