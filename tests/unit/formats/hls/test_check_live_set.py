"""What is amiss between the live playlists of one event is found."""

from dataclasses import replace
from datetime import timedelta

import pytest

from telecine.formats.hls.check_live_set import (
    check_live_master,
    check_live_set,
    check_reports,
)
from telecine.formats.hls.lowlatency import LivePlaylist, render_live
from telecine.formats.hls.playlist import Master, Variant, render_master
from tests.unit.formats.hls.test_lowlatency import playlist, segment

ONE = playlist(0, 9, 5, broken=4)


def agreeing(other: LivePlaylist) -> list[str]:
    return check_live_set({"source": render_live(ONE), "90p": render_live(other)})


@pytest.mark.parametrize(
    "other",
    [ONE, playlist(0, 9, 2, broken=4), playlist(5, 9, 5, breaks=1), playlist(4, 9, 5, broken=4)],
)
def test_renditions_may_be_of_any_age(other: LivePlaylist) -> None:
    assert agreeing(other) == []


def later(first: LivePlaylist, seconds: int) -> LivePlaylist:
    moved = [
        replace(each, begins_at=each.begins_at + timedelta(seconds=seconds))
        for each in first.segments
    ]
    return replace(first, segments=moved)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (replace(ONE, target_duration_s=3), "EXT-X-TARGETDURATION is 3"),
        (replace(ONE, part_target_ms=300), "EXT-X-PART-INF"),
        (playlist(0, 9, 5), "segment 4 differs in its discontinuity"),
        (playlist(5, 9, 5), "discontinuity sequence 0"),
        (later(ONE, 1), "segment 0 is of"),
        (replace(ONE, segments=[segment(0, 10), replace(segment(1), duration_ms=1000),
                                *ONE.segments[2:]]), "segment 1 lasts 1.000 s"),
    ],
)  # fmt: skip
def test_what_differs_is_found(other: LivePlaylist, said: str) -> None:
    assert any(said in each for each in agreeing(other)), agreeing(other)


@pytest.mark.parametrize(
    ("msn", "parts", "said"),
    [(9, 7, None), (9, 6, None), (9, 2, "it is at"), (8, 0, "it is at")],
)
def test_reports_are_never_ahead(msn: int, parts: int, said: str | None) -> None:
    other = render_live(playlist(0, msn, parts))
    problems = check_reports(render_live(playlist(0, 9, 5)), {"../other/index.m3u8": other})
    assert [each for each in problems if said is None or said not in each] == []
    assert bool(problems) == (said is not None)
    assert check_reports(render_live(ONE), {"../third/index.m3u8": other})


@pytest.mark.parametrize(
    ("msn", "parts", "said"),
    [(9, 6, None), (9, 5, None), (9, 7, "it was at (9, 6) before"), (10, 1, "it was at")],
)
def test_reports_are_never_behind_what_was_seen(msn: int, parts: int, said: str | None) -> None:
    earlier = {"../other/index.m3u8": render_live(playlist(0, msn, parts))}
    problems = check_reports(render_live(playlist(0, 9, 5)), {}, earlier)
    assert bool(problems) == (said is not None)
    assert all(said is not None and said in each for each in problems), problems


def test_every_other_rendition_is_reported_on() -> None:
    text, other = render_live(playlist(0, 9, 5)), render_live(ONE)
    third = {"../third/index.m3u8": other}
    for said in (check_reports(text, third), check_reports(text, {}, third)):
        assert said == ["../third/index.m3u8 is not reported on"]
    over = render_live(replace(ONE, hint_uri=None))
    assert check_reports(over, {"../third/index.m3u8": other}) == []  # it has no next part
    assert check_reports(text.replace("LAST-PART=5", "LAST-PART=five"), {})
    assert check_reports(text.replace(",LAST-PART=5", ""), {})


def test_a_multivariant_playlist_promises_no_key_frames() -> None:
    variant = Variant(
        uri="a/index.m3u8",
        bandwidth_bps=100_000,
        codecs="avc1.42c00d",
        width_px=320,
        height_px=180,
        frame_rate=None,
    )
    text = render_master(Master(renditions=[variant], independent=False))
    assert check_live_master(text) == []
    assert check_live_master(render_master(Master(renditions=[variant])))
    assert check_live_master(
        render_master(Master(renditions=[variant, variant], independent=False))
    )
    assert check_live_master(text.replace("CODECS", "CODES"))
