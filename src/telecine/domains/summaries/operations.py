"""Changes of summaries."""

from collections.abc import Collection, Sequence
from uuid import UUID

from telecine import clock
from telecine.db.engine import Transaction
from telecine.domains.summaries import queries
from telecine.domains.summaries.queries import Shown
from telecine.domains.videos import operations as videos
from telecine.domains.videos import wishes
from telecine.domains.words import operations as words
from telecine.domains.words.models import ATTRIBUTES, Origin, SourceStatus, Summary
from telecine.problems import not_found


async def create_summary(
    tx: Transaction,
    project_id: UUID,
    video_id: str,
    *,
    automatic: bool,
    attributes: Collection[str] = ATTRIBUTES,
    possible: bool = False,
) -> Shown:
    """Create the summary of a video, without its words.

    `automatic`: they will be found, if that is `possible` here.

    Raises:
        Problem: 404, there is no such video; 409, it has a summary.
    """
    video = await videos.found(tx, project_id, video_id, lock=True)
    created = await words.add_summary(
        tx,
        project_id,
        video.id,
        asked_as="videoId",
        attributes=attributes,
        origin=Origin.AUTO if automatic else Origin.API,
        possible=possible,
        asset_id=await wishes.ready_asset(tx, video.id),
    )
    await wishes.check_media(tx, project_id, video.id)
    return Shown(created, video_id)


async def change_source(
    tx: Transaction,
    project_id: UUID,
    public_id: str,
    abstract: str | None,
    takeaways: Sequence[str] | None,
) -> Summary:
    """Write the words of a summary; what is None stays as it is.

    Raises:
        Problem: 404, there is no such summary; 409, its words are being made.
    """
    row = await queries.summary(tx, project_id, public_id, lock=True)
    if row is None:
        raise not_found("summaryId")
    if row.source_status == SourceStatus.WAITING:
        raise words.already_exists(None)
    if abstract is not None:
        row.abstract = abstract
    if takeaways is not None:
        row.takeaways = [*takeaways]
    if row.abstract or row.takeaways:
        row.source_status, row.failure = SourceStatus.COMPLETED, None
    row.updated_at = clock.now()
    return row


async def delete_summary(tx: Transaction, project_id: UUID, public_id: str) -> None:
    """Delete a summary. Raises Problem 404."""
    row = await queries.summary(tx, project_id, public_id, lock=True)
    if row is None:
        raise not_found("summaryId")
    await tx.delete(row)
