"""What is asked for of a video's words, and what came of it.

Whoever changes these rows has locked the video's, or that of its asset, as one does who
makes the asset playable: so nothing that is asked for meanwhile is overlooked. Rows are
locked in this order: the video, its asset, the transcript, the summary.
"""

from collections.abc import Collection
from uuid import UUID

from telecine import clock, ids
from telecine.db.engine import Transaction
from telecine.domains.words import queries
from telecine.domains.words.jobs import MakeSummary, MakeTranscript
from telecine.domains.words.models import (
    ATTRIBUTES,
    Origin,
    SourceStatus,
    Summary,
    Transcript,
    TranscriptState,
)
from telecine.jobs import queue
from telecine.problems import Problem, problem

SUMMARY_PREFIX = "summary_"

NO_COMMAND = "no-command"
"""The failure of what nothing here makes."""

_OPEN = (SourceStatus.WAITING, SourceStatus.FAILED, SourceStatus.UNPROCESSABLE)


async def ask_for_transcript(
    tx: Transaction,
    project_id: UUID,
    video_id: UUID,
    language: str | None,
    asset_id: UUID | None,
    *,
    again: bool = False,
) -> None:
    """Have a video transcribed, in `language` or that which is recognised.

    What is under way in this language stays as it is, and what is there unless it shall be
    made `again`; what failed is tried again. `asset_id`: of media that is complete; None:
    it will be, see `media_ready`.
    """
    row = await queries.transcript_of(tx, project_id, video_id, lock=True)
    now = clock.now()
    if row is None:
        row = Transcript(project_id=project_id, video_id=video_id, created_at=now, round=0)
        tx.add(row)
    elif _is_served(row, language, again=again):
        return
    row.language, row.spoken = language, None
    row.state, row.failure = TranscriptState.WAITING, None
    row.round += 1
    row.updated_at = now
    await tx.flush()
    if asset_id is not None:
        await queue.enqueue(tx, MakeTranscript(asset_id=asset_id, round=row.round))


def _is_served(row: Transcript, language: str | None, *, again: bool) -> bool:
    """Tell whether a request is for what is there or under way."""
    if row.state == TranscriptState.WAITING:
        return row.language == language
    return row.state == TranscriptState.COMPLETED and language in (None, row.spoken) and not again


async def add_summary(
    tx: Transaction,
    project_id: UUID,
    video_id: UUID,
    *,
    asked_as: str,
    attributes: Collection[str] = ATTRIBUTES,
    origin: Origin = Origin.AUTO,
    possible: bool = True,
    asset_id: UUID | None = None,
) -> Summary:
    """Add the summary of a video, without its words; `auto`: they will be made.

    `asked_as`: the name of the attribute that wants it. `possible`: whether there is a
    command for it; otherwise it fails at once. `asset_id`: as of transcripts.

    Raises:
        Problem: 409, it has one.
    """
    if await queries.summary_of(tx, project_id, video_id) is not None:
        raise already_exists(asked_as)
    status, failure = SourceStatus.MISSING, None
    if origin == Origin.AUTO:
        status = SourceStatus.WAITING if possible else SourceStatus.FAILED
        failure = None if possible else NO_COMMAND
    now = clock.now()
    created = Summary(
        project_id=project_id,
        video_id=video_id,
        public_id=ids.public_id(SUMMARY_PREFIX),
        origin=origin,
        source_status=status,
        attributes=[each for each in ATTRIBUTES if each in attributes] or [*ATTRIBUTES],
        failure=failure,
        created_at=now,
        updated_at=now,
    )
    tx.add(created)
    await tx.flush()
    if status == SourceStatus.WAITING and asset_id is not None:
        await queue.enqueue(tx, MakeSummary(asset_id=asset_id, summary_id=created.id))
    return created


def already_exists(name: str | None) -> Problem:
    """Return the Problem 409 of a second summary; `name`: the attribute to blame."""
    title = "A summary already exists or is being created on this video."
    detail = "You can delete the existing summary and generate a new one."
    return problem(409, "summary-already-exists", title, name, detail)


async def media_ready(tx: Transaction, project_id: UUID, video_id: UUID, asset_id: UUID) -> None:
    """The media of a video is complete and can be read: begin with what was asked for.

    What failed with other media is tried again. The caller has locked the asset.
    """
    transcript = await queries.transcript_of(tx, project_id, video_id, lock=True)
    if transcript is not None and transcript.state != TranscriptState.COMPLETED:
        transcript.state, transcript.failure = TranscriptState.WAITING, None
        await queue.enqueue(tx, MakeTranscript(asset_id=asset_id, round=transcript.round))
    summary = await queries.summary_of(tx, project_id, video_id, lock=True)
    if (
        summary is not None
        and summary.origin == Origin.AUTO
        and summary.source_status in _OPEN
        and summary.failure != NO_COMMAND
    ):
        summary.source_status, summary.failure = SourceStatus.WAITING, None
        await queue.enqueue(tx, MakeSummary(asset_id=asset_id, summary_id=summary.id))


async def media_failed(tx: Transaction, project_id: UUID, video_id: UUID, failure: str) -> None:
    """The media of a video cannot be read: nothing can be made of it."""
    transcript = await queries.transcript_of(tx, project_id, video_id, lock=True)
    if transcript is not None and transcript.state == TranscriptState.WAITING:
        end_transcript(transcript, TranscriptState.UNPROCESSABLE, failure)
    summary = await queries.summary_of(tx, project_id, video_id, lock=True)
    if summary is not None and summary.source_status == SourceStatus.WAITING:
        end_summary(summary, SourceStatus.UNPROCESSABLE, failure)


async def transcript_over(
    tx: Transaction, transcript: Transcript, state: TranscriptState, failure: str | None, of: UUID
) -> None:
    """Write down how a transcript ended, and go on with the summary; `of`: the asset."""
    end_transcript(transcript, state, failure)
    summary = await queries.summary_of(tx, transcript.project_id, transcript.video_id)
    if summary is not None and summary.source_status == SourceStatus.WAITING:
        await queue.enqueue(tx, MakeSummary(asset_id=of, summary_id=summary.id))


async def forget_transcript(
    tx: Transaction, project_id: UUID, video_id: UUID, language: str
) -> None:
    """The words of a transcript in this language were deleted: it can be asked for again."""
    row = await queries.transcript_of(tx, project_id, video_id, lock=True)
    if row is not None and row.state == TranscriptState.COMPLETED and row.spoken == language:
        await tx.delete(row)


def end_transcript(row: Transcript, state: TranscriptState, failure: str | None) -> None:
    """Write down how a transcript ended."""
    row.state, row.failure = state, failure
    row.updated_at = clock.now()


def end_summary(row: Summary, status: SourceStatus, failure: str | None) -> None:
    """Write down how a summary ended."""
    row.source_status, row.failure = status, failure
    row.updated_at = clock.now()
