"""Every rule for live playlists refuses one that breaks it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from telecine.formats.hls.check_live import check_live, check_live_update
from telecine.formats.hls.check_live_set import check_live_set
from telecine.formats.hls.lowlatency import render_live
from tests.unit.formats.hls.test_lowlatency import playlist, segment

Change = Callable[[str], str]

HINT = '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="9.5.m4s"\n'
REPORT = '#EXT-X-RENDITION-REPORT:URI="../other/index.m3u8",LAST-MSN=9,LAST-PART=5\n'


def swapped(text: str, first: str, second: str) -> str:
    """Return a text in which a line stands behind the one that it stood before."""
    assert f"{first}\n{second}\n" in text
    return text.replace(f"{first}\n{second}\n", f"{second}\n{first}\n")


def late_date(text: str) -> str:
    date = next(line for line in text.splitlines() if "12:00:18" in line)
    return swapped(text, date, '#EXT-X-PART:DURATION=0.200,URI="9.0.m4s",INDEPENDENT=YES')


CHANGES: list[tuple[Change, str]] = [
    (lambda text: text.replace("VERSION:9", "VERSION:5"), "EXT-X-VERSION 5 is too low"),
    (lambda text: text.replace("#EXT-X-VERSION:9", "#EXT-X-V:9"), "EXT-X-VERSION is missing"),
    (lambda text: text.replace("#EXT-X-TARGET", "#EXT-X-T"), "EXT-X-TARGETDURATION is missing"),
    (lambda text: text.replace("#EXT-X-MEDIA-S", "#X-S"), "EXT-X-MEDIA-SEQUENCE is missing"),
    (lambda text: text.replace("#EXT-X-SERVER", "#EXT-S"), "EXT-X-SERVER-CONTROL is missing"),
    (lambda text: text + "#EXT-X-MEDIA-SEQUENCE:0\n", "EXT-X-MEDIA-SEQUENCE stands 2 times"),
    (lambda text: text.rstrip("\n"), "must end with LF alone"),
    (lambda text: text[: text.index("#EXT-X-MAP")], "no segments"),
    (lambda text: text.replace("RELOAD=YES", "RELOAD=NO"), "CAN-BLOCK-RELOAD is NO"),
    (lambda text: text + "#EXT-X-INDEPENDENT-SEGMENTS\n", "begin with key frames"),
    (lambda text: text.replace(",HOLD-BACK=6.0", ",HOLD-BACK=5.9"), "HOLD-BACK is 5.9"),
    (lambda text: text.replace("UNTIL=12.0", "UNTIL=11.0"), "CAN-SKIP-UNTIL is 11.0"),
    (late_date, "EXT-X-PROGRAM-DATE-TIME behind its first part"),
    (lambda text: text.replace("#EXTINF:2.000,\n3.m4s", "#EXTINF:0.000,\n3.m4s"), "no time"),
    (lambda text: text.replace(HINT, HINT + HINT), "2 hints of type PART"),
    (lambda text: text.replace(REPORT, REPORT + REPORT), "2 reports on"),
    (lambda text: text.replace(",LAST-PART=5", ""), "a report without LAST-PART"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "said"), CHANGES, ids=[said for _, said in CHANGES])
def test_one_playlist(change: Change, said: str) -> None:
    text = render_live(playlist(0, 9, 5))
    assert check_live(text) == []
    assert change(text) != text
    problems = check_live(change(text))
    assert any(said in each for each in problems), problems


def test_a_playlist_is_not_too_short() -> None:
    short = render_live(playlist(5, 7, 5))
    assert check_live(short, begun_at=5) == []  # there was not more yet
    assert any("must be" in each for each in check_live(short, begun_at=4))


def test_parts_are_not_named_for_ever() -> None:
    text = render_live(playlist(0, 9, 5))
    old = text.replace("#EXTINF:2.000,\n3.m4s", '#EXT-X-PART:DURATION=2.000,URI="3.0.m4s",'
                       "INDEPENDENT=YES\n#EXTINF:2.000,\n3.m4s")  # fmt: skip
    problems = check_live(old.replace("PART-TARGET=0.203", "PART-TARGET=2.0"))
    assert any("parts of 3.m4s" in each for each in problems), problems


def test_what_has_ended_stays_so() -> None:
    over = render_live(replace(playlist(0, 9, 10), hint_uri=None))
    said = check_live_update(over, render_live(playlist(0, 9, 10)))
    assert said == ["EXT-X-ENDLIST is gone"]


@pytest.mark.parametrize(
    ("broken", "breaks", "said"),
    [(-1, 0, "1 discontinuities left"), (-1, 2, "1 discontinuities left"), (7, 1, "changed")],
)
def test_discontinuities_are_counted(broken: int, breaks: int, said: str) -> None:
    before = render_live(playlist(0, 9, 5, broken=4))
    assert check_live_update(before, render_live(playlist(6, 12, 0, breaks=1))) == []
    problems = check_live_update(
        before, render_live(playlist(6, 12, 0, broken=broken, breaks=breaks))
    )
    assert any(said in each for each in problems), problems


def test_a_rendition_may_end_before_another() -> None:
    """Its last segment is as long as it is then, but no other."""
    source = render_live(playlist(0, 9, 5))
    short = replace(segment(8), duration_ms=1000, parts=[])
    for at, fine in ((8, True), (5, False)):
        whole = [segment(msn) for msn in range(9)]
        whole[at] = replace(short, uri=f"{at}.m4s", begins_at=whole[at].begins_at)
        other = render_live(replace(playlist(0, 9, 0), segments=whole, hint_uri=None))
        said = check_live_set({"source": source, "track1": other})
        assert (said == []) is fine, said
