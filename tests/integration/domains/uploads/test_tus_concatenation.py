"""Files whose stretches are uploaded at the same time, and put together at the end."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from telecine import clock
from telecine.domains.encodings.models import Asset
from telecine.domains.sources.models import Source
from telecine.domains.uploads.models import TusUpload
from telecine.domains.uploads.tus import expiry as tus_expiry
from tests.integration.domains.uploads.resuming import TUS, Resumer, metadata

pytestmark = pytest.mark.anyio

CONTENT = bytes(range(200))
PARTIAL = {"Upload-Concat": "partial"}


async def partial(resumer: Resumer, data: bytes) -> str:
    path = await resumer.create(len(data), PARTIAL)
    assert path.startswith("/tus/tu")
    if data:
        assert await resumer.append(path, 0, data) == len(data)
    return path


def final(*paths: str) -> dict[str, str]:
    return {"Upload-Concat": f"final;{' '.join(paths)}"}


async def test_partial_uploads_become_one(resumer: Resumer) -> None:
    first = await partial(resumer, CONTENT[:80])
    second = await partial(resumer, CONTENT[80:])
    assert await resumer.count(Asset) == 0, "nobody looks into a part"
    told = await resumer.head(first)
    assert told.headers["upload-concat"] == "partial"
    assert told.headers["upload-offset"] == told.headers["upload-length"] == "80"

    urls = (f"http://api.test{first}", f"{second}?token=x")
    reply = await resumer.post(final(*urls) | metadata(filename="a.mp4"))
    assert reply.status_code == 201, reply.text
    path = reply.headers["location"]
    assert await resumer.content(path) == CONTENT
    assert await resumer.count(Asset) == 1
    told = await resumer.head(path)
    assert told.headers["upload-concat"] == f"final;{' '.join(urls)}"
    assert told.headers["upload-offset"] == told.headers["upload-length"] == "200"
    video = (await resumer.client.get(f"/videos/{path.rsplit('/', 1)[1]}")).json()
    assert video["title"] == "a.mp4"
    refused = await resumer.patch(path, 200, b"x")
    assert refused.status_code == 403
    assert await resumer.content(path) == CONTENT


async def test_parts_may_be_used_again(resumer: Resumer) -> None:
    part = await partial(resumer, CONTENT[:80])
    empty = await partial(resumer, b"")
    reply = await resumer.post(final(part, empty, part))
    other = await resumer.post(final(part))
    async with resumer.db.transaction() as tx:
        until = list(await tx.scalars(select(TusUpload.expires_at).order_by(TusUpload.created_at)))
    assert max(until[:2]) < clock.now() + timedelta(hours=2), "used parts are not kept for long"
    assert min(until[2:]) > clock.now() + timedelta(days=6)
    assert await resumer.content(reply.headers["location"]) == CONTENT[:80] * 2
    # What is made of parts does not hang on them.
    assert (await resumer.client.delete(part, headers=TUS)).status_code == 204
    assert (await resumer.client.head(part, headers=TUS)).status_code == 404
    assert await resumer.content(other.headers["location"]) == CONTENT[:80]


async def test_a_part_is_resumed_like_any_upload(resumer: Resumer) -> None:
    path = await resumer.create(200, PARTIAL)
    await resumer.append_and_cut(path, 0, [], 200)
    await resumer.append_and_cut(path, 0, [CONTENT[:50]], 200)
    assert await resumer.offset(path) == 50
    unfinished = await resumer.post(final(path))
    assert unfinished.status_code == 400
    assert unfinished.json()["type"].endswith("/upload-not-concatenable")
    await resumer.append(path, 50, CONTENT[50:])
    reply = await resumer.post(final(path))
    assert await resumer.content(reply.headers["location"]) == CONTENT


@pytest.mark.parametrize("path", ["/tus/tuUnknown", "/tus/x", "/videos/"])
async def test_what_is_no_part(resumer: Resumer, path: str) -> None:
    reply = await resumer.post(final(path))
    assert reply.status_code in {400, 404}
    assert await resumer.count(Source) == 0


async def test_videos_and_nothing_are_no_parts(resumer: Resumer) -> None:
    whole = await resumer.create(200)
    await resumer.append(whole, 0, CONTENT)
    assert (await resumer.post(final(whole))).status_code == 400
    empty = await partial(resumer, b"")
    reply = await resumer.post(final(empty))
    assert reply.json()["type"].endswith("/uploaded-file-empty")


async def test_expired_parts_are_swept(resumer: Resumer) -> None:
    kept = await partial(resumer, CONTENT[:80])
    made = (await resumer.post(final(kept))).headers["location"]
    await partial(resumer, CONTENT[80:])
    unfinished = await resumer.create(200, metadata(filename="never.mp4"))
    await resumer.append(unfinished, 0, CONTENT[:10])
    async with resumer.db.transaction() as tx:
        await tx.execute(update(TusUpload).values(expires_at=clock.now() - timedelta(seconds=1)))
    assert (await resumer.client.head(kept, headers=TUS)).status_code == 410
    assert await tus_expiry.expire(resumer.db, resumer.services.store) == 4
    assert await tus_expiry.expire(resumer.db, resumer.services.store) == 0
    assert (await resumer.client.head(kept, headers=TUS)).status_code == 404
    assert (await resumer.client.head(unfinished, headers=TUS)).status_code == 404
    assert not [key for key in await resumer.objects() if "/tu" in key]
    assert await resumer.offset(made) == 80, "what is complete stays"
    video_id = made.rsplit("/", 1)[1]
    assert (await resumer.client.get(f"/videos/{video_id}")).status_code == 200
