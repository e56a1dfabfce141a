"""Bare ASGI answers for viewers: CORS on all of them, ranges, validators.

A player fetches a segment every few seconds, so this path does without the
framework; the headers that every answer carries are encoded once.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from starlette.types import Scope, Send

from telecine import clock
from telecine.delivery import packing
from telecine.delivery.body import MESSAGE_BYTES, stream_parts
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

VARY: Header = (b"vary", b"accept-encoding")

IMMUTABLE = b"public, max-age=31536000, immutable"
NEVER = b"no-store"
PRIVATE = b"private, no-store"
NOW = b"no-cache"
"""Changes several times a minute: not worth keeping."""
ASK_AGAIN = b"public, no-cache"
"""Keep it, but ask each time whether it still is the same. nginx asks once a second."""

_IN_A_THREAD_BYTES = 128 << 10  # takes a millisecond and more

_packed = packing.Packed()


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


def etag_of(*data: bytes) -> bytes:
    """Return the entity tag of what is nowhere kept under a name of its own."""
    digest = hashlib.blake2b(digest_size=12)
    for each in data:
        digest.update(each)
    return b'"%s"' % digest.hexdigest().encode()


def text(
    scope: Scope, content_type: bytes, body: str | bytes, cache_control: bytes, *more: Header
) -> Answer:
    """Answer with a text, such as a playlist: compressed for who takes that, with a validator.

    A film's has a hundred kilobytes, of which a tenth is left. `more` headers are part of what
    the validator is of: who has it need not be sent them again.
    """
    data = body.encode() if isinstance(body, str) else body
    etag = etag_of(data, *(b"%s:%s" % header for header in more))
    headers = (*more, VARY)
    coding = packing.coding_for(scope) if len(data) >= packing.WORTH_BYTES else None
    if coding is not None:
        etag, headers = _coded(etag, headers, coding)
        if _not_modified(scope, etag):
            data = b""  # nor does its body get sent
        elif cache_control.startswith((b"public", NOW)):
            data = _packed.pack(etag, data, coding)
        else:
            data = packing.pack(data, coding)
    return Answer(200, content_type, [data], cache_control, etag, headers=headers)


async def at_hand(store: Store, parts: Sequence[Part]) -> Sequence[Part]:
    """Return a small body as its bytes, which cannot go away while they are sent.

    A larger one is returned as it is. Raises ObjectMissing.
    """
    if body_size(parts) > MESSAGE_BYTES:
        return parts
    return [bytes(message) async for message in stream_parts(store, parts)]


async def stored_text(
    scope: Scope,
    store: Store,
    content_type: bytes,
    parts: Sequence[Part],
    cache_control: bytes,
    etag: bytes,
) -> Answer:
    """Answer with a stored text, compressed for who takes that and wants all of it.

    `etag` is of what is stored, and of nothing else.
    """
    answer = Answer(200, content_type, parts, cache_control, etag, ranges=True, headers=(VARY,))
    in_part = any(name == b"range" for name, _ in scope["headers"])
    coding = packing.coding_for(scope)
    if coding is None or in_part or body_size(parts) < packing.WORTH_BYTES:
        return replace(answer, parts=await at_hand(store, parts))
    etag, headers = _coded(etag, (VARY,), coding)
    data = b"" if _not_modified(scope, etag) else _packed.get(etag)
    if data is None:
        body = b"".join([bytes(message) async for message in stream_parts(store, parts)])
        if len(body) < _IN_A_THREAD_BYTES:
            data = _packed.pack(etag, body, coding)
        else:
            data = await asyncio.to_thread(_packed.pack, etag, body, coding)
    return Answer(200, content_type, [data], cache_control, etag, headers=headers)


def _coded(
    etag: bytes, headers: tuple[Header, ...], coding: str
) -> tuple[bytes, tuple[Header, ...]]:
    """Return entity tag and headers of a text in a coding: a validator is of these very bytes."""
    name = coding.encode()
    return b'%s-%s"' % (etag[:-1], name), (*headers, (b"content-encoding", name))


def refusal(error: Problem) -> Answer:
    """Answer with a problem, never cached."""
    body = json.dumps(error.as_json()).encode()
    return Answer(error.status, b"application/problem+json", [body])


def head(answer: Answer, size: int) -> bytes:
    """Return the headers of a whole answer, as `send_answer` sends them, and an empty line."""
    headers: list[Header] = [*SHARED_HEADERS, (b"cache-control", answer.cache_control)]
    if answer.etag is not None:
        headers.append((b"etag", answer.etag))
    if answer.content_type is not None:
        if answer.ranges:
            headers.append((b"accept-ranges", b"bytes"))
        headers.append((b"content-type", answer.content_type))
    headers += [(b"content-length", b"%d" % size), *answer.headers]
    return b"".join(name + b": " + value + b"\r\n" for name, value in headers) + b"\r\n"


async def send_answer(scope: Scope, send: Send, store: Store, answer: Answer) -> None:
    """Send an answer; HEAD sends its headers alone.

    Once headers are out a failing store ends the connection, never the body as if
    it were complete: the exception goes up to the server.
    """
    size = body_size(answer.parts)
    parts, status = answer.parts, answer.status
    headers = _for_caches(answer)
    if answer.etag is not None and status == 200 and _not_modified(scope, answer.etag):
        varies = [VARY] if VARY in answer.headers else []
        await send({"type": "http.response.start", "status": 304, "headers": headers + varies})
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


def _for_caches(answer: Answer) -> list[Header]:
    """Return the headers of an answer that 304 has as well."""
    headers = list(SHARED_HEADERS)
    if answer.cache_control == ASK_AGAIN:
        headers.append(_until_the_second_ends())  # nginx before 1.23.3 takes the first of the two
    headers.append((b"cache-control", answer.cache_control))
    if answer.etag is not None:
        headers.append((b"etag", answer.etag))
    return headers


def _until_the_second_ends() -> Header:
    """Let nginx, which would not keep `no-cache`, keep it; other caches know no such header.

    nginx counts in whole seconds and takes the last one with it: `1` would be up to two seconds.
    """
    return (b"x-accel-expires", b"@%d" % (clock.unix_ms() // 1000))


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
