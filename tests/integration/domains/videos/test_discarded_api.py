import io
from datetime import datetime, timedelta

import httpx
import pytest
from PIL import Image
from sqlalchemy import select

from telecine import clock
from telecine.db.engine import Database
from telecine.domains.accounts import operations as accounts
from telecine.domains.videos import expiry
from telecine.domains.videos.delivered import delivered_video
from telecine.domains.videos.models import Video
from telecine.http.services import Services
from tests.fixtures.application import BASE, ProjectKeys
from tests.fixtures.waiting import until

pytestmark = pytest.mark.anyio


async def make(client: httpx.AsyncClient, title: str = "A", **values: object) -> str:
    reply = await client.post("/videos", json={"title": title, **values})
    assert reply.status_code == 201, reply.text
    return str(reply.json()["videoId"])


async def ids_of(client: httpx.AsyncClient, path: str, query: str = "") -> list[str]:
    reply = await client.get(f"{path}?{query}")
    assert reply.status_code == 200, reply.text
    body = reply.json()
    assert body["pagination"]["itemsTotal"] == len(body["data"])
    return [video["videoId"] for video in body["data"]]


@pytest.fixture
async def restorable(db: Database, project: ProjectKeys) -> None:
    async with db.transaction() as tx:
        await accounts.update_settings(tx, project.public_id, {"video_restore": True})


async def discard(client: httpx.AsyncClient, title: str = "A", **values: object) -> str:
    video_id = await make(client, title, **values)
    reply = await client.delete(f"/videos/{video_id}")
    assert (reply.status_code, reply.content) == (204, b"")
    return video_id


async def test_by_default_deleting_is_for_good(client: httpx.AsyncClient) -> None:
    video_id = await discard(client)
    assert await ids_of(client, "/discarded/videos") == []
    assert (await client.get(f"/discarded/videos/{video_id}")).status_code == 404


@pytest.mark.usefixtures("restorable")
async def test_a_discarded_video_is_shown_among_the_discarded_only(
    client: httpx.AsyncClient, db: Database
) -> None:
    kept, video_id = await make(client), await discard(client)
    assert await ids_of(client, "/videos") == [kept]
    assert await ids_of(client, "/discarded/videos") == [video_id]
    for path in (f"/videos/{video_id}", f"/videos/{video_id}/status", f"/discarded/videos/{kept}"):
        reply = await client.get(path)
        assert (reply.status_code, reply.json()["name"]) == (404, "videoId"), path
    assert (await client.patch(f"/videos/{video_id}", json={"title": "B"})).status_code == 404
    assert (await client.delete(f"/videos/{video_id}")).status_code == 404
    body = (await client.get(f"/discarded/videos/{video_id}")).json()
    assert (body["discarded"], body["assets"]) == (True, None)
    times = [datetime.fromisoformat(body[name]) for name in ("discardedAt", "deletesAt")]
    assert times[1] - times[0] == timedelta(days=90)
    async with db.transaction() as tx:
        assert await delivered_video(tx, video_id) is None
        assert await delivered_video(tx, kept) is not None


@pytest.mark.usefixtures("restorable")
async def test_how_long_it_can_be_restored_is_a_setting(
    client: httpx.AsyncClient, services: Services
) -> None:
    object.__setattr__(services, "discarded_kept", timedelta(days=3))
    body = (await client.get(f"/discarded/videos/{await discard(client)}")).json()
    times = [datetime.fromisoformat(body[name]) for name in ("discardedAt", "deletesAt")]
    assert times[1] - times[0] == timedelta(days=3)


@pytest.mark.usefixtures("restorable")
async def test_a_restored_video_is_as_it_was(client: httpx.AsyncClient, db: Database) -> None:
    video_id = await make(client, "Back", tags=["a"], public=False)
    before = (await client.get(f"/videos/{video_id}")).json()
    await client.delete(f"/videos/{video_id}")
    reply = await client.patch(f"/discarded/videos/{video_id}", json={"discarded": False})
    assert reply.status_code == 200, reply.text
    after = (await client.get(f"/videos/{video_id}")).json()
    for body in (reply.json(), after):
        assert (body["discarded"], body["discardedAt"], body["deletesAt"]) == (False, None, None)
        assert body["assets"].keys() == before["assets"].keys()
        for name in before.keys() - {"assets", "updatedAt"}:
            assert body[name] == before[name], name
    assert await ids_of(client, "/videos") == [video_id]
    assert await ids_of(client, "/discarded/videos") == []
    again = await client.patch(f"/discarded/videos/{video_id}", json={"discarded": False})
    assert again.status_code == 404
    async with db.transaction() as tx:
        assert await delivered_video(tx, video_id) is not None


