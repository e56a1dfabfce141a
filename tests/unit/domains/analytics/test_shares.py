import pytest

from telecine import clock
from telecine.domains.analytics import shares
from telecine.domains.analytics.shares import WINDOW_S, Shares


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(clock, "monotonic_s", lambda: now[0])
    return now


def test_so_many_in_a_minute_from_each_address(now: list[float]) -> None:
    limited = Shares(2)
    assert [limited.take("203.0.113.9") for _ in range(4)] == [True, True, False, False]
    assert limited.take("203.0.113.10")
    now[0] += WINDOW_S - 1
    assert not limited.take("203.0.113.9")
    now[0] += 1
    assert limited.take("203.0.113.9")


def test_a_network_of_ipv6_is_one_address(now: list[float]) -> None:
    limited = Shares(1)
    assert limited.take("2001:db8:0:1::1")
    assert not limited.take("2001:db8:0:1:ffff::2")
    assert limited.take("2001:db8:0:2::1")
    assert limited.take("fe80::1%eth0")
    assert [limited.take("::no::address") for _ in range(2)] == [True, False]


def test_without_a_limit_nothing_is_counted(now: list[float]) -> None:
    free = Shares(None)
    assert all(free.take("203.0.113.9") for _ in range(1000))


def test_what_is_counted_does_not_grow_for_ever(
    now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares, "_MOST", 3)
    limited = Shares(1)
    assert all(limited.take(f"203.0.113.{n}") for n in range(10))
    assert limited.take("203.0.113.1")
