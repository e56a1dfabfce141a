"""Edit lists that ffmpeg's muxer does not write, put into files that it made."""

import struct
from collections.abc import Iterator, Sequence

INSIDE = frozenset((b"moov", b"trak", b"edts"))
NORMAL_RATE = 0x10000


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and body of each box (ISO/IEC 14496-12, 4.2), with 32-bit sizes only."""
    at = 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8 : at + size]
        at += size


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def in_stretches(data: bytes, stretches_ms: Sequence[tuple[int, int]]) -> bytes:
    """Show stretches [start, end) of the media of an MP4 whose `moov` comes last."""

    *others, (last, moov) = boxes(data)
    assert last == b"moov"
    movie_hz = _clock_hz(moov, b"mvhd")

    def changed(kind: bytes, body: bytes, hz: int = 0) -> bytes:
        if kind == b"elst":
            return box(kind, _listed(body, stretches_ms, movie_hz, hz))
        if kind in INSIDE:
            hz = _clock_hz(_inner(body, b"mdia"), b"mdhd") if kind == b"trak" else hz
            body = b"".join(changed(*each, hz) for each in boxes(body))
        return box(kind, body)

    return b"".join(box(*each) for each in others) + changed(last, moov)


def _listed(
    body: bytes, stretches_ms: Sequence[tuple[int, int]], movie_hz: int, media_hz: int
) -> bytes:
    """Replace a list of one edit."""
    _, count, _, origin, _ = struct.unpack(">IIIiI", body)
    assert count == 1
    rows = (
        struct.pack(
            ">IiI",
            (end - start) * movie_hz // 1000,
            origin + start * media_hz // 1000,
            NORMAL_RATE,
        )
        for start, end in stretches_ms
    )
    return struct.pack(">II", 0, len(stretches_ms)) + b"".join(rows)


def _clock_hz(parent: bytes, kind: bytes) -> int:
    hz: int = struct.unpack_from(">I", _inner(parent, kind), 12)[0]
    return hz


def _inner(parent: bytes, kind: bytes) -> bytes:
    (found,) = (body for each, body in boxes(parent) if each == kind)
    return found
