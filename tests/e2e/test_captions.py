"""Captions out of the playlists, in a browser: the right text at the right time."""

import io
from collections.abc import AsyncIterator

import httpx
import pytest
from PIL import Image
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.e2e.conftest import PATIENCE_MS, Upload
from tests.e2e.player_page import becomes
from tests.fixtures.media import barcode_mp4
from tests.fixtures.server import TelecineServer
from tests.fixtures.waiting import until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
]

VTT = """WEBVTT

00:00.500 --> 00:01.500
{0} <script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">

00:02.000 --> 00:03.500
{0} two
"""

# The playlist of the view, then the second captions; resolves with what is read at 2.5 s.
READ = """async (query) => {
  const {video, hls} = window.telecinePlayer;
  const {url} = hls;
  if (query) hls.loadSource(url.split('?')[0] + query);
  const wait = async (what) => {
    while (!what()) await new Promise(requestAnimationFrame);
  };
  await wait(() => hls.subtitleTracks.length === 2 && hls.url.endsWith(query));
  // The page has heard of both tracks, and has nothing more to say about them.
  await wait(() => [...video.textTracks].filter((one) => one.kind === 'subtitles').length === 2);
  for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame);
  hls.subtitleTrack = 1;
  hls.subtitleDisplay = true;
  video.muted = true;
  await wait(() => video.readyState >= 2);
  video.currentTime = 2.5;
  const showing = () => [...video.textTracks].find((one) => one.mode === 'showing');
  await wait(() => showing()?.activeCues?.length);
  const active = [...showing().activeCues].map((cue) => [cue.startTime, cue.endTime, cue.text]);
  const names = hls.subtitleTracks.map((one) => [one.name, one.lang, one.default]);
  return {active, names, hacked: window.hacked ?? null};
}"""


@pytest.fixture(scope="module")
def captioned(api: httpx.Client, upload: Upload) -> str:
    video_id = upload(barcode_mp4(frames=120), "Captioned")
    for language in ("de", "fr"):
        path = f"/videos/{video_id}/captions/{language}"
        api.post(path, files={"file": VTT.format(language).encode()}).raise_for_status()
    api.patch(f"/videos/{video_id}/captions/de", json={"default": True}).raise_for_status()
    return video_id


@pytest.mark.parametrize("query", ["", "?format=ts"], ids=["cmaf", "ts"])
async def test_they_are_on_the_clock_of_the_picture(
    page: Page, captioned: str, telecine_server: TelecineServer, query: str
) -> None:
    await page.goto(f"{telecine_server.base_url}/vod/{captioned}")
    await page.wait_for_function("() => window.telecinePlayer?.hls?.levels?.length")
    found = await page.evaluate(READ, query)
    assert found["names"] == [["Deutsch", "de", True], ["Français", "fr", False]]
    ((start_s, end_s, text),) = found["active"]
    assert text == "fr two"
    # In MPEG-TS hls.js takes the first decoding time for 0 (two frames of reordering), or
    # that of the sound, whose packets are cut at other times.
    assert (start_s, end_s) == (pytest.approx(2, abs=0.09), pytest.approx(3.5, abs=0.09))
    assert found["hacked"] is None


@pytest.fixture
async def viewer(browser: Browser) -> AsyncIterator[BrowserContext]:
    """Somebody who speaks neither of the languages, and what their browser keeps."""
    context = await browser.new_context(viewport={"width": 800, "height": 450}, locale="pl")
    context.set_default_timeout(PATIENCE_MS)
    yield context
    await context.close()


async def opened(viewer: BrowserContext, url: str) -> Page:
    """Open a player, and have it stand where its first cue is shown."""
    page = await viewer.new_page()
    await page.goto(url)
    await becomes(page, "window.telecinePlayer?.isReady")
    await page.evaluate("window.telecinePlayer.seek(1)")
    await becomes(page, "!window.telecinePlayer.video.seeking")
    await page.keyboard.press("k")
    await becomes(page, "window.telecinePlayer.video.currentTime > 1")
    await page.keyboard.press("k")
    return page


async def letters_seen(page: Page) -> bool:
    """Tell whether there are white letters on a dark ground where captions stand."""
    box = await page.locator(".captions__text").bounding_box()
    if box is None:
        return False
    clip = {name: box[name] for name in ("x", "y", "width", "height")}
    shot = await page.screenshot(clip=clip)  # type: ignore[arg-type]
    counts = Image.open(io.BytesIO(shot)).convert("L").histogram()
    return 200 < sum(counts[230:]) < sum(counts[:80])


async def test_the_default_ones_are_seen_without_a_click(
    viewer: BrowserContext, captioned: str, telecine_server: TelecineServer
) -> None:
    url = f"{telecine_server.base_url}/vod/{captioned}?muted=true"
    page = await opened(viewer, url)
    await expect(page.locator(".captions__text")).to_contain_text("de window")
    await until(lambda: letters_seen(page))
    # Who switches them off, or over, finds it so with the next video.
    for choice, expected in (("Off", None), ("Français", "fr"), ("Deutsch", "de"), ("Off", None)):
        await page.get_by_role("button", name="Captions").click()
        await page.get_by_role("menuitemradio", name=choice).click()
        await page.close()
        page = await opened(viewer, url)
        text = page.locator(".captions__text")
        if expected is None:
            await becomes(page, "window.telecinePlayer.video.textTracks.length >= 2")
            await expect(text).to_have_count(0)
        else:
            await expect(text).to_contain_text(f"{expected} window")
    await page.close()
    # The embedding page may want them even so.
    page = await opened(viewer, f"{url}#show-subtitles")
    await expect(page.locator(".captions__text")).to_contain_text("de window")


async def test_a_page_may_want_none_at_first(
    viewer: BrowserContext, captioned: str, telecine_server: TelecineServer
) -> None:
    url = f"{telecine_server.base_url}/vod/{captioned}?muted=true&showSubtitles=false"
    page = await opened(viewer, url)
    await becomes(page, "window.telecinePlayer.video.textTracks.length >= 2")
    text = page.locator(".captions__text")
    await expect(text).to_have_count(0)
    await page.keyboard.press("c")
    await expect(text).to_contain_text("de window")
