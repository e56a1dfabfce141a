"""Several processes of each kind on one installation: what viewers get is one and the same."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from telecine.formats.hls.playlist import MediaPlaylist, parse
from tests.chaos.conftest import Victim
from tests.fixtures.customer import MASTER, finished
from tests.fixtures.media import barcode_mp4, frame_numbers
from tests.fixtures.waiting import PATIENCE_S, until
from tests.integration.processes.family import children

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("own-server")]

FRAMES = 200  # of five a second, in pieces of four

WORKERS = {"worker-0", "worker-1"}
SETTINGS = {
    "TELECINE_API_PROCESSES": "2",
    "TELECINE_WORKER_PROCESSES": "2",
    "TELECINE_VIEWER_SLOTS": "4",
    "TELECINE_LOG_FORMAT": "json",
}


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Victim]:
    installation = Victim(tmp_path / "data", SETTINGS)
    yield installation
    installation.stop()


async def test_all_segments_at_once_of_all_processes(installation: Victim) -> None:
    """Nothing is stored yet: any worker makes what any API process is asked for."""
    assert {"api-0", "api-1", *WORKERS} <= children(installation.supervisor).keys()
    clip = barcode_mp4(frames=FRAMES, rate="5", width_px=640, height_px=360, keyframe_interval=10)

    async def both_encoded() -> bool:  # on a busy machine one of them may do all of a film
        await watch_a_film(installation, clip)
        return encoders(installation) == WORKERS

    await until(both_encoded)
    installation.fsck()


async def watch_a_film(installation: Victim, clip: Path) -> None:
    """Ask for each segment twice at once, and once more when all is stored."""
    customer = installation.customer
    video_id = customer.upload(clip)

    async def playable() -> bool:
        return customer.get(video_id, MASTER).status_code == 200

    await until(playable)
    playlist = parse(customer.media(video_id, "hls/240p/manifest.m3u8").decode())
    assert isinstance(playlist, MediaPlaylist)
    names = [segment.uri for segment in playlist.segments]
    assert len(names) > 8
    folder = f"{installation.server.base_url}/vod/{video_id}/hls/240p"
    mixed = sorted(names, key=lambda name: (names.index(name) * 5 % 7, name))

    async with asyncio.TaskGroup() as group:
        viewers = [group.create_task(watch(folder, order)) for order in (mixed, mixed[::-1])]
    seen = [viewer.result() for viewer in viewers]
    await finished(customer, video_id)
    seen.append(await watch(folder, mixed))
    assert seen[0] == seen[1] == seen[2]
    init = customer.media(video_id, f"hls/240p/{playlist.map_uri}")
    whole = init + b"".join(seen[0][name] for name in names)
    assert frame_numbers(whole) == list(range(FRAMES))


async def watch(folder: str, order: list[str]) -> dict[str, bytes]:
    """Fetch all at once."""
    async with asyncio.TaskGroup() as group:
        asked = {name: group.create_task(fetched(f"{folder}/{name}")) for name in order}
    return {name: task.result() for name, task in asked.items()}


async def fetched(url: str) -> bytes:
    """Fetch by connections of its own, which the kernel spreads over the processes."""
    body = b""

    async def come() -> bool:
        nonlocal body
        async with httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False) as client:
            answer = await client.get(url)
        assert answer.status_code in (200, 503), answer.text
        body = answer.content
        return answer.status_code == 200

    await until(come)
    return body


def encoders(installation: Victim) -> set[str]:
    """Return the processes that have encoded for viewers."""
    lines = [json.loads(line) for line in installation.log.splitlines() if line.startswith("{")]
    return {line["process"] for line in lines if line["event"] == "encode for viewers"}
