"""How near an encode is to its source: VMAF and SSIM of one segment, at its own size."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from telecine.ffmpeg.runner import Brake, Limits, MediaError, Runner, RunnerError, attachment_url
from telecine.ffmpeg.safety import INPUT_FLAGS
from telecine.pipeline import argv
from telecine.pipeline.feed import FeedError, given
from telecine.pipeline.filters import Source, filter_graph
from telecine.pipeline.limits import cpu_limit_s, memory_limit_bytes, wall_limit_s
from telecine.pipeline.model import Plan, Probe, VideoRendition
from telecine.pipeline.reader import SourceReader
from telecine.pipeline.sample_index import SampleIndex

_VMAF = re.compile(r"VMAF score: (\d+(?:\.\d+)?)")
_SSIM = re.compile(r"SSIM .*All:(\d+(?:\.\d+)?)")
_PREROLL_S = 10
_FILTER = "libvmaf"

# Pictures keep the times of the graph: others would be told of, and push the figures out of
# what is kept of the messages.
_NOWHERE = ("-enc_time_base", "1:1000", "-fps_mode", "passthrough", "-f", "null", "-")


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of a segment is compared, and how urgently.

    `frames` of the source from its first one on, None: all; VMAF of every n-th picture.
    """

    frames: int | None
    every: int
    niceness: int

    def end_frame(self, first_frame: int, end_frame: int) -> int:
        """Return where the comparison of frames [first, end) of a segment ends."""
        return end_frame if self.frames is None else min(end_frame, first_frame + self.frames)


WHOLE = Extent(frames=None, every=1, niceness=10)

SAMPLE = Extent(frames=30, every=3, niceness=19)
"""What every video can afford: 1.5 s of processor time for 1080p of a 1080p source."""


@dataclass(frozen=True, slots=True)
class Similarity:
    """VMAF (model 0.6.1) from 0 to 100 and SSIM from 0 to 1, means over the frames."""

    frames: int
    vmaf: float
    ssim: float


def sampled_segment(plan: Plan, key_frames: Sequence[int]) -> int:
    """Return the segment of a video's middle half that is reached with the least decoding.

    `key_frames` are those of the source: what lies between them and a segment is decoded too.
    """
    quarter = plan.segments // 4

    def cost(segment: int) -> tuple[int, int]:
        first = plan.segment_frames(segment)[0]
        before = bisect_right(key_frames, first) - 1
        decoded = first - key_frames[before] if before >= 0 else first
        return decoded, abs(segment - plan.segments // 2)

    return min(range(quarter, plan.segments - quarter), key=cost)


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
    extent: Extent = WHOLE,
    brake: Brake | None = None,
) -> Similarity:
    """Compare a segment with what its encoder was given.

    `encoded` is the init segment with the segment behind it, or as much of that as `extent`
    asks for. Without `samples` the source must be a local file.

    Raises:
        MediaError: the source cannot be decoded.
        RunnerError: the run failed, or said nothing (`no-figures`), or this ffmpeg has no
            VMAF (`no-vmaf`), or the source cannot be read back (`source`).
    """
    if probe.video is None:
        raise ValueError("there are no pictures to compare")
    first_frame, end_frame = plan.segment_frames(segment)
    end_frame = extent.end_frame(first_frame, end_frame)
    said = ""
    for reach in argv.REACHES:
        feed, read, _ = given(source, samples, probe, plan, (first_frame, end_frame), reach)
        origin = Source(
            probe.video, argv.stream(read), argv.shift(read), min(read.start_frame, first_frame)
        )
        pixels = probe.video.coded_width_px * probe.video.coded_height_px
        media_s = Fraction(end_frame - first_frame) / plan.frame_rate
        media_s += _PREROLL_S * (1 + sum(reach) // 8)
        graph = _graph(origin, plan, rendition, (first_frame, end_frame), extent.every)
        try:
            result = await runner.run(
                _arguments(read, plan, graph),
                limits=Limits(
                    cpu_s=2 * cpu_limit_s(media_s),
                    memory_bytes=memory_limit_bytes(pixels),
                    wall_s=wall_limit_s(media_s),
                    stall_s=wall_limit_s(media_s),
                    niceness=extent.niceness,
                ),
                feed=feed,
                input_file=None if feed is not None else source.local_path,
                attachments=[*watermarks, encoded],
                brake=brake,
            )
        except FeedError as error:
            raise RunnerError("source", str(error)) from error
        except MediaError as error:
            if f"No such filter: '{_FILTER}'" in error.detail:
                raise RunnerError("no-vmaf", error.detail) from error
            if error.reason == "unreadable":  # what was encoded can be read
                raise MediaError("undecodable", error.detail) from error
            raise
        said = result.stderr_tail
        vmaf, ssim = _VMAF.search(said), _SSIM.search(said)
        # Of a damaged source nothing at all may be seen so near: then the encoder went further.
        if vmaf is not None and ssim is not None:
            frames = -(-(end_frame - first_frame) // rendition.rate_divisor)
            return Similarity(frames, float(vmaf[1]), float(ssim[1]))
    raise RunnerError("no-figures", said)


def _arguments(read: argv.Fed | argv.Whole, plan: Plan, graph: str) -> list[str]:
    return [
        # Both figures are told at the level of information, and last.
        "-hide_banner", "-nostats", "-v", "info",
        "-copyts",
        "-max_error_rate", "1",
        *INPUT_FLAGS,
        *argv.media_input(read),
        *argv.pictures(plan, 0),
        *INPUT_FLAGS,
        "-f", "mov",
        *attachment_url(len(plan.watermarks), 0),
        "-filter_complex_threads", "1",
        "-filter_complex", graph,
        "-map", "[v]", *_NOWHERE,
        "-map", "[s]", *_NOWHERE,
    ]  # fmt: skip


def _graph(
    origin: Source, plan: Plan, rendition: VideoRendition, frames: tuple[int, int], every: int
) -> str:
    """Lay both side by side, picture by picture, whatever their times are."""
    wanted = filter_graph(origin, plan, [rendition], *frames)
    numbered = "settb=1/1000,setpts=N,split=2"
    return ";".join(
        (
            wanted,
            f"[o0]{numbered}[r0][r1]",
            f"[{1 + len(plan.watermarks)}:v:0]{numbered}[d0][d1]",
            f"[d0][r0]{_FILTER}=n_threads=2:n_subsample={every}:shortest=1[v]",
            "[d1][r1]ssim=shortest=1[s]",
        )
    )
