"""Segments whose place is known and whose bytes are in memory: answered at once.

What the application would answer to the same request, header by header; everything that
needs a look elsewhere (a private video, lists of sites, a range, a disk, the database) is left
to it.
"""

import re
from collections.abc import Sequence

from telecine.delivery import answers
from telecine.delivery.answers import Header
from telecine.delivery.body import read_cached
from telecine.delivery.media import MediaCache
from telecine.delivery.parts import body_size
from telecine.delivery.segments import Segments
from telecine.domains.encodings.queries import AUDIO
from telecine.storage.store import ObjectMissing, Store

_TARGET = re.compile(rb"/vod/(vi[0-9A-Za-z]{1,64})/hls/([0-9a-z]{1,8})/(\d{1,9})-(\d{1,9})\.m4s")
_CONDITIONS = frozenset({b"range", b"if-none-match"})


def _head(content_type: bytes) -> bytes:
    headers: tuple[Header, ...] = (
        *answers.SHARED_HEADERS,
        (b"cache-control", answers.IMMUTABLE),
        (b"content-type", content_type),
        (b"accept-ranges", b"bytes"),
    )
    return b"".join(name + b": " + value + b"\r\n" for name, value in headers)


_HEADS = (_head(b"video/mp4"), _head(b"audio/mp4"))


class SegmentShortcut:
    """Fills a buffer with headers and body of a segment (`http.at_once.Shortcut`)."""

    def __init__(self, cache: MediaCache, segments: Segments, store: Store) -> None:
        self._cache = cache
        self._segments = segments
        self._store = store

    def __call__(self, target: bytes, headers: Sequence[Header], room: memoryview) -> int:
        """Return the length of the answer in bytes, 0 where there is none at once."""
        found = _TARGET.fullmatch(target)
        if found is None or not _CONDITIONS.isdisjoint(name for name, _ in headers):
            return 0
        media = self._cache.kept(found[1].decode())
        if media is None or media.asset is None or not media.video.unrestricted:
            return 0
        asset, number = media.asset, int(found[4])
        rendition = asset.renditions.get(found[2].decode())
        if rendition is None or int(found[3]) != asset.epoch or number >= asset.arrived:
            return 0
        parts = self._segments.known(asset, rendition, number)
        if parts is None:
            return 0
        size = body_size(parts)
        head = _HEADS[rendition.name == AUDIO] + b"etag: %s\r\ncontent-length: %d\r\n\r\n" % (
            asset.etag(rendition.name, found[4].decode()),
            size,
        )
        end = len(head) + size
        if end > len(room):
            return 0
        room[: len(head)] = head
        try:
            return end if read_cached(self._store, parts, room[len(head) : end]) else 0
        except (ObjectMissing, OSError):  # the application says what is wrong
            return 0
