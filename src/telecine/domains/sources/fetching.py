"""Sources that we get ourselves: what a job may do with the rows, and in which order.

Every change locks the video first, then its source, as uploads do. A job that was
taken for dead while another one took its place learns of it here, and stops.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.sql import column, table

from telecine import clock, ids
from telecine.db.engine import Transaction
from telecine.domains.sources import operations, queries
from telecine.domains.sources.jobs import CopySource, DownloadSource
from telecine.domains.sources.models import Fetch, FetchState, Owner, Part, Source, SourceState
from telecine.jobs import queue
from telecine.jobs.job import Job

_PRIORITY = 10  # a person waits
_LONGEST_NAME = 200  # characters
_LONGEST_REASON = 1000

# The row belongs to a domain above this one; here only its lock and its end matter.
_VIDEO = table(
    "video", column("id"), column("project_id"), column("public_id"), column("deleted_at")
)


class Superseded(Exception):
    """The video was deleted, or another job works on its source by now."""


@dataclass(frozen=True, slots=True)
class Run:
    """One job's right to work on a source; `offset` bytes are stored without a gap."""

    source_id: UUID
    project_id: UUID
    video_id: UUID
    name: str
    attempt: int
    created_at: datetime
    origin_url: str
    origin_video: str
    offset: int
    total: int | None
    validator: str | None
    position: int


async def begin_download(tx: Transaction, owner: Owner, url: str) -> Source:
    """Record that a video's file is behind `url`, and ask for the download."""
    source = await operations.open_source(
        tx, owner, file_name_of(url), SourceState.INGESTING, origin_url=url
    )
    tx.add(Fetch(source_id=source.id, project_id=owner.project_id, state=FetchState.WAITING))
    await queue.enqueue(tx, DownloadSource(source_id=source.id), priority=_PRIORITY)
    return source


async def begin_copy(
    tx: Transaction, owner: Owner, original: str, original_video_id: UUID
) -> Source:
    """Record that a video's file is a copy of another's: at once, or when that is complete.

    `original` is that video's public id; the caller has locked its row.
    """
    theirs = await queries.source_of(tx, original_video_id)
    name = "file" if theirs is None else theirs.file_name
    source = await operations.open_source(
        tx, owner, name, SourceState.INGESTING, origin_video=original
    )
    tx.add(Fetch(source_id=source.id, project_id=owner.project_id, state=FetchState.WAITING))
    await tx.flush()
    if theirs is not None and theirs.completed_at is not None:
        await queue.enqueue(tx, CopySource(source_id=source.id), priority=_PRIORITY)
    return source


async def release_copies(tx: Transaction, project_id: UUID, original: str) -> None:
    """Ask for the copies that wait for a video: it is complete, or gone for good.

    The caller has locked that video's row, so no copy begins to wait unseen.
    """
    waiting = await tx.scalars(
        select(Source.id).where(
            Source.project_id == project_id,
            Source.origin_video == original,
            Source.completed_at.is_(None),
        )
    )
    copies = [CopySource(source_id=source_id) for source_id in waiting]
    await queue.enqueue(tx, *copies, priority=_PRIORITY)


async def start(tx: Transaction, source_id: UUID) -> Run | None:
    """Take over the work on a source; None if there is nothing left to do."""
    source = await _locked(tx, source_id)
    fetch = None if source is None else await tx.get(Fetch, source_id)
    if source is None or fetch is None or source.video_id is None:
        return None
    if source.state != SourceState.INGESTING or fetch.state == FetchState.FAILED:
        return None
    fetch.run, fetch.state = ids.nonce(), FetchState.RUNNING
    fetch.attempt += 1
    fetch.started_at, fetch.finished_at = clock.now(), None
    return Run(
        source.id,
        source.project_id,
        source.video_id,
        fetch.run,
        fetch.attempt,
        source.created_at,
        source.origin_url or "",
        source.origin_video or "",
        await queries.prefix_bytes(tx, source),
        source.total,
        fetch.validator,
        fetch.position,
    )


async def attend(tx: Transaction, run: Run) -> tuple[Source, Fetch]:
    """Return the locked rows of a run. Raises Superseded."""
    source = await _locked(tx, run.source_id)
    fetch = None if source is None else await tx.get(Fetch, run.source_id, populate_existing=True)
    if source is None or fetch is None or fetch.run != run.name:
        raise Superseded
    return source, fetch


