"""Stills: one picture of the source as a JPEG."""

from fractions import Fraction

from telecine.ffmpeg.errors import MediaError
from telecine.ffmpeg.runner import Limits, Runner, input_url, output_url
from telecine.ffmpeg.safety import INPUT_FLAGS
from telecine.pipeline.model import Probe, VideoTrack
from telecine.pipeline.reader import SourceReader

MAX_WIDTH_PX = 1280
_QUALITY = 3  # of mjpeg, 2 (best) to 31
_LIMITS = Limits(cpu_s=60, memory_bytes=3 << 30, wall_s=60.0)

_CHOICE_S = 30
_CHOICE_PICTURES = 8
"""Without a wish: the most telling of the first key frames of half a minute."""


def still_argv(probe: Probe, at_s: Fraction | None, *, max_width_px: int) -> list[str]:
    """Return ffmpeg's arguments for a picture at `at_s` of our timeline; None: a good one."""
    if probe.video is None:
        msg = "the source has no pictures"
        raise ValueError(msg)
    width_px, height_px = _size(probe.video, max_width_px)
    scale = f"scale={width_px}:{height_px}:flags=bicubic:out_range=pc,setsar=1,format=yuvj420p"
    if at_s is None:
        # Key frames decode alone, so this is cheap however long they are apart.
        before = ["-skip_frame", "nokey", "-t", str(_CHOICE_S)]
        graph = f"thumbnail=n={_CHOICE_PICTURES},{scale}"
    else:
        at = float(probe.video.start_s + at_s)
        before = ["-seek_timestamp", "1", "-ss", f"{at:.6f}"]
        graph = scale
    return [
        "-v", "error",
        *INPUT_FLAGS,
        *before,
        *input_url(),
        "-map", f"0:v:{probe.video.ordinal}",
        "-an", "-sn", "-dn",
        "-vf", graph,
        "-frames:v", "1",
        "-c:v", "mjpeg",
        "-q:v", str(_QUALITY),
        "-map_metadata", "-1",
        "-f", "image2pipe",
        output_url(0),
    ]  # fmt: skip


def _size(video: VideoTrack, max_width_px: int) -> tuple[int, int]:
    width_px = min(video.width_px, max_width_px)
    height_px = max(1, round(video.height_px * Fraction(width_px, video.width_px)))
    return width_px, height_px


async def still(
    runner: Runner,
    source: SourceReader,
    probe: Probe,
    at_s: Fraction | None,
    *,
    max_width_px: int = MAX_WIDTH_PX,
) -> bytes:
    """Return a JPEG of the picture shown at `at_s` seconds of our timeline.

    None chooses a telling one; a time without a picture gives the first. `source` must
    be a local file.

    Raises:
        MediaError: no picture can be decoded.
        RunnerError: the run was ended from outside, or by a limit on time.
    """
    if source.local_path is None:
        msg = "a local source is needed"
        raise ValueError(msg)
    picture = bytearray()
    for time_s in (at_s, Fraction(0)):
        argv = still_argv(probe, time_s, max_width_px=max_width_px)
        await runner.run(
            argv, limits=_LIMITS, input_file=source.local_path, outputs=[picture.extend]
        )
        if picture:
            return bytes(picture)
    raise MediaError("no-picture", "no picture could be decoded")
