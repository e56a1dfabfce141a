"""Byte ranges of files (RFC 9110, section 14): one as it is, several as `multipart/byteranges`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.types import Scope

from telecine import ids
from telecine.delivery.parts import Part, slice_parts

MOST = 16
"""Ranges of one request; who wants more of a file gets the whole of it (14.2)."""

_ONE = re.compile(r"[ \t]*(?P<first>[0-9]{0,18})-(?P<last>[0-9]{0,18})[ \t]*")

Span = tuple[int, int]
"""[start, end) in bytes."""


class NothingOfIt(Exception):
    """All ranges are behind the end of the file: 416."""


@dataclass(frozen=True, slots=True)
class Partial:
    """The body of a 206; `content_range` is None where each part has its own."""

    parts: Sequence[Part]
    content_type: bytes
    content_range: bytes | None


def partial(
    scope: Scope, etag: bytes | None, parts: Sequence[Part], content_type: bytes, size: int
) -> Partial | None:
    """Return what a request wants of a file of `size` bytes, None: all of it.

    Other methods than GET (14.2), other units, a stale `If-Range`, and lists that make no sense
    mean the whole body.

    Raises:
        NothingOfIt: no range lies within the file.
    """
    spans = _wanted(scope, etag, size)
    if spans is None:
        return None
    if len(spans) == 1:
        start, end = spans[0]
        return Partial(
            slice_parts(parts, start, end), content_type, _content_range(*spans[0], size)
        )
    boundary = ids.nonce().encode()
    body: list[Part] = []
    for start, end in spans:
        head = b"\r\n--%s\r\ncontent-type: %s\r\ncontent-range: %s\r\n\r\n"
        body.append(head % (boundary, content_type, _content_range(start, end, size)))
        body += slice_parts(parts, start, end)
    body.append(b"\r\n--%s--\r\n" % boundary)
    return Partial(body, b"multipart/byteranges; boundary=" + boundary, None)


def _content_range(start: int, end: int, size: int) -> bytes:
    return b"bytes %d-%d/%d" % (start, end - 1, size)


def _wanted(scope: Scope, etag: bytes | None, size: int) -> list[Span] | None:
    if scope["method"] != "GET":
        return None
    headers = dict(scope["headers"])
    asked = headers.get(b"range", b"").decode("latin-1")
    if not asked.startswith("bytes=") or headers.get(b"if-range", etag) != etag:
        return None
    spans: list[Span] = []
    texts = asked[6:].split(",")
    if len(texts) > MOST:
        return None
    for text in texts:
        found = _ONE.fullmatch(text)
        if found is None or not (found["first"] or found["last"]):
            return None
        if not found["first"]:
            start, end = max(0, size - int(found["last"])), size
        else:
            start = int(found["first"])
            end = min(int(found["last"]) + 1, size) if found["last"] else size
            if found["last"] and int(found["last"]) < start:
                return None
        if start < end:
            spans.append((start, end))
    if not spans:
        raise NothingOfIt
    return spans if _is_honest(spans, size) else None


def _is_honest(spans: list[Span], size: int) -> bool:
    """Tell whether ranges are fewer bytes than the file: overlapping ones are an attack (14.2)."""
    return len(spans) == 1 or sum(end - start for start, end in spans) <= size
