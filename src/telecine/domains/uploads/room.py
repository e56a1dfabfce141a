"""Whether there is room for an upload: asked at its first request, not at its last.

The disk is watched by the store with every write. A project's quota is looked at before a
body is read, counted against while it is, and decided on when its bytes are recorded: a body
need not tell its length, and others arrive at the same time.
"""

from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy import select

from telecine.db.engine import Transaction
from telecine.domains.accounts.models import Project
from telecine.domains.sources import queries
from telecine.domains.uploads.content_range import ByteRange, PartRange, Range
from telecine.http.caller import Identity
from telecine.http.multipart import Sink
from telecine.http.services import Services
from telecine.problems import Problem, problem, with_headers

log = structlog.get_logger()

QUOTA = "storage_quota_bytes"
"""The setting of a project: what its sources may have together."""

_RETRY_AFTER_S = 60


@dataclass(frozen=True, slots=True)
class Need:
    """What a request is going to store, and the whole upload as far as it has told."""

    request_bytes: int
    upload_bytes: int

    @property
    def grows(self) -> bool:
        """Tell whether the upload needs more than this request."""
        return self.upload_bytes > self.request_bytes

    @classmethod
    def of(cls, request_bytes: int, given: Range | None) -> "Need":
        """Return the need of a request with a body of `request_bytes` (its length)."""
        match given:
            case ByteRange(total=int(total)):
                return cls(given.length_bytes, total)
            case PartRange(total=int(total)) if given.part < total:
                # The last part may be small, all others are like this one.
                return cls(request_bytes, request_bytes * (total - 1))
            case _:
                return cls(request_bytes, request_bytes)


def no_room() -> Problem:
    """The disk has no room; what was accepted stays, and the client may try later."""
    title = "There is not enough storage left."
    error = problem(507, "insufficient-storage", title, "file")
    return with_headers(error, {"Retry-After": str(_RETRY_AFTER_S)})


def over_quota(quota_bytes: int) -> Problem:
    """The project would have more than it may."""
    title = "The storage quota of the project is used up."
    return problem(403, "storage-quota-exceeded", title, "file", f"It is {quota_bytes} bytes.")


@dataclass(slots=True)
class Allowance:
    """What one request may still store of its project's quota (None: any number of bytes)."""

    project_id: UUID
    quota_bytes: int | None
    left_bytes: int = 0

    @classmethod
    def of(cls, identity: Identity) -> "Allowance":
        """Return that of who asks; `check_room` says how much it is."""
        return cls(identity.project_id, identity.settings.get(QUOTA))

    def take(self, size_bytes: int) -> None:
        """Count bytes that have come. Raises Problem 403 as soon as they are too many."""
        if self.quota_bytes is None:
            return
        self.left_bytes -= size_bytes
        if self.left_bytes < 0:
            raise over_quota(self.quota_bytes)

    async def settle(self, tx: Transaction, size_bytes: int) -> None:
        """Let bytes be recorded in this transaction. Raises Problem 403.

        Those of one project wait for each other here, so that together they keep to it.
        """
        if self.quota_bytes is None:
            return
        mine = select(Project.id).where(Project.id == self.project_id)
        await tx.scalar(mine.with_for_update(key_share=True))
        used_bytes = await queries.stored_bytes(tx, self.project_id) + size_bytes
        if used_bytes > self.quota_bytes:
            raise over_quota(self.quota_bytes)
        self.left_bytes = self.quota_bytes - used_bytes


class Bounded:
    """A sink that takes no more than is allowed."""

    def __init__(self, sink: Sink, allowance: Allowance) -> None:
        self._sink = sink
        self._allowance = allowance

    async def write(self, *pieces: bytes | memoryview) -> None:
        """Append bytes. Raises Problem 403."""
        self._allowance.take(sum(map(len, pieces)))
        await self._sink.write(*pieces)


async def check_room(services: Services, allowance: Allowance, need: Need, *, first: bool) -> None:
    """Raise Problem unless an upload fits.

    `first`: nothing of it is stored, so there must be room for all that it has told of.
    """
    wanted_bytes = need.upload_bytes if first else need.request_bytes
    free_bytes = await services.store.free_bytes()
    if free_bytes is not None and free_bytes - wanted_bytes < services.disk_reserve_bytes:
        log.warning(
            "upload does not fit on the disk", wanted_bytes=wanted_bytes, free_bytes=free_bytes
        )
        raise no_room()
    if allowance.quota_bytes is None:
        return
    async with services.db.transaction() as tx:
        used_bytes = await queries.stored_bytes(tx, allowance.project_id)
    allowance.left_bytes = allowance.quota_bytes - used_bytes
    if wanted_bytes > allowance.left_bytes:
        log.info("upload beyond quota", project=str(allowance.project_id), used_bytes=used_bytes)
        raise over_quota(allowance.quota_bytes)
