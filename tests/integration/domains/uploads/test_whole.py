"""Uploads of a whole file in one request."""

from collections.abc import AsyncIterator

import anyio
import httpx
import pytest
from sqlalchemy import select

from telecine.db.engine import Database
from telecine.domains.encodings.models import Asset
from telecine.domains.sources.models import Source
from telecine.http import multipart
from telecine.http.services import Services

pytestmark = pytest.mark.anyio


async def make(client: httpx.AsyncClient, **values: object) -> str:
    reply = await client.post("/videos", json={"title": "A video", **values})
    assert reply.status_code == 201
    return str(reply.json()["videoId"])


async def send(
    client: httpx.AsyncClient, video_id: str, data: bytes = b"media", **headers: str
) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    url = f"/videos/{video_id}/source"
    return await client.post(url, files={"file": ("clip.mp4", data)}, headers=named)


async def stored_files(services: Services) -> list[str]:
    return [entry.key async for entry in services.store.list("")]


async def test_an_upload_is_stored_and_its_probe_is_asked_for(
    client: httpx.AsyncClient, services: Services, db: Database
) -> None:
    video_id = await make(client)
    before = (await client.get(f"/videos/{video_id}")).json()
    reply = await send(client, video_id)
    assert reply.status_code == 201
    assert reply.json()["videoId"] == video_id
    assert reply.json()["updatedAt"] >= before["updatedAt"]
    async with db.transaction() as tx:
        source = (await tx.scalars(select(Source))).one()
        asset = (await tx.scalars(select(Asset))).one()
    assert source.file_name == "clip.mp4"
    assert [extent["size"] for extent in source.extents] == [5]
    assert await services.store.read(source.extents[0]["key"]) == b"media"
    assert asset.options["limit_s"] is None
    status = (await client.get(f"/videos/{video_id}/status")).json()
    assert status["ingest"] == {"status": "uploaded", "filesize": 5, "receivedBytes": []}


async def test_the_sandbox_keeps_thirty_seconds_with_a_mark(
    sandbox: httpx.AsyncClient, db: Database
) -> None:
    await send(sandbox, await make(sandbox))
    async with db.transaction() as tx:
        options = (await tx.scalars(select(Asset.options))).one()
    assert options["limit_s"] == 30
    assert options["sandbox_mark"] is True


@pytest.mark.parametrize("value", ["part 1/1", "bytes 0-4/5", "PART 1/1", " bytes  0 - 4 / 5 "])
async def test_a_range_that_is_the_whole_file_is_accepted(
    client: httpx.AsyncClient, value: str
) -> None:
    reply = await send(client, await make(client), Content_Range=value)
    assert reply.status_code == 201, reply.text


async def test_a_second_upload_is_refused(client: httpx.AsyncClient, services: Services) -> None:
    video_id = await make(client)
    await send(client, video_id)
    reply = await send(client, video_id, Content_Range="nonsense")
    assert reply.status_code == 400
    assert reply.json() == {
        "type": "https://docs.api.video/reference/video-source-already-uploaded",
        "title": "This video source has already been uploaded.",
        "name": "file",
        "status": 400,
    }
    assert len(await stored_files(services)) == 1


async def test_of_two_uploads_at_once_one_wins(
    client: httpx.AsyncClient, services: Services
) -> None:
    video_id = await make(client)
    replies: list[httpx.Response] = []

    async def upload(content: bytes) -> None:
        replies.append(await send(client, video_id, content * 3_000_000))

    async with anyio.create_task_group() as group:
        group.start_soon(upload, b"x")
        group.start_soon(upload, b"y")
    assert sorted(reply.status_code for reply in replies) == [201, 400]
    assert len(await stored_files(services)) == 1


async def test_a_video_deleted_during_its_upload_keeps_no_file(
    client: httpx.AsyncClient, services: Services
) -> None:
    video_id = await make(client)

    async def body() -> AsyncIterator[bytes]:
        yield b'--XX\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\nmedia'
        assert (await client.delete(f"/videos/{video_id}")).status_code == 204
        yield b"\r\n--XX--\r\n"

    headers = {"content-type": "multipart/form-data; boundary=XX"}
    reply = await client.post(f"/videos/{video_id}/source", content=body(), headers=headers)
    assert reply.status_code == 404
    assert await stored_files(services) == []


Files = list[tuple[str, tuple[str, bytes]]]


@pytest.mark.parametrize(
    ("files", "data", "slug"),
    [
        ([], {"videoId": "x"}, "uploaded-file-no-file"),
        ([("a", ("a", b"1")), ("b", ("b", b"2"))], {}, "uploaded-file-multiple-files"),
        ([("file", ("a", b""))], {}, "uploaded-file-empty"),
        ([("file", ("a", b"x" * 2000))], {}, "uploaded-file-too-large"),
        ([("file", ("a", b"1"))], {"videoId": "viother"}, "invalid-attribute"),
        ([("file", ("a", b"1"))], {"note": "x" * 70_000}, "uploaded-file-invalid-file"),
        (
            [("file", ("a", b"1"))],
            {f"n{i}": "x" for i in range(21)},
            "uploaded-file-invalid-file",
        ),
    ],
)
async def test_bad_forms_are_refused_and_leave_nothing_behind(
    client: httpx.AsyncClient,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
    files: Files,
    data: dict[str, str],
    slug: str,
) -> None:
    monkeypatch.setattr(multipart, "MAX_FILE_BYTES", 1000)
    url = f"/videos/{await make(client)}/source"
    # As multipart even without a file.
    request = client.build_request("POST", url, data=data, files=files or {"x": (None, b"")})
    reply = await client.send(request)
    assert reply.status_code == 400
    assert reply.json()["type"].endswith("/" + slug)
    assert await stored_files(services) == []


async def test_a_body_that_is_no_form_holds_no_file(client: httpx.AsyncClient) -> None:
    url = f"/videos/{await make(client)}/source"
    for kind in ("application/json", "video/mp4", "multipart/form-data"):
        reply = await client.post(url, content=b"{}", headers={"content-type": kind})
        assert reply.status_code == 400
        assert reply.json()["type"].endswith("/uploaded-file-no-file")
