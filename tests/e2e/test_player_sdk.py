"""The official packages, unmodified, control the player in an iframe of another site."""

import itertools
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, Page

from tests.e2e.conftest import Upload
from tests.e2e.embedding import (
    Embedded,
    embed,
    has_style,
    hides,
    near_browser,
    page_with,
    sdk,
    shows,
)
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

NEWEST = "1.2.33"
OLDEST = "1.1.0"
PRIVATE_METHODS = {
    *("getIframeUrl", "createNewPlayer", "buildPlayerUrl", "bindExistingPlayer", "onEvent"),
    *("addParametersInIframeHash", "urlParametersFromOptions", "onSdkInSync", "onVideoReady"),
    *("postMessage", "appendQueryParamIfMissing", "makeId", "createIframe", "setIframeSrc"),
}


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with near_browser() as browser:
        yield browser


@pytest.fixture
def video_id(wide_video: str) -> str:
    return wide_video


@pytest.fixture(scope="module")
def other_id(api: httpx.Client, upload: Upload) -> str:
    """The id of a video of five seconds, with captions."""
    video_id = upload(barcode_mp4(), "The other one")
    files = {"file": ("en.vtt", b"WEBVTT\n\n00:00.000 --> 00:05.000\nhello\n")}
    api.post(f"/videos/{video_id}/captions/en", files=files).raise_for_status()
    return video_id


@pytest.fixture
def options(api: httpx.Client, video_id: str) -> dict[str, Any]:
    return {"id": video_id, "iframeUrl": f"{api.base_url}/${{type}}/${{id}}"}


async def video(player: Embedded, member: str) -> Any:
    return await player.frame.evaluate("(name) => window.telecinePlayer.video[name]", member)


async def test_every_method_and_event_of_the_newest_sdk(
    browser: Browser, api: httpx.Client, options: dict[str, Any], other_id: str
) -> None:
    # Its poster is shown and hidden: it comes a moment after the upload.
    url = f"{api.base_url}/vod/{options['id']}"
    await everywhere(lambda: '"poster": null' not in httpx.get(url, timeout=PATIENCE_S).text)
    async with page_with(browser, sdk(NEWEST)) as page:
        player = await embed(page, **options, muted=True, metadata={"user": "é x"})
        assert await player.hears("sdkSync")
        await player.hears("ready")
        told = await player.frame.evaluate("window.telecinePlayer.options.metadata")
        assert told == {"user": "é x"}
        await _starts_and_moves(player)
        await _tells_its_state(player, page)
        await _looks_as_told(player)
        await _shows_controls_as_told(player)
        await _fills_the_screen(player)
        await _tells_what_the_pointer_does(player, page)
        await _tells_of_other_screens(player)
        await _ends(player)
        await _loads_another(player, options, other_id)
        await player.call("destroy")

        async def gone() -> bool:
            return await page.locator("iframe").count() == 0

        await until(gone)
        methods = set(await page.evaluate("Object.getOwnPropertyNames(PlayerSdk.prototype)"))
        assert methods - PRIVATE_METHODS - player.called == {"constructor", "addEventListener"}


async def _starts_and_moves(player: Embedded) -> None:
    assert await player.get("getPaused")
    assert not await player.get("getPlaying")
    assert await player.get("getMuted")
    await player.settled("play")
    await player.hears("play")
    updates = await player.hears("timeupdate", 2)
    assert updates[0].keys() == {"currentTime"}
    assert not await player.get("getPaused")
    assert await player.get("getPlaying")
    await player.settled("pause")
    await player.hears("pause")
    assert await player.get("getPaused")
    await player.settled("setCurrentTime", 4)
    assert await player.get("getCurrentTime") == pytest.approx(4, abs=0.2)
    await player.settled("seek", -2)
    assert await player.get("getCurrentTime") == pytest.approx(2, abs=0.2)
    await player.hears("seeking", 2)
    await player.settled("play")
    await player.hears("play", 2)
    assert len(await player.heard("firstplay")) == 1
    assert [sorted(each) for each in await player.heard("play")] == [[], []]


