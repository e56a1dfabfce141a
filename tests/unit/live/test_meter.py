from telecine.live.meter import Meter


def test_rates_are_those_of_the_last_whole_seconds() -> None:
    meter = Meter()
    assert meter.rates(100.5) == (0, 0.0)
    for frame in range(30 * 20):
        meter.take(100 + frame / 30, 1000, pictures=1)
    assert meter.rates(120.0) == (240_000, 30.0)
    assert meter.rates(125.0) == (120_000, 15.0)  # silent for five of ten seconds
    assert meter.rates(140.0) == (0, 0.0)


def test_the_distance_of_key_frames_survives_a_jump_backwards() -> None:
    meter = Meter()
    for time_ms in (0, 2000, 500):
        meter.key(time_ms)
    assert meter.key_distance_ms == 2000
