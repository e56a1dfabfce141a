"""The values that pass between probe, planner, encoder and delivery.

Times are integer ticks of `TIMESCALE` or integer frame numbers of the plan's own
frame rate; nothing here is a float second. All values serialise to JSON.
"""

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction

from telecine.pipeline.watermark import Watermark

TIMESCALE = 120_000
"""Ticks a second of every video track we write (hls.js re-estimates its start
time at a switch between timescales). Whole frame durations at 23.976, 24, 25,
29.97, 30, 48, 50, 59.94 and 60 Hz."""

PACKET_SAMPLES = 1024
"""Samples of one AAC-LC packet (ISO/IEC 14496-3)."""

PLAN_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoTrack:
    """The video stream of a source, as it is shown (mirroring, rotation and SAR applied)."""

    codec: str  # ffmpeg's name: "h264", "hevc", "vp9", …
    codecs: str | None  # RFC 6381, if known: "avc1.64001f"
    width_px: int  # as shown: rotated, square pixels
    height_px: int
    coded_width_px: int
    coded_height_px: int
    sample_aspect: Fraction
    rotation_deg: int  # 0, 90, 180, 270
    frame_rate: Fraction  # Hz; the nearest standard rate, at most 60
    frames: int  # output frames on the grid of `frame_rate`
    start_s: Fraction  # container time of the first shown frame: our time 0
    key_frames: tuple[int, ...]  # on the same grid, ascending; negative: before a clip
    interlaced: bool
    bit_depth: int
    chroma: str  # "420", "422", "444", "gray"
    full_range: bool
    transfer: str | None  # "bt709", "smpte2084", "arib-std-b67", …
    mean_bps: int
    peak_bps: int  # largest mean over one segment, cut at key frames
    primaries: str | None = None  # ffmpeg's name, None: not tagged
    matrix: str | None = None
    ordinal: int = 0  # among the video streams of the container
    measured_rate: Fraction | None = None  # where `frame_rate` was given, not measured
    mirrored: bool = False  # left for right, before it is turned
    delay_s: Fraction = Fraction(0)  # how much later ffmpeg times pictures than sound (AVI)


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioTrack:
    """The audio stream of a source that is played."""

    codec: str
    codecs: str | None  # "mp4a.40.2"
    sample_rate_hz: int
    channels: int
    # Relative to the video's first frame (audio only: 0); negative: before a clip, too.
    start_s: Fraction
    duration_s: Fraction
    packets: int | None  # exact, where an index tells (AAC in MP4)
    ordinal: int = 0  # among the audio streams of the container
    mean_bps: int = 0  # 0: not known
    zero_s: Fraction = Fraction(0)  # audio only: container time of our time 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """All that the planner needs to know of a source."""

    container: str  # ffmpeg's demuxer name: "mov", "matroska", …
    size_bytes: int
    duration_s: Fraction
    video: VideoTrack | None
    audio: AudioTrack | None
    truncated: bool
    # Why the video (audio) cannot be served as it is; empty: it can.
    video_obstacles: tuple[str, ...]
    audio_obstacles: tuple[str, ...]
    # True: the sample index of an MP4/MOV is there (see pipeline.sample_index).
    indexed: bool
    bit_rate_bps: int
    # Of the beginning of a source without an index of the whole: how much of our time
    # has both its pictures and its sound. None: the whole is known.
    known_s: Fraction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRendition:
    """One video quality: fixed before a single frame is encoded."""

    name: str  # "240p" … "2160p"; beside the ladder "240p-hevc" …
    width_px: int
    height_px: int
    rate_divisor: int  # 1: the plan's frame rate; 2: every second frame
    passthrough: bool
    codecs: str  # RFC 6381, true of every segment
    profile: str  # x264 profile, "" when passthrough
    level: str  # "3.1", "" when passthrough
    max_rate_bps: int
    buffer_bits: int
    crf: float
    codec: str = "h264"  # "hevc" and "av1": beside the ladder, see `extra`

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height."""
        return self.width_px, self.height_px


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioRendition:
    """The one audio rendition."""

    passthrough: bool
    codecs: str
    sample_rate_hz: int
    channels: int
    bit_rate_bps: int
    packets: int  # of 1024 samples, as served
    # First packet of each segment, and the end: len = segments + 1.
    segment_packets: tuple[int, ...]
    # Copied audio: the source's packet that is served as packet 0, because it covers
    # time 0, and what is left of it: it is stamped 0 and ends where the next begins.
    source_packet: int = 0
    first_packet_samples: int = PACKET_SAMPLES

    def start_samples(self, packet: int) -> int:
        """Return the time of a packet (or of the end) in ticks of the sample rate."""
        if packet == 0:
            return 0
        return self.first_packet_samples + (packet - 1) * PACKET_SAMPLES


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything about an asset's renditions, decided when the source is known.

    `piece_cuts` are frame numbers, 0 first and `frames` last; a piece is
    [piece_cuts[i], piece_cuts[i + 1]) and starts with an IDR in every transcoded
    rendition. `segment_pieces` are indexes into the pieces: segment n is pieces
    [segment_pieces[n], segment_pieces[n + 1]). Audio-only assets have no frames
    and use `audio.segment_packets` alone.
    """

    version: int
    frame_rate: Fraction
    frames: int
    piece_cuts: tuple[int, ...]
    segment_pieces: tuple[int, ...]
    chunk_segments: tuple[int, ...]  # first segment of each ladder chunk, and the end
    renditions: tuple[VideoRendition, ...]  # lowest first
    audio: AudioRendition | None
    target_duration_s: int
    width_px: int  # of the source as shown
    height_px: int
    watermarked: bool = False  # the sandbox's mark is drawn on every picture
    watermarks: tuple[Watermark, ...] = ()  # drawn before it, one above the other
    # Made while the source arrived, from an index that tells where everything will be:
    # how many bytes of the source each segment needs, from the first on.
    segment_bytes: tuple[int, ...] = ()
    # Made while the source arrived, without knowing what would come: longer by and by.
    grown: bool = False
    # The ladder again in codecs that not every player knows; made after it, by codec.
    extra: tuple[VideoRendition, ...] = ()

    def arrived_segments(self, size_bytes: int | None) -> int:
        """Return how many segments can be made of so many bytes; None: of the whole source."""
        if size_bytes is None or not self.segment_bytes:
            return self.segments
        return bisect_right(self.segment_bytes, size_bytes)

    def arrived_chunks(self, segments: int, *, more: bool) -> int:
        """Return how many chunks are whole with so many segments, whether or not `more` come."""
        whole = bisect_right(self.chunk_segments, segments) - 1
        # The last one of a plan that grows may still get longer.
        return max(0, whole - 1 if more and self.grown else whole)

    @property
    def segments(self) -> int:
        """Number of segments."""
        if self.segment_pieces:
            return len(self.segment_pieces) - 1
        return len(self.audio.segment_packets) - 1 if self.audio else 0

    @property
    def pieces(self) -> int:
        """Number of video pieces."""
        return max(0, len(self.piece_cuts) - 1)

    @property
    def length_s(self) -> Fraction:
        """How long it is shown; sound alone: to the end of its last packet."""
        if self.frames or self.audio is None:
            return self.frames / self.frame_rate
        audio = self.audio
        return Fraction(audio.start_samples(audio.packets), audio.sample_rate_hz)

    def ticks(self, frame: int) -> int:
        """Return the time of a frame in ticks of TIMESCALE, rounded, never drifting."""
        return round(frame * TIMESCALE / self.frame_rate)

    def segment_frames(self, segment: int) -> tuple[int, int]:
        """Return the frames [first, end) of a segment."""
        first, end = self.segment_pieces[segment], self.segment_pieces[segment + 1]
        return self.piece_cuts[first], self.piece_cuts[end]

    def rendition(self, name: str) -> VideoRendition:
        """Return the video rendition of that name. Raises KeyError."""
        for rendition in (*self.renditions, *self.extra):
            if rendition.name == name:
                return rendition
        raise KeyError(name)
