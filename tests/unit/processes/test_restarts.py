from telecine.processes.restarts import Restarts


def test_waits_double_up_to_five_seconds() -> None:
    lives = Restarts()
    waits = [lives.delay_s(started, started + 1) for started in range(0, 1000, 100)]
    assert waits[:7] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0]
    assert waits[-1] == 5.0


def test_a_long_life_starts_anew() -> None:
    lives = Restarts()
    assert lives.delay_s(0, 1) == 0.1
    assert lives.delay_s(100, 101) == 0.2
    assert lives.delay_s(200, 210) == 0.1


def test_five_deaths_within_a_minute_are_the_end() -> None:
    lives = Restarts()
    assert [lives.delay_s(died - 1, died) for died in (0, 15, 30, 45)] == [0.1, 0.2, 0.4, 0.8]
    assert lives.delay_s(59, 60) is None


def test_five_deaths_in_more_than_a_minute_are_not() -> None:
    lives = Restarts()
    waits = [lives.delay_s(died - 1, died) for died in (0, 15, 30, 45, 61, 76)]
    assert None not in waits
