"""The second generation of pings: `POST /watch`, batches of numbered events."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from telecine.domains.analytics import reports
from telecine.domains.analytics.reports import Event, Report, Unreadable
from telecine.domains.analytics.timeline import LONGEST_MS, Mark, spans_of

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


def read(body: object, received_ms: int, session_id: str) -> Report:
    """Return what a batch says; `session_id` is the one that the API shows.

    Raises:
        Unreadable: it is no batch.
    """
    batch: dict[str, Any] = body if isinstance(body, dict) else {}
    match batch:
        case {"sat": int(sent_ms), "sid": str(sid), "pid": str(pid), "mid": str(media_id)}:
            pass
        case _:
            raise Unreadable("not a batch")
    given = batch.get("eve")
    if not isinstance(given, list) or not 0 < sent_ms < _LATEST_MS:
        raise Unreadable("not a batch")
    if not all(map(reports.is_id, (sid, pid, media_id))):
        raise Unreadable("no ids")
    samples = [_sample(each, sent_ms) for each in given[:MAX_EVENTS]]
    known = sorted((each for each in samples if each is not None), key=lambda each: each.at_ms)
    loaded = [each.at_ms for each in known if each.kind == LOADED]
    return Report(
        generation=2,
        key=("2", sid, pid, media_id),
        session_id=session_id,
        media_id=media_id,
        media_type=None,
        skew_ms=received_ms - sent_ms,
        loaded_ms=min((each.at_ms for each in known), default=sent_ms),
        last_ms=max((each.at_ms for each in known), default=sent_ms),
        link_ms=LINK_MS,
        impression_ms=min(loaded, default=None),
        position_s=known[-1].position_s if known else None,
        events=tuple(_events(known)),
        spans=tuple(spans_of(_marks(known), LINK_MS)),
        referrer=reports.text(batch.get("ref"), reports.MAX_REFERRER_CHARS),
        labels=reports.labels(batch.get("meta") or {}),
        dropped=len(given) - len(known),
    )


def ids_of(body: object) -> tuple[str, str]:
    """Return session and media of a batch as its player named them, "" where it did not."""
    found = [body.get(name) for name in ("sid", "mid")] if isinstance(body, dict) else ["", ""]
    sid, mid = (each if isinstance(each, str) else "" for each in found)
    return sid, mid


def _sample(given: Any, sent_ms: int) -> _Sample | None:  # noqa: ANN401  (any JSON)
    match given:
        case {"eat": int(at_ms), "typ": int(kind)} if LOADED <= kind <= SOURCE:
            pass
        case _:
            return None
    position = reports.position_s(given.get("vti", 0))
    if position is None or not 0 <= sent_ms - at_ms <= LONGEST_MS:
        return None
    return _Sample(
        at_ms, kind, position, given.get("pau") is True, reports.position_s(given.get("fro"))
    )


def _events(samples: Iterable[_Sample]) -> Iterable[Event]:
    """Yield what viewers did. Where a seek came from is told by what was before it."""
    names = {LOADED: "ready", PLAY: "play", PAUSE: "pause", END: "end"}
    before_s: float | None = None
    for each in samples:
        if each.kind in names:
            yield Event(names[each.kind], each.at_ms, each.position_s)
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
