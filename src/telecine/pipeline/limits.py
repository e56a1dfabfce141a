"""What a source may be at most, and the sandbox limits of each kind of run."""

from fractions import Fraction

from telecine.pipeline.model import Probe

MAX_DURATION_S = 24 * 3600
MAX_SIDE_PX = 8192
MAX_PIXELS = 35_389_440
MAX_FRAMES = MAX_DURATION_S * 120
MAX_PACKETS = 11_000_000  # of one stream
MAX_CHANNELS = 8
MAX_SAMPLE_RATE_HZ = 192_000
MAX_RATE_HZ = 1000
"""Pictures a second of the fastest cameras that write what they see at its own speed."""

PROBE_MEMORY_BYTES = 3 << 30
"""Address space of the probe: 11 million samples and their sorted copies."""

_CPU_BASE_S = 20
_CPU_PER_MEDIA_S = 40
_WALL_FACTOR = 4
_SMALL_MEMORY_BYTES = 2 << 30
_LARGE_MEMORY_BYTES = 4 << 30
_SMALL_PIXELS = 1920 * 1088
_EXTRA_MEMORY_BYTES = 1 << 30
_EXTRA_CPU_FACTOR = 4


class UnplayableError(Exception):
    """The source cannot be served: `reason` is a slug, `detail` for people."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class TooLittleError(Exception):
    """The beginning of a source tells too little before `until_bytes` of it are there."""

    def __init__(self, detail: str, until_bytes: int) -> None:
        super().__init__(detail)
        self.until_bytes = until_bytes


def check_size(width_px: int, height_px: int) -> None:
    """Refuse pictures of more than 8K. Raises UnplayableError."""
    if max(width_px, height_px) > MAX_SIDE_PX or width_px * height_px > MAX_PIXELS:
        raise UnplayableError("picture-too-large", f"{width_px}x{height_px}")


def check_rate(pictures: int, span_s: Fraction) -> None:
    """Refuse more pictures in a time than any camera makes. Raises UnplayableError."""
    if pictures > MAX_RATE_HZ and pictures > MAX_RATE_HZ * span_s:
        raise UnplayableError("frame-rate-too-high", f"{pictures} pictures in {float(span_s):g} s")


def check(probe: Probe) -> None:
    """Refuse what is beyond all limits. Raises UnplayableError."""
    video, audio = probe.video, probe.audio
    if video is None and audio is None:
        raise UnplayableError("no-streams", "neither video nor audio")
    if video is not None:
        size = f"{video.coded_width_px}x{video.coded_height_px}"
        if min(video.coded_width_px, video.coded_height_px, video.width_px, video.height_px) < 2:
            raise UnplayableError("picture-too-small", size)
        check_size(video.coded_width_px, video.coded_height_px)
        if max(video.width_px, video.height_px) > MAX_SIDE_PX:
            raise UnplayableError("picture-too-large", f"{size}, wider when shown")
        if video.frames > MAX_FRAMES:
            raise UnplayableError("too-long", f"{video.frames} frames")
    if probe.duration_s <= 0:
        raise UnplayableError("no-duration", "it ends where it begins")
    if probe.duration_s > MAX_DURATION_S:
        raise UnplayableError("too-long", f"{float(probe.duration_s):.0f} s")
    if audio is not None and (
        audio.channels > MAX_CHANNELS or audio.sample_rate_hz > MAX_SAMPLE_RATE_HZ
    ):
        sound = f"{audio.channels} channels at {audio.sample_rate_hz} Hz"
        raise UnplayableError("audio-too-complex", sound)


def cpu_limit_s(media_s: Fraction, extra: int = 0) -> int:
    """Return the processor time that a run over so much media may take.

    `extra`: how many of its outputs are in slower codecs than H.264.
    """
    return _CPU_BASE_S + int(_CPU_PER_MEDIA_S * media_s * (_EXTRA_CPU_FACTOR if extra else 1))


def wall_limit_s(media_s: Fraction, extra: int = 0) -> int:
    """Return how long such a run may last on a busy machine."""
    return cpu_limit_s(media_s, extra) * _WALL_FACTOR


def memory_limit_bytes(pixels: int, extra: int = 0) -> int:
    """Return the address space that decoding such pictures, and encoding them, may take."""
    usual = _SMALL_MEMORY_BYTES if pixels <= _SMALL_PIXELS else _LARGE_MEMORY_BYTES
    return usual + extra * _EXTRA_MEMORY_BYTES
