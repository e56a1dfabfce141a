"""Advertisements come before and between, never instead; pictures all around are looked at."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.e2e.embedding import embed, near_browser, page_with, sdk
from tests.e2e.player_page import becomes, open_with, pixel
from tests.fixtures.media import barcode_mp4, make_clip
from tests.fixtures.waiting import until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
]

ADS = "https://ads.example"
VAST = f"""<VAST version="3.0"><Ad id="1"><InLine><AdSystem>test</AdSystem>
<Impression><![CDATA[{ADS}/told/impression?c=[CACHEBUSTING]]]></Impression>
<Error>{ADS}/told/error-[ERRORCODE]</Error>
<Creatives><Creative><Linear skipoffset="00:00:01"><Duration>00:00:05</Duration>
<TrackingEvents>
<Tracking event="start"><![CDATA[{ADS}/told/start]]></Tracking>
<Tracking event="firstQuartile">{ADS}/told/firstQuartile</Tracking>
<Tracking event="complete">{ADS}/told/complete</Tracking>
<Tracking event="skip">{ADS}/told/skip</Tracking></TrackingEvents>
<VideoClicks><ClickThrough>https://shop.example/</ClickThrough>
<ClickTracking>{ADS}/told/click</ClickTracking></VideoClicks>
<MediaFiles><MediaFile delivery="progressive" type="video/mp4" width="320" height="180">
<![CDATA[ {ADS}/ad.mp4 ]]></MediaFile></MediaFiles></Linear></Creative></Creatives>
</InLine></Ad></VAST>"""
WRAPPER = f"""<VAST version="3.0"><Ad id="0"><Wrapper><AdSystem>test</AdSystem>
<VASTAdTagURI><![CDATA[{ADS}/vast.xml]]></VASTAdTagURI>
<Error>{ADS}/told/wrapper-[ERRORCODE]</Error>
<Impression>{ADS}/told/wrapper</Impression></Wrapper></Ad></VAST>"""
VMAP = f"""<vmap:VMAP xmlns:vmap="http://www.iab.net/videosuite/vmap" version="1.0">
<vmap:AdBreak timeOffset="00:00:01" breakType="linear" breakId="mid"><vmap:AdSource id="1">
<vmap:AdTagURI templateType="vast3"><![CDATA[{ADS}/vast.xml]]></vmap:AdTagURI>
</vmap:AdSource></vmap:AdBreak></vmap:VMAP>"""
QUARTER_AND_END = VMAP.replace(
    "</vmap:VMAP>",
    f"""<vmap:AdBreak timeOffset="end" breakType="linear"><vmap:AdSource>
<vmap:AdTagURI templateType="vast4"><![CDATA[{ADS}/last.xml]]></vmap:AdTagURI>
</vmap:AdSource></vmap:AdBreak></vmap:VMAP>""",
).replace("00:00:01", "25%")
DOCUMENTS = {
    "vast.xml": VAST,
    "hanging-file.xml": VAST.replace("/ad.mp4", "/hanging.mp4"),
    "hanging-wrapper.xml": WRAPPER.replace("/vast.xml", "/hanging.xml"),
    "wrapper.xml": WRAPPER,
    "vmap.xml": VMAP,
    "hanging-break.xml": VMAP.replace("00:00:01", "start").replace("/vast.xml", "/hanging.xml"),
    "quarter-and-end.xml": QUARTER_AND_END,
    "last.xml": VAST.replace("/told/impression", "/told/last"),
    "empty.xml": f"<VAST><Error>{ADS}/told/error-[ERRORCODE]</Error></VAST>",
    "broken.xml": "<VAST><Ad>",
    "other.xml": VAST.replace("video/mp4", "video/x-none"),
    "no-video.xml": VAST.replace("/ad.mp4", "/vast.xml"),
    **{
        f"wrapped-{name}.xml": WRAPPER.replace("/vast.xml", f"/{name}.xml")
        for name in ("empty", "broken", "nowhere")
    },
    "circle.xml": WRAPPER.replace("/vast.xml", "/circle.xml"),
}


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One that draws WebGL without a graphics card."""
    async with near_browser(["--enable-unsafe-swiftshader"]) as browser:
        yield browser


@pytest.fixture
def video_id(wide_video: str) -> str:
    return wide_video


async def serve_ads(page: Page) -> list[str]:
    """Answer as an ad server, never to what `hangs`; return what it will be told."""
    told: list[str] = []

    async def answer(route: Route) -> None:
        name = route.request.url.removeprefix(f"{ADS}/").partition("?")[0]
        if name.startswith("hanging."):
            told.append(name)
            return
        origin = {"access-control-allow-origin": route.request.headers.get("origin", "*")}
        headers = {**origin, "access-control-allow-credentials": "true"}
        if name.startswith("told/"):
            told.append(name.removeprefix("told/"))
            await route.fulfill(status=204)
        elif name == "ad.mp4":
            await route.fulfill(path=barcode_mp4(), content_type="video/mp4")
        elif name in DOCUMENTS:
            await route.fulfill(body=DOCUMENTS[name], content_type="text/xml", headers=headers)
        else:
            await route.fulfill(status=500, headers=headers)

    await page.route(f"{ADS}/**", answer)
    return told


