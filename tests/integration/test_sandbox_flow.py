"""What the sandbox keeps of a video: its first 30 s, with a mark in every picture."""

import subprocess
from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO

import av
import numpy as np
import numpy.typing as npt
import pytest

from telecine.formats.hls.check import check_presentation
from tests.fixtures.customer import Customer, Stream, finished
from tests.fixtures.media import AAC, FFMPEG, barcode_mp4, frame_numbers, make_clip, read_numbers
from tests.fixtures.server import TelecineServer
from tests.fixtures.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("server")]

RATE_HZ = 10
KEPT_S = 30
SIZE_PX = (640, 360)
"""What is looked at, whatever size it was encoded at."""

Luma = npt.NDArray[np.float64]


@pytest.fixture
def customer(telecine_server: TelecineServer) -> Iterator[Customer]:
    with Customer(telecine_server) as customer:
        yield customer


@pytest.fixture
def tester(telecine_server: TelecineServer) -> Iterator[Customer]:
    """The same customer in the sandbox."""
    with Customer(telecine_server, telecine_server.sandbox_key) as tester:
        yield tester


def copied(customer: Customer, video_id: str) -> set[str]:
    """Return the video renditions that are the source's own pictures."""
    rows = customer.work(video_id)["renditions"]
    return {row["name"] for row in rows if row["passthrough"]} - {"audio"}


def pictures(media: bytes) -> dict[int, Luma]:
    """Decode the pictures, by the number that each shows."""
    width_px, height_px = SIZE_PX
    scaled = f"scale={width_px}:{height_px}:flags=area,format=gray"
    command = [str(FFMPEG), "-v", "error", "-i", "pipe:0", "-vf", scaled, "-fps_mode",
               "passthrough", "-f", "rawvideo", "pipe:1"]  # fmt: skip
    done = subprocess.run(command, input=media, capture_output=True, check=True)
    luma = np.frombuffer(done.stdout, np.uint8).reshape(-1, height_px, width_px)
    return dict(zip(read_numbers(luma), luma.astype(float), strict=True))


def check_marked(stream: Stream, plain: dict[int, Luma]) -> None:
    """Fail unless the word, and nothing else, is over the first and the last segment."""
    width_px, height_px = SIZE_PX
    for segment in (stream.segments[0], stream.segments[-1]):
        seen = pictures(stream.init + segment)
        assert seen
        assert -1 not in seen
        brighter = np.mean([luma - plain[number] for number, luma in seen.items()], axis=0)
        drawn = brighter > 30
        assert drawn.any(), "no mark"
        rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
        # Seven letters of 5 x 7 dots, as wide as a third of the picture, at its lower left.
        assert columns[0] / width_px == pytest.approx(0.02, abs=0.015)
        assert columns[-1] / width_px == pytest.approx(0.31, abs=0.05)
        assert rows[0] / height_px == pytest.approx(0.89, abs=0.03)
        assert rows[-1] / height_px == pytest.approx(0.975, abs=0.02)
        word = drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert 0.3 < word.mean() < 0.6  # letters, no bar
        brighter[rows[0] - 4 : rows[-1] + 5, columns[0] - 4 : columns[-1] + 5] = 0
        assert np.abs(brighter).mean() < 4


