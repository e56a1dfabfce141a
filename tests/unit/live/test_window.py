"""What a window lets go of, however its encoder behaves."""

from collections.abc import Iterable

import pytest

from telecine.live import window as windows
from telecine.live.model import Init, Output, Part, SegmentEnd, Targets
from telecine.live.window import Window


def segment(msn: int, init: int) -> Iterable[Output]:
    yield Part(
        msn=msn,
        number=0,
        duration_ms=1000,
        independent=True,
        init=init,
        discontinuity=False,
        received_ms=0,
        data=b"p",
    )
    yield SegmentEnd(msn)


def give(window: Window, outputs: Iterable[Output]) -> None:
    for output in outputs:
        window.take(output)


@pytest.fixture
def window() -> Window:
    window = Window("0" * 12, 8000, mirrored=True)
    window.take(Targets(200, 1))
    return window


def test_init_segments_go_with_the_last_segment_that_needs_them(window: Window) -> None:
    for msn in range(40):
        if msn % 4 == 0:
            window.take(Init(msn // 4, b"i", "avc1.42c00d", 320, 180))
        give(window, segment(msn, msn // 4))
        assert {each.init for each in window.segments} <= window.inits.keys()
        assert len(window.inits) <= 4
    # Of the twelve seconds that there are, and of one segment that is half behind them.
    assert window.inits.keys() == {6, 7, 8, 9}
    window.take(Init(10, b"i", "avc1.42c00d", 320, 180))
    assert window.inits.keys() == {6, 7, 8, 9, 10}


def test_what_left_the_playlist_is_served_for_three_target_durations(window: Window) -> None:
    for msn in range(40):
        give(window, segment(msn, 0))
    assert [each.msn for each in window.segments] == [*range(31, 40)]
    assert [window.segment(msn) is not None for msn in range(25, 33)] == [False] * 2 + [True] * 6
    assert window.segment(40) is None


def test_init_segments_of_a_window_have_a_limit_in_bytes(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "MOST_INIT_BYTES", 5000)
    for msn in range(40):
        window.take(Init(msn, bytes(2000), "avc1.42c00d", 320, 180))
        give(window, segment(msn, msn))
        assert sum(len(each.data) for each in window.inits.values()) <= 5000
    assert [each.msn for each in window.segments] == [38, 39]


def test_a_window_has_no_more_than_so_many_segments(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "MOST_SEGMENTS", 5)
    for msn in range(40):
        give(window, segment(msn, 0))
    assert [each.msn for each in window.segments] == [35, 36, 37, 38, 39]