def asking_for(name: str) -> str:
    return f"adTagUrl:{quote(f'{ADS}/{name}', safe='')}"


async def has_been_told(told: list[str], *names: str) -> None:
    async def all_of_them() -> bool:
        return set(names) <= set(told)

    await until(all_of_them)


async def test_an_advertisement_comes_first_and_can_be_skipped(
    page: Page, api: httpx.Client, video_id: str
) -> None:
    told = await serve_ads(page)
    url = f"{api.base_url}/vod/{video_id}?muted=true#autoplay;{asking_for('wrapper.xml')}"
    await page.goto(url)
    await page.wait_for_url(re.compile(r"muted=true&ads=1#autoplay"))
    await expect(page.locator(".ad")).to_be_visible()
    await expect(page.locator(".bar")).to_be_hidden()
    skip = page.get_by_role("button", name="Skip")
    await expect(skip).to_be_disabled()
    await page.keyboard.press("k")  # presses play under the advertisement
    await page.evaluate("void window.telecinePlayer.play()")
    await expect(page.get_by_role("link", name="Learn more")).to_have_attribute(
        "href", "https://shop.example/"
    )
    await expect(skip).to_be_enabled()
    assert await page.evaluate("window.telecinePlayer.video.paused"), "one waits for the other"
    assert await page.evaluate("window.telecinePlayer.video.currentTime") == 0
    await page.context.route("https://shop.example/**", lambda route: route.fulfill(body="shop"))
    async with page.expect_popup() as opened:
        await page.get_by_role("link", name="Learn more").click()
    await (await opened.value).close()
    await has_been_told(told, "click")
    assert await page.evaluate("document.querySelector('.ad__video').paused")
    await skip.click()
    await becomes(page, "window.telecinePlayer.video.currentTime > 0.5")
    await expect(page.locator(".ad")).to_have_count(0)
    await has_been_told(told, "wrapper", "impression", "start", "skip")
    assert "complete" not in told


@pytest.mark.parametrize(
    ("name", "errors"),
    [
        ("nowhere", set()),
        ("broken.xml", set()),  # it has nobody to tell
        ("empty.xml", {"error-303"}),
        ("other.xml", {"error-403"}),
        ("no-video.xml", {"error-400"}),
        ("wrapped-nowhere.xml", {"wrapper-301"}),
        ("wrapped-broken.xml", {"wrapper-100"}),
        ("wrapped-empty.xml", {"wrapper-303", "error-303"}),
        ("circle.xml", {"wrapper-302"}),
    ],
)
async def test_a_failing_tag_never_keeps_the_viewer(
    page: Page, api: httpx.Client, video_id: str, name: str, errors: set[str]
) -> None:
    told = await serve_ads(page)
    await page.goto(f"{api.base_url}/vod/{video_id}?muted=true#autoplay;{asking_for(name)}")
    await becomes(page, "window.telecinePlayer?.video.currentTime > 0.5")
    await has_been_told(told, *errors)
    assert set(told) == errors


@pytest.mark.parametrize(
    ("name", "hangs", "errors"),
    [
        ("hanging.xml", "hanging.xml", []),
        ("hanging-wrapper.xml", "hanging.xml", ["wrapper-301"]),
        ("hanging-break.xml", "hanging.xml", []),
        ("hanging-file.xml", "hanging.mp4", ["error-402"]),
    ],
)
async def test_a_server_that_does_not_answer_is_waited_for_in_bounds(
    page: Page, api: httpx.Client, video_id: str, name: str, hangs: str, errors: list[str]
) -> None:
    told = await serve_ads(page)
    await page.goto(f"{api.base_url}/vod/{video_id}?muted=true#autoplay;{asking_for(name)}")
    await has_been_told(told, hangs)
    assert await page.evaluate("window.telecinePlayer.video.currentTime") == 0, "it comes first"
    await becomes(page, "window.telecinePlayer.video.currentTime > 0.5")
    await has_been_told(told, *errors)
    assert told == [hangs, *errors], "nothing was shown"
    await expect(page.locator(".ad")).to_have_count(0)
    await expect(page.locator(".bar")).to_be_visible()


async def test_an_advertisement_that_stops_on_its_way_is_left(
    page: Page, api: httpx.Client, video_id: str
) -> None:
    """Half of its file comes, and then nothing more."""
    told = await serve_ads(page)
    async with half_of(moov_first()) as url:
        vast = VAST.replace(f"{ADS}/ad.mp4", url)
        await page.route(f"{ADS}/half.xml", vast_of(vast))
        await page.goto(
            f"{api.base_url}/vod/{video_id}?muted=true#autoplay;{asking_for('half.xml')}"
        )
        await has_been_told(told, "impression", "start", "error-402")
        await becomes(page, "window.telecinePlayer.video.currentTime > 0.5")
        await expect(page.locator(".ad")).to_have_count(0)
        assert "complete" not in told


