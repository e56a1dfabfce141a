"""Many clients at one video, and answers that get lost, on a server with its processes."""

import asyncio
import hashlib
from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.contract.conftest import Tenant, accepted
from tests.fixtures.media import padded
from tests.fixtures.proxy import proxy_to
from tests.fixtures.server import TelecineServer
from tests.fixtures.stored import database_of, lose_answer, stored_source
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = pytest.mark.anyio

CHUNK_BYTES = 5 * 1024 * 1024
CLIENTS = 20


@pytest.fixture(scope="module")
def chunks(clip: Path) -> list[bytes]:
    file = padded(clip.read_bytes(), 3 * CHUNK_BYTES + 60_860)
    return [file[start : start + CHUNK_BYTES] for start in range(0, len(file), CHUNK_BYTES)]


@pytest.fixture
def video_id(api: httpx.Client) -> str:
    return str(accepted(api.post("/videos", json={"title": "parallel"}))["videoId"])


async def send(
    base_url: str, key: str, video_id: str, data: bytes, content_range: str | None = None
) -> httpx.Response:
    """Send a file as a client of its own, with a connection of its own."""
    headers = {} if content_range is None else {"Content-Range": content_range}
    async with httpx.AsyncClient(base_url=base_url, auth=(key, ""), timeout=PATIENCE_S) as client:
        url = f"/videos/{video_id}/source"
        return await client.post(url, files={"file": ("clip.mp4", data)}, headers=headers)


def count(server: TelecineServer, statement: str, value: str) -> Counter[str]:
    with database_of(server) as connection:
        return Counter(row[0] for row in connection.execute(statement.encode(), [value]))


async def test_completion_is_decided_once(
    telecine_server: TelecineServer,
    tenant: Tenant,
    api: httpx.Client,
    video_id: str,
    chunks: list[bytes],
) -> None:
    """Five clients bring each of four parts."""
    base_url, key = telecine_server.base_url, tenant.key
    async with asyncio.TaskGroup() as group:
        sent = [
            (
                number,
                group.create_task(send(base_url, key, video_id, chunk, f"part {number}/4")),
            )
            for _ in range(CLIENTS // len(chunks))
            for number, chunk in enumerate(chunks, 1)
        ]
    replies = [(number, task.result()) for number, task in sent]
    assert {number for number, reply in replies if reply.status_code == 201} == {1, 2, 3, 4}
    for _, reply in replies:
        if reply.status_code != 201:
            assert reply.status_code == 400, reply.text
            slug = reply.json()["type"].rpartition("/")[2]
            assert slug in {
                "video-content-range-by-part-part-already-sent",
                "video-source-already-uploaded",
            }
    whole = hashlib.sha256(b"".join(chunks)).digest()
    assert hashlib.sha256(stored_source(telecine_server, video_id)).digest() == whole

    async def is_encoded() -> bool:
        encoding = accepted(api.get(f"/videos/{video_id}/status"))["encoding"]
        states = {quality["status"] for quality in encoding["qualities"]}
        return states == {"encoded"}

    await until(is_encoded)
    assets = "SELECT public_id FROM asset WHERE public_id = %s"
    assert count(telecine_server, assets, video_id) == {video_id: 1}
    events = (
        "SELECT (payload->>'encoding') || (payload->>'quality') FROM event"
        " WHERE type = 'video.encoding.quality.completed' AND media_id = %s"
    )
    assert set(count(telecine_server, events, video_id).values()) == {1}


async def test_of_many_files_one_becomes_the_video(
    telecine_server: TelecineServer, tenant: Tenant, video_id: str, clip: Path
) -> None:
    files = [padded(clip.read_bytes(), 200_000 + number) for number in range(CLIENTS)]
    base_url, key = telecine_server.base_url, tenant.key
    async with asyncio.TaskGroup() as group:
        sent = [group.create_task(send(base_url, key, video_id, file)) for file in files]
    replies = [task.result() for task in sent]
    taken = [number for number, reply in enumerate(replies) if reply.status_code == 201]
    assert len(taken) == 1
    refused = {
        reply.json()["type"].rpartition("/")[2] for reply in replies if reply.status_code != 201
    }
    assert refused == {"video-source-already-uploaded"}
    assert stored_source(telecine_server, video_id) == files[taken[0]]


@pytest.mark.parametrize("content_range", [None, "part 1/1", "part 1/2", "bytes 0-{last}/{size}"])
async def test_a_lost_answer_is_given_again(
    telecine_server: TelecineServer,
    tenant: Tenant,
    video_id: str,
    chunks: list[bytes],
    content_range: str | None,
) -> None:
    file, key = chunks[0], tenant.key
    if content_range is not None:
        content_range = content_range.format(last=len(file) - 1, size=len(file))
    async with proxy_to(telecine_server.base_url) as proxy:
        fault = proxy.hold(video_id.encode(), after_bytes=CHUNK_BYTES // 2)
        lock = f"SELECT id FROM video WHERE public_id = '{video_id}' FOR UPDATE"
        async with asyncio.TaskGroup() as group:
            group.create_task(lose_answer(telecine_server, proxy, fault, lock))
            url = f"http://{proxy.authority}"
            with pytest.raises(httpx.TransportError):
                await send(url, key, video_id, file, content_range)

    async def again() -> httpx.Response:
        return await send(telecine_server.base_url, key, video_id, file, content_range)

    reply = await again()
    assert reply.status_code == 201, reply.text

    async def is_known() -> bool:
        reply = await again()
        assert reply.status_code in {201, 400}
        return reply.status_code == 400

    await until(is_known)
    # A first part alone may be played already.
    complete = "SELECT public_id FROM asset WHERE public_id = %s AND growth IS NULL"
    expected = {} if content_range == "part 1/2" else {video_id: 1}
    assert count(telecine_server, complete, video_id) == expected
