import contextlib
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.formats.codecs.bits import BitReader
from telecine.formats.codecs.h264 import (
    codecs_string,
    high_codecs,
    level_for,
    parse_avcc,
    parse_sps,
    unescape,
)
from telecine.formats.errors import FormatError

# Written by x264: 322x180, 30000/1001 Hz, High at 1.3, SAR 4:3, BT.709 matrix.
AVCC = bytes.fromhex(
    "0164000dffe1001c6764000dacd941519e227c39a810100a000007d20001d4c01e28532c01000468ef8fcbfdf8f800"
)


def test_the_configuration_of_x264() -> None:
    config = parse_avcc(AVCC)
    assert (config.profile, config.compatibility, config.level) == (100, 0, 13)
    assert config.nal_length_bytes == 4
    assert [unit[0] & 31 for unit in config.sps + config.pps] == [7, 8]
    assert codecs_string(config) == "avc1.64000d"


def test_the_sequence_parameters_of_x264() -> None:
    sps = parse_sps(parse_avcc(AVCC).sps[0])
    assert (sps.profile_idc, sps.level_idc) == (100, 13)
    assert (sps.width_px, sps.height_px) == (322, 180)  # cropped from 336x192
    assert sps.sample_aspect == Fraction(4, 3)
    assert (sps.chroma, sps.bit_depth, sps.progressive) == ("420", 8, True)
    assert (sps.primaries, sps.transfer, sps.matrix) == (2, 2, 1)
    assert not sps.full_range
    assert sps.max_reorder == 2


