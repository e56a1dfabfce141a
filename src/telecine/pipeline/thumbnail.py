"""Stills: one picture of a video as a JPEG, watermarks included."""

from bisect import bisect_right
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from telecine.ffmpeg.errors import MediaError
from telecine.ffmpeg.runner import Brake, Limits, Runner, output_url
from telecine.ffmpeg.safety import INPUT_FLAGS
from telecine.pipeline import argv
from telecine.pipeline.feed import FeedError, excerpt, feed_excerpt
from telecine.pipeline.filters import Source, burnt_in, conversion, grid
from telecine.pipeline.first_picture import SIZE_PX, look, most_telling
from telecine.pipeline.model import Plan, Probe, VideoTrack
from telecine.pipeline.reader import SourceReader
from telecine.pipeline.sample_index import SampleIndex

MAX_WIDTH_PX = 1280
_QUALITY = 3  # of mjpeg, 2 (best) to 31
_NICENESS = 10
_LIMITS = Limits(cpu_s=60, memory_bytes=3 << 30, wall_s=60.0)

Attempt = tuple[list[str], AsyncIterator[bytes] | None]


@dataclass(frozen=True, slots=True)
class _Sampling:
    """Which pictures of the beginning are looked at where nobody asks for a time."""

    keys_only: bool
    until_s: int
    every_s: float

    def steps(self, given: argv.Fed | argv.Whole, plan: Plan) -> list[str]:
        """Return the filters that let those pictures pass."""
        half_s = Fraction(1, 2) / plan.frame_rate
        end_s = min(Fraction(self.until_s), plan.frames / plan.frame_rate)
        return [
            f"setpts='{argv.shift(given)}'",
            f"trim=start={float(-half_s):.6f}:end={float(end_s - half_s):.6f}",
            f"select='isnan(prev_selected_t)+gte(t-prev_selected_t,{self.every_s})'",
        ]


# Key frames decode alone, so many of them are cheap however far they are apart. Where there
# are hardly any, what lies between them is decoded, for less long.
_SAMPLINGS = (
    _Sampling(keys_only=True, until_s=30, every_s=1.5),
    _Sampling(keys_only=False, until_s=10, every_s=1.0),
)
_ENOUGH_PICTURES = 4


async def still(
    runner: Runner,
    source: SourceReader,
    samples: SampleIndex | None,
    probe: Probe,
    plan: Plan,
    at_s: Fraction | None,
    *,
    watermarks: Sequence[bytes] = (),
    background: Brake | None = None,
) -> bytes:
    """Return a JPEG of the picture shown at `at_s` seconds of our timeline.

    None chooses one of the beginning that is neither black nor blank nor blurred, the same
    one every time; a time without a picture gives the first. `source` must be a local file,
    unless there are a time and `samples`. `watermarks` are the pictures (PNG) of the plan's
    watermarks. `background` is for one that nobody waits for: it yields, and is held while
    that brake holds.

    Raises:
        MediaError: no picture can be decoded.
        RunnerError: the run was ended from outside, or by a limit on time.
    """
    if probe.video is None:
        msg = "the source has no pictures"
        raise ValueError(msg)
    failure = MediaError("no-picture", "no picture could be decoded")
    limits = _LIMITS if background is None else replace(_LIMITS, niceness=_NICENESS)
    camera = _Camera(source, samples, probe.video, probe.container, plan)
    chosen = await _chosen(runner, camera, limits, background) if at_s is None else None
    for arguments, feed in camera.attempts(at_s, chosen):
        picture = bytearray()
        try:
            await runner.run(
                arguments,
                limits=limits,
                feed=feed,
                input_file=source.local_path if feed is None else None,
                outputs=[picture.extend],
                attachments=watermarks,
                brake=background,
            )
        except (MediaError, FeedError) as error:
            failure = MediaError("no-picture", str(error))
        if picture:
            return bytes(picture)
    raise failure


async def _chosen(
    runner: Runner, camera: "_Camera", limits: Limits, brake: Brake | None
) -> tuple[_Sampling, int] | None:
    """Look at the beginning; return the picture to take, None where there are none."""
    best: tuple[_Sampling, int] | None = None
    most = 0
    for sampling in _SAMPLINGS:
        small = bytearray()
        with suppress(MediaError):  # what came before the damage is good enough
            await runner.run(
                camera.small(sampling),
                limits=limits,
                input_file=camera.source.local_path,
                outputs=[small.extend],
                brake=brake,
            )
        width_px, height_px = SIZE_PX
        pictures = len(small) // (width_px * height_px)
        whole = np.frombuffer(small, np.uint8, pictures * width_px * height_px)
        looks = [look(luma) for luma in whole.reshape(pictures, height_px, width_px)]
        if pictures > most:
            number = most_telling(looks)
            best, most = (sampling, number), pictures
            if pictures >= _ENOUGH_PICTURES and looks[number].tells:
                break
    return best


