"""Requests per minute, project and class: always counted and told, limited by setting."""

import enum
from dataclasses import dataclass
from uuid import UUID

from starlette.types import Scope

from telecine import clock

WINDOW_S = 60
NO_LIMIT = 1_000_000
"""What the headers tell where no limit is set: clients want a number."""

_RATE_KEY = "telecine.rate"


class RateClass(enum.StrEnum):
    """The three classes of operations that have limits of their own."""

    READS = "reads"
    WRITES = "writes"
    UPLOADS = "uploads"


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """Requests a minute of one project in each class; None: no limit."""

    reads: int | None = None
    writes: int | None = None
    uploads: int | None = None

    def of(self, rate_class: RateClass) -> int | None:
        """Return the limit of a class."""
        return {
            RateClass.READS: self.reads,
            RateClass.WRITES: self.writes,
            RateClass.UPLOADS: self.uploads,
        }[rate_class]


@dataclass(frozen=True, slots=True)
class Rate:
    """What is left of a window after a request."""

    limit: int
    remaining: int
    reset_s: int
    exceeded: bool = False

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the three headers that every response of the API carries."""
        return [
            (b"x-ratelimit-limit", b"%d" % self.limit),
            (b"x-ratelimit-remaining", b"%d" % self.remaining),
            (b"x-ratelimit-retry-after", b"%d" % self.reset_s),
        ]


def seconds_left() -> int:
    """Return the whole seconds until the current window ends, at least 1."""
    return WINDOW_S - int(clock.now().timestamp()) % WINDOW_S


class RateLimiter:
    """Counts in fixed one-minute windows, in this process only."""

    def __init__(self) -> None:
        self._minute = 0
        self._counts: dict[tuple[UUID, RateClass], int] = {}

    def take(
        self, project_id: UUID, rate_class: RateClass, limit: int | None, cost: int = 1
    ) -> Rate:
        """Count a request; `exceeded` tells that it must be refused."""
        minute = int(clock.now().timestamp()) // WINDOW_S
        if minute != self._minute:
            self._minute = minute
            self._counts.clear()
        key = (project_id, rate_class)
        ceiling = NO_LIMIT if limit is None else limit
        count = self._counts.get(key, 0) + cost
        exceeded = limit is not None and count > ceiling
        if not exceeded:
            self._counts[key] = count
        return Rate(ceiling, max(0, ceiling - count), seconds_left(), exceeded)


def class_of(method: str, content_type: bytes) -> RateClass:
    """Return the class of a request: files are uploads, other changes are writes."""
    if method in {"GET", "HEAD"}:
        return RateClass.READS
    if content_type[:10].lower() == b"multipart/":
        return RateClass.UPLOADS
    return RateClass.WRITES


def cost_of(content_range: bytes | None) -> int:
    """Return 0 for a later chunk of an upload: an upload counts once, by its first chunk."""
    if content_range is None:
        return 1
    first = content_range.strip().lower().startswith((b"part 1/", b"bytes 0-"))
    return 1 if first else 0


def remember(scope: Scope, rate: Rate) -> None:
    """Keep the rate of a request for the headers of its response."""
    scope[_RATE_KEY] = rate


def rate_of(scope: Scope) -> Rate:
    """Return the rate of a request; an untouched window where nobody was counted."""
    rate = scope.get(_RATE_KEY)
    if isinstance(rate, Rate):
        return rate
    return Rate(NO_LIMIT, NO_LIMIT, seconds_left())
