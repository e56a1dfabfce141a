"""Players that change the quality with every segment: picture and sound stay what they are.

The browser's own player plays the MP4, which shows what the machine itself does to the sound.
"""

import asyncio
import itertools
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser

from tests.contract import packages
from tests.e2e.conftest import Upload
from tests.e2e.embedding import near_browser, page_with
from tests.e2e.watching import Patience, misplaced, slipped
from tests.fixtures.media import AAC, barcode_mp4, make_clip
from tests.fixtures.waiting import until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    pytest.mark.node,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
]

RATE_HZ, SECONDS, SEGMENT_S = 30, 12, 3
AT_ONCE = (2, 1, 1)
"""In each attempt."""
FRAME_S = 1 / RATE_HZ
SKIPPED = 10
"""Pictures that a busy machine may leave out."""
WIDTHS = {426, 640}

# Reads every picture's number as tests/fixtures/media.py writes it, and hears when a clap
# begins. `now` is when a picture is shown, `at` when a sample of sound is, both in seconds.
WATCH = """(video) => {
  const [width, height, bits] = [192, 108, 12];
  const canvas = new OffscreenCanvas(width, height);
  const pixels = canvas.getContext('2d', {willReadFrequently: true});
  const [frames, claps] = [[], []];
  const read = (_, frame) => {
    pixels.drawImage(video, 0, 0, width, height);
    const data = pixels.getImageData(0, 0, width, height).data;
    const at = (x, y) => data[4 * (Math.floor(height * y) * width + x)];
    let number = 0;
    for (let bit = 0; bit < bits; bit++) {
      const x = Math.floor(width * (bit + 0.5) / bits);
      const [upper, lower] = [at(x, 0.075), at(x, 0.225)];
      if (Math.abs(upper - lower) < 80) number = -1;
      else if (number >= 0 && upper > lower) number |= 1 << bit;
    }
    frames.push([frame.expectedDisplayTime / 1000, frame.mediaTime, number, frame.width]);
    video.requestVideoFrameCallback(read);
  };
  video.requestVideoFrameCallback(read);
  const context = new AudioContext();
  const ears = context.createScriptProcessor(1024, 1, 1);
  let quiet = 0;
  ears.onaudioprocess = (event) => {
    const {contextTime, performanceTime} = context.getOutputTimestamp();
    const wave = event.inputBuffer.getChannelData(0);
    wave.forEach((value, index) => {
      quiet += 1;
      if (Math.abs(value) < 0.2) return;
      const at = event.playbackTime + index / context.sampleRate;
      if (quiet > context.sampleRate / 2) {
        claps.push([at - contextTime + performanceTime / 1000, video.currentTime]);
      }
      quiet = 0;
    });
  };
  context.createMediaElementSource(video).connect(ears).connect(context.destination);
  const ranges = ({buffered}) =>
    Array.from(buffered, (_, index) => [buffered.start(index), buffered.end(index)]);
  const state = ({currentTime, readyState, paused, seeking, ended}) =>
    ({currentTime, readyState, paused, seeking, ended});
  const {errors} = window;
  window.told = () => ({frames, claps, buffered: ranges(video), errors, ...state(video)});
}"""
PLAY = "(video) => video.play().catch((error) => window.errors.push(String(error)))"

