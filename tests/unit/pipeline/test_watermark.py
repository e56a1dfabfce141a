from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.pipeline.codec import plan_from_json, plan_to_json
from telecine.pipeline.plan import PlanOptions, passthrough_obstacles, plan
from telecine.pipeline.watermark import Length, Placement, Watermark, place
from tests.unit.pipeline import sources

SOURCE = (1920, 1080)


def length(text: str) -> Length:
    number, unit = (text[:-1], "%") if text.endswith("%") else (text[:-2], "px")
    return Length(value=Fraction(number), percent=unit == "%")


def watermark(**wishes: Any) -> Watermark:
    """Of a picture of 200 x 100."""
    facts: dict[str, Any] = {
        name: length(wish) if isinstance(wish, str) else wish for name, wish in wishes.items()
    }
    return Watermark(picture_width_px=200, picture_height_px=100, **facts)


def at(rendition: tuple[int, int] = SOURCE, /, **wishes: str) -> tuple[int, int, int, int]:
    found = place(watermark(**wishes), SOURCE, rendition)
    assert found is not None
    return found.x, found.y, found.width_px, found.height_px


@pytest.mark.parametrize(
    ("wishes", "rectangle"),
    [
        ({}, (860, 490, 200, 100)),  # in the middle, at its own size
        ({"top": "0px", "left": "0px"}, (0, 0, 200, 100)),
        ({"top": "10px", "left": "20px"}, (20, 10, 200, 100)),
        ({"bottom": "10px", "right": "20px"}, (1700, 970, 200, 100)),
        ({"top": "10%", "left": "10%"}, (192, 108, 200, 100)),
        ({"bottom": "10%", "right": "10%"}, (1528, 872, 200, 100)),
        ({"top": "10px", "bottom": "0px", "left": "5px", "right": "0px"}, (5, 10, 200, 100)),
        ({"top": "10px"}, (860, 10, 200, 100)),  # the other axis stays in the middle
        ({"right": "0px"}, (1720, 490, 200, 100)),
        ({"width": "100px"}, (910, 515, 100, 50)),
        ({"height": "200px"}, (760, 440, 400, 200)),
        ({"width": "10%"}, (864, 492, 192, 96)),
        ({"height": "10%"}, (852, 486, 216, 108)),
        ({"width": "100px", "height": "100px"}, (910, 490, 100, 100)),
        ({"width": "50%", "height": "50%"}, (480, 270, 960, 540)),
        ({"width": "33.5%", "left": "0%", "top": "0%"}, (0, 0, 643, 322)),
        ({"width": "200%"}, (-960, -420, 3840, 1920)),
        ({"left": "1900px", "top": "0px"}, (1900, 0, 200, 100)),
    ],
)
def test_rules_of_position_and_size(
    wishes: dict[str, str], rectangle: tuple[int, int, int, int]
) -> None:
    assert at(**wishes) == rectangle


def test_pixels_are_those_of_the_source() -> None:
    wishes = {"bottom": "30px", "right": "60px", "width": "300px"}
    assert at((1920, 1080), **wishes) == (1560, 900, 300, 150)
    assert at((1280, 720), **wishes) == (1040, 600, 200, 100)
    assert at((640, 360), **wishes) == (520, 300, 100, 50)


def test_what_touches_an_edge_does_so_at_every_size() -> None:
    for rendition in ((1920, 1080), (854, 480), (426, 240)):
        x, y, width, height = at(rendition, bottom="0px", right="0px")
        assert (x + width, y + height) == rendition


def test_a_small_picture_is_never_less_than_a_pixel() -> None:
    assert at((426, 240), width="1px", top="0px", left="0px") == (0, 0, 1, 1)


@pytest.mark.parametrize(
    "wishes",
    [
        {"opacity_percent": Fraction(0)},
        {"width": "0px"},
        {"height": "0%"},
        {"left": "1920px"},
        {"left": "100%"},
        {"bottom": "100%"},
        {"right": "2000px", "width": "10px"},
    ],
)
def test_what_nobody_would_see_is_not_drawn(wishes: dict[str, Any]) -> None:
    assert place(watermark(**wishes), SOURCE, SOURCE) is None


@given(
    *(st.integers(1, 9999) for _ in range(4)),
    st.sampled_from(["px", "%"]),
    st.sampled_from([(1920, 1080), (8192, 4320), (2, 2), (1081, 1919)]),
)
def test_no_wish_makes_a_picture_that_takes_memory_without_end(
    width: int, height: int, own_width: int, own_height: int, unit: str, source: tuple[int, int]
) -> None:
    wanted = Watermark(
        picture_width_px=own_width,
        picture_height_px=own_height,
        width=length(f"{width}{unit}"),
        height=length(f"{height}{unit}"),
    )
    found = place(wanted, source, source)
    assert isinstance(found, Placement)
    assert max(found.width_px, found.height_px) <= 8193


def test_a_watermarked_video_is_never_copied_and_its_plan_survives_storage() -> None:
    source = sources.probe(sources.video(), sources.audio())
    options = PlanOptions(watermarks=(watermark(top="5%", right="12.5px"), watermark()))
    assert passthrough_obstacles(source, options) == ("watermark",)
    made = plan(source, options)
    assert not any(rendition.passthrough for rendition in made.renditions)
    assert made.audio is not None
    assert made.audio.passthrough  # the sound is as it was
    assert made.watermarks == options.watermarks
    assert plan_from_json(plan_to_json(made)) == made
