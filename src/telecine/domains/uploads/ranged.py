"""One request that carries a file or a part of it: claim, receive, record.

The same steps for every protocol. Between them no transaction is open, however long
the bytes take; what could have changed meanwhile is checked again before recording.
"""

from dataclasses import dataclass
from functools import partial
from typing import Protocol
from uuid import UUID

import anyio
import structlog
from fastapi import Request

from telecine.db.engine import Transaction
from telecine.db.notify import notify
from telecine.domains.encodings.operations import MEDIA_CHANGED
from telecine.domains.sources import operations as sources
from telecine.domains.sources import queries
from telecine.domains.sources.models import COMPLETE, Mode, Part, Source, SourceState
from telecine.domains.sources.operations import Claim
from telecine.domains.sources.queries import Held
from telecine.domains.sources.receiving import Comparison, receiving, same_bytes
from telecine.domains.uploads import content_range
from telecine.domains.uploads.content_range import Range
from telecine.domains.uploads.room import Allowance, Bounded
from telecine.domains.videos import operations as videos
from telecine.domains.videos.queries import VideoRow
from telecine.http import multipart
from telecine.http.multipart import Announce, Sink, Upload, file_too_large, receive_file
from telecine.http.services import Services
from telecine.problems import Problem, bad_request, invalid_attribute, problem
from telecine.storage.extents import Extent, Extents

log = structlog.get_logger()


class Bytes(Protocol):
    """A part that has arrived: its length, and where its bytes lie in the store."""

    @property
    def size_bytes(self) -> int:
        """Return how many bytes came."""

    @property
    def extents(self) -> list[Extent]:
        """Return where they lie."""


@dataclass(frozen=True, slots=True)
class Target:
    """The video that a request uploads to."""

    project_id: UUID
    video_id: str
    sandbox: bool
    allowance: Allowance


@dataclass(frozen=True, slots=True)
class Begun:
    """What a request may do: bring `claim`, or say `repeated` once more.

    `repeated` is a part that is stored, of which the client may not know.
    """

    given: Range | None
    claim: Claim | None = None
    repeated: Part | None = None


@dataclass(frozen=True, slots=True)
class Arrived:
    """What is to be answered, and which part the client knows of from then on."""

    row: VideoRow
    source_id: UUID
    number: int


def closed(source: Source) -> Problem:
    """Return why a source takes no upload."""
    if source.origin_video is not None:
        slug, how = "copied", "copied from an existing video when the video was created."
    elif source.origin_url is not None or source.state == SourceState.INGESTING:
        slug, how = "downloaded", "downloaded when the video was created."
    else:
        slug, how = "uploaded", "uploaded."
    title = f"This video source has already been {how}"
    return problem(400, f"video-source-already-{slug}", title, "file")


async def begin(tx: Transaction, target: Target, header: str | None) -> Begun:
    """Check a request before its body is read, and claim what it brings.

    `header` is its `Content-Range`. Raises Problem in the documented order.
    """
    row = await videos.found(tx, target.project_id, target.video_id, lock=True)
    source = await queries.source_of(tx, row.id, lock=True)
    if source is not None and source.state != SourceState.UPLOADING:
        repeated = await _repeated_end(tx, source, header)
        if repeated is None:
            raise closed(source)
        return repeated
    given = None if header is None else content_range.parse(header)
    held = await _held(tx, source, given)
    repeated_part = await _check(tx, source, held, given)
    if repeated_part is not None:
        return Begun(given, repeated=repeated_part)
    if source is None:
        owner = videos.reference(row, target.project_id).owner
        source = await sources.open_source(tx, owner, "file")
        await notify(tx, MEDIA_CHANGED, target.video_id)
    return Begun(given, await _claim(tx, source, given))


async def _repeated_end(tx: Transaction, source: Source, header: str | None) -> Begun | None:
    given = content_range.parsed(header)
    if given is None and header is not None:
        return None  # that the source is complete comes first
    part = await _repeated(tx, source, given)
    return None if part is None else Begun(given, repeated=part)


