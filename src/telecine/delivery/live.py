"""Everything below `/live/`: playlists, parts and segments of events, and the player page.

It stands in front of the framework, as the delivery of videos does, and answers from what
this process holds of an event (`telecine.live.edge`).
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl

import structlog
from starlette.types import Receive, Scope, Send

from telecine.delivery import answers, live_playlists, packing
from telecine.delivery.answers import IMMUTABLE, PRIVATE, Answer
from telecine.delivery.gate import CREDENTIAL, Gate, in_session, named
from telecine.delivery.live_answers import (
    AT_ONCE_TARGETS,
    PATIENCE_TARGETS,
    awaited,
    part_answer,
    playlist_answer,
)
from telecine.delivery.live_cache import LiveCache, LiveView
from telecine.delivery.live_page import LivePages
from telecine.delivery.live_playlists import LivePlaylists
from telecine.delivery.live_transport import (
    can_be_transport,
    transport_playlist,
    transport_segment,
)
from telecine.delivery.playlists import MEDIA_TYPE
from telecine.delivery.restrictions import for_this_viewer
from telecine.delivery.sharing import Shared
from telecine.formats.errors import FormatError
from telecine.live.edge import Edge
from telecine.live.model import SOURCE
from telecine.live.window import Window
from telecine.problems import Problem, bad_request, invalid_attribute, not_found, problem
from telecine.storage.store import ObjectMissing, Store, StoreError

log = structlog.get_logger()

_PATH = re.compile(
    rf"(?:/live)?(?:/private/(?P<token>{CREDENTIAL}))?/(?P<id>li[0-9A-Za-z]{{22}})"
    # Where players of apps look for the picture of a private stream.
    rf"(?:/token/(?P<late_token>{CREDENTIAL}))?(?P<rest>[._/].*)?"
)
_NAME = rf"(?P<rendition>{SOURCE}|track\d{{1,3}}|\d{{2,4}}p)"
_MASTER = re.compile(r"\.m3u8")
_PLAYLIST = re.compile(rf"_{_NAME}/index\.m3u8")
_PART = re.compile(
    rf"_{_NAME}/(?P<session>[0-9a-f]{{12}})-(?P<msn>\d{{1,9}})\.(?P<part>\d{{1,4}})\.m4s"
)
_SEGMENT = re.compile(rf"_{_NAME}/(?P<session>[0-9a-f]{{12}})-(?P<msn>\d{{1,9}})\.m4s")
_TRANSPORT = re.compile(rf"_{_NAME}/(?P<msn>\d{{1,9}})\.ts")
_INIT = re.compile(rf"_{_NAME}/(?P<session>[0-9a-f]{{12}})-init-(?P<number>\d{{1,6}})\.mp4")
_THUMBNAIL = re.compile(r"/thumbnail\.jpg")
_SESSION = "/session"

_WAITING_ROOM_S = 10.0
"""How long the answer to a player is held back that waits for a stream to begin."""

_MEDIA = b"video/mp4"
_PATIENCE_TARGETS = PATIENCE_TARGETS - AT_ONCE_TARGETS


def is_live(path: str) -> bool:
    """Tell whether a path belongs to live streams: also at the root, for mobile players."""
    return path.startswith(("/live/", "/private/", "/li")) and _PATH.fullmatch(path) is not None


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a viewer, after routing."""

    scope: Scope
    stream: LiveView
    window: Window | None
    session: str | None = None
    """What the children of a private playlist have to carry, None: nothing."""

    @property
    def query(self) -> dict[str, str]:
        """Return the parameters, the last of each name."""
        return dict(parse_qsl(self.scope["query_string"].decode("latin-1")))

    def cached(self, lifetime: bytes) -> bytes:
        """Return how long an answer may be kept: private media not at all."""
        return lifetime if self.stream.public else PRIVATE


Handler = Callable[[Request, re.Match[str]], Awaitable[Answer | None]]
"""Answers a path that matched, None: there is no such thing."""


