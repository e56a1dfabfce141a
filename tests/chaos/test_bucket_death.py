"""Everything dies while files arrive in a bucket: what was accepted is there, the rest follows."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from telecine.domains.uploads.tus.body import CHECKPOINT_BYTES
from tests.chaos.conftest import Victim
from tests.chaos.test_resumed_uploads import OLD_ENOUGH, RECORDED, ask
from tests.fixtures.customer import finished
from tests.fixtures.media import padded
from tests.fixtures.stored import stored_source
from tests.fixtures.waiting import PATIENCE_S, until
from tests.integration.domains.uploads.resuming import CHUNK, TUS
from tests.integration.domains.uploads.visiting import BOUNDARY, body_of, file_part

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.s3,
    pytest.mark.slow,
    pytest.mark.xdist_group("own-server"),
]

MIB = 1 << 20
PART_BYTES = 5 * MIB


@pytest.fixture
def victim(
    tmp_path: Path,
    s3_environment: Mapping[str, str],
    bucket_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Victim]:
    for name, value in s3_environment.items():
        monkeypatch.setenv(name, value)  # for whoever looks into the bucket
    victim = Victim(tmp_path / "data", {**s3_environment, "TELECINE_STORAGE": bucket_url})
    yield victim
    victim.stop()


async def test_uploads_go_on_after_everything_died_at_once(
    victim: Victim, barcode_clip: Path
) -> None:
    """One in the middle of its second part, one by tus that has been recorded on the way."""
    content = padded(barcode_clip.read_bytes(), CHECKPOINT_BYTES + 8 * MIB)
    parts = [content[:PART_BYTES], content[PART_BYTES:-MIB], content[-MIB:]]
    video_id = victim.customer.http.post("/videos", json={"title": "Parts"}).json()["videoId"]
    length = {"Upload-Length": str(len(content))}
    path = victim.customer.http.post("/tus/", headers={**TUS, **length}).headers["location"]
    noted, halfway, dead = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def client() -> httpx.AsyncClient:
        auth = httpx.BasicAuth(victim.server.production_key, "")
        return httpx.AsyncClient(base_url=victim.server.base_url, auth=auth, timeout=PATIENCE_S)

    async def send(http: httpx.AsyncClient, number: int) -> None:
        headers = {"Content-Range": f"part {number}/3"}
        files = {"file": ("a.mp4", parts[number - 1])}
        reply = await http.post(f"/videos/{video_id}/source", files=files, headers=headers)
        assert reply.status_code == 201, reply.text

    async def second_part() -> AsyncIterator[bytes]:
        form = body_of([file_part("a.mp4", parts[1])])
        yield form[: 2 * MIB]
        halfway.set()
        await dead.wait()
        yield form[2 * MIB :]

    async def recorded() -> bool:
        return ask(victim, RECORDED) > PART_BYTES

    async def old_enough() -> bool:
        return ask(victim, OLD_ENOUGH) > 0

    async def stream() -> AsyncIterator[bytes]:
        yield content[: CHECKPOINT_BYTES + 1]
        await until(old_enough)
        yield content[CHECKPOINT_BYTES + 1 :][: 2 * MIB]
        await until(recorded)
        noted.set()
        await halfway.wait()
        await asyncio.to_thread(victim.kill_everything)
        dead.set()
        yield content[CHECKPOINT_BYTES + 1 + 2 * MIB :]

    async with client() as http:
        await send(http, 1)

        async def send_second() -> httpx.Response:
            await noted.wait()
            form = {
                "Content-Range": "part 2/3",
                "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
            }
            url = f"/videos/{video_id}/source"
            return await http.post(url, content=second_part(), headers=form)

        broken = await asyncio.gather(
            send_second(),
            http.patch(path, content=stream(), headers={**TUS, **CHUNK, "Upload-Offset": "0"}),
            return_exceptions=True,
        )
        assert all(isinstance(each, httpx.TransportError) for each in broken), broken
    await asyncio.to_thread(victim.start)
    async with client() as http:
        ingest = (await http.get(f"/videos/{video_id}/status")).json()["ingest"]
        assert ingest["receivedParts"] == {"parts": [1], "total": 3}
        await send(http, 3)
        await send(http, 2)
        offset = int((await http.head(path, headers=TUS)).headers["upload-offset"])
        assert CHECKPOINT_BYTES <= offset < len(content)
        resumed = {**TUS, **CHUNK, "Upload-Offset": str(offset)}
        reply = await http.patch(path, content=content[offset:], headers=resumed)
        assert reply.status_code == 204, reply.text
    for each in (video_id, path.rsplit("/", 1)[1]):
        assert stored_source(victim.server, each) == content
        await finished(victim.customer, each)
    victim.fsck()
