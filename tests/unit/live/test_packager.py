"""Encoders of all kinds against the rules of playlists: no sockets, no clocks."""

import itertools
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telecine.delivery.live_playlists import Rendered
from telecine.formats.errors import FormatError
from telecine.formats.flv.packets import Coded, Config, Packet
from telecine.formats.hls.check_live import check_live, check_live_update
from telecine.formats.mp4.multitrack import whole_fragments
from telecine.live.model import Ended, Init, Output, Part, SegmentEnd, Targets
from telecine.live.packager import Packager
from telecine.live.window import Window

AVCC = bytes.fromhex("0142c00dffe100176742c00dda05067e7c0440000003004000000f03c50aa801000468ce0fc8")
ASC = bytes.fromhex("1190")
VIDEO, AUDIO = Config(True, 0, "avc1", AVCC), Config(False, 0, "mp4a", ASC)

Sent = tuple[int, Packet]


def pictures(
    rate_hz: float, seconds: float, *, gop_s: float = 2, from_ms: int = 0, reorder: bool = False
) -> list[Sent]:
    """Return pictures with the milliseconds that encoders round to."""
    gop = round(gop_s * rate_hz)
    offsets = (66, 133, 33, 0) if reorder else (0,)
    return [
        (
            from_ms + round(n * 1000 / rate_hz),
            Coded(
                True,
                0,
                "avc1",
                n % gop == 0,
                66 if n % gop == 0 else offsets[n % len(offsets)],
                b"p",
            ),
        )
        for n in range(round(rate_hz * seconds))
    ]


def sounds(seconds: float, *, from_ms: int = 0) -> list[Sent]:
    count = round(seconds * 48000 / 1024)
    return [
        (from_ms + round(n * 1024 / 48), Coded(False, 0, "mp4a", True, 0, b"s"))
        for n in range(count)
    ]


def merged(*streams: Iterable[Sent]) -> list[Sent]:
    return sorted(itertools.chain(*streams), key=lambda each: each[0])


def run(packager: Packager, sent: Iterable[Sent]) -> list[Output]:
    return [
        output
        for time_ms, packet in sent
        for output in packager.push(time_ms, packet, 1_000_000 + time_ms)
    ]


def checked(outputs: Iterable[Output]) -> Window:
    """Return the window that comes of it; every playlist on the way obeys the rules."""
    window, rendered, before = Window("0" * 12, 20_000), Rendered(), None
    for output in outputs:
        window.take(output)
        if not window.playable or isinstance(output, Init | Targets):
            continue
        text = rendered.body(window, skip=False, coding=None, public_id="li1").decode()
        assert check_live(text) == []
        assert (
            check_live(rendered.body(window, skip=True, coding=None, public_id="li1").decode())
            == []
        )
        assert before is None or check_live_update(before, text) == []
        before = text
    assert before is not None, "nothing could be played"
    return window


def parts(outputs: Iterable[Output]) -> list[Part]:
    return [output for output in outputs if isinstance(output, Part)]


@pytest.mark.parametrize("rate_hz", [23.976, 25, 29.97, 60, 5])
@pytest.mark.parametrize("gop_s", [1, 2])
def test_any_frame_rate_obeys_the_rules(rate_hz: float, gop_s: float) -> None:
    packager = Packager(200)
    sent = merged(pictures(rate_hz, 12, gop_s=gop_s), sounds(12))
    outputs = run(packager, [(0, VIDEO), (0, AUDIO), *sent])
    window = checked([*outputs, *packager.end()])
    assert window.ended
    assert window.discontinuities_gone == 0
    assert sum(part.duration_ms for part in parts(outputs)) == pytest.approx(12_000, abs=400)


def test_each_segment_begins_with_a_key_frame() -> None:
    outputs = run(Packager(200), [(0, VIDEO), (0, AUDIO), *pictures(30, 9), *sounds(1)])
    firsts = [part for part in parts(outputs) if part.number == 0]
    assert len(firsts) >= 4
    assert all(part.independent for part in firsts)
    ends = [output.msn for output in outputs if isinstance(output, SegmentEnd)]
    assert ends == list(range(len(ends)))


def test_long_distances_between_key_frames_are_cut_all_the_same() -> None:
    sent = [*pictures(30, 4), *pictures(30, 9, gop_s=30, from_ms=4000)]
    window = checked(run(Packager(200), [(0, VIDEO), (0, AUDIO), *merged(sent, sounds(13))]))
    assert max(segment.duration_ms for segment in window.segments) < 2500


