"""Levels of HEVC (Rec. ITU-T H.265, tables A.8 and A.9) for Main profile, Main tier."""

from dataclasses import dataclass
from fractions import Fraction
from math import sqrt

CODED_UNIT_PX = 8
"""Sides are coded as multiples of the smallest coding block."""


@dataclass(frozen=True, slots=True)
class Level:
    """One row: luma samples of a picture and of a second, kbit/s and kbit of the buffer."""

    idc: int  # 30 times the number: 93 for level 3.1
    max_picture: int
    max_rate: int
    max_kbit: int


LEVELS = (
    Level(30, 36_864, 552_960, 128),
    Level(60, 122_880, 3_686_400, 1_500),
    Level(63, 245_760, 7_372_800, 3_000),
    Level(90, 552_960, 16_588_800, 6_000),
    Level(93, 983_040, 33_177_600, 10_000),
    Level(120, 2_228_224, 66_846_720, 12_000),
    Level(123, 2_228_224, 133_693_440, 20_000),
    Level(150, 8_912_896, 267_386_880, 25_000),
    Level(153, 8_912_896, 534_773_760, 40_000),
    Level(156, 8_912_896, 1_069_547_520, 60_000),
    Level(180, 35_651_584, 1_069_547_520, 60_000),
    Level(183, 35_651_584, 2_139_095_040, 120_000),
    Level(186, 35_651_584, 4_278_190_080, 240_000),
)


def level_for(
    width_px: int, height_px: int, rate_hz: Fraction, max_rate_bps: int, buffer_bits: int
) -> int:
    """Return the `general_level_idc` of the lowest level that such a stream obeys.

    Raises:
        ValueError: no level allows it.
    """
    across, down = (-(-side // CODED_UNIT_PX) * CODED_UNIT_PX for side in (width_px, height_px))
    kbit = max(max_rate_bps, buffer_bits) / 1000
    for level in LEVELS:
        longest = sqrt(8 * level.max_picture)  # A.4.1
        if (
            across * down <= level.max_picture
            and max(across, down) <= longest
            and across * down * rate_hz <= level.max_rate
            and kbit <= level.max_kbit
        ):
            return level.idc
    raise ValueError(f"no level holds {width_px}x{height_px} at {rate_hz} Hz")
