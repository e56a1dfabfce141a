"""Players that change the quality whenever they like, in the middle of a segment and of a fetch."""

import itertools
import random
from typing import Any

import httpx
import pytest

from tests.contract import packages
from tests.e2e.conftest import Upload
from tests.e2e.embedding import near_browser
from tests.e2e.test_switching import PLAYERS as LIBRARIES
from tests.e2e.test_switching import Seen, watched
from tests.e2e.watching import Patience, misplaced, slipped
from tests.fixtures.media import barcode_mp4
from tests.fixtures.waiting import until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    pytest.mark.node,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
]

RATE_HZ, SECONDS, SEGMENT_S = 30, 24, 3
FRAME_S = 1 / RATE_HZ
SKIPPED = 10
"""Pictures that a busy machine may leave out."""
AHEAD_S = 4
"""How much players hold: what is chosen for later than that is not fetched yet."""
LEAST_SWITCHES = 2
"""Of seven cuts. Which of the choices meet one depends on the machine."""

# Each makes a video, has `at_random` choose qualities of it, and returns it.
WITH_HLS = """async (url) => {
  const video = document.body.appendChild(document.createElement('video'));
  const hls = new Hls({maxBufferLength: AHEAD, maxMaxBufferLength: AHEAD});
  const holes = ['bufferSeekOverHole', 'bufferAppendError', 'fragParsingError'];
  hls.on(Hls.Events.ERROR, (_, {details, fatal}) => {
    if (fatal || holes.includes(details)) window.errors.push(details);
  });
  hls.once(Hls.Events.MANIFEST_PARSED, () =>
    at_random((number) => { hls.nextLevel = number % hls.levels.length; }));
  hls.loadSource(url);
  hls.attachMedia(video);
  return video;
}"""
WITH_SHAKA = """async (url) => {
  const video = document.body.appendChild(document.createElement('video'));
  shaka.polyfill.installAll();
  const player = new shaka.Player();
  player.addEventListener('error', (event) => window.errors.push(String(event.detail)));
  player.configure({abr: {enabled: false}, streaming: {bufferingGoal: AHEAD}});
  await player.attach(video);
  await player.load(url);
  at_random((number) => {
    const tracks = player.getVariantTracks().sort((one, other) => one.height - other.height);
    player.selectVariantTrack(tracks[number % tracks.length]);
  });
  return video;
}"""
WITH_VIDEO_JS = """async (url) => {
  const video = document.body.appendChild(document.createElement('video'));
  video.className = 'video-js';
  videojs.Vhs.GOAL_BUFFER_LENGTH = videojs.Vhs.MAX_GOAL_BUFFER_LENGTH = AHEAD;
  const player = videojs(video, {html5: {vhs: {overrideNative: true}}});
  player.on('error', () => window.errors.push(player.error().message));
  player.src({src: url, type: 'application/vnd.apple.mpegurl'});
  await new Promise((resolve) => player.one('loadedmetadata', resolve));
  const {vhs} = player.tech({IWillNotUseThisInPlugins: true});
  at_random((number) => {
    const {playlists} = vhs.playlists.main;
    vhs.playlists.media(playlists[number % playlists.length]);
  });
  return player.el().querySelector('video');
}"""
CODES = {"hls.js": WITH_HLS, "shaka-player": WITH_SHAKA, "video.js": WITH_VIDEO_JS}

AT_RANDOM = """const steps = STEPS;
const at_random = (choose) => {
  const [after_ms, number] = steps.shift() ?? [];
  if (number === undefined) return;
  setTimeout(() => { choose(number); at_random(choose); }, after_ms);
};"""


@pytest.fixture(scope="module")
async def video_id(api: httpx.Client, upload: Upload) -> str:
    """A video of three qualities, which takes eight segments."""
    clip = barcode_mp4(
        frames=RATE_HZ * SECONDS,
        width_px=854,
        height_px=480,
        keyframe_interval=RATE_HZ * SEGMENT_S,
    )
    video_id = upload(clip, "Dice")

    async def encoded() -> bool:
        qualities = api.get(f"/videos/{video_id}/status").json()["encoding"]["qualities"]
        return {quality["status"] for quality in qualities} == {"encoded"}

    await until(encoded)
    return video_id


def dice(seed: int) -> list[tuple[int, int]]:
    """Return for how long each choice stands in ms, and which it is: more than the video has."""
    order = random.Random(seed)
    return [(order.randrange(100, 1500), order.randrange(3)) for _ in range(SECONDS)]


@pytest.mark.parametrize("seed", [3, 8])
@pytest.mark.parametrize("name", CODES)
async def test_switches_at_any_time_lose_nothing(
    name: str, seed: int, api: httpx.Client, video_id: str, patience: Patience
) -> None:
    version, path, _ = LIBRARIES[name]
    library = (packages.node_package(name, version) / "node_modules" / name / path).read_text()
    steps = AT_RANDOM.replace("STEPS", str([list(step) for step in dice(seed)]))
    code = f"async (url) => {{ {steps} return await ({CODES[name]})(url); }}"
    code = code.replace("AHEAD", str(AHEAD_S))
    faults: list[Any] = []
    async with near_browser() as browser:
        for _ in range(patience.attempts):
            url = f"{api.base_url}/vod/{video_id}/hls/manifest.m3u8"
            seen = await watched(browser, library, code, url)
            faults = missed(seen, patience.freeze_s, dropped=name == "hls.js")
            if not faults:
                break
    assert faults == []


def missed(seen: Seen, freeze_s: float, *, dropped: bool) -> list[str]:
    """Return what a busy machine may be the cause of; fail for what it never is."""
    assert len(seen.buffered) == 1, f"holes between {seen.buffered}"
    # hls.js drops what lies behind when it is told to switch; the others keep all of it.
    assert (0 if dropped else seen.buffered[0][0], seen.buffered[0][1]) == pytest.approx(
        (0, SECONDS), abs=FRAME_S
    )
    assert slipped(seen.frames, RATE_HZ) == []
    steps = list(itertools.pairwise(seen.frames))
    assert not [step for step in steps if step[1][2] < step[0][2]], "it ran backwards"
    switches = [step for step in steps if step[0][3] != step[1][3]]
    complete = {
        "single pictures": misplaced(seen.frames, RATE_HZ) == [],
        "a hole": max(step[1][1] - step[0][1] for step in steps) <= freeze_s,
        "it stood still": max(step[1][0] - step[0][0] for step in steps) <= freeze_s,
        "its begin": seen.frames[0][2] < SKIPPED,
        "its end": seen.frames[-1][2] >= RATE_HZ * SECONDS - SKIPPED,
        f"switches: {switches}": len(switches) >= LEAST_SWITCHES,
    }
    return [what for what, well in complete.items() if not well]
