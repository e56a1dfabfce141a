import numpy as np
import pytest

from telecine.pipeline.first_picture import Luma, look, most_telling

NOISE = np.random.default_rng(3)
HEIGHT_PX, WIDTH_PX = 180, 320


def plain(value: int) -> Luma:
    return np.full((HEIGHT_PX, WIDTH_PX), value, np.uint8)


def blocks(side_px: int, lowest: int = 40, highest: int = 220) -> Luma:
    """Squares of random greys: small ones make a detailed picture."""
    shape = (HEIGHT_PX // side_px + 1, WIDTH_PX // side_px + 1)
    grey = np.kron(NOISE.integers(lowest, highest, shape), np.ones((side_px, side_px)))
    return grey[:HEIGHT_PX, :WIDTH_PX].astype(np.uint8)


def blurred(luma: Luma, times: int) -> Luma:
    values = luma.astype(np.float64)
    for _ in range(times):
        values = (np.roll(values, 1, 0) + np.roll(values, -1, 0) + values) / 3
        values = (np.roll(values, 1, 1) + np.roll(values, -1, 1) + values) / 3
    return values.astype(np.uint8)


def grainy(value: int) -> Luma:
    return np.clip(plain(value) + NOISE.normal(0, 4, (HEIGHT_PX, WIDTH_PX)), 0, 255).astype(
        np.uint8
    )


SHARP = blocks(8)


@pytest.mark.parametrize(
    ("pictures", "chosen"),
    [
        ([SHARP], 0),
        ([SHARP, blocks(8), blocks(8)], 0),
        ([plain(0), SHARP, blocks(8)], 1),
        ([plain(255), SHARP], 1),
        ([grainy(18), grainy(128), SHARP], 2),  # grain is no detail
        ([blurred(SHARP, 40), SHARP], 1),
        ([blurred(SHARP, 40), blurred(SHARP, 8), SHARP, blocks(8)], 2),
        ([plain(0), blurred(SHARP, 40), blurred(SHARP, 39)], 1),  # never sharper than this
        ([plain(0), plain(0)], 0),
        ([plain(3), grainy(20), plain(3)], 1),  # night: the one with something in it
        ([], 0),
    ],
)
def test_the_first_that_tells_something_is_shown(pictures: list[Luma], chosen: int) -> None:
    assert most_telling([look(luma) for luma in pictures]) == chosen


def test_a_darker_sharp_picture_wins_over_a_brighter_blurred_one() -> None:
    dim = (SHARP / 3).astype(np.uint8)
    assert most_telling([look(blurred(SHARP, 60)), look(dim)]) == 1
