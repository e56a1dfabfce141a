"""The player page plays: time advances, qualities switch, seeks land, nothing freezes."""

import io
import itertools
import random
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.async_api import Page

from tests.e2e.conftest import Upload
from tests.e2e.watching import Patience, misplaced, slipped
from tests.fixtures.media import barcode_mp4, padded, read_numbers
from tests.fixtures.waiting import until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
]

RATE_HZ = 30
SECONDS = 24

HOLES = {"bufferSeekOverHole", "bufferAppendError", "fragParsingError"}
"""What players report of media that does not join."""

# Reads the number out of every presented frame, as tests/fixtures/media.py writes it.
RECORD = """() => {
  const {video, hls} = window.telecinePlayer;
  const [width, height, bits] = [192, 108, 12];
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d', {willReadFrequently: true});
  const frames = [], initPts = [], errors = [];
  const at = (x, y) => context.getImageData(x, y, 1, 1).data[0];
  const read = (now, frame) => {
    context.drawImage(video, 0, 0, width, height);
    let number = 0;
    for (let bit = 0; bit < bits; bit++) {
      const x = Math.floor(width * (bit + 0.5) / bits);
      const upper = at(x, Math.floor(height * 0.075)), lower = at(x, Math.floor(height * 0.225));
      if (Math.abs(upper - lower) < 80) number = -1;
      else if (number >= 0 && upper > lower) number |= 1 << bit;
    }
    frames.push([now, frame.mediaTime, number, frame.width]);
    video.requestVideoFrameCallback(read);
  };
  video.requestVideoFrameCallback(read);
  hls.on('hlsInitPtsFound', (_, data) => initPts.push([data.initPTS, data.timescale]));
  hls.on('hlsError', (_, data) => errors.push([data.details, data.fatal]));
  window.recorded = {frames, initPts, errors};
}"""


@pytest.fixture(scope="module")
def clip() -> Path:
    return barcode_mp4(frames=RATE_HZ * SECONDS, width_px=854, height_px=480, keyframe_interval=130)


@pytest.fixture(scope="module")
def video_id(clip: Path, upload: Upload) -> str:
    return upload(clip, "Barcode")


async def encoded(api: httpx.Client, video_id: str) -> None:
    """Wait until every quality is stored."""

    async def done() -> bool:
        status = api.get(f"/videos/{video_id}/status").json()["encoding"]
        states = {quality["status"] for quality in status["qualities"]}
        assert "failed" not in states
        return states == {"encoded"}

    await until(done)


async def becomes(page: Page, expression: str, arg: object = None) -> None:
    """Wait until a JavaScript expression is true; the page's own policy stays in force."""

    async def true() -> bool:
        return bool(await page.evaluate(expression, arg))

    await until(true)


async def open_page(page: Page, api: httpx.Client, video_id: str, fragment: str = "") -> None:
    await page.goto(f"{api.base_url}/vod/{video_id}{fragment}")
    await becomes(page, "window.telecinePlayer?.hls?.levels?.length > 0")


