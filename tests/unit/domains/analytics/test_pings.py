import contextlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.domains.analytics import folding, pings_v1, pings_v2
from telecine.domains.analytics.reports import VIDEO, Event, Report, Unreadable

SENT_MS = 1_800_000_000_000
SKEW_MS = 3_600_000


def iso(ms: int) -> str:
    text = datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def first(events: list[dict[str, Any]], **session: Any) -> dict[str, Any]:
    """A ping of the first generation; times of events in seconds before it was sent."""
    timed = [{**each, "emitted_at": iso(SENT_MS - each["emitted_at"] * 1000)} for each in events]
    about = {"loaded_at": iso(SENT_MS - 60_000), "referrer": "", "video_id": "vi1", "metadata": []}
    return {"emitted_at": iso(SENT_MS), "session": {**about, **session}, "events": timed}


def read_first(body: object) -> Report:
    return pings_v1.read(body, VIDEO, SENT_MS + SKEW_MS, "psFresh")


def second(events: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    timed = [{**each, "eat": SENT_MS - each["eat"] * 1000} for each in events]
    about = {"sat": SENT_MS, "sid": "tab", "pid": "one", "mid": "vi1", "ref": "", "ver": "0.1.0"}
    return {**about, "eve": timed, **more}


def read_second(body: object) -> Report:
    return pings_v2.read(body, SENT_MS + SKEW_MS, "psTab")


def test_a_first_ping_gets_a_session() -> None:
    report = read_first(first([{"type": "ready", "at": 0, "emitted_at": 1}]))
    assert (report.session_id, report.media_id) == ("psFresh", "vi1")
    assert report.impression_ms == SENT_MS - 1000
    assert report.skew_ms == SKEW_MS
    assert report.spans == ()


def test_sessions_of_others_are_adopted() -> None:
    report = read_first(first([], session_id="foreign", metadata=[{"a": "1"}, {"b": 2}]))
    assert report.session_id == "foreign"
    assert report.labels == {"a": "1", "b": "2"}


def test_a_ping_without_events_says_that_it_still_plays() -> None:
    [span] = read_first(first([])).spans
    assert (span.start_ms, span.begins, span.ends) == (SENT_MS, False, False)


def test_play_and_pause_bound_what_was_watched() -> None:
    events = [
        {"type": "play", "at": 0, "emitted_at": 9},
        {"type": "seek.forward", "from": 3, "to": 20.5, "emitted_at": 6},
        {"type": "pause", "at": 24, "emitted_at": 2},
    ]
    report = read_first(first(events))
    [span] = report.spans
    assert (span.start_ms, span.end_ms) == (SENT_MS - 9000, SENT_MS - 2000)
    assert (span.begins, span.ends) == (True, True)
    assert report.events[1] == Event("seek.forward", SENT_MS - 6000, 20.5, 3)


def test_events_stamped_with_the_time_of_loading_are_of_now() -> None:
    report = read_first(first([{"type": "play", "at": 0, "emitted_at": 60}]))
    assert report.events[0].at_ms == SENT_MS


@pytest.mark.parametrize(
    "broken",
    [
        {"type": "dance", "at": 0, "emitted_at": 0},
        {"type": "play", "at": -1, "emitted_at": 0},
        {"type": "play", "at": 1e300, "emitted_at": 0},
        {"type": "play", "at": "soon", "emitted_at": 0},
        {"type": "play", "at": 0, "emitted_at": -1},  # after it was sent
        {"type": "play", "at": 0, "emitted_at": 100_000},
        {"type": "seek.forward", "at": 0, "emitted_at": 0},
    ],
)
def test_what_cannot_be_is_left_out_and_counted(broken: dict[str, Any]) -> None:
    report = read_first(first([broken, {"type": "ready", "at": 0, "emitted_at": 0}]))
    assert [each.type for each in report.events] == ["ready"]
    assert report.dropped == 1


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        first([], video_id=None),
        first([], video_id="v" * 65),
        first([], video_id="vi\0"),
        first([], session_id=["x"]),
        first([], loaded_at="yesterday"),
        {**first([]), "events": {}},
        {**first([]), "emitted_at": 5},
    ],
)
def test_what_is_no_ping_is_refused(body: object) -> None:
    with pytest.raises(Unreadable):
        read_first(body)


