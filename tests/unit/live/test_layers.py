"""Further tracks of an encoder are renditions with the segments of the first one."""

import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from telecine.delivery.live_playlists import Rendered
from telecine.formats.flv.packets import Coded, Config, Packet
from telecine.formats.hls.check_live import check_live
from telecine.formats.hls.check_live_set import check_live_set
from telecine.live import layers
from telecine.live.broadcast import Broadcast
from telecine.live.studio import Studio
from telecine.live.window import Window
from telecine.storage.local import LocalStore
from tests.unit.live.test_packager import AUDIO, VIDEO, merged, pictures, sounds
from tests.unit.live.test_studio import Encoder, Memory, admitted

pytestmark = pytest.mark.anyio

Sent = tuple[int, Packet]


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def studio(memory: Memory, tmp_path: Path) -> Studio:
    return Studio(memory, LocalStore(tmp_path), part_ms=200, window_s=60, grace_s=60)


def second_track(sent: Sequence[Sent]) -> list[Sent]:
    return [(time_ms, replace(each, track=1)) for time_ms, each in sent if each.video]


def both(first: Sequence[Sent], second: Sequence[Sent], *, ahead: bool) -> list[Sent]:
    """Return two tracks by time; `ahead`: the second one comes first."""
    order = (second, first) if ahead else (first, second)
    return sorted((each for sent in order for each in sent), key=lambda each: each[0])


def feed(event: Broadcast, sent: Sequence[Sent]) -> None:
    for time_ms, packet in sent:
        event.push(time_ms, packet)


def text_of(window: Window) -> str:
    return Rendered().body(window, skip=False, coding=None, public_id="li1").decode()


def described(event: Broadcast) -> None:
    feed(event, [(0, VIDEO), (0, Config(True, 1, "avc1", VIDEO.record)), (0, AUDIO)])


def begins(window: Window) -> list[tuple[int, int, bool, list[int]]]:
    """Return number, length, break and decode times (tfdt) of each segment that is over."""
    return [
        (
            segment.msn,
            segment.duration_ms,
            segment.discontinuity,
            [times(part.data)[0] for part in segment.parts],
        )
        for segment in window.segments
        if segment.ended
    ]


def times(fragment: bytes) -> list[int]:
    found, at = [], fragment.find(b"tfdt")
    while at >= 0:
        found.append(struct.unpack_from(">Q", fragment, at + 8)[0])
        at = fragment.find(b"tfdt", at + 1)
    return found


@pytest.mark.parametrize("ahead", [False, True])
async def test_a_further_track_has_the_segments_of_the_first(
    studio: Studio, memory: Memory, tmp_path: Path, ahead: bool
) -> None:
    event, encoder = await admitted(studio, first := Encoder()), Encoder()
    for connection in (first, encoder):
        if connection is encoder:
            studio.gone(event, first)
            assert await admitted(studio, encoder) is event
        described(event)
        shown = merged(pictures(30, 4, gop_s=1), sounds(4))
        offset = 4100 if connection is encoder else 0
        sent = [(time_ms + offset, each) for time_ms, each in shown]
        feed(event, both(sent, second_track(sent), ahead=ahead))
    layer = event.renditions["track1"].window
    assert layer.playable
    assert layer.targets == event.window.targets
    source = begins(event.window)
    assert len(source) >= 7
    assert sum(broken for _, _, broken, _ in source) == 1
    assert begins(layer) == source
    (quality,) = event.qualities()
    assert quality["name"] == "track1"
    assert quality["codecs"] == event.window.inits[0].codecs
    assert [each["type"] for each in event.told()["tracks"]] == ["video", "audio", "video"]
    await studio.close()
    assert layer.ended
    assert memory.told == ["started", "ended", "recorded"]  # of the first track alone


@pytest.mark.parametrize("rate_hz", [24, 12, 60])
async def test_a_further_track_keeps_the_promises_of_the_first(
    studio: Studio, rate_hz: float
) -> None:
    """Also with its first parts, when nobody has promised anything yet."""
    event = await admitted(studio, Encoder())
    described(event)
    sent = merged(pictures(30, 4, gop_s=1), sounds(4))
    other = second_track(pictures(rate_hz, 4, gop_s=1))
    feed(event, both(sent, other, ahead=False))
    texts = {name: text_of(each.window) for name, each in event.renditions.items()}
    assert {*texts} == {"source", "track1"}
    assert [check_live(each) for each in texts.values()] == [[], []], texts["track1"]
    assert check_live_set(texts) == []
    await studio.close()


@pytest.mark.parametrize("seconds", [0.5, 1.5])
async def test_a_further_track_is_there_where_an_event_is_short(
    studio: Studio, seconds: float
) -> None:
    event = await admitted(studio, Encoder())
    described(event)
    sent = merged(pictures(30, seconds, gop_s=1), sounds(seconds))
    feed(event, both(sent, second_track(sent), ahead=True))
    event.end()
    source, layer = (event.renditions[name].window for name in ("source", "track1"))
    assert layer.playable
    assert begins(layer)[0][1] == pytest.approx(begins(source)[0][1], abs=34)
    await studio.close()


