"""H.264 as MP4 carries it: `avcC` (ISO/IEC 14496-15, 5.3.3) and SPS (H.264, 7.3.2.1)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from telecine.formats.codecs.bits import BitReader
from telecine.formats.codecs.h264_levels import level_for, level_idc
from telecine.formats.errors import FormatError

__all__ = [
    "AvcConfig",
    "Sps",
    "codecs_string",
    "high_codecs",
    "level_for",
    "parse_avcc",
    "parse_sps",
    "record_of",
    "unescape",
]

# Profiles whose SPS tells chroma and bit depth (7.3.2.1.1).
HIGH_PROFILES = frozenset((100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135))

CHROMA = ("400", "420", "422", "444")

# Table E-1, from aspect_ratio_idc 1 on.
ASPECTS = (
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
)
EXTENDED_ASPECT = 255


@dataclass(frozen=True, slots=True)
class AvcConfig:
    """AVCDecoderConfigurationRecord; parameter sets without start code or length."""

    profile: int
    compatibility: int
    level: int
    nal_length_bytes: int
    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sps:
    """What we need of a sequence parameter set. Sizes after cropping.

    Colour code points are H.273's; 2 is "unspecified". `max_reorder` is how many
    frames may be decoded before a frame that they follow, None where it is not said.
    """

    profile_idc: int
    constraints: int
    level_idc: int
    chroma: str
    bit_depth: int
    progressive: bool
    width_px: int
    height_px: int
    sample_aspect: Fraction = Fraction(1)
    full_range: bool = False
    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    max_reorder: int | None = None


def parse_avcc(body: bytes) -> AvcConfig:
    """Read the body of an `avcC` box. Raises FormatError."""
    if len(body) < 7 or body[0] != 1:
        raise FormatError("not an avcC box of version 1")
    at = 5
    sets: list[tuple[bytes, ...]] = []
    for mask in (0x1F, 0xFF):
        if at >= len(body):
            raise FormatError("avcC ends early")
        count, at = body[at] & mask, at + 1
        units = []
        for _ in range(count):
            size = int.from_bytes(body[at : at + 2], "big")
            unit, at = body[at + 2 : at + 2 + size], at + 2 + size
            if at > len(body) or not unit:
                raise FormatError("avcC ends inside a parameter set")
            units.append(unit)
        sets.append(tuple(units))
    if not sets[0]:
        raise FormatError("avcC without a sequence parameter set")
    return AvcConfig(body[1], body[2], body[3], (body[4] & 3) + 1, sets[0], sets[1])


def record_of(sps: Sequence[bytes], pps: Sequence[bytes]) -> bytes:
    """Return an `avcC` of parameter sets (14496-15, 5.3.3.1), with lengths of four bytes.

    Raises:
        FormatError: there is no sequence parameter set, too many sets, or a broken one.
    """
    if not 0 < len(sps) < 32 or len(pps) > 255:
        raise FormatError(f"{len(sps)} and {len(pps)} parameter sets")
    told = parse_sps(sps[0])
    record = b"\x01" + sps[0][1:4] + b"\xff" + bytes((0xE0 | len(sps),))
    record += b"".join(len(each).to_bytes(2) + each for each in sps) + bytes((len(pps),))
    record += b"".join(len(each).to_bytes(2) + each for each in pps)
    if told.profile_idc in HIGH_PROFILES:
        depth = 0xF8 | told.bit_depth - 8
        record += bytes((0xFC | CHROMA.index(told.chroma), depth, depth, 0))
    return record


def codecs_string(config: AvcConfig) -> str:
    """Return the RFC 6381 name: "avc1.64001f"."""
    return f"avc1.{config.profile:02x}{config.compatibility:02x}{config.level:02x}"


def high_codecs(level: str) -> str:
    """Return the RFC 6381 name of progressive High profile at a level such as "3.1"."""
    return f"avc1.6400{level_idc(level):02x}"


def unescape(unit: bytes) -> bytes:
    """Take the emulation prevention bytes out of a NAL unit (7.4.1)."""
    parts, start = [], 0
    while (at := unit.find(b"\x00\x00\x03", start)) >= 0:
        parts.append(unit[start : at + 2])
        start = at + 3
    parts.append(unit[start:])
    return b"".join(parts)


def parse_sps(unit: bytes) -> Sps:
    """Read a sequence parameter set (a NAL unit with its header). Raises FormatError."""
    if not unit or unit[0] & 0x1F != 7:
        raise FormatError("not a sequence parameter set")
    bits = BitReader(unescape(unit)[1:])
    profile, constraints, level = bits.bits(8), bits.bits(8), bits.bits(8)
    bits.ue()  # seq_parameter_set_id
    chroma, bit_depth = _chroma(bits) if profile in HIGH_PROFILES else (1, 8)
    _picture_order(bits)
    bits.ue()  # max_num_ref_frames
    bits.flag()  # gaps_in_frame_num_value_allowed
    across, map_units = bits.ue() + 1, bits.ue() + 1
    progressive = bits.flag()  # frame_mbs_only
    if not progressive:
        bits.flag()  # mb_adaptive_frame_field
    bits.flag()  # direct_8x8_inference
    width, height = across * 16, map_units * 16 * (1 if progressive else 2)
    if bits.flag():
        left, right, top, bottom = (bits.ue() for _ in range(4))
        # CropUnitX and Y (7-19 to 7-22)
        width -= (left + right) * (2 if chroma in (1, 2) else 1)
        height -= (top + bottom) * (2 if chroma == 1 else 1) * (1 if progressive else 2)
    if not 0 < width <= 1 << 16 or not 0 < height <= 1 << 16:
        raise FormatError(f"a picture of {width}x{height}")
    sps = Sps(
        profile_idc=profile,
        constraints=constraints,
        level_idc=level,
        chroma=CHROMA[chroma],
        bit_depth=bit_depth,
        progressive=progressive,
        width_px=width,
        height_px=height,
    )
    return _usability(bits, sps) if bits.flag() else sps


def _chroma(bits: BitReader) -> tuple[int, int]:
    chroma = bits.ue()
    if chroma > 3:
        raise FormatError(f"chroma_format_idc {chroma}")
    if chroma == 3:
        bits.flag()  # separate_colour_plane
    depth = 8 + max(bits.ue(), bits.ue())  # luma, chroma
    if depth > 14:
        raise FormatError(f"{depth} bits a sample")
    bits.flag()  # qpprime_y_zero_transform_bypass
    if bits.flag():
        for index in range(12 if chroma == 3 else 8):
            if bits.flag():
                _skip_scaling_list(bits, 16 if index < 6 else 64)
    return chroma, depth


def _skip_scaling_list(bits: BitReader, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def _picture_order(bits: BitReader) -> None:
    bits.ue()  # log2_max_frame_num
    kind = bits.ue()
    if kind == 0:
        bits.ue()
    elif kind == 1:
        bits.flag()
        bits.se()
        bits.se()
        cycle = bits.ue()
        if cycle > 255:
            raise FormatError(f"{cycle} reference frames in a picture order cycle")
        for _ in range(cycle):
            bits.se()
    elif kind > 2:
        raise FormatError(f"pic_order_cnt_type {kind}")


def _usability(bits: BitReader, sps: Sps) -> Sps:
    """Read the VUI (E.1.1) into a copy of `sps`."""
    aspect, full_range, primaries, transfer, matrix = Fraction(1), False, 2, 2, 2
    if bits.flag():
        aspect = _aspect(bits)
    if bits.flag():
        bits.flag()  # overscan_appropriate
    if bits.flag():
        bits.bits(3)  # video_format
        full_range = bits.flag()
        if bits.flag():
            primaries, transfer, matrix = bits.bits(8), bits.bits(8), bits.bits(8)
    if bits.flag():
        bits.ue()  # chroma sample locations
        bits.ue()
    if bits.flag():
        bits.bits(65)  # timing: MP4's own tables win
    has_nal = bits.flag()
    if has_nal:
        _skip_hrd(bits)
    has_vcl = bits.flag()
    if has_vcl:
        _skip_hrd(bits)
    if has_nal or has_vcl:
        bits.flag()  # low_delay_hrd
    bits.flag()  # pic_struct_present
    max_reorder = _reorder(bits) if bits.flag() else None
    return replace(
        sps,
        sample_aspect=aspect,
        full_range=full_range,
        primaries=primaries,
        transfer=transfer,
        matrix=matrix,
        max_reorder=max_reorder,
    )


def _aspect(bits: BitReader) -> Fraction:
    index = bits.bits(8)
    if index == EXTENDED_ASPECT:
        across, down = bits.bits(16), bits.bits(16)
        return Fraction(across, down) if across and down else Fraction(1)
    return Fraction(*ASPECTS[index - 1]) if 0 < index <= len(ASPECTS) else Fraction(1)


def _skip_hrd(bits: BitReader) -> None:
    count = bits.ue() + 1
    if count > 32:
        raise FormatError(f"{count} coded picture buffers")
    bits.bits(8)
    for _ in range(count):
        bits.ue()
        bits.ue()
        bits.flag()
    bits.bits(20)


def _reorder(bits: BitReader) -> int:
    bits.flag()
    for _ in range(4):
        bits.ue()
    return bits.ue()
