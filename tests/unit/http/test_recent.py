import pytest

from telecine import clock
from telecine.http.recent import Recent


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(clock, "monotonic_s", lambda: now[0])
    return now


def test_an_entry_is_forgotten_when_its_time_is_over(now: list[float]) -> None:
    recent: Recent[str, int] = Recent(1.0, max_entries=10)
    recent.put("long", 1)
    recent.put("short", 2, ttl_s=0.5)
    recent.put("never longer", 3, ttl_s=9)
    assert [recent.get(key) for key in ("long", "short", "other")] == [1, 2, None]
    now[0] += 0.6
    assert [recent.get(key) for key in ("long", "short")] == [1, None]
    now[0] += 0.5
    assert [recent.get(key) for key in ("long", "never longer")] == [None, None]


def test_it_never_holds_more_than_it_may(now: list[float]) -> None:
    recent: Recent[int, int] = Recent(1.0, max_entries=3)
    for key in range(10):
        recent.put(key, key)
        assert sum(recent.get(each) is not None for each in range(10)) <= 3
    assert recent.get(9) == 9
