"""Bare ASGI answers for viewers: CORS on all of them, ranges, validators.

A player fetches a segment every few seconds, so this path does without the
framework; the headers that every answer carries are encoded once.
"""

import gzip
import hashlib
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from urllib.parse import quote

from starlette.types import Scope, Send

from telecine.delivery.body import stream_parts
from telecine.delivery.parts import Part, body_size
from telecine.delivery.ranges import NothingOfIt, partial
from telecine.problems import Problem
from telecine.storage.store import Store

Header = tuple[bytes, bytes]

SHARED_HEADERS: tuple[Header, ...] = (
    (b"access-control-allow-origin", b"*"),
    (
        b"access-control-expose-headers",
        b"Content-Length, Content-Range, X-Token-Session, Telecine-Stage",
    ),
    (b"timing-allow-origin", b"*"),
    (b"x-content-type-options", b"nosniff"),
)
_ASKED_WITH = (
    *(b"Range", b"X-Token-Session", b"Content-Type"),
    *(b"CMCD-Request", b"CMCD-Object", b"CMCD-Status", b"CMCD-Session"),
)
PREFLIGHT_HEADERS: tuple[Header, ...] = (
    *SHARED_HEADERS,
    (b"access-control-allow-methods", b"GET, HEAD, OPTIONS"),
    (b"access-control-allow-headers", b", ".join(_ASKED_WITH)),
    (b"access-control-max-age", b"86400"),
)

STAGE = b"telecine-stage"
"""Tells beside a 202 what the video is waiting for; its body has to be empty."""

_VARY: Header = (b"vary", b"accept-encoding")
_LEVEL = 1  # a second-rate compression in a fifth of the time

IMMUTABLE = b"public, max-age=31536000, immutable"
NEVER = b"no-store"
PRIVATE = b"private, no-store"
ASK_AGAIN = b"public, no-cache"
"""Keep it, but ask each time whether it still is the same."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: a status, a body of parts, and what may be cached of it."""

    status: int
    content_type: bytes | None = None
    parts: Sequence[Part] = ()
    cache_control: bytes = NEVER
    etag: bytes | None = None
    ranges: bool = False
    rest: AsyncGenerator[Part, None] | None = None  # what follows `parts`, as it appears
    headers: tuple[Header, ...] = field(default=())


def text(status: int, content_type: bytes, body: str, cache_control: bytes) -> Answer:
    """Answer with a text, such as a playlist."""
    return Answer(status, content_type, [body.encode()], cache_control)


def playlist(scope: Scope, content_type: bytes, body: str, cache_control: bytes) -> Answer:
    """Answer with a playlist: compressed for who takes that, with a validator.

    A film's has a hundred kilobytes, of which a tenth is left.
    """
    data = body.encode()
    headers: tuple[Header, ...] = (_VARY,)
    if any(name == b"accept-encoding" and b"gzip" in value for name, value in scope["headers"]):
        data = gzip.compress(data, _LEVEL, mtime=0)
        headers = (_VARY, (b"content-encoding", b"gzip"))
    digest = hashlib.blake2b(data, digest_size=12).hexdigest().encode()
    return Answer(200, content_type, [data], cache_control, b'"%s"' % digest, headers=headers)


def refusal(error: Problem) -> Answer:
    """Answer with a problem, never cached."""
    body = json.dumps(error.as_json()).encode()
    return Answer(error.status, b"application/problem+json", [body])


async def send_answer(scope: Scope, send: Send, store: Store, answer: Answer) -> None:
    """Send an answer; HEAD sends its headers alone.

    Once headers are out a failing store ends the connection, never the body as if
    it were complete: the exception goes up to the server.
    """
    size = body_size(answer.parts)
    parts, status = answer.parts, answer.status
    headers: list[Header] = [*SHARED_HEADERS, (b"cache-control", answer.cache_control)]
    if answer.etag is not None:
        headers.append((b"etag", answer.etag))
        if status == 200 and _not_modified(scope, answer.etag):
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
    content_type = answer.content_type
    if answer.ranges and content_type is not None:
        headers.append((b"accept-ranges", b"bytes"))
        try:
            wanted = partial(scope, answer.etag, parts, content_type, size)
        except NothingOfIt:
            status, parts, wanted = 416, (), None
            headers.append((b"content-range", b"bytes */%d" % size))
        if wanted is not None:
            status, parts, content_type = 206, wanted.parts, wanted.content_type
            if wanted.content_range is not None:
                headers.append((b"content-range", wanted.content_range))
    if content_type is not None:
        headers.append((b"content-type", content_type))
    if answer.rest is not None:
        await _send_as_it_appears(scope, send, store, answer, [*headers, *answer.headers])
        return
    left = size if parts is answer.parts else body_size(parts)
    headers.append((b"content-length", b"%d" % left))
    headers += answer.headers
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if left == 0 or scope["method"] == "HEAD":
        await send({"type": "http.response.body", "body": b""})
        return
    async for message in stream_parts(store, parts):
        left -= len(message)
        await send({"type": "http.response.body", "body": message, "more_body": left > 0})


async def _send_as_it_appears(
    scope: Scope, send: Send, store: Store, answer: Answer, headers: Sequence[Header]
) -> None:
    """Send a body of unknown length: what is there, then what comes.

    If that does not come, the exception cuts the connection: a body that ended as if
    it were complete would be kept by caches.
    """
    assert answer.rest is not None  # noqa: S101 - the caller's condition
    async with aclosing(answer.rest):
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        if scope["method"] != "HEAD":
            async for message in stream_parts(store, answer.parts):
                await send({"type": "http.response.body", "body": message, "more_body": True})
            async for part in answer.rest:
                async for message in stream_parts(store, [part]):
                    await send({"type": "http.response.body", "body": message, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _not_modified(scope: Scope, etag: bytes) -> bool:
    for name, value in scope["headers"]:
        if name == b"if-none-match":
            tags = [tag.strip().removeprefix(b"W/") for tag in value.split(b",")]
            return b"*" in tags or etag in tags
    return False


def attachment(title: str, extension: str) -> bytes:
    """Return a `Content-Disposition` that downloads under the video's title.

    Plain name for old clients, RFC 5987 for all others (RFC 6266, section 4.3).
    """
    name = "".join(c if c.isprintable() and c not in '/\\:*?"<>|' else "_" for c in title)
    name = f"{name.strip()[:120] or 'video'}.{extension}"
    plain = name.encode("ascii", "replace").replace(b"?", b"_")
    return b"attachment; filename=\"%s\"; filename*=UTF-8''%s" % (plain, quote(name).encode())
