"""Two who change the same video: the second learns of the first."""

import asyncio
import io

import httpx
import pytest
from PIL import Image

from tests.integration.domains.videos.test_api import make

pytestmark = pytest.mark.anyio


def picture() -> dict[str, tuple[str, bytes]]:
    data = io.BytesIO()
    Image.new("RGB", (16, 16)).save(data, "JPEG")
    return {"file": ("a.jpg", data.getvalue())}


async def tag_of(client: httpx.AsyncClient, path: str) -> str:
    reply = await client.get(path)
    assert reply.status_code == 200
    return reply.headers["etag"]


async def test_every_answer_with_a_video_carries_its_version(client: httpx.AsyncClient) -> None:
    created = await client.post("/videos", json={"title": "One"})
    path = f"/videos/{created.json()['videoId']}"
    answers = [
        created,
        await client.patch(path, json={"title": "Two"}),
        await client.patch(f"{path}/thumbnail", json={"timecode": "00:00:01"}),
        await client.post(f"{path}/thumbnail", files=picture()),
        await client.post(f"{path}/source", files={"file": ("a.mp4", b"not empty")}),
    ]
    seen = [answer.headers["etag"] for answer in answers]
    assert len(set(seen)) == len(answers)
    assert all(tag[0] == tag[-1] == '"' for tag in seen)
    assert await tag_of(client, path) == seen[-1]
    assert (await client.head(path)).headers["etag"] == seen[-1]


async def test_the_version_is_that_of_the_row_and_not_of_the_token(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/videos/{(await make(client, public=False))['videoId']}"
    first, second = await client.get(path), await client.get(path)
    assert first.headers["etag"] == second.headers["etag"]
    assert first.json()["assets"] != second.json()["assets"]
    assert first.headers["cache-control"] == "no-store"


async def test_a_change_of_what_was_seen_goes_through(client: httpx.AsyncClient) -> None:
    path = f"/videos/{(await make(client))['videoId']}"
    tag = await tag_of(client, path)
    for given in ("{}", '"other", {}', "{}, , W/{}", "*"):
        seen = {"If-Match": given.replace("{}", tag)}
        reply = await client.patch(path, json={"title": given}, headers=seen)
        assert reply.status_code == 200, given
        tag = reply.headers["etag"]
    assert await tag_of(client, path) == tag


@pytest.mark.parametrize(
    ("method", "below", "body"),
    [
        ("PATCH", "", {"title": "Mine"}),
        ("DELETE", "", None),
        ("PATCH", "/thumbnail", {"timecode": "00:00:01"}),
    ],
)
async def test_a_change_of_what_has_changed_is_refused(
    client: httpx.AsyncClient, method: str, below: str, body: object
) -> None:
    path = f"/videos/{(await make(client))['videoId']}"
    seen = await tag_of(client, path)
    now = (await client.patch(path, json={"title": "Theirs"})).headers["etag"]
    for given, status in ((seen, 412), (f"W/{now}", 412), (now.strip('"'), 400)):
        reply = await client.request(method, path + below, json=body, headers={"If-Match": given})
        assert reply.status_code == status, given
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json()["name"] == "If-Match"
        assert await tag_of(client, path) == now
    reply = await client.request(method, path + below, json=body, headers={"If-Match": now})
    assert reply.is_success


async def test_of_many_who_saw_the_same_one_wins(client: httpx.AsyncClient) -> None:
    path = f"/videos/{(await make(client))['videoId']}"
    seen = {"If-Match": await tag_of(client, path)}
    replies = await asyncio.gather(
        *(client.patch(path, json={"title": str(n)}, headers=seen) for n in range(8))
    )
    statuses = sorted(reply.status_code for reply in replies)
    assert statuses == [200, *[412] * 7]
    (won,) = [reply for reply in replies if reply.status_code == 200]
    assert (await client.get(path)).json() == won.json()


async def test_several_lines_are_one_list(client: httpx.AsyncClient) -> None:
    path = f"/videos/{(await make(client))['videoId']}"
    tag = await tag_of(client, path)
    lines = [("If-Match", '"other"'), ("If-Match", tag)]
    assert (await client.patch(path, json={}, headers=lines)).status_code == 200


async def test_what_does_not_exist_is_not_found_whatever_was_seen(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    path = f"/videos/{(await make(client))['videoId']}"
    for given in ("*", '"other"'):
        reply = await stranger.patch(path, json={}, headers={"If-Match": given})
        assert reply.status_code == 404
    reply = await client.get("/videos/vi0", headers={"If-None-Match": "*"})
    assert reply.status_code == 404


async def test_what_the_client_has_is_not_sent_again(client: httpx.AsyncClient) -> None:
    path = f"/videos/{(await make(client))['videoId']}"
    tag = await tag_of(client, path)
    for given in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        reply = await client.get(path, headers={"If-None-Match": given})
        assert (reply.status_code, reply.content) == (304, b""), given
        assert reply.headers["etag"] == tag
        assert "content-type" not in reply.headers
    for given in ('"other"', tag.strip('"')):
        assert (await client.get(path, headers={"If-None-Match": given})).status_code == 200
    await client.patch(path, json={"title": "New"})
    assert (await client.get(path, headers={"If-None-Match": tag})).status_code == 200


async def test_a_repeated_creation_carries_the_version_of_the_first(
    client: httpx.AsyncClient,
) -> None:
    key = {"Idempotency-Key": "k"}
    first = await client.post("/videos", json={"title": "One"}, headers=key)
    again = await client.post("/videos", json={"title": "One"}, headers=key)
    assert first.headers["etag"] == again.headers["etag"]
