"""Resumable uploads into a bucket, where every stretch is an object of its own."""

from collections.abc import Mapping
from dataclasses import replace

import httpx
import pytest

from telecine.domains.uploads.tus import body as tus_body
from telecine.http import batches
from telecine.http.app import Api
from telecine.storage.open import open_store
from tests.integration.domains.uploads.resuming import TUS, Resumer

pytestmark = [pytest.mark.anyio, pytest.mark.s3]

CONTENT = bytes(range(200))


@pytest.fixture
def in_bucket(
    resumer: Resumer, app: Api, s3_environment: Mapping[str, str], bucket_url: str
) -> Resumer:
    services = replace(resumer.services, store=open_store(bucket_url, s3_environment))
    app.state.services = services
    return replace(resumer, services=services)


async def test_cut_and_resumed(in_bucket: Resumer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MOST_BYTES", 16)
    monkeypatch.setattr(tus_body, "CHECKPOINT_BYTES", 40)
    monkeypatch.setattr(tus_body, "CHECKPOINT_S", 0.0)
    path = await in_bucket.create(200)
    await in_bucket.append_and_cut(path, 0, [CONTENT[:30], CONTENT[30:90]], 200)
    assert await in_bucket.offset(path) == 90
    wrong = await in_bucket.patch(path, 90, CONTENT[90:], Upload_Checksum="md5 " + "A" * 22)
    assert wrong.status_code == 460
    kept = len(await in_bucket.objects())
    assert await in_bucket.append(path, 90, CONTENT[90:]) == 200
    assert await in_bucket.content(path) == CONTENT
    assert kept == 2, "nothing of what was refused is left"


async def test_put_together(in_bucket: Resumer, client: httpx.AsyncClient) -> None:
    paths = []
    for data in (CONTENT[:80], CONTENT[80:]):
        path = await in_bucket.create(len(data), {"Upload-Concat": "partial"})
        await in_bucket.append(path, 0, data)
        paths.append(path)
    reply = await in_bucket.post({"Upload-Concat": f"final;{' '.join(paths)}"})
    for path in paths:
        assert (await client.delete(path, headers=TUS)).status_code == 204
    assert await in_bucket.content(reply.headers["location"]) == CONTENT
    assert len(await in_bucket.objects()) == 2
