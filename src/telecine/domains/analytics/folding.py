"""How a ping changes what is known of a playback (pure)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from telecine.domains.analytics.reports import NO_QUALITY, Event, Quality, Report
from telecine.domains.analytics.requests import Heard
from telecine.domains.analytics.timeline import Span, joined, settled, watched_ms

MAX_EVENTS = 500
"""Events of one playback that are kept; watch time is counted all the same."""

MAX_SPANS = 2000

LONGEST_LOAD_MS = 3_600_000
"""Whoever has waited longer for a picture has not waited."""

CLOCK_SET_MS = 600_000
"""A clock that differs by more from what it was has been set anew in the meantime."""


@dataclass(slots=True, kw_only=True)
class Playback:
    """What is known of a playback. All `_ms` are by the player's clock but `skew_ms`."""

    skew_ms: int
    loaded_ms: int
    last_ms: int
    impression_ms: int | None = None
    started_ms: int | None = None
    ended_ms: int | None = None
    load_ms: int | None = None
    position_s: float | None = None
    event_count: int = 0
    spans: tuple[Span, ...] = ()
    quality: Quality = NO_QUALITY
    heard: Heard | None = None


@dataclass(frozen=True, slots=True)
class Folded:
    """A playback after a ping, the events to keep, and when it was watched by our clock."""

    playback: Playback
    events: tuple[Event, ...]
    watched: tuple[Span, ...]
    watched_ms: int
    starts: bool
    link_ms: int


def new(report: Report) -> Playback:
    """Return a playback of which nothing is known but that it is there."""
    return Playback(skew_ms=report.skew_ms, loaded_ms=report.loaded_ms, last_ms=report.last_ms)


def fold(playback: Playback, reports: Sequence[Report]) -> Folded:
    """Add what pings tell, in whatever order they come; `starts`: it starts with these."""
    if reports[0].samples:
        return _fold_requests(playback, reports)
    before = playback
    kept: list[Event] = []
    for given in reports:
        report = _in_time_of(playback, given)
        left = max(0, MAX_EVENTS - playback.event_count)
        events = [
            _with_origin(each, playback) if each.type == "seek" else each
            for each in report.events[:left]
        ]
        kept += events
        playback = _add(playback, report, len(events))
    spans = joined(playback.spans, reports[-1].link_ms)
    watched = [
        Span(each.start_ms + before.skew_ms, each.end_ms + before.skew_ms, each.begins, each.ends)
        for each in spans
    ]
    starts = before.started_ms is None and playback.started_ms is not None
    return Folded(
        playback, tuple(kept), tuple(watched), watched_ms(spans), starts, reports[-1].link_ms
    )


def _fold_requests(playback: Playback, reports: Sequence[Report]) -> Folded:
    """Add what a player tells with its requests for media; that is by our own clock."""
    samples = [sample for report in reports for sample in report.samples]
    heard = (playback.heard or Heard()).after(samples)
    tally = heard.tally()
    known = replace(
        playback,
        loaded_ms=min(playback.loaded_ms, *(each.loaded_ms for each in reports)),
        last_ms=max(playback.last_ms, *(each.last_ms for each in reports)),
        started_ms=tally.main.asked_ms,
        quality=tally.quality(),
        heard=heard,
    )
    return Folded(known, (), (), tally.watched_ms(), starts=False, link_ms=0)


def _in_time_of(playback: Playback, report: Report) -> Report:
    """Return a ping by the clock as it was when the playback began.

    Small differences are those of the network: a ping that comes twice must stay the same.
    """
    by_ms = report.skew_ms - playback.skew_ms
    if abs(by_ms) <= CLOCK_SET_MS:
        return report

    def moved(at_ms: int | None) -> int | None:
        return None if at_ms is None else at_ms + by_ms

    return replace(
        report,
        loaded_ms=report.loaded_ms + by_ms,
        last_ms=report.last_ms + by_ms,
        impression_ms=moved(report.impression_ms),
        events=tuple(each._replace(at_ms=each.at_ms + by_ms) for each in report.events),
        spans=tuple(
            each._replace(start_ms=each.start_ms + by_ms, end_ms=each.end_ms + by_ms)
            for each in report.spans
        ),
    )


def _add(playback: Playback, report: Report, event_count: int) -> Playback:
    newer = report.last_ms >= playback.last_ms
    plays = [each.at_ms for each in report.events if each.type in ("play", "resume")]
    ends = [each.at_ms for each in report.events if each.type == "end"]
    loaded_ms = min(playback.loaded_ms, report.loaded_ms)
    impression_ms = _either(min, playback.impression_ms, report.impression_ms)
    spans = settled([*playback.spans, *report.spans], report.link_ms)
    return replace(
        playback,
        loaded_ms=loaded_ms,
        last_ms=max(playback.last_ms, report.last_ms),
        impression_ms=impression_ms,
        started_ms=_either(min, playback.started_ms, min(plays, default=None)),
        ended_ms=_either(min, playback.ended_ms, min(ends, default=None)),
        load_ms=_load_ms(report, loaded_ms, impression_ms) or playback.load_ms,
        position_s=report.position_s if newer and report.position_s else playback.position_s,
        event_count=playback.event_count + event_count,
        spans=tuple(spans[-MAX_SPANS:]),
        quality=_more(playback.quality, report.quality, newer=newer),
    )


def _more(known: Quality, told: Quality, *, newer: bool) -> Quality:
    """Return the larger numbers: what is counted does not become less."""
    if told == NO_QUALITY:
        return known
    return Quality(
        startup_ms=_either(max, known.startup_ms, told.startup_ms),
        stall_count=max(known.stall_count, told.stall_count),
        stall_ms=max(known.stall_ms, told.stall_ms),
        switch_count=max(known.switch_count, told.switch_count),
        error_count=max(known.error_count, told.error_count),
        bitrate_kbps=told.bitrate_kbps or known.bitrate_kbps if newer else known.bitrate_kbps,
        rendition=told.rendition or known.rendition if newer else known.rendition,
    )


def _load_ms(report: Report, loaded_ms: int, impression_ms: int | None) -> int | None:
    """Return how long the first picture took, of players that tell when they began."""
    if report.generation == 1 or impression_ms is None:
        return None
    took_ms = impression_ms - loaded_ms
    return took_ms if 0 < took_ms <= LONGEST_LOAD_MS else None


def _either(pick: Callable[[int, int], int], left: int | None, right: int | None) -> int | None:
    if left is None or right is None:
        return right if left is None else left
    return pick(left, right)


def _with_origin(event: Event, playback: Playback) -> Event:
    """Name the direction of a seek; one at the head of a batch starts where the last ended."""
    origin_s = playback.position_s if event.from_s is None else event.from_s
    origin_s = event.at_s if origin_s is None else origin_s
    kind = "seek.forward" if event.at_s >= origin_s else "seek.backward"
    return Event(kind, event.at_ms, event.at_s, origin_s)  # a third of what `_replace` takes
