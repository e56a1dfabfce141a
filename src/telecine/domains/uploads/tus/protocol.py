"""The headers of resumable uploads: tus 1.0.0 and the drafts of its successor (pure).

The drafts are draft-ietf-httpbis-resumable-upload-01 to -11. They tell each other apart by
`Upload-Draft-Interop-Version`; what has none, but `Upload-Complete`, is read as the newest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from telecine.domains.uploads.content_range import MAX_SOURCE_BYTES
from telecine.domains.uploads.tus.fields import ALGORITHMS, invalid_header, item_integer
from telecine.problems import Problem, problem, with_headers

VERSION = "1.0.0"
EXTENSIONS = (
    "creation",
    "creation-with-upload",
    "creation-defer-length",
    "termination",
    "checksum",
    "expiration",
    "concatenation",
)
TUS_CHUNK = "application/offset+octet-stream"
DRAFT_CHUNK = "application/partial-upload"

OLDEST_INTEROP, NEWEST_INTEROP = 3, 8
TYPED_CHUNKS = 6
"""From this interop version on, appends have a media type of their own."""

_MAX_AGE = 7  # from this one on, the lifetime is called `max-age`

INTEROP = "Upload-Draft-Interop-Version"
OFFSET, LENGTH, COMPLETE = "Upload-Offset", "Upload-Length", "Upload-Complete"
INCOMPLETE, DEFERRED = "Upload-Incomplete", "Upload-Defer-Length"
METADATA, CONCAT, CHECKSUM = "Upload-Metadata", "Upload-Concat", "Upload-Checksum"
LIMIT, EXPIRES = "Upload-Limit", "Upload-Expires"
OVERRIDE = "X-HTTP-Method-Override"

_OVERRIDES = {"PATCH", "DELETE", "HEAD"}

Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an upload is; sizes in bytes. `metadata` and `concat` are header values."""

    offset: int
    length: int | None = None
    complete: bool = False
    expires_at: datetime | None = None
    metadata: str = ""
    concat: str | None = None


@dataclass(frozen=True, slots=True)
class Dialect:
    """Which protocol a client speaks: a draft by its interop version, None for tus."""

    interop: int | None = None

    @property
    def is_tus(self) -> bool:
        """Tell whether it is tus 1.0.0."""
        return self.interop is None

    @property
    def always(self) -> dict[str, str]:
        """Return the headers of every response, errors included."""
        return {"Tus-Resumable": VERSION} if self.interop is None else {}

    @property
    def appended_status(self) -> int:
        """Return the status of a request that brought bytes but not the last."""
        return 204 if self.interop is None or self.interop >= _MAX_AGE else 201

    def headers(self, progress: Progress, now: datetime) -> dict[str, str]:
        """Return the headers that tell of an upload after any successful request."""
        found = {**self.always, OFFSET: str(progress.offset)}
        if self.interop is None:
            if progress.expires_at is not None:
                found[EXPIRES] = format_datetime(progress.expires_at, usegmt=True)
            return found
        if self.interop == OLDEST_INTEROP:
            found[INCOMPLETE] = "?0" if progress.complete else "?1"
        else:
            found[COMPLETE] = "?1" if progress.complete else "?0"
        if self.interop >= TYPED_CHUNKS:
            found[LIMIT] = self.limit(progress.expires_at, now)
        return found

    def limit(self, expires_at: datetime | None, now: datetime) -> str:
        """Return the value of `Upload-Limit`."""
        limits = [f"max-size={MAX_SOURCE_BYTES}"]
        if expires_at is not None:
            name = "max-age" if self.interop is None or self.interop >= _MAX_AGE else "expires"
            limits.append(f"{name}={max(0, int((expires_at - now).total_seconds()))}")
        return ", ".join(limits)

    def description(self, progress: Progress, now: datetime) -> dict[str, str]:
        """Return the headers of an answer to HEAD."""
        found = {**self.headers(progress, now), "Cache-Control": "no-store"}
        if progress.length is not None:
            found[LENGTH] = str(progress.length)
        elif self.is_tus:
            found[DEFERRED] = "1"
        if self.is_tus and progress.metadata:
            found[METADATA] = progress.metadata
        if progress.concat is not None:
            found[CONCAT] = progress.concat
        return found


TUS = Dialect()


def capabilities() -> dict[str, str]:
    """Return the headers of an answer to OPTIONS."""
    return {
        "Tus-Resumable": VERSION,
        "Tus-Version": VERSION,
        "Tus-Extension": ",".join(EXTENSIONS),
        "Tus-Max-Size": str(MAX_SOURCE_BYTES),
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
        "Accept-Patch": f"{TUS_CHUNK}, {DRAFT_CHUNK}",
        LIMIT: f"max-size={MAX_SOURCE_BYTES}",
    }


def method_of(method: str, headers: Headers) -> str:
    """Return the method that a request means (tus: `X-HTTP-Method-Override`)."""
    override = headers.get(OVERRIDE.lower(), "").strip().upper()
    return override if method == "POST" and override in _OVERRIDES else method


def dialect_of(method: str, headers: Headers) -> Dialect:
    """Return what a client speaks. Raises Problem 400 or 412 if we do not."""
    if INTEROP.lower() in headers:
        interop = item_integer(headers[INTEROP.lower()])
        if interop is None or not OLDEST_INTEROP <= interop <= NEWEST_INTEROP:
            detail = f"The interop versions {OLDEST_INTEROP} to {NEWEST_INTEROP} are spoken here."
            raise invalid_header(INTEROP, detail)
        return Dialect(interop)
    if "tus-resumable" in headers:
        if headers["tus-resumable"].strip() != VERSION:
            raise unsupported_version()
        return TUS
    # Its final form has no version to tell, and asks for the offset without any header.
    if COMPLETE.lower() in headers or method in {"HEAD", "DELETE"}:
        return Dialect(NEWEST_INTEROP)
    raise unsupported_version()


def unsupported_version() -> Problem:
    """The client speaks another version of tus, or says nothing."""
    title = 'The "Tus-Resumable" header is missing or names a version that is not supported.'
    error = problem(412, "tus-version-not-supported", title, "Tus-Resumable", VERSION)
    return with_headers(error, {"Tus-Resumable": VERSION, "Tus-Version": VERSION})
