"""Many encoders for a long time: what a stream keeps in memory does not grow."""

import gc
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from telecine.formats.flv.packets import Coded, Config
from telecine.live.broadcast import Broadcast
from telecine.live.ports import RecordingPlace, Stream
from telecine.live.studio import Studio
from telecine.storage.local import LocalStore
from tests.fixtures.waiting import until
from tests.unit.live.test_packager import ASC, AVCC
from tests.unit.live.test_studio import Encoder, Memory, admitted

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

MOST_BYTES = 12_000_000
RATE_BPS, FRAME_HZ, GOP = 5_000_000, 30, 60
FRAME_BYTES = RATE_BPS // 8 // FRAME_HZ
SETTLED_S = 40
"""Seven target durations are in memory by then, and everything older is only on the disk."""


class Many(Memory):
    """Each recording has a file of its own."""

    async def recording_started(self, event: UUID, *, kept: bool) -> RecordingPlace:
        return RecordingPlace(event, f"live/{event}")


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def feed_second(event: Broadcast, second: int) -> None:
    for frame in range(second * FRAME_HZ, (second + 1) * FRAME_HZ):
        time_ms = frame * 1000 // FRAME_HZ
        data = bytes(FRAME_BYTES)  # one of its own, as from a socket
        event.push(time_ms, Coded(True, 0, "avc1", frame % GOP == 0, 0, data))
        event.push(time_ms, Coded(False, 0, "mp4a", True, 0, bytes(340)))


@pytest.mark.usefixtures("traced")
async def test_a_stream_keeps_twelve_megabytes_and_no_more(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    count = int(pytestconfig.getoption("publishers"))
    minutes = float(pytestconfig.getoption("live_minutes"))
    memory = Many()
    studio = Studio(memory, LocalStore(tmp_path), part_ms=200, window_s=3600, grace_s=60)
    events = []
    for number in range(count):
        memory.stream = Stream(uuid4(), f"li{number}", record=True)
        event = await admitted(studio, Encoder())
        event.push(0, Config(True, 0, "avc1", AVCC))
        event.push(0, Config(False, 0, "mp4a", ASC))
        events.append(event)
    settled_bytes = peak_bytes = 0.0
    for second in range(round(60 * minutes)):
        for event in events:
            feed_second(event, second)

        async def disk_keeps_up(seconds: int = second) -> bool:
            files = [path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()]
            return sum(files) >= count * (seconds - 2) * RATE_BPS / 8

        await until(disk_keeps_up)
        if second >= SETTLED_S:
            gc.collect()
            now_bytes = tracemalloc.get_traced_memory()[0] / count
            settled_bytes = settled_bytes or now_bytes
            peak_bytes = max(peak_bytes, now_bytes)
    assert 0 < peak_bytes < MOST_BYTES
    assert peak_bytes < settled_bytes * 1.1
    await studio.close()
