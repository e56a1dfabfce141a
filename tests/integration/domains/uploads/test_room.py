"""Uploads that do not fit are refused before anything of them is stored."""

import errno
import os
from collections.abc import Sequence

import httpx
import pytest

from telecine.db.engine import Database
from telecine.domains.accounts.models import Project
from telecine.http.services import Services
from tests.fixtures.application import ProjectKeys
from tests.integration.domains.uploads.sending import Uploads

pytestmark = pytest.mark.anyio


async def allow(db: Database, services: Services, project: ProjectKeys, quota_bytes: int) -> None:
    async with db.transaction() as tx:
        row = await tx.get_one(Project, project.production_id)
        row.settings = {"storage_quota_bytes": quota_bytes}
    services.identities.clear()  # a change of settings acts within a second


def refused(reply: httpx.Response, status: int, slug: str) -> None:
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["type"].endswith("/" + slug)


async def test_an_upload_beyond_the_quota_is_refused_at_its_first_request(
    uploads: Uploads, db: Database, services: Services, project: ProjectKeys
) -> None:
    await allow(db, services, project, 1000)
    refused(await uploads.send(b"a" * 500, "bytes 0-499/1001"), 403, "storage-quota-exceeded")
    refused(await uploads.send(b"a" * 300, "part 1/4"), 403, "storage-quota-exceeded")
    assert await uploads.ingest() is None
    await uploads.accept(b"a" * 500, "bytes 0-499/1000")
    await uploads.accept(b"a" * 300, "bytes 500-799/1000")


async def test_what_is_stored_already_counts(
    uploads: Uploads, db: Database, services: Services, project: ProjectKeys
) -> None:
    await allow(db, services, project, 1000)
    await uploads.accept(b"a" * 600)
    other = await uploads.client.post("/videos", json={"title": "another"})
    uploads.video_id = other.json()["videoId"]
    refused(await uploads.send(b"b" * 400), 403, "storage-quota-exceeded")  # with its form
    await uploads.accept(b"b" * 100)


async def test_a_full_disk_refuses_and_accepts_again_when_there_is_room(
    uploads: Uploads, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def little() -> int:
        return 5_000

    with monkeypatch.context() as full:
        full.setattr(services.store, "free_bytes", little)
        refused(await uploads.send(b"aaaa", "bytes 0-3/5001"), 507, "insufficient-storage")
        assert await uploads.ingest() is None
        await uploads.accept(b"aaaa", "bytes 0-3/5000")
        reply = await uploads.send(b"a" * 5001, "bytes 4-5004/*")
        refused(reply, 507, "insufficient-storage")
        assert int(reply.headers["retry-after"]) > 0
    await uploads.accept(b"a" * 4996, "bytes 4-4999/5000")
    assert len(await uploads.content()) == 5000


async def test_a_disk_that_fills_in_the_middle_loses_nothing_and_the_upload_goes_on(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    await uploads.accept(b"aaaa", "part 1/3")
    held = await uploads.ingest()

    def fail(descriptor: int, pieces: Sequence[bytes | memoryview]) -> int:
        del descriptor, pieces
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(os, "writev", fail)
        refused(await uploads.send(b"bbbb", "part 2/3"), 507, "insufficient-storage")
    assert await uploads.ingest() == held
    assert await uploads.claims() == 0
    await uploads.accept(b"bbbb", "part 2/3")
    await uploads.accept(b"c", "part 3/3")
    assert await uploads.content() == b"aaaabbbbc"
