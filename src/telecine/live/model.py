"""What a broadcast is made of, as values that its owner makes and its edges mirror."""

from dataclasses import dataclass
from fractions import Fraction

MS = 1000

TOLERANCE_MS = 3
"""Encoders' milliseconds make six frames of 30 Hz last 199 to 201 ms."""

LEAST_PART = 0.85
"""Of the part target: how short a part may be that neither begins nor ends something."""

_LEAST_FIRST_PART = 0.75
SHORTEST_TARGET_S = 2

SOURCE = "source"
"""The rendition that is what the encoder sends."""


@dataclass(frozen=True, slots=True)
class Init:
    """An init segment; `number` counts those of an event. `codecs`: RFC 6381 names."""

    number: int
    data: bytes
    codecs: str
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class Beside:
    """How far another rendition of the same event is: the last part it has."""

    name: str
    msn: int
    part: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A partial segment: whole fragments of MP4.

    `number` counts within segment `msn`. The first part of a segment tells what is true of
    all of it: its init segment, whether the timeline breaks before it, and when its first
    sample was received (Unix time). `ends`: it is the last one of its segment. `beside`: how
    far other renditions were when it was made, which its owner alone can tell.
    """

    msn: int
    number: int
    duration_ms: int
    independent: bool
    init: int
    discontinuity: bool
    received_ms: int
    data: bytes
    ends: bool = False
    beside: tuple[Beside, ...] = ()


@dataclass(frozen=True, slots=True)
class SegmentEnd:
    """The segment has all its parts; also told by its last part, if that was known.

    `first`: the oldest segment that the owner still has, for those who mirror it.
    """

    msn: int
    first: int = 0


@dataclass(frozen=True, slots=True)
class Targets:
    """What an event promises from its first whole segment on; it never changes."""

    part_ms: int
    segment_s: int


def first_targets(longest_part_ms: int, segment_ms: int) -> Targets:
    """Return what an event promises whose first segment lasts `segment_ms`."""
    longest_s = max(SHORTEST_TARGET_S, -(-segment_ms // 1000))
    return Targets(longest_part_ms + TOLERANCE_MS, longest_s)


def first_limit_ms(part_ms: int, shortest_part_ms: int) -> int:
    """Return how long a part of the first segment may be, so that one target fits all."""
    limit = part_ms + TOLERANCE_MS
    if shortest_part_ms:
        limit = min(limit, int(shortest_part_ms / LEAST_PART) - TOLERANCE_MS)
    return limit


def first_least_ms(part_ms: int, longest_part_ms: int) -> float:
    """Return how long a part of the first segment must be, for the same reason."""
    return max(LEAST_PART * (longest_part_ms + TOLERANCE_MS), _LEAST_FIRST_PART * part_ms)


@dataclass(frozen=True, slots=True)
class Position:
    """How far a packager has come: with this another one goes on.

    `init`: the newest init segment, `inits`: how many there were; `msn`: of the next segment;
    `sequence`: how many fragments there were; `end_ms`: of all that was written.
    """

    init: bytes = b""
    inits: int = 0
    msn: int = 0
    sequence: int = 0
    end_ms: int = 0
    targets: Targets | None = None


@dataclass(frozen=True, slots=True)
class Boundary:
    """Where a segment begins: at the picture that is shown at `shown_ms` of the encoder.

    `at_ms`: where it is decoded, on the timeline that is written; `key`: it is a key frame.
    """

    msn: int
    shown_ms: int
    at_ms: int
    received_ms: int
    discontinuity: bool
    key: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where bytes of a segment lie in a recording: an object, and [offset, offset + size)."""

    key: str
    offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The event is over."""


Output = Init | Part | SegmentEnd | Targets | Ended
"""What a packager makes, in its order."""


def clock_step(before_ms: int, after_ms: int) -> int:
    """Return the difference of two times of 32 bits that wrap around."""
    step = (after_ms - before_ms) & 0xFFFFFFFF
    return step - (1 << 32) if step >= 1 << 31 else step


def seconds(milliseconds: int) -> Fraction:
    """Return milliseconds as exact seconds."""
    return Fraction(milliseconds, MS)
