import io
from typing import Any

import httpx
import pytest
from PIL import Image
from sqlalchemy import select

from telecine.db.engine import Database
from telecine.domains.videos import pictures
from telecine.domains.videos.models import Video
from telecine.http.services import Services
from tests.fixtures.bombs import BOMBS, little_memory

pytestmark = pytest.mark.anyio


async def make(client: httpx.AsyncClient, **values: object) -> str:
    reply = await client.post("/videos", json={"title": "A video", **values})
    assert reply.status_code == 201
    return str(reply.json()["videoId"])


async def stored_files(services: Services) -> list[str]:
    return [entry.key async for entry in services.store.list("")]


def picture(kind: str, size: tuple[int, int] = (64, 32), mode: str = "RGB") -> bytes:
    output = io.BytesIO()
    Image.new(mode, size, "red").save(output, kind)
    return output.getvalue()


async def show(client: httpx.AsyncClient, video_id: str, data: bytes) -> httpx.Response:
    url = f"/videos/{video_id}/thumbnail"
    return await client.post(url, files={"file": ("file", data, "application/octet-stream")})


async def column(db: Database, video_id: str, name: str) -> Any:
    async with db.transaction() as tx:
        found = select(getattr(Video, name)).where(Video.public_id == video_id)
        return (await tx.execute(found)).scalar_one()


@pytest.mark.parametrize(("kind", "mode"), [("JPEG", "RGB"), ("PNG", "RGBA"), ("WEBP", "RGB")])
async def test_a_picture_is_known_by_its_content_and_stored_as_jpeg(
    client: httpx.AsyncClient, services: Services, db: Database, kind: str, mode: str
) -> None:
    video_id = await make(client)
    reply = await show(client, video_id, picture(kind, mode=mode))
    assert reply.status_code == 200, reply.text
    assert reply.json()["assets"]["thumbnail"].endswith(f"/vod/{video_id}/thumbnail.jpg")
    stored = await services.store.read(await column(db, video_id, "thumbnail_key"))
    with Image.open(io.BytesIO(stored)) as image:
        assert (image.format, image.size) == ("JPEG", (64, 32))


async def test_a_new_picture_replaces_the_old_one(
    client: httpx.AsyncClient, services: Services
) -> None:
    video_id = await make(client)
    for colour in range(2):
        await show(client, video_id, picture("PNG", (colour + 1, 1)))
    assert len(await stored_files(services)) == 1


@pytest.mark.parametrize(
    ("data", "slug"),
    [
        (b"GIF89a", "uploaded-file-extension-invalid"),
        (b"not a picture", "uploaded-file-extension-invalid"),
        (picture("PNG")[:40], "uploaded-file-invalid-file"),
        (b"\xff\xd8\xff" + b"\0" * 100, "uploaded-file-invalid-file"),
        (b"RIFF\0\0\0\0WEBP" + b"\0" * 100, "uploaded-file-invalid-file"),
        (b"\xff\xd8\xff" + b"\0" * pictures.MAX_BYTES, "uploaded-file-too-large"),
    ],
    ids=["gif", "text", "cut", "no jpeg", "no webp", "too large"],
)
async def test_what_cannot_be_shown_is_refused(
    client: httpx.AsyncClient, services: Services, data: bytes, slug: str
) -> None:
    reply = await show(client, await make(client), data)
    assert reply.status_code == 400
    assert reply.json()["type"].endswith("/" + slug)
    assert reply.json()["name"] == "file"
    assert await stored_files(services) == []


async def test_too_many_pixels_are_refused(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "MAX_PIXELS", 64 * 32 - 1)
    reply = await show(client, await make(client), picture("PNG"))
    assert reply.status_code == 400
    assert reply.json()["detail"] == "The picture has too many pixels."


@pytest.mark.parametrize("bomb", BOMBS)
async def test_a_bomb_is_refused_unpacked(
    client: httpx.AsyncClient, services: Services, bomb: str
) -> None:
    video_id, data = await make(client), BOMBS[bomb]()
    with little_memory():
        reply = await show(client, video_id, data)
    assert (reply.status_code, reply.json()["name"]) == (400, "file")
    assert reply.json()["type"].endswith("/uploaded-file-invalid-file")
    assert await stored_files(services) == []


@pytest.mark.parametrize(
    ("timecode", "at_ms"),
    [("124", 124_000), ("00:15:22.05", 922_050), ("100:00:00", 360_000_000), ("00:00:01:5", 1200)],
)
async def test_a_frame_may_be_picked_before_there_is_media(
    client: httpx.AsyncClient, db: Database, timecode: str, at_ms: int
) -> None:
    video_id = await make(client)
    await show(client, video_id, picture("PNG"))
    reply = await client.patch(f"/videos/{video_id}/thumbnail", json={"timecode": timecode})
    assert reply.status_code == 200
    assert await column(db, video_id, "thumbnail_at_ms") == at_ms
    assert await column(db, video_id, "thumbnail_key") is None


@pytest.mark.parametrize("timecode", ["", "soon", "00:60:00", "12345678", "٣", "1\n", "\0"])
async def test_what_is_no_timecode_is_refused(client: httpx.AsyncClient, timecode: str) -> None:
    url = f"/videos/{await make(client)}/thumbnail"
    reply = await client.patch(url, json={"timecode": timecode})
    assert reply.status_code == 400
    assert reply.json()["name"] == "timecode"


async def test_without_a_timecode_it_is_required(client: httpx.AsyncClient) -> None:
    reply = await client.patch(f"/videos/{await make(client)}/thumbnail", json={})
    assert reply.json()["title"] == "This attribute is required."
