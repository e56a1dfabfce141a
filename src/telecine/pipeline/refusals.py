"""What a file is that is no media: said before any demuxer has a look at it."""

import re
from io import RawIOBase

from telecine.pipeline.limits import UnplayableError

_HEAD_BYTES = 4096

# Text that names other files: none of it is ever opened.
_PLAYLISTS = {
    "an HLS playlist": re.compile(rb"\s*#EXTM3U"),
    "a list of files for ffmpeg": re.compile(rb"\s*ffconcat version"),
    "a DASH manifest": re.compile(rb"\s*<(?:[^>]{0,400}>\s*<){0,3}MPD\b"),
    "a Smooth Streaming manifest": re.compile(rb".{0,400}<SmoothStreamingMedia\b", re.DOTALL),
    "a session description": re.compile(rb"v=0\r?\no="),
    "a playlist": re.compile(rb"\s*\[playlist\]", re.IGNORECASE),
    "a list of files": re.compile(rb"\s*file '"),
}

_TS_BYTES, _TS_SYNC = 188, 0x47
_MOST_PACKETS = _HEAD_BYTES // _TS_BYTES


def refuse_playlists(file: RawIOBase) -> None:
    """Raise UnplayableError for a list of other files, whatever its name is."""
    file.seek(0)
    head = file.read(_HEAD_BYTES) or b""
    for kind, pattern in _PLAYLISTS.items():
        if pattern.match(head.removeprefix(b"\xef\xbb\xbf")):
            raise UnplayableError("playlist", kind)


def is_scrambled_ts(file: RawIOBase, size_bytes: int) -> bool:
    """Tell whether a transport stream is scrambled (ISO/IEC 13818-1, 2.4.3.3)."""
    at = size_bytes // 2 // _TS_BYTES * _TS_BYTES
    file.seek(at)
    data = file.read(_HEAD_BYTES) or b""
    packets = [data[n : n + 4] for n in range(0, len(data) - 4, _TS_BYTES)]
    if len(packets) < 2 or any(packet[0] != _TS_SYNC for packet in packets):
        return False
    return 2 * len([packet for packet in packets if packet[3] >> 6 > 1]) > len(packets)
