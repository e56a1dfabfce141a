"""Players' pings when the power is cut: those of the last second may be lost, no older one."""

import itertools
import statistics
import time
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from telecine.db.embedded import running_url
from tests.chaos.conftest import Victim
from tests.fixtures.waiting import PATIENCE_S, until_now

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("own-server")]

LOST_AT_MOST_S = 1.0
ROUNDS = 3
TOLD_FOR_S = 2.5
EVENTS_OF_A_PAGE = 400  # of one playback, 500 are kept


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    victim = Victim(tmp_path_factory.mktemp("pings") / "data", {"TELECINE_API_PROCESSES": "1"})
    yield victim
    victim.stop()


def ping(video_id: str, number: int) -> dict[str, Any]:
    """A batch of one event, whose position is its number."""
    now_ms = time.time_ns() // 1_000_000
    event = {"eat": now_ms, "typ": 2 + number % 2, "vti": number, "pau": number % 2 == 1}
    page = f"page{number // EVENTS_OF_A_PAGE}"
    return {"sat": now_ms, "sid": "tab", "pid": page, "mid": video_id, "ref": "", "eve": [event]}


def stored(victim: Victim) -> set[int]:
    """Return the numbers of the events that are stored."""
    url = running_url(victim.data)
    assert url is not None
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT at_s FROM play_event").fetchall()
    return {round(at_s) for (at_s,) in rows}


def cut_while_told(victim: Victim, video_id: str, numbers: Iterator[int]) -> float:
    """Tell, cut the power, start anew; return how much more than allowed is lost, in seconds.

    Allowed is, besides the documented second, what the machine itself delays: storing is a
    few answers of the database, none slower than the slowest answer to a ping.
    """
    answered: dict[int, float] = {}
    slowest_s = 0.0
    with httpx.Client(base_url=victim.server.base_url, timeout=PATIENCE_S) as player:
        first = next(numbers)
        assert player.post("/watch", json=ping(video_id, first)).status_code == 204
        until_now(lambda: first in stored(victim))  # all is loaded that storing needs
        end_s = time.monotonic() + TOLD_FOR_S
        while (asked_s := time.monotonic()) < end_s:
            number = next(numbers)
            assert player.post("/watch", json=ping(video_id, number)).status_code == 204
            answered[number] = time.monotonic()
            slowest_s = max(slowest_s, answered[number] - asked_s)
        cut_s = time.monotonic()
        victim.kill_everything()
    victim.start()
    kept = stored(victim)
    lost_s = [cut_s - at_s for number, at_s in answered.items() if number not in kept]
    return max(lost_s, default=0.0) - LOST_AT_MOST_S - 3 * slowest_s


def test_a_power_cut_takes_a_second_of_pings_at_most(victim: Victim) -> None:
    made = victim.customer.http.post("/videos", json={"title": "Watched"})
    video_id = made.raise_for_status().json()["videoId"]
    numbers = itertools.count()
    excess_s = [cut_while_told(victim, video_id, numbers) for _ in range(ROUNDS)]
    # Most of the rounds: a machine that is busy may stand still in one of them.
    assert statistics.median(excess_s) <= 0, excess_s
