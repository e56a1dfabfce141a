"""Thousands of mutated connections through all that is live; a soak takes 100,000.

From the socket's bytes, with two video tracks, to the playlists of both, the recorder's queue and
what restreams and transcoders are handed. Two connections are one event, if it comes to one.
"""

import asyncio
import random
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from hypothesis import settings
from structlog.testing import capture_logs

from telecine.delivery.live_playlists import Rendered
from telecine.formats.hls.check_live import check_live
from telecine.formats.hls.check_live_set import check_live_set
from telecine.live.broadcast import Broadcast
from telecine.live.model import SOURCE
from telecine.live.ports import Stream
from telecine.live.relay import Tag
from telecine.live.rtmp_server import RtmpConnection
from telecine.live.strangers import Strangers
from telecine.live.studio import Studio
from telecine.protocols.rtmp import amf0, messages
from telecine.protocols.rtmp.chunks import encode
from telecine.protocols.rtmp.messages import Message
from telecine.storage.local import LocalStore
from tests.fixtures import rtmp_wire as wire
from tests.fixtures.waiting import PATIENCE_S
from tests.fuzz.test_rtmp_sessions import mutated
from tests.unit.live.test_packager import ASC, AVCC
from tests.unit.live.test_studio import Memory

pytestmark = pytest.mark.anyio

SESSIONS = 100_000 if settings.get_current_profile_name() == "soak" else 5_000
KEPT_BYTES = 24 << 20
"""Above what the bounds of one event add up to."""

FRAME_MS, GOP, PICTURES = 40, 25, 60


def first_track(number: int) -> bytes:
    return bytes([0x17 if number % GOP == 0 else 0x27, 1, 0, 0, 0]) + bytes(60)


def second_track(number: int) -> bytes:
    frame = 0x96 if number % GOP == 0 else 0xA6
    return bytes([frame, 1]) + b"avc1" + bytes([1, 0, 0, 0]) + bytes(30)


TOLD = {"width": 640.0, "height": 360.0, "videocodecid": 7.0, "audiocodecid": 10.0}
METADATA = Message(messages.DATA, 0, 1, amf0.encode("@setDataFrame", "onMetaData", TOLD))
SENT = (
    wire.chunk_size(4096)
    + encode(METADATA, 4, 4096)
    + wire.media(
        [
            (messages.VIDEO, 0, b"\x17\x00\x00\x00\x00" + AVCC),
            (messages.VIDEO, 0, b"\x96\x00avc1\x01" + AVCC),
            (messages.AUDIO, 0, b"\xaf\x00" + ASC),
            *(
                tag
                for n in range(PICTURES)
                for tag in (
                    (messages.VIDEO, FRAME_MS * n, first_track(n)),
                    (messages.VIDEO, FRAME_MS * n, second_track(n)),
                    (messages.AUDIO, FRAME_MS * n, b"\xaf\x01" + bytes(20)),
                )
            ),
        ],
        4096,
    )
    + wire.command("FCUnpublish", 6, None, "key")
    + wire.command("deleteStream", 7, None, 1.0)
)


class Streams(Memory):
    """A stream for every key; it turns out to be gone when its event is `over`."""

    def __init__(self) -> None:
        super().__init__()
        self.over = asyncio.Event()

    async def authorise(self, stream_key: str) -> Stream | None:
        return Stream(uuid4(), stream_key, record=False)

    async def started(self, stream: Stream) -> UUID | None:
        await self.over.wait()
        return None  # nothing is written to a disk


class Wire:
    """A transport that nobody listens to."""

    def __init__(self) -> None:
        self.closing = False
        self.admitted = asyncio.Event()

    def get_extra_info(self, name: str) -> Any:
        return ("192.0.2.1", 1935) if name == "peername" else None

    def pause_reading(self) -> None:
        self.admitted.clear()

    def resume_reading(self) -> None:
        self.admitted.set()

    def write(self, data: bytes) -> None:
        assert not self.closing

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True
        self.admitted.set()

    abort = close


class Receiver:
    """What a restream or a transcoder is handed."""

    def __init__(self) -> None:
        self.tags, self.last_ms = 0, 0

    def take(self, tag: Tag) -> None:
        self.tags += 1
        assert tag.body
        assert tag.time_ms >= 0
        if tag.key:
            assert tag.time_ms >= self.last_ms  # whatever the encoder's clock does
            self.last_ms = tag.time_ms

    def describe(self, values: Mapping[str, object]) -> None:
        assert isinstance(values, Mapping)