class LiveDelivery:
    """Serves live streams; `gate` decides on private ones."""

    def __init__(
        self,
        cache: LiveCache,
        edge: Edge,
        store: Store,
        pages: LivePages,
        gate: Gate,
        playlists: LivePlaylists,
    ) -> None:
        self._cache = cache
        self._edge = edge
        self._store = store
        self._pages = pages
        self._gate = gate
        self._playlists = playlists
        self._routes: tuple[tuple[re.Pattern[str], Handler], ...] = (
            (_PART, self._part),
            (_PLAYLIST, self._playlist),
            (_SEGMENT, self._segment),
            (_TRANSPORT, self._transport),
            (_MASTER, self._master),
            (_INIT, self._init),
            (_THUMBNAIL, self._thumbnail),
        )

    async def shared(self, public_id: str) -> Shared | None:
        """Return what other sites may show of a live stream, None if that is nothing."""
        stream = await self._cache.get(public_id)
        return None if stream is None else self._pages.shared(stream)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request whose path `is_live`."""
        del receive
        if scope["method"] == "OPTIONS":
            answer = Answer(204, headers=answers.PREFLIGHT_HEADERS[len(answers.SHARED_HEADERS) :])
        elif scope["method"] not in ("GET", "HEAD"):
            refused = answers.refusal(
                problem(405, "method-not-allowed", "Method is not allowed for this route.")
            )
            allow = ((b"allow", b"GET, HEAD, OPTIONS"),)
            answer = Answer(405, refused.content_type, refused.parts, headers=allow)
        else:
            try:
                answer = await self._answer(scope)
            except Problem as error:
                answer = answers.refusal(error)
            except ObjectMissing as error:
                log.warning("object missing", path=scope["path"], key=str(error))
                answer = Answer(404)
            except StoreError as error:
                log.warning("store failed", path=scope["path"], reason=str(error))
                answer = Answer(503, headers=((b"retry-after", b"5"),))
        await answers.send_answer(scope, send, self._store, answer)

    async def _answer(self, scope: Scope) -> Answer:
        found = _PATH.fullmatch(scope["path"])
        if found is None:
            title = "Unrecognized request URL."
            raise problem(404, "unrecognized-request-url", title)
        stream = await self._cache.get(found["id"])
        rest, token = found["rest"] or "/", found["token"] or found["late_token"]
        if rest == "/":
            return await self._pages.render(scope, stream, token)
        if stream is None:
            raise not_found("liveStreamId")
        if rest == _SESSION:
            return await self._begin(scope, stream, token)
        for pattern, handler in self._routes:
            if matched := pattern.fullmatch(rest):
                return await self._file(scope, stream, token, handler, matched)
        raise not_found("liveStreamId")

    async def _file(
        self,
        scope: Scope,
        stream: LiveView,
        token: str | None,
        handler: Handler,
        matched: re.Match[str],
    ) -> Answer:
        rendition = matched.groupdict().get("rendition", SOURCE)
        window = await self._edge.window(stream.public_id, rendition)
        if window is None and handler == self._master and _waits(scope):
            window = await self._edge.appearance(stream.public_id, _WAITING_ROOM_S)
        if window is None and handler == self._playlist and rendition != SOURCE:
            window = await self._beginning(stream.public_id, rendition)
        # A token is not used up by what is not there: players ask until somebody broadcasts.
        there = window is not None or handler == self._thumbnail
        admission = await self._gate.admit(scope, stream, token) if there else None
        if admission is not None:
            request = Request(scope, stream, window, admission.session)
            answer = await handler(request, matched)
            if answer is not None:
                answer = named(answer, admission.session)
                return answer if stream.access is None else for_this_viewer(answer)
        raise not_found("liveStreamId")

    async def _beginning(self, public_id: str, rendition: str) -> Window | None:
        """Wait for a quality that is offered, and whose first segment is not over."""
        if not await self._edge.offers(public_id, rendition):
            return None
        return await self._edge.appearance(public_id, _WAITING_ROOM_S, rendition)

    async def _begin(self, scope: Scope, stream: LiveView, token: str | None) -> Answer:
        """Answer with the session that a token opens."""
        if stream.public:
            session = None if token is None else self._gate.public_session(stream.public_id)
        else:
            session = await self._gate.begin(scope, stream, token)
        if session is None:
            raise not_found("liveStreamId")
        body = json.dumps({"session_token": session})
        return named(answers.text(scope, b"application/json", body, PRIVATE), session)

    async def _master(self, request: Request, _: re.Match[str]) -> Answer | None:
        if request.window is None:
            return None
        lower = await self._edge.qualities(request.stream.public_id)
        body = live_playlists.master(request.stream.public_id, request.window, lower)
        if request.session is not None:
            body = in_session(body, request.session)
        return answers.text(request.scope, MEDIA_TYPE, body, request.cached(answers.ASK_AGAIN))

    async def _playlist(self, request: Request, _: re.Match[str]) -> Answer | None:
        window = request.window
        if window is None:
            return None
        if request.stream.transport and can_be_transport(window):
            text = transport_playlist(window)
            if request.session is not None:
                text = in_session(text, request.session)
            return answers.text(request.scope, MEDIA_TYPE, text, request.cached(answers.NOW))
        query = request.query
        asked = _wanted(query)
        if asked is not None and not window.ended and not await _come(window, *asked):
            return Answer(503, headers=((b"retry-after", b"1"),))
        window = window.newest
        coding = packing.coding_for(request.scope)
        skip = query.get("_HLS_skip") in ("YES", "v2")
        public_id = request.stream.public_id
        if request.session is None:
            body = self._playlists.body(public_id, window, skip=skip, coding=coding)
        else:
            text = self._playlists.body(public_id, window, skip=skip, coding=None).decode()
            body = in_session(text, request.session).encode()
            body = body if coding is None else packing.pack(body, coding)
        private = None if request.stream.public else PRIVATE
        return playlist_answer(body, coding, blocking=asked is not None, private=private)

    async def _part(self, request: Request, found: re.Match[str]) -> Answer | None:
        window = request.window
        if window is None or found["session"] != window.session:
            return None
        place = int(found["msn"]), int(found["part"])
        part = window.part(*place)
        if part is None and place == window.edge and not window.ended:
            await _arrival(window, *place)  # what the playlist hinted at
            part = window.newest.part(*place)
        if part is None:
            return None
        return part_answer(part.data, request.cached(IMMUTABLE))

    async def _segment(self, request: Request, found: re.Match[str]) -> Answer | None:
        window = request.window
        if window is None or found["session"] != window.session:
            return None
        data = await self._whole(request, found)
        if data is None:
            return None
        return Answer(200, _MEDIA, data, request.cached(IMMUTABLE), ranges=True)

    async def _whole(self, request: Request, found: re.Match[str]) -> list[bytes] | None:
        """Return the parts of a segment that has all of them."""
        window = request.window
        segment = None if window is None else window.segment(int(found["msn"]))
        if window is None or segment is None or not segment.ended:
            return None
        if segment.parts:
            return [part.data for part in segment.parts]
        name = found["rendition"]
        old = await self._edge.old_segment(request.stream.public_id, name, window, segment)
        return None if old is None else [old]

    async def _transport(self, request: Request, found: re.Match[str]) -> Answer | None:
        number, window = int(found["msn"]), request.window
        segment = None if window is None else window.segment(number)
        data = await self._whole(request, found)
        if data is None or window is None or segment is None:
            return None
        init = window.inits[segment.init].data
        try:
            body = await asyncio.to_thread(transport_segment, number, init, b"".join(data))
        except FormatError:
            return None
        # The next event of this stream has the same names.
        etag = b'"%s-%d-ts"' % (window.session.encode(), number)
        return Answer(200, b"video/mp2t", [body], request.cached(b"public, max-age=10"), etag)

    async def _init(self, request: Request, found: re.Match[str]) -> Answer | None:
        window = request.window
        if window is None or found["session"] != window.session:
            return None
        init = window.inits.get(int(found["number"]))
        if init is None:
            return None
        return part_answer(init.data, request.cached(IMMUTABLE))

    async def _thumbnail(self, request: Request, _: re.Match[str]) -> Answer | None:
        key, picture = request.stream.thumbnail_key, None
        if request.window is not None:
            picture = await self._edge.picture(request.stream.public_id)
        if picture is None and key is not None:
            picture = await self._store.read(key)
        if picture is None:
            return None
        lifetime = request.cached(b"public, max-age=5")
        return Answer(200, b"image/jpeg", [picture], lifetime, answers.etag_of(picture))


def _waits(scope: Scope) -> bool:
    """Tell whether a player wants its answer once there is something to play."""
    return b"wait=1" in scope["query_string"].split(b"&")


def _wanted(query: dict[str, str]) -> tuple[int, int | None] | None:
    """Return what a playlist is to have (6.2.5.2). Raises Problem 400."""
    msn, part = query.get("_HLS_msn"), query.get("_HLS_part")
    for name, value in (("_HLS_msn", msn), ("_HLS_part", part)):
        if value is not None and not (value.isascii() and value.isdecimal() and len(value) < 10):
            raise _invalid(name, "This value must be a whole number.")
    if part is not None and msn is None:
        raise _invalid("_HLS_part", "This value needs _HLS_msn beside it.")
    return None if msn is None else (int(msn), None if part is None else int(part))


async def _come(window: Window, msn: int, part: int | None) -> bool:
    """Wait until a playlist has what was asked for; False: it does not come.

    Raises:
        Problem: 400, it is so far ahead that it cannot be meant.
    """
    newest, parts = window.edge
    targets = window.targets
    assert targets is not None  # noqa: S101 - a playable window has them
    ahead = max(3, -(-3000 // targets.part_ms))
    if msn > newest + 1 or (part is not None and msn >= newest and part > parts + ahead):
        raise _invalid("_HLS_msn", "This segment is too far ahead.")
    try:
        async with asyncio.timeout(_PATIENCE_TARGETS * targets.segment_s):
            while not window.ended:
                msn, part = awaited(window, msn, part)
                if window.holds(msn, part):
                    return True
                await asyncio.shield(window.wait(msn, part))
                window = window.newest
    except TimeoutError:
        return False
    return True


async def _arrival(window: Window, msn: int, part: int) -> None:
    """Wait for a part that was hinted at, or for the end of its segment without it."""
    targets = window.targets
    assert targets is not None  # noqa: S101 - a playable window has them
    try:
        async with asyncio.timeout(_PATIENCE_TARGETS * targets.segment_s):
            await asyncio.shield(window.wait(msn, part))
    except TimeoutError:
        return


def _invalid(name: str, detail: str) -> Problem:
    return bad_request([invalid_attribute(name, detail)])