def test_sound_alone() -> None:
    packager = Packager(200)
    packager.expect(video=False, audio=True, size_px=(0, 0))
    window = checked(run(packager, [(0, AUDIO), *sounds(12)]))
    assert window.inits[0].codecs == "mp4a.40.2"


@pytest.mark.parametrize("told", [True, False])
def test_pictures_alone(told: bool) -> None:
    packager = Packager(200)
    if told:
        packager.expect(video=True, audio=False, size_px=(0, 0))
    window = checked(run(packager, [(0, VIDEO), *pictures(30, 12)]))
    assert window.inits[0].codecs == "avc1.42c00d"


def test_the_configuration_of_the_sound_is_waited_for() -> None:
    sent = merged(pictures(30, 12), [(200, AUDIO)], sounds(11, from_ms=210))
    outputs = run(Packager(200), [(0, VIDEO), *sent])
    inits = [output for output in outputs if isinstance(output, Init)]
    assert [init.codecs for init in inits] == ["avc1.42c00d,mp4a.40.2"]


def test_frames_that_are_shown_in_another_order() -> None:
    checked(run(Packager(200), [(0, VIDEO), *pictures(30, 12, reorder=True)]))


@pytest.mark.parametrize("jump_ms", [3_600_000, -2_000, 5_000, 0xFFFFFFFF - 9_000])
def test_a_clock_that_jumps_makes_a_discontinuity(jump_ms: int) -> None:
    first = merged(pictures(30, 8), sounds(8))
    second = [
        ((time + 8000 + jump_ms) & 0xFFFFFFFF, packet)
        for time, packet in merged(pictures(30, 12), sounds(12))
    ]
    outputs = run(Packager(200), [(0, VIDEO), (0, AUDIO), *first, *second])
    checked(outputs)
    broken = {part.msn for part in parts(outputs) if part.discontinuity}
    assert len(broken) == 1
    total = sum(part.duration_ms for part in parts(outputs))
    assert total == pytest.approx(20_000, abs=2_400)


def test_a_clock_that_wraps_around_goes_on() -> None:
    begin = 0xFFFFFFFF - 5000
    sent = [((time + begin) & 0xFFFFFFFF, packet) for time, packet in pictures(30, 12)]
    outputs = run(Packager(200), [(0, VIDEO), *sent])
    assert not any(part.discontinuity for part in parts(outputs))


def test_who_comes_back_continues_behind_a_discontinuity() -> None:
    packager = Packager(200)
    outputs = run(packager, [(0, VIDEO), (0, AUDIO), *merged(pictures(30, 9), sounds(9))])
    outputs += packager.interrupt()
    outputs += run(packager, [(0, VIDEO), (0, AUDIO), *merged(pictures(30, 9), sounds(9))])
    checked(outputs)
    numbers = [part.msn for part in parts(outputs)]
    assert numbers == sorted(numbers)
    assert len({part.msn for part in parts(outputs) if part.discontinuity}) == 1
    assert len([output for output in outputs if isinstance(output, Init)]) == 1


def test_the_parts_of_an_event_are_one_file() -> None:
    packager = Packager(200)
    sent = [(0, VIDEO), (0, AUDIO), *merged(pictures(30, 9), sounds(9))]
    outputs = [*run(packager, sent), *packager.interrupt(), *run(packager, sent), *packager.end()]
    assert isinstance(outputs[-1], Ended)
    file = b"".join(each.data for each in outputs if isinstance(each, Init | Part))
    whole = whole_fragments(file)
    assert whole.size_bytes == len(file)
    assert whole.duration_s == pytest.approx(18, abs=0.3)
    cut = whole_fragments(file[:-10])
    assert cut.size_bytes == len(file) - len(parts(outputs)[-1].data)


def test_another_size_is_another_init_segment() -> None:
    other = bytes.fromhex(
        "0142c01effe100196742c01eda0280bfe5c044000003000400000300f03c58ba8001000468ce0fc8"
    )
    packager = Packager(200)
    outputs = run(packager, [(0, VIDEO), *pictures(30, 8)])
    outputs += run(packager, [(8000, Config(True, 0, "avc1", other))])
    outputs += run(packager, pictures(30, 8, from_ms=8000))
    window = checked(outputs)
    assert len(window.inits) == 2
    assert window.inits[0].width_px != window.inits[1].width_px


