import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.domains.analytics.reports import (
    NO_QUALITY,
    NOT_STARTED,
    UNTOLD_START,
    Kind,
    Quality,
    Sample,
)
from telecine.domains.analytics.requests import LATE_MS, LONGEST_WAIT_MS, Heard

T = 1_800_000_000_000


def video(at_ms: int, buffer_ms: int | None = None, **more: Any) -> Sample:
    """A request for four seconds of picture."""
    given = {"duration_ms": 4000, "bitrate_kbps": 800, "rendition": "360p", **more}
    return Sample(T + at_ms, Kind.VIDEO, buffer_ms=buffer_ms, **given)


def sound(at_ms: int, buffer_ms: int, **more: Any) -> Sample:
    given = {"duration_ms": 4000, "bitrate_kbps": 64, **more}
    return Sample(T + at_ms, Kind.AUDIO, buffer_ms=buffer_ms, **given)


def playlist(at_ms: int) -> Sample:
    return Sample(T + at_ms, Kind.OTHER, urgent=True)


def quality(*samples: Sample) -> Quality:
    return Heard().after(samples).tally().quality()


def watched_ms(*samples: Sample) -> int:
    return Heard().after(samples).tally().watched_ms()


SMOOTH = (
    playlist(0),
    playlist(40),
    video(100, 0, urgent=True, follows=True, throughput_kbps=4000),
    sound(110, 0, urgent=True, follows=True),
    sound(200, 4000),
    video(700, 4000, throughput_kbps=8000),
    *(video(4000 * n, 8000, throughput_kbps=6000) for n in range(1, 8)),
)


def test_a_smooth_playback() -> None:
    assert quality(*SMOOTH) == Quality(
        startup_ms=700,  # the sound was there before, that shows nothing
        bitrate_kbps=800,
        throughput_kbps=6000,
        rendition="360p",
    )
    assert watched_ms(*SMOOTH) == 9 * 4000


def test_the_start_is_not_known_of_who_was_heard_too_late() -> None:
    assert quality(video(0, 9000), video(4000, 9000)).startup_ms == UNTOLD_START
    assert quality(video(0), video(4000)).startup_ms == UNTOLD_START  # tells neither bl nor su
    assert watched_ms(video(0, 9000), video(4000, 9000)) == 8000
    # All of a short video may have come with one request.
    assert quality(playlist(0), video(10, 0, urgent=True)).startup_ms == UNTOLD_START


def test_who_never_got_a_picture_has_not_started() -> None:
    assert quality(playlist(0)) == NO_QUALITY
    told = [playlist(0), video(10, 0, urgent=True, follows=True)]
    assert quality(*told).startup_ms == NOT_STARTED
    assert quality(*told, video(3000, 0, urgent=True)).startup_ms == NOT_STARTED
    assert watched_ms(*told) == 0
    assert quality(*told, video(3000, None)).startup_ms == 3000  # nothing is urgent any more


def test_a_short_video_whose_picture_was_asked_for_at_once_has_started() -> None:
    """As Shaka 5.2.12 asks for twelve seconds."""
    looked_into = {"urgent": True, "duration_ms": 0, "bitrate_kbps": None}
    asked = [playlist(0), *(video(60 + n, **looked_into) for n in range(3))]
    asked += [sound(100, 0, urgent=True, follows=True), video(110, None, urgent=True)]
    hurry = [*asked, sound(200, 4000, urgent=True, follows=True)]
    assert quality(*hurry).startup_ms == UNTOLD_START  # nobody has said that more follows
    played = [*hurry, sound(450, 8000)]
    assert quality(*played).startup_ms == 450
    assert watched_ms(*played) == 4000  # of its picture, as far as its player tells
    # Where more of the picture was asked for behind it, that has the say.
    waits = video(500, 0, urgent=True, follows=True)
    assert quality(*played, waits).startup_ms == NOT_STARTED


def test_what_is_told_of_the_start_is_believed() -> None:
    assert quality(*SMOOTH, video(30_000, 8000, start_ms=432)).startup_ms == 432
    assert quality(video(0, 9000, start_ms=432)).startup_ms == 432