def test_a_batch_tells_impression_loading_time_and_seeks() -> None:
    events = [
        {"eat": 9, "typ": 8, "vti": 0, "pau": True},
        {"eat": 8, "typ": 1, "vti": 0, "pau": True},
        {"eat": 7, "typ": 2, "vti": 0, "pau": False},
        {"eat": 4, "typ": 4, "vti": 3, "pau": False},
        {"eat": 3, "typ": 7, "vti": 20, "pau": False},
        {"eat": 1, "typ": 6, "vti": 22, "pau": True},
    ]
    report = read_second(second(events, meta={"user": "7"}))
    assert report.impression_ms == SENT_MS - 8000
    assert folding.fold(folding.new(report), [report]).playback.load_ms == 1000
    assert [each.type for each in report.events] == ["ready", "play", "seek", "end"]
    assert report.events[2].from_s == 3
    assert report.labels == {"user": "7"}
    [span] = report.spans
    assert span.end_ms - span.start_ms == 6000


def test_the_first_picture_may_come_in_a_later_batch() -> None:
    source = read_second(second([{"eat": 9, "typ": 8, "vti": 0, "pau": True}]))
    loaded = read_second(second([{"eat": 6, "typ": 1, "vti": 0, "pau": True}]))
    for order in ([source, loaded], [loaded, source]):
        assert folding.fold(folding.new(order[0]), order).playback.load_ms == 3000
    assert folding.fold(folding.new(loaded), [loaded]).playback.load_ms is None


def test_a_seek_at_the_head_of_a_batch_starts_where_the_last_one_ended() -> None:
    before = read_second(second([{"eat": 4, "typ": 4, "vti": 30, "pau": False}]))
    seek = read_second(second([{"eat": 2, "typ": 7, "vti": 12, "pau": False}]))
    folded = folding.fold(folding.new(before), [before, seek])
    assert folded.events == (Event("seek.backward", SENT_MS - 2000, 12, 30),)


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        second([], sat=-1),
        second([], sat=1 << 60),
        second([], sid=""),
        second([], pid="p" * 65),
        second([], mid="\0"),
        second([], eve=None),
    ],
)
def test_what_is_no_batch_is_refused(body: object) -> None:
    with pytest.raises(Unreadable):
        read_second(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON, JSON)
def test_whatever_comes_is_read_or_refused(one: object, two: object, three: object) -> None:
    bodies = (
        {**first([]), "session": {**first([])["session"], "referrer": one, "metadata": two}},
        {**first([]), "events": [one, {"type": "play", "at": two, "emitted_at": three}]},
        {**first([]), "emitted_at": one},
        one,
    )
    for body in bodies:
        with contextlib.suppress(Unreadable):
            read_first(body)
    for body in (second([], eve=[one, {"eat": one, "typ": two, "vti": three}]), one):
        with contextlib.suppress(Unreadable):
            read_second(body)


def test_a_clock_that_was_set_anew_does_not_tear_a_playback_apart() -> None:
    ping = read_second(second([{"eat": 1, "typ": 2, "vti": 0, "pau": False}]))
    day_ms = 24 * 3600 * 1000
    later = second([{"eat": 1, "typ": 4, "vti": 5, "pau": False}], sat=SENT_MS + day_ms)
    later["eve"][0]["eat"] += day_ms
    set_anew = pings_v2.read(later, SENT_MS + SKEW_MS + 5000, "psTab")
    folded = folding.fold(folding.new(ping), [ping, set_anew])
    assert folded.watched_ms == 5000
    assert folded.playback.last_ms == SENT_MS + 4000
