"""Does a file end where its container says: a recording or a copy may have broken off.

Demuxers read what is there and say nothing, and headers' durations are of no help: each
stream has a length of its own. What containers say of their size in bytes is exact.
"""

import struct
from io import BufferedIOBase, RawIOBase

_TS_PACKET_BYTES = (188, 192, 204)
_FLV_TAGS = (8, 9, 18)
_HEAD_BYTES = 4096
_EBML_HEADER, _SEGMENT = 0x1A45DFA3, 0x18538067


def is_cut_off(container: str, file: RawIOBase | BufferedIOBase, size_bytes: int) -> bool:
    """Tell whether the end is missing; False where the container does not tell."""
    name = container.partition(",")[0]
    if name in ("avi", "wav"):
        return _riff(file, size_bytes)
    if name == "matroska":
        return _matroska(file, size_bytes)
    if name == "mpegts":
        return all(size_bytes % packet for packet in _TS_PACKET_BYTES)
    if name == "flv":
        return _flv(file, size_bytes)
    return False


def _read(file: RawIOBase | BufferedIOBase, offset: int, size_bytes: int) -> bytes:
    file.seek(offset)
    return file.read(size_bytes) or b""


def _riff(file: RawIOBase | BufferedIOBase, size_bytes: int) -> bool:
    """RIFF: the size of the one chunk; 0 and the largest number mean that it is unknown."""
    head = _read(file, 0, 12)
    if len(head) < 12 or head[:4] != b"RIFF":
        return False
    (size,) = struct.unpack_from("<I", head, 4)
    return size not in (0, 0xFFFFFFFF) and size + 8 > size_bytes


def _matroska(file: RawIOBase | BufferedIOBase, size_bytes: int) -> bool:
    """RFC 9559: the size of the Segment; all ones while it is being written."""
    head = _read(file, 0, _HEAD_BYTES)
    at = 0
    while True:
        element = _element(head, at)
        if element is None:
            return False
        kind, body, size = element
        if kind == _SEGMENT:
            return size is not None and body + size > size_bytes
        if kind != _EBML_HEADER or size is None:
            return False
        at = body + size


def _element(data: bytes, at: int) -> tuple[int, int, int | None] | None:
    """Return (id, start of the body, its size or None) of an EBML element (RFC 8794)."""
    if at + 12 > len(data) or not data[at]:
        return None
    id_bytes = 9 - data[at].bit_length()
    kind = int.from_bytes(data[at : at + id_bytes], "big")
    first = data[at + id_bytes]
    if not first:
        return None
    size_bytes = 9 - first.bit_length()
    body = at + id_bytes + size_bytes
    if body > len(data):
        return None
    ones = (1 << 7 * size_bytes) - 1
    size = int.from_bytes(data[at + id_bytes : body], "big") & ones
    return kind, body, None if size == ones else size


def _flv(file: RawIOBase | BufferedIOBase, size_bytes: int) -> bool:
    """FLV ends with the size of its last tag, 11 bytes longer than that tag's data."""
    if size_bytes < 4 + 11 + 9:
        return True
    (tag_bytes,) = struct.unpack(">I", _read(file, size_bytes - 4, 4))
    start = size_bytes - 4 - tag_bytes
    if tag_bytes < 11 or start < 9:
        return True
    head = _read(file, start, 4)
    return head[0] & 0x1F not in _FLV_TAGS or int.from_bytes(head[1:], "big") + 11 != tag_bytes
