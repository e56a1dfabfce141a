import io
from typing import Any

import httpx
import pytest
from PIL import Image
from sqlalchemy import select

from telecine.db.engine import Database
from telecine.domains.encodings.models import Asset
from telecine.domains.watermarks import pictures
from telecine.domains.watermarks.models import Watermark, WatermarkUse
from telecine.http.services import Services
from tests.fixtures.bombs import BOMBS, little_memory
from tests.fixtures.media import barcode_mp4

pytestmark = pytest.mark.anyio

UNKNOWN = "This value must refer to an existing watermark."


def picture(kind: str = "PNG", size: tuple[int, int] = (64, 32)) -> bytes:
    output = io.BytesIO()
    Image.new("RGB", size, "red").save(output, kind)
    return output.getvalue()


async def post(client: httpx.AsyncClient, data: bytes, name: str = "file") -> httpx.Response:
    files = {name: ("logo.txt", data, "application/octet-stream")}
    return await client.post("/watermarks", files=files)


async def make(client: httpx.AsyncClient, data: bytes | None = None) -> str:
    reply = await post(client, picture() if data is None else data)
    assert reply.status_code == 200, reply.text
    return str(reply.json()["watermarkId"])


async def listed(client: httpx.AsyncClient, query: str = "") -> list[str]:
    reply = await client.get(f"/watermarks?{query}")
    assert reply.status_code == 200, reply.text
    return [each["watermarkId"] for each in reply.json()["data"]]


async def stored_files(services: Services) -> list[str]:
    return [entry.key async for entry in services.store.list("")]


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("name", ["file", "logo.txt"])
async def test_a_picture_is_known_by_its_content_and_stored_as_png(
    client: httpx.AsyncClient, services: Services, db: Database, kind: str, name: str
) -> None:
    reply = await post(client, picture(kind), name)
    assert reply.status_code == 200, reply.text
    body = reply.json()
    assert list(body) == ["watermarkId", "createdAt"]
    assert body["watermarkId"].startswith("watermark_")
    assert len(body["watermarkId"]) == len("watermark_") + 22
    assert body["createdAt"].endswith("+00:00")
    async with db.transaction() as tx:
        row = (await tx.scalars(select(Watermark))).one()
    assert (row.width_px, row.height_px) == (64, 32)
    with Image.open(io.BytesIO(await services.store.read(row.key))) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGBA", (64, 32))


@pytest.mark.parametrize(
    ("data", "slug"),
    [
        (b"GIF89a", "uploaded-file-extension-invalid"),
        (b"RIFF\0\0\0\0WEBP" + b"\0" * 100, "uploaded-file-extension-invalid"),
        (picture()[:40], "uploaded-file-invalid-file"),
        (b"\xff\xd8\xff" + b"\0" * 100, "uploaded-file-invalid-file"),
        (b"\xff\xd8\xff" + b"\0" * pictures.MAX_BYTES, "uploaded-file-too-large"),
        (b"", "uploaded-file-empty"),
    ],
    ids=["gif", "webp", "cut", "no jpeg", "too large", "empty"],
)
async def test_what_cannot_be_drawn_is_refused(
    client: httpx.AsyncClient, services: Services, data: bytes, slug: str
) -> None:
    reply = await post(client, data)
    assert reply.status_code == 400
    body = reply.json()
    assert body["type"].endswith("/" + slug)
    assert body["name"] == "file"
    if slug == "uploaded-file-extension-invalid":
        title = "Only [jpeg, jpg, JPG, JPEG, png, PNG] extensions are supported."
        assert body["title"] == title
    assert await listed(client) == []
    assert await stored_files(services) == []


@pytest.mark.parametrize("bomb", BOMBS)
async def test_a_bomb_is_refused_unpacked(
    client: httpx.AsyncClient, services: Services, bomb: str
) -> None:
    data = BOMBS[bomb]()
    with little_memory():
        reply = await post(client, data)
    assert (reply.status_code, reply.json()["name"]) == (400, "file")
    assert reply.json()["type"].endswith("/uploaded-file-invalid-file")
    assert await stored_files(services) == []


async def test_they_are_listed_by_age(client: httpx.AsyncClient) -> None:
    made = [await make(client) for _ in range(3)]
    assert await listed(client) == made[::-1]
    assert await listed(client, "sortBy=createdAt&sortOrder=desc") == made[::-1]
    assert await listed(client, "sortOrder=asc") == made
    assert await listed(client, "sortOrder=asc&pageSize=10&currentPage=2") == []
    reply = await client.get("/watermarks?pageSize=10")
    assert reply.json()["pagination"]["itemsTotal"] == 3
    assert reply.json()["pagination"]["links"][0]["uri"].startswith("/watermarks?")


@pytest.mark.parametrize(("name", "value"), [("sortBy", "name"), ("sortOrder", "up")])
async def test_other_orders_are_refused(client: httpx.AsyncClient, name: str, value: str) -> None:
    reply = await client.get(f"/watermarks?{name}={value}")
    assert reply.status_code == 400
    assert reply.json()["name"] == name


