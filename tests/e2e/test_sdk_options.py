"""What the official package can be told to show, and in which frame: unmodified, by its options."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.e2e.conftest import Upload
from tests.e2e.embedding import Embedded, embed, near_browser, page_with, sdk
from tests.fixtures.customer import everywhere
from tests.fixtures.media import barcode_mp4
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    pytest.mark.node,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
]

PLAYING = "window.telecinePlayer?.video.currentTime > 0.2"


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with near_browser() as browser:
        yield browser


@pytest.fixture
async def shop(browser: Browser) -> AsyncIterator[Page]:
    """A page of another site that has the package."""
    async with page_with(browser, sdk("1.2.33")) as page:
        yield page


@pytest.fixture
def here(api: httpx.Client) -> dict[str, Any]:
    """Options of every player that shows what is here."""
    return {"muted": True, "autoplay": True, "iframeUrl": f"{api.base_url}/${{type}}/${{id}}"}


@pytest.fixture(scope="module")
async def private_id(api: httpx.Client, upload: Upload) -> str:
    video_id = upload(barcode_mp4(frames=120), "Secret")
    api.patch(f"/videos/{video_id}", json={"public": False}).raise_for_status()

    async def playable() -> bool:
        return bool(api.get(f"/videos/{video_id}/status").json()["encoding"]["playable"])

    await until(playable)
    page = f"{api.base_url}/vod/{video_id}"
    await everywhere(lambda: httpx.get(page, timeout=PATIENCE_S).status_code == 404)
    return video_id


def token(api: httpx.Client, video_id: str) -> str:
    """Return a fresh token of a private video."""
    player: str = api.get(f"/videos/{video_id}").json()["assets"]["player"]
    return player.partition("token=")[2]


async def test_a_private_session(
    shop: Page, api: httpx.Client, here: dict[str, Any], private_id: str
) -> None:
    url = f"{api.base_url}/vod/{private_id}/token/{token(api, private_id)}/session"
    session = api.get(url).json()["session_token"]
    player = await embed(shop, **here, id=private_id, privateSession=session)
    assert f"avh={session}" in player.frame.url
    await player.becomes(PLAYING)


async def test_another_private_video_is_loaded(
    shop: Page, api: httpx.Client, here: dict[str, Any], wide_video: str, private_id: str
) -> None:
    player = await embed(shop, **here, id=wide_video)
    await player.hears("firstplay")
    fresh = token(api, private_id)
    await player.call("loadConfig", {**here, "id": private_id, "token": fresh})
    await player.hears("firstplay", 2)
    await player.becomes(f"window.telecinePlayer.media.id === '{private_id}' && {PLAYING}")
    # Its token has been used up: it opens nothing for anybody else.
    used = f"{api.base_url}/vod/{private_id}/token/{fresh}/hls/manifest.m3u8"
    assert api.get(used).status_code == 404


async def test_a_live_stream(shop: Page, api: httpx.Client, here: dict[str, Any]) -> None:
    made = api.post("/live-streams", json={"name": "Studio"}).raise_for_status().json()
    player = await embed(shop, **here, id=made["liveStreamId"], live=True)
    assert urlsplit(player.frame.url).path == f"/live/{made['liveStreamId']}"
    await player.hears("sdkSync")
    told = player.frame.get_by_role("status")
    await expect(told).to_contain_text("Nobody broadcasts")


async def test_a_frame_that_is_there_already(
    shop: Page, api: httpx.Client, here: dict[str, Any], wide_video: str
) -> None:
    """Its address stays, but for what lets the package control it."""
    await shop.evaluate(
        """(src) => {
          const frame = Object.assign(document.createElement('iframe'), {id: 'mine', src});
          frame.allow = 'autoplay';
          document.body.append(frame);
        }""",
        f"{api.base_url}/vod/{wide_video}?muted=true#t=3",
    )
    player = await embed(shop, "#mine", **here, id="ignored")
    await player.hears("ready")
    assert await player.get("getCurrentTime") == pytest.approx(3, abs=0.2)
    assert await player.get("getMuted")
    await player.call("play")
    await player.hears("timeupdate", 2)
    assert await shop.locator("iframe").count() == 1


async def test_an_origin_that_was_cut_is_known_to_the_browser(
    shop: Page, here: dict[str, Any], wide_video: str
) -> None:
    """The package takes what looks like an option out of the URL, and may meet its own value."""
    await shop.evaluate("window.btoa = () => 'aHR0!!'")
    player = await embed(shop, **here, id=wide_video)
    assert "sdkOrigin:aHR0!!" in player.frame.url
    await player.hears("ready")
    await player.hears("firstplay")
    await player.settled("pause")
    assert await player.get("getPaused")


async def test_a_domain_of_the_customer(shop: Page, api: httpx.Client, wide_video: str) -> None:
    domain = "video.customer.example"

    async def answer(route: Route) -> None:
        parts = urlsplit(route.request.url)
        url = f"{api.base_url}{parts.path}{f'?{parts.query}' if parts.query else ''}"
        await route.fulfill(response=await route.fetch(url=url))

    await shop.route(f"https://{domain}/**", answer)
    player = await embed(shop, id=wide_video, customDomain=domain, muted=True, autoplay=True)
    assert player.frame.url.startswith(f"https://{domain}/vod/{wide_video}")
    await player.hears("firstplay")
    await player.becomes(PLAYING)
    asked = await player.frame.evaluate(
        "performance.getEntriesByType('resource').map(({name}) => new URL(name).hostname)"
    )
    assert set(asked) == {domain}


async def test_airplay_is_offered_and_told_of(
    shop: Page, here: dict[str, Any], wide_video: str
) -> None:
    # As in Safari: the method is how a browser says that it knows AirPlay.
    await shop.add_init_script(
        "HTMLVideoElement.prototype.webkitShowPlaybackTargetPicker = () => { window.asked = true; }"
    )
    player = await embed(shop, **here, id=wide_video)
    await player.hears("ready")
    button = player.frame.get_by_role("button", name="AirPlay")
    await expect(button).to_be_hidden()
    await _tell(player, "webkitplaybacktargetavailabilitychanged", availability="available")
    await expect(button).to_be_visible()
    await button.click()
    assert await player.frame.evaluate("window.asked")
    for wireless, name in ((True, "airplayConnected"), (False, "airplayDisconnected")):
        script = (
            "(to) => { window.telecinePlayer.video.webkitCurrentPlaybackTargetIsWireless = to }"
        )
        await player.frame.evaluate(script, wireless)
        await _tell(player, "webkitcurrentplaybacktargetiswirelesschanged")
        await player.hears(name)


async def test_cast_is_offered_while_there_is_a_screen(
    shop: Page, here: dict[str, Any], wide_video: str
) -> None:
    # No screen is in reach of a test: the browser's part is played.
    await shop.add_init_script("""
      RemotePlayback.prototype.watchAvailability = (tell) => {
        window.tellOfScreens = tell;
        return Promise.resolve(1);
      };
      RemotePlayback.prototype.prompt = async () => { window.asked = true; };
    """)
    player = await embed(shop, **here, id=wide_video)
    await player.hears("ready")
    await player.becomes("window.tellOfScreens !== undefined")
    button = player.frame.get_by_role("button", name="Cast")
    await expect(button).to_be_hidden()
    await player.frame.evaluate("window.tellOfScreens(true)")
    await expect(button).to_be_visible()
    await button.click()
    assert await player.frame.evaluate("window.asked")
    for name, pressed in (("connect", "true"), ("disconnect", "false")):
        script = "(name) => window.telecinePlayer.video.remote.dispatchEvent(new Event(name))"
        await player.frame.evaluate(script, name)
        await player.hears(f"chromecast{name.capitalize()}ed")
        await expect(button).to_have_attribute("aria-pressed", pressed)
    await player.call("hideControls", ["chromecast"])
    await expect(button).to_be_hidden()
    await player.call("showControls", ["chromecast"])
    await expect(button).to_be_visible()
    await player.frame.evaluate("window.tellOfScreens(false)")
    await expect(button).to_be_hidden()


async def _tell(player: Embedded, name: str, **members: object) -> None:
    """Let the video element tell something, as the browser would."""
    script = """([name, members]) => window.telecinePlayer.video.dispatchEvent(
      Object.assign(new Event(name), members))"""
    await player.frame.evaluate(script, [name, members])
