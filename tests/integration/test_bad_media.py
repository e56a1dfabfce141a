"""Files that are no video, or not all of one: they end, and say why."""

import json
import os
import struct
import subprocess
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from telecine.domains.encodings import explanations
from tests.fixtures.customer import Customer, finished
from tests.fixtures.media import AAC, FFMPEG, barcode_mp4, make_barcode, make_clip
from tests.fixtures.server import TelecineServer
from tests.fixtures.waiting import until
from tests.integration.pipeline.inputs_of_streams import damaged
from tests.integration.pipeline.test_bad_inputs import BAD, too_fast

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("server")]


@pytest.fixture
def customer(telecine_server: TelecineServer) -> Iterator[Customer]:
    with Customer(telecine_server) as customer:
        yield customer


def without_index(folder: Path) -> Path:
    """Return a recording that broke off before the index was written."""
    whole = make_clip("index-last.mp4", "-i", str(barcode_mp4()), "-c", "copy").read_bytes()
    cut = folder / "truncated.mp4"
    cut.write_bytes(whole[: whole.index(b"moov") - 4])
    return cut


def without_samples(folder: Path) -> Path:
    """Return an MP4 that is well-formed but has a length of nothing."""
    none = folder / "nothing.mp4"
    movie = struct.pack(">IIIII", 0, 0, 0, 1000, 0) + bytes(80)
    header = struct.pack(">I4s", 8 + len(movie), b"mvhd") + movie
    none.write_bytes(
        struct.pack(">I4s4sI4s", 20, b"ftyp", b"isom", 512, b"isom")
        + struct.pack(">I4s", 8 + len(header), b"moov")
        + header
    )
    return none


def noise(folder: Path) -> Path:
    file = folder / "noise.mp4"
    file.write_bytes(os.urandom(200_000))
    return file


def text(folder: Path) -> Path:
    file = folder / "text.mp4"
    file.write_text("This is no video, whatever its name says.\n" * 50)
    return file


def picture(folder: Path) -> Path:
    return make_clip("still.png", "-f", "lavfi", "-i", "testsrc2=s=320x180", "-frames:v", "1")


def program(folder: Path) -> Path:
    file = folder / "page.html"
    file.write_text("#!/bin/sh\n<html><script>alert(1)</script></html>")
    return file


@pytest.mark.parametrize("make", [noise, text, without_index, without_samples, picture, program])
async def test_what_is_no_video_fails_with_a_reason(
    customer: Customer, tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    file = make(tmp_path)
    video_id = customer.upload(file)
    encoding = await finished(customer, video_id)
    assert encoding["qualities"] == [{"type": "hls", "quality": "240p", "status": "failed"}]
    assert encoding["playable"] is False
    work = customer.work(video_id)
    assert work["state"] == "failed"
    assert work["failure"]
    assert work["reason"].endswith(".")
    (step,) = work["steps"]
    assert step["state"] == "failed"
    assert step["detail"]["reason"] == work["failure"]
    assert step["reason"] == work["reason"]
    assert "retry" in step["next"]
    assert step["cpuS"] > 0
    assert customer.source(video_id) == file.read_bytes()
    for path in ("hls/manifest.m3u8", "mp4/source.mp4", "thumbnail.jpg", "hls/240p/manifest.m3u8"):
        assert customer.get(video_id, path).status_code == 404
    assert customer.get(video_id, "").status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        "HLS",
        "DASH",
        "concat",
        "encrypted Matroska",
        "encrypted MP4",
        "scrambled TS",
        "Dolby Vision",
        "no samples",
        "a million tracks",
        "no time at all",
        "a huge track",
        "an absurd rate",
    ],
)
async def test_what_cannot_be_served_fails_for_its_reason(
    customer: Customer, telecine_server: TelecineServer, tmp_path: Path, name: str
) -> None:
    """The reason is shown and in the log, and the file can be had back."""
    make, reason = BAD.get(name, (None, "frame-rate-too-high"))
    file = tmp_path / "upload.mp4"
    file.write_bytes(await too_fast() if make is None else make())
    video_id = customer.upload(file)
    encoding = await finished(customer, video_id)
    assert encoding["qualities"] == [{"type": "hls", "quality": "240p", "status": "failed"}]
    work = customer.work(video_id)
    assert explanations.slug(work["failure"]) == reason
    assert work["reason"] == explanations.plain(reason)
    assert customer.source(video_id) == file.read_bytes()

    def told(line: str) -> bool:
        return "step failed" in line and video_id in line and reason in line

    async def logged() -> bool:
        return any(map(told, telecine_server.log.read_text(errors="replace").splitlines()))

    await until(logged)


