"""From a URL to what a viewer sees, by a Telecine that may reach this machine."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos import killing
from tests.chaos.conftest import Victim
from tests.fixtures.customer import Customer, Json, finished
from tests.fixtures.media import FFMPEG, barcode_mp4, frame_numbers
from tests.fixtures.origin import Answer, Asked, File, serving
from tests.fixtures.waiting import until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.xdist_group("own-server"),
]

FRAMES, RATE_HZ = 150, 30
SETTINGS = {
    "TELECINE_OUTBOUND_ALLOW": "127.0.0.0/8",
    "TELECINE_ALLOW_HLS_SOURCES": "true",
    "TELECINE_WORKER_PROCESSES": "1",
}


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    victim = Victim(tmp_path_factory.mktemp("ingest") / "data", SETTINGS)
    yield victim
    victim.stop()


async def create(customer: Customer, source: str, **members: object) -> str:
    body = {"title": "from elsewhere", "source": source, **members}
    reply = await asyncio.to_thread(customer.http.post, "/videos", json=body)
    assert reply.status_code == 202, reply.text
    return str(reply.json()["videoId"])


def ingest(customer: Customer, video_id: str) -> Json:
    found: Json = customer.http.get(f"/videos/{video_id}/status").json()["ingest"]
    return found


async def shown(customer: Customer, video_id: str) -> list[int]:
    """Return the numbers of the frames of the best quality, once all is encoded."""
    await finished(customer, video_id)
    presentation = await asyncio.to_thread(customer.watch, video_id)
    best = max(presentation.qualities, key=lambda name: int(name.removesuffix("p")))
    return frame_numbers(presentation.stream(best).media)


async def test_a_killed_worker_and_a_copy(victim: Victim) -> None:
    data = barcode_mp4(frames=FRAMES).read_bytes()
    answer = Answer(200, data, {"ETag": '"1"'}, cut_after=len(data) // 2, hold=asyncio.Event())
    async with serving(lambda _: answer) as origin:
        video_id = await create(victim.customer, origin.url("/film.mp4"))

        async def asked() -> bool:
            return bool(origin.asked)

        await until(asked)
        origin.handler = File(data)
        killing.kill(killing.child(victim.supervisor, killing.is_worker))
        assert await shown(victim.customer, video_id) == list(range(FRAMES))
    found = ingest(victim.customer, video_id)
    assert found["status"] == "ingested"
    assert found["filesize"] == len(data)
    copied = await create(victim.customer, video_id)
    assert await shown(victim.customer, copied) == list(range(FRAMES))
    first, second = (victim.sources(each) for each in (video_id, copied))
    assert {path.stat().st_ino for path in second} <= {path.stat().st_ino for path in first}
    victim.fsck()


async def test_the_makers_benchmark_finds_what_it_looks_for(victim: Victim) -> None:
    """The requests of api.video's `video-platform-bench` for a video, in their order.

    It reads status and playlists by patterns of its own: no query behind a playlist's name,
    segments `video-N-M.ts`.
    """
    http = victim.customer.http
    operator = {"Authorization": f"Bearer {victim.server.operator_key}"}
    projects = http.request("GET", "/_/projects", headers=operator, auth=None).json()["data"]
    settings = f"/_/projects/{projects[0]['projectId']}/settings"

    def choose(form: str | None) -> None:
        wish = {"hlsFormat": form}
        answer = http.request("PATCH", settings, json=wish, headers=operator, auth=None)
        assert answer.status_code == 200, answer.text

    choose("ts")
    try:
        async with serving(File(barcode_mp4(frames=FRAMES).read_bytes())) as origin:
            video_id = await create(victim.customer, origin.url("/film.mp4"))

            async def a_quality_is_encoded() -> bool:
                qualities = victim.customer.encoding(video_id)["qualities"]
                return any(
                    (quality["type"], quality["status"]) == ("hls", "encoded")
                    for quality in qualities
                )

            await until(a_quality_is_encoded)
        master_url = http.get(f"/videos/{video_id}").json()["assets"]["hls"]

        async def is_there() -> bool:
            return http.get(master_url).status_code not in (202, 404)

        await until(is_there)
        master = http.get(master_url).text
        assert "/processing_video/" not in master
        playlist = re.search(r".*/manifest.m3u8", master)
        assert playlist is not None
        quality, base = playlist[0].split("/")[0], f"/vod/{video_id}/hls/"
        segment: re.Match[str] | None = None

        async def has_segments() -> bool:
            nonlocal segment
            segment = re.search(r"video-\d+-\d+.ts", http.get(base + playlist[0]).text)
            return segment is not None

        await until(has_segments)
        assert segment is not None
        fragment = http.get(f"{base}{quality}/{segment[0]}")
        assert fragment.status_code == 200
        assert frame_numbers(fragment.content)[0] == 0
        qualities = (await finished(victim.customer, video_id))["qualities"]
        assert {each["status"] for each in qualities} == {"encoded"}
        assert http.delete(f"/videos/{video_id}").status_code == 204
    finally:
        choose(None)


async def test_a_playlist_becomes_a_video(victim: Victim, tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(str(FFMPEG), "-v", "error", "-i", str(barcode_mp4(frames=FRAMES)), "-c", "copy"),
        *("-hls_time", "1", "-hls_playlist_type", "vod", "-f", "hls", str(tmp_path / "film.m3u8")),
    )
    assert await process.wait() == 0
    assert len(list(tmp_path.glob("*.ts"))) > 1

    def files(asked: Asked) -> Answer:
        return File((tmp_path / asked.target.removeprefix("/")).read_bytes())(asked)

    async with serving(files) as origin:
        video_id = await create(victim.customer, origin.url("/film.m3u8"))
        assert await shown(victim.customer, video_id) == list(range(FRAMES))
    victim.fsck()


async def test_what_is_out_of_reach_is_told(victim: Victim) -> None:
    video_id = await create(victim.customer, "http://[::1]/film.mp4")

    async def told() -> bool:
        return victim.customer.work(video_id)["failure"] is not None

    await until(told)
    work = victim.customer.work(video_id)
    assert "not a public address" in work["failure"]
    assert work["steps"][0]["state"] == "failed"
    assert ingest(victim.customer, video_id)["status"] == "ingesting"
