from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from telecine import clock
from telecine.jobs.presence import Presence
from telecine.jobs.rescue import Keeper

START = datetime(2026, 1, 1, tzinfo=UTC)
KEEP_FINISHED_S = 1234.0


@dataclass
class Connection:
    """Takes the statements of a keeper."""

    said: list[str] = field(default_factory=list)
    purged_by: list[object] = field(default_factory=list)
    """What finished jobs were purged with."""

    rowcount = 0

    def execute(self, query: str, parameters: object) -> "Connection":
        self.said.append(
            "beat" if "INSERT" in query else "purge" if "DELETE" in query else "rescue"
        )
        if "DELETE FROM procrastinate_jobs" in query:
            self.purged_by.append(parameters)
        return self

    def fetchall(self) -> list[Any]:
        return []

    def since(self) -> list[str]:
        said, self.said = self.said, []
        return said


@dataclass
class Loop:
    """An event loop that answers at once, or not at all."""

    stuck: bool = False

    def is_closed(self) -> bool:
        return False

    def call_soon_threadsafe(self, callback: Callable[[], None]) -> None:
        if not self.stuck:
            callback()


class Bench:
    """A keeper whose time passes when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        monkeypatch.setattr(clock, "now", lambda: START + timedelta(seconds=self.now_s))
        monkeypatch.setattr(clock, "monotonic_s", lambda: self.now_s)
        self.connection = Connection()
        self.loop = Loop()
        presence = Presence(lambda: [1], {})
        self.keeper = Keeper("", self.loop, presence, 4, KEEP_FINISHED_S)  # type: ignore[arg-type]

    def after(self, seconds: float) -> list[str]:
        self.now_s += seconds
        self.keeper._beat(self.connection)  # type: ignore[arg-type]
        return self.connection.since()


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def test_it_beats_first_and_rescues_then(bench: Bench) -> None:
    assert bench.after(0) == ["beat", "rescue"]
    assert bench.after(1) == ["beat", "rescue"]


def test_after_a_pause_others_may_show_first_that_they_live(bench: Bench) -> None:
    bench.after(0)
    assert [bench.after(seconds) for seconds in (60, 1, 1, 1)] == [["beat"]] * 4
    assert bench.after(1) == ["beat", "rescue"]


def test_a_stuck_loop_ends_the_signs_but_not_the_rescue(bench: Bench) -> None:
    bench.after(0)
    bench.loop.stuck = True
    assert bench.after(1) == ["beat", "rescue"]
    for _ in range(60):
        said = bench.after(1)
    assert said == ["rescue"]
    bench.loop.stuck = False
    assert bench.after(1) == ["beat", "rescue"]


def test_ended_jobs_are_purged_by_the_hour(bench: Bench) -> None:
    said = [bench.after(1) for _ in range(7300)]
    assert sum("purge" in words for words in said) == 2
    assert bench.connection.purged_by == [{"keep_s": KEEP_FINISHED_S}] * 2
