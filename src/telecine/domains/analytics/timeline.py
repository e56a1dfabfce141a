"""When a viewer was watching, from pings that come late, twice, or not at all (pure).

Times are milliseconds of the player's clock. A ping says of some moments that the video
played; between two of them it played too if they are near each other and neither of the
two was the end or the beginning of playing. That is decided anew with every ping as long
as pings may still overtake each other, so their order does not matter.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

SETTLED_AFTER_MS = 120_000
"""Moments that are older than this, seen from the newest, are joined for good."""

LONGEST_MS = 24 * 3600 * 1000
"""More than this of one playback is not told apart any further."""


class Mark(IntEnum):
    """What a ping says of a moment."""

    PLAYING = 0
    GO = 1
    STOP = 2


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of playing. `begins`: it did not play before; `ends`: not after it."""

    start_ms: int
    end_ms: int
    begins: bool = False
    ends: bool = False


def spans_of(marks: Iterable[tuple[int, Mark]], link_ms: int) -> list[Span]:
    """Return the spans that one ping tells of; `marks` ascend.

    `link_ms` is how far moments may be apart: two times the interval of the pings.
    """
    spans: list[Span] = []
    current: Span | None = None
    stopped = False
    for at_ms, mark in marks:
        if current is not None and at_ms - current.end_ms > link_ms:
            spans.append(current)
            current = None
        if mark is Mark.STOP:
            if current is not None or not stopped:
                start = current or Span(at_ms, at_ms)
                spans.append(replace(start, end_ms=at_ms, ends=True))
            current, stopped = None, True
        elif current is not None:
            current = replace(current, end_ms=at_ms)
        else:
            current = Span(at_ms, at_ms, begins=mark is Mark.GO)
    return [*spans, *([] if current is None else [current])]


def joined(spans: Iterable[Span], link_ms: int) -> list[Span]:
    """Return spans without overlaps; those near each other are one (`link_ms` 0: none)."""
    found: list[Span] = []
    # Of two that begin together the longer one comes last: it has the say about the end.
    for span in sorted(spans, key=lambda each: (each.start_ms, each.end_ms)):
        last = found[-1] if found else None
        if last is None or not _joins(last, span, link_ms):
            found.append(span)
        elif span.end_ms > last.end_ms:
            begins = last.begins or (span.begins and span.start_ms == last.start_ms)
            found[-1] = replace(last, end_ms=span.end_ms, ends=span.ends, begins=begins)
        elif span.end_ms == last.end_ms:
            found[-1] = replace(last, ends=last.ends or span.ends)
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