def moov_first() -> Path:
    """Return an advertisement that can be played while it arrives: most of it is its end."""
    return make_clip(
        "ad.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30:duration=20"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "30"),
        *("-b:v", "2M", "-movflags", "+faststart"),
    )


@asynccontextmanager
async def half_of(path: Path) -> AsyncIterator[str]:
    """Serve a file to whoever asks: the first part of it, and then nothing."""
    data = path.read_bytes()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: video/mp4\r\ncontent-length: %d\r\n\r\n" % len(data)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + data[: len(data) // 8])
        with suppress(ConnectionError):
            await reader.read()  # until the browser leaves
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/ad.mp4"


def vast_of(document: str) -> Callable[[Route], Awaitable[None]]:
    async def answer(route: Route) -> None:
        origin = {"access-control-allow-origin": route.request.headers.get("origin", "*")}
        headers = {**origin, "access-control-allow-credentials": "true"}
        await route.fulfill(body=document, content_type="text/xml", headers=headers)

    return answer


async def test_a_break_in_the_middle_is_no_pause_of_the_viewer(
    browser: Browser, api: httpx.Client, video_id: str
) -> None:
    async with page_with(browser, sdk("1.2.33")) as page:
        told = await serve_ads(page)
        options: dict[str, Any] = {
            "id": video_id,
            "iframeUrl": f"{api.base_url}/${{type}}/${{id}}",
            "ads": {"adTagUrl": f"{ADS}/vmap.xml"},
        }
        player = await embed(page, **options, autoplay=True, muted=True)
        await player.hears("firstplay")
        await has_been_told(told, "impression", "start", "firstQuartile", "complete")
        await player.becomes("window.telecinePlayer.video.currentTime > 2")
        assert await player.heard("pause") == []
        assert len(await player.heard("play")) == 1


async def test_breaks_are_a_share_of_the_video_and_behind_it(
    page: Page, api: httpx.Client, video_id: str
) -> None:
    told = await serve_ads(page)
    tag = asking_for("quarter-and-end.xml")
    await page.goto(f"{api.base_url}/vod/{video_id}?muted=true&ads=1#autoplay;{tag}")
    await becomes(page, "window.telecinePlayer?.video.currentTime > 0.2")
    await page.evaluate("""() => {
      window.plays = [];
      const {video} = window.telecinePlayer;
      video.addEventListener('play', () => window.plays.push(video.currentTime));
    }""")
    assert told == []
    await page.evaluate("window.telecinePlayer.seek(2.2)")
    await has_been_told(told, "impression")  # of ten seconds, behind two and a half
    assert await page.evaluate("window.telecinePlayer.video.paused")
    assert 2.5 <= await page.evaluate("window.telecinePlayer.video.currentTime") < 4
    await page.get_by_role("button", name="Skip").click()
    await expect(page.locator(".ad")).to_have_count(0)
    await becomes(page, "window.plays.length === 1")
    await page.evaluate("window.telecinePlayer.seek(9.5)")
    await has_been_told(told, "last")
    assert await page.evaluate("window.telecinePlayer.video.ended")
    await expect(page.locator(".ad")).to_be_visible()
    await page.get_by_role("button", name="Skip").click()
    await expect(page.locator(".ad")).to_have_count(0)
    await expect(page.get_by_role("button", name="Play again")).to_be_visible()
    assert await page.evaluate("window.telecinePlayer.video.ended")
    assert await page.evaluate("window.plays.length") == 1, "the video is over"
    assert [name for name in told if name in {"impression", "last"}] == ["impression", "last"]


async def test_a_picture_all_around_is_looked_at(
    page: Page, api: httpx.Client, video_id: str
) -> None:
    await open_with(page, api, video_id, "?muted=true", panoramic=True)
    await expect(page.get_by_role("button", name="Look left (a)")).to_be_visible()
    await page.keyboard.press("k")
    await becomes(page, "window.telecinePlayer.video.currentTime > 0.2")
    await page.keyboard.press("k")

    async def row() -> list[tuple[int, int, int]]:
        return [await pixel(page, x, 225) for x in (100, 250, 550, 650)]

    flat = await row()
    canvas = await page.locator("canvas.panorama").bounding_box()
    assert canvas == {"x": 0, "y": 0, "width": 800, "height": 450}

    async def turned() -> bool:
        return await row() != flat

    async def turned_back() -> bool:
        return await row() == flat

    for there, back in (("d", "a"), ("w", "s")):
        await page.keyboard.press(there)
        await until(turned)
        await page.keyboard.press(back)
        await until(turned_back)
    await page.get_by_role("button", name="Look up (w)").click()
    await until(turned)
    before = await row()
    await page.mouse.move(300, 250)
    await page.mouse.down()
    await page.mouse.move(200, 250, steps=4)
    await page.mouse.up()

    async def dragged() -> bool:
        return await row() != before

    await until(dragged)
