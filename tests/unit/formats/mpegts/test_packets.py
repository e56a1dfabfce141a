import random

import pytest

from telecine.formats.errors import FormatError
from telecine.formats.mpegts.packets import PACKET_BYTES, Unit, packetise
from telecine.formats.mpegts.pes import annex_b, pes
from telecine.formats.mpegts.tables import crc32, program_association, program_map


def payload_of(packet: bytes) -> bytes:
    """Return what a packet carries, as a receiver finds it."""
    assert packet[0] == 0x47
    at = 4
    if packet[3] & 0x20:
        at += 1 + packet[4]
    return packet[at:]


def packets_of(data: bytes) -> list[bytes]:
    assert len(data) % PACKET_BYTES == 0
    return [data[at : at + PACKET_BYTES] for at in range(0, len(data), PACKET_BYTES)]


@pytest.mark.parametrize("pcr", [None, 0, 300 * 12345 + 299])
@pytest.mark.parametrize("least", [1, 16])
def test_every_length_arrives(pcr: int | None, least: int) -> None:
    noise = random.Random(1)
    for length in [*range(16, 600), 5000, 65_536]:
        payload = noise.randbytes(length)
        made = packetise(0x123, Unit(payload, pcr, random_access=True), 14, least)
        packets = packets_of(made.tobytes())
        assert len(packets) >= least
        assert b"".join(map(payload_of, packets)) == payload
        assert [packet[3] & 15 for packet in packets] == [
            (14 + number) % 16 for number in range(len(packets))
        ]
        assert [packet[1] & 0x40 for packet in packets] == [0x40, *[0] * (len(packets) - 1)]
        assert {(packet[1] & 0x1F) << 8 | packet[2] for packet in packets} == {0x123}
        assert packets[0][5] & 0x40
        if pcr is not None:
            base = int.from_bytes(packets[0][6:12], "big") >> 15
            extension = int.from_bytes(packets[0][10:12], "big") & 0x1FF
            assert base * 300 + extension == pcr


def test_sections_have_the_known_checksum() -> None:
    # The check value of CRC-32/MPEG-2.
    assert crc32(b"123456789") == 0x0376E6E7
    for section in (program_association(), program_map(video=True, audio=True)):
        assert crc32(section[1:]) == 0


def test_stamps_of_a_pes_packet() -> None:
    packet = pes(0xE0, b"x", (1 << 33) - 1, 0x1_2345_6789)
    assert packet[:4] == b"\0\0\1\xe0"
    assert packet[9:14] == bytes((0x3F, 0xFF, 0xFF, 0xFF, 0xFF))
    value = packet[14:19]
    ticks = (
        (value[0] >> 1 & 7) << 30
        | value[1] << 22
        | value[2] >> 1 << 15
        | value[3] << 7
        | value[4] >> 1
    )
    assert ticks == 0x1_2345_6789
    assert (value[0] >> 4, value[0] & 1, value[2] & 1, value[4] & 1) == (1, 1, 1, 1)


def nal(*units: bytes) -> bytes:
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


def test_a_picture_to_begin_with_has_its_parameter_sets() -> None:
    sets = [b"\x67sps", b"\x68pps"]
    start = b"\0\0\0\1"
    made = annex_b(nal(b"\x09\x10", b"\x06sei", b"\x67old", b"\x65idr"), 4, sets)
    units = [b"\x09\xf0", *sets, b"\x06sei", b"\x65idr"]
    assert made == b"".join(start + unit for unit in units)
    other = annex_b(nal(b"\x41slice", b""), 4, sets)
    assert other == start + b"\x09\xf0" + start + b"\x41slice"


def test_a_broken_sample_is_refused() -> None:
    with pytest.raises(FormatError):
        annex_b(b"\0\0\0\x09\x65", 4, [])
