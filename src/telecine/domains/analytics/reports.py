"""What a ping tells, whatever its generation: the common form of both protocols."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from telecine.domains.analytics.timeline import Span

VIDEO, LIVE_STREAM = "video", "live-stream"

MAX_POSITION_S = 10_000_000.0
"""Positions beyond this are no positions."""


class Unreadable(Exception):
    """A ping that no player sends."""


@dataclass(frozen=True, slots=True)
class Event:
    """What a viewer did, by the player's clock; of a seek, `at_s` is where it leads."""

    type: str
    at_ms: int
    at_s: float
    from_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one ping says of one playback.

    All `_ms` are milliseconds since 1970 by the player's clock, `skew_ms` is what brings
    them to ours. `plain_types`: this generation does not tell `resume` from `play`.
    `dropped` counts the events that could not be read.
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