@pytest.mark.usefixtures("restorable")
async def test_viewers_see_it_go_and_come_back(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    """Also those whose process has it in memory, with what hangs on it; a page says what it is."""
    video_id = await make(client, "Back")
    files = {"file": b"WEBVTT\n\n00:01.000 --> 00:04.000\nhello\n"}
    for kind in ("captions", "chapters"):
        reply = await client.post(f"/videos/{video_id}/{kind}/en", files=files)
        assert reply.status_code == 200, reply.text
    picture = io.BytesIO()
    Image.new("RGB", (64, 36)).save(picture, "JPEG")
    thumbnail = f"/videos/{video_id}/thumbnail"
    assert (await client.post(thumbnail, files={"file": picture.getvalue()})).is_success
    media = {"hls/manifest.m3u8": 202, "player.json": 200, "thumbnail.jpg": 200} | {
        f"{kind}/en.vtt": 200 for kind in ("captions", "chapters")
    }
    page = f"/vod/{video_id}"
    paths = {page: 200, f"/{video_id}": 200} | {f"{page}/{name}": media[name] for name in media}

    async def seen() -> dict[str, int]:
        return {path: (await viewer.get(path)).status_code for path in paths}

    async def nothing() -> bool:
        return set((await seen()).values()) == {404}

    async def everything() -> bool:
        return await seen() == paths

    oembed = f"/oembed?url={BASE}{page}"
    for _ in range(2):
        await until(everything)
        assert (await viewer.get(oembed)).status_code == 200
        await client.delete(f"/videos/{video_id}")
        await until(nothing)
        reply = await viewer.get(page)
        assert reply.headers["content-type"].startswith("text/html")
        assert reply.headers["cache-control"] == "no-store"
        assert "Back" not in reply.text
        assert (await viewer.get(oembed)).status_code == 404
        reply = await client.patch(f"/discarded/videos/{video_id}", json={"discarded": False})
        assert reply.status_code == 200
    await until(everything)


@pytest.mark.usefixtures("restorable")
@pytest.mark.parametrize("value", [True, 0, "false", [], "no"])
async def test_any_other_value_is_refused(client: httpx.AsyncClient, value: object) -> None:
    path = f"/discarded/videos/{await discard(client)}"
    reply = await client.patch(path, json={"discarded": value})
    assert reply.status_code == 400
    body = reply.json()
    assert body["type"].endswith("/invalid-attribute")
    assert (body["title"], body["name"], body["detail"]) == (
        "An attribute is invalid.",
        "discarded",
        "Value must be false.",
    )
    assert (await client.get(path)).status_code == 200


@pytest.mark.usefixtures("restorable")
@pytest.mark.parametrize("body", [{}, {"discarded": None}])
async def test_the_value_is_required(client: httpx.AsyncClient, body: dict[str, None]) -> None:
    reply = await client.patch(f"/discarded/videos/{await discard(client)}", json=body)
    assert (reply.status_code, reply.json()["name"]) == (400, "discarded")


@pytest.mark.usefixtures("restorable")
async def test_the_discarded_are_filtered_and_sorted_as_others(client: httpx.AsyncClient) -> None:
    first = await discard(client, title="Film A", tags=["x", "y"])
    second = await discard(client, title="Film B", tags=["x"])
    await make(client, "Film C", tags=["x"])
    for query, expected in (
        ("", [second, first]),
        ("sortBy=title", [first, second]),
        ("tags[]=x&sortOrder=asc", [first, second]),
        ("tags[]=x&tags[]=y", [first]),
        ("title=b", [second]),
        ("title=C", []),
    ):
        assert await ids_of(client, "/discarded/videos", query) == expected, query
    reply = await client.get("/discarded/videos?sortBy=size")
    assert (reply.status_code, reply.json()["name"]) == (400, "sortBy")
    reply = await client.get("/discarded/videos?pageSize=10&currentPage=300")
    assert reply.json()["pagination"]["itemsTotal"] == 2
    assert reply.json()["pagination"]["links"][0]["uri"].startswith("/discarded/videos?")


@pytest.mark.usefixtures("restorable")
async def test_those_of_others_are_unknown(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, sandbox: httpx.AsyncClient
) -> None:
    video_id = await discard(client)
    for other in (stranger, sandbox):
        assert await ids_of(other, "/discarded/videos") == []
        path = f"/discarded/videos/{video_id}"
        assert (await other.get(path)).status_code == 404
        assert (await other.patch(path, json={"discarded": False})).status_code == 404
    assert await ids_of(client, "/discarded/videos") == [video_id]


@pytest.mark.usefixtures("restorable")
async def test_tags_of_discarded_videos_do_not_count(client: httpx.AsyncClient) -> None:
    video_id = await discard(client, tags=["rare"])
    assert (await client.get("/tags")).json()["data"] == []
    await client.patch(f"/discarded/videos/{video_id}", json={"discarded": False})
    assert (await client.get("/tags")).json()["data"] == [{"value": "rare", "videoCount": 1}]


@pytest.mark.usefixtures("restorable")
async def test_after_its_time_it_is_gone_for_good(client: httpx.AsyncClient, db: Database) -> None:
    video_id = await discard(client)
    assert await expiry.delete_discarded(db, clock.now() + timedelta(days=89)) == 0
    assert await expiry.delete_discarded(db, clock.now() + timedelta(days=91)) == 1
    assert (await client.get(f"/discarded/videos/{video_id}")).status_code == 404
    async with db.transaction() as tx:
        assert (await tx.scalars(select(Video.deleted_at))).one() is not None


@pytest.mark.usefixtures("restorable")
async def test_nothing_can_be_uploaded_into_a_discarded_video(client: httpx.AsyncClient) -> None:
    files = {"file": ("a.mp4", b"data")}
    reply = await client.post(f"/videos/{await discard(client)}/source", files=files)
    assert (reply.status_code, reply.json()["name"]) == (404, "videoId")
