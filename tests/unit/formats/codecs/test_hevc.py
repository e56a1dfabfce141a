from fractions import Fraction

import pytest

from telecine.formats.codecs import hevc
from telecine.formats.codecs.hevc_levels import level_for
from telecine.formats.errors import FormatError

# 320x180, Main profile at level 2: VPS, SPS, PPS.
RECORD = bytes.fromhex(
    "0101600000009000000000003cf000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003"
    "000003003c959809a10001002b42010101600000030090000003000003003ca00a080b9f796566924caf0169c2"
    "0000030002000003003c10a2000100074401c172b46240"
)


def test_a_record_and_its_parameter_set_say_the_same() -> None:
    config = hevc.parse_hvcc(RECORD)
    assert config.codecs == hevc.main_codecs(60) == "hvc1.1.6.L60.90"
    assert config.nal_length_bytes == 4
    assert [unit[0] >> 1 for unit in config.sets] == [32, 33, 34]
    sps = hevc.parse_sps(config.sps)
    assert (sps.codecs, sps.width_px, sps.height_px) == ("hvc1.1.6.L60.90", 320, 180)
    assert (sps.chroma, sps.luma_bits, sps.chroma_bits) == (1, 8, 8)


def test_a_record_is_made_of_parameter_sets() -> None:
    config = hevc.parse_hvcc(RECORD)
    made = hevc.record_of(config.sets)
    assert hevc.parse_hvcc(made) == config
    assert made[:23] == RECORD[:23]
    with pytest.raises(FormatError):
        hevc.record_of(config.sets[2:])


@pytest.mark.parametrize("body", [b"", b"\0" + RECORD[1:], RECORD[:40], RECORD[:-1]])
def test_what_is_no_record_is_refused(body: bytes) -> None:
    with pytest.raises(FormatError):
        hevc.parse_hvcc(body)


def test_a_parameter_set_that_ends_early_is_refused() -> None:
    with pytest.raises(FormatError):
        hevc.parse_sps(hevc.parse_hvcc(RECORD).sps[:12])


def unit(kind: int, size: int = 9) -> bytes:
    return size.to_bytes(4) + bytes([kind << 1, 1]) + bytes(size - 2)


@pytest.mark.parametrize(
    ("head", "is_idr"),
    [
        (unit(20), True),
        (unit(19) + unit(1), True),
        (unit(39, 30) + unit(20), True),  # a message first
        (unit(21), False),  # CRA: what follows may refer to pictures before
        (unit(1) + unit(20), False),
        (unit(39, 30), False),
        (b"", False),
    ],
)
def test_the_first_picture_decides(head: bytes, is_idr: bool) -> None:
    assert hevc.begins_with_idr(head, 4) is is_idr


@pytest.mark.parametrize(
    ("size", "rate_hz", "bps", "idc"),
    [
        ((426, 240), 30, 280_000, 60),
        ((426, 240), 60, 280_000, 63),
        ((854, 480), 30, 980_000, 90),
        ((1280, 720), 30, 1_960_000, 93),
        ((1280, 720), 60, 2_940_000, 120),
        ((1920, 1080), 30, 3_500_000, 120),
        ((1920, 1080), 60, 5_250_000, 123),
        ((1920, 1080), 30, 7_000_000, 123),  # for its buffer
        ((3840, 2160), 30, 11_200_000, 150),
        ((3840, 2160), 60, 16_800_000, 153),
        ((4096, 100), 30, 280_000, 120),  # for its length
    ],
)
def test_the_lowest_level_that_holds_it(
    size: tuple[int, int], rate_hz: int, bps: int, idc: int
) -> None:
    assert level_for(*size, Fraction(rate_hz), bps, 2 * bps) == idc


def test_no_level_holds_everything() -> None:
    with pytest.raises(ValueError, match="no level"):
        level_for(20_000, 20_000, Fraction(30), 1, 1)
