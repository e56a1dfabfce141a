"""Players of others on the same URLs, as their makers publish them, on a page of another site."""

import io
import random
import statistics

import httpx
import pytest
from PIL import Image
from playwright.async_api import Page

from tests.contract import packages
from tests.e2e.conftest import Upload
from tests.e2e.embedding import near_browser, page_with
from tests.e2e.player_page import becomes
from tests.e2e.watching import MOST_PICTURES
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

SECONDS, RATE_HZ = 16, 30
HLS, SHAKA, VIDEO_JS = "1.7.4", "5.2.12", "8.24.1"
LETTERS = 300  # white pixels of what the captions say, at least
VTT = b"WEBVTT\n\n00:00.500 --> 00:03.500\nhello\n\n00:04.000 --> 00:06.000\nMMMMMMMM\n"

# Each tells how it is doing by `window.told()`, and takes a quality by `window.choose(number)`.
WITH_HLS = """async (url) => {
  const video = document.createElement('video');
  video.muted = true;
  document.body.append(video);
  const errors = [];
  // What it holds stays in its quality, so it holds little.
  const hls = new Hls({maxBufferLength: 1, maxMaxBufferLength: 1, backBufferLength: 0});
  window.video = video;
  window.choose = (number) => { hls.loadLevel = number % hls.levels.length; };
  hls.on(Hls.Events.ERROR, (_, data) => data.fatal && errors.push(data.details));
  window.caption = (on) => { hls.subtitleTrack = on ? 0 : -1; hls.subtitleDisplay = on; };
  window.told = () => ({
    seconds: video.currentTime,
    frames: video.getVideoPlaybackQuality().totalVideoFrames,
    heights: hls.levels.map((level) => level.height).sort(),
    captions: hls.subtitleTracks.map((track) => track.lang),
    errors,
  });
  hls.loadSource(url);
  hls.attachMedia(video);
  await video.play();
}"""
WITH_SHAKA = """async (url) => {
  const video = document.createElement('video');
  video.muted = true;
  document.body.append(video);
  shaka.polyfill.installAll();
  const errors = [];
  const player = new shaka.Player();
  window.video = video;
  window.choose = (number) => {
    player.configure({abr: {enabled: false}});
    const tracks = player.getVariantTracks();
    player.selectVariantTrack(tracks[number % tracks.length], true);
  };
  player.addEventListener('error', (event) => errors.push(String(event.detail)));
  await player.attach(video);
  window.caption = (on) => player.selectTextTrack(on ? player.getTextTracks()[0] : null);
  window.told = () => ({
    seconds: video.currentTime,
    frames: video.getVideoPlaybackQuality().totalVideoFrames,
    heights: [...new Set(player.getVariantTracks().map((track) => track.height))].sort(),
    captions: player.getTextTracks().map((track) => track.language),
    errors,
  });
  try {
    await player.load(url);
    await video.play();
  } catch (error) {
    errors.push(`${error} ${error.code} ${error.data}`);
  }
}"""
WITH_VIDEO_JS = """async (url) => {
  const video = document.createElement('video');
  video.className = 'video-js';
  video.muted = true;
  document.body.append(video);
  const player = videojs(video, {width: 854, height: 480});
  const errors = [];
  player.on('error', () => errors.push(player.error().message));
  window.video = player.el().querySelector('video');
  window.choose = (number) => {
    const all = player.tech({IWillNotUseThisInPlugins: true}).vhs.representations();
    all.forEach((each, index) => each.enabled(index === number % all.length));
  };
  window.caption = (on) => {
    const tracks = Array.from(player.textTracks()).filter((each) => each.kind === 'subtitles');
    tracks[0].mode = on ? 'showing' : 'disabled';
  };
  const heights = () => {
    const vhs = player.tech({IWillNotUseThisInPlugins: true})?.vhs;
    return [...new Set((vhs?.representations?.() ?? []).map((each) => each.height))].sort();
  };
  window.told = () => ({
    seconds: player.currentTime(),
    frames: player.el().querySelector('video').getVideoPlaybackQuality().totalVideoFrames,
    heights: heights(),
    captions: Array.from(player.textTracks()).filter((each) => each.kind === 'subtitles')
      .map((track) => track.language),
    errors,
  });
  player.src({src: url, type: 'application/vnd.apple.mpegurl'});
  await player.play();
}"""

