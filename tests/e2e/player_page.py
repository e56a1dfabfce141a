"""A player page with an island of the test's own, and what is seen on it."""

import io
import json
import re
from collections.abc import Mapping
from typing import Any

import httpx
from PIL import Image
from playwright.async_api import Page, Route, expect

from tests.fixtures.waiting import until

ISLAND = re.compile(r'(<script type="application/json" id="telecine-media">)(.*?)(</script>)')
PAGE = re.compile(r"/vod/\w+(\?.*)?$")
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
    '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="English",LANGUAGE="en",DEFAULT=NO,'
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
    # Before its length is known there is no place in it that could be gone to.
    await becomes(page, "window.telecinePlayer.video.readyState >= 1")


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