def at_one_time() -> bytes:
    """Return a movie whose 25 pictures are there, and none of them lasts (stts)."""
    drawn = ("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=1")
    usual = ("-c:v", "libx264", "-bf", "0", "-pix_fmt", "yuv420p")
    data = bytearray(make_clip("lasting.mp4", *drawn, *usual).read_bytes())
    times = struct.pack(">4sIII", b"stts", 0, 1, 25)
    assert data.count(times) == 1
    at = data.index(times) + len(times)
    data[at : at + 4] = bytes(4)
    return bytes(data)


async def test_pictures_that_do_not_last_are_one_picture(
    customer: Customer, tmp_path: Path
) -> None:
    """As a movie of one picture is: shown for as long as one of thirty a second."""
    file = tmp_path / "instant.mp4"
    file.write_bytes(at_one_time())
    video_id = customer.upload(file)
    encoding = await finished(customer, video_id)
    assert {quality["status"] for quality in encoding["qualities"]} == {"encoded"}
    assert customer.work(video_id)["durationS"] == pytest.approx(1 / 30)
    (stream,) = customer.watch(video_id).streams.values()
    assert len(stream.segments) == 1
    assert picture_count(stream.media) == 1


def picture_count(media: bytes) -> int:
    """Return how many pictures a decoder makes of it."""
    command = [str(FFMPEG), "-v", "error", "-i", "pipe:0", "-vf", "scale=16:16", "-fps_mode"]
    command += ["passthrough", "-pix_fmt", "gray", "-f", "rawvideo", "-"]
    return len(subprocess.run(command, input=media, capture_output=True, check=True).stdout) // 256


async def test_a_damaged_file_plays_and_says_so(customer: Customer, tmp_path: Path) -> None:
    file = tmp_path / "damaged.mp4"
    file.write_bytes(damaged(barcode_mp4(width_px=640, height_px=360).read_bytes()))
    video_id = customer.upload(file)
    encoding = await finished(customer, video_id)
    assert [quality["status"] for quality in encoding["qualities"]].count("failed") == 0
    work = customer.work(video_id)
    assert work["remarks"] == [explanations.REMARKS[explanations.DAMAGED]]
    assert work["reason"] is None


def undecodable(folder: Path) -> Path:
    """Return a movie whose pictures are noise; its index says that they must be encoded."""
    ten_bits = ("-c:v", "libx264", "-pix_fmt", "yuv420p10le")
    data = bytearray(make_barcode("ten-bits.mov", *ten_bits, frames=60, audio=False).read_bytes())
    at = data.index(b"mdat") + 4
    size = int.from_bytes(data[at - 8 : at - 4], "big") - 8
    data[at : at + size] = b"\x55" * size
    file = folder / "undecodable.mov"
    file.write_bytes(data)
    return file


async def test_what_is_planned_and_cannot_be_encoded_fails_with_a_reason(
    customer: Customer, telecine_server: TelecineServer, tmp_path: Path
) -> None:
    video_id = customer.upload(undecodable(tmp_path))
    encoding = await finished(customer, video_id)
    assert [(q["type"], q["quality"], q["status"]) for q in encoding["qualities"]] == [
        ("hls", "240p", "failed"),
        ("mp4", "240p", "failed"),
    ]
    work = customer.work(video_id)
    steps = {step["name"]: step for step in work["steps"]}
    assert steps["probe"]["state"] == "done"
    assert steps["chunk 0"]["state"] == "failed"
    reason = steps["chunk 0"]["detail"]["reason"]
    assert reason.startswith("undecodable")
    assert [(row["name"], row["state"]) for row in work["renditions"]] == [("240p", "failed")]
    assert work["state"] == "failed"
    assert work["reason"] is not None
    assert encoding["playable"] is False
    for path in ("hls/manifest.m3u8", "hls/240p/manifest.m3u8", "hls/240p/1-0.m4s"):
        assert customer.get(video_id, path).status_code == 404, path
    lines = telecine_server.log.read_text(errors="replace").splitlines()
    told = [json.loads(line) for line in lines if line.startswith("{") and '"worker-' in line]
    (failed,) = [
        line
        for line in told
        if (line["event"], line.get("video"), line.get("step"))
        == ("step failed", video_id, "chunk 0")
    ]
    assert failed["reason"].startswith("undecodable")
    gave_up = [line for line in told if line["event"] == "gave up" and line["job"] == "EncodeChunk"]
    assert failed["reason"] in {line["reason"] for line in gave_up}


