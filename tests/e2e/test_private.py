"""A private video in browsers: it plays in the tab that used its token, and nowhere else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import quote

import httpx
import pytest
from playwright.async_api import Browser, Page, Request, expect

from telecine import clock
from telecine.domains.videos import sessions, tokens
from telecine.processes.secrets import token_key
from tests.e2e.conftest import PATIENCE_MS, Upload
from tests.e2e.live_playlists import hold_to_the_rules
from tests.fixtures.broadcasting import live_clip, make_live_stream, publishing
from tests.fixtures.customer import everywhere
from tests.fixtures.media import barcode_mp4
from tests.fixtures.origin import Answer, serving
from tests.fixtures.server import TelecineServer
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
]

PLAYING = "() => document.querySelector('video')?.currentTime > 1"
REFUSED = "This video does not exist or is no longer available."


@pytest.fixture(scope="module")
async def private(api: httpx.Client, upload: Upload) -> str:
    video_id = upload(barcode_mp4(frames=120), "Secret")
    api.patch(f"/videos/{video_id}", json={"public": False}).raise_for_status()

    async def playable() -> bool:
        return bool(api.get(f"/videos/{video_id}/status").json()["encoding"]["playable"])

    await until(playable)
    page = f"{api.base_url}/vod/{video_id}"
    await everywhere(lambda: httpx.get(page, timeout=PATIENCE_S).status_code == 404)
    return video_id


@pytest.fixture
def key(telecine_server: TelecineServer) -> bytes:
    """What the server signs tokens and sessions with."""
    return token_key((telecine_server.data / "secret.key").read_text().strip())


def address(api: httpx.Client, video_id: str) -> str:
    """Return the player page of a video, with a fresh token."""
    player: str = api.get(f"/videos/{video_id}").json()["assets"]["player"]
    return f"{player}&muted=true&autoplay=true"


@asynccontextmanager
async def another_tab(browser: Browser) -> AsyncIterator[tuple[Page, list[str]]]:
    """Open a page of another visitor, and note what it gets of playlists and media."""
    context = await browser.new_context(user_agent="another browser")
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    got: list[str] = []
    media = (".m3u8", ".m4s")
    page.on(
        "response",
        lambda one: got.append(one.url) if one.ok and any(e in one.url for e in media) else None,
    )
    yield page, got
    await context.close()


async def turned_away(browser: Browser, url: str) -> None:
    async with another_tab(browser) as (page, got):
        await page.goto(url)
        await expect(page.get_by_text(REFUSED)).to_be_visible()
        assert got == []


async def test_it_plays_in_one_tab(
    api: httpx.Client,
    private: str,
    browser: Browser,
    page: Page,
    telecine_server: TelecineServer,
) -> None:
    url = address(api, private)
    token = url.partition("token=")[2].partition("&")[0]
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    await page.goto(url)
    await page.wait_for_function(PLAYING)
    media = [url for url in asked if "/hls/" in url]
    assert [url for url in media if ".m4s" in url]
    assert all("avh=" in url for url in media), media
    assert len([url for url in asked if url.endswith("/session")]) == 1

    await page.reload()
    await page.wait_for_function(PLAYING)
    assert len([url for url in asked if url.endswith("/session")]) == 1

    await turned_away(browser, url)
    same_browser = await browser.new_page()
    same_browser.set_default_timeout(PATIENCE_MS)
    await same_browser.goto(url)
    await expect(same_browser.get_by_text(REFUSED)).to_be_visible()

    session = media[0].partition("avh=")[2]
    async with another_tab(browser) as (friend, got):
        # Whoever is given the session may watch as well.
        await friend.goto(f"{url}&avh={session}")
        await friend.wait_for_function(PLAYING)
        assert got
    log = telecine_server.log.read_text(errors="replace")
    assert token not in log
    assert session not in log


async def test_its_referer_tells_nothing(api: httpx.Client, private: str, page: Page) -> None:
    """What the browser sent, to us and to the server of somebody else's advertisements."""
    sent: list[Request] = []
    page.on("requestfinished", lambda one: sent.append(one))  # noqa: PLW0108  # it marks what it calls
    async with serving(lambda asked: Answer(404)) as foreign:
        tag = quote(foreign.url("/vast.xml", host="localhost"), safe="")
        await page.goto(f"{address(api, private)}#adTagUrl:{tag}")
        await page.wait_for_function(PLAYING)
        told = {asked.headers.get("referer") for asked in foreign.asked}
    assert told == {f"{api.base_url}/"}
    ours = [one for one in sent if one.url.startswith(str(api.base_url))]
    referers = [(await one.all_headers()).get("referer", "") for one in ours]
    scripts = f"{api.base_url}/static/"
    assert f"{api.base_url}/" in referers
    assert [each for each in referers if each not in {"", f"{api.base_url}/"}] == [
        each for each in referers if each.startswith(scripts) and "?" not in each
    ]


async def test_it_does_not_play(
    api: httpx.Client, private: str, browser: Browser, key: bytes, upload: Upload
) -> None:
    base = address(api, private).partition("?")[0]
    now = clock.now()
    other = api.post("/videos", json={"title": "Other", "public": False}).json()
    foreign = other["assets"]["player"].partition("token=")[2]
    expired = tokens.issue(key, private, now - timedelta(hours=26))
    ended = sessions.issue(key, private, now - timedelta(hours=25))
    for query in ("", f"?token={foreign}", f"?token={expired}", f"?avh={ended}"):
        answer = api.get(base + query, auth=None)
        assert answer.status_code == 404, query
        async with another_tab(browser) as (page, got):
            await page.goto(base + query)
            await expect(page.get_by_text("Video not found")).to_be_visible()
            assert got == []
    # A used token beside a session that has ended: the page is there, and refused.
    url = address(api, private)
    token = url.partition("token=")[2].partition("&")[0]
    assert api.get(f"/vod/{private}/token/{token}/session", auth=None).is_success
    await turned_away(browser, f"{url}&avh={ended}")


async def test_a_private_live_stream_plays_in_one_tab(
    api: httpx.Client, browser: Browser, page: Page, telecine_server: TelecineServer
) -> None:
    stream = await make_live_stream(telecine_server, public=False)
    player: str = api.get(f"/live-streams/{stream.public_id}").json()["assets"]["player"]
    url = f"{player}&muted=true&autoplay=true"
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    rules = await hold_to_the_rules(page)
    await page.goto(url)  # nobody broadcasts yet: it begins by itself
    async with publishing(stream.publish_url, live_clip()):
        await page.wait_for_function(PLAYING)
        media = [url for url in asked if ".m3u8" in url or ".m4s" in url]
        assert all("avh=" in url for url in media), media
        assert rules.seen > 1
        await turned_away(browser, url)
    await stream.complete()
