import json

import httpx
import pytest

from tests.fixtures.application import BASE
from tests.fixtures.viewing import island
from tests.fixtures.waiting import until

pytestmark = pytest.mark.anyio

KEYS = [
    "videoId",
    "title",
    "description",
    "public",
    "panoramic",
    "mp4Support",
    "publishedAt",
    "createdAt",
    "updatedAt",
    "tags",
    "metadata",
    "source",
    "assets",
    "language",
    "languageOrigin",
    "discarded",
    "discardedAt",
    "deletesAt",
]


async def make(client: httpx.AsyncClient, **values: object) -> dict[str, object]:
    reply = await client.post("/videos", json={"title": "A video", **values})
    assert reply.status_code == 201, reply.text
    document: dict[str, object] = reply.json()
    return document


async def test_a_new_video_has_the_documented_members_in_order(client: httpx.AsyncClient) -> None:
    reply = await client.post("/videos", json={"title": "Maths"})
    assert reply.status_code == 201
    assert reply.headers["content-type"] == "application/json"
    video = reply.json()
    video_id = video["videoId"]
    assert list(video) == KEYS
    assert video_id.startswith("vi")
    assert len(video_id) == 24
    assert video["description"] == ""
    assert (video["public"], video["panoramic"], video["mp4Support"]) == (True, False, True)
    assert video["publishedAt"] == video["createdAt"] == video["updatedAt"]
    assert video["createdAt"].endswith("+00:00")
    assert len(video["createdAt"]) == 25
    assert video["source"] == {"uri": f"/videos/{video_id}/source", "type": "upload"}
    player = f"{BASE}/vod/{video_id}"
    assert video["assets"] == {
        "iframe": f'<iframe src="{player}" width="100%" height="100%" frameborder="0" '
        'scrolling="no" allowfullscreen="true"></iframe>',
        "player": player,
        "hls": f"{BASE}/vod/{video_id}/hls/manifest.m3u8",
        "thumbnail": f"{BASE}/vod/{video_id}/thumbnail.jpg",
        "mp4": f"{BASE}/vod/{video_id}/mp4/source.mp4",
    }


async def test_what_was_given_comes_back(client: httpx.AsyncClient) -> None:
    given = {
        "description": "Strings <b>",
        "public": False,
        "panoramic": True,
        "mp4Support": False,
        "tags": ["maths", "ça va"],
        "metadata": [{"key": "Author", "value": "John"}, {"key": "Author", "value": "Jane"}],
        "language": "fr",
    }
    video = await make(client, **given, publishedAt="2019-12-16T08:25:51Z", unknown=1)
    assert {name: video[name] for name in given} == given
    assert video["languageOrigin"] == "api"
    assert video["publishedAt"] == "2019-12-16T08:25:51+00:00"
    again = (await client.get(f"/videos/{video['videoId']}")).json()
    without = {name: value for name, value in again.items() if name != "assets"}
    assert without == {name: value for name, value in video.items() if name != "assets"}


