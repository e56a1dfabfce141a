"""Files that are no video, or not all of one: they end, and say why."""

import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fixtures.customer import Customer, finished
from tests.fixtures.media import AAC, barcode_mp4, make_clip
from tests.fixtures.server import TelecineServer

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
    video_id = customer.upload(make(tmp_path))
    encoding = await finished(customer, video_id, within_s=60)
    assert encoding["qualities"] == [{"type": "hls", "quality": "240p", "status": "failed"}]
    assert encoding["playable"] is False
    work = customer.work(video_id)
    assert work["state"] == "failed"
    assert work["failure"]
    assert [step["state"] for step in work["steps"]] == ["failed"]
    assert work["steps"][0]["detail"]["reason"] == work["failure"]
    for path in ("hls/manifest.m3u8", "mp4/source.mp4", "thumbnail.jpg", "hls/240p/manifest.m3u8"):
        assert customer.get(video_id, path).status_code == 404
    assert customer.get(video_id, "").status_code == 200


async def test_an_empty_file_is_refused_at_once(customer: Customer, tmp_path: Path) -> None:
    video_id = customer.http.post("/videos", json={"title": "Empty"}).json()["videoId"]
    answer = customer.http.post(f"/videos/{video_id}/source", files={"file": ("a.mp4", b"")})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


async def test_sound_alone_is_played(customer: Customer) -> None:
    sound = make_clip("sound.m4a", "-f", "lavfi", "-i", "sine=440:d=7", *AAC)
    video_id = customer.upload(sound)
    encoding = await finished(customer, video_id)
    assert encoding["qualities"] == [{"type": "hls", "quality": "240p", "status": "encoded"}]
    assert encoding["playable"] is True
    shown = customer.watch(video_id)
    (stream,) = shown.streams.values()
    assert 6.9 < float(sum(segment.duration for segment in stream.playlist.segments)) < 7.1
    assert all(stream.segments)
