"""Videos that show a part of their file, or a watermark, from upload to playback."""

import io
import subprocess
from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from telecine.formats.hls.check import check_presentation
from tests.fixtures.customer import Customer, Json, finished
from tests.fixtures.media import FFMPEG, barcode_mp4, frame_numbers, make_clip
from tests.fixtures.server import TelecineServer
from tests.fixtures.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("server")]

KEYS = 60
SOUND_HZ = 16_000
LONGEST_SLIP_S = 0.012  # half a packet of sound, far below what anybody notices


@pytest.fixture
def customer(telecine_server: TelecineServer) -> Iterator[Customer]:
    with Customer(telecine_server) as customer:
        yield customer


def source(suffix: str = "mp4") -> Path:
    """8 s of 640x360 at 30 Hz; a key frame every 2 s."""
    clip = barcode_mp4(frames=240, width_px=640, height_px=360, keyframe_interval=KEYS)
    return clip if suffix == "mp4" else make_clip("parts.mkv", "-i", str(clip), "-c", "copy")


def send(customer: Customer, path: Path, **wishes: Any) -> str:
    created = customer.http.post("/videos", json={"title": "part", **wishes})
    assert created.status_code == 201, created.text
    video_id: str = created.json()["videoId"]
    assert customer.send(video_id, path).status_code == 201
    return video_id


def passed_through(work: Json) -> set[str]:
    return {row["name"] for row in work["renditions"] if row["passthrough"]}


def sound_of(media: bytes | Path) -> npt.NDArray[np.float32]:
    """Decode mono sound, silence where the file has none, from time zero on."""
    source = "pipe:0" if isinstance(media, bytes) else str(media)
    resampled = f"aresample={SOUND_HZ}:async=1:first_pts=0"
    command = [str(FFMPEG), "-v", "error", "-i", source, "-vn", "-af", resampled, "-ac", "1",
               "-f", "f32le", "pipe:1"]  # fmt: skip
    data = media if isinstance(media, bytes) else b""
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    return np.frombuffer(done.stdout, dtype=np.float32)


