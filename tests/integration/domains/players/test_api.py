import io
from typing import Any

import httpx
import pytest
from PIL import Image

from telecine.domains.players import logos, themes
from tests.fixtures.application import BASE
from tests.fixtures.bombs import BOMBS, little_memory

pytestmark = pytest.mark.anyio

WHITE = "rgba(255, 255, 255, 1)"
DEFAULTS = {
    "text": WHITE,
    "link": WHITE,
    "linkHover": WHITE,
    "linkActive": WHITE,
    "trackPlayed": "rgba(88, 131, 255, .95)",
    "trackUnplayed": "rgba(255, 255, 255, .35)",
    "trackBackground": "rgba(255, 255, 255, .2)",
    "backgroundTop": "rgba(0, 0, 0, .7)",
    "backgroundBottom": "rgba(0, 0, 0, .7)",
    "backgroundText": WHITE,
    "enableApi": True,
    "enableControls": True,
    "forceAutoplay": False,
    "hideTitle": False,
    "forceLoop": False,
}
EXTENSIONS = "Only ['jpg', 'JPG', 'jpeg', 'JPEG', 'png', 'PNG'] extensions are supported."


def picture(size: tuple[int, int] = (100, 50), kind: str = "PNG") -> bytes:
    output = io.BytesIO()
    Image.new("RGB", size, "red").save(output, kind)
    return output.getvalue()


async def make(client: httpx.AsyncClient, **members: Any) -> dict[str, Any]:
    reply = await client.post("/players", json=members)
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def give_logo(
    client: httpx.AsyncClient, player_id: str, data: bytes, **fields: str
) -> httpx.Response:
    files = {"file": ("logo", data, "application/octet-stream")}
    return await client.post(f"/players/{player_id}/logo", files=files, data=fields)


async def test_an_empty_theme_is_the_default(client: httpx.AsyncClient) -> None:
    made = await make(client)
    stamps = ["createdAt", "updatedAt"]
    assert list(made) == ["playerId", *stamps, *DEFAULTS, "assets"]
    assert made["playerId"].startswith("pl")
    assert len(made["playerId"]) == 24
    assert all(made[name].endswith("+00:00") for name in stamps)
    assert {name: made[name] for name in DEFAULTS} == DEFAULTS == themes.DEFAULTS
    assert made["assets"] == {}
    assert (await client.get(f"/players/{made['playerId']}")).json() == made


async def test_every_member_can_be_chosen_and_is_kept_as_it_was_given(
    client: httpx.AsyncClient,
) -> None:
    chosen: dict[str, Any] = {name: f"RGBA(1,2,{n}, .5)" for n, name in enumerate(themes.COLOURS)}
    chosen |= {name: not default for name, default in themes.SWITCHES.items()}
    made = await make(client, name="Dark", **chosen, shapeMargin=10, language="en", nonsense=1)
    assert {name: made[name] for name in chosen} == chosen
    assert made["name"] == "Dark"
    assert not {"shapeMargin", "language", "nonsense"} & made.keys()


async def test_a_change_keeps_what_is_absent_and_resets_what_is_null(
    client: httpx.AsyncClient,
) -> None:
    made = await make(client, name="n", text="red", enableApi=False, hideTitle=True)
    path = f"/players/{made['playerId']}"
    changed = (
        await client.patch(path, json={"link": "#00f", "text": None, "enableApi": None})
    ).json()
    wanted = {**made, "link": "#00f", "text": WHITE, "enableApi": True}
    assert changed == {**wanted, "updatedAt": changed["updatedAt"]}
    assert changed["updatedAt"] >= made["updatedAt"]
    unnamed = (await client.patch(path, json={"name": None})).json()
    assert "name" not in unnamed
    assert unnamed["hideTitle"] is True


@pytest.mark.parametrize(
    ("member", "value", "detail"),
    [
        ("text", "red;}", "This value must be a CSS colour, such as rgba(88, 131, 255, .95)."),
        ("linkHover", "url(x)", None),
        ("trackPlayed", 5, "This value must be of type string."),
        ("backgroundTop", "r" * 65, "This value should not contain more than 64 characters."),
        ("enableApi", "true", "This value must be of type boolean."),
        ("forceLoop", 1, "This value must be of type boolean."),
        ("name", "n" * 101, "This value should not contain more than 100 characters."),
        ("name", "\0", None),
    ],
)
async def test_what_is_no_colour_or_switch_is_refused(
    client: httpx.AsyncClient, member: str, value: Any, detail: str | None
) -> None:
    made = await make(client)
    for reply in (
        await client.post("/players", json={member: value}),
        await client.patch(f"/players/{made['playerId']}", json={member: value}),
    ):
        assert reply.status_code == 400
        body = reply.json()
        assert body["type"].endswith("/invalid-attribute")
        assert body["name"] == member
        assert body["detail"] == (detail or body["detail"])
    assert (await client.get("/players")).json()["pagination"]["itemsTotal"] == 1


