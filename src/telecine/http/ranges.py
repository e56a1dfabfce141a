"""One range of a file, and what it may depend on (RFC 9110, sections 13.1.5 and 14), pure."""

import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime

from starlette.datastructures import Headers

_ONE_RANGE = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*")


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes [start, end) of a representation."""

    start: int
    end: int

    @property
    def size(self) -> int:
        """Return the number of bytes."""
        return self.end - self.start


class Unsatisfiable(Exception):
    """The range lies behind the end: 416."""


@dataclass(frozen=True, slots=True)
class Validators:
    """What tells one version of a representation from another.

    `etag` is strong and includes its quotes.
    """

    etag: str | None = None
    modified_at: datetime | None = None

    def headers(self) -> dict[str, str]:
        """Return the response headers."""
        found = {}
        if self.etag is not None:
            found["etag"] = self.etag
        if self.modified_at is not None:
            found["last-modified"] = format_datetime(self.modified_at, usegmt=True)
        return found


def parse_range(value: str, size_bytes: int) -> Span | None:
    """Return the one range that is asked for, None for all bytes.

    What we do not serve (several ranges, other units, nonsense) counts as absent.

    Raises:
        Unsatisfiable: no byte of the representation is in the range.
    """
    match = _ONE_RANGE.fullmatch(value)
    if match is None or match[0].strip() == "bytes=-":
        return None
    first, last = match[1], match[2]
    if not first:
        if int(last) == 0 or size_bytes == 0:
            raise Unsatisfiable
        return Span(max(0, size_bytes - int(last)), size_bytes)
    start = int(first)
    if last and int(last) < start:
        return None
    if start >= size_bytes:
        raise Unsatisfiable
    return Span(start, min(int(last) + 1, size_bytes) if last else size_bytes)


def wanted_span(headers: Headers, validators: Validators, size_bytes: int) -> Span | None:
    """Return the range to send with 206, None for 200. Raises Unsatisfiable."""
    value = headers.get("range")
    if value is None or not _if_range_holds(headers.get("if-range"), validators):
        return None
    return parse_range(value, size_bytes)


def _if_range_holds(value: str | None, validators: Validators) -> bool:
    if value is None:
        return True
    if value.startswith(('"', "W/")):
        return value == validators.etag  # strong comparison: W/ never matches
    return validators.modified_at is not None and _date(value) == _seconds(validators.modified_at)


def _seconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _date(value: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return parsed if parsed.tzinfo is not None else None
