"""The drafts of tus's successor, by their interop versions, and what comes without any."""

from typing import Any

import pytest

from telecine.domains.encodings.models import Asset
from tests.integration.domains.uploads.resuming import Draft, Resumer

pytestmark = pytest.mark.anyio

CONTENT = bytes(range(200))
VERSIONS = [3, 4, 5, 6, 7, 8, None]


@pytest.fixture(params=VERSIONS)
def draft(request: pytest.FixtureRequest, resumer: Resumer) -> Draft:
    return Draft(resumer, request.param)


async def test_a_careful_upload(draft: Draft) -> None:
    name = {"Content-Disposition": "inline; filename=\"a.mp4\"; filename*=UTF-8''%C3%A4.mp4"}
    length = {"Upload-Length": "200"}
    reply = await draft.send("POST", "/tus/", b"", draft.complete(False) | name | length)
    assert reply.status_code == 201
    assert not draft.is_complete(reply)
    assert reply.headers["upload-offset"] == "0"
    assert "tus-resumable" not in reply.headers
    path = reply.headers["location"]
    video_id = path.rsplit("/", 1)[1]
    video = (await draft.resumer.client.get(f"/videos/{video_id}")).json()
    assert video["title"] == "ä.mp4"

    reply = await draft.append(path, 0, CONTENT[:120], complete=False)
    old = draft.interop is not None and draft.interop <= 6
    assert reply.status_code == (201 if old else 204)
    assert not draft.is_complete(reply)
    asked = await draft.send("HEAD", path)
    assert asked.status_code == 204
    assert asked.headers["upload-offset"] == "120"
    assert asked.headers["upload-length"] == "200"
    assert asked.headers["cache-control"] == "no-store"
    assert not draft.is_complete(asked)

    reply = await draft.append(path, 120, CONTENT[120:], complete=True)
    assert reply.status_code == 201
    assert reply.json()["videoId"] == video_id, "what a whole upload is answered with"
    assert draft.is_complete(reply)
    assert draft.is_complete(await draft.send("HEAD", path))
    assert await draft.resumer.content(path) == CONTENT
    assert await draft.resumer.count(Asset) == 1


async def test_an_optimistic_upload(draft: Draft) -> None:
    reply = await draft.send("POST", "/tus/", CONTENT, draft.complete(True))
    assert reply.status_code == 201
    assert reply.json()["title"] == "file"
    assert draft.is_complete(reply)
    assert await draft.resumer.content(reply.headers["location"]) == CONTENT


async def test_a_stream_of_unknown_length(draft: Draft) -> None:
    async def stream() -> Any:
        yield CONTENT[:7]
        yield CONTENT[7:50]

    reply = await draft.send("POST", "/tus/", stream(), draft.complete(False))
    assert reply.headers["upload-offset"] == "50"
    path = reply.headers["location"]
    asked = await draft.send("HEAD", path)
    assert "upload-length" not in asked.headers
    await draft.append(path, 50, CONTENT[50:], complete=False)
    assert await draft.resumer.count(Asset) == 0
    reply = await draft.append(path, 200, b"", complete=True)
    assert draft.is_complete(reply), "an empty body may tell that it is over"
    assert await draft.resumer.content(path) == CONTENT
    again = await draft.append(path, 200, b"", complete=True)
    assert draft.is_complete(again)
    assert (await draft.append(path, 200, b"x", complete=True)).status_code == 400


async def test_lengths_must_agree(draft: Draft) -> None:
    length = {"Upload-Length": "200"}
    reply = await draft.send("POST", "/tus/", b"", draft.complete(False) | length)
    path = reply.headers["location"]
    short = await draft.append(path, 0, CONTENT[:100], complete=True)
    assert short.status_code == 400
    assert short.json()["type"].endswith("/upload-length-inconsistent")
    long = await draft.append(path, 0, CONTENT + b"x", complete=False)
    assert long.status_code == 413
    wrong = await draft.append(path, 1, b"x", complete=False)
    assert wrong.status_code == 409
    assert wrong.headers["upload-offset"] == "0"
    empty = await draft.send("POST", "/tus/", b"", draft.complete(True))
    assert empty.status_code == 400
    assert empty.json()["type"].endswith("/uploaded-file-empty")


async def test_a_stream_that_is_empty(draft: Draft) -> None:
    async def stream() -> Any:
        yield b""

    reply = await draft.send("POST", "/tus/", stream(), draft.complete(True))
    assert reply.status_code == 400
    assert reply.json()["type"].endswith("/uploaded-file-empty")


async def test_given_up(draft: Draft) -> None:
    reply = await draft.send("POST", "/tus/", CONTENT[:9], draft.complete(False))
    path = reply.headers["location"]
    assert (await draft.send("DELETE", path)).status_code == 204
    assert (await draft.send("HEAD", path)).status_code == 404


@pytest.mark.parametrize(("interop", "limit"), [(5, None), (6, "expires="), (8, "max-age=")])
async def test_limits_are_told(resumer: Resumer, interop: int, limit: str | None) -> None:
    draft = Draft(resumer, interop)
    reply = await draft.send("POST", "/tus/", b"", draft.complete(False))
    for told in (reply, await draft.send("HEAD", reply.headers["location"])):
        found = told.headers.get("upload-limit")
        assert (found is None) if limit is None else (limit in found)


async def test_bodies_of_newer_drafts_have_a_type(resumer: Resumer) -> None:
    for interop, status in ((5, 201), (6, 415), (8, 415)):
        draft = Draft(resumer, interop)
        reply = await draft.send("POST", "/tus/", b"", draft.complete(False))
        headers = {**draft.complete(False), "Upload-Offset": "0"}
        sent = await draft.send("PATCH", reply.headers["location"], b"x", headers)
        assert sent.status_code == status
