"""What a page shows of its theme, captions, chapters and previews; who can use it.

The page's data comes from the test here: what the server puts into it has tests of its own.
"""

import io
import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
from PIL import Image
from playwright.async_api import Browser, Page, Route, expect

from tests.contract import packages
from tests.e2e.conftest import Upload
from tests.fixtures.media import barcode_mp4
from tests.fixtures.waiting import until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
]

expect.set_options(timeout=30_000)

ISLAND = re.compile(r'(<script type="application/json" id="telecine-media">)(.*?)(</script>)')
PAGE = re.compile(r"/vod/\w+(\?.*)?$")
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
CHAPTERS = """WEBVTT

00:00.000 --> 00:03.000
Arrival

00:03.000 --> 00:07.000
<b>The</b> &amp; middle

00:07.000 --> 00:10.000
Departure
"""
STORYBOARD = """WEBVTT

00:00.000 --> 00:05.000
board.png#xywh=0,0,160,90

00:05.000 --> 00:10.000
board.png#xywh=160,0,160,90
"""
CAPTIONS = """WEBVTT
X-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000

00:00.000 --> 00:04.000
<i>Hello</i> &lt;img src=x onerror=alert(1)&gt;
<script>alert(1)</script>line <b onclick=alert(1)>two</b>

00:04.000 --> 00:10.000
Good bye
"""
SUBTITLES = (
    '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="English",LANGUAGE="en",DEFAULT=YES,'
    'AUTOSELECT=YES,FORCED=NO,URI="captions/en.m3u8"\n'
    '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="Français",LANGUAGE="fr",DEFAULT=NO,'
    'AUTOSELECT=YES,FORCED=NO,URI="captions/fr.m3u8"\n'
)
PLAYLIST = """#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:10
#EXT-X-PLAYLIST-TYPE:VOD
#EXTINF:10.0,
{language}.hls.vtt
#EXT-X-ENDLIST
"""