async def test_viewers_look_around_in_what_is_panoramic(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    for named in (False, True):
        video = await make(client, panoramic=named)
        path = f"/vod/{video['videoId']}"
        for wanted in (named, not named, named):
            changed = await client.patch(f"/videos/{video['videoId']}", json={"panoramic": wanted})
            assert changed.json()["panoramic"] is wanted

            async def told(path: str = path, wanted: bool = wanted) -> bool:
                page = island(await viewer.get(path))
                descriptor = (await viewer.get(f"{path}/player.json")).json()
                return page["panoramic"] is descriptor["panoramic"] is wanted

            await until(told)


async def test_the_urls_of_a_private_video_share_a_token_that_is_new_each_time(
    client: httpx.AsyncClient,
) -> None:
    video = await make(client, public=False)
    path = f"/videos/{video['videoId']}"
    seen = set()
    for _ in range(2):
        assets = (await client.get(path)).json()["assets"]
        token = assets["player"].partition("?token=")[2]
        root = f"{BASE}/vod/{video['videoId']}"
        assert assets["hls"] == f"{root}/token/{token}/hls/manifest.m3u8"
        assert assets["thumbnail"] == f"{root}/token/{token}/thumbnail.jpg"
        assert assets["mp4"] == f"{root}/token/{token}/mp4/source.mp4"
        assert f'src="{root}?token={token}"' in assets["iframe"]
        seen.add(token)
    assert len(seen) == 2


async def test_a_missing_title_is_required(client: httpx.AsyncClient) -> None:
    for body in ({}, {"title": None}):
        reply = await client.post("/videos", json=body)
        assert reply.status_code == 400
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json() == {
            "type": "https://docs.api.video/reference/attribute-required",
            "title": "This attribute is required.",
            "name": "title",
            "status": 400,
        }


async def test_all_that_is_wrong_is_told_in_the_order_of_the_attributes(
    client: httpx.AsyncClient,
) -> None:
    body = {
        "metadata": [{"key": "a", "value": 1}],
        "publishedAt": "yesterday",
        "tags": "maths",
        "public": "yes",
    }
    problem = (await client.post("/videos", json=body)).json()
    attribute = "https://docs.api.video/reference/invalid-attribute"
    assert problem["title"] == "This attribute is required."
    assert problem["problems"][1:] == [
        {
            "type": attribute,
            "title": "An attribute is invalid.",
            "name": "public",
            "detail": "This value must be of type boolean.",
        },
        {"type": attribute, "title": "This attribute must be an array.", "name": "tags"},
        {
            "type": attribute,
            "title": "An attribute is invalid.",
            "name": "metadata[0][value]",
            "detail": "This value must be of type string.",
        },
        {
            "type": attribute,
            "title": "This attribute must be a ISO-8601 date.",
            "name": "publishedAt",
        },
    ]


async def test_texts_at_their_limits_fit_into_every_index(client: httpx.AsyncClient) -> None:
    # Characters that do not compress: PostgreSQL limits index entries in bytes.
    astral = [chr(0x20000 + (i * 7919) % 40000) for i in range(625)]
    video = await make(
        client,
        title="".join(astral),
        tags=["".join(astral[:255])],
        description="".join(chr(0x4E00 + (i * 7919) % 20000) for i in range(10_000)),
        metadata=[{"key": "".join(astral[:255]), "value": "".join(astral[:370])}],
    )
    reply = await client.get("/videos", params={"title": "".join(astral[100:110])})
    assert [item["videoId"] for item in reply.json()["data"]] == [video["videoId"]]
    too_long = [{"key": "k", "value": "".join(astral)}]
    reply = await client.post("/videos", json={"title": "A", "metadata": too_long})
    assert reply.status_code == 400
    assert reply.json()["name"] == "metadata[0]"


@pytest.mark.parametrize("media_type", ["text/plain", "application/octet-stream", "", None])
async def test_json_is_read_under_any_media_type(
    client: httpx.AsyncClient, media_type: str | None
) -> None:
    headers = {} if media_type is None else {"content-type": media_type}
    reply = await client.post("/videos", content=b'{"title": "A"}', headers=headers)
    assert reply.status_code == 201


async def test_a_body_above_a_mebibyte_is_refused(client: httpx.AsyncClient) -> None:
    reply = await client.post("/videos", json={"title": "A", "description": "x" * 1_100_000})
    assert reply.status_code == 413
    assert reply.json()["title"] == "The payload is too large."


async def test_a_patch_keeps_what_is_absent_and_clears_what_is_null(
    client: httpx.AsyncClient,
) -> None:
    video = await make(
        client, description="d", tags=["a"], metadata=[{"key": "k", "value": "v"}], language="en"
    )
    path = f"/videos/{video['videoId']}"
    reply = await client.patch(path, json={"title": "Other"})
    assert reply.status_code == 200
    changed = reply.json()
    assert changed["title"] == "Other"
    for name in ("description", "tags", "metadata", "language", "createdAt", "publishedAt"):
        assert changed[name] == video[name]
    cleared: dict[str, object] = {
        "description": None,
        "tags": [],
        "metadata": None,
        "language": None,
    }
    changed = (await client.patch(path, json={**cleared, "playerId": None})).json()
    assert changed["description"] == ""
    assert changed["tags"] == changed["metadata"] == []
    assert changed["language"] is changed["languageOrigin"] is None


async def test_a_patch_cannot_clear_a_title_or_a_switch(client: httpx.AsyncClient) -> None:
    path = f"/videos/{(await make(client))['videoId']}"
    before = (await client.get(path)).json()
    for name in ("title", "public"):
        reply = await client.patch(path, json={name: None, "description": "new"})
        assert reply.status_code == 400
        assert reply.json()["name"] == name
    assert (await client.get(path)).json() == before


async def test_without_mp4_support_there_is_no_mp4(client: httpx.AsyncClient) -> None:
    path = f"/videos/{(await make(client))['videoId']}"
    assert "mp4" not in (await client.patch(path, json={"mp4Support": False})).json()["assets"]


async def test_a_deleted_video_is_gone(client: httpx.AsyncClient) -> None:
    path = f"/videos/{(await make(client))['videoId']}"
    reply = await client.delete(path)
    assert reply.status_code == 204
    assert reply.content == b""
    assert "content-type" not in reply.headers
    for method, url in (("GET", path), ("DELETE", path), ("GET", path + "/status")):
        assert (await client.request(method, url)).status_code == 404
    assert (await client.get("/videos")).json()["pagination"]["itemsTotal"] == 0


OPERATIONS = [
    ("GET", "", None),
    ("PATCH", "", {"title": "Mine"}),
    ("DELETE", "", None),
    ("GET", "/status", None),
    ("POST", "/source", None),
    ("POST", "/thumbnail", None),
    ("PATCH", "/thumbnail", {"timecode": "1"}),
]


@pytest.mark.parametrize(("method", "suffix", "body"), OPERATIONS)
async def test_anothers_video_is_unknown(
    client: httpx.AsyncClient,
    stranger: httpx.AsyncClient,
    sandbox: httpx.AsyncClient,
    method: str,
    suffix: str,
    body: object,
) -> None:
    video = await make(client)
    for other in (stranger, sandbox):
        path = f"/videos/{video['videoId']}{suffix}"
        content = None if body is None else json.dumps(body)
        reply = await other.request(method, path, content=content)
        assert reply.status_code == 404
        assert reply.json() == {
            "type": "https://docs.api.video/reference/resource-not-found",
            "title": "The requested resource was not found.",
            "name": "videoId",
            "status": 404,
        }
        assert (await other.get("/videos")).json()["data"] == []
    assert (await client.get(f"/videos/{video['videoId']}")).json()["title"] == "A video"


@pytest.mark.parametrize("video_id", ["vi", "nonsense", "vi%00", "vi%FF", "a" * 300, "%ED%A0%80"])
async def test_a_malformed_id_is_unknown(client: httpx.AsyncClient, video_id: str) -> None:
    reply = await client.get(f"/videos/{video_id}")
    assert reply.status_code == 404
    assert reply.json()["name"] == "videoId"


async def test_an_empty_container_has_received_nothing(client: httpx.AsyncClient) -> None:
    reply = await client.get(f"/videos/{(await make(client))['videoId']}/status")
    assert reply.json() == {
        "ingest": None,
        "encoding": {
            "playable": False,
            "qualities": [],
            "metadata": dict.fromkeys(
                (
                    "width",
                    "height",
                    "bitrate",
                    "duration",
                    "framerate",
                    "samplerate",
                    "videoCodec",
                    "audioCodec",
                    "aspectRatio",
                )
            ),
        },
    }


OLD = {"User-Agent": '"api.video client (python; v:1.2.0; )"'}


async def test_old_python_clients_get_nothing_they_refuse(client: httpx.AsyncClient) -> None:
    for headers in (OLD, {"AV-Origin-Client": "python:1.3.0"}):
        reply = await client.post("/videos", json={"title": "A"}, headers=headers)
        video = reply.json()
        modern = ["language", "languageOrigin", "discarded", "discardedAt", "deletesAt"]
        assert list(video) == [name for name in KEYS if name not in modern]
        listed = (await client.get("/videos", headers=headers)).json()["data"]
        assert "language" not in listed[0]
        status = await client.get(f"/videos/{video['videoId']}/status", headers=headers)
        assert status.json() == {"encoding": {"playable": False, "qualities": [], "metadata": {}}}


@pytest.mark.parametrize("client_name", ["python:1.3.2", "nodejs:2.1.1", "go:1.2.0", "python:x"])
async def test_other_clients_get_everything(client: httpx.AsyncClient, client_name: str) -> None:
    headers = {"AV-Origin-Client": client_name}
    assert list((await client.post("/videos", json={"title": "A"}, headers=headers)).json()) == KEYS
