"""Pictures of every kind become progressive 8-bit 4:2:0 with tags that players obey."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import Runner
from telecine.formats.codecs.h264 import parse_avcc, parse_sps
from telecine.formats.mp4.fragment import read_init
from telecine.formats.mp4.sample_entry import entry_box
from telecine.pipeline.encode import encode_chunk
from telecine.pipeline.plan import PlanOptions, plan
from telecine.pipeline.probe import probe
from telecine.pipeline.sample_index import SampleIndex
from telecine.storage.spool import LocalFile

pytestmark = pytest.mark.anyio

FFMPEG = str(find_ffmpeg(None))
GREY = "color=c=0x808080:s=320x180:r=25:d=1"
TEN_BITS = ("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le")
QUIET = "log-level=none"
PQ = f"{QUIET}:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"


def make(path: Path, source: str, *options: str) -> None:
    command = [FFMPEG, "-v", "error", "-f", "lavfi", "-i", source, *options, str(path)]
    subprocess.run(command, check=True)


def mean_luma(path: Path, pixels: int) -> float:
    command = [FFMPEG, "-v", "error", "-i", str(path), "-pix_fmt", "yuv420p"]
    command += ["-f", "rawvideo", "-"]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    return float(np.frombuffer(raw, np.uint8)[:pixels].mean())


@pytest.mark.parametrize(
    ("name", "source", "options", "tags", "grey"),
    [
        ("plain.mp4", GREY, ("-pix_fmt", "yuv420p"), ("smpte170m",) * 3, 126),
        ("full.mp4", GREY, ("-vf", "scale=out_range=pc", "-pix_fmt", "yuvj420p"),
         ("smpte170m",) * 3, 126),
        ("wide.mp4", GREY, ("-vf", "setsar=4/3", "-pix_fmt", "yuv420p"),
         ("smpte170m",) * 3, 126),
        ("fields.mp4", "testsrc2=s=320x180:r=50:d=2", ("-vf", "interlace,format=yuv420p",
         "-c:v", "libx264", "-flags", "+ildct+ilme"), ("smpte170m",) * 3, None),
    ],
)  # fmt: skip
async def test_conversions(
    tmp_path: Path,
    name: str,
    source: str,
    options: tuple[str, ...],
    tags: tuple[str, str, str],
    grey: int | None,
) -> None:
    path = tmp_path / name
    make(path, source, *options)
    runner = Runner(find_ffmpeg(None), "required")
    file = LocalFile(path, path.stat().st_size)
    probed = await probe(runner, file, name)
    made = plan(probed.probe, PlanOptions(passthrough=False))
    index = probed.sample_index
    samples = None if index is None else SampleIndex.from_bytes(memoryview(index))
    (encoded,) = await encode_chunk(
        runner, file, samples, probed.probe, made, ["240p"], 0, made.segments
    )
    stsd = read_init(encoded.init).stsd
    sps = parse_sps(parse_avcc(entry_box(stsd, b"avcC", video=True) or b"").sps[0])
    assert (sps.chroma, sps.bit_depth, sps.progressive, sps.full_range) == ("420", 8, True, False)
    assert sps.sample_aspect == 1
    assert made.renditions[0].width_px == (426 if name == "wide.mp4" else 320)
    numbers = {"smpte170m": 6, "bt709": 1}
    assert (sps.primaries, sps.transfer, sps.matrix) == tuple(numbers[tag] for tag in tags)
    if grey is not None:
        out = tmp_path / "out.mp4"
        out.write_bytes(encoded.init + b"".join(encoded.pieces))
        assert abs(mean_luma(out, sps.width_px * sps.height_px) - grey) < 6


async def test_interlaced_sources_say_so(tmp_path: Path) -> None:
    path = tmp_path / "fields.mp4"
    make(path, "testsrc2=s=320x180:r=50:d=2", "-vf", "interlace,format=yuv420p",
         "-c:v", "libx264", "-flags", "+ildct+ilme")  # fmt: skip
    runner = Runner(find_ffmpeg(None), "required")
    probed = await probe(runner, LocalFile(path, path.stat().st_size), path.name)
    assert probed.probe.video is not None
    assert probed.probe.video.interlaced
    assert "interlaced" in probed.probe.video_obstacles
