"""What hangs on a private video - captions, chapters, previews, downloads - in its player.

The server's own files, in a page of another site that has nothing but the token.
"""

import io
import re
from collections.abc import AsyncIterator

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.async_api import Frame, Page, Response, expect

from tests.e2e.conftest import Upload
from tests.e2e.embedding import embed, near_browser, page_with, sdk
from tests.fixtures.customer import everywhere
from tests.fixtures.media import barcode_mp4, read_numbers
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    pytest.mark.node,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
]

SECONDS, RATE_HZ = 10, 30
CAPTIONS = b"WEBVTT\n\n00:00.000 --> 00:10.000\nhush\n"
CHAPTERS = b"WEBVTT\n\n00:00.000 --> 00:04.000\nBegin\n\n00:04.000 --> 00:10.000\nSecret\n"
FILES = ("storyboard.vtt", "mp4/source.mp4", "thumbnail.jpg", "captions/en.vtt", "chapters/en.vtt")


@pytest.fixture
async def shop() -> AsyncIterator[Page]:
    """A page of another site that has loaded the newest SDK."""
    async with near_browser() as browser, page_with(browser, sdk("1.2.33")) as page:
        yield page


@pytest.fixture
async def private(api: httpx.Client, upload: Upload) -> str:
    video_id = upload(barcode_mp4(frames=SECONDS * RATE_HZ, width_px=854, height_px=480), "Hush")
    for kind, text in (("captions", CAPTIONS), ("chapters", CHAPTERS)):
        path = f"/videos/{video_id}/{kind}/en"
        api.post(path, files={"file": text}).raise_for_status()
    folder = f"{api.base_url}/vod/{video_id}"

    def answers(code: int) -> bool:
        urls = [f"{folder}/{name}" for name in FILES]
        return {httpx.get(url, timeout=PATIENCE_S).status_code for url in urls} == {code}

    async def complete() -> bool:
        return answers(200)

    await until(complete)
    api.patch(f"/videos/{video_id}", json={"public": False}).raise_for_status()
    await everywhere(lambda: answers(404))
    return video_id


async def test_everything_of_it_comes_in_its_session(
    shop: Page, api: httpx.Client, private: str
) -> None:
    got: list[Response] = []
    shop.on("response", lambda one: got.append(one))  # noqa: PLW0108  # it marks what it calls
    player_url: str = api.get(f"/videos/{private}").json()["assets"]["player"]
    token = player_url.partition("token=")[2]
    template = f"{api.base_url}/${{type}}/${{id}}"
    player = await embed(shop, iframeUrl=template, muted=True, id=private, token=token)
    await player.hears("ready")
    page = player.frame
    await _captions_are_chosen(page)
    await _a_chapter_is_jumped_to(page)
    await _previews_are_of_their_time(shop, page, got)
    async with shop.expect_download() as download:
        await player.call("download", "kept.mp4")
    saved = (await (await download.value).path()).read_bytes()
    async with shop.expect_download() as download:
        await page.get_by_role("link", name="Download").click()
    assert (await download.value).suggested_filename == "Hush.mp4"
    assert (await (await download.value).path()).read_bytes() == saved

    of_it = [one for one in got if f"/vod/{private}/" in one.url]
    assert not [(one.url, one.status) for one in of_it if one.status not in {200, 206}]
    files = [one.url for one in of_it]
    begun = [url for url in files if url.endswith(f"/token/{token}/session")]
    assert len(begun) == 1
    assert [url for url in files if "avh=" not in url] == begun
    names = {re.sub(r"\?.*", "", url).rpartition(f"/{private}/token/{token}/")[2] for url in files}
    needed = {"thumbnail.jpg", "storyboard.vtt", "chapters/en.vtt", "hls/captions/en.m3u8"}
    assert needed | {"hls/captions/en.hls.vtt", "mp4/source.mp4"} <= names
    assert {name for name in names if name.startswith("storyboard-")}


async def _captions_are_chosen(page: Frame) -> None:
    await page.evaluate("window.telecinePlayer.video.play()")
    await page.get_by_role("button", name="Captions").click()
    await page.get_by_role("menuitemradio", name="English").click()
    await expect(page.locator(".captions__text")).to_have_text("hush")


async def _a_chapter_is_jumped_to(page: Frame) -> None:
    await page.evaluate("window.telecinePlayer.video.pause()")
    await page.get_by_role("button", name="Chapters").click()
    await page.get_by_role("menuitemradio", name="Secret").click()

    async def there() -> bool:
        at_s = await page.evaluate("window.telecinePlayer.video.currentTime")
        return bool(at_s == pytest.approx(4, abs=0.05))

    await until(there)
    await expect(page.get_by_role("button", name="Chapters: Secret")).to_be_visible()


async def _previews_are_of_their_time(shop: Page, page: Frame, got: list[Response]) -> None:
    """Read the number in the picture above the bar: it is of the tile for that time."""
    track = await page.locator(".progress").bounding_box()
    assert track is not None
    await shop.mouse.move(track["x"] + 10, track["y"] + 10)  # nobody needs them before

    async def told() -> bool:
        return any("/storyboard.vtt" in one.url for one in got)

    await until(told)
    (tiles,) = [one for one in got if "/storyboard.vtt" in one.url]
    found = re.findall(r"(\d+):(\d+):(\S+) --> ", await tiles.text())
    starts_s = [int(h) * 3600 + int(m) * 60 + float(s) for h, m, s in found]
    numbers = set()
    for share in (0.25, 0.85):
        at = (track["x"] + track["width"] * share, track["y"] + 10)
        expected = round(max(s for s in starts_s if s <= share * SECONDS) * RATE_HZ)
        await shop.mouse.move(at[0] + 1, at[1])

        async def right(at: tuple[float, float] = at, expected: int = expected) -> bool:
            await shop.mouse.move(*at)
            shot = await page.locator(".preview").screenshot()
            luma = np.asarray(Image.open(io.BytesIO(shot)).convert("L"))
            return read_numbers(luma[np.newaxis]) == [expected]

        await until(right)
        numbers.add(expected)
    assert len(numbers) == 2
