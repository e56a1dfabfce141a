"""Who may publish, who continues and what ends, with a memory that is only told."""

import asyncio
import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from telecine import clock
from telecine.domains.encodings.explanations import REMARKS
from telecine.formats.errors import FormatError
from telecine.formats.flv.bodies import body
from telecine.formats.flv.packets import Coded, Config
from telecine.formats.mp4.multitrack import whole_fragments
from telecine.live import allowance, record, recording_file
from telecine.live import broadcast as broadcasts_module
from telecine.live.broadcast import Broadcast
from telecine.live.journal import Left, read
from telecine.live.ports import RecordingPlace, Shortfall, Stream
from telecine.live.recording_file import File
from telecine.live.studio import Studio
from telecine.storage.local import LocalStore
from telecine.storage.store import OutOfSpace
from tests.fixtures.waiting import until
from tests.unit.live.test_packager import ASC, AVCC, VIDEO, merged, pictures, sounds

pytestmark = pytest.mark.anyio

KEY = "the key"


class Memory:
    """`Broadcasts` that notes what it is told."""

    def __init__(self) -> None:
        self.stream = Stream(uuid4(), "li1", record=True)
        self.told: list[str] = []
        self.files: list[tuple[str, int, float]] = []

    async def authorise(self, stream_key: str) -> Stream | None:
        return self.stream if stream_key == KEY else None

    async def started(self, stream: Stream) -> UUID | None:
        self.told.append("started")
        return uuid4()

    async def ended(self, event: UUID) -> None:
        self.told.append("ended")

    async def recording_started(self, event: UUID, *, kept: bool) -> RecordingPlace:
        return RecordingPlace(uuid4(), f"live/{len(self.files)}")

    async def recording_ended(
        self,
        recording: UUID,
        key: str,
        size_bytes: int,
        duration_s: float,
        cut: Shortfall | None = None,
    ) -> None:
        self.told.append("recorded" if cut is None else f"recorded, {cut}")
        self.files.append((key, size_bytes, duration_s))

    async def recording_failed(self, recording: UUID, key: str, why: Shortfall) -> None:
        self.told.append(f"failed, {why}")

    async def recording_dropped(self, recording: UUID, key: str) -> None:
        self.told.append("dropped")


class Encoder:
    """A connection that only notes why it was closed."""

    def __init__(self) -> None:
        self.closed = ""

    def close(self, reason: str) -> None:
        self.closed = reason

    def told(self) -> dict[str, str]:
        return {"protocol": "rtmp"}


def feed(event: Broadcast, seconds: float = 4, since_s: int = 0) -> None:
    for packet in (Config(True, 0, "avc1", AVCC), Config(False, 0, "mp4a", ASC)):
        event.push(0, packet)
    for time_ms, sent in merged(pictures(30, seconds, gop_s=1), sounds(seconds)):
        assert isinstance(sent, Coded)
        event.push(since_s * 1000 + time_ms, sent)


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def studio(memory: Memory, tmp_path: Path) -> Studio:
    return Studio(memory, LocalStore(tmp_path), part_ms=200, window_s=60, grace_s=60)


async def admitted(studio: Studio, encoder: Encoder) -> Broadcast:
    event = await studio.admit(KEY, encoder)
    assert isinstance(event, Broadcast)
    return event


async def test_an_event_is_recorded_from_its_first_part_to_its_last(
    studio: Studio, memory: Memory, tmp_path: Path
) -> None:
    event = await admitted(studio, Encoder())
    feed(event)
    assert event.window.playable
    await studio.close()
    assert memory.told == ["started", "ended", "recorded"]
    ((key, size, duration_s),) = memory.files
    data = (tmp_path / key).read_bytes()
    assert len(data) == size == whole_fragments(data).size_bytes
    assert duration_s == pytest.approx(4, abs=0.1)


async def test_a_second_encoder_is_refused_while_the_first_sends(studio: Studio) -> None:
    first = Encoder()
    feed(await admitted(studio, first))
    assert await studio.admit(KEY, Encoder()) is None
    assert first.closed == ""
    await studio.close()


