"""What the URL of an upload stands for, and how far that is."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from telecine import clock
from telecine.db.engine import Transaction
from telecine.domains.sources import queries
from telecine.domains.sources.models import COMPLETE, Mode, Owner, Source
from telecine.domains.uploads.models import TusUpload
from telecine.domains.uploads.tus.access import Access
from telecine.domains.uploads.tus.protocol import Progress
from telecine.domains.videos import operations as videos
from telecine.domains.videos import queries as video_queries
from telecine.domains.videos.queries import VideoRow
from telecine.problems import Problem, not_found, problem

NEVER = datetime(9000, 1, 1, tzinfo=UTC)
"""When an upload expires that may take any time."""

PARTIAL_ID = "tu"
"""How the id of an upload begins that has no video; the others begin with "vi"."""


@dataclass(slots=True)
class Located:
    """An upload: of a video (`row`) or partial; `upload` if it was begun with a URL."""

    public_id: str
    row: VideoRow | None
    upload: TusUpload | None
    source: Source | None
    lifetime: timedelta | None

    @property
    def complete(self) -> bool:
        """Tell whether all bytes are there."""
        if self.source is None:
            return self.row is None and self.upload is not None and self.upload.length_bytes == 0
        return self.source.state in COMPLETE

    @property
    def length(self) -> int | None:
        """Return the size of the whole file in bytes, None while it is unknown."""
        source = self.source
        if source is not None and source.state in COMPLETE:
            return source.size_bytes
        if source is not None and source.mode == Mode.BYTES and source.total is not None:
            return source.total
        return None if self.upload is None else self.upload.length_bytes

    @property
    def expires_at(self) -> datetime | None:
        """Return when the upload ends by itself, None if it is complete, not begun, or never."""
        if self.complete and self.row is not None:
            return None
        if self.upload is not None:
            return None if self.upload.expires_at == NEVER else self.upload.expires_at
        if self.source is None or self.lifetime is None:
            return None
        return self.source.created_at + self.lifetime

    @property
    def is_final(self) -> bool:
        """Tell whether the upload is a concatenation."""
        concat = None if self.upload is None else self.upload.concat_header
        return concat is not None and concat.startswith("final")

    def owner(self, access: Access) -> Owner:
        """Return whose source it is."""
        if self.row is not None:
            return videos.reference(self.row, access.project_id).owner
        return Owner(access.project_id, None, partial_prefix(access, self.public_id))


def partial_prefix(access: Access, public_id: str) -> str:
    """Return the folder of the objects of a partial upload."""
    return f"{access.project_id}/{public_id}/"


def gone() -> Problem:
    """The time to finish the upload is over."""
    return problem(410, "upload-expired", "This upload has expired.", "uploadId")


def begun_in_parts() -> Problem:
    """Nobody can tell the offset of parts while one before them is missing."""
    title = "This upload cannot be continued by its offset."
    detail = "It was begun in parts, and one before the last is missing: send that first."
    return problem(409, "upload-begun-in-parts", title, "Upload-Offset", detail)


async def locate(tx: Transaction, access: Access, public_id: str, *, lock: bool = False) -> Located:
    """Return an upload; `lock` keeps others from changing it. Raises Problem 404 or 410."""
    found = await _find(tx, access, public_id, lock=lock)
    if found is None or not _may_use(access, found):
        raise not_found("uploadId")
    if found.expires_at is not None and found.expires_at <= clock.now():
        raise gone()
    return found


async def _find(tx: Transaction, access: Access, public_id: str, *, lock: bool) -> Located | None:
    row = await video_queries.video(tx, access.project_id, public_id, lock=lock)
    wanted = select(TusUpload).where(
        TusUpload.project_id == access.project_id, TusUpload.public_id == public_id
    )
    if lock:
        wanted = wanted.with_for_update().execution_options(populate_existing=True)
    upload = (await tx.scalars(wanted)).one_or_none()
    if row is not None:
        source = await queries.source_of(tx, row.id, lock=lock)
        return Located(public_id, row, upload, source, access.lifetime)
    if upload is None or upload.video_id is not None:
        return None  # the second: its video was deleted
    source = None
    if upload.source_id is not None and lock:
        source = await queries.locked(tx, upload.source_id)
    elif upload.source_id is not None:
        source = await tx.get(Source, upload.source_id)
    return Located(public_id, None, upload, source, access.lifetime)


def _may_use(access: Access, found: Located) -> bool:
    """Tell whether a token reaches this upload: its own, or one that nobody has begun."""
    if access.token_id is None:
        return True
    owners = {each.upload_token_id for each in (found.upload, found.source) if each is not None}
    return access.token_id in owners or (not owners and not access.expired)


async def progress_of(tx: Transaction, located: Located) -> Progress:
    """Return how far an upload is. Raises Problem 409 if no offset can tell."""
    upload = located.upload
    return Progress(
        offset=await offset_of(tx, located),
        length=located.length,
        complete=located.complete,
        expires_at=located.expires_at,
        metadata="" if upload is None else upload.metadata_header,
        concat=None if upload is None else upload.concat_header,
    )


async def offset_of(tx: Transaction, located: Located) -> int:
    """Return the number of bytes from the first one on that are stored without a gap.

    Raises Problem 409 for parts with a gap.
    """
    source = located.source
    if source is None:
        return 0
    if source.state in COMPLETE:
        return source.size_bytes or 0
    if source.mode == Mode.PARTS:
        held = await queries.held(tx, source)
        if held.highest != held.parts:
            raise begun_in_parts()
    return await queries.prefix_bytes(tx, source)
