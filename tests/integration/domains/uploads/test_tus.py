"""tus 1.0.0: the core, and every extension that is offered."""

import base64
import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from email.utils import parsedate_to_datetime

import httpx
import pytest
from sqlalchemy import select, update

from telecine import clock
from telecine.domains.encodings.models import Asset
from telecine.domains.sources.models import Part, Source
from telecine.domains.uploads.models import TusUpload, UploadWriter
from telecine.domains.uploads.tus import body as tus_body
from telecine.domains.uploads.tus import protocol as tus_protocol
from telecine.domains.uploads.tus.expiry import expire
from telecine.domains.videos.models import Video
from telecine.http import batches
from telecine.http.services import Services
from tests.integration.domains.uploads.resuming import CHUNK, TUS, Resumer, metadata
from tests.integration.domains.uploads.sending import Uploads

pytestmark = pytest.mark.anyio

CONTENT = bytes(range(200))


def assert_refused(reply: httpx.Response, status: int, slug: str) -> None:
    assert reply.status_code == status, reply.text
    assert reply.json()["type"].rpartition("/")[2] == slug
    assert reply.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/tus", "/tus/", "/tus/viUnknown"])
async def test_what_is_supported_is_no_secret(anonymous: httpx.AsyncClient, path: str) -> None:
    reply = await anonymous.options(path, headers={"Origin": "https://example.com"})
    assert reply.status_code == 204
    assert reply.headers["tus-version"] == "1.0.0"
    assert reply.headers["tus-resumable"] == "1.0.0"
    assert reply.headers["tus-max-size"] == str(30 * 1024**3)
    assert reply.headers["tus-checksum-algorithm"] == "sha1,sha256,md5"
    assert "concatenation" in reply.headers["tus-extension"].split(",")
    assert "application/partial-upload" in reply.headers["accept-patch"]
    assert reply.headers["upload-limit"] == f"max-size={30 * 1024**3}"
    assert "Upload-Metadata" in reply.headers["access-control-allow-headers"]
    assert "PATCH" in reply.headers["access-control-allow-methods"]
    assert "Upload-Offset" in reply.headers["access-control-expose-headers"]


@pytest.mark.disk
async def test_an_upload_becomes_a_video(resumer: Resumer) -> None:
    told = metadata(filename="summer.mp4", tags="sea, sun", public="false", mine="x")
    path = await resumer.create(200, told)
    assert path.startswith("/tus/vi")
    video_id = path.rsplit("/", 1)[1]
    video = (await resumer.client.get(f"/videos/{video_id}")).json()
    assert video["title"] == "summer.mp4"
    assert video["tags"] == ["sea", "sun"]
    assert video["public"] is False
    assert await resumer.ingest(path) is None
    assert await resumer.offset(path) == 0

    assert await resumer.append(path, 0, CONTENT[:120]) == 120
    ingest = await resumer.ingest(path)
    assert ingest is not None
    assert ingest["status"] == "uploading"
    assert ingest["receivedBytes"] == [{"from": 0, "to": 119, "total": 200}]
    assert await resumer.count(Asset) == 0

    reply = await resumer.patch(path, 120, CONTENT[120:])
    assert reply.status_code == 204
    assert reply.headers["upload-offset"] == "200"
    assert reply.headers["tus-resumable"] == "1.0.0"
    assert "content-type" not in reply.headers
    assert "upload-expires" not in reply.headers, "what is complete does not expire"
    assert await resumer.content(path) == CONTENT
    assert await resumer.count(Asset) == 1
    assert await resumer.count(UploadWriter) == 0
    async with resumer.db.transaction() as tx:
        assert (await tx.scalars(select(Source.file_name))).one() == "summer.mp4"
    assert len(await resumer.objects()) == 1, "bytes go to their place at once"


async def test_a_question_is_answered_with_all_that_is_known(resumer: Resumer) -> None:
    stated = metadata(filename="a.mp4", own="y")
    path = await resumer.create(200, stated)
    await resumer.append(path, 0, CONTENT[:10])
    reply = await resumer.head(path)
    assert reply.status_code == 200
    assert reply.headers["upload-offset"] == "10"
    assert reply.headers["upload-length"] == "200"
    assert reply.headers["upload-metadata"] == stated["Upload-Metadata"]
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["upload-expires"].endswith(" GMT")
    assert reply.headers["access-control-allow-origin"] == "*"


