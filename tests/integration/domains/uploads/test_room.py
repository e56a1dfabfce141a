"""Uploads that do not fit are refused before anything of them is stored."""

import asyncio
import base64
import errno
import os
from collections.abc import AsyncIterator, Iterable, Sequence

import httpx
import pytest

from telecine.db.engine import Database
from telecine.domains.accounts.models import Project
from telecine.domains.encodings.models import Asset
from telecine.domains.sources.queries import stored_bytes
from telecine.domains.uploads.tus import body as tus_body
from telecine.domains.uploads.tus import writing as tus_writing
from telecine.http import batches
from telecine.http.services import Services
from tests.fixtures.application import ProjectKeys
from tests.integration.domains.uploads.resuming import CHUNK, TUS, Resumer
from tests.integration.domains.uploads.sending import Uploads
from tests.integration.domains.uploads.visiting import BOUNDARY, Visitor, body_of, file_part

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
    for part in ("part 1/4", "part 2/4"):
        refused(await uploads.send(b"a" * 300, part), 403, "storage-quota-exceeded")
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


async def test_what_is_repeated_needs_no_room(
    uploads: Uploads, db: Database, services: Services, project: ProjectKeys
) -> None:
    """Its client does not know that it is stored: the answer was lost."""
    await allow(db, services, project, 1700)  # with the form around a part
    for part in ("part 1/2", "part 2/2"):
        await uploads.accept(b"a" * 700, part)
        await uploads.forget_answers()
        await uploads.accept(b"a" * 700, part)
    assert await uploads.content() == b"a" * 1400


async def test_a_token_keeps_to_the_quota(
    any_visitor: Visitor, db: Database, services: Services, project: ProjectKeys
) -> None:
    """Its bodies do not tell their length: they are counted while they come."""
    await allow(db, services, project, 1000)
    slug = "storage-quota-exceeded"
    await any_visitor.refuse(403, slug, b"a" * 1001)
    await any_visitor.refuse(403, slug, b"a" * 500, "bytes 0-499/1001")
    video_id = await any_visitor.accept(b"a" * 600, "part 1/*")
    await any_visitor.refuse(403, slug, b"b" * 401, "part 2/2")
    await any_visitor.refuse(403, slug, b"b" * 401, "part 2/2", video_id=video_id)
    await any_visitor.refuse(403, slug, b"b" * 401, "part 2/2", video_id=video_id, before=True)
    await any_visitor.accept(b"b" * 400, "part 2/2", video_id=video_id)
    assert await any_visitor.content(video_id) == b"a" * 600 + b"b" * 400


class Stream:
    """A body of unknown length; `sent_bytes` tells how much of it was asked for."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.sent_bytes = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            self.sent_bytes += len(piece)
            yield piece


MIB = 1 << 20


@pytest.mark.parametrize("checksum", [False, True])
async def test_a_body_by_tus_is_bounded_while_it_is_read(
    resumer: Resumer, db: Database, services: Services, project: ProjectKeys, *, checksum: bool
) -> None:
    await allow(db, services, project, 1000)
    refused(await resumer.post({"Upload-Length": "1001"}), 403, "storage-quota-exceeded")
    path = await resumer.create()
    await resumer.append(path, 0, b"a" * 600)
    refused(await resumer.patch(path, 600, b"a" * 401), 403, "storage-quota-exceeded")
    body = Stream(bytes(MIB) for _ in range(100))
    headers = {**TUS, **CHUNK, "Upload-Offset": "600"}
    if checksum:
        headers["Upload-Checksum"] = f"sha1 {base64.b64encode(bytes(20)).decode()}"
    reply = await resumer.client.patch(path, content=body, headers=headers)
    refused(reply, 403, "storage-quota-exceeded")
    assert reply.headers["tus-resumable"] == "1.0.0"
    assert body.sent_bytes < 40 * MIB, "the rest was dropped, for a while, and then not read"
    assert await resumer.offset(path) == 600
    assert await resumer.append(path, 600, b"a" * 400, Upload_Length="1000") == 1000
    assert await resumer.content(path) == b"a" * 1000


async def test_what_by_tus_was_recorded_on_the_way_counts_once(
    resumer: Resumer,
    db: Database,
    services: Services,
    project: ProjectKeys,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batches, "MOST_BYTES", 100)
    monkeypatch.setattr(tus_body, "CHECKPOINT_BYTES", 100)
    monkeypatch.setattr(tus_body, "CHECKPOINT_S", 0)
    await allow(db, services, project, 1000)
    path = await resumer.create(1000)
    assert await resumer.append(path, 0, b"a" * 1000) == 1000
    other = await resumer.client.post("/tus/", headers={**TUS, "Upload-Defer-Length": "1"})
    refused(await resumer.patch(other.headers["location"], 0, b"a"), 403, "storage-quota-exceeded")


async def test_a_concatenation_counts_without_its_parts(
    resumer: Resumer, db: Database, services: Services, project: ProjectKeys
) -> None:
    await allow(db, services, project, 1000)
    part = await resumer.create(400, {"Upload-Concat": "partial"})
    await resumer.append(part, 0, b"a" * 400)
    reply = await resumer.post({"Upload-Concat": "final;" + " ".join([part] * 3)})
    refused(reply, 403, "storage-quota-exceeded")
    assert await resumer.count(Asset) == 0
    reply = await resumer.post({"Upload-Concat": f"final;{part} {part}"})
    assert reply.status_code == 201
    assert await resumer.content(reply.headers["location"]) == b"a" * 800


async def test_uploads_at_the_same_time_keep_to_the_quota_together(
    uploads: Uploads,
    resumer: Resumer,
    db: Database,
    services: Services,
    project: ProjectKeys,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each would fit; all are admitted before any of them is stored."""
    # A beat would interrupt the wait below, which ends the body in this process.
    monkeypatch.setattr(tus_writing, "BEAT_S", 600.0)
    await allow(db, services, project, 1000)
    other = await uploads.client.post("/videos", json={"title": "another"})
    path = await resumer.create()
    waiting, all_wait = 0, asyncio.Event()

    async def body(*pieces: bytes) -> AsyncIterator[bytes]:
        nonlocal waiting
        yield pieces[0]
        waiting += 1
        if waiting == 3:
            all_wait.set()
        await all_wait.wait()
        for piece in pieces[1:]:
            yield piece

    form = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    whole = body_of([file_part("a.mp4", b"a" * 600)])
    sent = [
        uploads.client.post(f"/videos/{video_id}/source", content=body(whole[:200], whole[200:]),
                            headers=form)
        for video_id in (uploads.video_id, other.json()["videoId"])
    ]  # fmt: skip
    headers = {**TUS, **CHUNK, "Upload-Offset": "0"}
    sent.append(resumer.client.patch(path, content=body(b"a" * 200, b"a" * 400), headers=headers))
    replies = await asyncio.gather(*sent)
    assert sorted(reply.is_success for reply in replies) == [False, False, True]
    for reply in replies:
        if not reply.is_success:
            refused(reply, 403, "storage-quota-exceeded")
    assert await uploads.claims() == 0
    async with db.transaction() as tx:
        assert await stored_bytes(tx, project.production_id) == 600


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


@pytest.mark.disk
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
