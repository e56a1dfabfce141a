"""Segments whose place is known and whose bytes are in memory: answered at once.

What the application would answer to the same request, header by header; everything that
needs a look elsewhere (lists of sites, a range, a disk, the database) is left to it. A private
video is not looked up either: its session or its signed token proves itself.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from weakref import ref

from telecine import clock
from telecine.delivery import answers
from telecine.delivery.answers import Header
from telecine.delivery.body import open_cached, read_cached
from telecine.delivery.gate import SESSION_HEADER, Guarded
from telecine.delivery.media import Media, MediaCache
from telecine.delivery.parts import Part, StoredRange, body_size
from telecine.delivery.segments import Segments
from telecine.domains.encodings.queries import AUDIO
from telecine.http.at_once import Answer, Stretch
from telecine.storage.store import ObjectMissing, Store

_TARGET = re.compile(rb"/vod/(vi[0-9A-Za-z]{1,64})/hls/([0-9a-z-]{1,12})/(\d{1,9})-(\d{1,9})\.m4s")
_IN_TOKEN = re.compile(rb"(/vod/(vi[0-9A-Za-z]{1,64}))/token/[0-9a-f-]{36}")
_SIGNED = re.compile(rb"(/vod/(vi[0-9A-Za-z]{1,64}))/token/(sk[0-9A-Za-z_~-]{1,100})")
_OF_SESSION = re.compile(rb"avh=([0-9A-Za-z_-]{28})")
_IN_FOLDER = b"/hls/"
_IN_TOKEN_FOLDER = b"/token/"
_PRIVATE = b" "
"""Before the keys of private segments: no target has it, so nothing else leads to them."""

_KEPT = 1024
_BODIES_BYTES = 8 << 20
"""Bodies that are put together of many reads are kept while they are asked for again."""

_SESSIONS = 4096
"""So many sessions are kept as verified: a MAC a segment would be a tenth of its cost."""

_SENT_FROM_FILE_BYTES = 16 << 10  # less is copied for less than the calls cost


def _head(content_type: bytes, cache_control: bytes = answers.IMMUTABLE) -> bytes:
    headers: tuple[Header, ...] = (
        *answers.SHARED_HEADERS,
        (b"cache-control", cache_control),
        (b"content-type", content_type),
        (b"accept-ranges", b"bytes"),
    )
    return b"".join(name + b": " + value + b"\r\n" for name, value in headers)


_KINDS = b"video/mp4", b"audio/mp4"
_HEADS = [_head(kind) for kind in _KINDS]
_PRIVATE_HEADS = [_head(kind, answers.PRIVATE) for kind in _KINDS]


@dataclass(slots=True)
class _Known:
    """What a target is answered with, as long as its video is what `media` says.

    That is not kept for its sake: how much is remembered of videos has a limit of its own.
    """

    public_id: str
    media: ref[Media]
    head: bytes
    parts: Sequence[Part]
    size_bytes: int
    asked_before: bool = False
    body: bytes | None = None


class _Opened(NamedTuple):
    """What a session or a signed token opens.

    A token does so only while its video is what `media` says: that is forgotten with every
    change of a project and its keys.
    """

    folder: bytes
    header: bytes
    end: datetime
    media: ref[Media] | None = None


class SegmentShortcut:
    """Answers with headers and body of a segment (`http.at_once.Shortcut`)."""

    def __init__(
        self,
        cache: MediaCache,
        segments: Segments,
        store: Store,
        session_end: Callable[[str, str], datetime | None],
        signed_end: Callable[[Guarded, str], datetime | None],
    ) -> None:
        """`session_end` and `signed_end` tell until when a session or token opens a video."""
        self._session_end = session_end
        self._signed_end = signed_end
        self._opened: dict[tuple[bytes, bytes], _Opened] = {}
        self._cache = cache
        self._segments = segments
        self._store = store
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._with_body: OrderedDict[bytes, _Known] = OrderedDict()
        self._bodies_bytes = 0

    def __call__(self, target: bytes, room: memoryview) -> Answer | None:
        """Return the answer, None where there is none at once."""
        path, _, query = target.partition(b"?")
        if not query and _IN_TOKEN_FOLDER not in target:
            return self._answer(target, room)
        place, slash, file = path.partition(_IN_FOLDER)
        opened = self._opened.get((place, query))
        if opened is None or not self._holds(opened):
            opened = self._open(place, query) if query else self._open_signed(place)
        if opened is None or opened.end <= clock.now():
            return None
        answer = self._answer(opened.folder + slash + file, room)
        return None if answer is None else Answer(answer.head[:-2] + opened.header, answer.body)

    def _open(self, place: bytes, query: bytes) -> _Opened | None:
        """Look at the session of a request below `place`."""
        below, session = _IN_TOKEN.fullmatch(place), _OF_SESSION.fullmatch(query)
        if below is None or session is None:
            return None
        end = self._session_end(below[2].decode(), session[1].decode())
        if end is None:
            return None
        header = b"%s: %s\r\n\r\n" % (SESSION_HEADER, session[1])
        return self._opens((place, query), below[1], header, end)

    def _open_signed(self, place: bytes) -> _Opened | None:
        below = _SIGNED.fullmatch(place)
        media = None if below is None else self._cache.kept(below[2].decode())
        if below is None or media is None:
            return None
        end = self._signed_end(media.video, below[3].decode())
        return None if end is None else self._opens((place, b""), below[1], b"\r\n", end, media)

    def _holds(self, opened: _Opened) -> bool:
        if opened.media is None:
            return True
        media = opened.media()
        return media is not None and self._cache.kept(media.video.public_id) is media

    def _opens(
        self,
        by: tuple[bytes, bytes],
        folder: bytes,
        header: bytes,
        end: datetime,
        media: Media | None = None,
    ) -> _Opened:
        if len(self._opened) >= _SESSIONS:
            self._opened.clear()  # they prove themselves again
        opened = self._opened[by] = _Opened(
            _PRIVATE + folder, header, end, None if media is None else ref(media)
        )
        return opened

    def _answer(self, target: bytes, room: memoryview) -> Answer | None:
        known = self._known.get(target)
        media = None if known is None else self._cache.kept(known.public_id)
        if known is None or media is None or known.media() is not media:
            known = self._look_up(target)
            if known is None:
                return None
        if known.size_bytes > len(room):
            return None
        try:
            body = self._body(target, known, room[: known.size_bytes])
        except (ObjectMissing, OSError):  # the application says what is wrong
            self._drop(target)
            return None
        return None if body is None else Answer(known.head, body)

    def _drop(self, target: bytes) -> None:
        known = self._known.pop(target, None)
        if known is not None and self._with_body.pop(target, None) is not None:
            self._bodies_bytes -= known.size_bytes

    def _look_up(self, target: bytes) -> _Known | None:
        self._drop(target)
        private = target.startswith(_PRIVATE)
        found = _TARGET.fullmatch(target.removeprefix(_PRIVATE))
        if found is None:
            return None
        media = self._cache.kept(public_id := found[1].decode())
        if media is None or media.asset is None or media.video.access is not None:
            return None
        if media.video.public is private:
            return None
        asset, number = media.asset, int(found[4])
        rendition = asset.renditions.get(found[2].decode())
        if rendition is None or int(found[3]) != asset.epoch or number >= asset.arrived:
            return None
        parts = self._segments.known(asset, rendition, number)
        if parts is None:
            return None
        size = body_size(parts)
        heads = _PRIVATE_HEADS if private else _HEADS
        head = heads[rendition.name == AUDIO] + b"etag: %s\r\ncontent-length: %d\r\n\r\n" % (
            asset.etag(rendition.name, found[4].decode()),
            size,
        )
        known = _Known(public_id, ref(media), head, parts, size)
        if not asset.is_open:  # its file still changes
            self._known[target] = known
            if len(self._known) > _KEPT:
                self._drop(next(iter(self._known)))
        return known

    def _body(self, target: bytes, known: _Known, room: memoryview) -> int | bytes | Stretch | None:
        """Return the body, None where it is on a disk."""
        if known.body is not None:
            self._with_body.move_to_end(target)
            return known.body
        parts = known.parts
        if len(parts) == 1 and isinstance(parts[0], StoredRange):
            whole = parts[0]
            if whole.size >= _SENT_FROM_FILE_BYTES:
                descriptor = open_cached(self._store, whole)
                if descriptor is None:
                    return None
                return Stretch(descriptor, whole.offset, whole.size)
        if not read_cached(self._store, parts, room):
            return None
        if known.asked_before:
            self._keep(target, known, bytes(room))
        known.asked_before = True
        return known.size_bytes

    def _keep(self, target: bytes, known: _Known, body: bytes) -> None:
        if self._known.get(target) is not known:
            return  # what still grows
        known.body, self._with_body[target] = body, known
        self._bodies_bytes += len(body)
        while self._bodies_bytes > _BODIES_BYTES:
            _, oldest = self._with_body.popitem(last=False)
            oldest.body = None
            self._bodies_bytes -= oldest.size_bytes