async def _tells_its_state(player: Embedded, page: Page) -> None:
    await player.settled("unmute")
    assert not await player.get("getMuted")
    await player.settled("setVolume", 0.25)
    assert await player.get("getVolume") == 0.25
    await player.hears_last("volumechange", {"volume": 0.25})
    await player.settled("mute")
    assert await player.get("getMuted")
    await player.hears_last("volumechange", {"volume": 0})
    await player.settled("setPlaybackRate", 1.5)
    assert await player.get("getPlaybackRate") == 1.5
    await player.hears("ratechange")
    await player.settled("setLoop", True)
    assert await player.get("getLoop")
    await player.becomes("window.telecinePlayer.video.loop")
    await player.settled("setLoop", False)
    assert not await player.get("getLoop")
    assert await player.get("getDuration") == pytest.approx(10, abs=0.1)
    size = await player.get("getVideoSize")
    assert size["width"] / size["height"] == pytest.approx(854 / 480, abs=0.02)
    assert await player.get("isLiveStream") is False
    async with page.expect_download() as download:
        await player.call("download", "kept.mp4")
    assert (await download.value).suggested_filename == "kept.mp4"


async def _looks_as_told(player: Embedded) -> None:
    await player.settled("setTheme", {"link": "red", "text": "#00f", "trackPlayed": "url(x)"})
    await has_style(player, ".bar .button", "color", "rgb(255, 0, 0)")
    await has_style(player, ".clock", "color", "rgb(0, 0, 255)")
    await player.settled("hideTitle")
    await hides(player, ".title")
    await player.settled("showTitle")
    await shows(player, ".title")
    await player.settled("hidePoster")
    await player.becomes("document.querySelector('video[poster]') === null")
    await player.settled("showPoster")
    await player.becomes("document.querySelector('video[poster]') !== null")
    await player.settled("setVideoStyleTransform", "scaleX(-1)")
    await player.settled("setVideoStyleObjectFit", "cover")

    await has_style(player, "video", "transform", "matrix(-1, 0, 0, 1, 0, 0)")
    await has_style(player, "video", "objectFit", "cover")
    await player.settled("setMaximalQuality", 240)
    lowest = "window.telecinePlayer.qualities.at(-1).index"
    await player.becomes(f"window.telecinePlayer.hls.autoLevelCapping === {lowest}")
    await player.becomes("!window.telecinePlayer.hls.capLevelToPlayerSize")
    await player.settled("setMaximalQuality", 0)
    await player.becomes("window.telecinePlayer.hls.capLevelToPlayerSize")
    await player.settled("setMinimalQuality", 360)
    await player.becomes("window.telecinePlayer.hls.config.minAutoBitrate > 0")
    await player.settled("setMinimalQuality", 0)
    await player.settled("setAutoplay", True)
    await player.becomes("window.telecinePlayer.options.autoplay")
    await player.settled("setAutoplay", False)
    await player.becomes("!window.telecinePlayer.options.autoplay")
    await player.settled("setChromeless", True)
    await hides(player, ".bar")
    await hides(player, ".title")
    await player.settled("setChromeless", False)


async def _shows_controls_as_told(player: Embedded) -> None:
    play, volume = ".bar__row > .button:first-child", ".volume"
    await player.settled("hideControls", ["volume", "download"])
    await hides(player, volume)
    await shows(player, play)
    await player.settled("hideControls")
    await player.hears("controlsdisabled")
    await hides(player, ".bar")
    await player.settled("showControls", ["volume"])
    await player.hears("controlsenabled")
    await shows(player, volume)
    await hides(player, play)
    await player.settled("showControls", ["play", "unheard of"])
    await shows(player, volume)
    await shows(player, play)
    await hides(player, ".progress")
    await player.settled("showControls")
    await shows(player, ".progress")


async def _fills_the_screen(player: Embedded) -> None:
    # Browsers want to see that somebody is there.
    await player.frame.locator(".clock").click()
    await player.settled("requestFullscreen")
    assert await player.hears("fullscreenchange") == [{"isFullScreen": True}]
    await player.settled("exitFullscreen")
    assert (await player.hears("fullscreenchange", 2))[1] == {"isFullScreen": False}
    await player.hears("playerresize")
    await player.frame.locator(".clock").click()  # what was seen before is used up
    await player.settled("requestPictureInPicture")
    await player.becomes("document.pictureInPictureElement === window.telecinePlayer.video")
    await player.settled("exitPictureInPicture")
    await player.becomes("document.pictureInPictureElement === null")