def bits_of(*fields: tuple[str, int]) -> bytes:
    """Pack ("u8", 5), ("ue", 3), ("se", -1) into a NAL unit with the header of an SPS."""
    text = ""
    for kind, value in fields:
        if kind.startswith("u") and kind != "ue":
            text += f"{value:0{int(kind[1:])}b}"
        else:
            number = value if kind == "ue" else (2 * value - 1 if value > 0 else -2 * value)
            text += f"{number + 1:b}".zfill(2 * (number + 1).bit_length() - 1)
    text += "1"
    text += "0" * (-len(text) % 8)
    return b"\x67" + int(text, 2).to_bytes(len(text) // 8, "big")


def test_an_interlaced_camera_of_ten_bits() -> None:
    unit = bits_of(
        *(("u8", 122), ("u8", 0), ("u8", 41), ("ue", 0)),
        *(("ue", 2), ("ue", 2), ("ue", 2), ("u1", 0)),  # 4:2:2, 10 bits
        *(("u1", 1), ("u1", 1), *(("se", 0),) * 16, ("u7", 0)),  # one scaling list
        *(("ue", 0), ("ue", 1), ("u1", 0), ("se", -1), ("se", 2), ("ue", 1), ("se", 5)),
        *(("ue", 2), ("u1", 0), ("ue", 119), ("ue", 33)),
        *(("u1", 0), ("u1", 1), ("u1", 1)),  # fields
        *(("u1", 1), ("ue", 0), ("ue", 0), ("ue", 0), ("ue", 4), ("u1", 0)),
    )
    sps = parse_sps(unit)
    assert (sps.width_px, sps.height_px) == (1920, 1080)
    assert (sps.chroma, sps.bit_depth, sps.progressive) == ("422", 10, False)
    assert sps.max_reorder is None


def test_video_usability_with_clocks_and_buffers() -> None:
    hrd = (("ue", 0), ("u8", 0), ("ue", 5), ("ue", 6), ("u1", 1), ("u20", 0))
    unit = bits_of(
        *(("u8", 66), ("u8", 192), ("u8", 30), ("ue", 0), ("ue", 0), ("ue", 2), ("ue", 1)),
        *(("u1", 0), ("ue", 39), ("ue", 29), ("u1", 1), ("u1", 1), ("u1", 0), ("u1", 1)),
        *(("u1", 1), ("u8", 255), ("u16", 64), ("u16", 45)),
        *(("u1", 1), ("u1", 0)),
        *(("u1", 1), ("u3", 5), ("u1", 1), ("u1", 1), ("u8", 9), ("u8", 16), ("u8", 9)),
        *(("u1", 1), ("ue", 0), ("ue", 0)),
        *(("u1", 1), ("u32", 1), ("u32", 60), ("u1", 1)),
        *(("u1", 1), *hrd, ("u1", 1), *hrd, ("u1", 0), ("u1", 0)),
        *(("u1", 1), ("u1", 1), *(("ue", 0),) * 4, ("ue", 0), ("ue", 1)),
    )
    sps = parse_sps(unit)
    assert sps.sample_aspect == Fraction(64, 45)
    assert sps.full_range
    assert (sps.primaries, sps.transfer, sps.matrix) == (9, 16, 9)
    assert sps.max_reorder == 0


def test_broken_configurations_are_refused() -> None:
    for broken in (b"", b"\x02" + AVCC[1:], AVCC[:20], AVCC[:40], AVCC[:5] + b"\xe0\x00"):
        with pytest.raises(FormatError):
            parse_avcc(broken)


@given(st.binary(max_size=80))
def test_no_bytes_break_the_parsers_otherwise(data: bytes) -> None:
    for parse in (parse_avcc, lambda unit: parse_sps(b"\x67" + unit)):
        with contextlib.suppress(FormatError):
            parse(data)


def test_emulation_prevention_is_taken_out() -> None:
    assert unescape(bytes.fromhex("670000030100000300000300")) == bytes.fromhex(
        "670000010000000000"
    )


def test_bits_are_read_from_the_left() -> None:
    bits = BitReader(b"\xa6\x42")  # 1 010 011 00100 0010
    assert [bits.ue(), bits.ue(), bits.ue(), bits.ue()] == [0, 1, 2, 3]
    assert bits.left == 4
    with pytest.raises(FormatError):
        bits.bits(5)


@pytest.mark.parametrize(
    ("width", "height", "rate", "max_rate", "buffer", "level"),
    [
        (426, 240, "30", 400_000, 800_000, "2.1"),  # 405 macroblocks: above 396
        (416, 240, "30", 400_000, 800_000, "1.3"),
        (640, 360, "30", 800_000, 1_600_000, "3.0"),
        (854, 480, "30", 1_400_000, 2_800_000, "3.1"),  # 48,600 a second
        (1280, 720, "30", 2_800_000, 5_600_000, "3.1"),
        (1280, 720, "60", 4_200_000, 8_400_000, "3.2"),
        (1920, 1080, "30", 5_000_000, 10_000_000, "4.0"),
        (1080, 1920, "30", 5_000_000, 10_000_000, "4.0"),
        (1920, 1080, "60", 7_500_000, 15_000_000, "4.2"),
        (1920, 1080, "30", 26_000_000, 52_000_000, "4.1"),
        (3840, 2160, "30", 16_000_000, 32_000_000, "5.1"),
        (3840, 2160, "60000/1001", 24_000_000, 48_000_000, "5.2"),
        (7680, 4320, "60", 80_000_000, 160_000_000, "6.1"),
        (176, 144, "15", 80_000, 200_000, "1.0"),
        (4096, 16, "1", 80_000, 200_000, "4.0"),  # wide: 256 squared needs 8,192
    ],
)
def test_levels(width: int, height: int, rate: str, max_rate: int, buffer: int, level: str) -> None:
    assert level_for(width, height, Fraction(rate), max_rate, buffer) == level


def test_what_no_level_holds_is_refused() -> None:
    with pytest.raises(ValueError, match="no level"):
        level_for(7680, 4320, Fraction(1200), 1, 1)


def test_the_name_of_our_own_encodes() -> None:
    assert high_codecs("3.1") == "avc1.64001f"
    assert high_codecs("4.0") == "avc1.640028"
