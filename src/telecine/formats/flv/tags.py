"""FLV as a stream of tags (Adobe FLV 10.1, annex E): what ffmpeg takes and gives live."""

import struct

from telecine.formats.errors import FormatError

AUDIO, VIDEO, DATA = 8, 9, 18
MAX_TAG_BYTES = 16 << 20
_HEADER_BYTES = 11


def header(*, video: bool, audio: bool) -> bytes:
    """Return what a file begins with."""
    return b"FLV\x01" + bytes([audio << 2 | video]) + (9).to_bytes(4) + bytes(4)


def tag(kind: int, time_ms: int, body: bytes) -> bytes:
    """Return one tag; times are of 31 bits, for some readers take them as signed."""
    time_ms &= 0x7FFFFFFF
    size = len(body)
    head = struct.pack(">B3s3sB3x", kind, size.to_bytes(3), (time_ms & 0xFFFFFF).to_bytes(3),
                       time_ms >> 24)  # fmt: skip
    return head + body + (_HEADER_BYTES + size).to_bytes(4)


class TagReader:
    """Takes tags out of a stream. Holds at most one tag and one read."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._begun = False

    def feed(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """Return (type, time in ms, body) of the tags that `data` completes.

        Raises:
            FormatError: it is not FLV, or a tag is too large.
        """
        self._buffer += data
        at, found = 0, []
        if not self._begun:
            if len(self._buffer) < 13:
                return []
            if self._buffer[:3] != b"FLV":
                raise FormatError("no FLV")
            at, self._begun = 13, True
        while at + _HEADER_BYTES <= len(self._buffer):
            size = int.from_bytes(self._buffer[at + 1 : at + 4])
            if size > MAX_TAG_BYTES:
                raise FormatError(f"a tag of {size} bytes")
            end = at + _HEADER_BYTES + size
            if end + 4 > len(self._buffer):
                break
            time = int.from_bytes(self._buffer[at + 4 : at + 7]) | self._buffer[at + 7] << 24
            body = bytes(self._buffer[at + _HEADER_BYTES : end])
            found.append((self._buffer[at] & 31, time, body))
            at = end + 4
        del self._buffer[:at]
        return found