async def _tells_what_the_pointer_does(player: Embedded, page: Page) -> None:
    await player.settled("setCurrentTime", 1)
    await player.settled("play")
    # A driven pointer never leaves a frame of another site, as a real one does.
    script = "document.documentElement.dispatchEvent(new MouseEvent('mouseleave'))"
    await page.mouse.move(850, 20)
    await player.frame.evaluate(script)
    await player.hears("mouseleave")
    await player.hears("userinactive")
    await page.mouse.move(300, 200)
    await page.mouse.move(310, 200)
    await player.hears("mouseenter")
    await player.hears("useractive")


async def _tells_of_other_screens(player: Embedded) -> None:
    for name in ("connect", "disconnect"):
        script = "(name) => window.telecinePlayer.video.remote.dispatchEvent(new Event(name))"
        await player.frame.evaluate(script, name)
    await player.hears("chromecastConnected")
    await player.hears("chromecastDisconnected")


async def _ends(player: Embedded) -> None:
    await player.settled("setCurrentTime", 9.5)
    await player.settled("play")
    await player.hears("ended")
    for each in await player.hears("qualitychange"):
        assert each["resolution"].keys() == {"width", "height"}
    await player.hears("resize")


async def _loads_another(player: Embedded, options: dict[str, Any], other_id: str) -> None:
    plays = len(await player.heard("play"))
    await player.call("loadConfig", {**options, "id": other_id, "hideTitle": True})
    await player.hears("ready", 2)
    assert await player.get("getDuration") == pytest.approx(5, abs=0.1)
    assert await player.get("getPlaybackRate") == 1.5
    await hides(player, ".title")
    await player.call("play")
    await player.hears("play", plays + 1)
    await player.settled("showSubtitles")
    await shows(player, ".captions__text")
    await player.settled("hideSubtitles")
    await player.becomes("document.querySelector('.captions__text') === null")
    assert len(await player.heard("firstplay")) == 2
    assert len(await player.heard("ready")) == 2
    await player.call("loadConfig", {**options, "id": "viAAAAAAAAAAAAAAAAAAAAAA"})
    assert (await player.hears("error"))[0]["message"].startswith("This video does not exist")


async def test_the_oldest_sdk_that_is_still_in_use(
    browser: Browser, options: dict[str, Any]
) -> None:
    async with page_with(browser, sdk(OLDEST)) as page:
        player = await embed(page, **options, muted=True, metadata={"a": "b"})
        await player.hears("ready")
        await player.call("play")
        await player.hears("timeupdate", 2)
        await player.call("setLoop", True)
        await player.call("setVolume", 0.5)
        await player.call("unmute")
        await player.call("setCurrentTime", 5)
        await player.call("seek", 1)
        assert await player.get("getCurrentTime") >= 6
        assert await player.get("getDuration") == pytest.approx(10, abs=0.1)
        assert await player.get("getLoop")
        assert not await player.get("getMuted")
        assert await player.get("getVolume") == 0.5
        assert not await player.get("getPaused")
        await player.call("mute")
        await player.call("pause")
        await player.hears("pause")
        for name in ("play", "firstplay", "seeking", "volumechange"):
            await player.hears(name)
        await player.call("destroy")


