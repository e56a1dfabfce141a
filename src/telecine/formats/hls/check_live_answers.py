"""Checks what a server of live playlists answers with against what it was asked, and had said.

Rules of RFC 8216bis, 6.2.2 and 6.2.5. Each check returns sentences, an empty list where all
is well.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from telecine.formats.errors import FormatError
from telecine.formats.hls.check_live import Live, read_live

KEPT_TARGETS = 3
"""For so many target durations a part is served that playlists name no more (6.2.2)."""


def check_reload(text: str, msn: int, part: int | None = None) -> list[str]:
    """Check the answer to a request with `_HLS_msn`, and perhaps `_HLS_part` (6.2.5.2)."""
    try:
        live = read_live(text)
    except FormatError as error:
        return [str(error)]
    if live.ended:
        return []  # directives mean nothing any more
    if not live.segments:
        return ["no segments"]
    if part is None:
        whole = [number for number, each in live.numbered.items() if each.uri is not None]
        newest = max(whole, default=-1)
        return [] if newest >= msn else [f"segment {msn} was asked for, {newest} is the last one"]
    # A part behind the last one of its segment is the first one of the next (6.2.5.2).
    if live.edge >= (msn, part):
        return []
    return [f"part {msn}.{part} was asked for, {live.edge[0]}.{live.edge[1]} is the last one"]


def apply_delta(before: Live, delta: Live) -> Live:
    """Return the whole playlist that a player puts together (6.2.5.1).

    Raises:
        FormatError: it does not have what the delta leaves out.
    """
    had, first = before.numbered, delta.sequence
    left_out = range(first, first + delta.skipped)
    missing = [number for number in left_out if number not in had or had[number].uri is None]
    if missing:
        raise FormatError(f"segment {missing[0]} is left out, and was not there before")
    # Parts are named near the end only, and what is left out is further from there.
    kept = [replace(had[number], parts=[], late=[]) for number in left_out]
    map_uri = kept[-1].mapped if kept else None
    segments = list(kept)
    for each in delta.segments:
        map_uri = each.mapped or map_uri
        segments.append(replace(each, mapped=map_uri))
    single = {name: value for name, value in delta.single.items() if name != "EXT-X-SKIP"}
    return replace(delta, single=single, segments=segments, skipped=0)


def check_applied(applied: Live, whole: Live) -> list[str]:
    """Check what a player has put together against the whole playlist of the same time."""
    said = [
        f"{name} is {applied.single.get(name)} with deltas, and {whole.single.get(name)} without"
        for name in sorted(applied.single.keys() | whole.single.keys())
        if applied.single.get(name) != whole.single.get(name)
    ]
    ours, theirs = applied.numbered, whole.numbered
    said += [
        f"segment {number} is {ours.get(number)} with deltas, and {theirs.get(number)} without"
        for number in sorted(ours.keys() | theirs.keys())
        if ours.get(number) != theirs.get(number)
    ]
    if applied.hints != whole.hints:
        said.append(f"{applied.hints} are the hints with deltas, and {whole.hints} without")
    return said


def check_delta(before: str, delta: str, whole: str) -> list[str]:
    """Check that a delta on top of an earlier playlist is the whole one of the same time."""
    try:
        applied = apply_delta(read_live(before), read_live(delta))
        return check_applied(applied, read_live(whole))
    except FormatError as error:
        return [str(error)]


@dataclass(slots=True)
class _Left:
    """A segment: where it ends, and how long the longest playlist was that it was in."""

    end: Decimal
    duration: Decimal
    longest: Decimal = Decimal(0)


class Owed:
    """What a server still has to serve, by the playlists of one rendition (6.2.2).

    Times are those of the media: nothing becomes older while no media comes.
    """

    def __init__(self) -> None:
        self._begins: dict[int, Decimal] = {}  # of segments, by their numbers
        self._named: set[str] = set()
        self._parts: dict[str, Decimal] = {}  # where the last playlist ended that named them
        self._segments: dict[str, _Left] = {}
        self._end = self._kept = Decimal(0)

    def see(self, text: str) -> None:
        """Take the next playlist. Raises FormatError."""
        live = read_live(text)
        before_end, self._end = self._end, self._end_of(live)
        self._kept = KEPT_TARGETS * live.target
        named = {part.uri for segment in live.segments for part in segment.parts}
        for uri in self._named - named:
            self._parts[uri] = before_end
        self._named = named
        length = Decimal(0) if live.skipped else self._end - self._begins[live.sequence]
        for number, segment in live.numbered.items():
            if segment.uri is not None:
                end = self._begins[number] + segment.duration
                known = self._segments.setdefault(segment.uri, _Left(end, segment.duration))
                known.longest = max(known.longest, length)

    @property
    def owed(self) -> set[str]:
        """Return the URIs that must be there: named, or gone from playlists not long ago."""
        return self._named | self.late | {*self._segments_owed()}

    @property
    def late(self) -> set[str]:
        """Return the URIs of parts that must be there though the playlist names them no more."""
        late = {uri for uri, left in self._parts.items() if self._end - left <= self._kept}
        return late - self._named

    def check(self, refused: Collection[str]) -> list[str]:
        """Check what a server did not serve before it sent the playlist seen last."""
        return [f"{uri} must still be there" for uri in sorted(self.owed & {*refused})]

    def _segments_owed(self) -> Iterator[str]:
        """Yield those whose Availability Duration is not over since they appeared."""
        for uri, found in self._segments.items():
            if self._end - found.end < found.duration + found.longest:
                yield uri

    def _end_of(self, live: Live) -> Decimal:
        begins, at = self._begins, None
        for number, segment in live.numbered.items():
            if at is None:
                at = begins.get(number)
                if at is None:  # the first playlist, or nothing is left of the one before
                    begins.clear()
                    self._segments.clear()
                    self._named, self._parts, at = set(), {}, self._end
            begins[number] = at
            at += segment.duration or sum((part.duration for part in segment.parts), Decimal(0))
        for number in [number for number in begins if number < live.sequence]:
            del begins[number]
        return self._end if at is None else at
