"""Changes of summaries."""

from collections.abc import Sequence
from uuid import UUID

import structlog

from telecine import clock, ids
from telecine.db.engine import Transaction
from telecine.domains.summaries import queries
from telecine.domains.summaries.models import Origin, SourceStatus, Summary
from telecine.domains.summaries.queries import Shown
from telecine.domains.videos import operations as videos
from telecine.problems import not_found, problem

log = structlog.get_logger()

PREFIX = "summary_"


async def create_summary(
    tx: Transaction, project_id: UUID, video_id: str, *, automatic: bool
) -> Shown:
    """Create the summary of a video, without its words.

    `automatic`: they were to be found by themselves; nobody here does that, which the
    status says at once.

    Raises:
        Problem: 404, there is no such video; 409, it has a summary.
    """
    video = await videos.found(tx, project_id, video_id, lock=True)
    if await queries.of_video(tx, project_id, video.id) is not None:
        title = "A summary already exists or is being created on this video."
        detail = "You can delete the existing summary and generate a new one."
        raise problem(409, "summary-already-exists", title, "videoId", detail)
    now = clock.now()
    created = Summary(
        project_id=project_id,
        video_id=video.id,
        public_id=ids.public_id(PREFIX),
        origin=Origin.AUTO if automatic else Origin.API,
        source_status=SourceStatus.FAILED if automatic else SourceStatus.MISSING,
        created_at=now,
        updated_at=now,
    )
    tx.add(created)
    await tx.flush()
    if automatic:
        log.info("summary not made", video=video_id, reason="no program for it is configured")
    return Shown(created, video_id)


async def change_source(
    tx: Transaction,
    project_id: UUID,
    public_id: str,
    abstract: str | None,
    takeaways: Sequence[str] | None,
) -> Summary:
    """Write the words of a summary; what is None stays as it is. Raises Problem 404."""
    row = await queries.summary(tx, project_id, public_id, lock=True)
    if row is None:
        raise not_found("summaryId")
    if abstract is not None:
        row.abstract = abstract
    if takeaways is not None:
        row.takeaways = [*takeaways]
    if row.abstract or row.takeaways:
        row.source_status = SourceStatus.COMPLETED
    row.updated_at = clock.now()
    return row


async def delete_summary(tx: Transaction, project_id: UUID, public_id: str) -> None:
    """Delete a summary. Raises Problem 404."""
    row = await queries.summary(tx, project_id, public_id, lock=True)
    if row is None:
        raise not_found("summaryId")
    await tx.delete(row)
