"""What the database knows of a request that appends: span by span, each recorded alone.

A span is a stretch of the file that is claimed, stored, made durable and then recorded; a
request has one, or several where it is long. So what is recorded survives any death, and
the offset that clients are told is the truth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from telecine.db.engine import Transaction
from telecine.domains.sources import appending, queries
from telecine.domains.sources import operations as sources
from telecine.domains.sources.models import COMPLETE, Mode, Source, SourceState
from telecine.domains.sources.operations import Claim
from telecine.domains.uploads.content_range import MAX_SOURCE_BYTES
from telecine.domains.uploads.ranged import closed
from telecine.domains.uploads.tus import state as tus_state
from telecine.domains.uploads.tus import writing as tus_writing
from telecine.domains.uploads.tus.access import Access
from telecine.domains.uploads.tus.protocol import OFFSET
from telecine.domains.uploads.tus.requests import Append, inconsistent_length, too_large
from telecine.domains.uploads.tus.state import Located
from telecine.domains.videos import operations as videos
from telecine.http.multipart import empty_file
from telecine.problems import Problem, problem, with_headers
from telecine.storage.extents import Extent


@dataclass(frozen=True, slots=True)
class Span:
    """What is stored next: from byte `start` on, at most `room_bytes` (None: any number).

    The `skip_bytes` before it come in the body as well, but are held already.
    """

    claim: Claim
    start: int
    room_bytes: int | None
    skip_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Begun:
    """A request that may append, up to byte `limit` of the file."""

    source_id: UUID
    span: Span
    limit: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What has arrived of a span, and is durable; `ended`: with the end of the body."""

    span: Span
    extents: Sequence[Extent]
    size_bytes: int
    ended: bool

    @property
    def end(self) -> int:
        """Return the first byte that is not of it."""
        return self.span.start + self.size_bytes


def offset_mismatch(offset: int, given: int) -> Problem:
    """The client does not know how far its upload is."""
    title = "The offset is not that of the upload."
    error = problem(409, "upload-offset-mismatch", title, OFFSET, f"It is {offset}, not {given}.")
    return with_headers(error, {OFFSET: str(offset)})


def concatenated() -> Problem:
    """Nothing can be appended to a final upload."""
    title = "This upload is a concatenation, which takes no bytes."
    return problem(403, "upload-concatenated", title, "uploadId")


def begun_out_of_order() -> Problem:
    """A checksum is of bytes of which some are held already, and will not be looked at."""
    title = "A checksum cannot be verified here."
    detail = "Bytes behind the offset are held already: send them without a checksum."
    return problem(409, "upload-begun-out-of-order", title, "Upload-Checksum", detail)


def _end(wanted: Append) -> int | None:
    """Return the first byte behind a body, None where only its end tells it."""
    return None if wanted.content_length is None else wanted.offset + wanted.content_length


async def begin(
    tx: Transaction, access: Access, public_id: str, wanted: Append, writer_id: UUID
) -> Begun | None:
    """Check a request before its body is read, and claim its first span.

    Returns None while another request writes, which is asked to end. Raises Problem.
    """
    located = await tus_state.locate(tx, access, public_id, lock=True)
    if not await tus_writing.vacate(tx, located.source):
        return None
    await check(tx, located, wanted)
    source = await _source(tx, access, located)
    tus_writing.enter(tx, source, writer_id)
    length = located.length if wanted.total is None else wanted.total
    span = await _claim(tx, source, wanted.offset, _end(wanted))
    if wanted.checksum is not None and span.room_bytes is not None:
        raise begun_out_of_order()
    return Begun(source.id, span, MAX_SOURCE_BYTES if length is None else length)


async def check(tx: Transaction, located: Located, wanted: Append) -> None:
    """Raise Problem unless a request goes with what is held of its upload."""
    source = located.source
    if located.is_final:
        raise concatenated()
    if source is not None and source.state not in {SourceState.UPLOADING, *COMPLETE}:
        raise closed(source)
    offset = await tus_state.offset_of(tx, located)
    if wanted.offset != offset:
        raise offset_mismatch(offset, wanted.offset)
    length = located.length
    if wanted.total is not None and length not in {None, wanted.total}:
        raise inconsistent_length(f"It was {length} before, it is {wanted.total} now.")
    if wanted.total is not None and source is not None and source.mode == Mode.BYTES:
        held = await queries.held(tx, source)
        if wanted.total <= held.highest:
            raise inconsistent_length(f"There are {held.highest + 1} bytes or more already.")
    length = wanted.total if length is None else length
    if length is not None and offset + (wanted.content_length or 0) > length:
        raise too_large(length)
    if located.complete and wanted.content_length != 0:
        raise too_large(offset)


async def _source(tx: Transaction, access: Access, located: Located) -> Source:
    if located.source is not None:
        return located.source
    name = "file" if located.upload is None else located.upload.file_name
    source = await sources.open_source(tx, located.owner(access), name)
    source.upload_token_id = access.token_id
    if located.row is None and located.upload is not None:
        located.upload.source_id = source.id
    return source