# Each makes a video that changes its quality with every segment, and returns it.
WITH_HLS = """async (url) => {
  const video = document.body.appendChild(document.createElement('video'));
  const hls = new Hls({startLevel: 0});
  hls.on(Hls.Events.ERROR, (_, data) => data.fatal && window.errors.push(data.details));
  hls.on(Hls.Events.FRAG_BUFFERED, (_, {frag}) => {
    if (frag.type === 'main') hls.loadLevel = (frag.sn + 1) % hls.levels.length;
  });
  hls.loadSource(url);
  hls.attachMedia(video);
  return video;
}"""
WITH_SHAKA = """async (url) => {
  const video = document.body.appendChild(document.createElement('video'));
  shaka.polyfill.installAll();
  const player = new shaka.Player();
  player.addEventListener('error', (event) => window.errors.push(String(event.detail)));
  player.configure({abr: {enabled: false}, streaming: {bufferingGoal: 5}});
  player.addEventListener('segmentappended', (event) => {
    if (event.contentType !== 'video') return;
    const other = player.getVariantTracks().find((track) => !track.active);
    player.selectVariantTrack(other);
  });
  await player.attach(video);
  await player.load(url);
  return video;
}"""
WITH_VIDEO_JS = """async (url) => {
  const video = document.body.appendChild(document.createElement('video'));
  video.className = 'video-js';
  videojs.Vhs.GOAL_BUFFER_LENGTH = videojs.Vhs.MAX_GOAL_BUFFER_LENGTH = 2;
  const player = videojs(video, {html5: {vhs: {overrideNative: true}}});
  player.on('error', () => window.errors.push(player.error().message));
  player.src({src: url, type: 'application/vnd.apple.mpegurl'});
  await new Promise((resolve) => player.one('loadedmetadata', resolve));
  const {vhs} = player.tech({IWillNotUseThisInPlugins: true});
  const shown = player.el().querySelector('video');
  shown.addEventListener('progress', () => {
    const {buffered} = shown;
    const end = buffered.length ? buffered.end(buffered.length - 1) : 0;
    const {playlists} = vhs.playlists.main;
    vhs.playlists.media(playlists[Math.round(end / window.segment) % playlists.length]);
  });
  return shown;
}"""
WITH_NOTHING = """async (url) => {
  const video = document.body.appendChild(document.createElement('video'));
  video.crossOrigin = 'anonymous';
  video.src = url;
  return video;
}"""

