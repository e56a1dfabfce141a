"""The player page in Firefox, where it is installed."""

import itertools
import json
import random
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import Upload
from tests.e2e.firefox import Firefox, firefox
from tests.e2e.test_switching import RATE_HZ, SECONDS, WATCH, Seen, clapper
from tests.e2e.watching import Patience, misplaced, slipped
from tests.fixtures.waiting import until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
]

FRAME_S = 1 / RATE_HZ
SKIPPED_S = 1 / 3
"""What a busy machine may leave out."""
PLAYER = "page.telecinePlayer"

# Looks at a video of the page (`VIDEO`), plays it from its start, and keeps what is told of it.
LOOK = f"""((window) => {{
  window.errors = [];
  ({WATCH})(VIDEO);
  VIDEO.currentTime = 0;
  VIDEO.play();
}})(page)"""
# Chooses qualities as the menu does, and holds little: what it has stays in its quality.
SWITCH = f"""((player) => {{
  const {{hls}} = player;
  Object.assign(hls.config, {{maxBufferLength: 3, maxMaxBufferLength: 3}});
  hls.on('hlsError', (_, data) => data.fatal && page.errors.push(data.details));
  let number = 0;
  setInterval(() => {{ player.quality = ++number % hls.levels.length; }}, 1900);
}})({PLAYER})"""


@pytest.fixture(scope="module")
async def video_id(api: httpx.Client, upload: Upload) -> str:
    """Numbered pictures in two qualities."""
    video_id = upload(clapper(), "Firefox")

    async def encoded() -> bool:
        qualities = api.get(f"/videos/{video_id}/status").json()["encoding"]["qualities"]
        return {quality["status"] for quality in qualities} == {"encoded"}

    await until(encoded)
    return video_id


async def test_it_plays_seeks_and_switches(
    api: httpx.Client, video_id: str, tmp_path: Path
) -> None:
    async with firefox(tmp_path) as browser:
        await browser.call("WebDriver:Navigate", url=f"{api.base_url}/vod/{video_id}#autoplay")
        await browser.becomes(f"{PLAYER}?.hls?.levels?.length === 2")
        await browser.becomes(f"{PLAYER}.video.currentTime > 1")
        for level in (0, 1):
            width = await browser.evaluate(f"{PLAYER}.hls.levels[{level}].width")
            await browser.evaluate(f"{PLAYER}.quality = {level}")
            # From the start again: near its end a video has nothing left to switch for.
            await browser.evaluate(f"{PLAYER}.video.currentTime = 0.1")
            await browser.becomes(f"{PLAYER}.video.videoWidth === {width}")
        chance = random.Random(3)
        for _ in range(5):
            target = chance.uniform(0, SECONDS - 1)
            await browser.evaluate(f"{PLAYER}.video.currentTime = {target}")
            await browser.becomes(f"!{PLAYER}.video.seeking && {PLAYER}.video.readyState >= 2")
            now = await browser.evaluate(f"{PLAYER}.video.currentTime")
            assert target - 0.05 <= now <= SECONDS
        assert await browser.evaluate(f"{PLAYER}.video.error") is None
        await browser.becomes(f"{PLAYER}.video.ended || {PLAYER}.video.currentTime > {SECONDS - 1}")


async def test_switches_lose_no_picture(
    api: httpx.Client, video_id: str, tmp_path: Path, patience: Patience
) -> None:
    faults: list[str] = []
    async with firefox(tmp_path) as browser:
        for attempt in range(patience.attempts):
            url = f"{api.base_url}/vod/{video_id}?attempt={attempt}"
            await browser.call("WebDriver:Navigate", url=url)
            await browser.becomes(f"{PLAYER}?.hls?.levels?.length === 2")
            await browser.evaluate(SWITCH)
            seen = await watched(browser, f"{PLAYER}.video")
            faults = missed(seen, patience.freeze_s)
            if not faults:
                break
    assert faults == []


async def watched(browser: Firefox, video: str) -> Seen:
    """Play a video of the page to its end."""
    await browser.becomes(f"{video}?.readyState >= 2")
    await browser.evaluate(LOOK.replace("VIDEO", video))
    told = {}

    async def ended() -> bool:
        nonlocal told
        told = json.loads(await browser.evaluate("JSON.stringify(page.told())"))
        assert told["errors"] == []
        return bool(told["ended"])

    await until(ended)
    frames = [tuple(frame) for frame in told["frames"] if frame[2] >= 0]
    claps, buffered = ([tuple(pair) for pair in told[name]] for name in ("claps", "buffered"))
    return Seen(frames, claps, buffered)


def missed(seen: Seen, freeze_s: float) -> list[str]:
    """Return what a busy machine may be the cause of; fail for what it never is."""
    assert len(seen.buffered) == 1, f"holes between {seen.buffered}"
    assert seen.buffered[0][1] == pytest.approx(SECONDS, abs=FRAME_S)
    assert slipped(seen.frames, RATE_HZ) == []
    steps = list(itertools.pairwise(seen.frames))
    assert not [step for step in steps if step[1][2] < step[0][2]], "it ran backwards"
    complete = {
        "single pictures": misplaced(seen.frames, RATE_HZ) == [],
        "a hole": max(step[1][1] - step[0][1] for step in steps) <= freeze_s,
        "it stood still": max(step[1][0] - step[0][0] for step in steps) <= freeze_s,
        "its begin": seen.frames[0][1] < SKIPPED_S,
        "its end": seen.frames[-1][1] >= SECONDS - SKIPPED_S,
        "a quality": len({frame[3] for frame in seen.frames}) == 2,
    }
    return [what for what, well in complete.items() if not well]
