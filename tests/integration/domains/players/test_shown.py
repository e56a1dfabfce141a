"""What viewers see of a theme, at once."""

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


async def test_a_video_without_a_theme_has_the_defaults(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    shown = island(await viewer.get(await video(client)))
    assert shown["theme"] == {**themes.DEFAULTS, "logo": None}


async def test_every_change_shows_at_once(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    player_id = (await make(client, text="red"))["playerId"]
    pages = [await video(client, playerId=player_id) for _ in range(2)]
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
    await until(lambda: has_logo(viewer, pages[0]))
    logo = (await shown())[0]["logo"]
    assert logo["link"] == "https://a.example/?b=1"
    assert logo["src"].startswith(f"/player/{player_id}/logo.png?v=")
    reply = await viewer.get(logo["src"])
    assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"
    await client.delete(f"{path}/logo")
    await shows(logo=None)
    await client.delete(path)
    await shows(**themes.DEFAULTS)
    assert island(await viewer.get(other))["theme"]["text"] == "lime"


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