async def _claim(
    tx: Transaction, source: Source, start: int, end: int | None, skip_bytes: int = 0
) -> Span:
    """Claim the bytes from `start` on: to `end`, or to those that are held already."""
    held = await appending.next_held(tx, source, start) if source.mode == Mode.BYTES else None
    if held is not None and (end is None or held[0] < end):
        room = held[0] - start
        claim = await sources.claim(tx, source, Mode.BYTES, start, room)
        return Span(claim, start, room, skip_bytes)
    length = None if end is None else end - start
    claim = await sources.claim(tx, source, Mode.BYTES, start, length)
    return Span(claim, start, None, skip_bytes)


async def settle(tx: Transaction, access: Access, public_id: str, wanted: Append) -> Located | None:
    """Take a request without a body, which may tell that the upload ends where it is.

    Returns None while another request writes, like `begin`.
    """
    located = await tus_state.locate(tx, access, public_id, lock=True)
    if not await tus_writing.vacate(tx, located.source):
        return None
    await check(tx, located, wanted)
    if wanted.total is None or located.complete:
        return located
    if located.source is not None:
        await _end_at(tx, access, located, located.source, wanted.total)
    elif wanted.total == 0:
        raise empty_file()
    elif located.upload is not None:
        located.upload.length_bytes = wanted.total
    return located


async def _end_at(
    tx: Transaction, access: Access, located: Located, source: Source, total: int
) -> None:
    if source.mode == Mode.PARTS:
        await appending.count_in_bytes(tx, source)
    source.total = total
    complete = await sources.conclude(tx, source)
    await _tell(tx, access, located, complete=complete)


async def _tell(tx: Transaction, access: Access, located: Located, *, complete: bool) -> None:
    """Let the video know that more of its source has come."""
    if located.row is not None and located.source is not None:
        located.row = await videos.source_arrived(
            tx,
            access.project_id,
            located.row,
            located.source,
            complete=complete,
            sandbox=access.sandbox,
        )


async def record(
    tx: Transaction,
    access: Access,
    public_id: str,
    writer_id: UUID,
    wanted: Append,
    stored: Stored,
    *,
    more: bool,
) -> tuple[Located, Span | None]:
    """Record a span, and claim the next one if there is `more` to come.

    No next one, although there is more: the request has to end. Raises Problem if it
    was given up, or if another protocol has stored the same bytes meanwhile.
    """
    located = await tus_state.locate(tx, access, public_id, lock=True)
    source = located.source
    if source is None or source.id != stored.span.claim.source_id:
        raise tus_writing.interrupted()
    goes_on = await tus_writing.still_writes(tx, source.id, writer_id)
    if goes_on is None:
        raise tus_writing.interrupted()
    if source.state != SourceState.UPLOADING:
        raise closed(source)
    total = _total(located, wanted, stored)
    if stored.size_bytes:
        await _store(tx, access, located, source, stored, total)
    elif total == 0 and located.row is not None:
        raise empty_file()
    elif total is not None and source.mode is not None and source.total != total:
        await _end_at(tx, access, located, source, total)
    if more and goes_on and not located.complete:
        return located, await _next(tx, source, wanted, stored.end)
    await tus_writing.leave(tx, source.id, writer_id)
    if not stored.size_bytes:
        await sources.release(tx, stored.span.claim)
    return located, None


def _total(located: Located, wanted: Append, stored: Stored) -> int | None:
    if wanted.ends and stored.ended:
        return stored.end
    return located.length if wanted.total is None else wanted.total


async def _store(
    tx: Transaction,
    access: Access,
    located: Located,
    source: Source,
    stored: Stored,
    total: int | None,
) -> None:
    start, end = stored.span.start, stored.end
    if source.mode == Mode.PARTS:
        if await tus_state.offset_of(tx, located) != start:
            raise offset_mismatch(await tus_state.offset_of(tx, located), start)
        await appending.count_in_bytes(tx, source)
    held = await queries.held(tx, source)
    if held.mode is not None and await queries.overlapping(tx, source.id, start, end - 1):
        raise offset_mismatch(await tus_state.offset_of(tx, located), start)
    if held.size_bytes + stored.size_bytes > MAX_SOURCE_BYTES:
        raise too_large(MAX_SOURCE_BYTES)
    await access.allowance.settle(tx, stored.size_bytes)
    if held.mode is None and located.upload is not None:
        source.file_name = located.upload.file_name
    complete = await sources.store(tx, source, stored.span.claim, stored.extents, total=total)
    if not complete:
        await appending.merge(tx, stored.span.claim.id)
    await _tell(tx, access, located, complete=complete)


async def _next(tx: Transaction, source: Source, wanted: Append, position: int) -> Span:
    held = await appending.next_held(tx, source, position)
    start = held[1] if held is not None and held[0] == position else position
    end = _end(wanted)
    if end is not None:
        start = min(start, end)
    return await _claim(tx, source, start, end, start - position)
