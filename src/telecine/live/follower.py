"""Cuts a rendition where the source's packager has cut: same segments, same numbers."""

from collections import deque
from collections.abc import Sequence

from telecine.formats.flv.packets import Coded, Packet
from telecine.live.model import Boundary, Output, Targets
from telecine.live.packager import Packager

_NEVER_MS = 1 << 40
_ROUNDING_MS = 1
_ROUNDED_MS = 100  # half a second more than the target is not more than it (4.4.3.1)


class Follower(Packager):
    """A packager of what was made of the source's pictures, on the same timeline.

    Boundaries must be told before the pictures behind them come. It begins with the first
    key frame at one of them, at most `late_ms` behind. `aligned` is false once a segment
    began without one that should have; `fits` once nothing came for a whole one, or more
    than it may hold: players count segments, and believe what is promised of them.
    """

    def __init__(self, part_ms: int, late_ms: int = _ROUNDING_MS) -> None:
        super().__init__(part_ms)
        self._late_ms = late_ms
        self._boundaries: deque[Boundary] = deque()
        self.aligned = self.fits = True

    def follow(self, boundary: Boundary) -> None:
        """Learn where a segment begins."""
        self._boundaries.append(boundary)

    @property
    def behind(self) -> bool:
        """Tell whether nothing came yet of the newest segment that was told."""
        return self._sequence > 0 and bool(self._boundaries)

    def adopt(self, targets: Targets) -> None:
        """Promise what the source promises."""
        self._targets = targets

    def push(self, time_ms: int, packet: Packet, received_ms: int) -> Sequence[Output]:
        """Take a packet; return what it completes. Raises FormatError."""
        if isinstance(packet, Coded):
            shown_ms = time_ms + packet.offset_ms
            if packet.video and packet.key:
                self._measure(packet)  # which may be a break
            if not self._running:
                if not self._may_begin(shown_ms, packet):
                    return ()
            elif packet.video and self._reached(shown_ms) and self._boundaries[0].discontinuity:
                self._break()
        return super().push(time_ms, packet, received_ms)

    def _may_begin(self, shown_ms: int, packet: Coded) -> bool:
        self._skip_to(shown_ms)
        if not self._reached(shown_ms):
            return False
        late = shown_ms > self._boundaries[0].shown_ms + self._late_ms
        misplaced = packet.video and packet.key and late
        self.aligned &= not (misplaced and self._boundaries[0].key)
        return not misplaced

    def _reached(self, shown_ms: int) -> bool:
        found = self._boundaries
        return bool(found) and shown_ms >= found[0].shown_ms - _ROUNDING_MS

    def _skip_to(self, shown_ms: int) -> None:
        found = self._boundaries
        while len(found) > 1 and found[1].shown_ms <= shown_ms + _ROUNDING_MS:
            found.popleft()

    def _cuts_before(self, shown_ms: int, key: bool, next_ms: int) -> bool:
        del next_ms
        cuts = self._reached(shown_ms)
        self.aligned &= not cuts or key or not self._boundaries[0].key
        return cuts

    def _start(self, time_ms: int, packet: Coded, received_ms: int) -> None:
        # Matching content has matching timestamps in all renditions (RFC 8216bis, 6.2.4).
        self._end_ms = max(self._end_ms, self._boundaries[0].at_ms)
        super()._start(time_ms, packet, received_ms)

    def _longest_segment_ms(self) -> int:
        return _NEVER_MS  # it is cut where the source is, and fits or does not

    def _advance(self, length_ms: int) -> None:
        super()._advance(length_ms)
        self.fits &= self._segment_ms < super()._longest_segment_ms() + _ROUNDED_MS

    def _begin_segment(self, shown_ms: int, key: bool) -> None:
        self._skip_to(shown_ms)
        if self._boundaries:
            boundary = self._boundaries.popleft()
            self.fits &= not self._sequence or boundary.msn == self._msn
            self._msn, self._received_ms = boundary.msn, boundary.received_ms
            self._discontinuity = boundary.discontinuity
        super()._begin_segment(shown_ms, key)
