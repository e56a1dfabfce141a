"""Parts and playlists of public live streams: answered before the application is asked.

Ten requests a second and viewer, of which nine wait for what the encoder sends next: all who
wait for the same are one `Later` here, and what they get is put together once.
"""

import asyncio
import re
from collections.abc import Callable
from functools import partial

from telecine.delivery import answers
from telecine.delivery.live_answers import AT_ONCE_TARGETS, awaited, part_answer, playlist_answer
from telecine.delivery.live_cache import LiveCache
from telecine.delivery.live_playlists import LivePlaylists
from telecine.delivery.packing import CODINGS, acceptable
from telecine.http.at_once import Answer, Later
from telecine.live.edge import Edge
from telecine.live.window import Window

_FOLDER = rb"/live/(?P<id>li[0-9A-Za-z]{22})_(?P<rendition>source|\d{2,4}p)/"
_PART = re.compile(_FOLDER + rb"(?P<session>[0-9a-f]{12})-(?P<msn>\d{1,9})\.(?P<part>\d{1,4})\.m4s")
_PLAYLIST = re.compile(
    _FOLDER + rb"index\.m3u8"
    # The order in which players write them; others take the other way.
    rb"(?:\?_HLS_msn=(?P<msn>\d{1,9})(?:&_HLS_part=(?P<part>\d{1,4}))?"
    rb"(?:&_HLS_skip=(?P<skip>YES|v2))?)?"
)
_ENCODINGS = re.compile(rb"\r\naccept-encoding:([^\r]*)\r")

_Key = tuple[Window, int, int | None, bool | None, str | None]


class LiveMediaShortcut:
    """Answers what this process mirrors (`http.at_once.LiveShortcut`)."""

    def __init__(self, cache: LiveCache, edge: Edge, playlists: LivePlaylists) -> None:
        self._cache = cache
        self._edge = edge
        self._playlists = playlists
        self._laters: dict[_Key, Later] = {}

    def __call__(self, target: bytes, request: bytes) -> Answer | Later | None:
        """Return the answer, or that it comes later; None where the application has to look."""
        if found := _PART.fullmatch(target):
            window = self._window(found)
            if window is None or found["session"].decode() != window.session:
                return None
            return self._part(window, int(found["msn"]), int(found["part"]))
        if found := _PLAYLIST.fullmatch(target):
            window = self._window(found, transport=False)
            if window is None:
                return None
            msn, part = (None if each is None else int(each) for each in found.group("msn", "part"))
            asked = None if msn is None else (msn, part)
            skip = found["skip"] is not None
            return self._playlist(
                window, found["id"].decode(), asked, skip=skip, coding=_coding(request)
            )
        return None

    def _window(self, found: re.Match[bytes], *, transport: bool = True) -> Window | None:
        """Return what anybody may watch; `transport`: also of projects that want MPEG-TS."""
        public_id = found["id"].decode()
        stream = self._cache.kept(public_id)
        if stream is None or not stream.public or stream.access is not None:
            return None
        if stream.transport and not transport:
            return None
        return self._edge.kept(public_id, found["rendition"].decode())

    def _part(self, window: Window, msn: int, number: int) -> Answer | Later | None:
        part = window.part(msn, number)
        if part is not None:
            return _at_once(part_answer(part.data), part.data)
        if (msn, number) != window.edge or window.ended:
            return None
        again = partial(self._part_of_newest, window, msn, number)
        return self._later((window, msn, number, None, None), again)

    def _part_of_newest(self, window: Window, msn: int, number: int) -> Answer | Later | None:
        return self._part(window.newest, msn, number)

    def _playlist(
        self,
        window: Window,
        public_id: str,
        asked: tuple[int, int | None] | None,
        *,
        skip: bool,
        coding: str | None,
    ) -> Answer | Later | None:
        window = window.newest
        if asked is not None and not window.ended:
            msn, part = awaited(window, *asked)
            if not window.holds(msn, part):
                next_msn, next_part = window.edge
                if msn != next_msn or part not in (None, next_part):
                    return None  # further ahead
                again = partial(self._playlist, window, public_id, asked, skip=skip, coding=coding)
                return self._later((window, msn, part, skip, coding), again)
        body = self._playlists.body(public_id, window, skip=skip, coding=coding)
        return _at_once(playlist_answer(body, coding, blocking=asked is not None), body)

    def _later(self, key: _Key, again: Callable[[], Answer | Later | None]) -> Later:
        """Return what all wait for who ask for the same; then `again` says how it went on."""
        later = self._laters.get(key)
        if later is not None:
            return later
        later = self._laters[key] = Later()
        window, msn, part, *_ = key
        target_s = window.targets.segment_s if window.targets is not None else 1
        loop = asyncio.get_running_loop()
        late = loop.call_later(AT_ONCE_TARGETS * target_s, self._settle, key, None)

        def arrived(_: object) -> None:
            late.cancel()
            self._settle(key, again)

        window.wait(msn, part).add_done_callback(arrived)
        return later

    def _settle(self, key: _Key, again: Callable[[], Answer | Later | None] | None) -> None:
        later = self._laters.pop(key, None)
        if later is not None:
            later.settle(None if again is None else again())


def _at_once(answer: answers.Answer, body: bytes) -> Answer:
    return Answer(answers.head(answer, len(body)), body)


def _coding(request: bytes) -> str | None:
    """Return how the client of a request, in small letters, wants its texts."""
    found = b",".join(_ENCODINGS.findall(request)).decode("latin-1")
    return next(iter(acceptable(found, CODINGS)), None)
