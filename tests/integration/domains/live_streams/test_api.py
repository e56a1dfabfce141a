import io
import re
import uuid
from typing import Any

import httpx
import pytest
from PIL import Image
from sqlalchemy import text

from telecine.db.engine import Database
from telecine.domains.live_streams import broadcasting
from telecine.http.services import Services
from tests.fixtures.application import BASE, ProjectKeys
from tests.fixtures.bombs import BOMBS, little_memory

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

TARGET = {"name": "Elsewhere", "serverUrl": "rtmps://live.example.com/app", "streamKey": "key"}
OLD_PYTHON = {"AV-Origin-Client": "python:1.2.8"}
NEWER_PYTHON = {"AV-Origin-Client": "python:1.3.0"}

FORM = "[rtmp|rtmps]://[host]/[app name]."


async def make(client: httpx.AsyncClient, **members: Any) -> Json:
    reply = await client.post("/live-streams", json={"name": "Studio", **members})
    assert reply.status_code == 200, reply.text
    found: Json = reply.json()
    return found


async def test_a_live_stream_is_created_with_a_key_of_its_own(client: httpx.AsyncClient) -> None:
    made = await make(client)
    live_id = made["liveStreamId"]
    assert re.fullmatch("li[0-9A-Za-z]{22}", live_id)
    assert uuid.UUID(made["streamKey"]).version == 4
    assert made["restreams"] == []
    assert (made["public"], made["broadcasting"]) == (True, False)
    assert "playerId" not in made
    assert "record" not in made
    assert made["assets"] == {
        "iframe": f'<iframe src="{BASE}/live/{live_id}" width="100%" height="100%" frameborder="0" '
        'scrolling="no" allowfullscreen="true"></iframe>',
        "player": f"{BASE}/live/{live_id}",
        "hls": f"{BASE}/live/{live_id}.m3u8",
        "thumbnail": f"{BASE}/live/{live_id}/thumbnail.jpg",
    }
    assert (await client.get(f"/live-streams/{live_id}")).json() == made


async def test_what_is_secret_is_not_stored_in_the_clear(
    client: httpx.AsyncClient, db: Database
) -> None:
    made = await make(client, restreams=[TARGET])
    async with db.transaction() as tx:
        row = str((await tx.execute(text("SELECT * FROM live_stream"))).one())
    assert made["streamKey"] not in row
    assert TARGET["serverUrl"] not in row


async def test_its_key_opens_it_to_encoders(client: httpx.AsyncClient, db: Database) -> None:
    made = await make(client)
    async with db.transaction() as tx:
        found = await broadcasting.authorised(tx, made["streamKey"])
        unknown = await broadcasting.authorised(tx, str(uuid.uuid4()))
    assert found is not None
    assert found[0].public_id == made["liveStreamId"]
    assert unknown is None


async def test_assets_of_a_private_one_share_a_token(client: httpx.AsyncClient) -> None:
    made = await make(client, public=False)
    token = re.search(r"token=([0-9a-f-]{36})", made["assets"]["player"])
    assert token is not None
    live_id, base = made["liveStreamId"], f"{BASE}/live/private/{token[1]}"
    assert made["assets"]["hls"] == f"{base}/{live_id}.m3u8"
    assert made["assets"]["thumbnail"] == f"{base}/{live_id}/thumbnail.jpg"


async def test_changes_keep_what_is_absent(client: httpx.AsyncClient) -> None:
    made = await make(client, restreams=[TARGET], record=False)
    path = f"/live-streams/{made['liveStreamId']}"
    changed = (await client.patch(path, json={"name": "Stage", "public": False})).json()
    assert (changed["name"], changed["public"]) == ("Stage", False)
    assert changed["restreams"] == [TARGET]
    assert changed["streamKey"] == made["streamKey"]
    other = {**TARGET, "name": "Another"}
    assert (await client.patch(path, json={"restreams": [other]})).json()["restreams"] == [other]
    assert (await client.patch(path, json={"restreams": []})).json()["restreams"] == []
    assert (await client.patch(path, json={})).json()["name"] == "Stage"