async def test_the_length_may_come_later(resumer: Resumer) -> None:
    path = await resumer.create(None)
    assert (await resumer.head(path)).headers["upload-defer-length"] == "1"
    await resumer.append(path, 0, CONTENT[:50])
    assert (await resumer.head(path)).headers["upload-defer-length"] == "1"
    wrong = await resumer.patch(path, 50, b"", Upload_Length="49")
    assert_refused(wrong, 400, "upload-length-inconsistent")
    await resumer.append(path, 50, CONTENT[50:100], Upload_Length="200")
    told = await resumer.head(path)
    assert told.headers["upload-length"] == "200"
    assert "upload-defer-length" not in told.headers
    changed = await resumer.patch(path, 100, CONTENT[100:], Upload_Length="201")
    assert_refused(changed, 400, "upload-length-inconsistent")
    await resumer.append(path, 100, CONTENT[100:])
    assert await resumer.content(path) == CONTENT


async def test_the_length_may_come_last_and_alone(resumer: Resumer) -> None:
    path = await resumer.create(None)
    await resumer.append(path, 0, CONTENT)
    assert await resumer.append(path, 200, b"", Upload_Length="200") == 200
    assert await resumer.content(path) == CONTENT
    assert await resumer.count(Asset) == 1


async def test_creation_may_bring_bytes(resumer: Resumer) -> None:
    reply = await resumer.post({"Upload-Length": "200", **CHUNK}, CONTENT[:30])
    assert reply.status_code == 201
    assert reply.headers["upload-offset"] == "30"
    path = reply.headers["location"]
    await resumer.append(path, 30, CONTENT[30:])
    assert await resumer.content(path) == CONTENT
    whole = await resumer.post({"Upload-Length": "200", **CHUNK}, CONTENT)
    assert whole.headers["upload-offset"] == "200"
    assert await resumer.content(whole.headers["location"]) == CONTENT


@pytest.mark.disk
async def test_what_arrived_before_a_cut_is_kept(resumer: Resumer) -> None:
    path = await resumer.create(200)
    await resumer.append_and_cut(path, 0, [CONTENT[:30], CONTENT[30:90]], 200)
    assert await resumer.offset(path) == 90
    await resumer.append_and_cut(path, 90, [], 110)
    assert await resumer.offset(path) == 90
    await resumer.append_and_cut(path, 90, [CONTENT[90:91]])
    async with resumer.db.transaction() as tx:
        assert list(await tx.scalars(select(Part.number))) == [0], "one stretch, one row"
    assert await resumer.append(path, 91, CONTENT[91:]) == 200
    assert await resumer.content(path) == CONTENT
    assert await resumer.count(UploadWriter) == 0
    assert len(await resumer.objects()) == 1


async def test_a_cut_before_the_first_byte_leaves_an_upload(resumer: Resumer) -> None:
    path = await resumer.create(200)
    await resumer.append_and_cut(path, 0, [], 200)
    assert await resumer.offset(path) == 0
    assert await resumer.append(path, 0, CONTENT) == 200
    assert await resumer.content(path) == CONTENT


@pytest.mark.disk
async def test_long_bodies_are_recorded_on_the_way(
    resumer: Resumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "MOST_BYTES", 16)
    monkeypatch.setattr(tus_body, "CHECKPOINT_BYTES", 40)
    monkeypatch.setattr(tus_body, "CHECKPOINT_S", 0.0)
    path = await resumer.create(200)
    await resumer.append_and_cut(path, 0, [CONTENT[:30], CONTENT[30:150]], 200)
    assert await resumer.offset(path) == 150
    assert await resumer.append(path, 150, CONTENT[150:]) == 200
    assert await resumer.content(path) == CONTENT
    assert len(await resumer.objects()) == 1


@pytest.mark.parametrize("offset", [0, 9, 11, 200, 10**12])
async def test_another_offset_is_refused(resumer: Resumer, offset: int) -> None:
    path = await resumer.create(200)
    await resumer.append(path, 0, CONTENT[:10])
    reply = await resumer.patch(path, offset, b"x" * 5)
    if offset == 10**12:
        assert_refused(reply, 413, "upload-too-large")
    else:
        assert_refused(reply, 409, "upload-offset-mismatch")
        assert reply.headers["upload-offset"] == "10"
    assert reply.headers["tus-resumable"] == "1.0.0"
    assert await resumer.offset(path) == 10


