"""Trials of an encoder, in the sandbox: whether it does what is asked of it, and how fast.

Being built into ffmpeg means nothing: the device, its driver or what it can do may be missing.
"""

import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from telecine.ffmpeg.run import Result
from telecine.ffmpeg.runner import Limits, MediaError, Runner, RunnerError, input_url, output_url
from telecine.formats.codecs.h264 import high_codecs, level_for
from telecine.formats.errors import FormatError
from telecine.formats.mp4.fragment import FragmentSplitter, InitSegment
from telecine.pipeline.argv import SOFTWARE, fragments, timing
from telecine.pipeline.encoders import Encoder
from telecine.pipeline.model import PLAN_VERSION, Plan, VideoRendition
from telecine.pipeline.retime import Retimer, WrongOutputError

_RATE_HZ = Fraction(30)
_TRIAL_PX = 640, 360
_TRIAL_CUTS = (0, 5, 12, 24)
_TIMED_PX = 1280, 720
_TIMED_CUTS = (0, 48)
_GRAIN = 6  # amplitude: at 720p this makes 1.4 Mbit/s, as many films do
_DRIFT_PX = 6, 2  # a picture
_LIMITS = Limits(cpu_s=30, memory_bytes=2 << 30, wall_s=60, stall_s=30)


async def obstacle(runner: Runner, encoder: Encoder) -> str | None:
    """Return why an encoder cannot be used here, None if it can.

    It must make whole pieces that begin where they are told to, with the profile and the
    level of the plan.
    """
    plan, rendition = _task(_TRIAL_PX, _TRIAL_CUTS, 800_000)
    made = bytearray()
    try:
        await _encode(runner, encoder, plan, rendition, _bars(_TRIAL_PX), made.extend)
        _check(bytes(made), Retimer(plan, rendition, 0))
    except (MediaError, RunnerError, WrongOutputError, FormatError) as error:
        return str(error)
    return None


async def software_px_per_cpu_s(runner: Runner) -> float:
    """Return how many pixels our own encoder makes of raw ones in a second of processor time.

    Processor time, so that it does not matter what else this machine does meanwhile.
    Raises MediaError or RunnerError.
    """
    plan, rendition = _task(_TIMED_PX, _TIMED_CUTS, 2_800_000)
    made = bytearray()
    done = await _encode(runner, SOFTWARE, plan, rendition, _grain(_TIMED_PX), made.extend)
    return _TIMED_PX[0] * _TIMED_PX[1] * plan.frames / done.cpu_s


async def _encode(
    runner: Runner,
    encoder: Encoder,
    plan: Plan,
    rendition: VideoRendition,
    pictures: AsyncIterator[bytes],
    sink: Callable[[bytes], None],
) -> Result:
    graph = "[0:v:0]setpts=N,format=yuv420p" + (f",{encoder.upload}" if encoder.upload else "")
    size = f"{rendition.width_px}x{rendition.height_px}"
    arguments = [
        "-v", "warning",
        *encoder.before_input,
        "-nostdin", "-protocol_whitelist", "fd", "-format_whitelist", "rawvideo",
        "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", size, "-r", str(_RATE_HZ), *input_url(),
        "-filter_complex_threads", "1",
        "-filter_complex", f"{graph}[o]",
        "-map", "[o]",
        *encoder.settings(rendition),
        *timing(plan, 0, plan.piece_cuts[1:-1]),
        *fragments(plan),
        output_url(0),
    ]  # fmt: skip
    memory_bytes = _LIMITS.memory_bytes + encoder.address_space_bytes
    return await runner.run(
        arguments,
        limits=replace(_LIMITS, memory_bytes=memory_bytes),
        feed=pictures,
        outputs=[sink],
        devices=encoder.devices,
    )


def _task(
    size_px: tuple[int, int], cuts: tuple[int, ...], rate_bps: int
) -> tuple[Plan, VideoRendition]:
    buffer_bits = 2 * rate_bps
    level = level_for(*size_px, _RATE_HZ, rate_bps, buffer_bits)
    rendition = VideoRendition(
        name="trial",
        width_px=size_px[0],
        height_px=size_px[1],
        rate_divisor=1,
        passthrough=False,
        codecs=high_codecs(level),
        profile="high",
        level=level,
        max_rate_bps=rate_bps,
        buffer_bits=buffer_bits,
        crf=23.0,
    )
    plan = Plan(
        version=PLAN_VERSION,
        frame_rate=_RATE_HZ,
        frames=cuts[-1],
        piece_cuts=cuts,
        segment_pieces=tuple(range(len(cuts))),
        chunk_segments=(0, len(cuts) - 1),
        renditions=(rendition,),
        audio=None,
        target_duration_s=1,
        width_px=size_px[0],
        height_px=size_px[1],
    )
    return plan, rendition


async def _bars(size_px: tuple[int, int]) -> AsyncIterator[bytes]:
    """Yield grey pictures of which each has a white bar somewhere else."""
    width_px, height_px = size_px
    chroma = bytes([128]) * (width_px * height_px // 2)
    for number in range(_TRIAL_CUTS[-1]):
        line = bytearray([90]) * width_px
        line[number * 16 : number * 16 + 32] = bytes([235]) * 32
        yield bytes(line) * height_px + chroma


async def _grain(size_px: tuple[int, int]) -> AsyncIterator[bytes]:
    """Yield a soft landscape that drifts past, under film grain: the same ones each time."""
    width_px, height_px = size_px
    tile = np.ones((16, 16), np.int16)
    land = np.kron(30 + _noise(0, height_px // 16, width_px // 16) % 190, tile)
    for axis in (0, 1):  # soften the edges of the tiles
        soft = np.zeros_like(land)  # nine of 220 have room in it
        for step in range(-4, 5):
            soft += np.roll(land, step, axis)
        land = soft // 9
    chroma = bytes([128]) * (width_px * height_px // 2)
    for number in range(_TIMED_CUTS[-1]):
        picture = np.roll(land, (number * _DRIFT_PX[1], number * _DRIFT_PX[0]), (0, 1))
        picture += _noise(number + 1, height_px, width_px) % (2 * _GRAIN + 1) - _GRAIN
        yield picture.astype(np.uint8).tobytes() + chroma


def _noise(seed: int, rows: int, columns: int) -> NDArray[np.int16]:
    """Return numbers below 256: like chance, and the same each time."""
    drawn = hashlib.shake_128(b"%d" % seed).digest(rows * columns)
    return np.frombuffer(drawn, np.uint8).astype(np.int16).reshape(rows, columns)


def _check(made: bytes, retimer: Retimer) -> None:
    """Raises WrongOutputError or FormatError."""
    splitter, pieces = FragmentSplitter(), 0
    for part in splitter.feed(made):
        if isinstance(part, InitSegment):
            retimer.init(part)
        elif pieces < retimer.plan.pieces:
            retimer.piece(pieces, part)
            pieces += 1
        else:
            raise WrongOutputError("more key frames than were asked for")
    splitter.finish()
    if pieces != retimer.plan.pieces:
        raise WrongOutputError(f"{pieces} pieces of {retimer.plan.pieces}")