async def test_a_failure_can_be_tried_again(customer: Customer, tmp_path: Path) -> None:
    """It fails again, as the file is the same: the source is kept, and asking is safe."""
    video_id = customer.upload(noise(tmp_path))
    await finished(customer, video_id)
    before = customer.work(video_id)
    for _ in range(2):
        answer = customer.retry(video_id)
        assert answer.status_code in (202, 409), answer.text
        assert answer.status_code == 409 or answer.json()["state"] in ("probing", "failed")

    async def failed_again() -> bool:
        work = customer.work(video_id)
        return bool(work["state"] == "failed" and work["steps"][0]["attempt"] > 1)

    await until(failed_again)
    after = customer.work(video_id)
    assert after["epoch"] == before["epoch"]
    assert after["failure"] == before["failure"]


async def test_only_what_failed_can_be_tried_again(customer: Customer) -> None:
    video_id = customer.upload(barcode_mp4())
    await finished(customer, video_id)
    answer = customer.retry(video_id)
    assert answer.status_code == 409
    assert answer.json()["title"] == "Nothing of this video failed."
    assert customer.retry("vi0000000000000000000000").status_code == 404


async def test_an_empty_file_is_refused_at_once(customer: Customer, tmp_path: Path) -> None:
    video_id = customer.http.post("/videos", json={"title": "Empty"}).json()["videoId"]
    answer = customer.http.post(f"/videos/{video_id}/source", files={"file": ("a.mp4", b"")})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


SOUNDS = {
    "m4a": AAC,
    "mp3": ("-c:a", "libmp3lame"),
    "wav": ("-c:a", "pcm_s16le"),
    "flac": ("-c:a", "flac"),
    "ogg": ("-c:a", "libvorbis"),
}


def loudest(media: bytes) -> int:
    """Return the largest sample of 16 bits."""
    command = [str(FFMPEG), "-v", "error", "-i", "pipe:0", "-f", "s16le", "-ac", "1", "-"]
    heard = subprocess.run(command, input=media, capture_output=True, check=True).stdout
    return int(np.abs(np.frombuffer(heard, "<i2").astype(int)).max())


@pytest.mark.parametrize("kind", SOUNDS)
async def test_sound_alone_is_played(customer: Customer, kind: str) -> None:
    sound = make_clip(f"sound.{kind}", "-f", "lavfi", "-i", "sine=440:d=7", *SOUNDS[kind])
    video_id = customer.upload(sound)
    encoding = await finished(customer, video_id)
    assert encoding["qualities"] == [{"type": "hls", "quality": "240p", "status": "encoded"}]
    assert encoding["playable"] is True
    shown = customer.watch(video_id)
    (stream,) = shown.streams.values()
    assert 6.9 < float(sum(segment.duration for segment in stream.playlist.segments)) < 7.1
    assert all(stream.segments)
    assert loudest(stream.media) > 1000

    async def poster() -> bool:
        return customer.get(video_id, "thumbnail.jpg").status_code == 200

    await until(poster)
    picture = Image.open(BytesIO(customer.get(video_id, "thumbnail.jpg").content)).convert("L")
    assert picture.size == (1280, 720)
    shape = np.asarray(picture) > 128  # the shape of the sound, white on black
    assert shape[:, 100:-100].any(axis=0).all()
    assert 0 < shape.mean() < 0.9