async def test_no_byte_too_many(resumer: Resumer) -> None:
    path = await resumer.create(20)
    assert_refused(await resumer.patch(path, 0, CONTENT[:21]), 413, "upload-too-large")
    assert await resumer.offset(path) == 0

    async def longer() -> AsyncIterator[bytes]:
        yield CONTENT[:15]
        yield CONTENT[15:30]

    sent = {**TUS, **CHUNK, "Upload-Offset": "0"}
    reply = await resumer.client.patch(path, content=longer(), headers=sent)
    assert_refused(reply, 413, "upload-too-large")
    assert await resumer.offset(path) == 0
    assert await resumer.append(path, 0, CONTENT[:20]) == 20
    assert_refused(await resumer.patch(path, 20, b"x"), 413, "upload-too-large")
    assert await resumer.append(path, 20, b"") == 20
    assert await resumer.content(path) == CONTENT[:20]


async def test_an_empty_file_is_no_video(resumer: Resumer) -> None:
    reply = await resumer.post({"Upload-Length": "0"})
    assert_refused(reply, 400, "uploaded-file-empty")
    assert await resumer.count(TusUpload) == 0


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5"])
async def test_checksums(resumer: Resumer, algorithm: str) -> None:
    def checksum(data: bytes) -> str:
        digest = hashlib.new(algorithm, data).digest()
        return f"{algorithm} {base64.b64encode(digest).decode()}"

    path = await resumer.create(200)
    await resumer.append(path, 0, CONTENT[:100], Upload_Checksum=checksum(CONTENT[:100]))
    wrong = await resumer.patch(path, 100, CONTENT[100:], Upload_Checksum=checksum(b"other"))
    assert_refused(wrong, 460, "upload-checksum-mismatch")
    assert await resumer.offset(path) == 100
    assert await resumer.count(Asset) == 0
    unknown = await resumer.patch(path, 100, CONTENT[100:], Upload_Checksum="crc32 AAAA")
    assert unknown.status_code == 400
    assert await resumer.offset(path) == 100
    await resumer.append(path, 100, CONTENT[100:], Upload_Checksum=checksum(CONTENT[100:]))
    assert await resumer.content(path) == CONTENT


async def test_a_cut_body_with_a_checksum_is_dropped(
    resumer: Resumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tus_body, "CHECKPOINT_BYTES", 1)
    monkeypatch.setattr(tus_body, "CHECKPOINT_S", 0.0)
    monkeypatch.setattr(batches, "MOST_BYTES", 8)
    path = await resumer.create(200)
    digest = base64.b64encode(hashlib.sha1(CONTENT).digest()).decode()
    reply = await resumer.patch(path, 0, CONTENT[:199] + b"!", Upload_Checksum=f"sha1 {digest}")
    assert_refused(reply, 460, "upload-checksum-mismatch")
    assert await resumer.offset(path) == 0
    assert await resumer.append(path, 0, CONTENT, Upload_Checksum=f"sha1 {digest}") == 200
    assert await resumer.content(path) == CONTENT


async def test_given_up_uploads_are_gone(resumer: Resumer) -> None:
    path = await resumer.create(200)
    await resumer.append(path, 0, CONTENT[:100])
    reply = await resumer.client.delete(path, headers=TUS)
    assert reply.status_code == 204
    assert reply.headers["tus-resumable"] == "1.0.0"
    for method in ("HEAD", "DELETE", "PATCH"):
        sent = {**TUS, **CHUNK, "Upload-Offset": "100"}
        assert (await resumer.client.request(method, path, headers=sent)).status_code == 404
    video_id = path.rsplit("/", 1)[1]
    assert (await resumer.client.get(f"/videos/{video_id}")).status_code == 404


async def test_uploads_expire(resumer: Resumer) -> None:
    path = await resumer.create(200)
    await resumer.append(path, 0, CONTENT[:100])
    async with resumer.db.transaction() as tx:
        await tx.execute(update(TusUpload).values(expires_at=clock.now() - timedelta(seconds=1)))
    assert (await resumer.client.head(path, headers=TUS)).status_code == 410
    assert_refused(await resumer.patch(path, 100, CONTENT[100:]), 410, "upload-expired")


