"""What viewers see of a theme, at once."""

from functools import partial
from typing import Any

import httpx
import pytest

from telecine.domains.players import themes
from tests.fixtures.viewing import island
from tests.fixtures.waiting import until
from tests.integration.domains.players.test_api import give_logo, make, picture

pytestmark = pytest.mark.anyio


async def video(client: httpx.AsyncClient, **members: Any) -> str:
    reply = await client.post("/videos", json={"title": "t", **members})
    assert reply.status_code == 201, reply.text
    return f"/vod/{reply.json()['videoId']}"


async def live_stream(client: httpx.AsyncClient, **members: Any) -> str:
    reply = await client.post("/live-streams", json={"name": "t", **members})
    assert reply.status_code == 200, reply.text
    return f"/live/{reply.json()['liveStreamId']}"


async def test_a_video_without_a_theme_has_the_defaults(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    for page in (await video(client), await live_stream(client)):
        shown = island(await viewer.get(page))
        assert shown["theme"] == {**themes.DEFAULTS, "logo": None}


async def test_every_change_shows_at_once(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    player_id = (await make(client, text="red"))["playerId"]
    pages = [await named(client, playerId=player_id) for named in (video, video, live_stream)]
    other = await video(client, playerId=(await make(client, text="lime"))["playerId"])

    async def shown() -> list[dict[str, Any]]:
        return [island(await viewer.get(page))["theme"] for page in pages]

    async def shows(**members: Any) -> None:
        async def all_do() -> bool:
            return all(theme | members == theme for theme in await shown())

        await until(all_do)

    await shows(text="red", link=themes.DEFAULTS["link"], logo=None)
    path = f"/players/{player_id}"
    await client.patch(path, json={"text": "blue", "hideTitle": True})
    await shows(text="blue", hideTitle=True)
    await give_logo(client, player_id, picture(), link="https://a.example/?b=1")
    for page in pages:
        await until(partial(has_logo, viewer, page))
    logos = [theme["logo"] for theme in await shown()]
    assert all(logo == logos[0] for logo in logos)
    logo = logos[0]
    assert logo["link"] == "https://a.example/?b=1"
    assert logo["src"].startswith(f"/player/{player_id}/logo.png?v=")
    reply = await viewer.get(logo["src"])
    assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"
    await client.delete(f"{path}/logo")
    await shows(logo=None)
    await client.delete(path)
    await shows(**themes.DEFAULTS)
    assert island(await viewer.get(other))["theme"]["text"] == "lime"


async def test_a_live_stream_can_take_another_theme(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    red, blue = [(await make(client, text=text))["playerId"] for text in ("red", "blue")]
    page = await live_stream(client, playerId=red)
    assert island(await viewer.get(page))["theme"]["text"] == "red"

    async def change(player_id: str | None, text: Any) -> None:
        path = page.replace("/live/", "/live-streams/")
        await client.patch(path, json={"playerId": player_id})

        async def shows() -> bool:
            return bool(island(await viewer.get(page))["theme"]["text"] == text)

        await until(shows)

    await change(blue, "blue")
    await change(None, themes.DEFAULTS["text"])


async def has_logo(viewer: httpx.AsyncClient, page: str) -> bool:
    return island(await viewer.get(page))["theme"]["logo"] is not None


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        " javascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "path/to/my/logo",
        "//evil.example",
        "https://",
        "https://[",
    ],
)
async def test_a_link_that_is_no_web_address_leads_nowhere(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, link: str
) -> None:
    player_id = (await make(client))["playerId"]
    page = await video(client, playerId=player_id)
    reply = await give_logo(client, player_id, picture(), link=link)
    assert reply.json()["assets"]["link"] == link
    assert island(await viewer.get(page))["theme"]["logo"]["link"] is None
