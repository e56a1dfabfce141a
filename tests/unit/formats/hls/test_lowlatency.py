from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from telecine.formats.hls.check_live import check_live, check_live_update
from telecine.formats.hls.lowlatency import (
    LivePart,
    LivePlaylist,
    LiveSegment,
    Report,
    render_live,
)

BEGIN = datetime(2026, 11, 29, 12, tzinfo=UTC)


def segment(msn: int, parts: int = 10, *, broken: bool = False) -> LiveSegment:
    """Two seconds, of which `parts` tenths are there."""
    return LiveSegment(
        uri=f"{msn}.m4s",
        duration_ms=200 * parts,
        map_uri="init.mp4",
        discontinuity=broken,
        begins_at=BEGIN + timedelta(seconds=2 * msn),
        ended=parts == 10,
        parts=[
            LivePart(uri=f"{msn}.{n}.m4s", duration_ms=200, independent=n == 0)
            for n in range(parts)
        ],
    )


def playlist(
    first: int, last: int, parts: int, *, broken: int = -1, breaks: int = 0
) -> LivePlaylist:
    whole = [segment(msn, broken=msn == broken) for msn in range(first, last)]
    return LivePlaylist(
        target_duration_s=2,
        part_target_ms=203,
        media_sequence=first,
        discontinuity_sequence=breaks,
        segments=[*whole, segment(last, parts)] if parts else whole,
        hint_uri=f"{last}.{parts}.m4s",
        reports=[Report(uri="../other/index.m3u8", last_msn=last, last_part=parts)],
    )


@pytest.mark.parametrize(("last", "parts"), [(3, 0), (3, 1), (9, 9), (40, 5)])
@pytest.mark.parametrize("skip", [False, True])
def test_what_we_write_obeys_the_rules(last: int, parts: int, skip: bool) -> None:
    assert check_live(render_live(playlist(0, last, parts), skip=skip)) == []


def test_a_delta_leaves_old_segments_out_and_joins_on() -> None:
    whole, delta = (render_live(playlist(0, 30, 3), skip=skip) for skip in (False, True))
    assert "#EXT-X-SKIP:SKIPPED-SEGMENTS=24" in delta.splitlines()
    assert "23.m4s" not in delta
    assert delta[delta.index("#EXT-X-PROGRAM") :] in whole


def test_parts_are_named_near_the_end_only() -> None:
    text = render_live(playlist(0, 30, 3))
    assert "26.0.m4s" not in text
    assert "28.0.m4s" in text


def test_updates_keep_what_was_said() -> None:
    before = render_live(playlist(0, 9, 5, broken=4))
    for after in (
        playlist(0, 9, 6, broken=4),
        playlist(2, 12, 0, broken=4),
        playlist(5, 15, 1, breaks=1),
    ):
        assert check_live_update(before, render_live(after)) == []


Change = Callable[[str], str]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("PART-TARGET=0.203", "PART-TARGET=0.190"), "target is 0.190"),
        (lambda text: text.replace("PART-TARGET=0.203", "PART-TARGET=0.400"), "lasts only"),
        (lambda text: text.replace("PART-HOLD-BACK=0.609", "PART-HOLD-BACK=0.5"), "at least 0.609"),
        (lambda text: text.replace("#EXTINF:2.000", "#EXTINF:2.500"), "it lasts 2.500 s"),
        (lambda text: text.replace("#EXTINF:2.000", "#EXTINF:1.900"), "its parts last 2.000 s"),
        (lambda text: text.replace("#EXT-X-MAP", "#EXT-X-MOP"), "EXT-X-MAP is missing"),
        (lambda text: text.replace("#EXT-X-PRELOAD-HINT", "#X"), "no hint"),
        (lambda text: text + "#EXT-X-ENDLIST\n", "hint behind the end"),
        (lambda text: text.replace('URI="9.5.m4s"', 'URI="9.4.m4s"'), "is there already"),
        (lambda text: text.replace("#EXT-X-PROGRAM-DATE-TIME", "#X"), "DATE-TIME is missing"),
        (lambda text: text.replace("#EXT-X-PART-INF", "#EXT-X-PART-OUT"), "PART-INF is missing"),
        (lambda text: text.removeprefix("#EXTM3U\n"), "not #EXTM3U"),
    ],
)
def test_the_checker_finds(change: Change, said: str) -> None:
    problems = check_live(change(render_live(playlist(0, 9, 5))))
    assert any(said in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("DURATION:2", "DURATION:3"), "TARGETDURATION changed"),
        (lambda text: text.replace("SEQUENCE:1", "SEQUENCE:0"), "went back"),
        (lambda text: text.replace("\n5.m4s", "\nfive.m4s"), "segment 5: it was 5.m4s"),
        (lambda text: text.replace("8.1.m4s", "eight.m4s"), "segment 8: its parts changed"),
        (lambda text: text[: text.index("#EXT-X-PROGRAM-DATE-TIME:2026-11-29T12:00:16")], "gone"),
    ],
)
def test_the_checker_finds_between_two(change: Change, said: str) -> None:
    before = render_live(playlist(1, 9, 5))
    problems = check_live_update(before, change(render_live(playlist(1, 9, 6))))
    assert any(said in problem for problem in problems), problems
