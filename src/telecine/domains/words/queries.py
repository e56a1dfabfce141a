"""Reads of transcripts and summaries, by the video that they are of."""

from uuid import UUID

from sqlalchemy import select

from telecine.db.engine import Transaction
from telecine.domains.words.models import Summary, Transcript


async def transcript_of(
    tx: Transaction, project_id: UUID, video_id: UUID, *, lock: bool = False
) -> Transcript | None:
    """Return the transcript of a video, None if nobody asked; `lock` keeps others away."""
    rows = select(Transcript).where(
        Transcript.project_id == project_id, Transcript.video_id == video_id
    )
    if lock:
        rows = rows.with_for_update().execution_options(populate_existing=True)
    return (await tx.scalars(rows)).one_or_none()


async def summary_of(
    tx: Transaction, project_id: UUID, video_id: UUID, *, lock: bool = False
) -> Summary | None:
    """Return the summary of a video, None if it has none; `lock` likewise."""
    rows = select(Summary).where(Summary.project_id == project_id, Summary.video_id == video_id)
    if lock:
        rows = rows.with_for_update().execution_options(populate_existing=True)
    return (await tx.scalars(rows)).one_or_none()