async def test_themes_are_those_of_the_project(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    mine = (await client.post("/players", json={})).json()["playerId"]
    theirs = (await stranger.post("/players", json={})).json()["playerId"]
    made = await make(client, playerId=mine)
    assert made["playerId"] == mine
    reply = await client.post("/live-streams", json={"name": "x", "playerId": theirs})
    assert (reply.status_code, reply.json()["name"]) == (400, "playerId")
    path = f"/live-streams/{made['liveStreamId']}"
    assert (await client.patch(path, json={"playerId": theirs})).status_code == 400
    assert "playerId" not in (await client.patch(path, json={"playerId": None})).json()


@pytest.mark.parametrize(
    ("members", "name", "detail"),
    [
        ({"name": None}, "name", None),
        ({"name": " "}, "name", "This value should not be blank."),
        ({"public": "yes"}, "public", "This value must be of type boolean."),
        ({"restreams": {}}, "restreams", None),
        (
            {"restreams": [TARGET] * 6},
            "restreams",
            "This collection should contain 5 elements or less.",
        ),
        (
            {"restreams": [{**TARGET, "name": ""}]},
            "restreams[0][name]",
            "This value should not be blank.",
        ),
        (
            {"restreams": [TARGET, {**TARGET, "streamKey": None}]},
            "restreams[1][streamKey]",
            "This value should not be null.",
        ),
        (
            {"restreams": [{**TARGET, "serverUrl": "rtmp://live.example.com"}]},
            "restreams[0][serverUrl]",
            f"Missing app name: {FORM}",
        ),
        (
            {"restreams": [{**TARGET, "serverUrl": "https://live.example.com/app"}]},
            "restreams[0][serverUrl]",
            f"RTMP URL should have the following format: {FORM}",
        ),
    ],
)
async def test_bad_input_is_told_as_documented(
    client: httpx.AsyncClient, members: Json, name: str, detail: str | None
) -> None:
    reply = await client.post("/live-streams", json={"name": "Studio", **members})
    assert reply.status_code == 400, reply.text
    problem = reply.json()
    assert (problem["name"], problem.get("detail")) == (name, detail)
    assert (await client.get("/live-streams")).json()["data"] == []


async def test_lists_are_filtered_sorted_and_paged(client: httpx.AsyncClient) -> None:
    made = [await make(client, name=name) for name in ("Cherry", "apple", "Banana 50%")]

    async def names(query: str) -> list[str]:
        reply = await client.get(f"/live-streams?{query}")
        assert reply.status_code == 200, reply.text
        return [each["name"] for each in reply.json()["data"]]

    assert await names("") == ["Banana 50%", "apple", "Cherry"]
    assert await names("sortBy=createdAt&sortOrder=asc") == ["Cherry", "apple", "Banana 50%"]
    assert await names("sortBy=publishedAt") == await names("")
    assert sorted(await names("sortBy=name&sortOrder=asc")) == ["Banana 50%", "Cherry", "apple"]
    assert await names("name=ERR") == ["Cherry"]
    assert await names("name=50%25") == ["Banana 50%"]
    assert await names("name=%25") == ["Banana 50%"]
    assert await names(f"streamKey={made[1]['streamKey']}") == ["apple"]
    assert await names("streamKey=unknown") == []
    assert await names("currentPage=2&pageSize=2") == ["Cherry"]
    for query, name in (("sortBy=public", "sortBy"), ("sortOrder=up", "sortOrder")):
        reply = await client.get(f"/live-streams?{query}")
        assert (reply.status_code, reply.json()["name"]) == (400, name)


async def test_a_picture_comes_and_goes_and_leaves_nothing_behind(
    client: httpx.AsyncClient, services: Services
) -> None:
    output = io.BytesIO()
    Image.new("RGB", (64, 36), "red").save(output, "PNG")
    made = await make(client)
    path = f"/live-streams/{made['liveStreamId']}"
    for _ in range(2):
        files = {"file": ("picture.png", output.getvalue(), "image/png")}
        reply = await client.post(f"{path}/thumbnail", files=files)
        assert reply.status_code == 201, reply.text
        assert reply.json()["assets"]["thumbnail"].endswith("/thumbnail.jpg")
        assert len([entry async for entry in services.store.list("")]) == 1
    removed = await client.delete(f"{path}/thumbnail")
    assert removed.status_code == 200
    assert [entry async for entry in services.store.list("")] == []
    await client.post(f"{path}/thumbnail", files=files)
    assert (await client.delete(path)).status_code == 204
    assert [entry async for entry in services.store.list("")] == []
    bad = await client.post(f"{path}/thumbnail", files=files)
    assert (bad.status_code, bad.json()["name"]) == (404, "liveStreamId")


@pytest.mark.parametrize("bomb", BOMBS)
async def test_a_bomb_is_refused_unpacked(
    client: httpx.AsyncClient, services: Services, bomb: str
) -> None:
    path, data = f"/live-streams/{(await make(client))['liveStreamId']}/thumbnail", BOMBS[bomb]()
    with little_memory():
        reply = await client.post(path, files={"file": ("picture.png", data, "image/png")})
    assert (reply.status_code, reply.json()["name"]) == (400, "file")
    assert reply.json()["type"].endswith("/uploaded-file-invalid-file")
    assert [entry async for entry in services.store.list("")] == []


async def test_completing_asks_whoever_broadcasts_to_end(
    client: httpx.AsyncClient, project: ProjectKeys, db: Database
) -> None:
    made = await make(client)
    path = f"/live-streams/{made['liveStreamId']}"
    idle = await client.put(f"{path}/complete")
    assert (idle.status_code, idle.content) == (202, b"")
    async with db.transaction() as tx:
        event = await broadcasting.begin(tx, project.production_id, made["liveStreamId"], "node")
    assert event is not None
    assert (await client.get(path)).json()["broadcasting"] is True
    assert (await client.put(f"{path}/complete")).status_code == 202
    async with db.transaction() as tx:
        asked = await tx.scalar(text("SELECT completed_at IS NOT NULL FROM broadcast"))
    assert asked is True
    assert (await client.put("/live-streams/liUnknown/complete")).status_code == 404


async def test_a_deleted_one_is_gone_for_all(client: httpx.AsyncClient, db: Database) -> None:
    made = await make(client)
    path = f"/live-streams/{made['liveStreamId']}"
    assert (await client.delete(path)).status_code == 204
    for method in ("GET", "DELETE"):
        reply = await client.request(method, path)
        assert (reply.status_code, reply.json()["name"]) == (404, "liveStreamId")
    async with db.transaction() as tx:
        assert await broadcasting.authorised(tx, made["streamKey"]) is None


async def test_old_python_clients_get_what_they_can_read(client: httpx.AsyncClient) -> None:
    made = await make(client, restreams=[TARGET], record=False)
    path = f"/live-streams/{made['liveStreamId']}"
    old = (await client.get(path, headers=OLD_PYTHON)).json()
    assert "restreams" not in old
    assert old["record"] is False
    newer = (await client.get(path, headers=NEWER_PYTHON)).json()
    assert newer["restreams"] == [TARGET]