@dataclass(frozen=True, slots=True)
class _Camera:
    """Where pictures are taken of."""

    source: SourceReader
    samples: SampleIndex | None
    video: VideoTrack
    container: str
    plan: Plan

    def attempts(
        self, at_s: Fraction | None, chosen: tuple[_Sampling, int] | None
    ) -> Iterator[Attempt]:
        """Yield what to try, one after the other."""
        frame = 0
        if chosen is not None:
            yield self._sampled(*chosen), None
        if at_s is not None:
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

    def _sampled(self, sampling: _Sampling, number: int) -> list[str]:
        """Take one of the pictures that were looked at: what is decoded is the same."""
        given = argv.whole_input(self.video, self.container, 0)
        steps = [*sampling.steps(given, self.plan), f"select='eq(n,{number})'"]
        return self._argv(given, _decoded(sampling, self.video), steps)

    def small(self, sampling: _Sampling) -> list[str]:
        """Return the arguments that write small grey pictures, one after the other."""
        given = argv.whole_input(self.video, self.container, 0)
        width_px, height_px = SIZE_PX
        steps = [
            *sampling.steps(given, self.plan),
            f"scale={width_px}:{height_px}:flags=area",
            "format=gray",
        ]
        return [
            *self._input(given, _decoded(sampling, self.video)),
            "-filter_complex_threads", "1",
            "-filter_complex", f"[{argv.stream(given)}]{','.join(steps)}[o0]",
            "-map", "[o0]",
            "-fps_mode", "passthrough",
            "-f", "rawvideo",
            output_url(0),
        ]  # fmt: skip

    def _input(self, given: argv.Fed | argv.Whole, before: Sequence[str]) -> list[str]:
        return [
            "-v", "error",
            "-copyts",
            "-max_error_rate", "1",
            *INPUT_FLAGS,
            *before,
            *argv.media_input(given),
        ]  # fmt: skip

    def _argv(
        self, given: argv.Fed | argv.Whole, before: Sequence[str], steps: Sequence[str]
    ) -> list[str]:
        size_px = self._size_px()
        chain = f"[{argv.stream(given)}]" + ",".join((*steps, *conversion(self.video, size_px)))
        graph = ";".join(burnt_in(chain, self.video, self.plan, size_px))
        return [*self._input(given, before), *argv.pictures(self.plan, 1), *_jpeg(graph)]

    def _size_px(self) -> tuple[int, int]:
        return _shown_size(self.video.width_px, self.video.height_px)


def _shown_size(width_px: int, height_px: int) -> tuple[int, int]:
    shown_px = min(width_px, MAX_WIDTH_PX)
    return shown_px, max(1, round(shown_px * Fraction(height_px, width_px)))


def _jpeg(graph: str) -> list[str]:
    """Return the arguments that write the picture which comes out of an open graph."""
    # What JPEG means by its numbers (JFIF 1.02): BT.601, full range.
    jpeg = "scale=out_color_matrix=bt601:out_range=pc,format=yuvj420p"
    return [
        "-filter_complex_threads", "1",
        "-filter_complex", f"{graph},{jpeg}[o0]",
        "-map", "[o0]",
        "-fps_mode", "passthrough",
        "-frames:v", "1",
        "-c:v", "mjpeg",
        "-q:v", str(_QUALITY),
        "-map_metadata", "-1",
        "-f", "image2pipe",
        output_url(0),
    ]  # fmt: skip


def decoding_pixels(video: VideoTrack, frame: int) -> int:
    """Return how many pixels are decoded to show a frame of the source."""
    before = bisect_right(video.key_frames, frame) - 1
    key = video.key_frames[before] if before >= 0 else 0
    return (frame - key + 1) * video.coded_width_px * video.coded_height_px


async def still_of_piece(
    runner: Runner, init: bytes, piece: bytes, number: int, size_px: tuple[int, int]
) -> bytes:
    """Return a JPEG of picture `number` of one encoded piece, for a video of this size.

    A piece is never longer than a few seconds, whatever the source is like.

    Raises:
        MediaError: it cannot be decoded.
        RunnerError: the run was ended from outside, or by a limit on time.
    """

    async def feed() -> AsyncIterator[bytes]:
        yield init
        yield piece

    width_px, height_px = _shown_size(*size_px)
    scale = f"scale={width_px}:{height_px}:flags=bicubic,setsar=1"
    picture = bytearray()
    given = argv.Fed(0, 0)
    await runner.run(
        # By number, not by time: offsets below zero move all times of such a file.
        ["-v", "error", *INPUT_FLAGS, *argv.media_input(given),
         *_jpeg(f"[{argv.stream(given)}]select='eq(n,{number})',{scale}")],
        limits=_LIMITS,
        feed=feed(),
        outputs=[picture.extend],
    )  # fmt: skip
    if not picture:
        raise MediaError("no-picture", f"picture {number} of a piece could not be decoded")
    return bytes(picture)


def _decoded(sampling: _Sampling, video: VideoTrack) -> list[str]:
    """Return the options that keep from the decoder what is not looked at."""
    if not sampling.keys_only:
        return []
    # Before the decoder, for not all decoders heed `-skip_frame`.
    dropped = "not(key)"
    if len(video.key_frames) == video.frames:
        step = max(1, round(sampling.every_s * video.frame_rate))
        dropped = f"gt(mod(n,{step}),0)"
    return ["-bsf:v", f"noise=drop='{dropped}'"]
