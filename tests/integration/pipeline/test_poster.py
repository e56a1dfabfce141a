"""The picture of sound alone: its cover, or its shape where the cover cannot be drawn."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.meter import metered
from telecine.pipeline.poster import HEIGHT_PX, WIDTH_PX, poster
from telecine.pipeline.probe import probe
from tests.fixtures.media import AAC, make_clip
from tests.integration.pipeline.hostile import MIB
from tests.integration.pipeline.test_encode import local
from tests.integration.pipeline.test_hostile_media import MOST_CPU_S, Measured, begun

pytestmark = pytest.mark.anyio

SINE = ("-f", "lavfi", "-i", "sine=440:d=7")
SIDE_PX = 600
SOUNDS = {"m4a": AAC, "mp3": ("-c:a", "libmp3lame", "-id3v2_version", "3")}


def cover() -> Path:
    """Return a square JPEG, red on the left and blue on the right."""
    halves = f"color=red:s={SIDE_PX // 2}x{SIDE_PX}[a];color=blue:s={SIDE_PX // 2}x{SIDE_PX}[b]"
    drawn = ("-filter_complex", f"{halves};[a][b]hstack", "-frames:v", "1", "-q:v", "2")
    return make_clip("cover.jpg", *drawn)


def covered(kind: str) -> Path:
    """Return sound with a cover, as music shops sell it."""
    both = ("-i", str(cover()), "-map", "0:a", "-map", "1:v", "-c:v", "copy")
    return make_clip(
        f"covered.{kind}", *SINE, *both, *SOUNDS[kind], "-disposition:v", "attached_pic"
    )


def png(width_px: int, height_px: int, rows: int) -> bytes:
    """Return a grey PNG that claims to be so large, of which some rows are there."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width_px, height_px, 8, 0, 0, 0, 0)
    packed = zlib.compress(bytes((1 + width_px) * rows), 9)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", packed), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def with_picture(picture: bytes) -> bytes:
    """Return an MP3 with a cover (ID3v2.3, APIC) that no program would write."""
    sound = make_clip("plain.mp3", *SINE, "-c:a", "libmp3lame", "-id3v2_version", "0")
    body = b"\0image/png\0\x03\0" + picture
    frame = b"APIC" + struct.pack(">IH", len(body), 0) + body
    size = bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\3\0\0" + size + frame + sound.read_bytes()


async def drawn(path: Path) -> tuple[npt.NDArray[np.uint8], Measured, float]:
    """Return the poster of a file, what made it, and the CPU seconds of all runs.

    Runs that failed are in the seconds, and leave no result at the runner.
    """
    runner = Measured(find_ffmpeg(None), "required")
    found = await probe(runner, local(path), path.name)
    assert found.probe.video is None
    runner.results.clear()
    with metered() as meter:
        made = await poster(runner, local(path), found.probe)
    picture = Image.open(BytesIO(made))
    assert (picture.format, picture.size) == ("JPEG", (WIDTH_PX, HEIGHT_PX))
    return np.asarray(picture.convert("RGB")), runner, meter.cpu_s


@pytest.mark.parametrize("kind", SOUNDS)
async def test_the_cover_is_shown_whole(kind: str) -> None:
    picture, *_ = await drawn(covered(kind))
    shown = {
        "red": picture[100:-100, WIDTH_PX // 2 - 300 : WIDTH_PX // 2 - 20],
        "blue": picture[100:-100, WIDTH_PX // 2 + 20 : WIDTH_PX // 2 + 300],
    }
    for colour, wanted in (("red", (254, 0, 0)), ("blue", (0, 0, 254))):
        assert np.abs(shown[colour].astype(int) - wanted).max() <= 16, colour
    beside = (WIDTH_PX - HEIGHT_PX) // 2 - 8
    assert max(picture[:, :beside].max(), picture[:, -beside:].max()) <= 8


HOSTILE = {
    "60,000 pixels wide": (60_000, 60_000, 1),
    "just beyond the limit": (8192, 4336, 4336),
    # 35 million pixels in 35 KiB, which may be drawn.
    "a bomb within the limit": (8192, 4320, 4320),
    "one row of very many": (35_000_000, 1, 1),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_cover_that_is_made_to_harm_is_no_harm(name: str, tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(with_picture(png(*HOSTILE[name])))
    assert path.stat().st_size < MIB
    picture, runner, cpu_s = await drawn(path)
    if name == "a bomb within the limit":
        assert picture.max() <= 8  # the cover: black
    else:
        shape = picture[..., 0] > 128  # the shape of the sound, white on black
        assert shape[:, 100:-100].any(axis=0).all()
        assert 0 < shape.mean() < 0.9
    assert 0 < cpu_s < MOST_CPU_S
    assert max(result.peak_memory_bytes for result in runner.results) < max(1024 * MIB, begun())
