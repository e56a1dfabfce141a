"""Who may use the processors of a host, with the clock in our hands."""

from pathlib import Path

import anyio
import pytest

from telecine.ffmpeg.sharing import HostSlots, Precedence
from telecine.ffmpeg.watch import Brake


def test_slots_are_counted_over_all_who_use_the_folder(tmp_path: Path) -> None:
    mine, theirs = HostSlots(tmp_path, 2), HostSlots(tmp_path, 2)
    with mine.one() as first, theirs.one() as second, mine.one() as third:
        assert (first, second, third) == (True, True, False)
    with theirs.one() as again:
        assert again


class Recorded(Brake):
    """Remembers what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.history: list[str] = []

    def hold(self) -> None:
        self.history.append("hold")

    def release(self) -> None:
        self.history.append("release")


class Time:
    """A clock that moves only when somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, until_s: float) -> None:
        self.now_s = 1000.0
        self._until_s = self.now_s + until_s
        self.held_s = 0.0
        monkeypatch.setattr("telecine.clock.monotonic_s", lambda: self.now_s)
        monkeypatch.setattr("asyncio.sleep", self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        if self.now_s >= self._until_s:
            raise anyio.EndOfStream


def watch(precedence: Precedence) -> None:
    with pytest.raises(anyio.EndOfStream):
        anyio.run(precedence.run)


def test_background_stands_still_while_viewers_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Time(monkeypatch, 2)
    brake = Recorded()
    watch(Precedence(tmp_path, brake))
    assert brake.history == ["release"], "nobody waits"
    precedence = Precedence(tmp_path, brake)
    Time(monkeypatch, 2)
    with precedence.claimed():
        watch(precedence)
    assert brake.history == ["release", "hold", "release"]


def test_another_process_of_the_host_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Time(monkeypatch, 1)
    brake = Recorded()
    other = Precedence(tmp_path, Brake())
    with other.claimed():
        watch(Precedence(tmp_path, brake))
    assert brake.history == ["hold", "release"]


def test_background_has_half_of_the_time_even_if_viewers_always_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = Time(monkeypatch, 60)
    holds: list[tuple[str, float]] = []

    class Timed(Brake):
        def hold(self) -> None:
            holds.append(("hold", time.now_s))

        def release(self) -> None:
            holds.append(("release", time.now_s))

    precedence = Precedence(tmp_path, Timed())
    with precedence.claimed():
        watch(precedence)
    held_s = 0.0
    since_s: float | None = None
    for what, at_s in holds:
        if what == "hold":
            since_s = at_s
        elif since_s is not None:
            held_s, since_s = held_s + at_s - since_s, None
    assert 20 <= held_s <= 32
