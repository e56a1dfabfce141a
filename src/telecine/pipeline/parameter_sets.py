"""Init segments for pieces of two encoders: H.264 with the parameter sets of both.

A rendition has one init segment for ever. Where hardware makes its pieces, the sets of x264
are in it as well, under another number, so that any piece can be made without the hardware.
"""

from telecine.formats.codecs.bits import BitReader
from telecine.formats.codecs.h264 import AvcConfig, parse_avcc, unescape
from telecine.formats.errors import FormatError
from telecine.formats.mp4.fragment import read_init, video_init
from telecine.formats.mp4.sample_entry import entry_box, with_entry_box

OURS = 1
"""The number of x264's sets beside those of hardware, which are numbered 0."""


def is_joined(init: bytes) -> bool:
    """Tell whether an init segment of H.264 has the sets of two encoders."""
    box = entry_box(read_init(init).stsd, b"avcC", video=True)
    return box is not None and len(parse_avcc(box).sps) > 1


def holds(known: bytes, made: bytes) -> bool:
    """Tell whether what was made with one init segment can be decoded with a known one."""
    if known == made:
        return True
    if not _record(known) or not _record(made):
        return False  # of another codec
    one, other = _config(known), _config(made)
    same = one.profile == other.profile and one.level == other.level
    same = same and one.nal_length_bytes == other.nal_length_bytes
    return same and {*other.sps} <= {*one.sps} and {*other.pps} <= {*one.pps}


def joined(hardware: bytes, software: bytes) -> bytes:
    """Return the init segment of hardware with the sets of software in it.

    Raises:
        FormatError: their sets have the same numbers, or are of different kinds.
    """
    init, record = read_init(hardware), _record(hardware)
    one, other = _config(hardware), _config(software)
    if (one.profile, one.level, one.nal_length_bytes) != (
        other.profile,
        other.level,
        other.nal_length_bytes,
    ):
        raise FormatError("two encoders made different profiles or levels")
    numbers = [_number(unit) for unit in (*one.sps, *other.sps)]
    if numbers != [0, OURS]:
        raise FormatError(f"sequence parameter sets numbered {numbers}")
    sets = [_sets(units) for units in ((*one.sps, *other.sps), (*one.pps, *other.pps))]
    # Behind the sets: chroma and depth, of High and above (ISO/IEC 14496-15, 5.3.3.1.2).
    before = 7 + sum(2 + len(unit) for unit in (*one.sps, *one.pps))
    body = b"".join(
        (
            bytes((1, one.profile, one.compatibility & other.compatibility, one.level, record[4])),
            bytes((0xE0 | len(one.sps + other.sps),)),
            sets[0],
            bytes((len(one.pps + other.pps),)),
            sets[1],
            record[before:],
        )
    )
    return video_init(
        with_entry_box(init.stsd, b"avcC", body),
        timescale=init.timescale,
        width_px=init.width_px,
        height_px=init.height_px,
    )


def _record(init: bytes) -> bytes:
    return entry_box(read_init(init).stsd, b"avcC", video=True) or b""


def _config(init: bytes) -> AvcConfig:
    return parse_avcc(_record(init))


def _sets(units: tuple[bytes, ...]) -> bytes:
    return b"".join(len(unit).to_bytes(2) + unit for unit in units)


def _number(sps: bytes) -> int:
    """Return the seq_parameter_set_id (H.264, 7.3.2.1.1)."""
    return BitReader(unescape(sps)[4:]).ue()