class Doors:
    """The process that is live, and connections to it."""

    def __init__(self, folder: Path) -> None:
        self.streams, store = Streams(), LocalStore(folder)
        self.studio = Studio(self.streams, store, part_ms=200, window_s=60, grace_s=60)
        self.strangers = Strangers()
        self.handed = self.parts = self.layers = self.joined = 0

    async def publish(self, key: str, opened: bytes, sent: bytes, chance: random.Random) -> None:
        """Let one connection come and go."""
        connection, transport = RtmpConnection(self.studio, self.strangers), Wire()
        connection.connection_made(cast("asyncio.Transport", transport))
        connection.data_received(opened)
        if connection._admission is not None:
            await asyncio.wait_for(transport.admitted.wait(), PATIENCE_S)
        event = connection._broadcast
        if event is not None:
            assert isinstance(event, Broadcast)
            self.joined += bool(event.window.segments)
            event._relay.add(receiver := Receiver())
        while sent and not transport.closing:
            size = chance.choice((1, 40, 400, 1 << 16))
            if transport.admitted.is_set() or event is None:
                connection.data_received(sent[:size])
            sent = sent[size:]
        connection.connection_lost(None)
        if event is not None:
            self.handed += receiver.tags

    async def end(self, key: str) -> None:
        """End what a key has led to, and look at what there is to watch of it."""
        event = self.studio.event(key)
        if event is None:
            return
        self.studio.complete(key)
        texts = watched(event)
        self.parts += SOURCE in texts
        self.layers += len(texts) > 1
        self.streams.over.set()
        await self.studio.close()
        self.streams.over.clear()
        self.studio._events.clear()


def watched(event: Broadcast) -> dict[str, str]:
    """Return the playlists of all renditions that can be watched, which obey the rules."""
    texts = {
        name: Rendered().body(each.window, skip=False, coding=None, public_id="li1").decode()
        for name, each in event.renditions.items()
        if each.window.playable
    }
    for name, text in texts.items():
        begun = event.renditions[name].window.segments[0].msn
        assert check_live(text, begun) == [], f"{name}: {text}"
    # A further track may have holes of its own, where it is less of a segment.
    said = [each for each in check_live_set(texts) if " lasts " not in each]
    assert said == [], "\n".join(texts.values())
    return texts


async def publish_twice(doors: Doors, number: int, chance: random.Random) -> None:
    key = f"li{number}"
    opening = wire.OPENING + wire.C2 + wire.asking(key)
    with capture_logs() as lines:
        for _ in range(2):
            # Most openings are left alone, so that what follows is reached.
            opened = mutated(opening, chance) if chance.random() < 0.05 else opening
            await doors.publish(key, opened, mutated(SENT, chance), chance)
        for each in list(doors.studio._events):  # a wound in the key makes another
            await doors.end(each)
    assert [each for each in lines if each["log_level"] == "error"] == []
    assert not doors.strangers._counts


async def test_the_session_is_whole(tmp_path: Path) -> None:
    doors, chance = Doors(tmp_path), random.Random(3)
    opening = wire.OPENING + wire.C2 + wire.asking("li0")
    for _ in range(2):
        await doors.publish("li0", opening, SENT, chance)
    event = doors.studio.event("li0")
    assert event is not None
    assert {*watched(event)} == {SOURCE, "track1"}
    assert sum(each.discontinuity for each in event.window.segments) == 1
    await doors.end("li0")
    assert (doors.parts, doors.layers, doors.joined) == (1, 1, 1)
    assert doors.handed == 2 * (3 + 3 * PICTURES)


@pytest.mark.slow
async def test_mutated_connections_end_in_playlists_or_in_our_errors(tmp_path: Path) -> None:
    doors, chance = Doors(tmp_path), random.Random(SESSIONS)
    for number in range(SESSIONS // 2):
        await publish_twice(doors, number, chance)
    assert doors.handed > SESSIONS  # wounds are small enough to get far
    assert doors.parts > SESSIONS // 20
    assert doors.layers > SESSIONS // 50
    assert doors.joined > SESSIONS // 50


async def test_mutated_connections_do_not_fill_the_memory(tmp_path: Path) -> None:
    doors, chance = Doors(tmp_path), random.Random(1)
    tracemalloc.start()
    for number in range(50):
        await publish_twice(doors, number, chance)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < KEPT_BYTES
