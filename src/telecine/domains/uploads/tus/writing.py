"""One request at a time appends to an upload; a new one takes over from the last.

Its row is renewed while it lives. Nothing depends on the clock but patience: a request
that was taken for dead records nothing any more, whatever it does.
"""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, update

from telecine import clock
from telecine.db.engine import Transaction
from telecine.domains.sources.models import Source
from telecine.domains.uploads.models import UploadWriter
from telecine.problems import Problem, problem, with_headers

BEAT_S = 1.0
"""How often a writer shows that it lives, and looks whether it has to make room."""

DEAD_AFTER = timedelta(seconds=5)
PATIENCE_S = 7.0
"""How long a new request waits for the old one: longer than it takes to be dead."""

_RETRY_AFTER_S = 2


def locked_upload() -> Problem:
    """Another request writes, and does not make room."""
    title = "Another request is writing to this upload."
    error = problem(423, "upload-locked", title, "uploadId")
    return with_headers(error, {"Retry-After": str(_RETRY_AFTER_S)})


def interrupted() -> Problem:
    """A later request for the same upload has taken over."""
    title = "Another request has taken over this upload."
    return problem(409, "upload-interrupted", title, "uploadId")


async def vacate(tx: Transaction, source: Source | None) -> bool:
    """Tell whether nobody writes to a source, which the caller has locked.

    Who does is asked to end, and who is dead is forgotten.
    """
    if source is None:
        return True
    writers = UploadWriter.source_id == source.id
    dead = UploadWriter.seen_at < clock.now() - DEAD_AFTER
    await tx.execute(delete(UploadWriter).where(writers, dead))
    asked = update(UploadWriter).where(writers).values(ending=True)
    return await tx.scalar(asked.returning(UploadWriter.id)) is None


def enter(tx: Transaction, source: Source, writer_id: UUID) -> None:
    """Make a request the writer of a source that `vacate` has found free."""
    tx.add(UploadWriter(source_id=source.id, id=writer_id, ending=False, seen_at=clock.now()))


async def still_writes(tx: Transaction, source_id: UUID, writer_id: UUID) -> bool | None:
    """Renew a writer's row: True, False if it has to end, None if it was given up."""
    ending = await tx.scalar(
        update(UploadWriter)
        .where(UploadWriter.source_id == source_id, UploadWriter.id == writer_id)
        .values(seen_at=clock.now())
        .returning(UploadWriter.ending)
    )
    return None if ending is None else not ending


async def leave(tx: Transaction, source_id: UUID, writer_id: UUID) -> None:
    """Make room for the next one."""
    await tx.execute(
        delete(UploadWriter).where(
            UploadWriter.source_id == source_id, UploadWriter.id == writer_id
        )
    )