@pytest.mark.parametrize(
    ("length_s", "size_px", "qualities"),
    [(40, (320, 180), {"240p"}), (8, (640, 360), {"240p", "360p"})],
)
async def test_the_sandbox_keeps_30_s_and_marks_every_picture(
    customer: Customer,
    tester: Customer,
    length_s: int,
    size_px: tuple[int, int],
    qualities: set[str],
) -> None:
    """In production the same file is kept whole, and served as it is."""
    frames = length_s * RATE_HZ
    file = barcode_mp4(
        frames=frames, rate=f"{RATE_HZ}", width_px=size_px[0], height_px=size_px[1],
        keyframe_interval=2 * RATE_HZ,
    )  # fmt: skip
    real, tried = customer.upload(file), tester.upload(file)
    kept_s = min(length_s, KEPT_S)
    for uploader, video_id, shown_s in ((customer, real, length_s), (tester, tried, kept_s)):
        encoding = await finished(uploader, video_id)
        assert {quality["status"] for quality in encoding["qualities"]} == {"encoded"}
        assert encoding["metadata"]["duration"] == shown_s
        assert uploader.work(video_id)["durationS"] == shown_s
    assert copied(customer, real) == {max(qualities)}
    assert copied(tester, tried) == set()

    whole, shown = customer.watch(real), tester.watch(tried)
    assert whole.qualities == shown.qualities == qualities
    assert check_presentation(shown.text, shown.media_texts) == []
    kept = list(range(kept_s * RATE_HZ))
    for quality in qualities:
        stream, plain = shown.stream(quality), pictures(whole.stream(quality).media)
        assert list(plain) == list(range(frames))
        assert sum((each.duration for each in stream.playlist.segments), Fraction(0)) == kept_s
        assert frame_numbers(stream.media) == kept
        check_marked(stream, plain)
    sound = shown.streams["audio/audio.m3u8"].playlist
    heard_s = sum((each.duration for each in sound.segments), Fraction(0))
    assert abs(float(heard_s) - kept_s) < 0.13

    mp4 = tester.media(tried, "mp4/source.mp4")
    assert frame_numbers(mp4) == kept
    with av.open(BytesIO(mp4), mode="r") as container:
        assert abs(float(container.duration or 0) / 1e6 - kept_s) < 0.13


async def picked(customer: Customer, video_id: str, timecode: str) -> int:
    """Have the picture at a time shown for the video; return the number that it shows."""
    before = customer.get(video_id, "thumbnail.jpg").content
    wish = {"timecode": timecode}
    answer = customer.http.patch(f"/videos/{video_id}/thumbnail", json=wish)
    assert answer.status_code == 200, answer.text

    async def changed() -> bool:
        return customer.get(video_id, "thumbnail.jpg").content != before

    await until(changed)
    (number,) = pictures(customer.get(video_id, "thumbnail.jpg").content)
    return number


async def test_pictures_of_a_sandbox_video_are_of_what_is_kept(
    customer: Customer, tester: Customer
) -> None:
    """The first that is chosen, and those that are picked: out of range is the first one."""
    file = barcode_mp4(
        frames=40 * RATE_HZ, rate=f"{RATE_HZ}", width_px=320, height_px=180,
        keyframe_interval=2 * RATE_HZ,
    )  # fmt: skip
    real, tried = customer.upload(file), tester.upload(file)
    for uploader, video_id in ((customer, real), (tester, tried)):
        await finished(uploader, video_id)

        async def there(uploader: Customer = uploader, video_id: str = video_id) -> bool:
            return uploader.get(video_id, "thumbnail.jpg").status_code == 200

        await until(there)
    (chosen,) = pictures(tester.get(tried, "thumbnail.jpg").content)
    assert 0 <= chosen < KEPT_S * RATE_HZ
    assert await picked(customer, real, "00:00:35") == 35 * RATE_HZ
    assert await picked(tester, tried, "00:00:29") == 29 * RATE_HZ
    assert await picked(tester, tried, "00:00:35") == 0


async def test_sound_alone_is_cut_and_told_alike(tester: Customer) -> None:
    sound = make_clip("tone.m4a", "-f", "lavfi", "-i", "sine=duration=40", *AAC)
    video_id = tester.upload(sound)
    encoding = await finished(tester, video_id)
    assert encoding["metadata"]["duration"] == KEPT_S
    heard = tester.watch(video_id).streams["audio/audio.m3u8"].playlist
    heard_s = sum((each.duration for each in heard.segments), Fraction(0))
    assert abs(float(heard_s) - KEPT_S) < 0.13