# Reads the number of every picture, as tests/fixtures/media.py writes it, with its time and width.
WATCH = """() => {
  const [width, height, bits] = [192, 108, 12];
  const canvas = new OffscreenCanvas(width, height);
  const pixels = canvas.getContext('2d', {willReadFrequently: true});
  window.frames_seen = [];
  const read = (_, frame) => {
    pixels.drawImage(window.video, 0, 0, width, height);
    const data = pixels.getImageData(0, 0, width, height).data;
    const at = (x, y) => data[4 * (Math.floor(height * y) * width + x)];
    let number = 0;
    for (let bit = 0; bit < bits; bit++) {
      const x = Math.floor(width * (bit + 0.5) / bits);
      const [upper, lower] = [at(x, 0.075), at(x, 0.225)];
      if (Math.abs(upper - lower) < 80) number = -1;
      else if (number >= 0 && upper > lower) number |= 1 << bit;
    }
    window.frames_seen.push([frame.mediaTime, number, frame.width]);
    window.video.requestVideoFrameCallback(read);
  };
  window.video.requestVideoFrameCallback(read);
}"""
GO = """([seconds, quality]) => {
  window.choose(quality);
  window.frames_seen = [];
  window.video.currentTime = seconds;
  window.video.play();
}"""

PLAYERS = {
    "hls.js": (HLS, "dist/hls.min.js", WITH_HLS),
    "shaka-player": (SHAKA, "dist/shaka-player.compiled.js", WITH_SHAKA),
    "video.js": (VIDEO_JS, "dist/video.min.js", WITH_VIDEO_JS),
}


def library(name: str) -> str:
    """Return a player as it is published."""
    return published(name, PLAYERS[name][1])


def published(name: str, path: str) -> str:
    """Return a file of the package of a player."""
    modules = packages.node_package(name, PLAYERS[name][0]) / "node_modules"
    return (modules / name / path).read_text()


@pytest.fixture(scope="module")
async def video(api: httpx.Client, upload: Upload) -> str:
    """A video of three qualities with captions."""
    video_id = upload(barcode_mp4(frames=SECONDS * RATE_HZ, width_px=854, height_px=480), "Shared")
    files = {"file": VTT}
    api.post(f"/videos/{video_id}/captions/en", files=files).raise_for_status()

    async def encoded() -> bool:
        qualities = api.get(f"/videos/{video_id}/status").json()["encoding"]["qualities"]
        return {quality["status"] for quality in qualities} == {"encoded"}

    await until(encoded)
    return video_id


async def plays(page: Page, code: str, url: str) -> dict[str, object]:
    """Have a player play a URL for two seconds; return what it tells."""
    await page.evaluate(code, url)
    told: dict[str, object] = {}

    async def far() -> bool:
        nonlocal told
        told = await page.evaluate("() => window.told()")
        assert told["errors"] == []
        return float(str(told["seconds"])) > 2

    try:
        await until(far)
    except TimeoutError as error:
        error.add_note(str(told))
        raise
    return told


@pytest.mark.parametrize("name", PLAYERS)
async def test_seeks_to_other_qualities_land_on_their_pictures(
    name: str, api: httpx.Client, video: str
) -> None:
    order, widths = random.Random(11), set[int]()
    async with near_browser() as browser, page_with(browser, library(name)) as page:
        await plays(page, PLAYERS[name][2], f"{api.base_url}/vod/{video}/hls/manifest.m3u8")
        await page.evaluate(WATCH)
        for _ in range(8):
            at_s = order.uniform(0, SECONDS - 2)
            off = await pictures_off(page, at_s, order.randrange(3), widths)
            # A busy machine is asked for a picture when it shows a later one already.
            assert abs(statistics.median(off)) <= MOST_PICTURES, (at_s, off)
    assert len(widths) > 1, "it never changed its quality"


