"""Edit lists (ISO/IEC 14496-12, 8.6.6) as far as they are a plain shift."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from telecine.formats.mp4.boxes import Box, Buffer, FormatError, find, read

MAX_EDITS = 1000
NORMAL_RATE = 0x10000
EMPTY = -1


@dataclass(frozen=True, slots=True)
class Edit:
    """One line of `elst`: `duration_ticks` of the movie, `media_ticks` of the track."""

    duration_ticks: int
    media_ticks: int
    rate: int


@dataclass(frozen=True, slots=True)
class Presentation:
    """How media times become presentation times, in ticks of the track.

    Add `shift_ticks`; what starts at `end_ticks` or later is not shown (None: all
    is). `obstacle` says why the list is more than that, None if it is not; `rearranged`:
    so much more that these times are not those of what is shown.
    """

    shift_ticks: int = 0
    end_ticks: int | None = None
    obstacle: str | None = None
    rearranged: bool = False


def read_edits(data: Buffer, trak: Box) -> list[Edit]:
    """Return the edits of a track. Raises FormatError, also above 1,000 of them."""
    elst = find(data, [b"edts", b"elst"], trak.body, trak.end)
    if elst is None:
        return []
    flags, count = read("II", data, elst.body, elst.end)
    if count > MAX_EDITS:
        raise FormatError(f"{count} edits")
    layout, width = ("QqI", 20) if flags >> 24 else ("IiI", 12)
    rows = (read(layout, data, elst.body + 8 + width * n, elst.end) for n in range(count))
    return [Edit(*row) for row in rows]


def presentation(edits: Sequence[Edit], movie_timescale: int, timescale: int) -> Presentation:
    """Sum up an edit list: at most one pause, then one stretch at normal speed."""

    def in_track(ticks: int) -> int:
        return round(Fraction(ticks * timescale, movie_timescale))

    pauses = 0
    while pauses < len(edits) and edits[pauses].media_ticks == EMPTY:
        pauses += 1
    played = edits[pauses:]
    pause = in_track(sum(edit.duration_ticks for edit in edits[:pauses]))
    if not played:
        return Presentation(pause, None, "the edit list shows nothing" if edits else None)
    first = played[0]
    obstacle: str | None = None
    if len(played) > 1:
        obstacle = f"{len(played)} edits"
    elif pauses > 1:
        obstacle = f"{pauses} pauses in the edit list"
    elif first.media_ticks < 0:
        obstacle = "an edit before the start of the media"
    elif first.rate != NORMAL_RATE:
        obstacle = f"an edit at {first.rate / NORMAL_RATE:g} times the speed"
    if max(abs(pause), abs(first.media_ticks)) >= 1 << 61:
        raise FormatError("an edit list beyond all times")
    # A duration of 0 means all that comes (fragmented files).
    end = pause + in_track(first.duration_ticks) if first.duration_ticks else None
    rearranged = len(played) > 1 or first.rate != NORMAL_RATE
    return Presentation(pause - first.media_ticks, end, obstacle, rearranged)
