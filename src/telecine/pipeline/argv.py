"""ffmpeg's arguments for an encode: pure lists, each flag with its reason.

Frame numbers decide what is encoded. `fps` lays pictures on the absolute grid of the
plan, `tpad` holds the last one for ever, `trim` cuts by number: the result does not
depend on where decoding began.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from telecine.ffmpeg.runner import attachment_url, input_url, output_url
from telecine.ffmpeg.safety import ATTACHED_PICTURE_FLAGS, INPUT_FLAGS
from telecine.pipeline.encoders import Encoder, software
from telecine.pipeline.filters import Source, filter_graph
from telecine.pipeline.model import Plan, VideoRendition, VideoTrack

_LONGEST_HOLD_FRAMES = 3600

# Pictures that change their size or kind go through the same filters: new ones would lay
# the grid again from its start. `scale`, the first that minds, adapts itself.
_SAME_GRAPH = ("-reinit_filter", "0")

# Seeking by key frame needs a container that has them listed; others seek by time.
_KEY_SEEKING = ("mov", "matroska", "avi", "flv", "asf")
_AFTER_KEY_S = Fraction(1, 5)
_BEFORE_KEY_S = Fraction(1, 20)


@dataclass(frozen=True, slots=True)
class Manner:
    """How a source is decoded: some only decode with one thread, some only in part."""

    threads: int = 2
    tolerant: bool = False

    def options(self) -> list[str]:
        """Return them as ffmpeg's, for an input."""
        options = ["-threads", str(self.threads)]
        if self.tolerant:
            # Pictures are shown as far as they could be decoded, whatever was wrong.
            options += ["-err_detect", "ignore_err", "-flags", "+output_corrupt"]
            options += ["-flags2", "+showall"]
        return options


SOFTWARE = software()

Span = tuple[int, int]
"""Frames [first, end) that one encoder makes."""

USUAL = Manner()
MANNERS = (USUAL, Manner(threads=1), Manner(threads=1, tolerant=True))
"""One after the other, until one succeeds."""

REACHES = ((0, 0), (8, 0), (64, 64))
"""Where nothing can be decoded: how many key frames earlier and later to begin and end.

A picture from before is held through the damage; if there is none, the first one behind
it is shown early.
"""


@dataclass(frozen=True, slots=True)
class Fed:
    """Input A: samples that our index cut out, as fragmented MP4 on a pipe.

    Add `shift_ticks` to its time stamps and they count from our time 0. The first
    picture belongs to `start_frame`.
    """

    shift_ticks: int
    start_frame: int


@dataclass(frozen=True, slots=True)
class Whole:
    """Input B: the file itself; `seek_s` is where to start, None at its beginning.

    There is a key frame at `start_frame`.
    """

    zero_s: Fraction
    ordinal: int
    seek_s: Fraction | None
    start_frame: int


def whole_input(
    video: VideoTrack, container: str, first_frame: int, earlier_keys: int = 0
) -> Whole:
    """Return where to start reading a file so that `first_frame` can be decoded."""
    rate, keys = video.frame_rate, video.key_frames
    zero_s = video.start_s + video.delay_s
    number = bisect_right(keys, first_frame) - 1 - earlier_keys
    if number < 1:
        return Whole(zero_s, video.ordinal, None, 0)
    key_s = video.start_s + keys[number] / rate
    if not container.startswith(_KEY_SEEKING):
        return Whole(zero_s, video.ordinal, key_s - _BEFORE_KEY_S, keys[number])
    # ffmpeg backs off by 3/23 s where there are B-frames: aim behind the key frame, but
    # not behind the next one. Landing one too early costs time, not exactness.
    following = keys[number + 1 : number + 2]
    room_s = (following[0] - keys[number]) / rate / 2 if following else _AFTER_KEY_S
    seek_s = key_s + min(_AFTER_KEY_S, room_s)
    return Whole(zero_s, video.ordinal, seek_s, keys[number])


