"""What holds playlists of a running server to the rules refuses wrong ones."""

from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest

from telecine.formats.hls.lowlatency import LivePlaylist, Report, render_live
from tests.fixtures.live_rules import LiveRules
from tests.unit.formats.hls.test_lowlatency import playlist

pytestmark = pytest.mark.anyio

STREAM, SESSION = "li" + "0" * 22, "0123456789ab"
FOLDER = f"http://live.test/live/{STREAM}"
Text = Callable[[], str]


def url(name: str = "source", query: str = "") -> str:
    return f"{FOLDER}_{name}/index.m3u8{query}"


def text(of: LivePlaylist, *told: tuple[str, int, int], skip: bool = False) -> str:
    """Return a playlist, with the names of one event, that tells of other renditions."""
    reports = [
        Report(uri=f"../{STREAM}_{name}/index.m3u8", last_msn=msn, last_part=part)
        for name, msn, part in told
    ]
    segments = [
        replace(
            each,
            uri=f"{SESSION}-{each.uri}",
            map_uri=f"{SESSION}-init-0.mp4",
            parts=[replace(part, uri=f"{SESSION}-{part.uri}") for part in each.parts],
        )
        for each in of.segments
    ]
    hint = None if of.hint_uri is None else f"{SESSION}-{of.hint_uri}"
    made = replace(of, segments=segments, reports=reports, hint_uri=hint)
    return render_live(made, skip=skip)


@pytest.fixture
def rules() -> LiveRules:
    return LiveRules()


def test_a_viewer_of_one_rendition_after_the_other(rules: LiveRules) -> None:
    for last in range(3, 40):
        known = rules.known()
        rules.see(url(), text(playlist(0, last, 2), ("90p", last, 1)), known)
        known = rules.known()
        rules.see(url("90p"), text(playlist(0, last, 2), ("source", last, 1)), known)
    assert rules.seen == 74


@pytest.mark.parametrize("asked", ["?_HLS_msn=9&_HLS_part=5", "?_HLS_msn=9"])
def test_a_reload_that_comes_too_soon(rules: LiveRules, asked: str) -> None:
    rules.see(url(query="?_HLS_msn=9&_HLS_part=4"), text(playlist(0, 9, 5)))
    with pytest.raises(AssertionError, match="was asked for"):
        rules.see(url(query=asked), text(playlist(0, 9, 5)))


def test_a_report_that_is_ahead(rules: LiveRules) -> None:
    rules.see(url(), text(playlist(0, 9, 5), ("90p", 9, 5)))
    with pytest.raises(AssertionError, match="is reported to be at"):
        rules.see(url("90p"), text(playlist(0, 9, 5), ("source", 9, 4)), rules.known())


def test_what_was_under_way_for_longer_is_not_held_to_later_reports(rules: LiveRules) -> None:
    known = rules.known()
    rules.see(url(), text(playlist(0, 9, 5), ("90p", 9, 5)))
    rules.see(url("90p"), text(playlist(0, 9, 5), ("source", 9, 4)), known)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ([], "is not reported on"),
        ([("90p", 9, 3)], r"is reported to be at \(9, 3\), it was at \(9, 4\)"),
        ([("90p", 8, 9)], r"is reported to be at \(8, 9\), it was at \(9, 4\)"),
    ],
)
def test_a_report_that_is_missing_or_behind(
    rules: LiveRules, told: list[tuple[str, int, int]], said: str
) -> None:
    rules.see(url("90p"), text(playlist(0, 9, 5)), rules.known())
    rules.see(url(), text(playlist(0, 9, 5), ("90p", 9, 4)), rules.known())
    rules.see(url(), text(playlist(0, 9, 6), ("90p", 9, 4)), rules.known())
    with pytest.raises(AssertionError, match=said):
        rules.see(url(), text(playlist(0, 9, 7), *told), rules.known())


def test_what_is_not_there_any_more_needs_no_report(rules: LiveRules) -> None:
    rules.see(url("90p"), text(playlist(0, 9, 5)), rules.known())
    rules.see(url(), text(playlist(0, 9, 5), ("90p", 9, 4)), rules.known())
    rules.lose(url("90p"))
    rules.see(url(), text(playlist(0, 9, 6)), rules.known())


def test_deltas_are_put_together(rules: LiveRules) -> None:
    rules.see(url(), text(playlist(0, 20, 10)))
    for last in range(21, 50):
        rules.see(url(query="?_HLS_skip=YES"), text(playlist(1, last, 4), skip=True))
    rules.see(url(), text(playlist(1, 49, 4)))
    rules.see(url(), text(playlist(2, 60, 4)))
    wrong = playlist(2, 60, 4, broken=20, breaks=0)
    with pytest.raises(AssertionError, match="discontinuity changed"):
        rules.see(url(), text(wrong, skip=False))


def test_a_delta_that_is_wrong(rules: LiveRules) -> None:
    rules.see(url(), text(playlist(0, 29, 5)))
    rules.see(url(), text(playlist(0, 30, 3), skip=True))
    late = text(playlist(0, 30, 3)).replace("00.000Z", "00.001Z", 1)
    with pytest.raises(AssertionError, match="with deltas"):
        rules.see(url(), late)


def test_a_delta_that_leaves_out_what_never_was(rules: LiveRules) -> None:
    rules.see(url(), text(playlist(4, 29, 5)))
    delta = text(playlist(4, 30, 3), skip=True)
    fewer = delta.replace("SEQUENCE:4", "SEQUENCE:3").replace("SEGMENTS=20", "SEGMENTS=21")
    assert fewer != delta
    with pytest.raises(AssertionError, match="went back"):
        rules.see(url(), fewer)


async def test_a_client_shows_what_it_gets(rules: LiveRules) -> None:
    answers = iter(
        [
            httpx.Response(200, text=text(playlist(0, 9, 5), ("90p", 9, 4))),
            httpx.Response(404),
            httpx.Response(200, text=text(playlist(0, 9, 6))),
            httpx.Response(200, text=text(playlist(0, 9, 5))),
        ]
    )
    transport = httpx.MockTransport(lambda _: next(answers))
    async with httpx.AsyncClient(transport=transport, event_hooks=rules.hooks()) as client:
        for name in ("source", "90p", "90p"):
            await client.get(url(name))
        with pytest.raises(AssertionError, match="was asked for"):
            await client.get(url(query="?_HLS_msn=9&_HLS_part=9"))
    assert rules.seen == 3