def test_sound_of_a_codec_whose_configuration_has_not_come_is_left_out() -> None:
    sent = [(0, VIDEO), (0, AUDIO), *merged(pictures(30, 4), sounds(4))]
    other = [(40 * n, Coded(False, 0, "Opus", True, 0, b"\xfcother")) for n in range(100)]
    assert run(Packager(200), merged(sent, other)) == run(Packager(200), sent)


def test_codecs_that_no_player_knows_are_refused() -> None:
    with pytest.raises(FormatError, match="vvc1"):
        run(Packager(200), [(0, Config(True, 0, "vvc1", bytes(30)))])
    with pytest.raises(FormatError, match="mp3"):
        run(Packager(200), [(0, Config(False, 0, ".mp3", b""))])


def uneven(lengths_ms: Iterable[int], *, gop: int = 30) -> list[Sent]:
    """Return pictures that last so long, one after the other."""
    times = itertools.accumulate(lengths_ms, initial=0)
    return [(time_ms, Coded(True, 0, "avc1", n % gop == 0, 0, b"p"))
            for n, time_ms in enumerate(times)]  # fmt: skip


@pytest.mark.parametrize("sounding", [True, False])
@settings(max_examples=6, deadline=None)
@given(lengths=st.lists(st.sampled_from([16, 33, 34, 100, 333, 500, 1900]), min_size=40,
                        max_size=60), gop=st.sampled_from([7, 30]))  # fmt: skip
def test_pictures_may_last_for_any_time(lengths: list[int], gop: int, sounding: bool) -> None:
    packager = Packager(200)
    packager.expect(video=True, audio=sounding, size_px=(0, 0))
    total_s = sum(lengths) / 1000
    sent = merged(uneven(lengths, gop=gop), sounds(total_s) if sounding else [])
    configs: list[Sent] = [(0, VIDEO), (0, AUDIO)] if sounding else [(0, VIDEO)]
    outputs = [*run(packager, [*configs, *sent]), *packager.end()]
    checked(outputs)
    lasting = sum(part.duration_ms for part in parts(outputs)) / 1000
    assert lasting == pytest.approx(total_s, abs=2)


def test_a_screen_that_stands_still_keeps_its_sound() -> None:
    packager = Packager(200)
    sent = merged(uneven([33] * 60 + [700] * 6), sounds(6.2))
    outputs = [*run(packager, [(0, VIDEO), (0, AUDIO), *sent]), *packager.end()]
    checked(outputs)
    durations = {part.duration_ms for part in parts(outputs)[11:-1]}
    assert max(durations) <= 203
    whole = whole_fragments(b"".join(part.data for part in parts(outputs)))
    assert whole.size_bytes == sum(len(part.data) for part in parts(outputs))


def test_sound_may_come_as_late_as_was_told() -> None:
    packager = Packager(200)
    packager.expect(video=True, audio=True, size_px=(0, 0), wait_ms=2000)
    sent = [
        (0, VIDEO),
        *pictures(30, 1.5),
        (0, AUDIO),
        *sounds(1.5),
        *pictures(30, 2, from_ms=1500),
    ]
    inits = [each for each in run(packager, sent) if isinstance(each, Init)]
    assert [each.codecs for each in inits] == ["avc1.42c00d,mp4a.40.2"]


def test_pictures_of_vp9_are_as_large_as_their_key_frames_say() -> None:
    packager = Packager(200)
    config = Config(True, 0, "vp09", bytes.fromhex("0014810202020000"))
    packager.expect(video=True, audio=True, size_px=(0, 0))

    def shown(from_ms: int, key: str) -> list[Sent]:
        head = bytes.fromhex(key)
        return [
            (at, replace(each, codec="vp09", data=head if each.key else b"p"))
            for at, each in pictures(30, 3, gop_s=1, from_ms=from_ms)
            if isinstance(each, Coded)
        ]

    small, large = "824983420013f00b360438241c", "824983420027f016760438241c"
    sent = [
        (0, config),
        (0, AUDIO),
        *merged(shown(0, small), sounds(3)),
        (3000, config),  # once more, of which nothing comes
        *merged(shown(3000, large), sounds(3, from_ms=3000)),
    ]
    outputs = [*run(packager, sent), *packager.end()]
    inits = [(each.width_px, each.height_px) for each in outputs if isinstance(each, Init)]
    assert inits == [(320, 180), (640, 360)]
    breaks = [part.msn for part in parts(outputs) if part.discontinuity and not part.number]
    assert breaks == [3]
    checked(outputs)