def encode(
    video: VideoTrack,
    plan: Plan,
    renditions: Sequence[VideoRendition],
    spans: Sequence[Span],
    source: Fed | Whole,
    manner: Manner = USUAL,
    encoder: Encoder = SOFTWARE,
) -> list[str]:
    """Return the arguments that encode `renditions`, each span by an encoder of its own.

    The renditions must be given largest first, the spans in order and without gaps; they may
    overlap. Span m of rendition n goes to `output_url(n * len(spans) + m)`.
    """
    first_frame, end_frame = spans[0][0], spans[-1][1]
    # A hold of hours before the first frame must not be laid out frame by frame.
    start_frame = max(source.start_frame, first_frame - _LONGEST_HOLD_FRAMES)
    origin = Source(video, stream(source), shift(source), min(start_frame, first_frame))
    chains = [filter_graph(origin, plan, renditions, first_frame, end_frame)]
    arguments: list[str] = []
    for number, rendition in enumerate(renditions):
        by = encoder if encoder.suits(rendition) else SOFTWARE
        shown = f"[o{number}]"
        if by.upload:
            chains.append(f"{shown}{by.upload}[u{number}]")
            shown = f"[u{number}]"
        outputs = range(number * len(spans), (number + 1) * len(spans))
        labels = [shown]
        if len(spans) > 1:
            labels = [f"[s{output}]" for output in outputs]
            chains += _parted(shown, labels, spans)
        for output, label, (first, end) in zip(outputs, labels, spans, strict=True):
            cuts = [cut for cut in plan.piece_cuts if first < cut < end]
            arguments += [
                "-map", label,
                *by.settings(rendition),
                *timing(plan, first, cuts),
                *fragments(plan),
                output_url(output),
            ]  # fmt: skip
    return [
        # Damage of which decoders make the best is a warning.
        "-v", "warning",
        # Times stay those of the container: frame numbers are absolute.
        "-copyts",
        # Damaged pictures are concealed or skipped, the one before stays on the screen.
        "-max_error_rate", "1",
        *encoder.before_input,
        *INPUT_FLAGS,
        *media_input(source, manner),
        *pictures(plan, len(renditions) * len(spans)),
        # One thread for filters: they wait for the encoders anyway, and memory stays low.
        "-filter_complex_threads", "1",
        "-filter_complex", ";".join(chains),
        *arguments,
    ]  # fmt: skip


def _parted(shown: str, labels: Sequence[str], spans: Sequence[Span]) -> list[str]:
    """Return what ends each span by itself: its encoder waits for nothing that follows."""
    begin = spans[0][0]
    copies = [label.replace("s", "c") for label in labels]
    chains = [f"{shown}split={len(spans)}{''.join(copies)}"]
    for copy, label, (first, end) in zip(copies, labels, spans, strict=True):
        trim = f"trim=start_pts={first - begin}:end_pts={end - begin}"
        chains.append(f"{copy}{trim},setpts=PTS-{first - begin}{label}")
    return chains


def pictures(plan: Plan, outputs: int) -> list[str]:
    """Return the inputs of the plan's watermarks, which are attachments of the run."""
    arguments: list[str] = []
    for number in range(len(plan.watermarks)):
        attached = attachment_url(number, outputs)
        arguments += ["-threads", "1", *ATTACHED_PICTURE_FLAGS, *attached]
    return arguments


def media_input(source: Fed | Whole, manner: Manner = USUAL) -> list[str]:
    """Return the input of the run; `INPUT_FLAGS` go before it."""
    if isinstance(source, Fed):
        # The format is known, so nothing needs to be analysed before decoding begins.
        return ["-probesize", "32768", "-analyzeduration", "0", *_SAME_GRAPH,
                *manner.options(), "-f", "mov", *input_url()]  # fmt: skip
    seek = []
    if source.seek_s is not None:
        # By container time, to the key frame before it; what is too early is trimmed.
        seek = ["-seek_timestamp", "1", "-noaccurate_seek", "-ss", f"{float(source.seek_s):.6f}"]
    # Rotation is done by the filters, as for a fed input, which has no matrix.
    return ["-noautorotate", *_SAME_GRAPH, *seek, *manner.options(), *input_url()]


def stream(source: Fed | Whole) -> str:
    """Return the specifier of its pictures."""
    return "0:v:0" if isinstance(source, Fed) else f"0:v:{source.ordinal}"


def shift(source: Fed | Whole) -> str:
    """Return the expression of our time in ticks of the input."""
    if isinstance(source, Fed):
        return f"PTS{source.shift_ticks:+d}"
    # setpts truncates: round, or a picture may slip below its frame.
    zero = source.zero_s
    return f"round(PTS-({zero.numerator}/{zero.denominator})/TB)"


def timing(plan: Plan, first_frame: int, cuts: Sequence[int]) -> list[str]:
    """Return the options that force key frames at `cuts`, and give frames whole ticks."""
    rate = plan.frame_rate
    arguments = [
        # No picture is dropped or doubled behind the filters.
        "-fps_mode", "passthrough",
        "-enc_time_base", f"{rate.denominator}:{rate.numerator}",
    ]  # fmt: skip
    if cuts:
        # Relative to the start of the run, half a frame early against rounding.
        times_s = [float((cut - first_frame - Fraction(1, 2)) / rate) for cut in cuts]
        arguments += ["-force_key_frames", ",".join(f"{time_s:.6f}" for time_s in times_s)]
    return arguments


def fragments(plan: Plan) -> list[str]:
    """Return the options of the container: a fragment a piece, equal input gives equal bytes."""
    return [
        # Nothing of the source's metadata, nothing of ffmpeg's version: equal input
        # gives equal init segments.
        "-map_metadata", "-1",
        "-map_chapters", "-1",
        "-fflags", "+bitexact",
        "-flags:v", "+bitexact",
        # One tick is 1/numerator of the rate, so that frames are whole ticks.
        "-video_track_timescale", str(plan.frame_rate.numerator),
        # One fragment a key frame, that is a piece; sizes and offsets within it.
        "-movflags", "+cmaf+frag_keyframe+skip_trailer+default_base_moof",
        "-f", "mp4",
    ]  # fmt: skip
