"""What several viewers do at once, and what those see who saw it before."""

import asyncio

import httpx
import pytest

from tests.fixtures.waiting import until
from tests.integration.domains.videos.test_private import captions, make

pytestmark = pytest.mark.anyio


async def test_of_all_who_come_at_once_one_uses_a_token_up(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    url = captions(await make(client))
    agents = [f"viewer {number}" for number in range(8)]
    replies = await asyncio.gather(
        *(viewer.get(url, headers={"User-Agent": agent}) for agent in agents)
    )
    assert sorted(reply.status_code for reply in replies) == [200] + [404] * 7


async def test_who_watched_a_video_finds_it_gone_once_it_is_deleted(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    video_id = (await make(client))["videoId"]
    await client.patch(f"/videos/{video_id}", json={"public": True})
    page, text = f"/vod/{video_id}", f"/vod/{video_id}/captions/en.vtt"

    async def answers(status: int) -> bool:
        return {(await viewer.get(path)).status_code for path in (page, text)} == {status}

    await until(lambda: answers(200))
    tags = {path: (await viewer.get(path)).headers["etag"] for path in (page, text)}
    assert (await client.delete(f"/videos/{video_id}")).status_code == 204
    await until(lambda: answers(404))
    for path, tag in tags.items():
        reply = await viewer.get(path, headers={"If-None-Match": tag})
        assert (reply.status_code, reply.headers["cache-control"]) == (404, "no-store")
