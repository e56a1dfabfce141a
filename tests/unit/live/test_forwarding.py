"""An encoder comes to another node than that of its event, which goes on where it is."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from telecine.formats.flv.bodies import body
from telecine.formats.flv.packets import Coded, Config
from telecine.live import broadcast as broadcasts_module
from telecine.live import forwarding, studio
from telecine.live.broadcast import Broadcast
from telecine.live.forwarding import Forwarded
from telecine.live.intake import Intake
from telecine.live.nodes import Ends
from telecine.live.origin import Origin
from telecine.live.ports import Elsewhere
from telecine.live.studio import Studio
from telecine.storage.local import LocalStore
from tests.fixtures.waiting import PATIENCE_S, until
from tests.unit.live.test_packager import ASC, AVCC, Sent, merged, pictures, sounds
from tests.unit.live.test_studio import KEY, Encoder, Memory, feed

pytestmark = pytest.mark.anyio


@dataclass(slots=True)
class Node:
    """One of two, with what it remembers."""

    memory: Memory
    studio: Studio
    door: Path

    async def admit(self, encoder: Encoder) -> Intake | None:
        return await self.studio.admit(KEY, encoder)

    async def event(self, encoder: Encoder) -> Broadcast:
        found = await self.admit(encoder)
        assert isinstance(found, Broadcast)
        return found

    async def forwarded(self, encoder: Encoder) -> Forwarded:
        found = await self.admit(encoder)
        assert isinstance(found, Forwarded)
        return found

    def knows(self, other: "Node | None") -> None:
        """Learn from the database who has the event."""
        there = None if other is None else Elsewhere("other", str(other.door))
        self.memory.stream = replace(self.memory.stream, elsewhere=there)


def node(folder: Path) -> Node:
    async def dial(address: str) -> Ends:
        return await asyncio.open_unix_connection(address)

    folder.mkdir()
    memory = Memory()
    made = Studio(memory, LocalStore(folder), part_ms=200, window_s=60, grace_s=60, dial=dial)
    return Node(memory, made, folder / "socket")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studio, "_REFUSAL_DELAY_S", 0.0)


@pytest.fixture
async def owner(tmp_path: Path) -> AsyncIterator[Node]:
    made = node(tmp_path / "owner")
    server = await Origin(made.studio, made.door).serve()
    yield made
    await made.studio.close()
    server.close()


@pytest.fixture
async def other(tmp_path: Path, owner: Node) -> AsyncIterator[Node]:
    made = node(tmp_path / "other")
    made.knows(owner)
    yield made
    await made.studio.close()


def tags(seconds: float = 4, since_s: int = 0) -> list[Sent]:
    shown = merged(pictures(30, seconds, gop_s=1), sounds(seconds))
    return [
        (0, Config(True, 0, "avc1", AVCC)),
        (0, Config(False, 0, "mp4a", ASC)),
        *((since_s * 1000 + at, each) for at, each in shown),
    ]


def send(intake: Intake, sent: Iterable[Sent]) -> None:
    intake.expect(video=True, audio=True, size_px=(320, 180), wait_ms=700)
    intake.describe({"encoder": "ours", "width": 320.0, "odd": {"a": 1}})
    for time_ms, packet in sent:
        intake.receive(packet.video, time_ms, body(packet))


async def closed(encoder: Encoder) -> str:
    async def is_closed() -> bool:
        return encoder.closed != ""

    await until(is_closed)
    return encoder.closed


async def test_an_encoder_is_refused_at_every_node_while_another_one_sends(
    owner: Node, other: Node
) -> None:
    event = await owner.event(first := Encoder())
    feed(event)
    assert await other.admit(Encoder()) is None
    assert first.closed == ""
    assert other.studio.on_air == []


async def test_an_encoder_takes_over_at_another_node_from_one_that_is_silent(
    owner: Node, other: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = await owner.event(first := Encoder())
    feed(event)
    segments, session = len(event.window.segments), event.session
    monkeypatch.setattr(broadcasts_module, "SILENCE_S", -1.0)
    second = await other.forwarded(Encoder())
    assert first.closed == "another publisher took over"
    monkeypatch.undo()
    send(second, tags(since_s=5))

    async def goes_on() -> bool:
        return len(event.window.segments) >= segments + 3

    await until(goes_on)
    assert event.session == session
    assert sum(segment.discontinuity for segment in event.window.segments) == 1
    assert event.told()["protocol"] == "rtmp"
    assert other.studio.on_air == []
    # Nor does anybody else publish now, wherever he comes.
    assert await owner.admit(Encoder()) is None
    assert await other.admit(Encoder()) is None
    other.studio.gone(second, Encoder())

    async def is_alone() -> bool:
        return event.publisher is None

    await until(is_alone)
    assert not event.over.is_set()
    await owner.studio.close()
    assert owner.memory.told == ["started", "ended", "recorded"]
    assert other.memory.told == []


async def test_an_owner_says_why_an_encoder_is_to_go(owner: Node, other: Node) -> None:
    first = Encoder()
    event = await owner.event(first)
    feed(event)
    owner.studio.gone(event, first)
    wrong = await other.forwarded(encoder := Encoder())
    wrong.receive(True, 0, b"\x13 no codec of ours")
    assert "video codec 3" in await closed(encoder)
    assert wrong.over.is_set()

    async def is_alone() -> bool:
        return event.publisher is None

    await until(is_alone)
    await other.forwarded(encoder := Encoder())
    await owner.studio.close()
    assert await closed(encoder) == "the server stops"


async def test_a_node_that_stops_leaves_events_of_others(owner: Node, other: Node) -> None:
    event = await owner.event(first := Encoder())
    feed(event)
    owner.studio.gone(event, first)
    await other.forwarded(encoder := Encoder())
    await asyncio.wait_for(other.studio.close(), PATIENCE_S)
    assert encoder.closed == "the server stops"

    async def is_alone() -> bool:
        return event.publisher is None

    await until(is_alone)
    assert owner.studio.on_air == ["li1"]


async def test_an_event_that_is_over_meanwhile_is_followed_by_one_here(
    owner: Node, other: Node
) -> None:
    event = await owner.event(Encoder())
    feed(event)
    event.end()
    here = await other.event(Encoder())
    feed(here)
    assert other.studio.on_air == ["li1"]
    assert (await other.admit(Encoder())) is None  # whatever the database says by now


async def test_an_event_that_is_left_to_the_next_process_is_not_followed_by_one_here(
    owner: Node, other: Node
) -> None:
    feed(await owner.event(Encoder()))
    await owner.studio.close(ends=False)
    assert await other.admit(Encoder()) is None


@pytest.mark.parametrize("address", [None, "/nowhere"])
async def test_who_cannot_be_asked_keeps_the_event(
    owner: Node, other: Node, address: str | None
) -> None:
    feed(await owner.event(Encoder()))
    there = Elsewhere("other", address)
    other.memory.stream = replace(other.memory.stream, elsewhere=there)
    assert await other.admit(Encoder()) is None


async def test_an_owner_that_does_not_answer_is_not_waited_for(
    owner: Node, other: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarding, "ANSWER_S", 0.05)
    over = asyncio.Event()

    async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    server = await asyncio.start_unix_server(connected, tmp_path / "mute")
    there = Elsewhere("other", str(tmp_path / "mute"))
    other.memory.stream = replace(other.memory.stream, elsewhere=there)
    assert await other.admit(Encoder()) is None
    over.set()
    server.close()


async def test_an_owner_that_does_not_keep_up_is_left(
    owner: Node, other: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = await owner.event(first := Encoder())
    feed(event)
    owner.studio.gone(event, first)
    monkeypatch.setattr(forwarding, "BACKLOG_BYTES", 1 << 20)
    there = await other.forwarded(encoder := Encoder())
    picture = body(Coded(True, 0, "avc1", True, 0, bytes(1 << 20)))
    for time_ms in range(0, 2000, 33):  # before the owner has a turn
        there.receive(True, time_ms, picture)
    assert encoder.closed == "the node of its event does not keep up"
    assert there.over.is_set()


async def test_an_encoder_of_another_node_that_sends_nothing_is_left(
    owner: Node, other: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = await owner.event(first := Encoder())
    feed(event)
    owner.studio.gone(event, first)
    monkeypatch.setattr(forwarding, "IDLE_S", 0.05)
    await other.forwarded(encoder := Encoder())
    assert await closed(encoder) == "nothing came in time"
    assert event.publisher is None