PLAYERS = {
    "hls.js": ("1.7.4", "dist/hls.min.js", WITH_HLS),
    "shaka-player": ("5.2.12", "dist/shaka-player.compiled.js", WITH_SHAKA),
    "video.js": ("8.24.1", "dist/video.min.js", WITH_VIDEO_JS),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a viewer saw (time shown, time in the media, number, width) and heard.

    `buffered`: the stretches, in seconds, that the browser has in the end.
    """

    frames: list[tuple[float, float, int, int]]
    claps: list[tuple[float, float]]
    buffered: list[tuple[float, float]]

    def late_s(self) -> float:
        """Return how much later than the picture of its time a clap was heard."""
        # Whatever is late on a busy machine is not what is looked for.
        shown_s = early(now - media for now, media, _, _ in self.frames)
        heard_s = early(at - round(media) for at, media in self.claps[1:])  # on whole seconds
        return heard_s - shown_s


def early(times_s: Iterable[float]) -> float:
    """Return the first quartile."""
    return statistics.quantiles(times_s)[0]


def clapper(name: str = "clapper.mp4", sound: Sequence[str] = AAC) -> Path:
    """Numbered pictures, a key frame every three seconds, and a clap with every second.

    `sound`: how it is encoded, in ffmpeg's words.
    """
    pictures = barcode_mp4(
        frames=RATE_HZ * SECONDS,
        width_px=640,
        height_px=360,
        audio=False,
        keyframe_interval=RATE_HZ * SEGMENT_S,
    )
    claps = f"aevalsrc='0.8*sin(2*PI*1000*t)*lt(mod(t,1),0.05)':s=48000:d={SECONDS}"
    media = ("-i", str(pictures), "-f", "lavfi", "-i", claps, "-c:v", "copy", *sound)
    return make_clip(name, *media, "-movflags", "+faststart")


@pytest.fixture(scope="module")
async def video_id(api: httpx.Client, upload: Upload) -> str:
    video_id = upload(clapper(), "Clapper")

    async def encoded() -> bool:
        qualities = api.get(f"/videos/{video_id}/status").json()["encoding"]["qualities"]
        return {quality["status"] for quality in qualities} == {"encoded"}

    await until(encoded)
    return video_id


async def watched(browser: Browser, library: str, code: str, url: str) -> Seen:
    """Play to the end."""
    told: dict[str, Any] = {}
    async with page_with(browser, library) as page:
        begin = f"async (url) => {{ window.errors = []; window.segment = {SEGMENT_S};"
        # Not awaited: what does not begin to play is to be told of, too.
        play = f"const video = await ({code})(url); ({WATCH})(video); ({PLAY})(video); }}"
        await page.evaluate(begin + play, url)

        async def ended() -> bool:
            nonlocal told
            told = await page.evaluate("() => window.told()")
            assert told["errors"] == []
            return bool(told["ended"])

        try:
            await until(ended)
        except TimeoutError as error:
            error.add_note(str({**told, "frames": told["frames"][-3:]}))
            raise
    frames = [tuple(frame) for frame in told["frames"] if frame[2] >= 0]
    claps, buffered = ([tuple(pair) for pair in told[name]] for name in ("claps", "buffered"))
    return Seen(frames, claps, buffered)


async def test_neither_picture_nor_sound_slips(
    api: httpx.Client, video_id: str, patience: Patience
) -> None:
    folder = f"{api.base_url}/vod/{video_id}"
    codes = {"mp4": ("", WITH_NOTHING, f"{folder}/mp4/source.mp4")}
    for name, (version, path, code) in PLAYERS.items():
        modules = packages.node_package(name, version) / "node_modules"
        script = (modules / name / path).read_text()
        codes[name] = (script, code, f"{folder}/hls/manifest.m3u8")
    async with near_browser() as browser:
        wrong: dict[str, list[str]] = {name: [] for name in PLAYERS}
        for at_once in AT_ONCE[-patience.attempts :]:
            names = ("mp4", *wrong)
            seen = await watched_all(browser, {name: codes[name] for name in names}, at_once)
            plain = seen.pop("mp4")
            found = {
                name: missed(name, each, plain, patience.freeze_s) for name, each in seen.items()
            }
            wrong = {name: faults for name, faults in found.items() if faults}
            if not wrong:
                break
    assert wrong == {}


async def watched_all(
    browser: Browser, codes: dict[str, tuple[str, str, str]], at_once: int
) -> dict[str, Seen]:
    """Play several, so many at once as one machine can."""
    seen: dict[str, Seen] = {}
    places = asyncio.Semaphore(at_once)

    async def watch(name: str) -> None:
        async with places:
            seen[name] = await watched(browser, *codes[name])

    async with asyncio.TaskGroup() as group:
        for name in codes:
            group.create_task(watch(name))
    return seen


def missed(name: str, seen: Seen, plain: Seen, freeze_s: float) -> list[str]:
    """Return what was late or left out, which a busy machine may do as well as we.

    No machine shows half of a second's pictures at others' times, or one after a later one, or
    has a hole between segments: players may jump over one too quickly to be seen.
    """
    assert len(seen.buffered) == 1, f"{name}: holes between {seen.buffered}"
    begin_s, end_s = seen.buffered[0]
    assert (begin_s, end_s) == pytest.approx((0, SECONDS), abs=FRAME_S), name
    assert slipped(seen.frames, RATE_HZ) == [], name
    steps = list(itertools.pairwise(seen.frames))
    assert not [step for step in steps if step[1][2] < step[0][2]], f"{name} ran backwards"
    switches = [step for step in steps if step[0][3] != step[1][3]]
    at_cuts = [abs(step[1][2] - round(step[1][2] / 90) * 90) for step in switches]
    complete = {
        "single pictures": misplaced(seen.frames, RATE_HZ) == [],
        "a hole": max(step[1][1] - step[0][1] for step in steps) <= freeze_s,
        "it stood still": max(step[1][0] - step[0][0] for step in steps) <= freeze_s,
        "its begin": seen.frames[0][2] < SKIPPED,
        "its end": seen.frames[-1][2] >= RATE_HZ * SECONDS - SKIPPED,
        f"switches: {switches}": len(switches) >= SECONDS // SEGMENT_S - 2,
        f"switches elsewhere: {switches}": max(at_cuts, default=0) <= RATE_HZ // 2,
        "a quality": {frame[3] for frame in seen.frames} == WIDTHS,
        f"claps: {seen.claps}": len(seen.claps) > SECONDS // 2 < len(plain.claps),
    }
    faults = [what for what, well in complete.items() if not well]
    if not faults and (late_s := abs(seen.late_s() - plain.late_s())) > FRAME_S:
        faults.append(f"sound: {late_s} s")
    return faults