def counted(window: Window) -> bool:
    """Tell whether segments are where players count them to."""
    first = window.segments[0].msn
    return [each.msn - first for each in window.segments] == [*range(len(window.segments))]


def times_of(sent: Sequence[Sent], offset_ms: int) -> list[Sent]:
    return [(time_ms + offset_ms, each) for time_ms, each in sent]


async def test_an_interruption_between_the_key_frames_of_two_tracks(studio: Studio) -> None:
    """The first track has a segment then of which the second has nothing."""
    event = await admitted(studio, first := Encoder())
    described(event)
    sent = merged(pictures(30, 4.04, gop_s=1), sounds(4))
    second = [each for each in second_track(sent) if each[0] < 4000]
    feed(event, both(sent, second, ahead=False))
    source, layer = event.window, event.renditions["track1"].window
    studio.gone(event, first)
    assert (source.segments[-1].msn, layer.segments[-1].msn) == (4, 3)
    assert event.qualities() == []
    await admitted(studio, Encoder())
    described(event)
    sent = times_of(merged(pictures(30, 4, gop_s=1), sounds(4)), 4100)
    feed(event, both(sent, second_track(sent), ahead=False))
    layer = event.renditions["track1"].window
    assert layer.playable
    assert counted(layer)
    assert begins(layer) == begins(source)[-len(begins(layer)) :]
    assert layer.segments[0].msn == 5  # behind the one that it has not
    texts = {name: text_of(each.window) for name, each in event.renditions.items()}
    assert {*texts} == {"source", "track1"}
    assert check_live_set(texts) == []
    assert check_live(texts["track1"], 5) == []
    await studio.close()


@pytest.mark.parametrize("until_ms", [5000, 6000], ids=["too long", "left out"])
async def test_a_track_with_holes_is_not_offered(studio: Studio, until_ms: int) -> None:
    event = await admitted(studio, Encoder())
    described(event)
    sent = merged(pictures(30, 8), sounds(8))
    second = [
        (time_ms, replace(each, key=each.key or time_ms == until_ms))
        for time_ms, each in second_track(pictures(30, 8))
        if isinstance(each, Coded) and not 3900 < time_ms < until_ms
    ]
    with capture_logs() as lines:
        feed(event, both(sent, second, ahead=False))
    (line,) = [each for each in lines if each["event"] == "quality dropped"]
    assert "all segments" in line["reason"]
    assert event.qualities() == []
    assert list(event.renditions) == ["source"]
    await studio.close()


async def test_an_interruption_ends_segments_of_all_tracks(studio: Studio) -> None:
    event = await admitted(studio, first := Encoder())
    described(event)
    sent = merged(pictures(30, 0.5, gop_s=1), sounds(0.5))
    feed(event, both(sent, second_track(sent), ahead=True))
    studio.gone(event, first)
    source, layer = event.window, event.renditions["track1"].window
    assert source.playable
    assert layer.playable
    assert layer.edge == source.edge == (1, 0)
    await studio.close()


async def test_a_track_whose_key_frames_are_elsewhere_is_not_offered(
    studio: Studio, memory: Memory
) -> None:
    event = await admitted(studio, Encoder())
    described(event)
    sent = merged(pictures(30, 4, gop_s=1), sounds(4))
    other = [
        (time_ms, replace(each, key=time_ms in (0, 1500)))
        for time_ms, each in second_track(pictures(30, 4, gop_s=1))
        if isinstance(each, Coded)
    ]
    feed(event, both(sent, other, ahead=False))
    assert event.qualities() == []
    assert list(event.renditions) == ["source"]
    assert len(event.window.segments) >= 4
    await studio.close()
    assert memory.told == ["started", "ended", "recorded"]


async def test_what_waits_for_the_first_track_has_a_limit_in_bytes(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "_MOST_WAITING_BYTES", 100_000)
    event = await admitted(studio, Encoder())
    described(event)
    most = 0
    for at, each in pictures(30, 20, gop_s=1):
        assert isinstance(each, Coded)
        event.push(at, replace(each, track=1, data=bytes(3000)))
        waiting = event._layers._waiting  # nothing else tells
        most = max(most, sum(layers._size(packet) for _, packet, _ in waiting))
    assert 90_000 < most <= 100_000
    sent = merged(pictures(30, 4, gop_s=1, from_ms=20_000), sounds(4, from_ms=20_000))
    feed(event, both(sent, second_track(sent), ahead=False))  # and goes on with what is left
    assert event.renditions["track1"].window.segments
    (quality,) = event.qualities()
    assert quality["codecs"] == event.window.inits[0].codecs  # it is heard, too
    await studio.close()