def slip_s(sound: npt.NDArray[np.float32], original: npt.NDArray[np.float32]) -> float:
    """Return by how much `sound` comes later than `original`."""
    margin = SOUND_HZ // 10
    middle = original[margin : 2 * SOUND_HZ]
    likeness = [float(sound[at : at + len(middle)] @ middle) for at in range(2 * margin)]
    return (int(np.argmax(likeness)) - margin) / SOUND_HZ


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize(
    ("start", "end", "frames", "copied"),
    [
        ("00:00:01.5", "00:00:05", range(45, 150), set()),
        ("00:00:02", "00:00:06", range(60, 180), {"360p"}),
        (None, "4", range(120), {"360p", "audio"}),
        ("3", "9999", range(90, 240), set()),
    ],
)
async def test_every_rendition_shows_the_part(
    customer: Customer,
    suffix: str,
    start: str | None,
    end: str,
    frames: range,
    copied: set[str],
) -> None:
    clip = {"startTimecode": start, "endTimecode": end}
    video_id = send(customer, source(suffix), clip=clip)
    encoding = await finished(customer, video_id)
    assert {quality["status"] for quality in encoding["qualities"]} == {"encoded"}
    assert encoding["metadata"]["duration"] == round(len(frames) / 30)
    shown = customer.watch(video_id)
    assert check_presentation(shown.text, shown.media_texts) == []
    for variant in shown.master.renditions:
        stream = shown.streams[variant.uri]
        assert frame_numbers(stream.media) == list(frames), variant.uri
        length = sum((each.duration for each in stream.playlist.segments), Fraction(0))
        assert abs(length - Fraction(len(frames), 30)) < Fraction(1, 1_000_000)
    mp4 = customer.media(video_id, "mp4/source.mp4")
    assert frame_numbers(mp4) == list(frames)
    with av.open(BytesIO(mp4), mode="r") as container:
        assert next(container.decode(video=0)).time == 0
        assert abs(float(container.duration or 0) / 1e6 - len(frames) / 30) < 0.13
    original = sound_of(source(suffix))[frames[0] * SOUND_HZ // 30 :]
    for media in (mp4, shown.streams["audio/audio.m3u8"].media):
        sound = sound_of(media)
        assert abs(slip_s(sound, original)) <= LONGEST_SLIP_S
        assert abs(len(sound) / SOUND_HZ - len(frames) / 30) < 0.03
    if suffix == "mp4":
        assert passed_through(customer.work(video_id)) == copied


async def test_a_thumbnail_is_of_the_part(customer: Customer) -> None:
    video_id = send(customer, source(), clip={"startTimecode": "3"})
    await finished(customer, video_id)
    picked = customer.http.patch(f"/videos/{video_id}/thumbnail", json={"timecode": "1"})
    assert picked.status_code == 200

    async def there() -> bool:
        answer = customer.get(video_id, "thumbnail.jpg")
        return answer.status_code == 200 and frame_numbers(answer.content) == [120]

    await until(there)


async def test_a_part_behind_the_end_fails_and_says_why(customer: Customer) -> None:
    video_id = send(customer, source(), clip={"startTimecode": "8"})
    encoding = await finished(customer, video_id)
    assert encoding["playable"] is False
    assert {quality["status"] for quality in encoding["qualities"]} == {"failed"}
    (step,) = (each for each in customer.work(video_id)["steps"] if each["name"] == "probe")
    reason = "clip-outside: the clip starts at 8.000 s, the source ends at 8.000 s"
    assert step["detail"]["reason"] == reason


def uploaded(customer: Customer, colour: str) -> str:
    output = io.BytesIO()
    Image.new("RGBA", (64, 36), colour).save(output, "PNG")
    answer = customer.http.post("/watermarks", files={"file": ("logo.png", output.getvalue())})
    assert answer.status_code == 200, answer.text
    watermark_id: str = answer.json()["watermarkId"]
    return watermark_id


def pictures(media: bytes) -> list[Image.Image]:
    with av.open(BytesIO(media), mode="r") as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return [Image.fromarray(frame) for frame in frames]


def drawn(picture: Image.Image) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of what is red, as shares of the picture."""
    rgb = np.asarray(picture.convert("RGB")).astype(int)
    red = (rgb[:, :, 0] > 150) & (rgb[:, :, 1] < 90)
    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    height, width = red.shape
    return (
        columns[0] / width,
        rows[0] / height,
        (columns[-1] + 1) / width,
        (rows[-1] + 1) / height,
    )


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
async def test_a_watermark_is_in_every_picture_even_if_it_is_deleted(
    customer: Customer, suffix: str
) -> None:
    watermark = uploaded(customer, "red")
    wish = {"id": watermark, "bottom": "36px", "right": "10%", "width": "128px"}
    created = customer.http.post("/videos", json={"title": "logo", "watermark": wish})
    assert created.status_code == 201, created.text
    assert customer.http.delete(f"/watermarks/{watermark}").status_code == 204
    video_id = created.json()["videoId"]
    assert customer.send(video_id, source(suffix)).status_code == 201
    encoding = await finished(customer, video_id)
    assert {quality["status"] for quality in encoding["qualities"]} == {"encoded"}
    assert not passed_through(customer.work(video_id)) - {"audio"}
    expected = (0.7, 0.7, 0.9, 0.9)
    shown = customer.watch(video_id)
    for variant in shown.master.renditions:
        media = shown.streams[variant.uri].media
        assert frame_numbers(media) == list(range(240))
        for picture in pictures(media)[::17]:
            assert drawn(picture) == pytest.approx(expected, abs=0.012), variant.uri
    thumbnail: httpx.Response | None = None

    async def there() -> bool:
        nonlocal thumbnail
        thumbnail = customer.get(video_id, "thumbnail.jpg")
        return thumbnail.status_code == 200

    await until(there)
    assert thumbnail is not None
    with Image.open(BytesIO(thumbnail.content)) as picture:
        assert drawn(picture) == pytest.approx(expected, abs=0.012)


async def test_a_copy_shows_the_part_and_the_watermark_of_its_original(
    customer: Customer,
) -> None:
    wish = {"id": uploaded(customer, "red"), "top": "50%", "left": "0px", "height": "50%"}
    original = send(customer, source(), clip={"startTimecode": "2"}, watermark=wish)
    await finished(customer, original)
    body = {"title": "copy", "source": original, "clip": {"startTimecode": "1"}}
    answer = customer.http.post("/videos", json=body)
    assert answer.status_code == 202, answer.text
    copy = answer.json()["videoId"]
    await finished(customer, copy)
    mp4 = customer.media(copy, "mp4/source.mp4")
    assert frame_numbers(mp4) == list(range(90, 240))
    assert drawn(pictures(mp4)[60]) == pytest.approx((0, 0.5, 0.5, 1), abs=0.012)
