"""AV1 as MP4 carries it: `av1C`, and what is read of OBUs (AV1 specification, 5.3 to 5.9)."""

from collections.abc import Iterator
from dataclasses import dataclass

from telecine.formats.codecs.bits import BitReader
from telecine.formats.errors import FormatError

_RECORD_BYTES = 4
_SEQUENCE_HEADER, _FRAME_HEADER, _FRAME = 1, 3, 6
_SHOWN_KEY_FRAME = 0b0001  # show_existing_frame, frame_type (2 bits), show_frame
_TIERED_ABOVE = 7  # levels up to this one have the Main tier only


@dataclass(frozen=True, slots=True)
class SequenceHeader:
    """What we need of a sequence header: the first operating point, the largest picture."""

    profile: int
    level: int  # seq_level_idx
    tier: int
    width_px: int
    height_px: int


def codecs_string(record: bytes) -> str:
    """Return the name of an `av1C` by the ISO media binding of AV1, 5: "av01.0.04M.08"."""
    tier = "H" if record[2] & 0x80 else "M"
    depth = 8
    if record[2] & 0x40:
        depth = 12 if record[2] & 0x20 else 10
    return f"av01.{record[1] >> 5}.{record[1] & 31:02d}{tier}.{depth:02d}"


def main_codecs(level: int) -> str:
    """Return the name of 8-bit Main profile, Main tier, at a `seq_level_idx`."""
    return f"av01.0.{level:02d}M.08"


def parse_av1c(body: bytes) -> SequenceHeader:
    """Read the sequence header in the body of an `av1C` box. Raises FormatError."""
    if len(body) < _RECORD_BYTES or body[0] != 0x81:
        raise FormatError("not an av1C box of version 1")
    return first_sequence_header(body[_RECORD_BYTES:])


def first_sequence_header(data: bytes) -> SequenceHeader:
    """Read the first sequence header of a run of OBUs. Raises FormatError."""
    for kind, payload in _units(data):
        if kind == _SEQUENCE_HEADER:
            return _sequence_header(BitReader(payload))
    raise FormatError("no sequence header")


def begins_with_key_frame(head: bytes) -> bool:
    """Tell whether the first bytes of a payload begin with a header and a shown key frame.

    Only such a temporal unit can be decoded without anything before it.
    """
    is_described = False
    for kind, payload in _units(head):
        is_described = is_described or kind == _SEQUENCE_HEADER
        if kind in (_FRAME_HEADER, _FRAME):
            return is_described and payload[:1] != b"" and payload[0] >> 4 == _SHOWN_KEY_FRAME
    return False


def _units(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and payload of OBUs (5.3.1); the last may be cut short."""
    at = 0
    while at < len(data):
        kind, extended, sized = data[at] >> 3 & 15, data[at] & 4, data[at] & 2
        at += 2 if extended else 1
        size, shift = 0, 0
        if not sized:
            size = len(data) - at
        while sized and at < len(data):
            size |= (data[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if not data[at - 1] & 0x80 or shift > 28:
                break
        yield kind, data[at : at + size]
        at += size


def _sequence_header(bits: BitReader) -> SequenceHeader:
    """Read `sequence_header_obu` (5.5.1) as far as the size."""
    profile = bits.bits(3)
    bits.flag()  # still_picture
    if bits.flag():  # reduced_still_picture_header
        level, tier = bits.bits(5), 0
    else:
        delay_bits = _timing(bits)
        with_delay = bits.flag()
        points = [
            _operating_point(bits, delay_bits, with_delay=with_delay)
            for _ in range(bits.bits(5) + 1)
        ]
        level, tier = points[0]
    width_bits, height_bits = bits.bits(4) + 1, bits.bits(4) + 1
    return SequenceHeader(
        profile, level, tier, bits.bits(width_bits) + 1, bits.bits(height_bits) + 1
    )


def _timing(bits: BitReader) -> int:
    """Skip the timing information; return the size of delays, 0 without a decoder model."""
    if not bits.flag():
        return 0
    bits.bits(64)  # num_units_in_display_tick, time_scale
    if bits.flag():
        bits.ue()  # num_ticks_per_picture
    if not bits.flag():
        return 0
    delay_bits = bits.bits(5) + 1
    bits.bits(32 + 5 + 5)
    return delay_bits


def _operating_point(bits: BitReader, delay_bits: int, *, with_delay: bool) -> tuple[int, int]:
    bits.bits(12)  # operating_point_idc
    level = bits.bits(5)
    tier = bits.bits(1) if level > _TIERED_ABOVE else 0
    if delay_bits and bits.flag():
        bits.bits(2 * delay_bits + 1)
    if with_delay and bits.flag():
        bits.bits(4)
    return level, tier
