"""What the shortcut says of live streams is what the application would say."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.types import Message

from telecine.delivery import live_shortcut
from telecine.delivery.live import LiveDelivery
from telecine.delivery.live_playlists import LivePlaylists
from telecine.delivery.live_shortcut import LiveMediaShortcut
from telecine.http.at_once import Answer, Later
from telecine.live.model import Ended, Init, Part, SegmentEnd, Targets
from telecine.live.window import Window

pytestmark = pytest.mark.anyio

ID = "li" + "a" * 22
SESSION = "0123456789ab"
FOLDER = f"/live/{ID}_source/".encode()
PLAIN = b"get / http/1.1\r\nhost: x\r\n\r\n"
GZIP = b"get / http/1.1\r\nhost: x\r\naccept-encoding: gzip, deflate\r\n\r\n"
NO_GZIP = GZIP.replace(b"gzip", b"gzip;q=0")
BROWSER = GZIP.replace(b"deflate", b"deflate, br, zstd")


def part(msn: int, number: int) -> Part:
    return Part(
        msn=msn,
        number=number,
        duration_ms=200,
        independent=number == 0,
        init=0,
        discontinuity=False,
        received_ms=1_700_000_000_000,
        data=b"%d.%d" % (msn, number),
    )


class Mirrored:
    """An edge, and a cache of streams, that know one stream, and whether it is on the air."""

    def __init__(self, window: Window | None) -> None:
        self.on_air = window
        self.stream = SimpleNamespace(public_id=ID, public=True, access=None, transport=False)

    def kept(self, public_id: str, rendition: str = "") -> Any:
        if public_id != ID:
            return None
        return self.on_air if rendition else self.stream

    async def window(self, public_id: str, rendition: str) -> Window | None:
        return cast("Window | None", self.kept(public_id, rendition))

    async def get(self, public_id: str) -> Any:
        return self.kept(public_id)

    async def admit(self, *_: Any) -> Any:
        return SimpleNamespace(session=None)


class OnAir:
    """A stream with two segments of two parts each, and both ways to it."""

    def __init__(self) -> None:
        self.window = Window(SESSION, 60_000)
        self.window.take(Targets(part_ms=200, segment_s=1))
        self.window.take(Init(0, b"init", "avc1.64001f", 640, 360))
        for msn in (0, 1):
            self.take(part(msn, 0), part(msn, 1), SegmentEnd(msn))
        self.mirrored = cast("Any", Mirrored(self.window))
        playlists = LivePlaylists()
        self.shortcut = LiveMediaShortcut(self.mirrored, self.mirrored, playlists)
        pages = store = cast("Any", None)
        self.application = LiveDelivery(
            self.mirrored, self.mirrored, store, pages, self.mirrored, playlists
        )

    def take(self, *outputs: Part | SegmentEnd | Ended) -> None:
        for output in outputs:
            self.window.take(output)

    async def application_says(self, target: bytes, request: bytes = PLAIN) -> bytes:
        """Return what follows the status line."""
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        path, _, query = target.partition(b"?")
        lines = [line.partition(b": ") for line in request.split(b"\r\n")[1:] if line]
        scope = {
            "type": "http",
            "method": "GET",
            "path": path.decode(),
            "query_string": query,
            "headers": [(name, value) for name, _, value in lines],
        }
        await self.application(scope, cast("Any", None), send)
        assert sent[0]["status"] == 200
        head = b"".join(name + b": " + value + b"\r\n" for name, value in sent[0]["headers"])
        return head + b"\r\n" + b"".join(message["body"] for message in sent[1:])


class Waiting:
    """Somebody who waits for what comes later."""

    def __init__(self, later: Answer | Later | None) -> None:
        assert isinstance(later, Later)
        self.told: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        later.add(self)

    def let_go(self, answer: Answer | None) -> None:
        self.told.set_result(answer)

    async def bytes(self) -> bytes:
        return wire(await self.told)


def wire(answer: Answer | Later | None) -> bytes:
    assert isinstance(answer, Answer)
    assert isinstance(answer.body, bytes)
    return answer.head + answer.body


@pytest.fixture
async def on_air() -> OnAir:
    return OnAir()


@pytest.mark.parametrize("request_head", [PLAIN, GZIP, NO_GZIP, BROWSER])
@pytest.mark.parametrize(
    "name",
    [
        SESSION.encode() + b"-0.1.m4s",
        b"index.m3u8",
        b"index.m3u8?_HLS_msn=1&_HLS_part=1",
        b"index.m3u8?_HLS_msn=1",
        b"index.m3u8?_HLS_msn=1&_HLS_part=0&_HLS_skip=YES",
    ],
)
async def test_what_is_there_is_said_at_once(
    on_air: OnAir, name: bytes, request_head: bytes
) -> None:
    said = wire(on_air.shortcut(FOLDER + name, request_head))
    assert said == await on_air.application_says(FOLDER + name, request_head)


async def test_all_wait_for_the_same_part(on_air: OnAir) -> None:
    name = FOLDER + SESSION.encode() + b"-2.0.m4s"
    first, second = on_air.shortcut(name, PLAIN), on_air.shortcut(name, PLAIN)
    assert first is second
    waiting = [Waiting(first), Waiting(second)]
    on_air.take(part(2, 0))
    assert [await each.bytes() for each in waiting] == [await on_air.application_says(name)] * 2


@pytest.mark.parametrize("request_head", [PLAIN, GZIP])
async def test_a_playlist_comes_with_the_part_that_it_waits_for(
    on_air: OnAir, request_head: bytes
) -> None:
    name = FOLDER + b"index.m3u8?_HLS_msn=2&_HLS_part=0&_HLS_skip=YES"
    waiting = Waiting(on_air.shortcut(name, request_head))
    on_air.take(part(2, 0))
    assert await waiting.bytes() == await on_air.application_says(name, request_head)


async def test_a_part_that_its_segment_never_had_is_the_next_ones_first(on_air: OnAir) -> None:
    on_air.take(part(2, 0))
    missing = Waiting(on_air.shortcut(FOLDER + SESSION.encode() + b"-2.1.m4s", PLAIN))
    name = FOLDER + b"index.m3u8?_HLS_msn=2&_HLS_part=1"
    waiting = Waiting(on_air.shortcut(name, PLAIN))
    on_air.take(SegmentEnd(2))
    assert await missing.told is None  # the application says that there is none
    await asyncio.sleep(0)
    assert not waiting.told.done()
    on_air.take(part(3, 0))
    assert await waiting.bytes() == await on_air.application_says(name)


async def test_an_end_is_told(on_air: OnAir) -> None:
    name = FOLDER + b"index.m3u8?_HLS_msn=2&_HLS_part=0"
    waiting = Waiting(on_air.shortcut(name, PLAIN))
    on_air.take(Ended())
    told = await waiting.bytes()
    assert told == await on_air.application_says(name)
    assert b"#EXT-X-ENDLIST" in told


async def test_what_does_not_come_is_left_to_the_application(
    on_air: OnAir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_shortcut, "AT_ONCE_TARGETS", 0.01)
    waiting = Waiting(on_air.shortcut(FOLDER + b"index.m3u8?_HLS_msn=2&_HLS_part=0", PLAIN))
    assert await waiting.told is None


@pytest.mark.parametrize(
    "name",
    [
        b"index.m3u8?_HLS_msn=9",  # too far ahead
        b"index.m3u8?_HLS_msn=2&_HLS_part=3",
        b"index.m3u8?_HLS_part=3",
        b"index.m3u8?wait=1",
        SESSION.encode() + b"-9.0.m4s",
        SESSION.encode() + b"-0.m4s",  # a whole segment
        b"ffffffffffff-0.0.m4s",  # of another event
        b"../" + f"li{'b' * 22}_source/index.m3u8".encode(),
    ],
)
async def test_all_else_is_the_applications(on_air: OnAir, name: bytes) -> None:
    assert on_air.shortcut(FOLDER + name, PLAIN) is None


async def test_who_may_watch_is_decided_by_the_application(on_air: OnAir) -> None:
    name, part_name = FOLDER + b"index.m3u8", FOLDER + SESSION.encode() + b"-0.1.m4s"
    stream = on_air.mirrored.stream
    stream.transport = True
    assert on_air.shortcut(name, PLAIN) is None
    assert on_air.shortcut(part_name, PLAIN) is not None
    for change in ({"public": False}, {"access": object()}):
        on_air.mirrored.stream = SimpleNamespace(**{**vars(stream), **change})
        assert on_air.shortcut(part_name, PLAIN) is None
    on_air.mirrored.stream = SimpleNamespace(**{**vars(stream), "transport": False})
    on_air.mirrored.on_air = None
    assert on_air.shortcut(name, PLAIN) is None
