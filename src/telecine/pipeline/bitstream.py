"""What is told of a video rendition by its own bytes, whatever its codec.

The sample entry and the parameter sets in it must agree: both are read.
"""

from collections.abc import Callable, Iterator

from telecine.formats.codecs import av1, h264, hevc
from telecine.formats.errors import FormatError
from telecine.formats.mp4.boxes import Buffer
from telecine.formats.mp4.sample_entry import entry_box, first_entry

_H264_IDR = 5
_H264_PICTURES = range(1, 6)  # NAL units that hold a slice (ISO/IEC 14496-10, table 7-1)


def codecs_of(stsd: Buffer) -> str:
    """Return the RFC 6381 name of a video track. Raises FormatError."""
    kind, record = _record(stsd)
    if kind == "hvc1":
        config = hevc.parse_hvcc(record)
        if hevc.parse_sps(config.sps).codecs != config.codecs:
            raise FormatError("hvcC and its sequence parameter set differ")
        return config.codecs
    if kind == "av01":
        header, name = av1.parse_av1c(record), av1.codecs_string(record)
        tier = "MH"[header.tier]
        if not name.startswith(f"av01.{header.profile}.{header.level:02d}{tier}."):
            raise FormatError("av1C and its sequence header differ")
        return name
    return h264.codecs_string(h264.parse_avcc(record))


def encoded_codecs(stsd: Buffer) -> str:
    """Return the name of a track that we encoded, as plans have it.

    The constraint flags of H.264 are the encoder's; they only narrow what a decoder must be
    able to do.
    """
    name = codecs_of(stsd)
    return f"{name[:7]}00{name[9:]}" if name.startswith("avc1.") else name


def coded_size(stsd: Buffer) -> tuple[int, int]:
    """Return the size (px) that the parameter sets tell. Raises FormatError."""
    kind, record = _record(stsd)
    if kind == "av01":
        header = av1.parse_av1c(record)
        return header.width_px, header.height_px
    if kind == "hvc1":
        coded = hevc.parse_sps(hevc.parse_hvcc(record).sps)
        return coded.width_px, coded.height_px
    sps = h264.parse_sps(h264.parse_avcc(record).sps[0])
    return sps.width_px, sps.height_px


def key_frame_test(stsd: Buffer) -> Callable[[bytes], bool]:
    """Return what tells of the first bytes of a payload whether it begins with a key frame.

    Raises:
        FormatError: a codec that is not ours, or a broken record.
    """
    kind, record = _record(stsd)
    if kind == "av01":
        return av1.begins_with_key_frame
    if kind == "hvc1":
        length_bytes = hevc.parse_hvcc(record).nal_length_bytes
        return lambda head: hevc.begins_with_idr(head, length_bytes)
    length_bytes = h264.parse_avcc(record).nal_length_bytes
    return lambda head: _first_picture(head, length_bytes) == _H264_IDR


def _record(stsd: Buffer) -> tuple[str, bytes]:
    kind = first_entry(stsd, video=True).fourcc
    box = {"hvc1": b"hvcC", "av01": b"av1C"}.get(kind, b"avcC")
    return kind, entry_box(stsd, box, video=True) or b""


def _first_picture(head: bytes, length_bytes: int) -> int | None:
    return next((kind for kind in _units(head, length_bytes) if kind in _H264_PICTURES), None)


def _units(head: bytes, length_bytes: int) -> Iterator[int]:
    """Yield the types of the NAL units that begin in the first bytes of a payload."""
    at = 0
    while at + length_bytes < len(head):
        yield head[at + length_bytes] & 0x1F
        at += length_bytes + int.from_bytes(head[at : at + length_bytes])
