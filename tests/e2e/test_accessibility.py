"""Who can use the player: axe-core's rules of WCAG 2.2 AA, and a viewer with keys alone."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.contract import packages
from tests.e2e.embedding import near_browser
from tests.e2e.player_page import becomes, open_with
from tests.e2e.test_player_ads import asking_for, serve_ads
from tests.fixtures.waiting import until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
]

# The size of targets is the one rule of 2.2 that a program can judge; axe has it off by default.
AXE = "axe.run(document, {resultTypes: ['violations'], rules: {'target-size': {enabled: true}}})"

KINDS = ("violations", "passes", "incomplete", "inapplicable")


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One that draws WebGL without a graphics card."""
    async with near_browser(["--enable-unsafe-swiftshader"]) as browser:
        yield browser


@pytest.fixture
def video_id(wide_video: str) -> str:
    return wide_video


async def is_fine(page: Page) -> None:
    """Wait until axe finds nothing serious, as it does once colours have faded in."""
    folder = packages.node_package("axe-core", "4.14.1") / "node_modules"
    axe = (folder / "axe-core/axe.min.js").read_text()
    found: list[str] = []

    async def nothing() -> bool:
        nonlocal found
        await page.evaluate(axe)
        result = await page.evaluate(AXE)
        judged = {each["id"] for kind in KINDS for each in result[kind]}
        assert "target-size" in judged
        found = [
            f"{each['id']}: {[node['html'] for node in each['nodes']]}"
            for each in result["violations"]
            if each["impact"] in {"serious", "critical"}
        ]
        return found == []

    try:
        await until(nothing, within_s=60)
    except TimeoutError as error:
        error.add_note(str(found))
        raise


async def answer_404(route: Route) -> None:
    await route.fulfill(status=404, body="{}", content_type="application/problem+json")


async def test_axe_finds_nothing_serious(page: Page, api: httpx.Client, video_id: str) -> None:
    logo = {"src": "/player/pl1/logo.png", "link": "example.com"}
    await open_with(page, api, video_id, "#show-subtitles", theme={"logo": logo})
    await page.keyboard.press("1")
    await expect(page.locator(".captions__text")).to_be_visible()
    await is_fine(page)
    await page.get_by_role("button", name="Quality").click()
    await is_fine(page)
    await page.set_viewport_size({"width": 360, "height": 203})
    await page.get_by_role("button", name="More controls").click()
    await page.get_by_role("button", name="Chapters").click()
    await is_fine(page)
    await page.route("**/hls/manifest.m3u8", answer_404)
    await page.reload()
    await expect(page.get_by_role("button", name="Try again")).to_be_visible()
    await is_fine(page)


async def test_nor_where_there_is_nothing_to_play(page: Page, api: httpx.Client) -> None:
    empty = api.post("/videos", json={"title": "Empty"}).json()["videoId"]
    await page.goto(f"{api.base_url}/vod/{empty}")
    await expect(page.get_by_role("status")).to_contain_text("not ready yet")
    await is_fine(page)
    await page.goto(f"{api.base_url}/vod/viAAAAAAAAAAAAAAAAAAAAAA")
    await expect(page.get_by_role("heading")).to_have_text("Video not found")
    await is_fine(page)


async def test_nor_on_a_live_page(page: Page, api: httpx.Client, video_id: str) -> None:
    await open_with(page, api, video_id, live=True)
    await expect(page.locator(".live")).to_be_visible()
    await is_fine(page)
    await page.route("**/hls/manifest.m3u8", answer_404)
    await page.reload()
    await expect(page.get_by_role("status")).to_contain_text("Nobody broadcasts")
    await is_fine(page)


async def test_nor_on_an_advertisement(page: Page, api: httpx.Client, video_id: str) -> None:
    await serve_ads(page)
    await page.goto(f"{api.base_url}/vod/{video_id}?muted=true#autoplay;{asking_for('vast.xml')}")
    await page.wait_for_url(re.compile("ads=1"))
    await expect(page.get_by_role("button", name="Skip")).to_be_enabled()
    await page.evaluate("document.querySelector('.ad video').pause()")  # it would end meanwhile
    await is_fine(page)


async def test_nor_on_a_picture_all_around(page: Page, api: httpx.Client, video_id: str) -> None:
    await open_with(page, api, video_id, panoramic=True)
    await expect(page.locator("canvas")).to_be_visible()
    await is_fine(page)


async def go_to(page: Page, name: str) -> None:
    """Press the tabulator until a control has the focus."""
    reached = []
    for _ in range(40):
        await page.keyboard.press("Tab")
        label = await page.evaluate("document.activeElement.getAttribute('aria-label')")
        label = label or await page.evaluate("document.activeElement.textContent")
        reached.append(label)
        if label.startswith(name):
            return
    pytest.fail(f"{name} is not reached: {reached}")


async def choose(page: Page, menu: str, item: str) -> None:
    """Open a menu and take an item, by keys alone."""
    await go_to(page, menu)
    await page.keyboard.press("Enter")
    items = page.get_by_role("menu", name=menu).get_by_role("menuitemradio")
    await page.keyboard.press("Home")
    for _ in range(await items.count()):
        if (await page.evaluate("document.activeElement.textContent")).startswith(item):
            break
        await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name=menu)).to_be_focused()


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


async def test_everything_is_done_by_keyboard_alone(
    page: Page, api: httpx.Client, video_id: str
) -> None:
    await open_with(page, api, video_id)
    await choose(page, "Quality", "360p")
    await choose(page, "Speed", "0.75")
    assert await page.evaluate("window.telecinePlayer.video.playbackRate") == 0.75
    await page.keyboard.press("k")
    await becomes(page, "window.telecinePlayer.video.videoHeight === 360")
    await page.keyboard.press("k")
    assert await page.evaluate("window.telecinePlayer.video.paused")
    await choose(page, "Chapters", "0:03")
    await becomes(page, "!window.telecinePlayer.video.seeking")
    assert await page.evaluate("window.telecinePlayer.video.currentTime") == pytest.approx(
        3, abs=0.05
    )
    await choose(page, "Captions", "Français")
    await expect(page.locator(".captions__text")).to_contain_text("Salut")


async def test_a_lost_connection_is_mended_by_keyboard(
    page: Page, api: httpx.Client, video_id: str
) -> None:
    async def cut(route: Route) -> None:
        await route.abort()

    await page.route("**/manifest.m3u8", cut)
    await page.goto(f"{api.base_url}/vod/{video_id}")
    await expect(page.get_by_role("button", name="Try again")).to_be_visible()
    await page.unroute("**/manifest.m3u8")
    await go_to(page, "Try again")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Quality")).to_be_visible()
