import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.formats.codecs.aac import (
    SAMPLE_RATES_HZ,
    aac_stsd,
    audio_specific_config,
    codecs_string,
    parse_esds,
    parse_specific,
    stsd_of,
)
from telecine.formats.errors import FormatError
from telecine.formats.mp4.boxes import box, full_box

# Written by libavformat: descriptor lengths of four bytes, a `btrt` behind the esds.
LAVF_STSD = bytes.fromhex(
    "00000000000000010000006e6d703461000000000000000100000000000000000002001000000000ac440000"
    "0000003665736473000000000380808025000200048080801740150000000001f4000001f37b058080800512"
    "1056e5000680808001020000001462747274000000000001f4000001f37b"
)


def test_the_stsd_of_libavformat() -> None:
    config = parse_esds(LAVF_STSD)
    assert (config.object_type, config.sample_rate_hz, config.channels) == (2, 44_100, 2)
    assert not config.sbr  # the extension is there and says no
    assert config.packet_samples == 1024
    assert codecs_string(config) == "mp4a.40.2"


@given(st.sampled_from(SAMPLE_RATES_HZ), st.sampled_from([1, 2, 3, 4, 5, 6, 8]))
def test_our_own_stsd_is_read_back(rate_hz: int, channels: int) -> None:
    config = parse_esds(aac_stsd(rate_hz, channels, bit_rate_bps=128_000))
    assert (config.object_type, config.sample_rate_hz, config.channels) == (2, rate_hz, channels)


@pytest.mark.parametrize("more_bytes", [80, 110, 300, 20_000])
def test_a_long_configuration_is_read_back(more_bytes: int) -> None:
    """Sizes of descriptors take as many bytes as they need (ISO/IEC 14496-1, 8.3.3)."""
    specific = audio_specific_config(48_000, 2) + bytes(more_bytes)
    config = parse_esds(stsd_of(specific, sample_rate_hz=48_000, channels=2))
    assert (config.sample_rate_hz, config.channels) == (48_000, 2)


def test_an_unlisted_rate_is_spelt_out() -> None:
    config = parse_esds(aac_stsd(50_000, 2))
    assert (config.object_type, config.sample_rate_hz, config.channels) == (2, 50_000, 2)


@pytest.mark.parametrize(
    ("specific", "name", "rate_hz"),
    [
        ("1190", "mp4a.40.2", 48_000),
        ("2b920800", "mp4a.40.5", 22_050),  # HE-AAC, said at the start
        ("139056e5a0", "mp4a.40.5", 22_050),  # said at the end
        ("eb098800", "mp4a.40.29", 24_000),  # with parametric stereo
        ("0990", "mp4a.40.1", 48_000),  # Main
    ],
)
def test_kinds_of_aac(specific: str, name: str, rate_hz: int) -> None:
    config = parse_specific(bytes.fromhex(specific))
    assert codecs_string(config) == name
    assert config.sample_rate_hz == rate_hz


def test_short_packets_are_told() -> None:
    assert parse_specific(bytes.fromhex("1194")).packet_samples == 960


def test_quicktime_hides_the_esds() -> None:
    esds = LAVF_STSD[44 : 44 + 0x36]
    assert esds[4:8] == b"esds"
    fields = bytes(6) + struct.pack(">HHHIHHHHI", 1, 1, 0, 0, 2, 16, 0, 0, 44_100 << 16)
    wave = box(b"wave", box(b"frma", b"mp4a"), esds, bytes(8))
    stsd = struct.pack(">II", 0, 1) + box(b"mp4a", fields, bytes(16), wave)
    assert parse_esds(stsd).sample_rate_hz == 44_100


def test_mp3_in_mp4_is_not_aac() -> None:
    with pytest.raises(FormatError, match="0x6b is not AAC"):
        parse_esds(LAVF_STSD.replace(b"\x17\x40\x15", b"\x17\x6b\x15"))


def test_layouts_without_a_number_are_refused() -> None:
    with pytest.raises(FormatError):
        audio_specific_config(48_000, 7)


@given(st.binary(max_size=60))
def test_no_bytes_break_the_parsers_otherwise(data: bytes) -> None:
    entry = box(b"mp4a", bytes(28), full_box(b"esds", 0, 0, data))
    for parse, argument in (
        (parse_specific, data),
        (parse_esds, struct.pack(">II", 0, 1) + entry),
        (parse_esds, data),
    ):
        with contextlib.suppress(FormatError):
            parse(argument)