async def test_options_reach_the_player(browser: Browser, options: dict[str, Any]) -> None:
    asked: dict[str, Any] = {
        "autoplay": True,
        "muted": True,
        "hideTitle": True,
        "hidePoster": True,
        "loop": True,
        "showSubtitles": True,
        "playbackRate": 2,
        "sequence": {"start": 2, "end": 4},
        "minimalQuality": 240,
        "maximalQuality": 360,
        "hotKeys": False,
    }
    async with page_with(browser, sdk(NEWEST)) as page:
        player = await embed(page, **options, **asked)
        await player.hears("ratechange")
        assert await player.get("getPlaybackRate") == 2
        assert await player.get("getLoop")
        told = await player.frame.evaluate("window.telecinePlayer.options")
        expected = {**asked, "startS": 2, "endS": 4, "minQualityPx": 240, "maxQualityPx": 360}
        for name in ("playbackRate", "sequence", "minimalQuality", "maximalQuality", "hotKeys"):
            expected.pop(name)
        assert told | expected == told
        assert told["hotkeys"] is False

        async def begins_again() -> bool:
            times = [each["currentTime"] for each in await player.heard("timeupdate")]
            return any(later < earlier for earlier, later in itertools.pairwise(times))

        await until(begins_again)
        bare = await embed(page, "#second", **options, chromeless=True, hideControls=True)
        await bare.hears("ready")
        await hides(bare, ".bar")
        assert await player.heard("controlsdisabled") == []
        assert [each for each in await bare.heard("timeupdate") if each["currentTime"] > 0.5] == []


async def test_nobody_else_may_control_it(browser: Browser, options: dict[str, Any]) -> None:
    async with page_with(browser, sdk(NEWEST)) as page:
        player = await embed(page, **options)
        await player.hears("ready")
        # A frame beside, of the embedding origin even, is not the page that embeds.
        await page.evaluate("""() => {
          const beside = document.createElement('iframe');
          document.body.append(beside);
          const script = beside.contentDocument.createElement('script');
          script.textContent = `parent.frames[0].postMessage(
            {message: 'setPlaybackRate', rate: 2, sdkPlayerId: 1}, '*')`;
          beside.contentDocument.body.append(script);
          for (const nonsense of [null, 'play', 7, {}, {message: 'constructor', sdkPlayerId: 1},
              {message: 'setPlaybackRate', rate: 2, sdkPlayerId: 99},
              {message: 'setVolume', volume: 'loud', sdkPlayerId: 1}]) {
            frames[0].postMessage(nonsense, '*');
          }
        }""")
        assert await player.get("getPlaybackRate") == 1
        assert await player.get("getVolume") == 1


async def test_a_theme_without_api_refuses(browser: Browser, options: dict[str, Any]) -> None:
    async with page_with(browser, sdk(NEWEST)) as page:

        async def forbid(route: Any) -> None:
            answer = await route.fetch()
            body = (await answer.text()).replace('"enableApi": true', '"enableApi": false')
            assert '"enableApi": false' in body
            await route.fulfill(response=answer, body=body)

        await page.route(re.compile(r"/vod/\w+(\?.*)?$"), forbid)
        player = await embed(page, **options, autoplay=True, muted=True)
        await player.becomes("window.telecinePlayer?.video.currentTime > 0.5")
        await player.call("pause")
        await player.becomes("window.telecinePlayer.video.currentTime > 1")
        assert await player.heard("sdkSync") == []
        assert await player.heard("ready") == []


async def test_a_theme_without_api_refuses_also_what_is_loaded_later(
    browser: Browser, options: dict[str, Any], api: httpx.Client, upload: Upload
) -> None:
    theme = api.post("/players", json={"enableApi": False}).raise_for_status().json()["playerId"]
    forbidden = upload(barcode_mp4(), "Leave it alone")
    api.patch(f"/videos/{forbidden}", json={"playerId": theme}).raise_for_status()
    async with page_with(browser, sdk(NEWEST)) as page:
        playing: dict[str, Any] = {"autoplay": True, "muted": True, "loop": True}
        player = await embed(page, **options, **playing)
        for name in ("ready", "firstplay"):  # in whatever order
            await player.hears(name)
        await player.call("loadConfig", {**options, **playing, "id": forbidden})
        is_there = f"window.telecinePlayer.media.id === '{forbidden}'"
        await player.becomes(f"{is_there} && window.telecinePlayer.video.currentTime > 0.5")
        events = "window.players[0].heard.length"
        heard = await page.evaluate(events)
        await player.call("pause")
        await player.call("setVolume", 0.1)
        await player.call("loadConfig", {**options, **playing})
        await player.becomes("window.telecinePlayer.video.currentTime > 2")
        assert await player.frame.evaluate(is_there)
        assert not await video(player, "paused")
        assert await video(player, "volume") == 1
        assert await page.evaluate(events) == heard
        assert len(await player.heard("ready")) == 1
