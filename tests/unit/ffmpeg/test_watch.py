"""The clocks of a run, on a clock that only these tests move."""

import anyio
import pytest

from telecine import clock
from telecine.ffmpeg.errors import RunnerError
from telecine.ffmpeg.watch import Limits, Watch

pytestmark = pytest.mark.anyio

LIMITS = Limits(cpu_s=1, memory_bytes=1 << 30, wall_s=100.0, stall_s=10.0)


class HandClock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    hand = HandClock()
    monkeypatch.setattr(clock, "monotonic_s", hand)
    return hand


async def reason(watch: Watch) -> str | None:
    """Return why the watch would end the run now, or None."""
    with anyio.move_on_after(0):
        try:
            await watch.enforce()
        except RunnerError as error:
            return error.reason
    return None


async def test_silence_is_a_stall(hand: HandClock) -> None:
    watch = Watch(LIMITS)
    hand.now_s += 9
    assert await reason(watch) is None
    hand.now_s += 1
    assert await reason(watch) == "stalled"


async def test_a_sign_of_life_starts_over(hand: HandClock) -> None:
    watch = Watch(LIMITS)
    hand.now_s += 9
    watch.touch()
    hand.now_s += 9
    assert await reason(watch) is None


async def test_waiting_for_us_is_no_stall(hand: HandClock) -> None:
    watch = Watch(LIMITS)
    with watch.our_turn():
        hand.now_s += 50
        assert await reason(watch) is None
    hand.now_s += 9
    assert await reason(watch) is None


async def test_the_wall_limit_holds_whoever_waits(hand: HandClock) -> None:
    watch = Watch(LIMITS)
    with watch.our_turn():
        hand.now_s += 100
        assert await reason(watch) == "wall-limit"


async def test_time_under_the_brake_does_not_count(hand: HandClock) -> None:
    watch = Watch(LIMITS)
    hand.now_s += 9
    watch.brake()
    hand.now_s += 500
    assert await reason(watch) is None
    watch.release()
    assert await reason(watch) is None
    hand.now_s += 1
    assert await reason(watch) == "stalled"