async def _repeated(tx: Transaction, source: Source, given: Range | None) -> Part | None:
    """Return the part of a complete source that a request brings again without need."""
    mode = Mode.WHOLE if given is None else given.mode
    if source.state not in COMPLETE or mode != source.mode:
        return None
    part = await queries.stored_part(tx, source.id, 1 if given is None else given.number)
    return None if part is None or part.answered else part


async def _held(tx: Transaction, source: Source | None, given: Range | None) -> Held:
    """Return what is stored of a source, and whether a request repeats some of it."""
    if source is None:
        return Held()
    return await queries.held(tx, source, 1 if given is None else given.number)


async def _check(
    tx: Transaction, source: Source | None, held: Held, given: Range | None
) -> Part | None:
    """Raise Problem unless the request goes with what is held; return what it repeats."""
    content_range.check_held(given, held)
    if source is None or given is None or held.mode is None:
        return None
    same = await queries.stored_part(tx, source.id, given.number) if held.repeated else None
    if same is not None and not same.answered:
        if given.length_bytes in {None, same.size_bytes}:
            return same
    elif same is not None and isinstance(given, content_range.PartRange):
        raise content_range.part_already_sent(given.part)
    if isinstance(given, content_range.ByteRange):
        other = await queries.overlapping(tx, source.id, given.first, given.last)
        if other is not None:
            last = other.number + (other.size_bytes or 0) - 1
            raise content_range.range_overlap(other.number, last)
    return None


async def _claim(tx: Transaction, source: Source, given: Range | None) -> Claim:
    if given is None:
        return await sources.claim(tx, source, Mode.WHOLE, 1)
    return await sources.claim(tx, source, given.mode, given.number, given.length_bytes)


async def is_begun(services: Services, target: Target) -> bool:
    """Tell whether something of a video's source is stored. Raises Problem 404."""
    async with services.db.transaction() as tx:
        row = await videos.found(tx, target.project_id, target.video_id)
        source = await queries.source_of(tx, row.id)
        return source is not None and source.mode is not None


async def repeats(services: Services, target: Target, header: str | None) -> bool:
    """Tell whether a request brings what is stored, of which its client may not know."""
    given = content_range.parsed(header)
    async with services.db.transaction() as tx:
        row = await videos.found(tx, target.project_id, target.video_id)
        source = await queries.source_of(tx, row.id)
        if source is None or (given is None and header is not None):
            return False
        if source.state in COMPLETE:
            return await _repeated(tx, source, given) is not None
        mode = Mode.WHOLE if given is None else given.mode
        part = await queries.stored_part(tx, source.id, 1 if given is None else given.number)
        return source.mode == mode and part is not None and not part.answered


async def receive(request: Request, services: Services, target: Target) -> Arrived:
    """Take the file of a request. Raises Problem, and then nothing has changed."""
    async with services.db.transaction() as tx:
        begun = await begin(tx, target, content_range.header_of(request.headers))
    if begun.claim is None:
        return await _receive_again(request, services, target, begun)
    try:
        async with receiving(services.store, begun.claim) as sink:
            bounded = Bounded(sink, target.allowance)
            upload = await receive_part(request, bounded, begun.given)
            check_fields(upload, target.video_id)
        async with services.db.transaction() as tx:
            outcome = await record(tx, target, begun.given, begun.claim, sink, upload.file_name)
        if isinstance(outcome, Arrived):
            return outcome
        return await overtaken(services, target, begun, sink, outcome)
    except BaseException:
        with anyio.CancelScope(shield=True):
            await give_up(services, begun.claim)
        raise


async def receive_part(
    request: Request, sink: Sink, given: Range | None, announce: Announce | None = None
) -> Upload:
    """Write the file of a request to `sink`. Raises Problem."""
    return await receive_file(
        request,
        sink,
        max_bytes=multipart.MAX_FILE_BYTES,
        too_large=partial(content_range.too_large, given),
        announce=announce,
    )


