"""HEVC as MP4 carries it: `hvcC` (ISO/IEC 14496-15, 8.3.3) and SPS (Rec. ITU-T H.265, 7.3.2.2)."""

from collections.abc import Sequence
from dataclasses import dataclass

from telecine.formats.codecs.bits import BitReader
from telecine.formats.codecs.h264 import unescape
from telecine.formats.errors import FormatError

_RECORD_BYTES = 23
_SPS = 33
_IDR = (19, 20)
_PICTURES = range(32)  # NAL units that hold a slice (table 7-1)


@dataclass(frozen=True, slots=True)
class HevcConfig:
    """HEVCDecoderConfigurationRecord; `codecs` is the name that it amounts to."""

    codecs: str
    nal_length_bytes: int
    sets: tuple[bytes, ...]  # parameter sets, without start code or length

    @property
    def sps(self) -> bytes:
        """Return the sequence parameter set. Raises FormatError."""
        for unit in self.sets:
            if unit[0] >> 1 & 0x3F == _SPS:
                return unit
        raise FormatError("hvcC without a sequence parameter set")


@dataclass(frozen=True, slots=True)
class HevcSps:
    """Profile, tier and level as in `HevcConfig.codecs`; the size after cropping.

    `profile` are the bytes that `codecs` names, `chroma` is chroma_format_idc.
    """

    codecs: str
    width_px: int
    height_px: int
    profile: bytes
    sub_layers: int
    nested: bool
    chroma: int
    luma_bits: int
    chroma_bits: int


def codecs_string(record: bytes) -> str:
    """Return the name of an `hvcC` by ISO/IEC 14496-15, E.3: "hvc1.1.6.L93.B0"."""
    return _name(record[1:13])


def main_codecs(level_idc: int) -> str:
    """Return the name of progressive Main profile, Main tier, at a `general_level_idc`."""
    return f"hvc1.1.6.L{level_idc}.90"


def _name(profile: bytes) -> str:
    """Name the 12 bytes that begin `profile_tier_level` (H.265, 7.3.3)."""
    space = ("", "A", "B", "C")[profile[0] >> 6]
    compatibility = int(f"{int.from_bytes(profile[1:5]):032b}"[::-1], 2)
    tier = "H" if profile[0] & 0x20 else "L"
    name = f"hvc1.{space}{profile[0] & 31}.{compatibility:X}.{tier}{profile[11]}"
    constraints = profile[5:11].rstrip(b"\0")
    return ".".join([name, *(f"{byte:X}" for byte in constraints)])


def parse_hvcc(body: bytes) -> HevcConfig:
    """Read the body of an `hvcC` box. Raises FormatError."""
    if len(body) < _RECORD_BYTES or body[0] != 1:
        raise FormatError("not an hvcC box of version 1")
    at, sets = _RECORD_BYTES, []
    for _ in range(body[22]):
        count, at = int.from_bytes(body[at + 1 : at + 3]), at + 3
        for _ in range(count):
            size = int.from_bytes(body[at : at + 2])
            unit, at = body[at + 2 : at + 2 + size], at + 2 + size
            if at > len(body) or len(unit) < 2:
                raise FormatError("hvcC ends inside a parameter set")
            sets.append(unit)
    return HevcConfig(codecs_string(body), (body[21] & 3) + 1, tuple(sets))


def parse_sps(unit: bytes) -> HevcSps:
    """Read a sequence parameter set (a NAL unit with its header). Raises FormatError."""
    bits = BitReader(unescape(unit)[2:])
    bits.bits(4)  # sps_video_parameter_set_id
    sub_layers = bits.bits(3)
    nested = bits.flag()  # sps_temporal_id_nesting
    profile = bits.bits(96).to_bytes(12)
    present = [(bits.flag(), bits.flag()) for _ in range(sub_layers)]
    if sub_layers:
        bits.bits(2 * (8 - sub_layers))
    for with_profile, with_level in present:
        bits.bits(88 * with_profile + 8 * with_level)
    bits.ue()  # sps_seq_parameter_set_id
    chroma = bits.ue()
    if chroma == 3:
        bits.flag()  # separate_colour_plane
    width, height = bits.ue(), bits.ue()
    if bits.flag():
        left, right, top, bottom = (bits.ue() for _ in range(4))
        width -= (left + right) * (2 if chroma in (1, 2) else 1)
        height -= (top + bottom) * (2 if chroma == 1 else 1)
    luma_bits, chroma_bits = 8 + bits.ue(), 8 + bits.ue()
    if chroma > 3 or max(luma_bits, chroma_bits) > 15:
        raise FormatError(f"chroma format {chroma}, {luma_bits} and {chroma_bits} bits a sample")
    return HevcSps(
        codecs=_name(profile),
        width_px=width,
        height_px=height,
        profile=profile,
        sub_layers=sub_layers + 1,
        nested=nested,
        chroma=chroma,
        luma_bits=luma_bits,
        chroma_bits=chroma_bits,
    )


def record_of(sets: Sequence[bytes]) -> bytes:
    """Return an `hvcC` of parameter sets (14496-15, 8.3.3.1), with lengths of four bytes.

    Raises:
        FormatError: there is no sequence parameter set, or it is broken.
    """
    kinds = sorted({each[0] >> 1 & 0x3F for each in sets})
    found = next((each for each in sets if each[0] >> 1 & 0x3F == _SPS), None)
    if found is None:
        raise FormatError("pictures without a sequence parameter set")
    sps = parse_sps(found)
    layers = (sps.sub_layers & 7) << 3 | sps.nested << 2 | 3
    record = b"\x01" + sps.profile + b"\xf0\x00\xfc"  # nothing said of segmentation
    depths = (0xFC | sps.chroma, 0xF8 | sps.luma_bits - 8, 0xF8 | sps.chroma_bits - 8)
    record += bytes(depths) + b"\x00\x00" + bytes((layers, len(kinds)))  # no frame rate
    for kind in kinds:
        units = [each for each in sets if each[0] >> 1 & 0x3F == kind]
        record += bytes((0x80 | kind,)) + len(units).to_bytes(2)  # all of them are here
        record += b"".join(len(each).to_bytes(2) + each for each in units)
    return record


def begins_with_idr(head: bytes, nal_length_bytes: int) -> bool:
    """Tell whether the first picture in the first bytes of a payload is an IDR picture."""
    at = 0
    while at + nal_length_bytes < len(head):
        kind = head[at + nal_length_bytes] >> 1 & 0x3F
        if kind in _PICTURES:
            return kind in _IDR
        at += nal_length_bytes + int.from_bytes(head[at : at + nal_length_bytes])
    return False