async def test_how_long_an_upload_may_take_is_a_setting(
    resumer: Resumer, uploads: Uploads, services: Services
) -> None:
    """Whichever way it was begun; without an end none is told."""
    object.__setattr__(services, "upload_lifetime", timedelta(days=3))
    await uploads.accept(CONTENT[:100], "bytes 0-99/200")
    for path in (await resumer.create(200), f"/tus/{uploads.video_id}"):
        end = parsedate_to_datetime((await resumer.head(path)).headers["upload-expires"])
        assert timedelta(days=2, hours=23) < end - clock.now() <= timedelta(days=3)
    object.__setattr__(services, "upload_lifetime", None)
    for path in (await resumer.create(200), f"/tus/{uploads.video_id}"):
        assert "upload-expires" not in (await resumer.head(path)).headers
    assert await expire(resumer.db, services.store) == 0


async def test_methods_may_stand_in_a_header(resumer: Resumer) -> None:
    path = await resumer.create(200)
    sent = {**TUS, **CHUNK, "Upload-Offset": "0"}
    override = {"X-HTTP-Method-Override": "PATCH"}
    reply = await resumer.client.post(path, content=CONTENT, headers={**sent, **override})
    assert reply.status_code == 204
    assert await resumer.content(path) == CONTENT
    refused = await resumer.client.post(path, content=CONTENT, headers=sent)
    assert_refused(refused, 405, "method-not-allowed")
    override = {"X-HTTP-Method-Override": "DELETE"}
    assert (await resumer.client.post(path, headers={**TUS, **override})).status_code == 204


async def test_an_empty_container_may_be_filled(resumer: Resumer) -> None:
    created = (await resumer.client.post("/videos", json={"title": "Mine"})).json()
    path = await resumer.create(200, metadata(filename="a.mp4", videoId=created["videoId"]))
    assert path == f"/tus/{created['videoId']}"
    await resumer.append(path, 0, CONTENT[:10])
    begun = await resumer.post({"Upload-Length": "200"} | metadata(videoId=created["videoId"]))
    assert_refused(begun, 409, "upload-already-begun")
    assert begun.headers["location"] == path
    assert (await resumer.client.delete(path, headers=TUS)).status_code == 204
    video = (await resumer.client.get(f"/videos/{created['videoId']}")).json()
    assert video["title"] == "Mine", "it was there before, and is empty again"
    assert await resumer.ingest(path) is None
    assert await resumer.objects() == []
    again = await resumer.create(200, metadata(videoId=created["videoId"]))
    await resumer.append(again, 0, CONTENT)
    assert await resumer.content(again) == CONTENT
    full = await resumer.post({"Upload-Length": "200"} | metadata(videoId=created["videoId"]))
    assert_refused(full, 400, "video-source-already-uploaded")
    unknown = await resumer.post({"Upload-Length": "200"} | metadata(videoId="viUnknown"))
    assert_refused(unknown, 404, "resource-not-found")
    assert unknown.json()["name"] == "videoId"


async def test_metadata_that_make_no_video(resumer: Resumer) -> None:
    for given, name in (
        ({"title": "x" * 1001}, "title"),
        ({"public": "perhaps"}, "public"),
        ({"tags": "x" * 256}, "tags[0]"),
    ):
        reply = await resumer.post({"Upload-Length": "200"} | metadata(**given))
        assert_refused(reply, 400, "invalid-attribute")
        assert reply.json()["name"] == name
    assert await resumer.count(Video) == 0  # type: ignore[arg-type]


async def test_other_versions_and_nonsense(resumer: Resumer) -> None:
    path = await resumer.create(200)
    for headers in ({"Tus-Resumable": "0.2.2"}, {}):
        reply = await resumer.client.patch(path, content=b"x", headers=headers)
        assert_refused(reply, 412, "tus-version-not-supported")
        assert reply.headers["tus-version"] == tus_protocol.VERSION
    wrong_type = await resumer.patch(path, 0, b"x", Content_Type="video/mp4")
    assert_refused(wrong_type, 415, "unsupported-media-type")
    assert (await resumer.client.get(path)).status_code == 405
    assert await resumer.offset(path) == 0


async def test_strangers_find_nothing(
    resumer: Resumer, stranger: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    path = await resumer.create(200)
    for method in ("HEAD", "PATCH", "DELETE"):
        assert (await stranger.request(method, path, headers=TUS)).status_code == 404
        assert (await anonymous.request(method, path, headers=TUS)).status_code == 401
        unknown = await resumer.client.request(method, "/tus/x", headers=TUS)
        assert unknown.status_code == 404
    assert await resumer.offset(path) == 0