async def owns(tx: Transaction, run: Run, key: str) -> bool:
    """Tell whether a key is still the one that the source's objects are named by."""
    found = await tx.scalar(
        select(Source.key).where(Source.project_id == run.project_id, Source.id == run.source_id)
    )
    return found == key


async def start_over(tx: Transaction, run: Run) -> list[str]:
    """Forget what is stored of a source; return the keys of its objects."""
    source, fetch = await attend(tx, run)
    keys = await _forget(tx, source)
    fetch.validator, fetch.position = None, 0
    return keys


async def finish(tx: Transaction, fetch: Fetch) -> None:
    """Note that the source is complete; `fetch` comes from `attend`."""
    fetch.state, fetch.reason, fetch.finished_at = FetchState.DONE, None, clock.now()
    # No client ever sent one of these, so none can be repeating it.
    await tx.execute(
        update(Part)
        .where(Part.project_id == fetch.project_id, Part.source_id == fetch.source_id)
        .values(answered=True)
    )


async def note_failure(tx: Transaction, run: Run, reason: str) -> None:
    """Note why a run has ended; another one follows. Raises Superseded."""
    _, fetch = await attend(tx, run)
    fetch.state, fetch.reason = FetchState.RETRYING, reason[:_LONGEST_REASON]
    fetch.finished_at = clock.now()


async def wait(tx: Transaction, run: Run, reason: str) -> None:
    """Note that a run can do nothing yet. Raises Superseded."""
    _, fetch = await attend(tx, run)
    fetch.state, fetch.reason = FetchState.WAITING, reason
    fetch.attempt -= 1


async def again(tx: Transaction, job: Job) -> None:
    """Ask for the next job of a source, behind those that wait in the lane."""
    await queue.enqueue(tx, job, priority=_PRIORITY)


async def give_up(tx: Transaction, source_id: UUID, reason: str) -> tuple[Source | None, list[str]]:
    """Note that a source will never be complete; return it and the keys of what is stored of it.

    None: there is nothing to give up any more.
    """
    source = await _locked(tx, source_id)
    fetch = None if source is None else await tx.get(Fetch, source_id)
    if source is None or fetch is None or source.state != SourceState.INGESTING:
        return None, []
    source.failure = fetch.reason = reason[:_LONGEST_REASON]
    fetch.state, fetch.run, fetch.finished_at = FetchState.FAILED, None, clock.now()
    named = select(_VIDEO.c.public_id).where(
        _VIDEO.c.project_id == source.project_id, _VIDEO.c.id == source.video_id
    )
    await release_copies(tx, source.project_id, str(await tx.scalar(named)))
    return source, await _forget(tx, source)


async def _locked(tx: Transaction, source_id: UUID) -> Source | None:
    """Lock the video of a source, then the source; None if either is gone."""
    found = await tx.execute(
        select(Source.project_id, Source.video_id).where(Source.id == source_id)
    )
    owner = found.one_or_none()
    if owner is None:
        return None
    living = select(_VIDEO.c.id).where(
        _VIDEO.c.project_id == owner.project_id,
        _VIDEO.c.id == owner.video_id,
        _VIDEO.c.deleted_at.is_(None),
    )
    if await tx.scalar(living.with_for_update(key_share=True)) is None:
        return None
    return await queries.locked(tx, source_id)


async def _forget(tx: Transaction, source: Source) -> list[str]:
    rows = await tx.scalars(
        select(Part).where(Part.project_id == source.project_id, Part.source_id == source.id)
    )
    keys = {source.key, *(key for part in rows for key in _keys(part))}
    await tx.execute(
        delete(Part).where(Part.project_id == source.project_id, Part.source_id == source.id)
    )
    source.key = operations.new_key(source.prefix)
    source.total = source.mode = None
    return sorted(keys)


def _keys(part: Part) -> Sequence[str]:
    return [part.own_key, *(str(extent["key"]) for extent in part.extents)]


def file_name_of(url: str) -> str:
    """Return the name of the file behind a URL, for people and for guessing its format."""
    name = unquote(PurePosixPath(urlsplit(url).path).name).replace("\0", "").strip()
    return name[-_LONGEST_NAME:] or "file"
