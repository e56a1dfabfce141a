"""Media that only some sites may show, in browsers on these sites and on another."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import Browser, Page, Route, expect

from telecine import clock
from telecine.domains.videos.signatures import sign
from tests.e2e.conftest import PATIENCE_MS
from tests.e2e.embedding import ORIGIN, embed, near_browser, page_with, sdk
from tests.fixtures.media import barcode_mp4
from tests.fixtures.server import TelecineServer
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    pytest.mark.node,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
]

ELSEWHERE = "http://else.example"
PLAYING = "document.querySelector('video')?.currentTime > 1"


@dataclass(frozen=True, slots=True)
class Shop:
    """A project of its own, whose media shop.example alone may show."""

    base_url: str
    video_id: str
    private_id: str
    key_id: str
    secret: str

    def signed(self, media_id: str, host: str) -> str:
        end = int(clock.now().timestamp()) + 300
        return sign(self.secret, media_id, f"{self.key_id}~{end}~~{host}")


@pytest.fixture(scope="module")
async def shop(telecine_server: TelecineServer) -> Shop:
    def made(reply: httpx.Response) -> dict[str, Any]:
        assert reply.is_success, reply.text
        return dict(reply.json())

    bearer = {"Authorization": f"Bearer {telecine_server.operator_key}"}
    with httpx.Client(
        base_url=telecine_server.base_url, headers=bearer, timeout=PATIENCE_S
    ) as operator:
        project = made(operator.post("/_/projects", json={"name": "Shop"}))["projectId"]
        path = f"/_/projects/{project}"
        key = made(operator.post(f"{path}/keys", json={}))["apiKey"]
        signing = made(operator.post(f"{path}/signing-keys", json={}))
        made(operator.patch(f"{path}/settings", json={"allowedReferrers": ["shop.example"]}))
    with httpx.Client(base_url=telecine_server.base_url, auth=(key, ""), timeout=PATIENCE_S) as api:
        videos = []
        for public in (True, False):
            video = made(api.post("/videos", json={"title": "Film", "public": public}))["videoId"]
            with barcode_mp4(frames=120).open("rb") as file:
                made(api.post(f"/videos/{video}/source", files={"file": ("a.mp4", file)}))
            videos.append(video)

        async def playable() -> bool:
            states = [made(api.get(f"/videos/{each}/status")) for each in videos]
            return all(state["encoding"]["playable"] for state in states)

        await until(playable)
    public, private = videos
    signer = signing["signingKeyId"], signing["secret"]
    return Shop(telecine_server.base_url, public, private, *signer)


@pytest.fixture(scope="module")
async def near() -> AsyncIterator[Browser]:
    async with near_browser() as browser:
        yield browser


@asynccontextmanager
async def framed(browser: Browser, site: str, url: str) -> AsyncIterator[Page]:
    """Open a page of a site with a player page in an iframe."""
    page = await browser.new_page()
    page.set_default_timeout(PATIENCE_MS)

    async def serve(route: Route) -> None:
        body = f'<!doctype html><iframe src="{url}" width=800 height=450 allow=autoplay></iframe>'
        await route.fulfill(body=body, content_type="text/html")

    await page.route(f"{site}/**", serve)
    await page.goto(f"{site}/film")
    yield page
    await page.close()


async def test_a_listed_site_shows_it(near: Browser, shop: Shop) -> None:
    url = f"{shop.base_url}/vod/{shop.video_id}?muted=true&autoplay=true"
    async with framed(near, ORIGIN, url) as page:
        frame = page.frames[1]
        await until(lambda: _is(frame, PLAYING))


async def _is(frame: Any, expression: str) -> bool:
    return bool(await frame.evaluate(expression))


async def test_others_are_told(near: Browser, shop: Shop) -> None:
    url = f"{shop.base_url}/vod/{shop.video_id}"
    async with framed(near, ELSEWHERE, url) as page:
        told = page.frame_locator("iframe").get_by_text("It cannot be watched on this site.")
        await expect(told).to_be_visible()


async def test_a_viewer_who_may_not_watch_is_told(near: Browser, shop: Shop) -> None:
    url = f"{shop.base_url}/vod/{shop.video_id}"
    async with framed(near, ORIGIN, "about:blank") as page:
        await page.route("**/hls/manifest.m3u8*", lambda route: route.fulfill(status=403))
        await page.evaluate("(url) => { document.querySelector('iframe').src = url; }", url)
        told = page.frame_locator("iframe").get_by_text("This video cannot be watched from here.")
        await expect(told).to_be_visible()


async def test_the_player_sdk_takes_a_signed_token(near: Browser, shop: Shop) -> None:
    token = shop.signed(shop.private_id, "shop.example")
    async with page_with(near, sdk("1.2.33")) as page:
        player = await embed(
            page,
            id=shop.private_id,
            token=token,
            muted=True,
            autoplay=True,
            iframeUrl=f"{shop.base_url}/${{type}}/${{id}}",
        )
        await player.hears("firstplay")
        await player.becomes(PLAYING)
    url = f"{shop.base_url}/vod/{shop.private_id}?token={shop.signed(shop.private_id, 'b.example')}"
    async with framed(near, ORIGIN, url) as page:
        told = page.frame_locator("iframe").get_by_text("Video not found")
        await expect(told).to_be_visible()


def loading(media_id: str, shop: Shop, **more: object) -> dict[str, Any]:
    """Return the options of a player that shows a media as soon as it may."""
    page = f"{shop.base_url}/${{type}}/${{id}}"
    return {"id": media_id, "iframeUrl": page, "muted": True, "autoplay": True, **more}


@pytest.mark.parametrize("asked", ["public", "private", "with advertisements"])
async def test_a_player_that_is_there_loads_nothing_for_a_site_that_may_not(
    near: Browser, shop: Shop, wide_video: str, asked: str
) -> None:
    """It plays what everybody may show, and is asked for another media in place of that."""
    wanted = loading(shop.video_id, shop)
    if asked == "private":
        token = shop.signed(shop.private_id, "shop.example")
        wanted = loading(shop.private_id, shop, token=token)
    elif asked == "with advertisements":  # for which it goes to another page
        wanted["ads"] = {"adTagUrl": "https://ads.example/none.xml"}
    for site, may in ((ELSEWHERE, False), (ORIGIN, True)):
        async with page_with(near, sdk("1.2.33"), site) as page:
            await page.route("https://ads.example/**", lambda route: route.abort())
            player = await embed(page, **loading(wide_video, shop))
            await player.hears("firstplay")
            await player.call("loadConfig", wanted)
            if may:
                await player.hears("firstplay", 2)
                await player.becomes(f"telecinePlayer.media.id === '{wanted['id']}' && {PLAYING}")
                assert await player.heard("error") == []
            else:
                why = "This video cannot be watched from here."
                assert await player.hears("error") == [{"message": why}]
                assert urlsplit(player.frame.url).path == f"/vod/{wide_video}"
                await player.becomes("telecinePlayer.hls === null")


async def test_a_token_for_another_site_loads_nothing_either(
    near: Browser, shop: Shop, wide_video: str
) -> None:
    async with page_with(near, sdk("1.2.33")) as page:
        player = await embed(page, **loading(wide_video, shop))
        await player.hears("firstplay")
        token = shop.signed(shop.private_id, "b.example")
        await player.call("loadConfig", loading(shop.private_id, shop, token=token))
        why = "This video does not exist or is no longer available."
        assert await player.hears("error") == [{"message": why}]