async def pictures_off(page: Page, at_s: float, quality: int, widths: set[int]) -> list[float]:
    """Seek in another quality and play on; return by how many pictures those seen are off.

    Their widths are added to `widths`.
    """
    await page.evaluate(GO, [at_s, quality])
    seen: list[float] = []

    async def plays_on() -> bool:
        nonlocal seen
        assert (await page.evaluate("() => window.told()"))["errors"] == []
        frames = await page.evaluate("() => window.frames_seen")
        seen = [
            number - media_s * RATE_HZ
            for media_s, number, _ in frames
            if number >= 0 and at_s - 0.1 <= media_s <= at_s + 1
        ]
        widths.update(width for _, _, width in frames)
        return len(seen) >= 5

    await until(plays_on)
    return seen


@pytest.mark.parametrize("name", PLAYERS)
async def test_it_plays(name: str, api: httpx.Client, video: str) -> None:
    code = PLAYERS[name][2]
    urls = {
        "public": f"{api.base_url}/vod/{video}/hls/manifest.m3u8",
        "transport": f"{api.base_url}/vod/{video}/hls/manifest.m3u8?format=ts",
    }
    async with near_browser() as browser:
        for url in urls.values():
            async with page_with(browser, library(name)) as page:
                told = await plays(page, code, url)
            assert told["heights"] == [240, 360, 480]
            assert told["captions"] == ["en"]
            assert int(str(told["frames"])) > 30
        api.patch(f"/videos/{video}", json={"public": False}).raise_for_status()
        try:
            private = api.get(f"/videos/{video}").json()["assets"]["hls"]
            async with page_with(browser, library(name)) as page:
                told = await plays(page, code, private)
            assert told["captions"] == ["en"]
        finally:
            api.patch(f"/videos/{video}", json={"public": True}).raise_for_status()
            url = urls["public"]  # of the next player
            await everywhere(lambda: httpx.get(url, timeout=PATIENCE_S).status_code == 200)


@pytest.mark.parametrize("name", PLAYERS)
async def test_captions_of_the_master_are_seen(name: str, api: httpx.Client, video: str) -> None:
    """As pixels: the same picture of the video is looked at with them and without."""
    async with near_browser() as browser, page_with(browser, library(name)) as page:
        await page.evaluate("for (const id of ['target', 'second']) window[id].remove()")
        if name == "video.js":  # places what it draws itself
            await page.add_style_tag(content=published(name, "dist/video-js.min.css"))
        url = f"{api.base_url}/vod/{video}/hls/manifest.m3u8"
        await plays(page, PLAYERS[name][2], url)
        await page.evaluate("window.caption(true); window.video.pause()")
        shown = 0

        async def seen() -> bool:
            nonlocal shown
            # Each time anew: video.js looks for its cue when the time is told, which may be
            # before the captions have come.
            await page.evaluate("window.video.currentTime = 4.5")
            await becomes(page, "!window.video.seeking && window.video.readyState >= 2")
            shown = await white_pixels(page)
            return shown > LETTERS

        await until(seen)
        await page.evaluate("window.caption(false)")

        async def gone() -> bool:
            return await white_pixels(page) < shown - LETTERS

        await until(gone)


async def white_pixels(page: Page) -> int:
    """Return how many there are in the lower half of the picture, where cues stand."""
    box = await page.locator("video").bounding_box()
    assert box is not None
    half = {**box, "y": box["y"] + box["height"] / 2, "height": box["height"] / 2}
    clip = {key: half[key] for key in ("x", "y", "width", "height")}
    shot = Image.open(io.BytesIO(await page.screenshot(clip=clip)))  # type: ignore[arg-type]
    return sum(shot.convert("L").histogram()[245:])
