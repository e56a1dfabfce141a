"""Storyboards: small pictures of a whole video on a few sheets, for previews while seeking.

Every piece of a rendition begins with a picture that decodes alone: those are taken, so a
video costs a few hundred small pictures, however long it is.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np

from telecine.ffmpeg.errors import MediaError
from telecine.ffmpeg.runner import Limits, Runner, input_url, output_url
from telecine.ffmpeg.safety import INPUT_FLAGS
from telecine.formats.mp4.fragment import Init, Samples, mdat_header, moof, video_init

TILE_PX = (160, 90)
"""Tiles are as large as fits into this with the video's own shape."""

COLUMNS = ROWS = 5
TILES_A_SHEET = COLUMNS * ROWS

MAX_SHEETS = 20
"""Longer videos have tiles farther apart instead of more sheets."""

_QUALITY = 5  # of mjpeg, 2 (best) to 31
_TICKS = 1000
_LIMITS = Limits(cpu_s=60, memory_bytes=2 << 30, wall_s=120.0, niceness=10)


@dataclass(frozen=True, slots=True)
class KeyPicture:
    """One sample that decodes alone, and the frame at which it is shown."""

    frame: int
    data: bytes


def chosen(frames: Sequence[int]) -> list[int]:
    """Return which of the key pictures at `frames` become tiles, by index.

    Evenly spread over them, at most `MAX_SHEETS` full sheets.
    """
    step = -(-len(frames) // (MAX_SHEETS * TILES_A_SHEET))
    return list(range(0, len(frames), max(1, step)))


def tile_size(width_px: int, height_px: int) -> tuple[int, int]:
    """Return the size of the tiles of a video that is shown in this size."""
    scale = min(Fraction(TILE_PX[0], width_px), Fraction(TILE_PX[1], height_px))
    return max(2, round(width_px * scale)), max(2, round(height_px * scale))


def sheet_urls(prefix: str, tiles: int) -> list[str]:
    """Return the names of the sheets of so many tiles, relative to the list of them."""
    return [f"{prefix}-{number}.jpg" for number in range(-(-tiles // TILES_A_SHEET))]


def to_vtt(starts_s: Sequence[Fraction], sheets: Sequence[str], tile_px: tuple[int, int]) -> str:
    """Return the WebVTT list of tiles; `starts_s` are their times, and the end.

    A cue's text names its sheet and the tile on it (Media Fragments 1.0, section 4.2.2).
    """
    width_px, height_px = tile_px
    lines = ["WEBVTT"]
    for number, (start_s, end_s) in enumerate(pairwise(starts_s)):
        sheet, place = divmod(number, TILES_A_SHEET)
        row, column = divmod(place, COLUMNS)
        area = f"{column * width_px},{row * height_px},{width_px},{height_px}"
        lines += [
            "",
            f"{_time(start_s)} --> {_time(end_s)}",
            f"{sheets[sheet]}#xywh={area}",
        ]
    return "\n".join(lines) + "\n"


def _time(time_s: Fraction) -> str:
    minutes, milliseconds = divmod(round(time_s * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    seconds, milliseconds = divmod(milliseconds, 1000)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}"


async def sheet(
    runner: Runner, init: Init, pictures: Sequence[KeyPicture], tile_px: tuple[int, int]
) -> bytes:
    """Return one sheet as JPEG; `init` describes the samples. At most `TILES_A_SHEET`.

    A picture that cannot be decoded leaves the one before it in its place.

    Raises:
        MediaError: none of them can be decoded.
        RunnerError: the run was ended from outside, or by a limit on time.
    """
    made = bytearray()
    await runner.run(
        _argv(len(pictures), tile_px),
        limits=_LIMITS,
        feed=_feed(init, pictures),
        outputs=[made.extend],
    )
    if not made:
        raise MediaError("no-picture", "none of the key pictures can be decoded")
    return bytes(made)


async def _feed(init: Init, pictures: Sequence[KeyPicture]) -> AsyncIterator[bytes]:
    """Yield a film in which each picture lasts a second."""
    count = len(pictures)
    yield video_init(init.stsd, timescale=_TICKS, width_px=init.width_px, height_px=init.height_px)
    samples = Samples(
        sizes=np.array([len(picture.data) for picture in pictures], dtype=np.int64),
        durations=np.full(count, _TICKS, dtype=np.int64),
        composition_offsets=np.zeros(count, dtype=np.int64),
        keyframes=np.ones(count, dtype=np.bool_),
    )
    yield moof(1, 0, samples, video=True)
    yield mdat_header(samples.payload_bytes)
    for picture in pictures:
        yield picture.data


def _argv(pictures: int, tile_px: tuple[int, int]) -> list[str]:
    columns, rows = min(pictures, COLUMNS), -(-pictures // COLUMNS)
    steps = [
        # One tile a second, whatever could be decoded.
        "fps=1:round=near:start_time=0:eof_action=pass",
        "tpad=stop=-1:stop_mode=clone",
        f"trim=end_frame={pictures}",
        f"scale={tile_px[0]}:{tile_px[1]}:flags=area",
        "setsar=1",
        f"tile={columns}x{rows}",
        # What JPEG means by its numbers (JFIF 1.02): BT.601, full range.
        "scale=out_color_matrix=bt601:out_range=pc",
        "format=yuvj420p",
    ]
    return [
        "-v", "error",
        "-max_error_rate", "1",
        *INPUT_FLAGS,
        "-probesize", "32768",
        "-analyzeduration", "0",
        "-threads", "1",
        "-f", "mov",
        *input_url(),
        "-filter_complex_threads", "1",
        "-filter_complex", f"[0:v:0]{','.join(steps)}[o0]",
        "-map", "[o0]",
        "-fps_mode", "passthrough",
        "-frames:v", "1",
        "-c:v", "mjpeg",
        "-q:v", str(_QUALITY),
        "-map_metadata", "-1",
        # Equal pictures give equal sheets, whatever the version of ffmpeg says of itself.
        "-fflags", "+bitexact",
        "-flags:v", "+bitexact",
        "-f", "image2pipe",
        output_url(0),
    ]  # fmt: skip
