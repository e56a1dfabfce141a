"""Small posts that are taken before they are parsed: as the application would take them."""

import asyncio
import re
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from telecine.http.at_once import AtOnce
from telecine.http.edge import Edge
from telecine.http.posts import Answer, Posts
from tests.fixtures.raw_http import Client, serving

pytestmark = pytest.mark.anyio

HEAD = b"POST /told HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n"


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Both loops: their transports differ in what they buffer and when they tell."""
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


class Ears:
    """Takes what is told; one and the same for both ways."""

    def __init__(self) -> None:
        self.at_once: list[tuple[Scope, bytes]] = []
        self.by_application: list[tuple[Scope, bytes]] = []
        self.noted: list[tuple[str, int]] = []
        self.application = Edge(self.serve, lambda _: True)

    def posts(self, *trusted: str) -> AtOnce:
        posts = Posts(self.take, ("/told",), trusted, lambda *each: self.noted.append(each))
        return AtOnce(lambda *_: None, posts=posts)

    def take(self, scope: Scope, body: bytes) -> Answer | None:
        if body == b"not at once":
            return None
        self.at_once.append((scope, body))
        return 200, [(b"content-length", b"%d" % len(body))], body

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["endpoint"] = self
        message = await receive()
        body: bytes = message.get("body", b"")
        while message.get("more_body"):
            message = await receive()
            body += message.get("body", b"")
        self.by_application.append((scope, body))
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def headers_of(client: Client) -> dict[bytes, bytes]:
    head = await client.reader.readuntil(b"\r\n\r\n")
    pairs = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
    await client.reader.readexactly(int(pairs[b"content-length"]))
    return pairs


async def test_what_comes_in_one_piece_is_taken_at_once() -> None:
    ears = Ears()
    async with serving(ears.application, ears.posts()) as (connect, running):
        client = await connect()
        for number in range(3):
            body = b"x" * number
            client.send(HEAD % len(body) + b"User-Agent:  a b\r\n\r\n" + body)
            assert await client.reply() == (200, body)
        client.send(b"GET /other HTTP/1.1\r\nhost: x\r\n\r\n")
        assert await client.reply() == (200, b"")
        assert running.server_state.total_requests == 4
    assert [body for _, body in ears.at_once] == [b"", b"x", b"xx"]
    assert (b"user-agent", b"a b") in ears.at_once[0][0]["headers"]
    assert ears.noted == [("/told", 200)] * 3


@pytest.mark.parametrize(
    "request_bytes",
    [
        HEAD % 11 + b"\r\nnot at once",
        HEAD % 3 + b"Content-Length: 3\r\n\r\nabc",
        HEAD % 3 + b"Connection: close\r\n\r\nabc",
        HEAD % 3 + b"Connection:  keep-alive, close\r\n\r\nabc",
        b"POST /told HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"POST /told HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc",
        b"POST /told?a=b HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
        b"POST /told/it HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
        b"POST /elsewhere HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
        b"POST http://x/told HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
        b"POST /told HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PUT /told HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
    ],
)
async def test_what_is_unusual_is_the_applications(request_bytes: bytes) -> None:
    ears = Ears()
    async with serving(ears.application, ears.posts()) as (connect, _):
        client = await connect()
        client.send(request_bytes)
        status, _ = await client.reply()
    assert status in (200, 400)  # two lengths are none
    assert ears.at_once == []


async def test_two_lengths_and_wrong_ones_are_refused_as_ever() -> None:
    ears = Ears()
    async with serving(ears.application, ears.posts()) as (connect, _):
        for length in (b"+3", b"3,3", b"0x3", b"-1"):
            client = await connect()
            client.send(b"POST /told HTTP/1.1\r\nContent-Length: %s\r\n\r\nabc" % length)
            assert b" 400 " in (await client.until_end()).split(b"\r\n")[0]
    assert (ears.at_once, ears.by_application) == ([], [])


async def test_what_comes_in_pieces_or_with_others_keeps_its_order() -> None:
    ears, whole = Ears(), HEAD % 3 + b"\r\nabc"
    async with serving(ears.application, ears.posts()) as (connect, _):
        client = await connect()
        client.send(whole[:-2])
        await asyncio.sleep(0)
        await client.writer.drain()
        client.send(whole[-2:] + HEAD % 2 + b"\r\nde")
        assert await client.reply() == (200, b"abc")
        assert await client.reply() == (200, b"de")
        client.send(whole + HEAD % 1 + b"\r\nf")
        assert await client.reply() == (200, b"abc")
        assert await client.reply() == (200, b"f")
        client.send(whole)
        assert await client.reply() == (200, b"abc")
    told = [body for _, body in (*ears.by_application, *ears.at_once)]
    assert sorted(told) == [b"abc", b"abc", b"abc", b"de", b"f"]


@pytest.mark.parametrize(
    "more",
    [
        b"",
        b"X-Request-Id: mine-7\r\n",
        b"X-Request-Id: not one of those\r\nEmpty:\r\nTwice: a\r\nTwice:b \r\nUTF-8: \xc3\xa9\r\n",
    ],
)
async def test_both_ways_are_told_the_same_and_answer_alike(more: bytes) -> None:
    ears = Ears()
    answers: list[dict[bytes, bytes]] = []
    for at_once in (ears.posts(), None):
        async with serving(ears.application, at_once) as (connect, _):
            client = await connect()
            client.send(HEAD % 3 + more + b"\r\nabc")
            answers.append(await headers_of(client))
    [(first, body)], [(second, same)] = ears.at_once, ears.by_application
    assert body == same
    for member in ("type", "method", "path", "query_string", "headers"):
        assert first[member] == second[member], member
    assert first["client"][0] == second["client"][0] == "127.0.0.1"
    for each in answers:
        for name in (b"date", b"server"):
            each.pop(name, None)
    if b"mine-7" not in more:
        ids = [each.pop(b"x-request-id") for each in answers]
        assert all(re.fullmatch(rb"[a-z0-9._-]{8,64}", each) for each in ids)
    assert answers[0] == answers[1]


TRUSTED = ("127.0.0.1", "10.0.0.0/8")


@pytest.mark.parametrize("trusted", [(), TRUSTED, ("*",)])
@pytest.mark.parametrize("peer", ["127.0.0.1", "10.2.3.4", "192.0.2.7"])
@pytest.mark.parametrize(
    "forwarded",
    [
        [],
        [b"203.0.113.9"],
        [b"203.0.113.9, 10.1.1.1"],
        [b"198.51.100.3", b"203.0.113.9:4711"],
        [b"[2001:db8::1]:99"],
        [b""],
        [b"nobody, \xff"],
    ],
)
async def test_proxies_say_for_whom_they_ask(
    trusted: tuple[str, ...], peer: str, forwarded: list[bytes]
) -> None:
    asked: list[Any] = []

    def take(scope: Scope, _: bytes) -> Answer:
        asked.append(scope["client"])
        return 204, [], b""

    async def application(scope: Any, *_: Any) -> None:
        asked.append(scope["client"])

    lines = b"".join(b"X-Forwarded-For: %s\r\n" % each for each in forwarded)
    posts = Posts(take, ("/told",), trusted, lambda *_: None)
    assert posts.answer((peer, 7), HEAD % 0 + lines + b"\r\n", ()) is not None
    headers = [(b"x-forwarded-for", each) for each in forwarded]
    scope: Any = {"type": "http", "client": (peer, 7), "headers": headers, "scheme": "http"}
    if trusted:
        await ProxyHeadersMiddleware(application, list(trusted))(scope, None, None)  # type: ignore[arg-type]
    else:
        asked.append((peer, 7))
    assert asked[0] == asked[1]