def test_a_wait_is_from_when_the_buffer_ran_out_to_when_there_is_data() -> None:
    played = [*SMOOTH[:6], video(1000, 2000)]
    # Two seconds were there at 1.0: it has waited since 3.0.
    one = [*played, video(5000, 300, starved=True, urgent=True)]
    assert quality(*one)[1:3] == (1, 2000)
    # Nothing was there yet at 5.0, but at 6.5.
    longer = [*played, video(5000, 0, starved=True, urgent=True), video(6500, 2500)]
    assert quality(*longer)[1:3] == (1, 3500)
    again = [*longer, video(10_000, 1000, starved=True)]
    assert quality(*again)[1:3] == (2, 4500)
    # The first request behind a wait may be for an init segment; and sound tells of it, too.
    mixed = [*played, Sample(T + 5000, Kind.OTHER, starved=True), sound(5100, 100, starved=True)]
    assert quality(*mixed)[1] == 1


def test_what_is_told_of_a_wait_is_believed() -> None:
    told = [*SMOOTH[:6], video(5000, 300, starved=True, stall_ms=1234)]
    told += [sound(5010, 300, starved=True, stall_ms=1200)]
    assert quality(*told)[1:3] == (1, 1234)
    assert quality(*told, video(9000, 300, stall_ms=100))[1:3] == (2, 1334)


def test_nobody_waits_for_ever() -> None:
    told = [*SMOOTH, video(9_000_000, 100, starved=True)]
    assert quality(*told)[1:3] == (1, LONGEST_WAIT_MS)


def test_switches_and_rates_are_those_of_the_picture() -> None:
    rates = [800, 800, 2800, 800, None, 800]
    told = [video(1000 * n, 2000, bitrate_kbps=rate) for n, rate in enumerate(rates)]
    found = quality(*told, sound(5000, 4000, bitrate_kbps=128))
    assert found.switch_count == 2
    assert found.bitrate_kbps == (4 * 800 + 2800) // 5
    higher = video(9000, 2000, bitrate_kbps=2800, rendition="720p")
    assert quality(*told, higher).rendition == "720p"


def test_sound_alone_is_a_playback_as_well() -> None:
    told = [playlist(0), sound(100, 0, urgent=True), sound(600, 4000), sound(4600, 4000)]
    assert quality(*told).startup_ms == 600
    assert quality(*told).bitrate_kbps == 64
    assert watched_ms(*told) == 12_000


def test_no_more_is_watched_than_there_was_time_for() -> None:
    told = [
        video(0, 0, urgent=True),
        *(video(100 + n, 1000, duration_ms=3_600_000) for n in (1, 2)),
    ]
    assert watched_ms(*told) == 1 + 1000 + 3_600_000
    paused = [video(0, 0, urgent=True), video(500, 4000), video(3_600_000, 4000)]
    assert watched_ms(*paused) == 12_000


def test_it_has_failed() -> None:
    assert quality(*SMOOTH, video(9000, 0, failed=True)).error_count == 1


@given(st.randoms(use_true_random=False), st.integers(1, 9))
def test_processes_may_store_them_in_another_order(shuffle: random.Random, parts: int) -> None:
    told = [*SMOOTH, video(40_000, 0, starved=True, bitrate_kbps=300), video(42_000, 900)]
    expected = Heard().after(told).tally()
    # Nobody is later than LATE_MS, but within it all comes in any order.
    told.sort(key=lambda each: each.at_ms + shuffle.uniform(0, LATE_MS - 1))
    heard = Heard()
    for first in range(0, len(told), parts):
        chunk = told[first : first + parts]
        kept = json.loads(json.dumps(heard.after(chunk).as_json()))
        heard = Heard.of_json(kept)
    assert heard.tally() == expected


def test_what_is_kept_does_not_grow() -> None:
    heard = Heard()
    for n in range(2000):
        heard = heard.after([video(n, 1000)])
    assert len(json.dumps(heard.as_json())) < 30_000
    assert heard.tally().video.count == 2000


@pytest.mark.parametrize("kind", list(Kind))
def test_kept_as_json_and_back(kind: Kind) -> None:
    heard = Heard().after([*SMOOTH, Sample(T + 90_000, kind, None, None, starved=True)])
    assert Heard.of_json(json.loads(json.dumps(heard.as_json()))) == heard
