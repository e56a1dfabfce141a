"""What parts and playlists of live streams are answered with, on both ways to them."""

from telecine.delivery.answers import IMMUTABLE, NOW, VARY, Answer, etag_of
from telecine.delivery.playlists import MEDIA_TYPE
from telecine.live.window import Window

_MEDIA = b"video/mp4"
_ONCE = b"public, max-age=1"

PATIENCE_TARGETS = 3.0
"""A playlist that does not come within three target durations never does (6.2.5.2)."""

AT_ONCE_TARGETS = 0.5
"""How much of that the shortcut waits before it leaves a request to the application."""


def part_answer(data: bytes, lifetime: bytes = IMMUTABLE) -> Answer:
    """Answer with a part or an init segment."""
    return Answer(200, _MEDIA, [data], lifetime)


def playlist_answer(
    body: bytes, coding: str | None, *, blocking: bool, private: bytes | None = None
) -> Answer:
    """Answer with a playlist; `private` is how long one may be kept that is for one viewer.

    Its validator is of the very bytes: whoever renders the same has the same one.
    """
    headers = (VARY,) if coding is None else (VARY, (b"content-encoding", coding.encode()))
    lifetime = private or (_ONCE if blocking else NOW)
    return Answer(200, MEDIA_TYPE, [body], lifetime, etag_of(body), headers=headers)


def awaited(window: Window, msn: int, part: int | None) -> tuple[int, int | None]:
    """Return what a request for a part waits for: the next segment's first, if it ended before."""
    segment = window.segment(msn)
    known = len(segment.parts) if segment is not None and segment.ended else 0
    return (msn + 1, 0) if part is not None and known and part >= known else (msn, part)
