"""How near an encode is to its source: VMAF and SSIM of one segment, at its own size."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from telecine.ffmpeg.runner import Limits, Runner, RunnerError, attachment_url
from telecine.ffmpeg.safety import INPUT_FLAGS
from telecine.pipeline import argv
from telecine.pipeline.feed import excerpt, feed_excerpt
from telecine.pipeline.filters import Source, filter_graph
from telecine.pipeline.limits import cpu_limit_s, memory_limit_bytes, wall_limit_s
from telecine.pipeline.model import Plan, Probe, VideoRendition
from telecine.pipeline.reader import SourceReader
from telecine.pipeline.sample_index import SampleIndex

_VMAF = re.compile(r"VMAF score: (\d+(?:\.\d+)?)")
_SSIM = re.compile(r"SSIM .*All:(\d+(?:\.\d+)?)")
_PREROLL_S = 10
_NICENESS = 10

# Pictures keep the times of the graph: others would be told of, and push the figures out of
# what is kept of the messages.
_NOWHERE = ("-enc_time_base", "1:1000", "-fps_mode", "passthrough", "-f", "null", "-")


@dataclass(frozen=True, slots=True)
class Similarity:
    """VMAF (model 0.6.1) from 0 to 100 and SSIM from 0 to 1, means over the frames."""

    frames: int
    vmaf: float
    ssim: float


async def compare(  # noqa: PLR0913 - the source, the plan, and what was made of it
    runner: Runner,
    source: SourceReader,
    samples: SampleIndex | None,
    probe: Probe,
    plan: Plan,
    rendition: VideoRendition,
    segment: int,
    encoded: bytes,
    *,
    watermarks: Sequence[bytes] = (),
) -> Similarity:
    """Compare a segment with what its encoder was given.

    `encoded` is the init segment with the segment behind it. Without `samples` the source
    must be a local file.

    Raises:
        MediaError: the source cannot be decoded.
        RunnerError: the run failed, or said nothing.
    """
    if probe.video is None:
        raise ValueError("there are no pictures to compare")
    first_frame, end_frame = plan.segment_frames(segment)
    feed: AsyncIterator[bytes] | None = None
    given: argv.Fed | argv.Whole
    if samples is not None:
        chosen = excerpt(samples, plan, first_frame, end_frame)
        feed = feed_excerpt(source, chosen)
        given = argv.Fed(chosen.shift_ticks, chosen.start_frame)
    else:
        given = argv.whole_input(probe.video, probe.container, first_frame)
    origin = Source(
        probe.video, argv.stream(given), argv.shift(given), min(given.start_frame, first_frame)
    )
    pixels = probe.video.coded_width_px * probe.video.coded_height_px
    media_s = Fraction(end_frame - first_frame) / plan.frame_rate + _PREROLL_S
    result = await runner.run(
        [
            # Both figures are told at the level of information, and last.
            "-hide_banner", "-nostats", "-v", "info",
            "-copyts",
            "-max_error_rate", "1",
            *INPUT_FLAGS,
            *argv.media_input(given),
            *argv.pictures(plan, 0),
            *INPUT_FLAGS,
            "-f", "mov",
            *attachment_url(len(plan.watermarks), 0),
            "-filter_complex_threads", "1",
            "-filter_complex", _graph(origin, plan, rendition, first_frame, end_frame),
            "-map", "[v]", *_NOWHERE,
            "-map", "[s]", *_NOWHERE,
        ],
        limits=Limits(
            cpu_s=2 * cpu_limit_s(media_s),
            memory_bytes=memory_limit_bytes(pixels),
            wall_s=wall_limit_s(media_s),
            stall_s=wall_limit_s(media_s),
            niceness=_NICENESS,
        ),
        feed=feed,
        input_file=None if feed is not None else source.local_path,
        attachments=[*watermarks, encoded],
    )  # fmt: skip
    vmaf, ssim = _VMAF.search(result.stderr_tail), _SSIM.search(result.stderr_tail)
    if vmaf is None or ssim is None:
        raise RunnerError("no-figures", result.stderr_tail)
    frames = -(-(end_frame - first_frame) // rendition.rate_divisor)
    return Similarity(frames, float(vmaf[1]), float(ssim[1]))


def _graph(
    origin: Source, plan: Plan, rendition: VideoRendition, first_frame: int, end_frame: int
) -> str:
    """Lay both side by side, picture by picture, whatever their times are."""
    wanted = filter_graph(origin, plan, [rendition], first_frame, end_frame)
    numbered = "settb=1/1000,setpts=N,split=2"
    return ";".join(
        (
            wanted,
            f"[o0]{numbered}[r0][r1]",
            f"[{1 + len(plan.watermarks)}:v:0]{numbered}[d0][d1]",
            "[d0][r0]libvmaf=n_threads=2:shortest=1[v]",
            "[d1][r1]ssim=shortest=1[s]",
        )
    )
