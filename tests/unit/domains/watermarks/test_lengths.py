import re
from fractions import Fraction

import pytest

from telecine.domains.watermarks import lengths
from telecine.pipeline.watermark import Length, Watermark


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("0px", Length(value=Fraction(0), percent=False)),
        ("10px", Length(value=Fraction(10), percent=False)),
        ("12.5px", Length(value=Fraction(25, 2), percent=False)),
        ("5%", Length(value=Fraction(5), percent=True)),
        ("33.333%", Length(value=Fraction(33_333, 1000), percent=True)),
        ("initial", None),
    ],
)
def test_what_lengths_mean(text: str, length: Length | None) -> None:
    assert lengths.length(text) == length
    assert re.fullmatch(lengths.SIZE, text)


@pytest.mark.parametrize(
    "text",
    ["", "10", "px", "%", "-1px", "+1px", "1 px", "10em", "10000px", "1.px", ".5%", "1e3px",
     "10PX", "10px ", "10px;20px", "٣px", "auto", "1.2345px", "nan%"],
)  # fmt: skip
def test_what_is_no_length(text: str) -> None:
    for pattern in (lengths.LENGTH, lengths.SIZE, lengths.OPACITY):
        assert re.fullmatch(pattern, text, re.ASCII) is None


@pytest.mark.parametrize(
    ("text", "allowed"),
    [("0%", True), ("70%", True), ("99.9%", True), ("100%", True), ("100.0%", True),
     ("101%", False), ("100.1%", False), ("50px", False), ("initial", False)],
)  # fmt: skip
def test_opacity_is_at_most_all(text: str, *, allowed: bool) -> None:
    assert bool(re.fullmatch(lengths.OPACITY, text)) is allowed


def test_only_sizes_can_be_the_pictures_own() -> None:
    assert re.fullmatch(lengths.LENGTH, "initial") is None


def test_a_stored_wish_is_what_the_pipeline_draws() -> None:
    stored = {"id": "watermark_1", "key": "k", "width_px": 300, "height_px": 200}
    plain = Watermark(picture_width_px=300, picture_height_px=200)
    assert lengths.watermark(stored) == plain
    wish = {"top": "10px", "right": "5%", "width": "initial", "height": "20%", "opacity": "70%"}
    assert lengths.watermark({**stored, **wish}) == Watermark(
        picture_width_px=300,
        picture_height_px=200,
        top=Length(value=Fraction(10), percent=False),
        right=Length(value=Fraction(5), percent=True),
        height=Length(value=Fraction(20), percent=True),
        opacity_percent=Fraction(70),
    )