def picture(*halves: str) -> bytes:
    """Return a PNG of 160x90 tiles beside each other, each of one colour."""
    image = Image.new("RGB", (160 * len(halves), 90))
    for index, colour in enumerate(halves):
        image.paste(colour, (160 * index, 0, 160 * (index + 1), 90))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def video_id(upload: Upload) -> str:
    return upload(barcode_mp4(frames=300, width_px=854, height_px=480), "Look & <b>feel</b>")


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page that must not break its own policy, nor throw, nor say anything in a dialog."""
    page = await browser.new_page(viewport={"width": 800, "height": 450}, locale="en-GB")
    page.set_default_timeout(60_000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: faults.append(dialog.message))
    page.on("console", lambda message: faults.append(message.text))
    yield page
    await page.close()
    assert [fault for fault in faults if "Failed to load" not in fault] == []


async def open_with(
    page: Page, api: httpx.Client, video_id: str, fragment: str = "", **island: object
) -> None:
    """Open the player with a changed island, and with captions in the master playlist."""
    extras = {
        "chapters": {"en": f"/vod/{video_id}/chapters/en.vtt"},
        "storyboard": f"/vod/{video_id}/storyboard.vtt",
        **island,
    }

    async def answer_page(route: Route) -> None:
        reply = await route.fetch()
        found = ISLAND.search(await reply.text())
        assert found is not None
        data = json.dumps({**json.loads(found[2]), **extras}).replace("<", "\\u003c")
        body = (await reply.text()).replace(found[0], f"{found[1]}{data}{found[3]}")
        await route.fulfill(response=reply, body=body)

    async def answer_master(route: Route) -> None:
        reply = await route.fetch()
        body = (await reply.text()).replace(
            "#EXT-X-STREAM-INF:", '#EXT-X-STREAM-INF:SUBTITLES="subs",'
        )
        await route.fulfill(
            response=reply, body=body.replace("#EXT-X-MEDIA", SUBTITLES + "#EXT-X-MEDIA", 1)
        )

    files: Mapping[str, tuple[str, str | bytes]] = {
        "**/chapters/en.vtt": ("text/vtt", CHAPTERS),
        "**/storyboard.vtt": ("text/vtt", STORYBOARD),
        "**/board.png": ("image/png", picture("red", "lime")),
        "**/logo.png": ("image/png", picture("blue")),
        "**/captions/en.m3u8": ("application/vnd.apple.mpegurl", PLAYLIST.format(language="en")),
        "**/captions/fr.m3u8": ("application/vnd.apple.mpegurl", PLAYLIST.format(language="fr")),
        "**/captions/en.hls.vtt": ("text/vtt", CAPTIONS),
        "**/captions/fr.hls.vtt": ("text/vtt", CAPTIONS.replace("Hello", "Salut")),
    }
    for pattern, (kind, content) in files.items():
        await page.route(pattern, _fulfil(kind, content))
    await page.route(PAGE, answer_page)
    await page.route("**/hls/manifest.m3u8", answer_master)
    await page.goto(f"{api.base_url}/vod/{video_id}{fragment}")
    await expect(page.get_by_role("button", name="Quality")).to_be_visible()


def _fulfil(kind: str, content: str | bytes) -> Any:
    async def fulfil(route: Route) -> None:
        await route.fulfill(body=content, content_type=kind)

    return fulfil


async def becomes(page: Page, expression: str) -> None:
    async def true() -> bool:
        return bool(await page.evaluate(expression))

    await until(true)


async def pixel(page: Page, x: float, y: float) -> tuple[int, int, int]:
    shot = Image.open(io.BytesIO(await page.screenshot())).convert("RGB")
    red, green, blue = shot.getpixel((int(x), int(y)))  # type: ignore[misc]
    return red, green, blue


async def becomes_painted(page: Page, x: float, y: float, colour: tuple[int, int, int]) -> None:
    async def painted() -> bool:
        return await pixel(page, x, y) == colour

    await until(painted)


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
    upper = await pixel(page, bar["x"] + 2, bar["y"] + 16)
    lower = await pixel(page, bar["x"] + 2, bar["y"] + bar["height"] - 1)
    assert upper[0] > upper[1]
    assert lower[1] > lower[0]
    await page.keyboard.press("5")
    await becomes(page, "!window.telecinePlayer.video.seeking")
    await page.locator(".title").hover(force=True)
    track = await page.locator(".progress").bounding_box()
    assert track is not None
    middle = track["y"] + track["height"] / 2
    assert await pixel(page, track["x"] + 20, middle) == (250, 0, 0)
    painted = await page.evaluate(
        "getComputedStyle(document.querySelector('.progress'), '::before').backgroundImage"
    )
    order = ("trackPlayed", "trackUnplayed", "trackBackground")
    places = [painted.index(COLOURS[name]) for name in order]
    assert places == sorted(places)
    image = page.get_by_role("link", name="example.com")
    await expect(image).to_have_attribute("href", logo["link"])
    await expect(image).to_have_attribute("rel", "noopener noreferrer")
    box = await image.locator("img").bounding_box()
    assert box is not None
    assert box["height"] == 30
    assert await pixel(page, box["x"] + 5, box["y"] + 15) == (0, 0, 255)


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
    box = await page.locator(".captions__text").bounding_box()
    bar = await page.locator(".bar").bounding_box()
    assert box is not None
    assert bar is not None
    assert box["y"] + box["height"] <= bar["y"]
    clip = {name: box[name] for name in ("x", "y", "width", "height")}
    shot = Image.open(io.BytesIO(await page.screenshot(clip=clip))).convert("L")  # type: ignore[arg-type]
    counts = shot.histogram()
    assert sum(counts[230:]) > 200, "white letters"
    assert sum(counts[:80]) > sum(counts[230:]), "on a dark ground"


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


async def test_axe_finds_nothing_serious(page: Page, api: httpx.Client, video_id: str) -> None:
    folder = packages.node_package("axe-core", "4.14.1") / "node_modules"
    axe = (folder / "axe-core/axe.min.js").read_text()

    async def found() -> list[str]:
        await page.evaluate(axe)
        result = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{each['id']}: {[node['html'] for node in each['nodes']]}"
            for each in result["violations"]
            if each["impact"] in {"serious", "critical"}
        ]

    logo = {"src": "/player/pl1/logo.png", "link": "example.com"}
    await open_with(page, api, video_id, "#show-subtitles", theme={"logo": logo})
    await page.keyboard.press("1")
    await expect(page.locator(".captions__text")).to_be_visible()
    assert await found() == []
    await page.get_by_role("button", name="Quality").click()
    assert await found() == []
    await page.set_viewport_size({"width": 360, "height": 203})
    await page.get_by_role("button", name="More controls").click()
    await page.get_by_role("button", name="Chapters").click()
    assert await found() == []
    await page.route("**/hls/manifest.m3u8", _offline)
    await page.reload()
    await expect(page.get_by_role("button", name="Try again")).to_be_visible()
    assert await found() == []


async def test_everything_is_reached_by_keyboard_alone(
    page: Page, api: httpx.Client, video_id: str
) -> None:
    await open_with(page, api, video_id)
    reached: list[str] = []
    for _ in range(20):
        await page.keyboard.press("Tab")
        name = await page.evaluate("document.activeElement.getAttribute('aria-label')")
        ring = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        if name is not None:
            reached.append(name.split(" (")[0].split(":")[0])
            assert ring == "solid", name
    wanted = ["Play", "Position", "Back 10 seconds", "Forward 10 seconds", "Mute", "Volume"]
    wanted += ["Chapters", "Speed", "Picture in picture", "Download", "Captions", "Quality"]
    assert {*wanted, "Full screen"} <= set(reached)
    await page.get_by_role("button", name="Quality").focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Home")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Quality: 360p")).to_be_focused()
    await page.keyboard.press("k")
    await becomes(page, "window.telecinePlayer.video.videoHeight === 360")
    assert not await page.evaluate("window.telecinePlayer.video.paused")
