"""An orderly end leaves events to the next process, whole."""

import asyncio
import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from telecine.formats.mp4.multitrack import whole_fragments
from telecine.live.broadcast import Broadcast
from telecine.live.journal import Left, read
from telecine.live.model import Output
from telecine.live.ports import RecordingPlace
from telecine.live.studio import Studio
from telecine.storage.local import LocalStore
from telecine.storage.store import OutOfSpace
from tests.fixtures.waiting import PATIENCE_S, until
from tests.unit.live.test_layers import described, second_track
from tests.unit.live.test_layers import feed as feed_tracks
from tests.unit.live.test_packager import merged, pictures, sounds
from tests.unit.live.test_studio import Encoder, Memory, admitted, feed

pytestmark = pytest.mark.anyio


@pytest.fixture
def memory() -> Memory:
    return Memory()


def opened(memory: Memory, folder: Path) -> Studio:
    return Studio(memory, LocalStore(folder), part_ms=200, window_s=60, grace_s=60)


async def stopped(studio: Studio) -> None:
    await asyncio.wait_for(studio.close(ends=False), PATIENCE_S)


def left(memory: Memory, folder: Path, event: Broadcast) -> Left:
    place = RecordingPlace(uuid4(), "live/0")
    assert event.event is not None
    return Left(memory.stream, event.event, read(folder / place.key, place), 5.0, 0.0)


async def test_an_event_goes_on_in_the_next_process_with_all_that_was_sent(
    memory: Memory, tmp_path: Path
) -> None:
    studio, encoder = opened(memory, tmp_path), Encoder()
    event = await admitted(studio, encoder)
    told = list[Output]()
    event.source.add(told.append)
    feed(event)
    await stopped(studio)
    assert encoder.closed == "the server stops"
    assert memory.told == ["started"]
    assert not event.window.ended  # viewers wait for what comes
    found = left(memory, tmp_path, event)
    # To the last picture, which no other one follows.
    assert sum(each.duration_ms for each in found.history.segments) == event.window.duration_ms
    assert found.history.segments[-1].msn == event.window.segments[-1].msn
    assert event.window.duration_ms == pytest.approx(4000, abs=10)

    after = opened(memory, tmp_path)
    after.resume(found)
    resumed = await admitted(after, Encoder())
    assert resumed.session == event.session
    feed(resumed)
    assert sum(each.discontinuity for each in resumed.window.segments) == 1
    await after.close()
    assert memory.told == ["started", "ended", "recorded"]
    ((key, size, duration_s),) = memory.files
    data = (tmp_path / key).read_bytes()
    assert len(data) == size == whole_fragments(data).size_bytes
    assert duration_s == pytest.approx(8, abs=0.1)


async def test_who_is_waited_for_has_no_longer_for_it(memory: Memory, tmp_path: Path) -> None:
    studio = opened(memory, tmp_path)
    event = await admitted(studio, encoder := Encoder())
    feed(event)
    studio.gone(event, encoder)
    await stopped(studio)
    path = tmp_path / "live/0"
    os.utime(path, (1_000_000, 1_000_000))  # when media came last
    after = opened(memory, tmp_path)
    after.resume(left(memory, tmp_path, event))
    assert after.on_air == ["li1"]
    await stopped(after)  # before it comes back
    assert path.stat().st_mtime == 1_000_000
    assert path.with_name("0.journal").exists()
    assert memory.told == ["started"]


async def test_what_cannot_go_on_ends(
    memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: LocalStore) -> None:
        raise OutOfSpace("full")

    studio = opened(memory, tmp_path)
    event = await admitted(studio, Encoder())
    feed(event)

    async def is_written() -> bool:
        return any(each.stat().st_size for each in tmp_path.rglob("0"))

    await until(is_written)
    monkeypatch.setattr(LocalStore, "check_room", full)
    feed(event, since_s=5)
    await stopped(studio)
    assert memory.told == ["started", "ended", "recorded, recording-no-room"]
    assert event.window.ended


async def test_what_was_not_on_the_air_leaves_nothing(memory: Memory, tmp_path: Path) -> None:
    studio = opened(memory, tmp_path)
    await admitted(studio, encoder := Encoder())
    await stopped(studio)
    assert encoder.closed == "the server stops"
    assert memory.told == []
    assert not list(tmp_path.rglob("live/*"))


async def test_other_qualities_do_not_end_for_viewers(memory: Memory, tmp_path: Path) -> None:
    studio = opened(memory, tmp_path)
    event = await admitted(studio, Encoder())
    described(event)
    sent = merged(pictures(30, 4, gop_s=1), sounds(4))
    feed_tracks(event, [*sent, *second_track(sent)])
    layer: Any = event.renditions["track1"]
    await stopped(studio)
    assert not layer.window.ended
    assert memory.told == ["started"]