async def test_a_second_encoder_takes_over_from_one_that_is_silent(
    studio: Studio, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Encoder()
    event = await admitted(studio, first)
    feed(event)
    monkeypatch.setattr(broadcasts_module, "SILENCE_S", -1.0)
    second = await admitted(studio, Encoder())
    assert second is event
    assert first.closed == "another publisher took over"
    feed(event)
    assert sum(segment.discontinuity for segment in event.window.segments) == 1
    studio.gone(event, first)  # its connection ends at last: no matter
    assert not event.over.is_set()
    await studio.close()
    assert memory.told == ["started", "ended", "recorded"]


async def test_an_encoder_that_stays_away_ends_its_event(memory: Memory, tmp_path: Path) -> None:
    studio = Studio(memory, LocalStore(tmp_path), part_ms=200, window_s=60, grace_s=0.01)
    encoder = Encoder()
    event = await admitted(studio, encoder)
    feed(event)
    studio.gone(event, encoder)
    await asyncio.wait_for(event.over.wait(), 5)
    await studio.close()
    assert memory.told == ["started", "ended", "recorded"]


async def test_it_is_media_that_is_waited_for(
    studio: Studio, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = Encoder()
    event = await admitted(studio, encoder)
    feed(event)
    now = clock.monotonic_s
    monkeypatch.setattr(clock, "monotonic_s", lambda: now() + 59.99)
    studio.gone(event, encoder)  # it was connected, and silent for nearly a minute
    await asyncio.wait_for(event.over.wait(), 30)
    await studio.close()
    assert memory.told == ["started", "ended", "recorded"]


async def test_who_comes_back_after_a_pause_continues_at_its_own_time(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, now_ms = Encoder(), clock.unix_ms
    event = await admitted(studio, first)
    feed(event)
    studio.gone(event, first)
    monkeypatch.setattr(clock, "unix_ms", lambda: now_ms() + 5000)
    assert await admitted(studio, Encoder()) is event
    feed(event)
    before, after = event.window.segments[3], event.window.segments[4]
    assert after.discontinuity
    assert after.received_ms - before.received_ms >= 5000
    await studio.close()


def picture(key: bool) -> bytes:
    return body(Coded(True, 0, "avc1", key, 0, bytes(10_000)))


async def test_more_than_its_clock_accounts_for_is_refused(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allowance, "MOST_AHEAD_BYTES", 200_000)
    event = await admitted(studio, Encoder())
    event.expect(video=True, audio=False, size_px=(64, 64))
    event.receive(True, 0, body(VIDEO))

    def send(*times_ms: int) -> None:
        for each in times_ms:
            event.receive(True, each, picture(each % 990 == 0))

    send(*range(0, 3300, 33))  # 1 MB, at 2.4 Mbit/s
    with pytest.raises(FormatError, match="100 Mbit/s"):
        send(*[3300] * 50)
    await studio.close()


async def test_a_configuration_is_small(studio: Studio) -> None:
    event = await admitted(studio, Encoder())
    with pytest.raises(FormatError, match="configuration of"):
        event.receive(False, 0, body(Config(False, 0, "mp4a", bytes(1 << 17))))
    await studio.close()


async def test_all_refusals_take_as_long(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    feed(await admitted(studio, Encoder()))
    slept: list[float] = []

    async def noted(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", noted)
    for key in (KEY, "another"):
        assert await studio.admit(key, Encoder()) is None
    assert len(slept) == 2
    assert slept[0] == slept[1] > 0
    monkeypatch.undo()
    await studio.close()


async def test_the_end_is_told_before_the_recording(
    studio: Studio, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, closed = asyncio.Event(), asyncio.Event()
    ended, close = memory.ended, File.close

    async def held_up(event: UUID) -> None:
        await closed.wait()  # the file is finished first
        told.set()
        await ended(event)

    def noted(file: File) -> None:
        close(file)
        loop.call_soon_threadsafe(closed.set)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(memory, "ended", held_up)
    monkeypatch.setattr(File, "close", noted)
    feed(await admitted(studio, Encoder()))
    await studio.close()
    assert told.is_set()
    assert memory.told == ["started", "ended", "recorded"]


@pytest.mark.parametrize("comes_back", [True, False])
async def test_an_event_whose_process_was_killed(
    studio: Studio, memory: Memory, tmp_path: Path, comes_back: bool
) -> None:
    event = await admitted(studio, Encoder())
    feed(event)
    await until(lambda: written(tmp_path, 3.5))
    place = RecordingPlace(uuid4(), "live/0")
    history = await asyncio.to_thread(read, tmp_path / place.key, place)
    assert event.event is not None
    # Nothing of the first one is closed: that is how it was killed.
    quiet_s = 0.0 if comes_back else 60.0
    after = Studio(memory, LocalStore(tmp_path), part_ms=200, window_s=60, grace_s=60)
    after.resume(Left(memory.stream, event.event, history, 5.0, quiet_s))
    resumed = after.event("li1")
    assert resumed is not None
    assert resumed.session == event.session
    assert resumed.window.playable
    if comes_back:
        assert await admitted(after, Encoder()) is resumed
        feed(resumed)
        assert resumed.window.segments[-1].msn == event.window.segments[-1].msn + 4
        assert after.on_air == ["li1"]
    else:
        await asyncio.wait_for(resumed.over.wait(), 5)
    await after.close()
    assert memory.told == ["started", "ended", "recorded"]
    ((key, size, duration_s),) = memory.files
    assert (tmp_path / key).stat().st_size == size
    assert duration_s == pytest.approx(8 if comes_back else 4, abs=0.5)


async def written(folder: Path, seconds: float) -> bool:
    return any(
        whole_fragments(each.read_bytes()).duration_s >= seconds for each in folder.rglob("0")
    )


async def test_an_event_of_the_sandbox_is_cut(studio: Studio, memory: Memory) -> None:
    memory.stream = Stream(uuid4(), "li1", record=True, longest_s=0.5)
    event = await admitted(studio, Encoder())
    feed(event)

    async def recorded() -> bool:
        return memory.told == ["started", "ended", "recorded"]

    await until(recorded)
    assert event.over.is_set()


async def test_targets_get_as_much_as_the_stream_may_send(
    studio: Studio, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.stream = Stream(uuid4(), "li1", record=False, longest_restream_s=120.0)
    event = await admitted(studio, Encoder())
    asked: list[float | None] = []

    async def run(longest_s: float | None) -> None:
        asked.append(longest_s)
        await asyncio.Event().wait()

    monkeypatch.setattr(event.restreams, "run", run)
    feed(event)

    async def sent() -> bool:
        return asked == [120.0]

    await until(sent)
    await studio.close()


async def test_the_key_is_free_at_once_after_completion(studio: Studio) -> None:
    encoder = Encoder()
    event = await admitted(studio, encoder)
    feed(event)
    studio.complete("li1")
    assert event.window.ended
    assert encoder.closed == ""  # it may stop by itself
    assert await admitted(studio, Encoder()) is not event
    await studio.close()


async def test_without_media_nothing_was_on_the_air(studio: Studio, memory: Memory) -> None:
    encoder = Encoder()
    event = await admitted(studio, encoder)
    studio.gone(event, encoder)
    await asyncio.wait_for(event.over.wait(), 5)
    await studio.close()
    assert memory.told == []


async def test_viewers_do_not_notice_that_the_disk_is_full(
    studio: Studio, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: LocalStore) -> None:
        raise OutOfSpace("full")

    event = await admitted(studio, Encoder())
    monkeypatch.setattr(LocalStore, "check_room", full)
    feed(event)
    assert len(event.window.segments) >= 3
    await studio.close()
    assert sorted(memory.told) == ["ended", "failed, recording-no-room", "started"]


@pytest.mark.parametrize("calls", [("write",), ("fdatasync", "fsync"), ("ftruncate",)])
async def test_a_recording_that_cannot_go_on_says_why(
    studio: Studio,
    memory: Memory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    calls: tuple[str, ...],
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(recording_file, "SYNC_S", 0.0)
    event = await admitted(studio, Encoder())
    feed(event)
    await until(lambda: written(tmp_path, 3.5))
    for call in calls:  # what was begun before may be done, but the end is not
        monkeypatch.setattr(os, call, full)
    feed(event)
    await studio.close()
    assert memory.told == ["started", "ended", "recorded, recording-no-room"]
    ((_, _, duration_s),) = memory.files
    assert duration_s >= 3.5


async def test_a_file_of_twelve_hours_is_followed_by_another(
    studio: Studio, memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "LONGEST_MS", 2000)
    feed(await admitted(studio, Encoder()))
    await studio.close()
    assert [duration_s for _, _, duration_s in memory.files] == pytest.approx([2, 2], abs=0.1)
    for key, size, _ in memory.files:
        data = (tmp_path / key).read_bytes()
        assert data[4:8] == b"ftyp"
        assert whole_fragments(data).size_bytes == size


async def test_a_slow_storage_does_not_keep_the_next_file_from_being_written(
    studio: Studio, memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "LONGEST_MS", 2000)
    monkeypatch.setattr(record, "QUEUE_BYTES", 6000)  # two seconds
    stored, tell = asyncio.Event(), memory.recording_ended
    keys = iter(range(99))

    async def place(event: UUID, *, kept: bool) -> RecordingPlace:
        return RecordingPlace(uuid4(), f"live/{next(keys)}")

    async def slowly(*told: Any) -> None:
        await stored.wait()
        await tell(*told)

    monkeypatch.setattr(memory, "recording_started", place)
    monkeypatch.setattr(memory, "recording_ended", slowly)
    event = await admitted(studio, Encoder())
    for second in range(8):
        feed(event, 1, second)

        async def is_written(seconds: float = second) -> bool:
            files = [whole_fragments(each.read_bytes()) for each in tmp_path.rglob("live/?")]
            return sum(each.duration_s for each in files) >= seconds

        await until(is_written)
    closing = asyncio.create_task(studio.close())
    assert memory.files == []
    stored.set()
    await closing
    assert memory.told[-1] == "recorded"  # the last one when the event is over
    assert sorted(memory.told) == ["ended", *["recorded"] * 4, "started"]
    assert [key for key, _, _ in memory.files] == [f"live/{number}" for number in range(4)]


async def test_an_event_of_a_sandbox_is_a_short_one(studio: Studio, memory: Memory) -> None:
    memory.stream = replace(memory.stream, longest_s=0.05)
    event = await admitted(studio, encoder := Encoder())
    feed(event)
    await asyncio.wait_for(event.over.wait(), 30)
    assert encoder.closed == ""  # it may stop by itself
    await studio.close()
    assert memory.told == ["started", "ended", "recorded"]


def test_there_are_words_for_every_reason() -> None:
    assert {*Shortfall} <= {*REMARKS}
