"""Resumable uploads of those who have no key, but a token; and what they may not do."""

from dataclasses import replace

import httpx
import pytest
from sqlalchemy import update

from telecine import clock
from telecine.domains.uploads.models import UploadToken
from tests.integration.domains.uploads.resuming import TUS, Resumer, metadata

pytestmark = pytest.mark.anyio

CONTENT = bytes(range(200))


@pytest.fixture
async def token(client: httpx.AsyncClient) -> str:
    return str((await client.post("/upload-tokens", json={"ttl": 3600})).json()["token"])


@pytest.fixture
def visitor(resumer: Resumer, anonymous: httpx.AsyncClient) -> Resumer:
    return replace(resumer, client=anonymous)


async def test_a_token_in_the_metadata_or_the_url_comes_back_in_the_location(
    visitor: Resumer, resumer: Resumer, token: str
) -> None:
    path = await visitor.create(200, metadata(filename="a.mp4", token=token))
    assert path.endswith(f"?token={token}")
    await visitor.append(path, 0, CONTENT[:50])
    assert (await visitor.head(path)).headers["upload-offset"] == "50"
    await visitor.append(path, 50, CONTENT[50:])
    assert await resumer.content(path.partition("?")[0]) == CONTENT

    sent = {**TUS, "Upload-Length": "200"}
    reply = await visitor.client.post(f"/tus/?token={token}", headers=sent)
    assert reply.headers["location"].endswith(f"?token={token}")


async def test_a_token_in_a_header_stays_there(visitor: Resumer, token: str) -> None:
    visitor.always["Upload-Token"] = token
    path = await visitor.create(200)
    assert "?" not in path
    await visitor.append(path, 0, CONTENT)
    assert await visitor.offset(path) == 200


async def test_a_key_counts_before_metadata(resumer: Resumer, token: str) -> None:
    path = await resumer.create(200, metadata(token="something else"))
    assert "?" not in path


@pytest.mark.parametrize("wrong", ["toUnknown", "", "%00", "x" * 100])
async def test_other_tokens_open_nothing(visitor: Resumer, wrong: str) -> None:
    reply = await visitor.client.post(f"/tus/?token={wrong}", headers=TUS)
    assert reply.status_code == 401
    assert reply.headers["tus-resumable"] == "1.0.0"


async def test_a_token_reaches_its_own_uploads_and_empty_containers(
    visitor: Resumer, resumer: Resumer, client: httpx.AsyncClient, token: str
) -> None:
    other = (await client.post("/upload-tokens", json={})).json()["token"]
    mine = await resumer.create(200)
    begun = await visitor.create(200, metadata(token=other))
    for path in (mine, begun.partition("?")[0]):
        for method in ("HEAD", "PATCH", "DELETE"):
            reply = await visitor.client.request(method, f"{path}?token={token}", headers=TUS)
            assert reply.status_code == 404, path
    empty = (await client.post("/videos", json={"title": "Empty"})).json()["videoId"]
    path = f"/tus/{empty}?token={token}"
    await visitor.append(path, 0, CONTENT[:50])
    await visitor.append(path, 50, CONTENT[50:], Upload_Length="200")
    assert (await visitor.client.delete(path, headers=TUS)).status_code == 403
    refused = await visitor.client.head(f"/tus/{empty}?token={other}", headers=TUS)
    assert refused.status_code == 404
    assert await resumer.offset(f"/tus/{empty}") == 200


async def test_what_began_in_time_may_go_on(visitor: Resumer, token: str) -> None:
    path = await visitor.create(200, metadata(token=token))
    async with visitor.db.transaction() as tx:
        await tx.execute(update(UploadToken).values(expires_at=clock.now()))
    await visitor.append(path, 0, CONTENT)
    late = await visitor.client.post(
        f"/tus/?token={token}", headers={**TUS, "Upload-Length": "200"}
    )
    assert late.status_code == 401


async def test_a_deleted_token_stops_at_once(
    visitor: Resumer, client: httpx.AsyncClient, token: str
) -> None:
    path = await visitor.create(200, metadata(token=token))
    assert (await client.delete(f"/upload-tokens/{token}")).status_code == 204
    assert (await visitor.patch(path, 0, CONTENT)).status_code == 401


async def test_a_token_may_give_up_what_it_began(visitor: Resumer, token: str) -> None:
    path = await visitor.create(200, metadata(token=token))
    await visitor.append(path, 0, CONTENT[:50])
    assert (await visitor.client.delete(path, headers=TUS)).status_code == 204
    assert (await visitor.client.head(path, headers=TUS)).status_code == 404


async def test_parts_by_token(visitor: Resumer, resumer: Resumer, token: str) -> None:
    paths = []
    for data in (CONTENT[:80], CONTENT[80:]):
        headers = {"Upload-Concat": "partial", **metadata(token=token)}
        path = await visitor.create(len(data), headers)
        await visitor.append(path, 0, data)
        paths.append(path)
    final = {"Upload-Concat": f"final;{' '.join(paths)}", **metadata(token=token)}
    reply = await visitor.post(final)
    assert reply.status_code == 201, reply.text
    assert await resumer.content(reply.headers["location"].partition("?")[0]) == CONTENT
