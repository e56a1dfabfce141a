"""What is amiss in answers of a live server is found: reloads, deltas, parts that are gone."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from telecine.formats.errors import FormatError
from telecine.formats.hls.check_live import check_live, read_live
from telecine.formats.hls.check_live_answers import (
    Owed,
    apply_delta,
    check_delta,
    check_reload,
)
from telecine.formats.hls.lowlatency import LivePlaylist, render_live
from tests.unit.formats.hls.test_lowlatency import playlist, segment

Change = Callable[[str], str]


@pytest.mark.parametrize(
    ("last", "parts", "asked", "contained"),
    [
        (9, 5, (9, 4), True),
        (9, 5, (9, 5), False),
        (9, 5, (9, None), False),
        (9, 5, (8, None), True),
        (9, 5, (3, 90), True),  # the first part of the next segment
        (9, 10, (9, 9), True),
        (9, 10, (9, 10), False),  # the same: it is not there yet
        (9, 10, (9, None), True),
        (9, 0, (9, 0), False),
        (9, 1, (9, 0), True),
        (9, 5, (0, 0), True),  # however old it is, there is all of the playlist
        (9, 5, (11, 0), False),
    ],
)
def test_a_reload_has_what_was_asked_for(
    last: int, parts: int, asked: tuple[int, int | None], contained: bool
) -> None:
    text = render_live(playlist(1, last, parts))
    assert bool(check_reload(text, *asked)) != contained, check_reload(text, *asked)


def test_directives_mean_nothing_behind_the_end() -> None:
    over = replace(playlist(0, 9, 10), hint_uri=None)
    assert check_reload(render_live(over), 99, 9) == []


def test_what_is_no_playlist_has_nothing() -> None:
    assert check_reload("not there", 0)
    assert check_reload("#EXTM3U\n", 0)
    assert check_delta("not there", "#EXTM3U\n", "#EXTM3U\n")


EARLIER = [playlist(0, 29, 5, broken=4), playlist(0, 20, 10, broken=4), playlist(0, 27, 1)]
LATER = playlist(2, 30, 3, broken=4)


def delta_of(later: LivePlaylist) -> str:
    text = render_live(later, skip=True)
    assert "#EXT-X-SKIP" in text
    return text


@pytest.mark.parametrize("before", [playlist(0, 29, 5, broken=4), playlist(2, 24, 10, broken=4)])
def test_a_delta_on_top_of_what_was_there_is_all(before: LivePlaylist) -> None:
    whole = render_live(LATER)
    assert check_live(delta_of(LATER)) == []
    assert check_delta(render_live(before), delta_of(LATER), whole) == []


def test_deltas_go_on_top_of_deltas() -> None:
    had = read_live(render_live(playlist(0, 20, 10, broken=4)))
    for last in range(21, 40):
        later = playlist(2, last, 4, broken=4)
        had = apply_delta(had, read_live(delta_of(later)))
        assert check_delta(render_live(later), delta_of(later), render_live(later)) == []
    assert had == read_live(render_live(playlist(2, 39, 4, broken=4)))


@pytest.mark.parametrize("before", [playlist(3, 29, 5, broken=4), playlist(0, 20, 5, broken=4)])
def test_a_delta_leaves_out_only_what_was_there(before: LivePlaylist) -> None:
    with pytest.raises(FormatError, match="is left out"):
        apply_delta(read_live(render_live(before)), read_live(delta_of(LATER)))
    said = check_delta(render_live(before), delta_of(LATER), render_live(LATER))
    assert any("is left out" in each for each in said)


def longer_skip(text: str) -> str:
    """Leave out one segment more than may be, and tell of it."""
    count = read_live(text).skipped
    begin = text.index("#EXT-X-PROGRAM")
    end = text.index("#EXT-X-PROGRAM", begin + 1)
    text = text.replace(f"SEGMENTS={count}", f"SEGMENTS={count + 1}")
    return text.replace(text[begin:end], "")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("\n26.m4s", "\nother.m4s"), "segment 26 is"),
        (lambda text: text.replace("SKIPPED-SEGMENTS=22", "SKIPPED-SEGMENTS=32"), "is left out"),
        (lambda text: text.replace("SEQUENCE:2", "SEQUENCE:1"), "EXT-X-MEDIA-SEQUENCE is 1"),
        (lambda text: text.replace('URI="30.3.m4s"', 'URI="30.4.m4s"'), "are the hints"),
        (lambda text: text.replace("29.1.m4s", "30.1.m4s"), "segment 29 is"),
        (lambda text: text.replace("#EXTINF:2.000", "#EXTINF:1.999"), "segment 28 is"),
        (lambda text: text.replace("PART-TARGET=0.203", "PART-TARGET=0.3"), "EXT-X-PART-INF is"),
        (lambda text: text.replace('#EXT-X-PART:DURATION=0.200,URI="30.2.m4s"\n', ""), "30 is"),
        (
            lambda text: text.replace(
                "#EXT-X-PROGRAM", '#EXT-X-MAP:URI="init-2.mp4"\n#EXT-X-PROGRAM', 1
            ),
            "segment 24 is",
        ),
    ],
)
def test_what_is_wrong_with_a_delta_is_found(change: Change, said: str) -> None:
    before, wrong = render_live(playlist(0, 29, 5, broken=4)), change(delta_of(LATER))
    assert wrong != delta_of(LATER)
    problems = check_delta(before, wrong, render_live(LATER))
    assert any(said in each for each in problems), problems


def test_a_delta_leaves_out_what_is_far_from_the_end() -> None:
    problems = check_live(longer_skip(delta_of(LATER)))
    assert any("are not skipped" in each for each in problems), problems


def test_there_is_no_delta_behind_the_end() -> None:
    over = replace(playlist(0, 30, 10), hint_uri=None)
    delta = delta_of(playlist(0, 30, 10)).partition("#EXT-X-PRELOAD-HINT")[0] + "#EXT-X-ENDLIST\n"
    assert any("behind the end" in each for each in check_live(delta))
    assert check_live(render_live(over, skip=True)) == []


def follow(owed: Owed, until_s: float, from_s: float = 1.2) -> None:
    """See a playlist for every part until so many seconds are there."""
    for part in range(round(from_s * 5), round(until_s * 5) + 1):
        owed.see(render_live(playlist(max(0, part // 10 - 12), part // 10, part % 10)))


def test_parts_are_owed_for_as_long_again_as_they_are_named() -> None:
    owed = Owed()
    follow(owed, 10)
    # It was named until its segment was three target durations (of 2 s) from the end.
    assert "0.9.m4s" in owed.late
    assert "4.9.m4s" in owed.owed - owed.late
    assert owed.check(["0.9.m4s"]) == ["0.9.m4s must still be there"]
    follow(owed, 13.8, from_s=10)  # the last one that names it ends at 7.8 s
    assert owed.check(["0.9.m4s"])
    follow(owed, 14, from_s=14)
    assert owed.check(["0.9.m4s"]) == []
    assert owed.check(["1.0.m4s"])


def test_the_age_of_parts_is_that_of_the_media() -> None:
    owed = Owed()
    follow(owed, 10)
    for _ in range(99):  # the encoder is away
        owed.see(render_live(playlist(0, 4, 10)))
    assert owed.check(["0.9.m4s"])


def test_who_was_away_is_owed_what_is_named() -> None:
    owed = Owed()
    owed.see(render_live(playlist(0, 9, 5)))
    owed.see(render_live(playlist(30, 49, 5)))
    assert owed.late == set()
    assert "49.4.m4s" in owed.owed


def test_deltas_tell_what_is_owed_too() -> None:
    owed = Owed()
    owed.see(render_live(playlist(0, 19, 10)))
    for last in range(20, 23):
        owed.see(delta_of(playlist(0, last, 10)))
    assert owed.late == {f"{msn}.{n}.m4s" for msn in (17, 18, 19) for n in range(10)}


def test_segments_are_owed_behind_the_window() -> None:
    owed = Owed()
    for last in range(3, 30):
        owed.see(render_live(playlist(max(0, last - 12), last, 0)))
    # Its own two seconds, and 24 s of the longest playlist that it was in, since it ended at 32.
    gone = ["15.m4s", "16.m4s"]
    assert owed.check(gone) == ["16.m4s must still be there"]
    owed.see(render_live(playlist(18, 30, 0)))
    assert owed.check([*gone, "17.m4s", "30.m4s"]) == ["17.m4s must still be there"]


def test_a_shorter_playlist_does_not_make_it_shorter() -> None:
    owed = Owed()
    owed.see(render_live(playlist(0, 12, 0)))
    owed.see(render_live(playlist(9, 13, 0)))
    assert {f"{msn}.m4s" for msn in range(13)} <= owed.owed


def test_segments_without_parts_make_others_older() -> None:
    owed = Owed()
    owed.see(render_live(playlist(0, 3, 0)))
    lone = replace(segment(3), parts=())
    owed.see(render_live(replace(playlist(0, 4, 0), segments=[segment(2), lone])))
    assert owed.owed
