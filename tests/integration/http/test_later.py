"""Requests that wait for an answer which others wait for, too, over real sockets."""

import asyncio

import pytest

from telecine.http.at_once import Answer, AtOnce, Later
from tests.fixtures.raw_http import READ_S, serving
from tests.fixtures.waiting import until
from tests.integration.http.test_server import Echo

pytestmark = pytest.mark.anyio

ASKED = b"GET /part HTTP/1.1\r\nhost: x\r\n\r\n"
BODY = b"p" * 300_000
PART = Answer(b"content-length: %d\r\n\r\n" % len(BODY), BODY)


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Both loops: their transports differ in what they buffer and when they tell."""
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


class Stage:
    """Everybody who asks for `/part` waits for the same."""

    def __init__(self) -> None:
        self.later = Later()
        self.asked = 0
        self.answered = 0
        self.overheard: list[bytes] = []
        self.at_once = AtOnce(
            lambda *_: None,
            lambda _, request: self.overheard.append(request),
            live=self.live,
            on_answer=self.note,
        )

    def live(self, target: bytes, _: bytes) -> Later | None:
        if target != b"/part":
            return None
        self.asked += 1
        return self.later

    def note(self) -> None:
        self.answered += 1

    async def waits(self, count: int) -> None:
        async def all_wait() -> bool:
            return len(self.later._waiters) == count

        await until(all_wait)


async def test_all_who_wait_get_the_answer_and_ask_again() -> None:
    stage = Stage()
    async with serving(Echo(), stage.at_once) as (connect, running):
        clients = [await connect() for _ in range(5)]
        for turn in (1, 2):
            for client in clients:
                client.send(ASKED)
            await stage.waits(5)
            stage.later.settle(PART)
            assert [await client.reply() for client in clients] == [(200, BODY)] * 5
            assert stage.answered == 5 * turn
        clients[0].send(b"GET /other HTTP/1.1\r\nhost: x\r\n\r\n")
        assert await clients[0].reply() == (200, b"/other 0")
        assert running.server_state.total_requests == 11
    assert stage.overheard == []


async def test_what_does_not_come_is_asked_of_the_application() -> None:
    stage = Stage()
    async with serving(Echo(), stage.at_once) as (connect, _):
        client = await connect()
        client.send(ASKED)
        await stage.waits(1)
        stage.later.settle(None)
        assert await client.reply() == (200, b"/part 0")
    assert stage.answered == 0


async def test_who_waits_for_longer_goes_on_waiting() -> None:
    stage, longer = Stage(), Later()
    async with serving(Echo(), stage.at_once) as (connect, _):
        client = await connect()
        client.send(ASKED)
        await stage.waits(1)
        stage.later.settle(longer)
        stage.later = longer
        await stage.waits(1)
        longer.settle(PART)
        assert await client.reply() == (200, BODY)


async def test_who_asks_for_more_is_answered_in_order() -> None:
    stage = Stage()
    async with serving(Echo(), stage.at_once) as (connect, _):
        client = await connect()
        client.send(ASKED)
        await stage.waits(1)
        client.send(b"GET /more HTTP/1.1\r\nhost: x\r\n\r\n")
        assert await client.reply() == (200, b"/part 0")
        assert await client.reply() == (200, b"/more 0")
        await stage.waits(0)


async def test_who_leaves_is_forgotten() -> None:
    stage = Stage()
    async with serving(Echo(), stage.at_once) as (connect, _):
        client, other = await connect(), await connect()
        client.send(ASKED)
        other.send(ASKED)
        await stage.waits(2)
        client.writer.close()
        await stage.waits(1)
        stage.later.settle(PART)
        assert await other.reply() == (200, BODY)


async def test_who_waits_while_the_server_stops_is_answered() -> None:
    stage = Stage()
    async with serving(Echo(), stage.at_once) as (connect, running):
        client = await connect()
        client.send(ASKED)
        await stage.waits(1)
        running.should_exit = True
        assert await client.reply() == (200, b"/part 0")
        async with asyncio.timeout(READ_S):
            assert await client.until_end() == b""


async def test_what_a_player_tells_is_heard_once_it_is_answered() -> None:
    stage = Stage()
    asked = ASKED.replace(b"\r\n\r\n", b"\r\nCMCD-Request: su\r\n\r\n")
    async with serving(Echo(), stage.at_once) as (connect, _):
        client = await connect()
        client.send(asked)
        await stage.waits(1)
        assert stage.overheard == []
        stage.later.settle(PART)
        assert await client.reply() == (200, BODY)
    assert stage.overheard == [asked]
