"""What ffmpeg writes into its headers is what we read, and what we promise for it."""

import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from telecine.formats.codecs import aac, h264
from telecine.formats.codecs.adts import AdtsSplitter, header
from telecine.formats.mp4.sample_entry import entry_box
from tests.fixtures.media import FFMPEG, make_clip
from tests.integration.formats.clips import index_file, original


def x264(name: str, *options: str, size: str = "320x180", rate: str = "30") -> Path:
    source = f"testsrc2=size={size}:rate={rate}:duration=0.2"
    return make_clip(name, "-f", "lavfi", "-i", source, "-c:v", "libx264", *options)


def config_of(path: Path) -> h264.AvcConfig:
    avcc = entry_box(index_file(path).tracks[0].stsd, b"avcC", video=True)
    assert avcc is not None
    return h264.parse_avcc(avcc)


def test_pictures_of_many_kinds() -> None:
    for pixels, chroma, depth in (
        ("yuv420p", "420", 8),
        ("yuv422p10le", "422", 10),
        ("yuv444p", "444", 8),
        ("gray", "400", 8),
    ):
        sps = h264.parse_sps(config_of(x264(f"{pixels}.mp4", "-pix_fmt", pixels)).sps[0])
        assert (sps.chroma, sps.bit_depth, sps.progressive) == (chroma, depth, True)
        assert (sps.width_px, sps.height_px) == (320, 180)


def test_interlaced_pictures_with_a_declared_buffer() -> None:
    path = x264(
        "interlaced.mp4",
        *("-pix_fmt", "yuv420p", "-flags", "+ildct", "-x264-params", "nal-hrd=vbr:tff=1:cqm=jvt"),
        *("-maxrate", "2M", "-bufsize", "4M", "-b:v", "1M"),
        *("-vf", "setsar=64/45,setparams=range=pc:colorspace=bt470bg:color_trc=smpte170m"),
        size="720x576",
        rate="25",
    )
    sps = h264.parse_sps(config_of(path).sps[0])
    assert not sps.progressive
    assert (sps.width_px, sps.height_px) == (720, 576)
    assert sps.sample_aspect == Fraction(64, 45)
    assert (sps.full_range, sps.transfer, sps.matrix) == (True, 6, 5)


@pytest.mark.parametrize(
    ("size", "rate", "max_rate_bps"),
    [
        ("426x240", "30", 400_000),
        ("640x360", "30", 800_000),
        ("854x480", "30", 1_400_000),
        ("1280x720", "60", 4_200_000),
        ("1920x1080", "30000/1001", 5_000_000),
    ],
)
def test_the_promised_level_is_what_x264_declares(size: str, rate: str, max_rate_bps: int) -> None:
    width, height = (int(part) for part in size.split("x"))
    level = h264.level_for(width, height, Fraction(rate), max_rate_bps, 2 * max_rate_bps)
    options = (
        *("-pix_fmt", "yuv420p", "-profile:v", "high", "-preset", "superfast"),
        *("-maxrate", str(max_rate_bps), "-bufsize", str(2 * max_rate_bps), "-crf", "23"),
    )
    chosen = config_of(x264(f"level-{height}.mp4", *options, size=size, rate=rate))
    # Left alone, x264 takes the lowest level that holds: the same.
    assert f"{chosen.level / 10:.1f}" == level
    told = config_of(x264(f"told-{height}.mp4", *options, "-level", level, size=size, rate=rate))
    assert h264.codecs_string(told) == h264.high_codecs(level)


def test_sound_of_adts_is_the_sound_of_mp4() -> None:
    audio = index_file(original()).tracks[1]
    config = aac.parse_esds(audio.stsd)
    assert (config.sample_rate_hz, config.channels) == (44_100, 2)
    assert aac.codecs_string(config) == "mp4a.40.2"
    command = [
        str(FFMPEG),
        "-v",
        "error",
        "-i",
        str(original()),
        "-vn",
        "-c",
        "copy",
        "-f",
        "adts",
        "pipe:1",
    ]
    stream = subprocess.run(command, capture_output=True, check=True).stdout
    splitter = AdtsSplitter()
    packets = splitter.feed(stream)
    splitter.finish()
    assert [len(packet) for packet in packets] == audio.sizes.tolist()
    assert b"".join(header(44_100, 2, len(packet)) + packet for packet in packets) == stream