async def overtaken(
    services: Services, target: Target, begun: Begun, sink: Bytes, stored: Part
) -> Arrived:
    """Answer a request that brought what another one stored while it was on its way."""
    mine, theirs = Extents(services.store, sink.extents), extents_of(services, stored)
    if not await same_bytes(mine, theirs):
        raise collision(begun.given, stored)
    if begun.claim is not None:
        await give_up(services, begun.claim)
    return await told_again(services, target, stored)


def check_fields(upload: Upload, video_id: str) -> None:
    """Raise Problem if the form names another video than the path."""
    if upload.fields.get("videoId", video_id) != video_id:
        detail = "This value must be the id in the path."
        raise bad_request([invalid_attribute("videoId", detail)])


async def _receive_again(
    request: Request, services: Services, target: Target, begun: Begun
) -> Arrived:
    assert begun.repeated is not None  # noqa: S101 - the other case of `Begun`
    comparison = Comparison(extents_of(services, begun.repeated))
    upload = await receive_part(request, comparison, begun.given)
    check_fields(upload, target.video_id)
    if not comparison.same:
        raise collision(begun.given, begun.repeated)
    return await told_again(services, target, begun.repeated)


def extents_of(services: Services, part: Part) -> Extents:
    """Return the bytes of a stored part."""
    return Extents(services.store, [Extent.from_json(stored) for stored in part.extents])


async def told_again(services: Services, target: Target, part: Part) -> Arrived:
    """Answer a request that brought a stored part once more."""
    log.info("part repeated", video=target.video_id, part=part.number)
    async with services.db.transaction() as tx:
        row = await videos.found(tx, target.project_id, target.video_id)
    return Arrived(row, part.source_id, part.number)


def collision(given: Range | None, part: Part) -> Problem:
    """Return why a part cannot be stored where other bytes are stored already."""
    if isinstance(given, content_range.PartRange):
        return content_range.part_already_sent(given.part)
    if given is None:
        title = "This video source has already been uploaded."
        return problem(400, "video-source-already-uploaded", title, "file")
    return content_range.range_overlap(part.number, part.number + (part.size_bytes or 0) - 1)


async def record(
    tx: Transaction,
    target: Target,
    given: Range | None,
    claim: Claim,
    sink: Bytes,
    file_name: str,
) -> Arrived | Part:
    """Record a part that is stored; the one that completes the source makes the asset.

    Everything is checked again under the lock: others may have been quicker. Returns
    the stored part if another request brought the same one meanwhile.
    """
    row = await videos.found(tx, target.project_id, target.video_id, lock=True)
    source = await queries.source_of(tx, row.id, lock=True)
    if source is None or source.id != claim.source_id:
        title = "The upload was abandoned meanwhile."
        raise problem(409, "upload-abandoned", title, "file")
    if source.state != SourceState.UPLOADING:
        same = await _repeated(tx, source, given)
        if same is None:
            raise closed(source)
        return same
    held = await _held(tx, source, given)
    same = await _check(tx, source, held, given)
    if same is not None:
        return same
    if given is not None:
        given.check_file(sink.size_bytes, held)
    if held.size_bytes + sink.size_bytes > content_range.MAX_SOURCE_BYTES:
        raise file_too_large(content_range.MAX_SOURCE_BYTES)
    await target.allowance.settle(tx, sink.size_bytes)
    if held.mode is None:
        source.file_name = file_name
    complete = await sources.store(
        tx,
        source,
        claim,
        sink.extents,
        total=None if given is None else given.total,
        last=given is None or given.is_last(held),
        held=held,
    )
    row = await videos.source_arrived(
        tx, target.project_id, row, source, complete=complete, sandbox=target.sandbox
    )
    return Arrived(row, source.id, claim.number)


async def give_up(services: Services, claim: Claim) -> None:
    """Undo a claim whose bytes did not arrive or were refused."""
    async with services.db.transaction() as tx:
        left = await sources.release(tx, claim)
    await services.store.delete(left)
