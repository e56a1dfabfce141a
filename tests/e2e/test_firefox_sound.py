"""Picture and sound as Firefox puts them together: recorded in it, so no sound card is needed."""

import base64
import io
import itertools
import statistics
from pathlib import Path

import av
import httpx
import numpy as np
import pytest

from tests.e2e.conftest import Upload
from tests.e2e.firefox import Firefox, firefox
from tests.e2e.test_firefox import FRAME_S, PLAYER
from tests.e2e.test_switching import RATE_HZ, SECONDS, clapper
from tests.e2e.watching import Patience
from tests.fixtures.media import AAC, read_numbers
from tests.fixtures.waiting import until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
]

RECORDED_S = 8
assert RECORDED_S < SECONDS

RECORDER_S = 0.014
"""By how much later Firefox records the sound of any file, measured with the clip itself."""

SOURCES = {
    "copied": ("clapper.mp4", AAC),
    "encoded": ("clapper.mov", ("-c:a", "pcm_s16le", "-ac", "2")),
}
"""By what is done with their sound. The pictures of both are copied at 360p, encoded at 240p."""

# Plays from the start; what the browser shows and plays goes into one file.
RECORD = f"""((window) => {{
  const {{video}} = {PLAYER};
  window.recording = null;
  window.recorder = new window.MediaRecorder(video.mozCaptureStream());
  window.recorder.ondataavailable = ({{data}}) => {{
    const reader = new window.FileReader();
    reader.onload = () => {{ window.recording = reader.result.split(',').pop(); }};
    reader.readAsDataURL(data);
  }};
  video.addEventListener('playing', () => window.recorder.start(), {{once: true}});
  video.pause();
  video.currentTime = 0;
  video.play();
}})(page)"""


@pytest.mark.parametrize("sound", SOURCES)
async def test_sound_comes_with_its_picture(
    api: httpx.Client, upload: Upload, tmp_path: Path, patience: Patience, sound: str
) -> None:
    video_id = upload(clapper(*SOURCES[sound]), f"Sound is {sound}")

    async def encoded() -> bool:
        qualities = api.get(f"/videos/{video_id}/status").json()["encoding"]["qualities"]
        return {quality["status"] for quality in qualities} == {"encoded"}

    await until(encoded)
    wrong_s = dict.fromkeys(range(2), 0.0)
    async with firefox(tmp_path) as browser:
        for attempt in range(patience.attempts):
            for level in tuple(wrong_s):
                url = f"{api.base_url}/vod/{video_id}?attempt={attempt}-{level}"
                await browser.call("WebDriver:Navigate", url=url)
                wrong_s[level] = late_s(await recorded(browser, level))
            wrong_s = {level: late for level, late in wrong_s.items() if abs(late) > FRAME_S}
            if not wrong_s:
                break
    assert wrong_s == {}


async def recorded(browser: Firefox, level: int) -> bytes:
    """Play one quality on a player page; return a WebM of it."""
    await browser.becomes(f"{PLAYER}?.hls?.levels?.length === 2")
    await browser.evaluate(f"void {PLAYER}.video.play()")  # nothing is loaded before
    await browser.becomes(f"{PLAYER}.video.currentTime > 0")
    width = await browser.evaluate(f"{PLAYER}.hls.levels[{level}].width")
    await browser.evaluate(f"{PLAYER}.quality = {level}")
    await browser.evaluate(f"{PLAYER}.video.currentTime = 0.1")
    await browser.becomes(f"{PLAYER}.video.videoWidth === {width}")
    await browser.evaluate(RECORD)
    await browser.becomes(f"{PLAYER}.video.currentTime > {RECORDED_S}")
    assert await browser.evaluate(f"{PLAYER}.video.videoWidth") == width
    await browser.evaluate("page.recorder.stop()")
    await browser.becomes("page.recording")
    return base64.b64decode(await browser.evaluate("page.recording"))


def late_s(recording: bytes) -> float:
    """Return how much later than the picture of its time a clap is heard; less than 0: earlier.

    A busy browser shows the pictures of some seconds late; sound is never late in a recording.
    """
    shown = pictures(recording)
    seconds = itertools.groupby(sorted(shown), key=lambda number: number // RATE_HZ)
    late = [[shown[number] - number / RATE_HZ for number in numbers] for _, numbers in seconds]
    shown_s = min(statistics.median(each) for each in late if len(each) > RATE_HZ // 3)
    heard = [at - shown_s for at in claps(recording)]
    assert len(heard) > RECORDED_S // 2
    return statistics.median(at - round(at) for at in heard) - RECORDER_S  # on whole seconds


def pictures(recording: bytes) -> dict[int, float]:
    """Return when each picture is shown first, in seconds, by its number."""
    with av.open(io.BytesIO(recording), "r") as file:
        frames = list(file.decode(video=0))
    small = [frame.reformat(192, 108, "gray").to_ndarray() for frame in frames]
    numbers = read_numbers(np.stack(small))
    last_first = zip(reversed(numbers), reversed(frames), strict=True)
    return {number: begin_s(frame) for number, frame in last_first if number >= 0}


def claps(recording: bytes) -> list[float]:
    """Return when each clap begins, in seconds."""
    with av.open(io.BytesIO(recording), "r") as file:
        heard = [
            (begin_s(frame) + np.arange(frame.samples) / frame.sample_rate, frame.to_ndarray()[0])
            for frame in file.decode(audio=0)
        ]
    times, wave = (np.concatenate(each) for each in zip(*heard, strict=True))
    loud = times[np.abs(wave) > 0.2]
    return [float(at) for at in loud[1:][np.diff(loud) > 0.5]]


def begin_s(frame: av.VideoFrame | av.AudioFrame) -> float:
    assert frame.time is not None
    return frame.time
