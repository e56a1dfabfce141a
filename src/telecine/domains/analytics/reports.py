"""What a ping tells, whatever its generation: the common form of both protocols."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple, TypeGuard

from telecine.domains.analytics.timeline import LONGEST_MS, Span

VIDEO, LIVE_STREAM = "video", "live-stream"

MAX_POSITION_S = 10_000_000.0
"""Positions beyond this are no positions."""


class Unreadable(Exception):
    """A ping that no player sends."""


class Event(NamedTuple):
    """What a viewer did, by the player's clock; of a seek, `at_s` is where it leads."""

    type: str
    at_ms: int
    at_s: float
    from_s: float | None = None


NOT_STARTED = -1
UNTOLD_START = -2
"""It plays, and nobody knows how long it took to begin."""


class Quality(NamedTuple):
    """What a player has counted of a playback since it began: told again, it is no more.

    `startup_ms` is from the wish to play to the first picture that moves; NOT_STARTED: there
    was none yet; None: the player does not tell. `rendition` is the quality that was played
    last, by its name.
    """

    startup_ms: int | None = None
    stall_count: int = 0
    stall_ms: int = 0
    switch_count: int = 0
    error_count: int = 0
    bitrate_kbps: int | None = None
    throughput_kbps: int | None = None
    rendition: str | None = None


NO_QUALITY = Quality()


class Kind(IntEnum):
    """What is asked for."""

    OTHER = 0
    VIDEO = 1
    AUDIO = 2


class Sample(NamedTuple):
    """One request, by our clock; the rest is as in `protocols.cmcd.ClientData`."""

    at_ms: int
    kind: int
    rendition: str | None = None
    buffer_ms: int | None = None
    starved: bool = False
    urgent: bool = False
    bitrate_kbps: int | None = None
    throughput_kbps: int | None = None
    duration_ms: int | None = None
    start_ms: int | None = None
    stall_ms: int | None = None
    follows: bool = False
    failed: bool = False

    @property
    def has_data(self) -> bool:
        """Whether there was something to be played."""
        return self.buffer_ms > 0 if self.buffer_ms is not None else not self.urgent


@dataclass(slots=True, kw_only=True)
class Report:
    """What one ping says of one playback.

    All `_ms` are milliseconds since 1970 by the player's clock, `skew_ms` is what brings
    them to ours. `dropped` counts the events that could not be read. `samples` stand
    instead of all else where a player only asked for media (`requests`).
    """

    generation: int
    key: tuple[str, ...]
    session_id: str
    media_id: str
    media_type: str | None
    skew_ms: int
    loaded_ms: int
    last_ms: int
    link_ms: int
    impression_ms: int | None = None
    position_s: float | None = None
    events: tuple[Event, ...] = ()
    spans: tuple[Span, ...] = ()
    referrer: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    dropped: int = 0
    quality: Quality = NO_QUALITY
    samples: tuple[Sample, ...] = ()


MAX_REFERRER_CHARS = 2048
_MAX_LABELS, _MAX_LABEL_CHARS = 50, 255


def text(value: object, limit_chars: int) -> str:
    """Return a string that PostgreSQL can hold, "" for whatever is none."""
    if not isinstance(value, str):
        return ""
    cut = value[:limit_chars].replace("\0", "")
    return cut.encode("utf-8", "replace").decode()


def position_s(value: object) -> float | None:
    """Return a position in seconds, None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= MAX_POSITION_S else None


def is_id(value: object) -> TypeGuard[str]:
    """Tell whether something can be an id: of a media, a session, a playback."""
    return (
        isinstance(value, str) and 0 < len(value) <= 64 and value.isascii() and value.isprintable()
    )


_MOST = 1_000_000


def count(value: object) -> int:
    """Return a number of times, 0 for whatever is none."""
    return value if type(value) is int and 0 <= value <= _MOST else 0


def duration_ms(value: object) -> int | None:
    """Return a time of up to a day in milliseconds, None for whatever is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return round(value) if 0 <= value <= LONGEST_MS else None


def labels(value: object) -> dict[str, str]:
    """Return the metadata of a session: an object, or a list of objects."""
    found: dict[str, str] = {}
    for part in value if isinstance(value, list) else [value]:
        if isinstance(part, dict):
            found |= {
                text(key, _MAX_LABEL_CHARS): text(_plain(item), _MAX_LABEL_CHARS)
                for key, item in part.items()
            }
    return dict(list(found.items())[:_MAX_LABELS])


def _plain(item: Any) -> object:  # noqa: ANN401  (whatever JSON has)
    return str(item) if isinstance(item, int | float) else item
