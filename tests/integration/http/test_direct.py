"""Large bodies, which do not go through the parser: over real sockets, on both loops."""

import asyncio
import functools
import hashlib
import random
from collections.abc import Awaitable, Callable

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from telecine.http import connection, direct
from telecine.http.direct import pieces_of
from tests.fixtures.raw_http import READ_S, answer, serving, status_of

pytestmark = pytest.mark.anyio

NOISE = random.Random(8).randbytes(5_000_000)
ROOM = 1 << 18


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Both loops: each has its own way to change who receives."""
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


class Hasher:
    """Answers with the digest of a body; counts how its pieces came.

    `pause` is awaited after each of them.
    """

    def __init__(self, pause: Callable[[], Awaitable[None]] | None = None) -> None:
        self.parsed = 0
        self.views = 0
        self.left = asyncio.Event()
        self._pause = pause or functools.partial(asyncio.sleep, 0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        digest = hashlib.sha256()
        try:
            async for piece in pieces_of(Request(scope, receive), lambda: ROOM):
                assert len(piece) <= ROOM or isinstance(piece, bytes)
                digest.update(piece)
                self.views += isinstance(piece, memoryview)
                self.parsed += len(piece) if isinstance(piece, bytes) else 0
                await self._pause()
        except ClientDisconnect:
            self.left.set()
            return
        await answer(send, digest.hexdigest().encode())


def put(body: bytes, *more: bytes) -> bytes:
    lines = [b"PUT / HTTP/1.1", b"Host: x", b"Content-Length: %d" % len(body), *more]
    return b"\r\n".join([*lines, b"", body])


def digest(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()


async def test_a_large_body_is_received_directly_and_the_connection_goes_on() -> None:
    app = Hasher()
    async with serving(app) as (connect, _):
        client = await connect()
        for size in (5_000_000, 10, direct.LEAST_BYTES + ROOM * 2, 0, 4_999_999):
            client.send(put(NOISE[:size]))
            assert await client.reply() == (200, digest(NOISE[:size]))
        assert app.views >= 4_000_000 // ROOM
        assert app.parsed < 10_000_000


async def test_what_follows_a_body_is_the_next_request() -> None:
    """Requests that do not wait for answers: no byte of one is taken for another's."""
    async with serving(Hasher()) as (connect, _):
        client = await connect()
        bodies = [NOISE[:3_000_000], b"little", NOISE[1:2_500_000], b"", NOISE]
        client.send(b"".join(map(put, bodies)))
        for body in bodies:
            assert await client.reply() == (200, digest(body))


async def test_a_slow_application_slows_its_client_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BODY_CHECK_S", 0.02)

    async def pause() -> None:
        later = asyncio.Event()
        asyncio.get_running_loop().call_later(0.06, later.set)  # three checks
        await later.wait()

    app = Hasher(pause)
    async with serving(app) as (connect, _):
        client = await connect()
        client.send(put(NOISE))
        assert await client.reply() == (200, digest(NOISE))


async def test_without_a_length_the_parser_sees_all() -> None:
    app = Hasher()
    async with serving(app) as (connect, _):
        client = await connect()
        head = b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        client.send(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(NOISE), NOISE))
        assert await client.reply() == (200, digest(NOISE))
        assert app.views == 0


async def test_a_client_that_leaves_is_noticed() -> None:
    app = Hasher()
    async with serving(app) as (connect, _):
        client = await connect()
        client.send(put(NOISE)[:-100])
        await client.writer.drain()
        client.writer.close()
        await asyncio.wait_for(app.left.wait(), READ_S)


async def test_a_body_that_stalls_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BODY_CHECK_S", 0.1)
    app = Hasher()
    async with serving(app) as (connect, _):
        client = await connect()
        client.send(put(NOISE)[:-100])
        answered = await client.until_end()
        assert status_of(answered) == 408
        await asyncio.wait_for(app.left.wait(), READ_S)


async def test_an_application_that_stops_early_has_the_rest_dropped() -> None:
    """The answer comes while the client sends; the next request is read behind the body."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        async for piece in pieces_of(request, lambda: ROOM):
            if isinstance(piece, memoryview):
                break
        await answer(send, b"enough")

    async with serving(app) as (connect, _):
        client = await connect()
        for _ in range(3):
            client.send(put(NOISE))
            assert await client.reply() == (200, b"enough")


class Paused:
    """A connection from which nothing is received any more."""

    def __init__(self) -> None:
        self.wanted = True

    def direct_received(self, size: int) -> bool:
        del size
        return self.wanted

    def direct_ended(self) -> None:
        pytest.fail("there is more")

    def nothing(self, *_: object) -> None: ...

    pause_reading = resume_reading = pause_writing = resume_writing = connection_lost = nothing


async def test_what_is_in_use_is_not_written_over() -> None:
    connection = Paused()
    body = direct.DirectBody(connection, 100, lambda: 10)
    assert len(body.get_buffer(-1)) == 10
    body.buffer_updated(10)
    with pytest.raises(RuntimeError, match="in use"):
        body.get_buffer(-1)
    connection.wanted = False  # the request was answered
    assert len(body.get_buffer(-1)) == 10


async def test_a_waiting_client_is_told_to_continue() -> None:
    async with serving(Hasher()) as (connect, _):
        client = await connect()
        request = put(NOISE, b"Expect: 100-continue")
        head = len(request) - len(NOISE)
        client.send(request[:head])
        async with asyncio.timeout(READ_S):
            assert b" 100 " in await client.reader.readuntil(b"\r\n\r\n")
        client.send(request[head:])
        assert await client.reply() == (200, digest(NOISE))
