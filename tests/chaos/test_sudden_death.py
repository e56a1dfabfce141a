"""Whatever is killed, and when: what was answered is kept, all work is done, once.

Long groups of pictures: the top quality is passed through, the ladder makes the rest.
"""

import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.chaos import killing
from tests.chaos.conftest import Victim
from tests.fixtures.customer import Customer, finished
from tests.fixtures.growing import Growing
from tests.fixtures.media import REPRODUCIBLE, barcode_mp4, frame_numbers, make_clip
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.xdist_group("own-server"),
]

FRAMES = (240, 540)
QUALITIES = ("240p", "360p")

Moment = Callable[[Victim, str], Awaitable[None]]


def clip(frames: int) -> Path:
    return barcode_mp4(frames=frames, width_px=640, height_px=360, keyframe_interval=130)


async def as_soon_as_it_is_answered(victim: Victim, video_id: str) -> None:
    """Wait for nothing."""


async def while_it_is_encoded(victim: Victim, video_id: str) -> None:
    """Wait until a chunk is being encoded; a quick machine may be done before we look."""

    async def running() -> bool:
        return any(chunks(victim.customer, video_id, state) for state in ("running", "done"))

    await until(running)


MOMENTS = pytest.mark.parametrize("moment", [as_soon_as_it_is_answered, while_it_is_encoded])


def chunks(customer: Customer, video_id: str, *states: str) -> list[dict[str, object]]:
    steps = customer.work(video_id)["steps"]
    return [s for s in steps if s["name"].startswith("chunk ") and s["state"] in states]


def upload_all(victim: Victim) -> dict[str, int]:
    """Upload every clip; return how many frames each video has."""
    return {victim.customer.upload(clip(frames)): frames for frames in FRAMES}


async def assert_nothing_is_lost(victim: Victim, videos: dict[str, int]) -> None:
    for video_id, frames in videos.items():
        found = await finished(victim.customer, video_id)
        work = victim.customer.work(video_id)
        assert {quality["status"] for quality in found["qualities"]} == {"encoded"}, work
        expected = ["hls 240p", "hls 360p", "mp4 360p"]
        assert [f"{q['type']} {q['quality']}" for q in found["qualities"]] == expected
        assert victim.completions(video_id) == Counter(expected)
        shown = victim.customer.watch(video_id)
        assert shown.qualities == set(QUALITIES)
        for quality in QUALITIES:
            assert frame_numbers(shown.stream(quality).media) == list(range(frames))
        mp4 = victim.customer.media(video_id, "mp4/source.mp4")
        assert frame_numbers(mp4) == list(range(frames))
    victim.fsck()


async def test_a_killed_worker_is_replaced(victim: Victim) -> None:
    videos = upload_all(victim)
    killing.kill(killing.child(victim.supervisor, killing.is_worker))
    await assert_nothing_is_lost(victim, videos)


async def test_the_job_of_a_killed_worker_is_done_by_another(victim: Victim) -> None:
    video_id = victim.customer.upload(clip(FRAMES[-1]))
    worker = killing.child(victim.supervisor, killing.is_worker)

    async def caught_at_work() -> bool:
        # What stands still cannot end its job between our look and our blow.
        with killing.frozen(worker):
            caught = bool(chunks(victim.customer, video_id, "running"))
            if caught:
                killing.kill(worker)
            return caught

    await until(caught_at_work)
    await assert_nothing_is_lost(victim, {video_id: FRAMES[-1]})
    assert "job rescued from a dead worker" in victim.log
    assert max(int(str(step["attempt"])) for step in chunks(victim.customer, video_id, "done")) == 2


