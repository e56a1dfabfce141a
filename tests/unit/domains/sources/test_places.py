import pytest

from telecine.domains.sources.models import Mode
from telecine.domains.sources.places import ENDLESS, Place, place_of


@pytest.mark.parametrize(
    ("mode", "number", "length", "unit", "place"),
    [
        (Mode.BYTES, 7, 3, None, Place(7, 10)),
        (Mode.BYTES, 7, None, None, Place(7, ENDLESS)),
        (Mode.PARTS, 1, None, None, Place(0, ENDLESS)),
        (Mode.PARTS, 2, None, None, None),
        (Mode.PARTS, 1, None, 10, Place(0, 10)),
        (Mode.PARTS, 3, None, 10, Place(20, 30)),
    ],
)
def test_places(
    mode: Mode, number: int, length: int | None, unit: int | None, place: Place | None
) -> None:
    assert place_of(mode, number, length, unit) == place


def test_places_of_parts_lie_side_by_side() -> None:
    places = [place_of(Mode.PARTS, number, None, 10) for number in (1, 2, 3)]
    assert [(p.start, p.end, p.room_bytes) for p in places if p] == [
        (0, 10, 10),
        (10, 20, 10),
        (20, 30, 10),
    ]
