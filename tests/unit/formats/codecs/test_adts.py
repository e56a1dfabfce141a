import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.formats.codecs.adts import AdtsSplitter, header, parse_header, split_adts
from telecine.formats.errors import FormatError

PACKETS = [b"", b"one", bytes(8184), b"\xff\xf1" * 40]
STREAM = b"".join(header(48_000, 2, len(packet)) + packet for packet in PACKETS)


def test_the_bytes_of_a_header() -> None:
    # As ffmpeg writes it: MPEG-4, LC, 48 kHz, stereo, 371 + 7 bytes, variable rate.
    assert header(48_000, 2, 371) == bytes.fromhex("fff14c802f5ffc")


@given(st.lists(st.integers(1, 3000)))
def test_any_split_of_the_stream_gives_the_same_packets(reads: list[int]) -> None:
    wire, splitter = STREAM, AdtsSplitter()
    got: list[bytes] = []
    for size in [*reads, len(wire)]:
        got += splitter.feed(wire[:size])
        wire = wire[size:]
    splitter.finish()
    assert got == PACKETS
    assert splitter.first is not None
    assert (splitter.first.sample_rate_hz, splitter.first.channels) == (48_000, 2)


def test_a_checksum_is_no_part_of_the_packet() -> None:
    plain = header(44_100, 1, 5)
    with_crc = bytes([0xFF, 0xF0]) + plain[2:] + b"\x12\x34" + b"abc"
    assert split_adts(with_crc) == [b"abc"]


def test_broken_streams_are_refused() -> None:
    other = header(44_100, 2, 3) + b"two"
    for broken in (STREAM[:-1], STREAM + b"\xff", STREAM + other, b"\0" * 9, STREAM[1:]):
        with pytest.raises(FormatError):
            split_adts(broken)


def test_what_adts_cannot_say_is_refused() -> None:
    for rate_hz, channels, size in ((50_000, 2, 1), (48_000, 7, 1), (48_000, 2, 8185)):
        with pytest.raises(FormatError):
            header(rate_hz, channels, size)
    with pytest.raises(FormatError):
        parse_header(b"\xff\xf1")
