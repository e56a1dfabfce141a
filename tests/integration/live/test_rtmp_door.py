"""The socket of encoders that speak RTMP, with whatever comes through it."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterable
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from telecine.formats.flv.bodies import body
from telecine.formats.flv.packets import Packet
from telecine.live import rtmp_server
from telecine.live.ports import Stream
from telecine.live.rtmp_server import RtmpConnection
from telecine.live.strangers import Strangers
from telecine.live.studio import Studio
from telecine.protocols.rtmp import messages
from telecine.protocols.rtmp.chunks import encode
from telecine.storage.local import LocalStore
from tests.fixtures.rtmp_wire import C2, OPENING, asking, command, media
from tests.fixtures.waiting import PATIENCE_S, until
from tests.unit.live.test_packager import AUDIO, VIDEO, merged, pictures, sounds
from tests.unit.live.test_studio import Memory

pytestmark = pytest.mark.anyio

MOST_STRANGERS = 3


class Streams(Memory):
    """A memory of two streams, whose keys are their names."""

    async def authorise(self, stream_key: str) -> Stream | None:
        known = stream_key in ("good", "bad")
        return Stream(uuid4(), f"li-{stream_key}", record=False) if known else None


class Encoder:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.heard = b""

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def hears(self, word: bytes) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while word not in self.heard:
                found = await self._reader.read(1 << 16)
                assert found, self.heard
                self.heard += found

    async def publishes(self, key: str) -> None:
        self.send(OPENING + C2 + asking(key))
        await self.hears(b"NetStream.Publish.Start")

    async def is_closed(self) -> None:
        with contextlib.suppress(ConnectionResetError):  # what we sent last was not read
            self.heard += await asyncio.wait_for(self._reader.read(), PATIENCE_S)

    def close(self) -> None:
        self._writer.close()


class Door:
    """The port and all who came through it."""

    def __init__(self, studio: Studio, server: asyncio.Server) -> None:
        self.studio = studio
        self._port = server.sockets[0].getsockname()[1]
        self.encoders: list[Encoder] = []
        self.deaf: list[socket.socket] = []

    async def deaf_encoder(self, key: str) -> socket.socket:
        """Return one that publishes; it reads nothing, and its system little."""
        made = socket.socket()
        self.deaf.append(made)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        made.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(made, ("127.0.0.1", self._port))
        await loop.sock_sendall(made, OPENING + C2 + asking(key))

        async def published() -> bool:
            event = self.studio.event(f"li-{key}")
            return event is not None and event.publisher is not None

        await until(published)
        return made

    async def encoder(self) -> Encoder:
        made = Encoder(*await asyncio.open_connection("127.0.0.1", self._port))
        self.encoders.append(made)
        return made


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    studio = Studio(Streams(), LocalStore(tmp_path), part_ms=200, window_s=60, grace_s=60)
    connect = partial(RtmpConnection, studio, Strangers(MOST_STRANGERS))
    server = await asyncio.get_running_loop().create_server(connect, "127.0.0.1", 0)
    server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # what comes has it
    door = Door(studio, server)
    yield door
    for each in door.encoders:
        each.close()
    for deaf in door.deaf:
        deaf.close()
    await studio.close()
    server.close()


def spoken(packets: Iterable[tuple[int, Packet]]) -> bytes:
    """Return packets as an encoder sends them."""
    return media(
        (messages.VIDEO if each.video else messages.AUDIO, time_ms, body(each))
        for time_ms, each in packets
    )


CONFIGS = [(0, VIDEO), (0, AUDIO)]
PING = encode(messages.user_control(messages.PING_REQUEST, b"time"), 2, 128)
OVERSIZE = b"\x06\0\0\0\xff\xff\xff\x09\1\0\0\0"


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (OVERSIZE, "bytes"),
        (media([(messages.VIDEO, 0, b"\x12\0\0\0\0picture")]), "video codec 2"),
        (media([(messages.AUDIO, 0, b"\xbf\1sound")]), "audio codec 11"),
        (media([(messages.VIDEO, 0, b"\x90xxxxrecord")]), "xxxx"),
        (media([(messages.AUDIO, 0, b"\x2fsound")]), "sound as MP3"),
        (media([(messages.AUDIO, 0, b"\x91ac-3sound")]), "audio codec 'ac-3'"),
        (media([(messages.VIDEO, 0, b"\x17\0\0\0\0\1")]), "avc"),
        (media([(messages.COMMAND, 0, b"\xff\xff")]), "a value of type 255"),
    ],
    ids=["oversize", "video codec", "audio codec", "fourcc", "mp3", "ac-3", "record", "amf"],
)
async def test_who_sends_what_cannot_be_is_told_and_nobody_else_notices(
    door: Door, sent: bytes, reason: str
) -> None:
    good, bad = await door.encoder(), await door.encoder()
    await good.publishes("good")
    shown = merged(pictures(30, 6, gop_s=1), sounds(6))
    half = len(shown) // 2
    good.send(spoken([*CONFIGS, *shown[:half]]))
    await bad.publishes("bad")
    with capture_logs() as lines:
        bad.send(sent)
        await bad.is_closed()
    assert b"NetStream.Failed" in bad.heard
    (line,) = [each for each in lines if each.get("stream") == "li-bad"]
    assert line["event"] == "rtmp closed"
    assert reason.lower() in line["reason"].lower()
    good.send(spoken(shown[half:]))

    async def all_there() -> bool:
        event = door.studio.event("li-good")
        return event is not None and len(event.window.segments) >= 5

    await until(all_there)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"GET / HTTP/1.1\r\nHost: here\r\n\r\n", "version"),
        (OPENING + C2 + OVERSIZE, "bytes"),
        (OPENING + C2 + command("play", 1, None, "good", stream_id=1), "play"),
        (OPENING + C2 + command("connect", 1, {"app": "s"}) * 65, "more than 64 commands"),
        (OPENING + C2 + PING * 65, "more than 64 commands"),
    ],
    ids=["http", "oversize", "player", "many commands", "many pings"],
)
async def test_who_does_not_publish_is_shown_the_door(door: Door, sent: bytes, reason: str) -> None:
    encoder = await door.encoder()
    with capture_logs() as lines:
        encoder.send(sent)
        await encoder.is_closed()
    (line,) = [each for each in lines if each["event"] == "rtmp closed"]
    assert (line["stream"], reason in line["reason"]) == (None, True), line


@pytest.mark.parametrize("limit", ["HANDSHAKE_S", "PUBLISH_S", "IDLE_S"])
async def test_whoever_says_nothing_is_not_waited_for(
    door: Door, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    for each in ("HANDSHAKE_S", "PUBLISH_S", "IDLE_S"):
        monkeypatch.setattr(rtmp_server, each, 0.05 if each == limit else 10 * PATIENCE_S)
    with capture_logs() as lines:
        encoder = await door.encoder()
        if limit == "PUBLISH_S":
            encoder.send(OPENING + C2)
        elif limit == "IDLE_S":
            await encoder.publishes("good")
        await encoder.is_closed()
    (line,) = [each for each in lines if each["event"] == "rtmp closed"]
    assert line["reason"] == "nothing came in time"


async def test_an_address_has_so_many_strangers_at_a_time(door: Door) -> None:
    strangers = [await door.encoder() for _ in range(MOST_STRANGERS)]
    for each in strangers:
        each.send(OPENING)
        await each.hears(b"\3")  # the server has counted it
    with capture_logs() as lines:
        refused = await door.encoder()
        await refused.is_closed()
    assert "too many" in lines[0]["reason"]
    strangers[0].send(C2 + asking("good"))
    await strangers[0].hears(b"NetStream.Publish.Start")  # is none any more
    strangers[1].close()
    for _ in range(2):  # the place of each of them

        async def let_in() -> bool:
            encoder = await door.encoder()
            encoder.send(OPENING)
            try:
                await encoder.hears(b"\3")
            except (AssertionError, ConnectionError):
                return False
            return True

        await until(let_in)


async def until_left(door: Door, stream: str) -> None:
    async def left() -> bool:
        event = door.studio.event(stream)
        return event is None or event.publisher is None

    await until(left)


async def test_who_does_not_read_is_not_answered_for_ever(door: Door) -> None:
    with capture_logs() as lines:
        deaf = await door.deaf_encoder("good")
        with contextlib.suppress(ConnectionError):  # is closed before it has sent all of it
            for _ in range(10_000):
                await asyncio.get_running_loop().sock_sendall(deaf, PING * 100)
        await until_left(door, "li-good")
    (line,) = [each for each in lines if each["event"] == "rtmp closed"]
    assert "answers" in line["reason"]


async def test_the_last_answer_does_not_wait_for_ever(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rtmp_server, "FAREWELL_S", 0.05)
    loop = asyncio.get_running_loop()
    deaf = await door.deaf_encoder("good")
    with capture_logs() as lines:
        # Less than is too much, but more than the system takes.
        await loop.sock_sendall(deaf, PING * 2500 + OVERSIZE)
        await until_left(door, "li-good")
    (line,) = [each for each in lines if each["event"] == "rtmp closed"]
    assert "bytes" in line["reason"]


def test_an_address_of_ipv6_is_a_network() -> None:
    strangers = Strangers(1)
    assert strangers.arrive("2001:db8::1")
    assert strangers.arrive("2001:db8::2") is None
    assert strangers.arrive("2001:db8:0:1::2")
    assert strangers.arrive("::ffff:192.0.2.1")
    assert strangers.arrive("::ffff:192.0.2.2")
    place = strangers.arrive("fe80::1%eth0")
    assert place is not None
    strangers.leave(place)
    assert strangers.arrive("fe80::2%eth0")
