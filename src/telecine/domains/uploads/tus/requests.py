"""What requests of resumable uploads ask for, read from their headers (pure)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from telecine.domains.uploads.content_range import MAX_SOURCE_BYTES
from telecine.domains.uploads.tus.fields import (
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
from telecine.domains.uploads.tus.protocol import (
    CHECKSUM,
    COMPLETE,
    CONCAT,
    DEFERRED,
    DRAFT_CHUNK,
    INCOMPLETE,
    LENGTH,
    METADATA,
    OFFSET,
    OLDEST_INTEROP,
    TUS,
    TUS_CHUNK,
    TYPED_CHUNKS,
    Dialect,
    Headers,
)
from telecine.problems import Problem, problem, with_headers

_MEDIA_TYPE = re.compile(r"[^;\s]*")


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
    if dialect.interop is None or dialect.interop > TYPED_CHUNKS:
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
        if (dialect.interop or 0) >= TYPED_CHUNKS:
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
