"""The stretch of an event that can be watched: parts in memory, older segments elsewhere.

The owner of an event and the edges that mirror it hold the same window.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from telecine.live.model import Beside, Ended, Init, Output, Part, Place, SegmentEnd, Targets

PARTS_KEPT_TARGETS = 3
"""Parts are named in playlists for so many target durations, and served for as long again."""

MEMORY_TARGETS = 2 * PARTS_KEPT_TARGETS + 0.5
"""How much of the newest media is held in memory, in target durations: whoever learns of a
part with the last playlist that names it has half of one longer."""

GONE_TARGETS = PARTS_KEPT_TARGETS
"""Segments that left the playlist are served for so many target durations: who has the longest
playlist that names one has its length, and that of the segment (RFC 8216bis, 6.2.2). So are
parts, where the window is shorter than they have to be there."""

MOST_SEGMENTS = 60_000
"""Of a window, whatever its length: twelve hours of one a second, and some more."""

MOST_INIT_BYTES = 16 << 20
"""Of the init segments of a window, of which an encoder can make one with each picture."""


@dataclass(slots=True)
class Segment:
    """One segment: complete once `ended`; `places` tells where it lies when memory lets go."""

    msn: int
    init: int
    discontinuity: bool
    received_ms: int
    parts: list[Part] = field(default_factory=list)
    duration_ms: int = 0
    ended: bool = False
    place: Place | None = None

    @property
    def data(self) -> bytes | None:
        """Return its bytes, None if they are no longer in memory."""
        return b"".join(part.data for part in self.parts) if self.parts else None


class Window:
    """The media of one rendition of one event. `length_ms`: how far viewers can go back.

    `session` is in the names of everything that is served from it. `mirrored`: another window
    has what this one lets go of. Waiters of a part share one future.
    """

    def __init__(self, session: str, length_ms: int, *, mirrored: bool = False) -> None:
        self._mirrored = mirrored
        self.session = session
        self.length_ms = length_ms
        self.segments: deque[Segment] = deque()
        self._gone: deque[Segment] = deque()  # are in no playlist any more, and served still
        self.inits: dict[int, Init] = {}
        self.targets: Targets | None = None
        self.ended = False
        self.discontinuities_gone = 0
        self.duration_ms = 0
        self.peak_bps = 0
        self.version = 0
        self._successor: Window | None = None
        self._waiters: dict[tuple[int, int], asyncio.Future[None]] = {}

    def sibling(self) -> "Window":
        """Return an empty window of another rendition, which begins behind what is here."""
        made = Window(self.session, self.length_ms)
        breaks = sum(segment.discontinuity for segment in self.segments)
        made.discontinuities_gone = self.discontinuities_gone + breaks
        made.targets = self.targets
        return made

    def take(self, output: Output) -> None:
        """Add what the packager made, and wake who waits for it."""
        self.version += 1
        if isinstance(output, Init):
            self.inits[output.number] = output
        elif isinstance(output, Part):
            self._take_part(output)
        elif isinstance(output, SegmentEnd):
            if not self.segments[-1].ended:
                self._take_end()
            while self.segments[0].msn < output.first:
                self._drop_first()
        elif isinstance(output, Targets):
            self.targets = output
        else:
            self._end(output)

    @property
    def playable(self) -> bool:
        """Tell whether there is a whole segment, before which no player should come."""
        return self.targets is not None and bool(self.segments) and self.segments[0].ended

    @property
    def edge(self) -> tuple[int, int]:
        """Return (msn, part) of the part that comes next."""
        if not self.segments:
            return 0, 0
        last = self.segments[-1]
        return (last.msn + 1, 0) if last.ended else (last.msn, len(last.parts))

    @property
    def beside(self) -> Sequence[Beside]:
        """Return how far the other renditions were when the newest part was made."""
        newest = self.segments[-1].parts[-1:] if self.segments else ()
        return newest[0].beside if newest else ()

    def segment(self, msn: int) -> Segment | None:
        """Return a segment that is to be served, None if it is not there."""
        for among in (self.segments, self._gone):
            index = msn - among[0].msn if among else -1
            if 0 <= index < len(among):
                return among[index]
        return None

    def part(self, msn: int, number: int) -> Part | None:
        """Return a part, None if it is not there or no longer."""
        found = self.segment(msn)
        return found.parts[number] if found and number < len(found.parts) else None

    def holds(self, msn: int, number: int | None) -> bool:
        """Tell whether a playlist with that segment, or that part of it, can be served."""
        next_msn, next_part = self.edge
        if number is None:
            return msn < next_msn
        return (msn, number) < (next_msn, next_part) or self.ended

    def wait(self, msn: int, number: int | None) -> asyncio.Future[None]:
        """Return the future of a part, or of a segment's end; it is shared, so shield it."""
        key = (msn, number) if number is not None else (msn + 1, -1)
        future = self._waiters.get(key)
        if future is None:
            future = self._waiters[key] = asyncio.get_running_loop().create_future()
        return future

    @property
    def newest(self) -> "Window":
        """Return the window that this one went over into, or this one."""
        found = self
        while found._successor is not None:
            found = found._successor
        return found

    def go_over(self, successor: "Window") -> None:
        """Leave those who wait to a window that goes on with the same session."""
        self._successor = successor
        self._wake((1 << 62, 0))

    def _take_part(self, part: Part) -> None:
        if not self.segments or self.segments[-1].msn != part.msn:
            fresh = Segment(part.msn, part.init, part.discontinuity, part.received_ms)
            self.segments.append(fresh)
        segment = self.segments[-1]
        segment.parts.append(part)
        segment.duration_ms += part.duration_ms
        self.duration_ms += part.duration_ms
        if part.ends:
            self._take_end()
        else:
            self._wake((part.msn, part.number))

    def _take_end(self) -> None:
        last = self.segments[-1]
        last.ended = True
        size = sum(len(part.data) for part in last.parts)
        self._note_rate(size, last.duration_ms)
        self._wake((last.msn + 1, -1))
        self._forget()

    def _note_rate(self, size_bytes: int, duration_ms: int) -> None:
        self.peak_bps = max(self.peak_bps, size_bytes * 8000 // max(1, duration_ms))

    def _end(self, _: Ended) -> None:
        self.ended = True
        self._wake((1 << 62, 0))

    def _wake(self, reached: tuple[int, int]) -> None:
        for key in [key for key in self._waiters if key <= reached]:
            future = self._waiters.pop(key)
            if not future.done():
                future.set_result(None)

    def _forget(self) -> None:
        """Let go of segments behind the window, and of bytes that lie elsewhere too."""
        target_ms = (self.targets.segment_s if self.targets else 2) * 1000
        longest_ms = max(self.length_ms, 4 * target_ms)
        total = sum(each.duration_ms for each in self.segments)
        while total - self.segments[0].duration_ms > longest_ms:
            total -= self._drop_first()
        while self._crowded:
            if not self._gone:
                self._drop_first()
            self._forget_oldest()
        age_ms, lost = 0, 0
        for segment in reversed(self.segments):
            if age_ms > MEMORY_TARGETS * target_ms:
                if not segment.parts:
                    break
                if self._mirrored or segment.place is not None:
                    segment.parts = []
                elif age_ms > 2 * MEMORY_TARGETS * target_ms:
                    lost = segment.msn + 1  # nobody records it: the window is shorter
                    break
            age_ms += segment.duration_ms
        while self.segments[0].msn < lost:
            self._drop_first()
        gone_ms = sum(each.duration_ms for each in self._gone)
        while self._gone and gone_ms - self._gone[0].duration_ms > GONE_TARGETS * target_ms:
            gone_ms -= self._forget_oldest()

    @property
    def _crowded(self) -> bool:
        """Tell whether an encoder begins anew so often that a window must be shorter for it."""
        init_bytes = sum(len(each.data) for each in self.inits.values())
        crowded = init_bytes > MOST_INIT_BYTES or len(self.segments) > MOST_SEGMENTS
        return crowded and len(self.segments) > 1

    def _drop_first(self) -> int:
        gone = self.segments.popleft()
        self.discontinuities_gone += gone.discontinuity
        self._gone.append(gone)
        return gone.duration_ms

    def _forget_oldest(self) -> int:
        """Serve no longer what left the playlist first."""
        forgotten = self._gone.popleft()
        first = (self._gone or self.segments)[0].init
        for number in [number for number in self.inits if number < first]:
            del self.inits[number]
        return forgotten.duration_ms

    def snapshot(self) -> Iterator[Output | Segment]:
        """Yield what makes an equal window, oldest first; old segments without bytes."""
        yield from self.inits.values()
        if self.targets is not None:
            yield self.targets
        for segment in self.segments:
            if segment.parts:
                yield from segment.parts
                if segment.ended:
                    yield SegmentEnd(segment.msn)
            else:
                yield segment
        if self.ended:
            yield Ended()

    def restore(self, segment: Segment) -> None:
        """Add an old segment that another window told of, or a file."""
        self.segments.append(segment)
        if segment.place is not None:
            self._note_rate(segment.place.size_bytes, segment.duration_ms)
        self.duration_ms += segment.duration_ms
        self.version += 1
