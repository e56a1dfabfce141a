"""The sample description `stsd` (ISO/IEC 14496-12, 8.5.2; QuickTime's variants)."""

import struct
from dataclasses import dataclass
from fractions import Fraction

from telecine.formats.mp4.boxes import Box, Buffer, FormatError, box, find, iter_boxes, read

VIDEO_FIELDS_BYTES = 78
AUDIO_FIELDS_BYTES = 28

MAX_ASPECT = 1 << 16


@dataclass(frozen=True, slots=True)
class Colour:
    """Code points of ITU-T H.273; `full_range` is None where `nclc` leaves it open."""

    primaries: int
    transfer: int
    matrix: int
    full_range: bool | None


@dataclass(frozen=True, slots=True)
class SampleEntry:
    """The first entry of an `stsd`: `fourcc`, and where its boxes lie in the body."""

    fourcc: str
    body: int
    children: int
    end: int


def first_entry(stsd: Buffer, *, video: bool) -> SampleEntry:
    """Return the first sample entry of an `stsd` body. Raises FormatError."""
    (count,) = read("I", stsd, 4)
    entry = next(iter_boxes(stsd, 8), None) if count else None
    if entry is None:
        raise FormatError("a track without a sample entry")
    fields = VIDEO_FIELDS_BYTES
    if not video:
        (version,) = read("H", stsd, entry.body + 8, entry.end)
        # QuickTime's sound descriptions 1 and 2 are longer.
        fields = AUDIO_FIELDS_BYTES + {1: 16, 2: 36}.get(version, 0)
    children = min(entry.body + fields, entry.end)
    return SampleEntry(entry.kind.decode("latin-1"), entry.body, children, entry.end)


def entry_count(stsd: Buffer) -> int:
    """Return how many sample entries an `stsd` body claims."""
    return read("I", stsd, 4)[0]


def entry_box(stsd: Buffer, kind: bytes, *, video: bool) -> bytes | None:
    """Return the body of a box in the first sample entry, such as `avcC`."""
    entry = first_entry(stsd, video=video)
    found = _child(stsd, entry, kind)
    if found is None and not video:
        # QuickTime wraps the esds in a `wave` box.
        wave = _child(stsd, entry, b"wave")
        found = find(stsd, [kind], wave.body, wave.end) if wave else None
    return bytes(stsd[found.body : found.end]) if found else None


def with_entry_box(stsd: Buffer, kind: bytes, body: bytes) -> bytes:
    """Return an `stsd` body in which a box of the first video sample entry has another body."""
    entry = first_entry(stsd, video=True)
    boxes = [
        box(kind, body) if each.kind == kind else bytes(stsd[each.start : each.end])
        for each in iter_boxes(stsd, entry.children, entry.end)
    ]
    fields = bytes(stsd[entry.body : entry.children])
    whole = box(entry.fourcc.encode("latin-1"), fields, *boxes)
    return bytes(stsd[: entry.body - 8]) + whole + bytes(stsd[entry.end :])


def _child(stsd: Buffer, entry: SampleEntry, kind: bytes) -> Box | None:
    return find(stsd, [kind], entry.children, entry.end)


def picture_size(stsd: Buffer) -> tuple[int, int]:
    """Return (width, height) in px of the first video sample entry."""
    entry = first_entry(stsd, video=True)
    width, height = read("HH", stsd, entry.body + 24, entry.end)
    return width, height


def pixel_aspect(stsd: Buffer) -> Fraction:
    """Return the sample aspect ratio of `pasp`, 1 where it is absent or absurd."""
    pasp = entry_box(stsd, b"pasp", video=True)
    if pasp is None or len(pasp) < 8:
        return Fraction(1)
    across, down = struct.unpack_from(">II", pasp)
    if not 0 < across <= MAX_ASPECT or not 0 < down <= MAX_ASPECT:
        return Fraction(1)
    return Fraction(across, down)


def colour(stsd: Buffer) -> Colour | None:
    """Return what `colr` says, None where there is none (ICC profiles: none)."""
    colr = entry_box(stsd, b"colr", video=True)
    if colr is None or len(colr) < 10 or colr[:4] not in (b"nclx", b"nclc"):
        return None
    primaries, transfer, matrix = struct.unpack_from(">HHH", colr, 4)
    full_range = bool(colr[10] & 0x80) if colr[:4] == b"nclx" and len(colr) > 10 else None
    return Colour(primaries, transfer, matrix, full_range)


def dolby_vision_profile(stsd: Buffer) -> int | None:
    """Return the profile in `dvcC` or `dvvC`, None for other video."""
    for kind in (b"dvcC", b"dvvC"):
        body = entry_box(stsd, kind, video=True)
        if body is not None and len(body) >= 4:
            return body[2] >> 1
    return None


def is_encrypted(stsd: Buffer, *, video: bool) -> bool:
    """Return whether the samples are encrypted (ISO/IEC 14496-12, 8.12)."""
    entry = first_entry(stsd, video=video)
    if entry.fourcc in ("encv", "enca", "drmi", "drms"):
        return True
    return _child(stsd, entry, b"sinf") is not None