async def test_they_are_listed_in_every_order(client: httpx.AsyncClient) -> None:
    made = [await make(client, **members) for members in ({"name": "b"}, {"name": "a"}, {})]
    oldest_first = [each["playerId"] for each in made]
    await client.patch(f"/players/{oldest_first[0]}", json={})

    async def listed(query: str) -> list[str]:
        reply = await client.get(f"/players?{query}")
        assert reply.status_code == 200, reply.text
        return [each["playerId"] for each in reply.json()["data"]]

    first, second, third = oldest_first
    assert await listed("") == await listed("sortBy=createdAt") == [third, second, first]
    assert await listed("sortOrder=asc") == oldest_first
    assert await listed("sortBy=updatedAt") == [first, third, second]
    assert await listed("sortBy=name") == [second, first, third]
    assert await listed("sortBy=name&sortOrder=desc") == [first, second, third]
    assert await listed("sortOrder=asc&pageSize=2&currentPage=2") == [third]
    paging = (await client.get("/players?pageSize=2")).json()["pagination"]
    assert (paging["itemsTotal"], paging["pagesTotal"]) == (3, 2)
    for name, value in (("sortBy", "text"), ("sortOrder", "up")):
        reply = await client.get(f"/players?{name}={value}")
        assert (reply.status_code, reply.json()["name"]) == (400, name)
    reply = await client.get("/players?currentPage=0&pageSize=1000")
    assert [one["name"] for one in reply.json()["problems"]] == ["page", "pageSize"]


async def test_a_logo_is_scaled_and_shown(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    player_id = (await make(client))["playerId"]
    reply = await give_logo(client, player_id, picture(), link="path/to/my/logo")
    assert reply.status_code == 201, reply.text
    logo = f"{BASE}/player/{player_id}/logo.png"
    assert reply.json()["assets"] == {"logo": logo, "link": "path/to/my/logo"}
    shown = await viewer.get(logo)
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/png")
    with Image.open(io.BytesIO(shown.content)) as image:
        assert image.size == (60, 30)
    known = {"If-None-Match": shown.headers["etag"]}
    assert (await viewer.get(logo, headers=known)).status_code == 304

    replaced = await give_logo(client, player_id, picture((40, 20), "JPEG"))
    assert replaced.json()["assets"] == {"logo": logo}
    again = await viewer.get(logo, headers=known)
    assert again.status_code == 200
    with Image.open(io.BytesIO(again.content)) as image:
        assert image.size == (40, 20)

    for _ in range(2):
        assert (await client.delete(f"/players/{player_id}/logo")).status_code == 204
    assert (await client.get(f"/players/{player_id}")).json()["assets"] == {}
    assert (await viewer.get(logo)).status_code == 404


@pytest.mark.parametrize(
    ("data", "slug"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "uploaded-file-extension-invalid"),
        (picture((201, 100)), "uploaded-file-invalid-file"),
        (picture()[:50], "uploaded-file-invalid-file"),
        (picture() + bytes(logos.MAX_BYTES), "uploaded-file-too-large"),
        (b"", "uploaded-file-empty"),
    ],
    ids=["svg", "too wide", "cut", "too heavy", "empty"],
)
async def test_what_is_no_small_picture_is_refused(
    client: httpx.AsyncClient, data: bytes, slug: str
) -> None:
    player_id = (await make(client))["playerId"]
    reply = await give_logo(client, player_id, data)
    body = reply.json()
    assert (reply.status_code, body["name"]) == (400, "file")
    assert body["type"].endswith("/" + slug)
    if slug == "uploaded-file-extension-invalid":
        assert body["title"] == EXTENSIONS
    assert (await client.get(f"/players/{player_id}")).json()["assets"] == {}


@pytest.mark.parametrize("bomb", BOMBS)
async def test_a_bomb_is_refused_unpacked(client: httpx.AsyncClient, bomb: str) -> None:
    player_id, data = (await make(client))["playerId"], BOMBS[bomb]()
    with little_memory():
        reply = await give_logo(client, player_id, data)
    assert (reply.status_code, reply.json()["name"]) == (400, "file")
    assert reply.json()["type"].endswith("/uploaded-file-invalid-file")


async def test_a_link_has_an_end(client: httpx.AsyncClient) -> None:
    player_id = (await make(client))["playerId"]
    reply = await give_logo(client, player_id, picture(), link="x" * 2049)
    assert (reply.status_code, reply.json()["name"]) == (400, "link")


async def test_one_that_is_gone_is_unknown(client: httpx.AsyncClient) -> None:
    player_id = (await make(client))["playerId"]
    reply = await client.delete(f"/players/{player_id}")
    assert (reply.status_code, reply.content) == (204, b"")
    path = f"/players/{player_id}"
    for reply in (
        await client.get(path),
        await client.patch(path, json={}),
        await client.delete(path),
        await give_logo(client, player_id, picture()),
        await client.delete(f"{path}/logo"),
    ):
        assert (reply.status_code, reply.json()["name"]) == (404, "playerId")


async def test_videos_name_themes_of_their_own_project(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, sandbox: httpx.AsyncClient
) -> None:
    mine = (await make(client))["playerId"]
    reply = await client.post("/videos", json={"title": "t", "playerId": mine})
    assert reply.status_code == 201, reply.text
    assert reply.json()["playerId"] == mine
    path = f"/videos/{reply.json()['videoId']}"
    for other in (stranger, sandbox):
        theirs = (await make(other))["playerId"]
        for refused in (
            await client.patch(path, json={"playerId": theirs}),
            await other.post("/videos", json={"title": "t", "playerId": mine}),
        ):
            body = refused.json()
            assert (refused.status_code, body["name"]) == (400, "playerId")
            assert body["detail"] == "This value must refer to an existing player theme."
    assert "playerId" not in (await client.patch(path, json={"playerId": None})).json()


async def test_one_that_is_deleted_can_still_be_kept_by_its_videos(
    client: httpx.AsyncClient,
) -> None:
    gone = (await make(client))["playerId"]
    made = (await client.post("/videos", json={"title": "t", "playerId": gone})).json()
    await client.delete(f"/players/{gone}")
    path = f"/videos/{made['videoId']}"
    reply = await client.patch(path, json={"title": "u", "playerId": gone})
    assert reply.status_code == 200, reply.text
    reply = await client.post("/videos", json={"title": "t", "playerId": gone})
    assert reply.status_code == 400
