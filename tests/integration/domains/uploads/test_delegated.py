"""`POST /upload`: files on an upload token, with and without the id of their video."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx
import pytest
from sqlalchemy import select

from telecine.db.engine import Database
from telecine.domains.accounts import operations as accounts
from telecine.domains.encodings.models import Asset
from telecine.domains.sources.models import Source
from telecine.domains.videos.models import Video
from telecine.http import multipart
from telecine.http.services import Services
from tests.fixtures.application import ProjectKeys
from tests.integration.domains.uploads.visiting import (
    BOUNDARY,
    NAME,
    Visitor,
    body_of,
    field_part,
    file_part,
)

pytestmark = pytest.mark.anyio


async def create(client: httpx.AsyncClient, title: str = "A video") -> str:
    return str((await client.post("/videos", json={"title": title})).json()["videoId"])


async def test_a_file_becomes_a_video_of_its_name(
    any_visitor: Visitor, client: httpx.AsyncClient
) -> None:
    reply = await any_visitor.send(b"media", name="Ferien & Meer.mp4")
    assert reply.status_code == 201, reply.text
    video = reply.json()
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["access-control-allow-origin"] == "*"
    assert (await client.get(f"/videos/{video['videoId']}")).json() == video
    assert video["title"] == "Ferien & Meer.mp4"
    assert (video["public"], video["mp4Support"]) == (True, True)
    assert await any_visitor.content(video["videoId"]) == b"media"
    source = await any_visitor.source(video["videoId"])
    assert source.file_name == "Ferien & Meer.mp4"
    assert await any_visitor.objects() == [source.key]
    assert source.key.split("/")[1] == video["videoId"]


async def test_a_token_is_good_for_several_videos(visitor: Visitor) -> None:
    made = {await visitor.accept(b"media") for _ in range(2)}
    made.add(await visitor.accept(b"media", "part 1/1"))
    made.add(await visitor.accept(b"media", "bytes 0-4/5"))
    assert len(made) == 4
    for video_id in made:
        assert await visitor.content(video_id) == b"media"
    assert await visitor.count(Asset) == 4


@pytest.mark.disk
@pytest.mark.parametrize("before", [True, False])
async def test_parts_with_the_id_of_their_video(any_visitor: Visitor, before: bool) -> None:
    video_id = await any_visitor.accept(b"a" * 99, "part 1/*", name="part.a")
    for number, data in ((2, b"b" * 99), (3, b"c" * 99)):
        more: dict[str, Any] = {"video_id": video_id, "before": before, "name": f"part.{number}"}
        assert await any_visitor.accept(data, f"part {number}/*", **more) == video_id
    more = {"video_id": video_id, "before": before, "name": "part.d"}
    reply = await any_visitor.send(b"d", "part 4/4", **more)
    assert reply.status_code == 201
    assert reply.json()["title"] == "part.a"
    assert await any_visitor.content(video_id) == b"a" * 99 + b"b" * 99 + b"c" * 99 + b"d"
    assert await any_visitor.count(Asset) == await any_visitor.count(Video) == 1
    if before:
        assert len((await any_visitor.source(video_id)).extents) == 1


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("content_range", [None, "part 1/1", "bytes 0-98/99"])
async def test_an_empty_video_takes_a_file_and_keeps_its_title(
    any_visitor: Visitor, client: httpx.AsyncClient, before: bool, content_range: str | None
) -> None:
    video_id = await create(client, "Kept")
    reply = await any_visitor.send(b"m" * 99, content_range, video_id=video_id, before=before)
    assert reply.status_code == 201, reply.text
    assert (reply.json()["videoId"], reply.json()["title"]) == (video_id, "Kept")
    assert await any_visitor.content(video_id) == b"m" * 99
    assert await any_visitor.count(Video) == 1
    assert len(await any_visitor.objects()) == 1


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("content_range", [None, "part 1/1"])
async def test_a_video_that_has_its_file_takes_no_other(
    visitor: Visitor, before: bool, content_range: str | None
) -> None:
    video_id = await visitor.accept(b"media" * 20)
    more: dict[str, Any] = {"video_id": video_id, "before": before}
    slug = "video-source-already-uploaded"
    await visitor.refuse(400, slug, b"other" * 20, content_range, **more)
    assert await visitor.content(video_id) == b"media" * 20


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("whose", ["nobody", "a stranger", "the sandbox", "odd"])
async def test_unknown_and_foreign_videos(
    visitor: Visitor,
    stranger: httpx.AsyncClient,
    sandbox: httpx.AsyncClient,
    before: bool,
    whose: str,
) -> None:
    video_id = {
        "nobody": "viAAAAAAAAAAAAAAAAAAAAAA",
        "a stranger": await create(stranger),
        "the sandbox": await create(sandbox),
        "odd": "../x\0 ü",
    }[whose]
    for content_range in (None, "part 1/2"):
        more: dict[str, Any] = {"video_id": video_id, "before": before}
        found = await visitor.refuse(404, "resource-not-found", b"m" * 99, content_range, **more)
        assert found["name"] == "videoId"


async def test_an_empty_video_id_is_none(visitor: Visitor) -> None:
    assert (await visitor.accept(b"media", video_id="")).startswith("vi")


async def test_two_ids_in_one_form(visitor: Visitor, client: httpx.AsyncClient) -> None:
    first, last = await create(client), await create(client)
    body = body_of(
        [field_part("videoId", first), file_part(NAME, b"m" * 200), field_part("videoId", last)]
    )

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), visitor.piece_bytes):
            yield body[start : start + visitor.piece_bytes]

    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    url = f"/upload?token={visitor.token}"
    reply = await visitor.http.post(url, content=pieces(), headers=headers)
    assert reply.status_code == 201, reply.text
    assert reply.json()["videoId"] == last
    assert await visitor.content(last) == b"m" * 200
    assert await visitor.count(Source) == 1
    assert len(await visitor.objects()) == 1


async def test_no_token(anonymous: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    for one in (anonymous, client):
        for url in ("/upload", "/upload?token=", "/upload?other=x"):
            reply = await one.post(url, files={"file": (NAME, b"media")})
            assert reply.status_code == 401
            assert reply.json() == {
                "type": "https://docs.api.video/reference/authentication-missing-upload-token",
                "title": "The upload token is missing.",
                "name": "token",
                "status": 401,
            }


@pytest.mark.parametrize("token", ["toAAAAAAAAAAAAAAAAAAAAAA", "x", "\0", "ü", "t" * 5000])
async def test_unknown_tokens(anonymous: httpx.AsyncClient, token: str) -> None:
    reply = await anonymous.post(
        "/upload", params={"token": token}, files={"file": (NAME, b"media")}
    )
    assert reply.status_code == 401
    assert reply.json() == {
        "type": "https://docs.api.video/reference/authentication-invalid-upload-token",
        "title": "The upload token is invalid or expired.",
        "name": "token",
        "status": 401,
    }


@pytest.mark.parametrize("header", ["", "Basic x", "Bearer unknown", "Basic dW5rbm93bjo=", "zzz"])
async def test_credentials_are_ignored(visitor: Visitor, header: str) -> None:
    visitor.http.headers["Authorization"] = header
    assert await visitor.accept(b"media")


async def test_the_sandbox_marks_and_cuts(
    anonymous: httpx.AsyncClient, sandbox: httpx.AsyncClient, services: Services, db: Database
) -> None:
    token = (await sandbox.post("/upload-tokens")).json()["token"]
    visitor = Visitor(anonymous, services, db, token)
    video_id = await visitor.accept(b"media")
    assert (await sandbox.get(f"/videos/{video_id}")).status_code == 200
    async with db.transaction() as tx:
        options = (await tx.scalars(select(Asset.options))).one()
    assert (options["limit_s"], options["sandbox_mark"]) == (30, True)


async def test_a_suspended_project(visitor: Visitor, db: Database, project: ProjectKeys) -> None:
    async with db.transaction() as tx:
        await accounts.update_project(tx, project.public_id, suspended=True)
    await visitor.refuse(403, "authorization-suspended-account", b"media")


async def test_an_upload_counts_for_the_tokens_project(
    visitor: Visitor, client: httpx.AsyncClient, db: Database, project: ProjectKeys
) -> None:
    async with db.transaction() as tx:
        limits = {"rate_limits": {"uploads": 2}}
        await accounts.update_settings(tx, project.public_id, limits)
    video_id = await visitor.accept(b"aaaa", "part 1/*")
    # Further chunks belong to an upload that was counted.
    await visitor.accept(b"bbbb", "part 2/*", video_id=video_id)
    await visitor.accept(b"c", "part 3/3", video_id=video_id)
    await visitor.accept(b"media")
    found = await visitor.refuse(429, "too-many-requests", b"media")
    assert found["title"] == "Too many requests."
    assert visitor.replies[-1].headers["x-ratelimit-limit"] == "2"
    assert (await client.get("/videos")).status_code == 200


async def test_an_expired_token_begins_nothing_and_ends_what_it_began(
    visitor: Visitor, client: httpx.AsyncClient
) -> None:
    empty = await create(client)
    named = await visitor.accept(b"aaaa", "part 1/*", name="named")
    unnamed = await visitor.accept(b"aaaa", "part 1/*", name="unnamed")
    await visitor.expire()
    slug = "authentication-invalid-upload-token"
    for video_id in (None, empty, "viAAAAAAAAAAAAAAAAAAAAAA"):
        for before in (True, False):
            more: dict[str, Any] = {"video_id": video_id, "before": before}
            await visitor.refuse(401, slug, b"media", **more)
            await visitor.refuse(401, slug, b"media", "part 1/2", **more)
    assert await visitor.accept(b"b", "part 2/2", name="named", video_id=named) == named
    assert await visitor.accept(b"b", "part 2/2", name="unnamed") == unnamed
    assert await visitor.content(named) == await visitor.content(unnamed) == b"aaaab"


async def test_an_expired_token_that_was_never_used_is_told_before_the_body(
    visitor: Visitor,
) -> None:
    await visitor.expire()
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield b"x"

    headers = {"Content-Type": "multipart/form-data; boundary=XX"}
    url = f"/upload?token={visitor.token}"
    reply = await visitor.http.post(url, content=body(), headers=headers)
    assert reply.status_code == 401
    assert read < 100


async def test_a_deleted_token_stops_what_it_began(
    visitor: Visitor, client: httpx.AsyncClient
) -> None:
    video_id = await visitor.accept(b"aaaa", "part 1/2")
    await client.delete(f"/upload-tokens/{visitor.token}")
    slug = "authentication-invalid-upload-token"
    await visitor.refuse(401, slug, b"b", "part 2/2", video_id=video_id)
    await visitor.refuse(401, slug, b"b", "part 2/2")


@pytest.mark.parametrize("content_range", [None, "part 1/2", "part 2/2"])
async def test_a_token_deleted_while_a_file_arrives(
    visitor: Visitor, client: httpx.AsyncClient, content_range: str | None
) -> None:
    if content_range == "part 2/2":
        await visitor.accept(b"aaaa", "part 1/2")
    before = await visitor.state()
    whole = body_of([file_part(NAME, b"m" * 500)])

    async def body() -> AsyncIterator[bytes]:
        yield whole[:300]
        assert (await client.delete(f"/upload-tokens/{visitor.token}")).status_code == 204
        yield whole[300:]

    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    if content_range is not None:
        headers["Content-Range"] = content_range
    url = f"/upload?token={visitor.token}"
    reply = await visitor.http.post(url, content=body(), headers=headers)
    assert reply.status_code == 401, reply.text
    assert await visitor.state() == before


BAD_FORMS: list[tuple[list[bytes], str]] = [
    ([], "uploaded-file-no-file"),
    ([field_part("note", "nothing else")], "uploaded-file-no-file"),
    ([file_part("a", b"1"), file_part("b", b"2")], "uploaded-file-multiple-files"),
    ([file_part("a", b"")], "uploaded-file-empty"),
    ([file_part("a", b"x" * 2000)], "uploaded-file-too-large"),
]


@pytest.mark.parametrize(("parts", "slug"), BAD_FORMS)
async def test_bad_forms_leave_nothing_behind(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch, parts: list[bytes], slug: str
) -> None:
    monkeypatch.setattr(multipart, "MAX_FILE_BYTES", 1000)
    before = await visitor.state()
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    url = f"/upload?token={visitor.token}"
    reply = await visitor.http.post(url, content=body_of(parts), headers=headers)
    assert reply.status_code == 400
    assert reply.json()["type"].endswith("/" + slug)
    assert await visitor.state() == before


@pytest.mark.parametrize(
    ("content_range", "slug"),
    [
        ("part 1", "video-content-range-malformed"),
        ("part 0/1", "video-content-range-by-part-part-zero"),
        ("part 3/2", "video-content-range-by-part-part-too-high-total"),
        ("part 1/*", "uploaded-file-too-small"),
        ("part 1/2", "uploaded-file-too-small"),
        ("bytes 0-98/99", "video-content-range-by-bytes-range-mismatch"),
        ("bytes 0-2/9", "video-content-range-by-bytes-range-too-small"),
        ("bytes 0-2/2", "video-content-range-by-bytes-to-byte-too-high-total"),
    ],
)
async def test_ranges_that_cannot_be_make_no_video(
    visitor: Visitor, content_range: str, slug: str
) -> None:
    await visitor.refuse(400, slug, b"abc", content_range)


async def test_two_parts_at_once_of_one_new_video(any_visitor: Visitor) -> None:
    async with anyio.create_task_group() as group:
        for number in (1, 2, 3):
            group.start_soon(any_visitor.accept, bytes([96 + number]) * 200, f"part {number}/3")
    ids = {reply.json()["videoId"] for reply in any_visitor.replies}
    assert len(ids) == 1
    content = await any_visitor.content(ids.pop())
    assert content == b"a" * 200 + b"b" * 200 + b"c" * 200
    assert await any_visitor.count(Asset) == 1
