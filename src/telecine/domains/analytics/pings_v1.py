"""The first generation of pings: `POST /vod` and `/live`, one session in each."""

from datetime import UTC, datetime
from typing import Any

from telecine.domains.analytics import reports
from telecine.domains.analytics.reports import Event, Report, Unreadable
from telecine.domains.analytics.timeline import LONGEST_MS, Mark, spans_of

LINK_MS = 20_000
"""A ping comes every 10 s while it plays; one may be lost."""

MAX_EVENTS = 500

_LONGEST_OPEN_MS = 30 * LONGEST_MS
"""No page is open for longer; else its clock was set, or it lies."""

_MARKS = {"play": Mark.GO, "resume": Mark.GO, "pause": Mark.STOP, "end": Mark.STOP}
_SEEKS = ("seek.forward", "seek.backward")
_TYPES = {"ready", *_MARKS, *_SEEKS}


def read(body: object, media_type: str, received_ms: int, fresh_session: str) -> Report:
    """Return what a ping says. `fresh_session` is for a player that has none yet.

    Raises:
        Unreadable: it is no ping.
    """
    match body:
        case {"emitted_at": sent, "session": dict(session), "events": list(events)}:
            pass
        case _:
            raise Unreadable("not a ping")
    media_id = session.get("video_id" if media_type == reports.VIDEO else "live_stream_id")
    session_id = session.get("session_id") or fresh_session
    if not (reports.is_id(media_id) and reports.is_id(session_id)):
        raise Unreadable("no media, or no session")
    sent_ms, loaded_ms = time_ms(sent), time_ms(session.get("loaded_at"))
    if sent_ms is None or loaded_ms is None:
        raise Unreadable("no times")
    found = [_event(each, sent_ms, loaded_ms) for each in events[:MAX_EVENTS]]
    known = sorted((each for each in found if each is not None), key=lambda each: each.at_ms)
    ready = [each.at_ms for each in known if each.type == "ready"]
    return Report(
        generation=1,
        # A page loaded again in the same tab keeps its session, but was loaded at another time.
        key=("1", session_id, media_id, str(loaded_ms)),
        session_id=session_id,
        media_id=media_id,
        media_type=media_type,
        skew_ms=received_ms - sent_ms,
        loaded_ms=max(min(loaded_ms, sent_ms), sent_ms - _LONGEST_OPEN_MS),
        last_ms=sent_ms,
        link_ms=LINK_MS,
        impression_ms=min(ready, default=None),
        position_s=known[-1].at_s if known else None,
        events=tuple(known),
        spans=tuple(spans_of(_marks(known, sent_ms), LINK_MS)),
        referrer=reports.text(session.get("referrer"), reports.MAX_REFERRER_CHARS),
        labels=reports.labels(session.get("metadata") or []),
        dropped=len(events) - len(known),
    )


def time_ms(value: object) -> int | None:
    """Return an ISO 8601 time as milliseconds since 1970, None if it is none."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return round(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def _event(given: Any, sent_ms: int, loaded_ms: int) -> Event | None:  # noqa: ANN401  (any JSON)
    if not isinstance(given, dict) or given.get("type") not in _TYPES:
        return None
    emitted_ms = time_ms(given.get("emitted_at"))
    if emitted_ms is None or not 0 <= sent_ms - emitted_ms <= LONGEST_MS:
        return None
    kind: str = given["type"]
    if kind in _SEEKS:
        origin, target = (reports.position_s(given.get(name)) for name in ("from", "to"))
        return None if origin is None or target is None else Event(kind, emitted_ms, target, origin)
    at_s = reports.position_s(given.get("at", 0))
    # Early versions for iOS stamp what is no seek with the time of loading.
    stamp = sent_ms if emitted_ms == loaded_ms and kind != "ready" else emitted_ms
    return None if at_s is None else Event(kind, stamp, at_s)


def _marks(events: list[Event], sent_ms: int) -> list[tuple[int, Mark]]:
    """Tell what a ping says about playing: players send none by themselves while paused."""
    marks = [(each.at_ms, _MARKS[each.type]) for each in events if each.type in _MARKS]
    only_ready = bool(events) and all(each.type == "ready" for each in events)
    plays = marks[-1][1] is Mark.GO if marks else not only_ready
    return [*marks, (sent_ms, Mark.PLAYING)] if plays else marks
