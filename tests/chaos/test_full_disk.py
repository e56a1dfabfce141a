"""A disk that is full for as long as it likes: work waits, and is done in the end.

Once with everything on that disk, where the reserve keeps the database alive; once with
the media alone on it, and the kernel itself saying that there is no room.
"""

import contextlib
import errno
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from telecine.db.embedded import running_url
from tests.chaos import killing
from tests.chaos.conftest import Victim
from tests.contract import packages
from tests.fixtures.broadcasting import OnAir, live_clip, make_live_stream, publishing
from tests.fixtures.customer import finished
from tests.fixtures.live_rules import observed
from tests.fixtures.media import barcode_mp4, padded
from tests.fixtures.stored import stored_source
from tests.fixtures.waiting import PATIENCE_S, until
from tests.integration.domains.uploads.resuming import CHUNK, TUS
from tests.integration.domains.uploads.visiting import BOUNDARY, body_of, file_part
from tests.integration.live.test_on_air import Viewer, recordings

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.xdist_group("own-server"),
]

MIB = 1 << 20
PART_BYTES = 5 * MIB
MOUNT, UMOUNT = shutil.which("mount"), shutil.which("umount")


@dataclass(frozen=True, slots=True)
class Disk:
    """A small file system with room that can be taken away and given back."""

    folder: Path
    left_bytes: int

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        """Leave `left_bytes` until the block ends."""
        ballast = self.folder / "ballast"
        descriptor = os.open(ballast, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            self._fill(descriptor)
            yield
        finally:
            os.close(descriptor)
            ballast.unlink()

    def _fill(self, descriptor: int) -> None:
        """Take all but `left_bytes`, while others may take some as well."""
        taken_bytes = 0
        while True:
            disk = os.fstatvfs(descriptor)
            more_bytes = disk.f_bavail * disk.f_frsize - self.left_bytes
            if more_bytes <= 0:
                return
            try:
                os.posix_fallocate(descriptor, taken_bytes, more_bytes)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
            else:
                taken_bytes += more_bytes


@contextlib.contextmanager
def mounted(folder: Path, size_mib: int) -> Iterator[None]:
    if MOUNT is None or UMOUNT is None:
        packages.missing("mount(8) is not installed")
        raise AssertionError
    folder.mkdir()
    options = f"size={size_mib}m,mode=711"
    done = subprocess.run(
        [MOUNT, "-t", "tmpfs", "-o", options, "telecine-test", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        # Nothing is missing: this machine forbids it, as many containers do.
        pytest.skip(f"file systems cannot be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run([UMOUNT, "-l", folder], check=True)


@pytest.fixture(params=["everything", "media"], scope="module")
def tight(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Victim, Disk]]:
    folder = tmp_path_factory.mktemp("full")
    if request.param == "everything":
        disk, data, left_bytes = folder / "disk", folder / "disk" / "data", 12 * MIB
        settings = {"TELECINE_DISK_RESERVE_MIB": "16", "TELECINE_LIVE_LADDER": ""}
        size_mib = 256
    else:
        disk, data, left_bytes = folder / "disk", folder / "data", 4096
        settings = {
            "TELECINE_DISK_RESERVE_MIB": "0",
            "TELECINE_STORAGE": disk.as_uri(),
            "TELECINE_LIVE_LADDER": "",
        }
        size_mib = 64
    with mounted(disk, size_mib):
        victim = Victim(data, settings)
        yield victim, Disk(disk, left_bytes)
        victim.stop()


def clip() -> Path:
    return barcode_mp4(frames=240, width_px=640, height_px=360, keyframe_interval=130)


def hurry(data: Path) -> None:
    """Let jobs that wait for room look at once."""
    url = running_url(data)
    assert url is not None
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE procrastinate_jobs SET scheduled_at = NULL")


def new_video(victim: Victim) -> str:
    reply = victim.customer.http.post("/videos", json={"title": "Full"})
    assert reply.status_code == 201, reply.text
    video_id: str = reply.json()["videoId"]
    return video_id


async def test_work_waits_for_room(tight: tuple[Victim, Disk]) -> None:
    victim, disk = tight
    worker = killing.child(victim.supervisor, killing.is_worker)
    with contextlib.ExitStack() as filled:
        with killing.frozen(worker):
            first = victim.customer.upload(clip())
            filled.enter_context(disk.full())
        second = new_video(victim)
        refused = victim.customer.send(second, clip())
        assert refused.status_code == 507, refused.text
        assert refused.json()["type"].endswith("/insufficient-storage")
        assert int(refused.headers["retry-after"]) > 0

        async def waits() -> bool:
            return victim.log.count("job waits for room") >= 3

        async def again() -> bool:
            hurry(victim.data)
            return await waits()

        await until(again)
        assert victim.customer.encoding(first)["qualities"] == []
        if disk.left_bytes > MIB:  # otherwise nobody asked for a reserve
            health = victim.customer.http.get("/readyz")
            assert health.status_code == 503
            assert "free" in health.json()["checks"]["storage"]
        assert "gave up" not in victim.log
        assert victim.customer.http.patch(
            f"/videos/{second}", json={"title": "Still here"}
        ).is_success
    assert victim.customer.http.get("/readyz").status_code == 200
    hurry(victim.data)
    for video_id in (first, second):
        if video_id == second:
            assert victim.customer.send(second, clip()).status_code == 201
        found = await finished(victim.customer, video_id)
        assert {quality["status"] for quality in found["qualities"]} == {"encoded"}
        assert victim.completions(video_id) == Counter(["hls 240p", "hls 360p", "mp4 360p"])
    victim.fsck()


async def test_room_can_be_made_by_deleting(tight: tuple[Victim, Disk]) -> None:
    victim, disk = tight
    video_id = victim.customer.upload(clip())
    await finished(victim.customer, video_id)
    with disk.full():
        assert victim.customer.http.delete(f"/videos/{video_id}").status_code == 204

        async def gone() -> bool:
            return victim.sources(video_id) == []

        await until(gone)


async def test_uploads_go_on_where_the_disk_filled_under_them(tight: tuple[Victim, Disk]) -> None:
    """In parts and by tus: while the second part is sent there is room for half of it."""
    victim, disk = tight
    content = padded(clip().read_bytes(), 2 * PART_BYTES + MIB)
    first, second, third = content[:PART_BYTES], content[PART_BYTES:-MIB], content[-MIB:]
    video_id = new_video(victim)

    async def filling(filled: contextlib.ExitStack, body: bytes) -> AsyncIterator[bytes]:
        yield body[: PART_BYTES // 2]
        filled.enter_context(disk.full())
        yield body[PART_BYTES // 2 :]

    auth = httpx.BasicAuth(victim.server.production_key, "")
    async with httpx.AsyncClient(
        base_url=victim.server.base_url, auth=auth, timeout=PATIENCE_S
    ) as client:

        async def part(number: int, data: bytes) -> int:
            headers = {"Content-Range": f"part {number}/3"}
            url = f"/videos/{video_id}/source"
            sent = await client.post(url, files={"file": ("a.mp4", data)}, headers=headers)
            return sent.status_code

        assert await part(1, first) == 201
        form = body_of([file_part("a.mp4", second)])
        headers = {
            "Content-Range": "part 2/3",
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
            "Content-Length": str(len(form)),
        }
        with contextlib.ExitStack() as filled:
            url = f"/videos/{video_id}/source"
            refused = await client.post(url, content=filling(filled, form), headers=headers)
            assert refused.status_code == 507, refused.text
            assert refused.json()["type"].endswith("/insufficient-storage")
            ingest = (await client.get(f"/videos/{video_id}/status")).json()["ingest"]
            assert ingest["receivedParts"] == {"parts": [1], "total": 3}
        for number, data in ((2, second), (3, third)):
            assert await part(number, data) == 201
        assert stored_source(victim.server, video_id) == content

        length = {"Upload-Length": str(len(content))}
        path = (await client.post("/tus/", headers={**TUS, **length})).headers["location"]

        async def append(offset: int, data: bytes | AsyncIterator[bytes]) -> httpx.Response:
            headers = {**TUS, **CHUNK, "Upload-Offset": str(offset)}
            return await client.patch(path, content=data, headers=headers)

        assert (await append(0, first)).status_code == 204
        with contextlib.ExitStack() as filled:
            refused = await append(PART_BYTES, filling(filled, second))
            assert refused.status_code == 507, refused.text
        offset = int((await client.head(path, headers=TUS)).headers["upload-offset"])
        assert PART_BYTES <= offset < 2 * PART_BYTES
        assert (await append(offset, content[offset:])).status_code == 204
        tus_id = path.rsplit("/", 1)[1]
        assert stored_source(victim.server, tus_id) == content
    for each in (video_id, tus_id):  # room for the next test
        assert victim.customer.http.delete(f"/videos/{each}").status_code == 204


def health_of(victim: Victim, stream: OnAir) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {victim.server.operator_key}"}
    url = f"{victim.server.base_url}/_/live-streams/{stream.public_id}/health"
    answer = httpx.get(url, headers=headers, timeout=PATIENCE_S)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["health"]
    return found


@pytest.mark.parametrize("tight", ["media"], indirect=True)
async def test_viewers_do_not_notice_that_nothing_more_is_recorded(
    tight: tuple[Victim, Disk],
) -> None:
    victim, disk = tight
    begun, late = [await make_live_stream(victim.server) for _ in range(2)]
    async with observed() as client:
        viewer, second = Viewer(client, begun), Viewer(client, late)

        async def seen_s(seconds: float) -> bool:
            whole = re.findall(r"#EXTINF:([\d.]+)", await viewer.reload())
            return sum(map(float, whole)) > seconds

        async def noted() -> bool:
            return health_of(victim, begun)["recordingFailure"] is not None

        async with publishing(begun.publish_url, live_clip()):
            await until(viewer.playable)
            await until(lambda: seen_s(3))
            with disk.full():
                await until(noted)
                await viewer.reload()
                await viewer.follow(8)
                async with publishing(late.publish_url, live_clip()):
                    await until(second.playable)
                    await second.reload()
                    await second.follow(3)

                async def says_why() -> bool:
                    listed = victim.customer.http.get(
                        "/videos", params={"liveStreamId": late.public_id}
                    )
                    videos = [each["videoId"] for each in listed.json()["data"]]
                    if not videos:
                        return False
                    (video_id,) = videos
                    work = victim.customer.work(video_id)
                    assert work["state"] == "failed"
                    assert "the disk was full" in work["reason"]
                    (quality,) = victim.customer.encoding(video_id)["qualities"]
                    return bool(quality["status"] == "failed")

                await late.complete()
                await until(says_why)
                await viewer.reload()
                await viewer.follow(3)
            await begun.complete()
        hurry(victim.data)
        (video_id,) = await recordings(client, begun)
    (remark,) = victim.customer.work(video_id)["remarks"]
    assert "the disk was full" in remark
    victim.fsck()
