"""Matroska files, element by element (RFC 8794, RFC 9559)."""

from collections.abc import Sequence

EMPTY_BLOCK = b"\x81\0\0\x80" + bytes(40)


def element(kind: int, *bodies: bytes) -> bytes:
    """An element with a size of eight bytes."""
    body = b"".join(bodies)
    head = kind.to_bytes((kind.bit_length() + 7) // 8, "big")
    return head + (len(body) | 1 << 56).to_bytes(8, "big") + body


def number(kind: int, value: int) -> bytes:
    return element(kind, value.to_bytes(8, "big"))


def entry(track: int, size_px: int, *more: bytes) -> bytes:
    """A track of VP8 pictures."""
    picture = element(0xE0, number(0xB0, size_px), number(0xBA, size_px))
    ids = (number(0xD7, track), number(0x73C5, track), number(0x83, 1))
    return element(0xAE, *ids, element(0x86, b"V_VP8"), picture, *more)


def matroska(
    *entries: bytes,
    blocks: Sequence[bytes] = (element(0xA3, EMPTY_BLOCK),),
    clusters: Sequence[tuple[int, Sequence[bytes]]] = (),
    tick_ns: int = 1_000_000,
) -> bytes:
    """A file of tracks and `blocks`, or of `clusters` at their times."""
    header = element(0x1A45DFA3, element(0x4282, b"webm"), number(0x4287, 4), number(0x4285, 2))
    info = element(0x1549A966, number(0x2AD7B1, tick_ns))
    media = [
        element(0x1F43B675, number(0xE7, time), *each) for time, each in clusters or [(0, blocks)]
    ]
    return header + element(0x18538067, info, element(0x1654AE6B, *entries), *media)
