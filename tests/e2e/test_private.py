"""A private video in browsers: it plays for the first one, and nobody else."""

import httpx
import pytest
from playwright.async_api import Browser, Page

from tests.e2e.conftest import Upload
from tests.fixtures.media import barcode_mp4
from tests.fixtures.server import TelecineServer
from tests.fixtures.waiting import until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
]

PLAYING = "() => document.querySelector('video')?.currentTime > 1"


@pytest.fixture(scope="module")
def private(api: httpx.Client, upload: Upload) -> str:
    video_id = upload(barcode_mp4(frames=120), "Secret")
    api.patch(f"/videos/{video_id}", json={"public": False}).raise_for_status()
    return video_id


async def test_it_plays_once(
    api: httpx.Client,
    private: str,
    browser: Browser,
    page: Page,
    telecine_server: TelecineServer,
) -> None:
    async def playable() -> bool:
        return bool(api.get(f"/videos/{private}/status").json()["encoding"]["playable"])

    await until(playable)
    player = api.get(f"/videos/{private}").json()["assets"]["player"]
    token = player.partition("token=")[2]
    asked: list[tuple[str, str | None]] = []
    page.on("request", lambda one: asked.append((one.url, one.headers.get("referer"))))
    await page.goto(f"{player}&muted=true&autoplay=true")
    await page.evaluate(
        "() => { const v = document.querySelector('video'); v.muted = true; v.play(); }"
    )
    await page.wait_for_function(PLAYING)
    segments = [url for url, _ in asked if ".m4s" in url]
    assert segments
    assert all("avh=" in url for url in segments)
    assert not [referer for url, referer in asked if referer and token in referer]

    context = await browser.new_context(user_agent="another browser")
    other = await context.new_page()
    refused = []
    other.on("response", lambda one: refused.append((one.status, one.url)))
    await other.goto(player)

    async def turned_away() -> bool:
        return any(status == 404 and "/token/" in url for status, url in refused)

    await until(turned_away, within_s=20)
    assert not [url for status, url in refused if status == 200 and "/hls/" in url]
    await context.close()
    session = segments[0].partition("avh=")[2]
    log = telecine_server.log.read_text(errors="replace")
    assert token not in log
    assert session not in log
