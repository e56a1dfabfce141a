"""Levels of H.264 (Rec. ITU-T H.264, Table A-1) for the High profile."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

# Table A-2: cpbBrVclFactor of High, in bits per unit of MaxBR and MaxCPB. x264
# declares and checks by this one; the factor for NAL units (1,500) is laxer.
CPB_BR_VCL_FACTOR = 1250


@dataclass(frozen=True, slots=True)
class Level:
    """One row of Table A-1."""

    name: str
    max_mbps: int  # macroblocks a second
    max_fs: int  # macroblocks a frame
    max_dpb_mbs: int  # macroblocks of decoded pictures
    max_br: int
    max_cpb: int

    @property
    def idc(self) -> int:
        """The `level_idc` of sequence parameter sets: 31 for level 3.1."""
        return int(self.name.replace(".", ""))


LEVELS = (
    Level("1.0", 1_485, 99, 396, 64, 175),
    Level("1.1", 3_000, 396, 900, 192, 500),
    Level("1.2", 6_000, 396, 2_376, 384, 1_000),
    Level("1.3", 11_880, 396, 2_376, 768, 2_000),
    Level("2.0", 11_880, 396, 2_376, 2_000, 2_000),
    Level("2.1", 19_800, 792, 4_752, 4_000, 4_000),
    Level("2.2", 20_250, 1_620, 8_100, 4_000, 4_000),
    Level("3.0", 40_500, 1_620, 8_100, 10_000, 10_000),
    Level("3.1", 108_000, 3_600, 18_000, 14_000, 14_000),
    Level("3.2", 216_000, 5_120, 20_480, 20_000, 20_000),
    Level("4.0", 245_760, 8_192, 32_768, 20_000, 25_000),
    Level("4.1", 245_760, 8_192, 32_768, 50_000, 62_500),
    Level("4.2", 522_240, 8_704, 34_816, 50_000, 62_500),
    Level("5.0", 589_824, 22_080, 110_400, 135_000, 135_000),
    Level("5.1", 983_040, 36_864, 184_320, 240_000, 240_000),
    Level("5.2", 2_073_600, 36_864, 184_320, 240_000, 240_000),
    Level("6.0", 4_177_920, 139_264, 696_320, 240_000, 240_000),
    Level("6.1", 8_355_840, 139_264, 696_320, 480_000, 480_000),
    Level("6.2", 16_711_680, 139_264, 696_320, 800_000, 800_000),
)


def level_for(
    width_px: int,
    height_px: int,
    rate_hz: Fraction,
    max_rate_bps: int,
    buffer_bits: int,
    *,
    reference_frames: int = 4,
) -> str:
    """Return the lowest level, such as "3.1", that a High profile stream obeys.

    `reference_frames` is the decoded picture buffer: x264 declares 4 whenever
    B-frames refer to each other (its default).

    Raises:
        ValueError: no level allows it.
    """
    across, down = ceil(width_px / 16), ceil(height_px / 16)
    frame = across * down
    for level in LEVELS:
        if (
            frame <= level.max_fs
            and max(across, down) ** 2 <= 8 * level.max_fs  # A.3.1 f and g
            and frame * rate_hz <= level.max_mbps
            and frame * reference_frames <= level.max_dpb_mbs
            and max_rate_bps <= level.max_br * CPB_BR_VCL_FACTOR
            and buffer_bits <= level.max_cpb * CPB_BR_VCL_FACTOR
        ):
            return level.name
    raise ValueError(f"no level holds {width_px}x{height_px} at {rate_hz} Hz")


def level_idc(name: str) -> int:
    """Return the `level_idc` of a level's name: 31 for "3.1". Raises KeyError."""
    return {level.name: level.idc for level in LEVELS}[name]
