"""Levels of AV1 (AV1 specification, annex A.3) for the Main tier."""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Level:
    """One row: samples of a picture and of a shown second, sides in px, kbit/s."""

    name: str
    max_picture: int
    max_width_px: int
    max_height_px: int
    max_rate: int
    max_kbit: int

    @property
    def index(self) -> int:
        """The `seq_level_idx` of sequence headers: 5 for level 3.1."""
        major, minor = map(int, self.name.split("."))
        return (major - 2) * 4 + minor


LEVELS = (
    Level("2.0", 147_456, 2_048, 1_152, 4_423_680, 1_500),
    Level("2.1", 278_784, 2_816, 1_584, 8_363_520, 3_000),
    Level("3.0", 665_856, 4_352, 2_448, 19_975_680, 6_000),
    Level("3.1", 1_065_024, 5_504, 3_096, 31_950_720, 10_000),
    Level("4.0", 2_359_296, 6_144, 3_456, 70_778_880, 12_000),
    Level("4.1", 2_359_296, 6_144, 3_456, 141_557_760, 20_000),
    Level("5.0", 8_912_896, 8_192, 4_352, 267_386_880, 30_000),
    Level("5.1", 8_912_896, 8_192, 4_352, 534_773_760, 40_000),
    Level("5.2", 8_912_896, 8_192, 4_352, 1_069_547_520, 60_000),
    Level("6.0", 35_651_584, 16_384, 8_704, 1_069_547_520, 60_000),
    Level("6.1", 35_651_584, 16_384, 8_704, 2_139_095_040, 100_000),
)


def level_for(width_px: int, height_px: int, rate_hz: Fraction, max_rate_bps: int) -> Level:
    """Return the lowest level that such a stream obeys.

    Raises:
        ValueError: no level allows it.
    """
    for level in LEVELS:
        if (
            width_px * height_px <= level.max_picture
            and width_px <= level.max_width_px
            and height_px <= level.max_height_px
            and width_px * height_px * rate_hz <= level.max_rate
            and max_rate_bps <= level.max_kbit * 1000
        ):
            return level
    raise ValueError(f"no level holds {width_px}x{height_px} at {rate_hz} Hz")
