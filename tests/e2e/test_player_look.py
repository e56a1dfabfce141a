"""What a page shows of its theme, captions, chapters and previews; who can use it.

The page's data comes from the test here: what the server puts into it has tests of its own.
"""

import io
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
from PIL import Image
from playwright.async_api import Browser, Page, Route, expect

from tests.e2e.conftest import PATIENCE_MS
from tests.e2e.player_page import ISLAND, PAGE, becomes, becomes_painted, open_with, pixel
from tests.fixtures.waiting import until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
]

COLOURS = {
    "text": "rgb(1, 2, 3)",
    "link": "rgb(4, 5, 6)",
    "linkHover": "rgb(7, 8, 9)",
    "linkActive": "rgb(10, 11, 12)",
    "trackPlayed": "rgb(250, 0, 0)",
    "trackUnplayed": "rgb(0, 250, 0)",
    "trackBackground": "rgb(0, 0, 250)",
    "backgroundTop": "rgb(200, 0, 200)",
    "backgroundBottom": "rgb(0, 200, 200)",
    "backgroundText": "rgb(13, 14, 15)",
}


@pytest.fixture
def video_id(wide_video: str) -> str:
    return wide_video


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page that must not break its own policy, nor throw, nor say anything in a dialog."""
    page = await browser.new_page(viewport={"width": 800, "height": 450}, locale="en-GB")
    page.set_default_timeout(PATIENCE_MS)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: faults.append(dialog.message))
    page.on("console", lambda message: faults.append(message.text))
    yield page
    await page.close()
    # Requests that were answered so on purpose, and what a busy machine comes to too late.
    expected = ("Failed to load", "preloaded using link preload but not used")
    assert [fault for fault in faults if not any(each in fault for each in expected)] == []


async def test_every_colour_of_a_theme_is_seen(
    page: Page, api: httpx.Client, video_id: str
) -> None:
    logo = {"src": "/player/pl1/logo.png", "link": "https://example.com/shop"}
    await open_with(page, api, video_id, theme={**COLOURS, "logo": logo})
    await expect(page.locator(".clock")).to_have_css("color", COLOURS["text"])
    button = page.get_by_role("button", name="Full screen")
    await expect(button).to_have_css("color", COLOURS["link"])
    await button.hover()
    await expect(button).to_have_css("color", COLOURS["linkHover"])
    await page.locator(".big-play").hover()
    await expect(page.locator(".big-play")).to_have_css("color", COLOURS["linkActive"])
    await expect(page.locator(".title")).to_have_css("color", COLOURS["backgroundText"])
    bar = await page.locator(".bar").bounding_box()
    assert bar is not None
    # Between the clock and the menus the bar shows nothing but its two colours.
    left, top, bottom = bar["x"] + 2, bar["y"] + 16, bar["y"] + bar["height"] - 1

    async def both() -> bool:
        upper, lower = await pixel(page, left, top), await pixel(page, left, bottom)
        return upper[0] > upper[1] and lower[1] > lower[0]

    await until(both)
    await page.keyboard.press("5")
    await becomes(page, "!window.telecinePlayer.video.seeking")
    await page.locator(".title").hover(force=True)
    track = await page.locator(".progress").bounding_box()
    assert track is not None
    middle = track["y"] + track["height"] / 2
    await becomes_painted(page, track["x"] + 20, middle, (250, 0, 0))
    painted = await page.evaluate(
        "getComputedStyle(document.querySelector('.progress'), '::before').backgroundImage"
    )
    order = ("trackPlayed", "trackUnplayed", "trackBackground")
    places = [painted.index(COLOURS[name]) for name in order]
    assert places == sorted(places)
    image = page.get_by_role("link", name="example.com")
    await expect(image).to_have_attribute("href", logo["link"])
    await expect(image).to_have_attribute("rel", "noopener noreferrer")
    await expect(image.locator("img")).to_have_js_property("complete", True)
    box = await image.locator("img").bounding_box()
    assert box is not None
    assert box["height"] == 30
    await becomes_painted(page, box["x"] + 5, box["y"] + 15, (0, 0, 255))


async def test_flags_of_a_theme_are_obeyed(page: Page, api: httpx.Client, video_id: str) -> None:
    flags = {"hideTitle": True, "forceAutoplay": True, "forceLoop": True}
    await open_with(page, api, video_id, "?muted=true", theme=flags)
    await expect(page.locator(".title")).to_be_hidden()
    await becomes(page, "window.telecinePlayer.video.currentTime > 0.2")
    assert await page.evaluate("window.telecinePlayer.video.loop")
    data = {"theme": {"enableControls": False}}
    await page.unroute_all()
    await page.route(PAGE, _with_island(data))
    await page.reload()
    await expect(page.locator(".big-play")).to_be_visible()
    await expect(page.locator(".bar")).to_be_hidden()


def _with_island(data: Mapping[str, object]) -> Any:
    async def answer(route: Route) -> None:
        reply = await route.fetch()
        found = ISLAND.search(await reply.text())
        assert found is not None
        island = json.dumps({**json.loads(found[2]), **data})
        await route.fulfill(
            response=reply,
            body=(await reply.text()).replace(found[0], f"{found[1]}{island}{found[3]}"),
        )

    return answer


@pytest.mark.parametrize(
    "colour", ["red; background: url(https://evil.example/x)", "url(https://evil.example/x)"]
)
async def test_a_colour_cannot_smuggle_anything(
    page: Page, api: httpx.Client, video_id: str, colour: str
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    logo = {"src": "/player/pl1/logo.png", "link": "javascript:alert(1)"}
    theme = dict.fromkeys(COLOURS, colour)
    hostile = "</script><img src=x onerror=alert(1)>"
    await open_with(page, api, video_id, title=hostile, theme={**theme, "logo": logo})
    await expect(page.get_by_role("heading")).to_have_text(hostile)
    assert await page.evaluate("document.querySelector('#player').style.length") == 0
    assert await page.locator("img[src=x], a[href^=javascript]").count() == 0
    assert not [url for url in asked if "evil" in url]


async def test_captions_are_chosen_and_seen(page: Page, api: httpx.Client, video_id: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await open_with(page, api, video_id)
    await page.keyboard.press("1")  # until then the poster is shown, without captions
    await expect(page.locator(".captions__text")).to_have_count(0)
    await page.get_by_role("button", name="Captions").click()
    items = page.get_by_role("menu", name="Captions").get_by_role("menuitemradio")
    await expect(items).to_have_text(["Off", "English", "Français"])
    assert not [url for url in asked if "/captions/" in url], "nobody wants any yet"
    await page.get_by_role("menuitemradio", name="English").click()
    text = page.locator(".captions__text")
    await expect(text).to_have_text("Hello <img src=x onerror=alert(1)> alert(1)line two")
    assert await page.locator(".captions__text *").count() == 0
    await _letters_are_seen(page)
    # In fullscreen as well, and no more below the controls than before.
    await page.keyboard.press("f")
    await becomes(page, "document.fullscreenElement?.id === 'player'")
    await _letters_are_seen(page)
    await page.keyboard.press("f")
    await page.get_by_role("button", name="Captions").click()
    await page.get_by_role("menuitemradio", name="Français").click()
    await expect(text).to_contain_text("Salut")
    await page.keyboard.press("6")
    await expect(text).to_have_text("Good bye")
    await page.keyboard.press("c")
    await expect(text).to_have_count(0)
    # The choice is kept for the next page, in its language.
    await page.reload()
    await becomes(page, "window.telecinePlayer?.isReady")
    await page.keyboard.press("1")
    await expect(text).to_contain_text("Salut")


async def _letters_are_seen(page: Page) -> None:
    """Wait for white letters on a dark ground, above the controls."""

    async def seen() -> bool:
        box = await page.locator(".captions__text").bounding_box()
        bar = await page.locator(".bar").bounding_box()
        if box is None or bar is None or box["y"] + box["height"] > bar["y"]:
            return False
        clip = {name: box[name] for name in ("x", "y", "width", "height")}
        shot = await page.screenshot(clip=clip)  # type: ignore[arg-type]
        counts = Image.open(io.BytesIO(shot)).convert("L").histogram()
        return 200 < sum(counts[230:]) < sum(counts[:80])

    await until(seen)


async def test_captions_may_be_asked_for_by_the_url(
    page: Page, api: httpx.Client, video_id: str
) -> None:
    await open_with(page, api, video_id, "?muted=true#show-subtitles;autoplay")
    await expect(page.locator(".captions__text")).to_contain_text("Hello")


async def test_chapters_are_jumped_to(page: Page, api: httpx.Client, video_id: str) -> None:
    await open_with(page, api, video_id)
    await expect(page.locator(".progress__mark")).to_have_count(2)
    await page.get_by_role("button", name="Chapters").click()
    items = page.get_by_role("menu", name="Chapters").get_by_role("menuitemradio")
    await expect(items).to_have_count(3)
    assert await items.all_inner_texts() == [
        "0:00  Arrival",
        "0:03  The & middle",
        "0:07  Departure",
    ]
    await items.nth(2).click()
    await becomes(page, "!window.telecinePlayer.video.seeking")
    assert await page.evaluate("window.telecinePlayer.video.currentTime") == pytest.approx(
        7, abs=0.05
    )
    await expect(page.get_by_role("button", name="Chapters: Departure")).to_be_visible()


async def test_the_bar_shows_what_is_under_the_pointer(
    page: Page, api: httpx.Client, video_id: str
) -> None:
    await open_with(page, api, video_id)
    track = await page.locator(".progress").bounding_box()
    assert track is not None
    for share, text, colour in ((0.2, "Arrival · 0:02", (255, 0, 0)), (0.6, "middle", (0, 255, 0))):
        await page.mouse.move(track["x"] + track["width"] * share, track["y"] + 10)
        await page.mouse.move(track["x"] + track["width"] * share + 1, track["y"] + 10)
        preview = page.locator(".preview")
        await expect(preview).to_be_visible()
        await page.mouse.move(track["x"] + track["width"] * share, track["y"] + 10)
        await expect(page.locator(".progress__text")).to_contain_text(text)
        box = await preview.bounding_box()
        assert box is not None

        await becomes_painted(page, box["x"] + box["width"] / 2, box["y"] + 40, colour)


async def test_a_live_page_has_a_badge_and_waits_for_its_stream(
    page: Page, api: httpx.Client, video_id: str
) -> None:
    await open_with(page, api, video_id, live=True)
    await expect(page.locator(".live")).to_be_visible()
    await expect(page.locator(".clock")).to_be_hidden()
    assert await page.locator(".progress__slider").get_attribute("aria-valuetext") is not None
    await page.route("**/hls/manifest.m3u8", _offline)
    await page.reload()
    await expect(page.get_by_role("status")).to_contain_text("Nobody broadcasts")
    await page.unroute("**/hls/manifest.m3u8", _offline)
    await becomes(page, "window.telecinePlayer.video.currentTime > 0.2")


async def _offline(route: Route) -> None:
    await route.fulfill(status=404, body="{}", content_type="application/problem+json")
