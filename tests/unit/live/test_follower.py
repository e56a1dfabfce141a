"""A rendition has the segments of its source, whatever happens to the encoder."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from telecine.formats.flv.packets import Coded
from telecine.live.follower import Follower
from telecine.live.model import Output, Part, Targets
from telecine.live.packager import Packager
from tests.unit.live.test_packager import (
    AUDIO,
    VIDEO,
    Sent,
    checked,
    merged,
    pictures,
    run,
    sounds,
)


class Pair:
    """A packager, and a follower of what a transcoder makes of the same pictures."""

    def __init__(self) -> None:
        self.source, self.follower = Packager(200), Follower(200)
        self.sourced: list[Output] = []
        self.followed: list[Output] = []
        self._begun: object = None
        run(self.source, [(0, VIDEO), (0, AUDIO)])
        run(self.follower, [(0, VIDEO), (0, AUDIO)])

    def send(self, sent: Sequence[Sent]) -> None:
        for time_ms, packet in sent:
            made = [*self.source.push(time_ms, packet, 5000 + time_ms)]
            self.sourced += made
            for output in made:
                if isinstance(output, Targets):
                    self.follower.adopt(output)
                    self.followed.append(output)
            if self.source.begun is not self._begun:
                self._begun = self.source.begun
                assert self.source.begun is not None
                self.follower.follow(self.source.begun)
        # Without reordering, as its times are those at which pictures are shown.
        shown = [
            (time_ms + each.offset_ms, replace(each, offset_ms=0))
            for time_ms, each in sent
            if isinstance(each, Coded)
        ]
        self.followed += run(self.follower, sorted(shown, key=lambda each: each[0]))

    def end(self) -> None:
        self.sourced += self.source.end()
        self.followed += self.follower.end()


def segments(outputs: Sequence[Output]) -> dict[int, tuple[int, bool, int]]:
    """Return the length, break and time of reception of each segment."""
    found: dict[int, tuple[int, bool, int]] = {}
    for part in outputs:
        if isinstance(part, Part):
            length_ms, *_ = found.get(part.msn, (0,))
            found[part.msn] = (length_ms + part.duration_ms, part.discontinuity, part.received_ms)
    return found


@pytest.mark.parametrize("reorder", [False, True])
@pytest.mark.parametrize("rate_hz", [25, 30])
def test_segments_are_those_of_the_source(rate_hz: float, reorder: bool) -> None:
    pair = Pair()
    pair.send(merged(pictures(rate_hz, 12, gop_s=2, reorder=reorder), sounds(12)))
    pair.end()
    checked(pair.followed)
    source, followed = segments(pair.sourced), segments(pair.followed)
    last = max(source)
    assert followed.keys() == source.keys()
    for msn in range(last):
        assert followed[msn][1:] == source[msn][1:]
        # Some reordered pictures of these are shown at the same time.
        assert followed[msn][0] == pytest.approx(source[msn][0], abs=70 if reorder else 1)


def test_a_break_of_the_source_is_a_break_at_the_same_number() -> None:
    pair = Pair()
    pair.send(merged(pictures(30, 5, gop_s=1), sounds(5)))
    pair.sourced += pair.source.interrupt()
    pair.send(merged(pictures(30, 5, gop_s=1, from_ms=5033), sounds(5, from_ms=5033)))
    pair.end()
    checked(pair.followed)
    source, followed = segments(pair.sourced), segments(pair.followed)
    assert [msn for msn, each in source.items() if each[1]] == [5]
    assert {msn: each[1] for msn, each in followed.items()} == {
        msn: each[1] for msn, each in source.items()
    }


def test_it_begins_with_a_segment_of_the_source_not_with_any_key_frame() -> None:
    pair = Pair()
    half = pictures(30, 8, gop_s=0.5)  # every second key frame begins a segment
    kept = pair.follower
    pair.follower = Follower(200)
    pair.send(half[:45])
    pair.follower = kept
    assert pair.source.begun is not None
    pair.follower.follow(pair.source.begun)
    pair.send(half[45:])
    pair.end()
    followed = segments(pair.followed)
    assert min(followed) == pair.source.begun.msn - len(followed) + 1
    assert followed.keys() <= segments(pair.sourced).keys()
