"""What clients may not do to the server, over real sockets."""

import asyncio
import json
import os
import tempfile

import pytest
from starlette.types import Receive, Scope, Send

from telecine.http import connection, pace
from telecine.http.at_once import Answer, AtOnce, Stretch
from tests.fixtures.raw_http import READ_S, answer, serving, status_of
from tests.fixtures.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Both loops: their transports differ in what they buffer and when they tell."""
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


@pytest.fixture(autouse=True)
def quick_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEADERS_S", 0.3)
    monkeypatch.setattr(connection, "BODY_CHECK_S", 0.1)
    monkeypatch.setattr(pace, "WINDOW_S", 0.5)
    monkeypatch.setattr(connection, "WRITE_STALL_S", 0.3)


class Echo:
    """Answers with the number of bytes received; remembers who left."""

    def __init__(self) -> None:
        self.left = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        count = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left.set()
                return
            count += len(message.get("body", b""))
            if not message.get("more_body"):
                break
        await answer(send, f"{scope['path']} {count}".encode())


async def test_requests_follow_each_other_on_one_connection() -> None:
    async with serving(Echo()) as (connect, _):
        client = await connect()
        for number in range(3):
            client.send(b"POST /%d HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello" % number)
            assert await client.reply() == (200, b"/%d 5" % number)
        client.send(b"GET /a HTTP/1.1\r\nhost: x\r\n\r\nGET /b HTTP/1.1\r\nhost: x\r\n\r\n")
        assert [await client.reply(), await client.reply()] == [(200, b"/a 0"), (200, b"/b 0")]


async def test_a_connection_that_asks_nothing_is_closed() -> None:
    async with serving(Echo()) as (connect, _):
        assert await (await connect()).until_end() == b""


async def test_headers_have_a_deadline_that_bytes_do_not_move() -> None:
    async with serving(Echo()) as (connect, _):
        answered = await (await connect()).drip(b"GET / HTTP/1.1\r\nx: " + b"y" * 1000)
    assert status_of(answered) == 408
    assert json.loads(answered.split(b"\r\n\r\n")[1])["status"] == 408


async def test_the_deadline_also_holds_for_a_later_request() -> None:
    async with serving(Echo()) as (connect, _):
        client = await connect()
        client.send(b"GET /1 HTTP/1.1\r\nhost: x\r\n\r\n")
        await client.reply()
        client.send(b"GET /2 HTTP/1.1\r\n")
        assert status_of(await client.until_end()) == 408


async def test_empty_lines_between_requests_do_not_keep_a_connection() -> None:
    async with serving(Echo()) as (connect, _):
        client = await connect()
        client.send(b"GET /1 HTTP/1.1\r\nhost: x\r\n\r\n")
        await client.reply()
        client.send(b"\r\n")
        assert await client.until_end() == b""


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nx: " + b"y" * 70_000,  # never ends
        b"GET / HTTP/1.1\r\nx: " + b"y" * 70_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 20_000 + b"\r\n",
        b"GET /" + b"y" * 70_000 + b" HTTP/1.1\r\n\r\n",
    ],
    ids=["unfinished", "long", "many", "url"],
)
async def test_headers_have_a_size(head: bytes) -> None:
    async with serving(Echo()) as (connect, _):
        client = await connect()
        client.send(head)
        assert status_of(await client.until_end()) == 431


async def test_what_is_not_http_is_a_problem() -> None:
    async with serving(Echo()) as (connect, _):
        client = await connect()
        client.send(b"hello\r\n\r\n")
        answered = await client.until_end()
    assert status_of(answered) == 400
    assert b"content-type: application/problem+json" in answered


async def test_a_body_that_stalls_is_given_up() -> None:
    echo = Echo()
    async with serving(echo) as (connect, _):
        client = await connect()
        client.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf")
        assert status_of(await client.until_end()) == 408
        async with asyncio.timeout(READ_S):
            await echo.left.wait()


async def test_a_body_that_drips_is_given_up() -> None:
    async with serving(Echo()) as (connect, _):
        client = await connect()
        client.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n")
        assert status_of(await client.drip(b"y" * 1000)) == 408


async def test_nobody_is_given_up_while_we_are_slow() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        later = asyncio.Event()
        asyncio.get_running_loop().call_later(1.5, later.set)
        await later.wait()
        await Echo()(scope, receive, send)

    size = 4 << 20
    async with serving(slow) as (connect, _):
        client = await connect()
        client.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size)
        client.send(bytes(size))
        assert await client.reply() == (200, f"/ {size}".encode())


async def test_who_waits_for_100_continue_is_not_given_up() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        later = asyncio.Event()
        asyncio.get_running_loop().call_later(1.0, later.set)
        await later.wait()
        await Echo()(scope, receive, send)

    head = b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n"
    async with serving(slow) as (connect, _):
        client = await connect()
        client.send(head)
        async with asyncio.timeout(READ_S):
            assert b" 100 " in await client.reader.readuntil(b"\r\n\r\n")
        client.send(b"hello")
        assert await client.reply() == (200, b"/ 5")


async def test_an_early_answer_reaches_a_client_that_still_sends() -> None:
    async def refuse(_scope: Scope, _receive: Receive, send: Send) -> None:
        await answer(send, b"too large", 413)

    size = 16 << 20
    async with serving(refuse) as (connect, _):
        client = await connect()
        client.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size)
        client.send(bytes(size))
        assert await client.reply() == (413, b"too large")


async def test_a_client_that_takes_nothing_is_given_up() -> None:
    ended = asyncio.Event()

    async def generous(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(200):
            await send({"type": "http.response.body", "body": bytes(1 << 20), "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        ended.set()

    async with serving(generous) as (connect, _):
        client = await connect()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        client.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        async with asyncio.timeout(READ_S):
            await ended.wait()


async def test_a_stop_lets_requests_finish_and_takes_no_new_ones() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def held(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        await go_on.wait()
        await Echo()(scope, receive, send)

    async with serving(held) as (connect, running):
        client = await connect()
        client.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await begun.wait()
        running.should_exit = True
        async with asyncio.timeout(READ_S):
            while True:
                try:
                    await connect()
                except OSError:
                    break
        go_on.set()
        assert await client.reply() == (200, b"/ 0")


@pytest.mark.parametrize("asked_before", [False, True])
async def test_a_stop_answers_what_is_on_its_way(
    asked_before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HEADERS_S", READ_S)
    monkeypatch.setattr(connection, "LAST_REQUEST_S", READ_S)
    async with serving(Echo()) as (connect, running):
        client = await connect()

        async def is_accepted() -> bool:
            return len(running.server_state.connections) == 1

        await until(is_accepted)
        if asked_before:  # a used connection is at its end, unless it asks already
            client.send(b"GET /a HTTP/1.1\r\nhost: x\r\n\r\nGET /b HTTP/1.1\r\nhost:")
            assert await client.reply() == (200, b"/a 0")
        running.should_exit = True
        async with asyncio.timeout(READ_S):
            while True:
                try:
                    await connect()
                except OSError:
                    break
        client.send(b" x\r\n\r\n" if asked_before else b"GET /b HTTP/1.1\r\nhost: x\r\n\r\n")
        assert await client.reply() == (200, b"/b 0")
        assert await client.until_end() == b""


async def test_a_stop_does_not_wait_for_who_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEADERS_S", READ_S)
    async with serving(Echo()) as (connect, running):
        client = await connect()
        running.should_exit = True
        assert await client.until_end() == b""


class Counted:
    """A shortcut to targets that begin with `/at-once`: 500,000 bytes, other ones each time."""

    SIZE = 500_000

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, target: bytes, room: memoryview) -> Answer | None:
        if not target.startswith(b"/at-once"):
            return None
        self.count += 1
        head = b"content-length: %d\r\n\r\n" % self.SIZE
        if target.endswith(b"/file"):
            with tempfile.TemporaryFile() as file:
                file.write(b"before" + self.body(self.count) + b"behind")
                file.flush()
                return Answer(head, Stretch(os.dup(file.fileno()), 6, self.SIZE))
        room[: self.SIZE] = self.body(self.count)
        return Answer(head, self.SIZE)

    def body(self, count: int) -> bytes:
        return bytes([count % 256]) * self.SIZE


@pytest.mark.parametrize(
    "headers",
    [b"", b"Connection: keep-alive\r\n", b"connection:\t Keep-Alive \t\r\nCookie: range\r\n"],
)
async def test_what_players_send_is_answered_before_the_application(headers: bytes) -> None:
    known = Counted()
    async with serving(Echo(), AtOnce(known)) as (connect, _):
        client = await connect()
        client.send(b"GET /at-once HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n%s\r\n" % headers)
        assert await client.reply() == (200, known.body(1))


@pytest.mark.parametrize("target", [b"/at-once", b"/at-once/file"])
async def test_what_is_known_is_answered_before_the_application(target: bytes) -> None:
    known = Counted()
    async with serving(Echo(), AtOnce(known)) as (connect, running):
        client = await connect()
        for number in (1, 2):
            client.send(b"GET %s HTTP/1.1\r\nhost: x\r\n\r\n" % target)
            assert await client.reply() == (200, known.body(number))
        client.send(b"GET /other HTTP/1.1\r\nhost: x\r\n\r\n")
        assert await client.reply() == (200, b"/other 0")
        client.send(b"GET %s HTTP/1.1\r\nhost: x\r\n\r\n" % target)
        assert await client.reply() == (200, known.body(3))
        assert running.server_state.total_requests == 4


@pytest.mark.parametrize(
    "request_head",
    [
        b"HEAD /at-once HTTP/1.1\r\nconnection: close\r\n",
        b"GET /at-once HTTP/1.1\r\nconnection: close\r\n",
        b"GET /at-once HTTP/1.0\r\n",
        b"POST /at-once HTTP/1.1\r\nconnection: close\r\n",
        b"GET /at-once HTTP/1.1\r\nContent-Length: 0\r\nconnection: close\r\n",
        b"GET /at-once HTTP/1.1\r\nRange: bytes=0-1\r\nconnection: close\r\n",
        b'GET /at-once HTTP/1.1\r\nIf-None-Match: "a"\r\nconnection: close\r\n',
        b"GET /at-once HTTP/1.1\r\nconnection:  keep-alive, close\r\n",
        b"GET /at-once HTTP/1.1\r\nCMCD-Request: su\r\nconnection: close\r\n",
    ],
)
async def test_unusual_requests_go_to_the_application(request_head: bytes) -> None:
    known = Counted()
    async with serving(Echo(), AtOnce(known)) as (connect, _):
        client = await connect()
        client.send(request_head + b"host: x\r\n\r\n")
        answered = await client.until_end()
    assert status_of(answered) == 200
    assert known.count == 0


@pytest.mark.parametrize(
    ("target", "header"),
    [
        (b"/at-once?CMCD=bl%3D100", b""),
        (b"/at-once/file?CMCD=bl%3D100", b"Referer: http://x/\r\n"),
        (b"/at-once", b"Cmcd-Request: su\r\n"),
        (b"/at-once/file", b"CMCD-SESSION: sid=1\r\n"),
    ],
)
async def test_what_players_tell_changes_no_answer(target: bytes, header: bytes) -> None:
    known, overheard = Counted(), []
    at_once = AtOnce(known, lambda client, request: overheard.append((client, request)))
    async with serving(Echo(), at_once) as (connect, _):
        client = await connect()
        request = b"GET %s HTTP/1.1\r\nhost: x\r\n%s\r\n" % (target, header)
        client.send(request)
        assert await client.reply() == (200, known.body(1))
        client.send(b"GET /at-once HTTP/1.1\r\nhost: x\r\n\r\n")
        assert await client.reply() == (200, known.body(2))
    # By now: before the second request was answered.
    [(whose, taken)] = overheard
    assert whose is not None
    assert whose[0] == "127.0.0.1"
    assert taken == request


async def test_other_parameters_stay_and_proxies_are_left_to_the_application() -> None:
    asked: list[bytes] = []
    overheard: list[bytes] = []

    def shortcut(target: bytes, room: memoryview) -> Answer | None:
        asked.append(target)
        return None

    at_once = AtOnce(shortcut, lambda client, request: overheard.append(request))
    async with serving(Echo(), at_once) as (connect, _):
        client = await connect()
        for target, header in (
            (b"/a?CMCD=x&avh=1&CMCD=y", b""),
            (b"/a?CMCD=x", b"X-Forwarded-For: 1.2.3.4\r\n"),
        ):
            client.send(b"GET %s HTTP/1.1\r\nhost: x\r\n%s\r\n" % (target, header))
            assert (await client.reply())[0] == 200
    assert asked == [b"/a?avh=1"]
    assert overheard == []  # the application takes what it answers itself


@pytest.mark.parametrize("target", [b"/at-once", b"/at-once/file"])
async def test_answers_at_once_keep_their_order_and_their_bytes(target: bytes) -> None:
    known = Counted()
    async with serving(Echo(), AtOnce(known)) as (connect, _):
        slow, quick = await connect(receive_bytes=4096), await connect()
        request = b"GET %s HTTP/1.1\r\nhost: x\r\n\r\n" % target
        # Nobody reads yet: the second one waits behind what the first one still has to get.
        slow.send(request)

        async def is_answered() -> bool:
            return known.count == 1

        await until(is_answered)
        slow.send(b"GET /behind HTTP/1.1\r\nhost: x\r\n\r\n")
        quick.send(request)
        assert await quick.reply() in [(200, known.body(n)) for n in (1, 2)]
        status, body = await slow.reply()
        assert (status, len(set(body)), len(body)) == (200, 1, known.SIZE)
        assert await slow.reply() == (200, b"/behind 0")


async def test_a_connection_lasts_as_long_as_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "KEEP_ALIVE_S", 0.5)
    known, loop = Counted(), asyncio.get_running_loop()
    async with serving(Echo(), AtOnce(known)) as (connect, _):
        client = await connect()
        client.send(b"GET /other HTTP/1.1\r\nhost: x\r\n\r\n")
        assert await client.reply() == (200, b"/other 0")
        begun_s = loop.time()
        while loop.time() < begun_s + 1.5:  # three times as long as an idle one
            client.send(b"GET /at-once HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await client.reply())[0] == 200
        assert await client.until_end() == b""
