"""Stills: one picture of a video as a JPEG, watermarks included."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from telecine.ffmpeg.errors import MediaError
from telecine.ffmpeg.runner import Limits, Runner, output_url
from telecine.ffmpeg.safety import INPUT_FLAGS
from telecine.pipeline import argv
from telecine.pipeline.feed import FeedError, excerpt, feed_excerpt
from telecine.pipeline.filters import Source, burnt_in, conversion, grid
from telecine.pipeline.model import Plan, Probe, VideoTrack
from telecine.pipeline.reader import SourceReader
from telecine.pipeline.sample_index import SampleIndex

MAX_WIDTH_PX = 1280
_QUALITY = 3  # of mjpeg, 2 (best) to 31
_LIMITS = Limits(cpu_s=60, memory_bytes=3 << 30, wall_s=60.0)

_CHOICE_S = 30
_CHOICE_PICTURES = 8
"""Without a wish: the most telling of the first key frames of half a minute."""

Attempt = tuple[list[str], AsyncIterator[bytes] | None]


async def still(
    runner: Runner,
    source: SourceReader,
    samples: SampleIndex | None,
    probe: Probe,
    plan: Plan,
    at_s: Fraction | None,
    *,
    watermarks: Sequence[bytes] = (),
) -> bytes:
    """Return a JPEG of the picture shown at `at_s` seconds of our timeline.

    None chooses a telling one; a time without a picture gives the first. `source` must
    be a local file, unless there are a time and `samples`. `watermarks` are the pictures
    (PNG) of the plan's watermarks.

    Raises:
        MediaError: no picture can be decoded.
        RunnerError: the run was ended from outside, or by a limit on time.
    """
    if probe.video is None:
        msg = "the source has no pictures"
        raise ValueError(msg)
    failure = MediaError("no-picture", "no picture could be decoded")
    camera = _Camera(source, samples, probe.video, probe.container, plan)
    for arguments, feed in camera.attempts(at_s):
        picture = bytearray()
        try:
            await runner.run(
                arguments,
                limits=_LIMITS,
                feed=feed,
                input_file=source.local_path if feed is None else None,
                outputs=[picture.extend],
                attachments=watermarks,
            )
        except (MediaError, FeedError) as error:
            failure = MediaError("no-picture", str(error))
        if picture:
            return bytes(picture)
    raise failure


@dataclass(frozen=True, slots=True)
class _Camera:
    """Where pictures are taken of."""

    source: SourceReader
    samples: SampleIndex | None
    video: VideoTrack
    container: str
    plan: Plan

    def attempts(self, at_s: Fraction | None) -> Iterator[Attempt]:
        """Yield what to try, one after the other."""
        frame = 0
        if at_s is None:
            yield self._choice(), None
        else:
            frame = max(0, min(int(at_s * self.plan.frame_rate), self.plan.frames - 1))
            yield self._at(frame)
        if frame > 0 or at_s is None:
            yield self._at(0)

    def _at(self, frame: int) -> Attempt:
        feed: AsyncIterator[bytes] | None = None
        given: argv.Fed | argv.Whole
        if self.samples is not None:
            chosen = excerpt(self.samples, self.plan, frame, frame + 1)
            feed = feed_excerpt(self.source, chosen)
            given = argv.Fed(chosen.shift_ticks, chosen.start_frame)
        else:
            given = argv.whole_input(self.video, self.container, frame)
        origin = Source(
            self.video, argv.stream(given), argv.shift(given), min(given.start_frame, frame)
        )
        steps = grid(origin, self.plan, frame, frame + 1)
        return self._argv(given, [], steps), feed

    def _choice(self) -> list[str]:
        given = argv.whole_input(self.video, self.container, 0)
        half_s = Fraction(1, 2) / self.plan.frame_rate
        end_s = min(Fraction(_CHOICE_S), self.plan.frames / self.plan.frame_rate)
        steps = [
            f"setpts='{argv.shift(given)}'",
            f"trim=start={float(-half_s):.6f}:end={float(end_s - half_s):.6f}",
            f"thumbnail=n={_CHOICE_PICTURES}",
        ]
        # Key frames decode alone, so this is cheap however long they are apart.
        return self._argv(given, ["-skip_frame", "nokey"], steps)

    def _argv(
        self, given: argv.Fed | argv.Whole, before: Sequence[str], steps: Sequence[str]
    ) -> list[str]:
        size_px = self._size_px()
        chain = f"[{argv.stream(given)}]" + ",".join((*steps, *conversion(self.video, size_px)))
        # What JPEG means by its numbers (JFIF 1.02): BT.601, full range.
        jpeg = "scale=out_color_matrix=bt601:out_range=pc,format=yuvj420p"
        graph = ";".join(burnt_in(chain, self.video, self.plan, size_px)) + f",{jpeg}[o0]"
        return [
            "-v", "error",
            "-copyts",
            "-max_error_rate", "1",
            *INPUT_FLAGS,
            *before,
            *argv.media_input(given),
            *argv.pictures(self.plan, 1),
            "-filter_complex_threads", "1",
            "-filter_complex", graph,
            "-map", "[o0]",
            "-fps_mode", "passthrough",
            "-frames:v", "1",
            "-c:v", "mjpeg",
            "-q:v", str(_QUALITY),
            "-map_metadata", "-1",
            "-f", "image2pipe",
            output_url(0),
        ]  # fmt: skip

    def _size_px(self) -> tuple[int, int]:
        width_px = min(self.video.width_px, MAX_WIDTH_PX)
        shape = Fraction(self.video.height_px, self.video.width_px)
        return width_px, max(1, round(width_px * shape))