async def state(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = await page.evaluate(
        "(() => { const v = window.telecinePlayer.video;"
        " return {time: v.currentTime, width: v.videoWidth, paused: v.paused}; })()"
    )
    return found


async def test_a_viewer_who_comes_at_once_sees_it_start_by_itself(
    page: Page, api: httpx.Client, upload: Upload
) -> None:
    video_id = api.post("/videos", json={"title": "Early"}).json()["videoId"]
    await page.goto(f"{api.base_url}/vod/{video_id}#autoplay")
    assert await page.evaluate("document.querySelector('video').readyState") == 0
    with barcode_mp4().open("rb") as file:
        api.post(f"/videos/{video_id}/source", files={"file": file}).raise_for_status()
    await becomes(page, "document.querySelector('video').currentTime > 1")


async def test_what_is_on_the_screen_is_the_video(
    page: Page, api: httpx.Client, video_id: str
) -> None:
    """A picture of the page itself, as a person sees it: of no element, of no canvas."""
    await page.set_viewport_size({"width": 854, "height": 480})
    await open_page(page, api, video_id, "#autoplay;loop")
    seen: set[int] = set()

    async def moves_on() -> bool:
        shot = Image.open(io.BytesIO(await page.screenshot())).convert("L")
        (number,) = read_numbers(np.asarray(shot)[np.newaxis])
        if number >= 0:  # a control may cover it
            seen.add(number)
        return len(seen) >= 3

    await until(moves_on)
    assert max(seen) < RATE_HZ * SECONDS


async def test_an_early_viewer_is_told_each_stage(
    page: Page, api: httpx.Client, moov_last_clip: Path
) -> None:
    """Nothing, the end of a file, of which nothing can be played, all of it; and no media."""
    file = padded(moov_last_clip.read_bytes(), 6 << 20)
    first, second = file[: 5 << 20], file[5 << 20 :]
    video_id = api.post("/videos", json={"title": "Stages"}).json()["videoId"]

    def send(part: bytes, number: int) -> None:
        headers = {"Content-Range": f"part {number}/2"}
        sent = api.post(f"/videos/{video_id}/source", files={"file": part}, headers=headers)
        sent.raise_for_status()

    said = "document.querySelector('.message__text')?.textContent ?? ''"
    await page.goto(f"{api.base_url}/vod/{video_id}#autoplay")
    await becomes(page, "window.telecinePlayer?.state === 'waiting'")
    assert api.get(f"/videos/{video_id}/status").json()["ingest"] is None
    send(second, 2)
    await becomes(page, f"({said}).includes('is being uploaded')")
    ingest = api.get(f"/videos/{video_id}/status").json()["ingest"]
    assert ingest["status"] == "uploading"
    assert ingest["receivedParts"] == {"parts": [2], "total": 2}
    send(first, 1)
    await becomes(page, "document.querySelector('video').currentTime > 1")
    assert api.get(f"/videos/{video_id}/status").json()["ingest"]["status"] == "uploaded"

    broken = api.post("/videos", json={"title": "Broken"}).json()["videoId"]
    await page.goto(f"{api.base_url}/vod/{broken}#autoplay")
    await becomes(page, "window.telecinePlayer?.state === 'waiting'")
    sent = api.post(f"/videos/{broken}/source", files={"file": ("clip.mp4", bytes(100_000))})
    sent.raise_for_status()
    await becomes(page, f"({said}).includes('no longer available')")


async def test_every_quality_can_be_selected(page: Page, api: httpx.Client, video_id: str) -> None:
    await encoded(api, video_id)
    await open_page(page, api, video_id, "#autoplay")
    levels = await page.evaluate("window.telecinePlayer.hls.levels.map(level => level.width)")
    assert sorted(levels) == [428, 640, 854]
    # Asked again now and then: a player that waited at the end has to be woken.
    choose = """([index, width]) => {
      const {video} = window.telecinePlayer;
      if (window.chosen !== index || performance.now() - window.chosenAt > 20000) {
        [window.chosen, window.chosenAt] = [index, performance.now()];
        window.telecinePlayer.quality = index;
        video.currentTime = 1;
        video.play();
      }
      return video.videoWidth === width;
    }"""
    for index, width in enumerate(levels):
        await becomes(page, choose, [index, width])


async def test_seeks_land_on_the_frame_that_was_asked_for(
    page: Page, api: httpx.Client, video_id: str
) -> None:
    await encoded(api, video_id)
    await open_page(page, api, video_id)
    await becomes(page, "window.telecinePlayer.video.readyState >= 2")
    await page.evaluate(RECORD)  # of a video that stands still: it shows what was asked for
    choose = random.Random(4)
    for target in [choose.uniform(0, SECONDS - 1) for _ in range(10)]:
        await page.evaluate(
            "target => { window.recorded.frames.length = 0;"
            " window.telecinePlayer.video.currentTime = target; }",
            target,
        )
        # Frames of the old place may still come in: only those near the target count.
        near = "frame => frame[2] >= 0 && Math.abs(frame[1] - target) < 0.25"
        await becomes(page, f"target => window.recorded.frames.some({near})", target)
        first = await page.evaluate(f"target => window.recorded.frames.find({near})", target)
        assert abs(first[2] - first[1] * RATE_HZ) <= 2


async def test_switching_qualities_neither_freezes_nor_slips(
    page: Page, api: httpx.Client, video_id: str, patience: Patience
) -> None:
    await encoded(api, video_id)
    faults: list[Any] = []
    for _ in range(patience.attempts):
        faults = await faults_while_switching(page, api, video_id, patience.freeze_s)
        if not faults:
            break
    assert not faults


async def faults_while_switching(
    page: Page, api: httpx.Client, video_id: str, freeze_s: float
) -> list[Any]:
    """Play with many switches; return single pictures at other's times, and stretches without."""
    await open_page(page, api, video_id)
    await page.evaluate(RECORD)
    await page.evaluate(
        """url => {
          const {video, hls} = window.telecinePlayer;
          Object.assign(hls.config, {maxBufferLength: 6, maxMaxBufferLength: 6});
          hls.loadSource(url);
          hls.once('hlsManifestParsed', () => {
            window.recorded.initPts.length = 0;  // those of the page's own load
            video.currentTime = 0;
            video.play();
          });
          let seed = 7;
          const next = () => (seed = seed * 16807 % 2147483647) / 2147483647;
          window.switches = 0;
          setInterval(() => {
            // As the menu does: it is the player that chooses how the engine switches.
            window.telecinePlayer.quality = Math.floor(next() * hls.levels.length);
            window.switches++;
          }, 1300);
        }""",
        f"/vod/{video_id}/hls/manifest.m3u8",
    )
    end = SECONDS - 1
    await becomes(page, f"window.telecinePlayer.video.currentTime > {end}")
    recorded = await page.evaluate("window.recorded")
    frames = [frame for frame in recorded["frames"] if frame[2] >= 0]
    assert await page.evaluate("window.switches") >= 10
    assert len({frame[3] for frame in frames}) >= 2, "the picture never changed its size"
    assert len(frames) > 0.2 * RATE_HZ * end
    assert slipped(frames, RATE_HZ) == []
    steps = itertools.pairwise(frames)
    assert not [pair for pair in steps if pair[1][2] < pair[0][2]], "the picture ran backwards"
    assert recorded["initPts"] == [[0, 120_000]]
    assert not [error for error in recorded["errors"] if error[1] or error[0] in HOLES]
    pairs = [(before[1], after[1]) for before, after in itertools.pairwise(frames)]
    holes = [(before, after) for before, after in pairs if after - before > freeze_s]
    # By the clock of the wall, too, from when it has begun to play.
    shown = [(before[0], after[0]) for before, after in itertools.pairwise(frames) if before[1] > 0]
    still = [(before, after) for before, after in shown if after - before > 1000 * freeze_s]
    return [*misplaced(frames, RATE_HZ), *holes, *still]