async def test_workers_die_while_their_source_arrives(victim: Victim) -> None:
    matroska = make_clip("growing.mkv", "-i", str(clip(FRAMES[0])), "-c", "copy", *REPRODUCIBLE)
    content = matroska.read_bytes()
    upload = Growing(victim.customer, content)
    upload.begin()
    for end in (len(content) * 6 // 10, len(content)):
        upload.send(end)
        killing.kill(killing.child(victim.supervisor, killing.is_worker))
        await upload.playable("240p/manifest.m3u8")
    await assert_nothing_is_lost(victim, {upload.video_id: FRAMES[0]})
    assert upload.playlist("240p/manifest.m3u8").ended
    assert victim.customer.work(upload.video_id)["epoch"] == 1


@MOMENTS
async def test_a_killed_api_process_is_replaced(victim: Victim, moment: Moment) -> None:
    videos = upload_all(victim)
    await moment(victim, next(iter(videos)))
    victim.kill_api()
    # The supervisor holds the socket: the next request waits, and is not refused.
    with httpx.Client(base_url=victim.server.base_url, timeout=PATIENCE_S) as stranger:
        assert stranger.get("/healthz").status_code == 200
    await assert_nothing_is_lost(victim, videos)


@MOMENTS
async def test_a_killed_database_comes_back(victim: Victim, moment: Moment) -> None:
    videos = upload_all(victim)
    await moment(victim, next(iter(videos)))
    killing.kill(killing.child(victim.supervisor, killing.is_postmaster))
    await assert_nothing_is_lost(victim, videos)


KIND = {"Content-Type": "multipart/form-data; boundary=cut"}
OPENING = b'--cut\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
CLOSING = b"\r\n--cut--\r\n"


async def test_an_upload_that_broke_off_can_be_sent_again(victim: Victim) -> None:
    """Nothing was answered, so nothing is promised but a second chance."""
    data = clip(FRAMES[0]).read_bytes()
    video_id = victim.customer.http.post("/videos", json={"title": "Twice"}).json()["videoId"]

    def broken_off() -> Iterator[bytes]:
        yield OPENING
        yield data[: len(data) // 2]
        victim.kill_api()
        yield data[len(data) // 2 :]
        yield CLOSING

    with pytest.raises(httpx.TransportError):
        victim.customer.http.post(f"/videos/{video_id}/source", content=broken_off(), headers=KIND)
    assert victim.customer.encoding(video_id)["qualities"] == []
    assert victim.customer.send(video_id, clip(FRAMES[0])).status_code == 201
    await assert_nothing_is_lost(victim, {video_id: FRAMES[0]})


async def test_a_file_that_was_stored_but_never_recorded_is_swept(victim: Victim) -> None:
    video_id = victim.customer.http.post("/videos", json={"title": "Lost"}).json()["videoId"]
    media = clip(FRAMES[0])
    locked = threading.Event()

    def held_back() -> Iterator[bytes]:
        yield OPENING
        yield media.read_bytes()
        assert locked.wait(PATIENCE_S)
        yield CLOSING

    def send() -> httpx.Response:
        path = f"/videos/{video_id}/source"
        return victim.customer.http.post(path, content=held_back(), headers=KIND)

    async def claimed() -> bool:
        return victim.claims(video_id) == 1

    async def stored() -> bool:
        return len(victim.sources(video_id)) == 1

    with ThreadPoolExecutor(1) as threads:
        lost = threads.submit(send)
        await until(claimed)  # which needs the lock, as recording does
        with victim.locked(video_id):
            locked.set()
            await until(stored)
            victim.kill_api()
            assert isinstance(lost.exception(), httpx.TransportError)
    assert victim.customer.send(video_id, media).status_code == 201

    await until(stored)  # the one that was never recorded is gone
    await assert_nothing_is_lost(victim, {video_id: FRAMES[0]})


@MOMENTS
async def test_all_is_there_after_everything_died_at_once(victim: Victim, moment: Moment) -> None:
    videos = upload_all(victim)
    await moment(victim, next(iter(videos)))
    victim.kill_everything()
    victim.start()
    await assert_nothing_is_lost(victim, videos)
