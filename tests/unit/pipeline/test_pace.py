"""Which renditions a machine makes as fast as they are watched."""

from telecine.pipeline.pace import in_time, needed_px_per_s
from telecine.pipeline.plan import PlanOptions, plan
from tests.unit.pipeline import sources

FILM = plan(sources.probe(sources.video(1920, 1080)), PlanOptions())
SOURCE_PX_PER_S = 1920 * 1080 * 30


def names(px_per_s: int | None) -> list[str]:
    return [each.name for each in FILM.renditions if in_time(FILM, each, px_per_s)]


def test_what_a_rendition_takes_grows_with_its_own_pictures_and_the_sources() -> None:
    highest = FILM.renditions[-1]
    assert needed_px_per_s(FILM, highest) == SOURCE_PX_PER_S * 5 // 4 * 6 // 5
    lowest = FILM.renditions[0]
    share = needed_px_per_s(FILM, lowest) / (SOURCE_PX_PER_S // 4)
    assert 1.2 < share < 1.5  # decoding a large source is most of it


def test_a_slow_machine_promises_less() -> None:
    assert names(None) == [each.name for each in FILM.renditions]
    assert names(SOURCE_PX_PER_S * 2) == names(None)
    assert names(SOURCE_PX_PER_S) == ["240p", "360p", "480p", "720p"]


def test_the_lowest_rung_is_promised_by_any() -> None:
    assert names(1) == ["240p"]
