"""PES packets (ISO/IEC 13818-1, 2.4.3.6) and what goes into them."""

from collections.abc import Sequence

from telecine.formats.errors import FormatError

VIDEO_STREAM_ID = 0xE0
AUDIO_STREAM_ID = 0xC0

_WRAP = 1 << 33
_START_CODE = b"\x00\x00\x00\x01"
_DELIMITER = _START_CODE + b"\x09\xf0"  # H.264, 7.3.2.4: any slice type follows
_IDR, _SPS, _PPS, _AUD = 5, 7, 8, 9


def pes(stream_id: int, payload: bytes, pts: int, dts: int | None = None) -> bytes:
    """Return a PES packet; times in ticks of 90 kHz. A video's has no length of its own."""
    stamps = _stamp(2 if dts is None else 3, pts)
    flags = 0x80
    if dts is not None:
        flags, stamps = 0xC0, stamps + _stamp(1, dts)
    length = 3 + len(stamps) + len(payload)
    if stream_id == VIDEO_STREAM_ID or length > 0xFFFF:
        length = 0
    head = bytes((0, 0, 1, stream_id)) + length.to_bytes(2, "big")
    return head + bytes((0x84, flags, len(stamps))) + stamps + payload


def _stamp(marker: int, ticks: int) -> bytes:
    value = ticks % _WRAP
    return bytes(
        (
            marker << 4 | value >> 29 & 0x0E | 1,
            value >> 22 & 0xFF,
            value >> 14 & 0xFE | 1,
            value >> 7 & 0xFF,
            value << 1 & 0xFE | 1,
        )
    )


def annex_b(sample: bytes, length_bytes: int, parameter_sets: Sequence[bytes]) -> bytes:
    """Return an access unit with start codes (H.264, Annex B) of one with lengths.

    A delimiter stands in front; an IDR picture has its parameter sets before it, for
    players that begin here.

    Raises:
        FormatError: the lengths do not fit the sample.
    """
    units, at, keyed = [], 0, False
    while at < len(sample):
        size = int.from_bytes(sample[at : at + length_bytes], "big")
        start = at + length_bytes
        at = start + size
        if at > len(sample):
            raise FormatError("a NAL unit reaches beyond its sample")
        if not size:
            continue
        kind = sample[start] & 0x1F
        keyed = keyed or kind == _IDR
        if kind in {_AUD, _SPS, _PPS} and parameter_sets:
            continue
        units.append(sample[start:at])
    sets = [*parameter_sets] if keyed else []
    return _DELIMITER + b"".join(_START_CODE + unit for unit in (*sets, *units))
