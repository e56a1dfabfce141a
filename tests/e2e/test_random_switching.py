"""Players that change the quality whenever they like, in the middle of a segment and of a fetch.

They do so on grids of every shape: what is cut, and where, depends on the source.
"""

import itertools
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from telecine.formats.hls.playlist import Master, MediaPlaylist, parse
from tests.contract import packages
from tests.e2e.conftest import Upload
from tests.e2e.embedding import near_browser
from tests.e2e.test_switching import PLAYERS as LIBRARIES
from tests.e2e.test_switching import Seen, watched
from tests.e2e.watching import Patience, misplaced, slipped
from tests.fixtures.media import AAC, X264, barcode_mp4, make_barcode
from tests.fixtures.waiting import until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    pytest.mark.node,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
]

SKIPPED_S = 1 / 3
"""What a busy machine may leave out."""
AHEAD_S = 4
"""How much players hold: what is chosen for later than that is not fetched yet."""
LEAST_SWITCHES = 2
"""Of all cuts. Which of the choices meet one depends on the machine."""

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


@dataclass(frozen=True, slots=True)
class Source:
    """A film of so many seconds and pictures a second, and what becomes of it.

    `durations_s`: of the segments; `qualities`: how many there are.
    """

    make: Callable[[], Path]
    rate_hz: int
    durations_s: tuple[float, ...]
    qualities: int = 3

    @property
    def seconds(self) -> float:
        return sum(self.durations_s)


def copied(segment_s: float, *, segments: int) -> Source:
    """Return a source that is copied as the top, with a key frame at the cuts only."""
    frames = round(30 * segment_s)

    def make() -> Path:
        return barcode_mp4(
            frames=frames * segments, width_px=854, height_px=480, keyframe_interval=frames
        )

    return Source(make, 30, (segment_s,) * segments)


def encoded_throughout() -> Path:
    """Return a film without an index, of which nothing is copied."""
    return make_barcode(
        "barcode.mkv", *X264, "-g", "130", *AAC, frames=18 * 30, width_px=640, height_px=360
    )


def fast() -> Path:
    """Return a film of 60 Hz: low qualities show every second picture, from odd cuts, too."""
    return make_barcode(
        "fast.mp4",
        *(*X264, "-g", "181", *AAC, "-movflags", "+faststart"),
        frames=181 * 6,
        rate="60",
        width_px=720,
        height_px=720,
    )


SOURCES = {
    "copied": copied(3, segments=8),
    # Encoded ones are made in two pieces each, which begin with key frames of their own.
    "rare key frames": copied(9, segments=4),
    "encoded": Source(encoded_throughout, 30, (2, 2, 4, 4, 4, 2), qualities=2),
    "fast": Source(fast, 60, (181 / 60,) * 6, qualities=4),
}


@pytest.fixture(scope="module")
def videos(api: httpx.Client, upload: Upload) -> Callable[[str], Awaitable[str]]:
    """Return what tells the id of the encoded video of a source."""
    known: dict[str, str] = {}

    async def video_of(name: str) -> str:
        if name in known:
            return known[name]
        video_id = upload(SOURCES[name].make(), f"Dice: {name}")

        async def encoded() -> bool:
            qualities = api.get(f"/videos/{video_id}/status").json()["encoding"]["qualities"]
            return {quality["status"] for quality in qualities} == {"encoded"}

        await until(encoded)
        known[name] = video_id
        return video_id

    return video_of


def dice(seed: int, source: Source) -> list[tuple[int, int]]:
    """Return for how long each choice stands in ms, and which it is: more than the video has."""
    order = random.Random(seed)
    return [
        (order.randrange(100, 1500), order.randrange(source.qualities))
        for _ in range(round(source.seconds))
    ]


# Seeds whose choices differ from one cut to the next.
GRIDS = [("copied", 3), ("rare key frames", 5), ("encoded", 52)]
CASES = [*((name, *grid) for name in CODES for grid in GRIDS), ("hls.js", "fast", 3)]


@pytest.mark.parametrize(("name", "source", "seed"), CASES)
async def test_switches_at_any_time_lose_nothing(
    name: str,
    source: str,
    seed: int,
    api: httpx.Client,
    videos: Callable[[str], Awaitable[str]],
    patience: Patience,
) -> None:
    video_id, film = await videos(source), SOURCES[source]
    cut_as_planned(api, video_id, film)
    version, path, _ = LIBRARIES[name]
    library = (packages.node_package(name, version) / "node_modules" / name / path).read_text()
    steps = AT_RANDOM.replace("STEPS", str([list(step) for step in dice(seed, film)]))
    code = f"async (url) => {{ {steps} return await ({CODES[name]})(url); }}"
    code = code.replace("AHEAD", str(AHEAD_S))
    faults: list[Any] = []
    async with near_browser() as browser:
        for _ in range(patience.attempts):
            url = f"{api.base_url}/vod/{video_id}/hls/manifest.m3u8"
            seen = await watched(browser, library, code, url)
            faults = missed(seen, film, patience.freeze_s, dropped=name == "hls.js")
            if not faults:
                break
    assert faults == []


def cut_as_planned(api: httpx.Client, video_id: str, film: Source) -> None:
    """Check that a source has become the grid that it is here for."""
    folder = f"{api.base_url}/vod/{video_id}/hls"
    master = parse(httpx.get(f"{folder}/manifest.m3u8").raise_for_status().text)
    assert isinstance(master, Master)
    assert len(master.renditions) == film.qualities
    for each in master.renditions:
        playlist = parse(httpx.get(f"{folder}/{each.uri}").raise_for_status().text)
        assert isinstance(playlist, MediaPlaylist)
        lengths = [float(segment.duration) for segment in playlist.segments]
        assert lengths == pytest.approx(film.durations_s, abs=1e-5)


def missed(seen: Seen, film: Source, freeze_s: float, *, dropped: bool) -> list[str]:
    """Return what a busy machine may be the cause of; fail for what it never is."""
    assert len(seen.buffered) == 1, f"holes between {seen.buffered}"
    # hls.js drops what lies behind when it is told to switch; the others keep all of it.
    assert (0 if dropped else seen.buffered[0][0], seen.buffered[0][1]) == pytest.approx(
        (0, film.seconds), abs=1 / film.rate_hz
    )
    assert slipped(seen.frames, film.rate_hz) == []
    steps = list(itertools.pairwise(seen.frames))
    assert not [step for step in steps if step[1][2] < step[0][2]], "it ran backwards"
    switches = [step for step in steps if step[0][3] != step[1][3]]
    complete = {
        "single pictures": misplaced(seen.frames, film.rate_hz) == [],
        "a hole": max(step[1][1] - step[0][1] for step in steps) <= freeze_s,
        "it stood still": max(step[1][0] - step[0][0] for step in steps) <= freeze_s,
        "its begin": seen.frames[0][1] < SKIPPED_S,
        "its end": seen.frames[-1][1] >= film.seconds - SKIPPED_S,
        f"switches: {switches}": len(switches) >= LEAST_SWITCHES,
    }
    return [what for what, well in complete.items() if not well]
