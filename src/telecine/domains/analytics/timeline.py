"""When a viewer was watching, from pings that come late, twice, or not at all (pure).

Times are milliseconds of the player's clock. A ping says of some moments that the video
played; between two of them it played too if they are near each other and neither of the
two was the end or the beginning of playing. That is decided anew with every ping as long
as pings may still overtake each other, so their order does not matter.
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from operator import itemgetter
from typing import NamedTuple

SETTLED_AFTER_MS = 120_000
"""Moments that are older than this, seen from the newest, are joined for good."""

LONGEST_MS = 24 * 3600 * 1000
"""More than this of one playback is not told apart any further."""


class Mark(IntEnum):
    """What a ping says of a moment."""

    PLAYING = 0
    GO = 1
    STOP = 2


class Span(NamedTuple):
    """A stretch of playing. `begins`: it did not play before; `ends`: not after it."""

    start_ms: int
    end_ms: int
    begins: bool = False
    ends: bool = False


_BY_TIME = itemgetter(0, 1)


def spans_of(marks: Iterable[tuple[int, Mark]], link_ms: int) -> list[Span]:
    """Return the spans that one ping tells of; `marks` ascend.

    `link_ms` is how far moments may be apart: two times the interval of the pings.
    """
    spans: list[Span] = []
    # Of the span that is not over yet; without one, `start_ms` is None.
    start_ms: int | None = None
    end_ms = 0
    begins = stopped = False
    for at_ms, mark in marks:
        if start_ms is not None and at_ms - end_ms > link_ms:
            spans.append(Span(start_ms, end_ms, begins))
            start_ms = None
        if mark is Mark.STOP:
            if start_ms is not None:
                spans.append(Span(start_ms, at_ms, begins, ends=True))
            elif not stopped:
                spans.append(Span(at_ms, at_ms, ends=True))
            start_ms, stopped = None, True
        elif start_ms is not None:
            end_ms = at_ms
        else:
            start_ms, end_ms, begins = at_ms, at_ms, mark is Mark.GO
    return [*spans, *([] if start_ms is None else [Span(start_ms, end_ms, begins)])]


def joined(spans: Iterable[Span], link_ms: int) -> list[Span]:
    """Return spans without overlaps; those near each other are one (`link_ms` 0: none)."""
    found: list[Span] = []
    # Of two that begin together the longer one comes last: it has the say about the end.
    for span in sorted(spans, key=_BY_TIME):
        last = found[-1] if found else None
        if last is None or not _joins(last, span, link_ms):
            found.append(span)
        elif span.end_ms > last.end_ms:
            begins = last.begins or (span.begins and span.start_ms == last.start_ms)
            found[-1] = Span(last.start_ms, span.end_ms, begins, span.ends)
        elif span.end_ms == last.end_ms:
            found[-1] = Span(last.start_ms, last.end_ms, last.begins, last.ends or span.ends)
    return found


def _joins(left: Span, right: Span, link_ms: int) -> bool:
    if right.start_ms <= left.end_ms:
        return True
    return not left.ends and not right.begins and right.start_ms - left.end_ms <= link_ms


def settled(spans: Sequence[Span], link_ms: int) -> list[Span]:
    """Return spans with those of long ago joined: pings overtake each other no more."""
    if not spans:
        return []
    before_ms = max(span.end_ms for span in spans) - SETTLED_AFTER_MS
    old = [span for span in spans if span.end_ms < before_ms]
    young = [span for span in spans if span.end_ms >= before_ms]
    # What has no length and leads nowhere are samples of a paused video.
    kept = [span for span in joined(old, link_ms) if span.start_ms < span.end_ms or not span.ends]
    return joined([*kept, *young], 0)


def watched_ms(spans: Iterable[Span]) -> int:
    """Return how long joined spans are together."""
    return sum(span.end_ms - span.start_ms for span in spans)
