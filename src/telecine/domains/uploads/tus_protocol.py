"""The headers of resumable uploads: tus 1.0.0 and the drafts of its successor (pure).

The drafts are draft-ietf-httpbis-resumable-upload-01 to -11. They tell each other apart by
`Upload-Draft-Interop-Version`; what has none, but `Upload-Complete`, is read as the newest.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import format_datetime

from telecine.domains.uploads.content_range import MAX_SOURCE_BYTES
from telecine.domains.uploads.tus_fields import (
    ALGORITHMS,
    Checksum,
    Final,
    Partial,
    canonical_metadata,
    checksum_of,
    concatenation_of,
    invalid_header,
    item_boolean,
    item_integer,
    metadata_of,
    plain_integer,
)
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
_TYPED_CHUNKS = 6  # from this interop version on, appends have a media type of their own
_MAX_AGE = 7  # from this one on, the lifetime is called `max-age`

INTEROP = "Upload-Draft-Interop-Version"
OFFSET, LENGTH, COMPLETE = "Upload-Offset", "Upload-Length", "Upload-Complete"
INCOMPLETE, DEFERRED = "Upload-Incomplete", "Upload-Defer-Length"
METADATA, CONCAT, CHECKSUM = "Upload-Metadata", "Upload-Concat", "Upload-Checksum"
LIMIT, EXPIRES = "Upload-Limit", "Upload-Expires"
OVERRIDE = "X-HTTP-Method-Override"

_OVERRIDES = {"PATCH", "DELETE", "HEAD"}
_MEDIA_TYPE = re.compile(r"[^;\s]*")

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
class Append:
    """A request that brings bytes from `offset` on, `content_length` of them if told.

    `total` is the size of the whole file where the request tells it. `ends` says that
    the file ends with this body.
    """

    offset: int
    content_length: int | None
    total: int | None = None
    ends: bool = False
    checksum: Checksum | None = None


@dataclass(frozen=True, slots=True)
class Creation:
    """A request for a new upload; `append` is what it brings along, None: nothing.

    `metadata_header` is the value of `Upload-Metadata`, `metadata` what it says.
    """

    length: int | None
    metadata: Mapping[str, str]
    metadata_header: str
    concat: Partial | Final | None = None
    append: Append | None = None


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
        if self.interop >= _TYPED_CHUNKS:
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


def too_large(limit_bytes: int) -> Problem:
    """There are more bytes than the upload may have."""
    title = "The upload is too large."
    return problem(413, "upload-too-large", title, LENGTH, f"It has at most {limit_bytes} bytes.")


def inconsistent_length(detail: str) -> Problem:
    """Two statements on the size of an upload contradict each other."""
    title = "The lengths that were given for this upload contradict each other."
    return problem(400, "upload-length-inconsistent", title, LENGTH, detail)


def check_question(dialect: Dialect, headers: Headers) -> None:
    """Raise Problem 400 for a HEAD or DELETE that early drafts forbid."""
    if dialect.interop is None or dialect.interop > _TYPED_CHUNKS:
        return
    for name in (OFFSET, COMPLETE, INCOMPLETE):
        if name.lower() in headers:
            raise invalid_header(name, "A request of this method does not have this header.")


def read_append(dialect: Dialect, headers: Headers) -> Append:
    """Return what a PATCH brings. Raises Problem 400, 413 or 415."""
    if dialect.is_tus:
        _check_media_type(headers, TUS_CHUNK)
        offset = plain_integer(headers, OFFSET)
    else:
        if (dialect.interop or 0) >= _TYPED_CHUNKS:
            _check_media_type(headers, DRAFT_CHUNK)
        offset = item_integer(headers.get(OFFSET.lower(), ""))
    if offset is None:
        raise invalid_header(OFFSET, "This header must be a number of bytes, 0 or more.")
    return _append(dialect, headers, offset)


def read_creation(dialect: Dialect, headers: Headers) -> Creation:
    """Return what a POST asks for. Raises Problem 400, 413 or 415."""
    stated = headers.get(METADATA.lower(), "")
    metadata, concat = metadata_of(stated), concatenation_of(headers.get(CONCAT.lower()))
    created = Creation(None, metadata, canonical_metadata(stated), concat)
    if isinstance(concat, Final):
        if LENGTH.lower() in headers:
            raise invalid_header(LENGTH, "A final upload is as long as its parts.")
        return created
    if dialect.is_tus:
        return _tus_creation(created, headers)
    if OFFSET.lower() in headers:
        raise invalid_header(OFFSET, "A new upload begins at its first byte.")
    append = _append(dialect, headers, 0)
    brings = append.content_length != 0 or append.ends
    return replace(created, length=append.total, append=append if brings else None)


def _tus_creation(created: Creation, headers: Headers) -> Creation:
    length = plain_integer(headers, LENGTH)
    deferred = headers.get(DEFERRED.lower())
    if deferred is not None and deferred.strip() != "1":
        raise invalid_header(DEFERRED, "The only value of this header is 1.")
    if (length is None) == (deferred is None):
        raise invalid_header(LENGTH, f"Either this header or {DEFERRED} must be given.")
    if length is not None and length > MAX_SOURCE_BYTES:
        raise too_large(MAX_SOURCE_BYTES)
    size = _content_length(headers)
    typed = _media_type(headers) == TUS_CHUNK
    if size and not typed:
        raise _wrong_media_type(TUS_CHUNK)
    brings = typed and size != 0
    append = _append(TUS, headers, 0) if brings else None
    return replace(created, length=length, append=append)


def _append(dialect: Dialect, headers: Headers, offset: int) -> Append:
    size = _content_length(headers)
    if dialect.is_tus:
        total, ends = plain_integer(headers, LENGTH), False
        checksum = checksum_of(headers.get(CHECKSUM.lower()))
    else:
        total, ends = item_integer(headers.get(LENGTH.lower(), "")), _ends(dialect, headers)
        checksum = None
    if ends and size is not None:
        if total not in {None, offset + size}:
            raise inconsistent_length(f"The body ends at {offset + size}, the file at {total}.")
        total = offset + size
    if max(total or 0, offset + (size or 0)) > MAX_SOURCE_BYTES:
        raise too_large(MAX_SOURCE_BYTES)
    return Append(offset, size, total, ends, checksum)


def _ends(dialect: Dialect, headers: Headers) -> bool:
    name = INCOMPLETE if dialect.interop == OLDEST_INTEROP else COMPLETE
    value = item_boolean(headers.get(name.lower(), ""))
    if value is None:
        raise invalid_header(name, "This header must be ?0 or ?1.")
    return value != (name == INCOMPLETE)


def _content_length(headers: Headers) -> int | None:
    """Return the size of the body, None where only its end tells it."""
    if "transfer-encoding" in headers:
        return None
    size = headers.get("content-length", "0").strip()
    return int(size) if size.isdecimal() else None  # the server has refused other values


def _media_type(headers: Headers) -> str:
    found = _MEDIA_TYPE.match(headers.get("content-type", "").strip())
    return found[0].lower() if found else ""


def _check_media_type(headers: Headers, expected: str) -> None:
    if _media_type(headers) != expected:
        raise _wrong_media_type(expected)


def _wrong_media_type(expected: str) -> Problem:
    title = "The media type is not supported here."
    detail = f"The body of this request must be {expected}."
    error = problem(415, "unsupported-media-type", title, "Content-Type", detail)
    return with_headers(error, {"Accept-Patch": f"{TUS_CHUNK}, {DRAFT_CHUNK}"})
