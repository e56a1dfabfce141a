"""The second generation of pings: `POST /watch`, batches of numbered events."""

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from telecine.domains.analytics import reports
from telecine.domains.analytics.reports import (
    NO_QUALITY,
    NOT_STARTED,
    Event,
    Quality,
    Report,
    Unreadable,
)
from telecine.domains.analytics.timeline import LONGEST_MS, Mark, spans_of
from telecine.pipeline.ladder import LADDER

LINK_MS = 10_000
"""A batch comes every 5 s while it plays; one may be lost."""

MAX_EVENTS = 100
"""Players send 20 at most."""

LOADED, PLAY, PAUSE, TIME, ERROR, END, SEEK, SOURCE = range(1, 9)
_STOPS = (PAUSE, ERROR, END)
_LATEST_MS = 1 << 43
"""Some time in the year 2248: what is later is no time."""


class _Sample(NamedTuple):
    at_ms: int
    kind: int
    position_s: float
    paused: bool
    from_s: float | None
    short_px: int


_AT = itemgetter(0)


def read(body: object, received_ms: int, session_id: str) -> Report:
    """Return what a batch says; `session_id` is the one that the API shows.

    Raises:
        Unreadable: it is no batch.
    """
    batch: dict[str, Any] = body if isinstance(body, dict) else {}
    sent_ms, given = batch.get("sat"), batch.get("eve")
    if type(sent_ms) is not int or not 0 < sent_ms < _LATEST_MS or not isinstance(given, list):
        raise Unreadable("not a batch")
    sid, pid, media_id = batch.get("sid"), batch.get("pid"), batch.get("mid")
    if not (reports.is_id(sid) and reports.is_id(pid) and reports.is_id(media_id)):
        raise Unreadable("no ids")
    told = batch.get("qoe")
    # The size of the picture only counts with the rest.
    samples = _samples(given[:MAX_EVENTS], sent_ms, sized=isinstance(told, dict))
    loaded_ms = next((each.at_ms for each in samples if each.kind == LOADED), None)
    return Report(
        generation=2,
        key=("2", sid, pid, media_id),
        session_id=session_id,
        media_id=media_id,
        media_type=None,
        skew_ms=received_ms - sent_ms,
        loaded_ms=samples[0].at_ms if samples else sent_ms,
        last_ms=samples[-1].at_ms if samples else sent_ms,
        link_ms=LINK_MS,
        impression_ms=loaded_ms,
        position_s=samples[-1].position_s if samples else None,
        events=tuple(_events(samples)),
        spans=tuple(spans_of(_marks(samples), LINK_MS)),
        referrer=reports.text(batch.get("ref"), reports.MAX_REFERRER_CHARS),
        labels=reports.labels(batch["meta"]) if batch.get("meta") else {},
        dropped=len(given) - len(samples),
        quality=_quality(told, samples),
    )


def ids_of(body: object) -> tuple[str, str]:
    """Return session and media of a batch as its player named them, "" where it did not."""
    found = [body.get(name) for name in ("sid", "mid")] if isinstance(body, dict) else ["", ""]
    sid, mid = (each if isinstance(each, str) else "" for each in found)
    return sid, mid


def _samples(given: Iterable[Any], sent_ms: int, *, sized: bool) -> list[_Sample]:
    """Return what can be read, in the order of time."""
    found = []
    oldest_ms = sent_ms - LONGEST_MS
    for each in given:
        if not isinstance(each, dict):
            continue
        at_ms, kind = each.get("eat"), each.get("typ")
        if type(at_ms) is not int or type(kind) is not int:
            continue
        position = reports.position_s(each.get("vti", 0))
        if LOADED <= kind <= SOURCE and oldest_ms <= at_ms <= sent_ms and position is not None:
            origin = reports.position_s(each["fro"]) if "fro" in each else None
            short_px = 0
            if sized:
                short_px = min(reports.count(each.get("vwi")), reports.count(each.get("vhe")))
            paused = each.get("pau") is True
            found.append(_Sample(at_ms, kind, position, paused, origin, short_px))
    found.sort(key=_AT)
    return found


def _quality(given: object, samples: Sequence[_Sample]) -> Quality:
    """Return what our own player counts; others tell of errors alone."""
    if not isinstance(given, dict):
        errors = sum(each.kind == ERROR for each in samples)
        return Quality(error_count=errors) if errors else NO_QUALITY
    sizes_px = [each.short_px for each in samples if each.short_px]
    startup_ms = reports.duration_ms(given.get("st"))
    return Quality(
        startup_ms=NOT_STARTED if startup_ms is None else startup_ms,
        stall_count=reports.count(given.get("sc")),
        stall_ms=reports.duration_ms(given.get("sd")) or 0,
        switch_count=reports.count(given.get("sw")),
        error_count=reports.count(given.get("er")),
        bitrate_kbps=reports.count(given.get("br")) or None,
        rendition=_rendition(sizes_px[-1]) if sizes_px else None,
    )


def _rendition(short_px: int) -> str:
    """Return the name that a picture of this size has in the API: that of the rung below."""
    fitting = [each.short_side_px for each in LADDER if each.short_side_px <= short_px]
    return f"{max(fitting, default=LADDER[0].short_side_px)}p"


_NAMES = {LOADED: "ready", PLAY: "play", PAUSE: "pause", END: "end"}


def _events(samples: Iterable[_Sample]) -> Iterable[Event]:
    """Yield what viewers did. Where a seek came from is told by what was before it."""
    before_s: float | None = None
    for each in samples:
        if each.kind in _NAMES:
            yield Event(_NAMES[each.kind], each.at_ms, each.position_s)
        elif each.kind == SEEK:
            origin_s = before_s if each.from_s is None else each.from_s
            yield Event("seek", each.at_ms, each.position_s, origin_s)
        before_s = each.position_s


def _marks(samples: Iterable[_Sample]) -> Iterable[tuple[int, Mark]]:
    for each in samples:
        if each.kind in _STOPS:
            yield each.at_ms, Mark.STOP
        elif each.kind == PLAY:
            yield each.at_ms, Mark.GO
        elif each.kind in (TIME, SEEK):
            yield each.at_ms, Mark.STOP if each.paused else Mark.PLAYING