async def test_one_that_is_deleted_is_unknown(client: httpx.AsyncClient) -> None:
    kept, gone = await make(client), await make(client)
    reply = await client.delete(f"/watermarks/{gone}")
    assert (reply.status_code, reply.content) == (204, b"")
    assert await listed(client) == [kept]
    again = await client.delete(f"/watermarks/{gone}")
    assert again.status_code == 404
    assert again.json()["name"] == "watermarkId"
    reply = await client.post("/videos", json={"title": "t", "watermark": {"id": gone}})
    assert (reply.status_code, reply.json()["name"]) == (400, "watermark[id]")


async def test_those_of_others_are_unknown(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, sandbox: httpx.AsyncClient
) -> None:
    mine = await make(client)
    for other in (stranger, sandbox):
        assert await listed(other) == []
        assert (await other.delete(f"/watermarks/{mine}")).status_code == 404
        reply = await other.post("/videos", json={"title": "t", "watermark": {"id": mine}})
        assert reply.status_code == 400
        assert (reply.json()["name"], reply.json()["detail"]) == ("watermark[id]", UNKNOWN)
    assert await listed(client) == [mine]


@pytest.mark.parametrize(
    ("wish", "name"),
    [
        ({}, "watermark[id]"),
        ({"id": None}, "watermark[id]"),
        ({"id": 5}, "watermark[id]"),
        ({"id": "watermark_\0"}, "watermark[id]"),
        ({"id": "w", "top": "10"}, "watermark[top]"),
        ({"id": "w", "left": "-10px"}, "watermark[left]"),
        ({"id": "w", "bottom": "initial"}, "watermark[bottom]"),
        ({"id": "w", "right": "10em"}, "watermark[right]"),
        ({"id": "w", "width": "wide"}, "watermark[width]"),
        ({"id": "w", "height": 10}, "watermark[height]"),
        ({"id": "w", "opacity": "101%"}, "watermark[opacity]"),
        ({"id": "w", "opacity": "10px"}, "watermark[opacity]"),
        ("w", "watermark"),
    ],
)
async def test_wishes_that_mean_nothing_are_refused(
    client: httpx.AsyncClient, wish: Any, name: str
) -> None:
    reply = await client.post("/videos", json={"title": "t", "watermark": wish})
    assert reply.status_code == 400
    assert reply.json()["name"] == name
    assert (await client.get("/videos")).json()["data"] == []


async def options_of(db: Database, video_id: str) -> dict[str, Any]:
    async with db.transaction() as tx:
        rows = await tx.scalars(select(Asset.options).where(Asset.public_id == video_id))
        options: dict[str, Any] = rows.one()
        return options


async def upload(client: httpx.AsyncClient, video_id: str) -> None:
    files = {"file": ("a.mp4", barcode_mp4(frames=30, audio=False).read_bytes())}
    reply = await client.post(f"/videos/{video_id}/source", files=files)
    assert reply.status_code == 201, reply.text


async def test_a_video_gets_the_watermark_even_if_that_was_deleted_meanwhile(
    client: httpx.AsyncClient, services: Services, db: Database
) -> None:
    watermark = await make(client)
    wish = {"id": watermark, "top": "0px", "left": "5%", "width": "initial", "bottom": None}
    made = await client.post("/videos", json={"title": "t", "watermark": wish})
    assert made.status_code == 201, made.text
    assert (await client.delete(f"/watermarks/{watermark}")).status_code == 204
    await upload(client, made.json()["videoId"])
    options = await options_of(db, made.json()["videoId"])
    assert options["watermarks"] == [
        {
            "id": watermark,
            "top": "0px",
            "left": "5%",
            "width": "initial",
            "key": options["watermarks"][0]["key"],
            "width_px": 64,
            "height_px": 32,
        }
    ]
    assert await services.store.read(options["watermarks"][0]["key"])


async def test_a_copy_has_the_original_s_watermark_below_its_own(
    client: httpx.AsyncClient, db: Database
) -> None:
    first, second = await make(client), await make(client)
    body = {"title": "t", "watermark": {"id": first, "opacity": "70%"}}
    original = (await client.post("/videos", json=body)).json()["videoId"]
    await client.delete(f"/watermarks/{first}")
    body = {"title": "t", "source": original, "watermark": {"id": second}}
    reply = await client.post("/videos", json=body)
    assert reply.status_code == 202, reply.text
    async with db.transaction() as tx:
        used = (await tx.execute(select(WatermarkUse.video_id, WatermarkUse.watermark_id))).all()
    assert sorted(len([u for u in used if u[0] == v]) for v in {u[0] for u in used}) == [1, 2]
    same = {"title": "t", "source": reply.json()["videoId"], "watermark": {"id": second}}
    for _ in range(6):
        reply = await client.post("/videos", json=same)
        assert reply.status_code == 202, reply.text
        same["source"] = reply.json()["videoId"]
    reply = await client.post("/videos", json=same)
    assert (reply.status_code, reply.json()["name"]) == (400, "watermark")
