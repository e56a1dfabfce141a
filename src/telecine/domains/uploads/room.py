"""Whether there is room for an upload: asked at its first request, not at its last."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from telecine.domains.sources import queries
from telecine.domains.uploads.content_range import ByteRange, PartRange, Range
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
            case PartRange(part=1, total=int(total)) if total > 1:
                # The last part may be small, all others are like the first.
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


async def check_room(
    services: Services, project_id: UUID, settings: Mapping[str, Any], need: Need, *, first: bool
) -> None:
    """Raise Problem unless an upload fits.

    `first`: nothing of it is stored, so there must be room for all that it has told of.
    """
    wanted_bytes = need.upload_bytes if first else need.request_bytes
    free_bytes = await services.store.free_bytes()
    if free_bytes is not None and free_bytes - wanted_bytes < services.disk_reserve_bytes:
        log.warning("upload refused: disk", wanted_bytes=wanted_bytes, free_bytes=free_bytes)
        raise no_room()
    quota_bytes = settings.get(QUOTA)
    if quota_bytes is None:
        return
    async with services.db.transaction() as tx:
        used_bytes = await queries.stored_bytes(tx, project_id)
    if used_bytes + wanted_bytes > quota_bytes:
        log.info("upload refused: quota", project=str(project_id), used_bytes=used_bytes)
        raise over_quota(quota_bytes)
