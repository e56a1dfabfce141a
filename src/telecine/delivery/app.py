"""Everything below `/vod/`: one ASGI application, routed by one expression.

Old links to player pages have the id alone, `/{videoId}`: they lead here as well.

It stands in front of the framework and could run on a host of its own.
"""

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import structlog
from starlette.types import Receive, Scope, Send

from telecine.delivery import answers, playlists, subtitles
from telecine.delivery.answers import PRIVATE, Answer
from telecine.delivery.arrivals import Arrivals
from telecine.delivery.gate import (
    CREDENTIAL,
    Gate,
    in_session,
    named,
    pictures_in_session,
)
from telecine.delivery.media import AssetView, Media, MediaCache
from telecine.delivery.mp4 import Downloads
from telecine.delivery.page import PlayerPages
from telecine.delivery.parts import Part, StoredRange
from telecine.delivery.restrictions import for_this_viewer
from telecine.delivery.segments import Segments
from telecine.delivery.sharing import Shared
from telecine.delivery.texts import TextView
from telecine.delivery.transport import TransportView
from telecine.delivery.wishes import NotStoredYet
from telecine.domains.encodings.models import RenditionState
from telecine.domains.encodings.queries import AUDIO
from telecine.pipeline.extra import is_extra
from telecine.problems import Problem, not_found, problem
from telecine.storage.store import ObjectMissing, Store, StoreError

log = structlog.get_logger()

PREFIX = "/vod/"

_PATH = re.compile(
    rf"/vod/(?P<id>vi[0-9A-Za-z]{{1,64}})(?:/token/(?P<token>{CREDENTIAL}))?(?P<rest>/.*)?"
)
_OLD_PAGE = re.compile(r"/vi[0-9A-Za-z]{22}/?")  # `/videos` is the API
_SEGMENT = re.compile(r"/hls/(?P<quality>[0-9a-z-]{1,12})/(?P<epoch>\d{1,9})-(?P<n>\d{1,9})\.m4s")
_TRANSPORT = re.compile(
    r"/hls/(?P<quality>[0-9a-z]{1,8})/video-(?P<epoch>\d{1,9})-(?P<n>\d{1,9})\.ts"
)
_INIT = re.compile(r"/hls/(?P<quality>[0-9a-z-]{1,12})/init-(?P<epoch>\d{1,9})\.mp4")
_VARIANT = re.compile(r"/hls/(?P<quality>\d{1,4}p(?:-[0-9a-z]{1,6})?)/manifest\.m3u8")
_MASTER = re.compile(r"/hls/manifest\.m3u8")
_AUDIO = re.compile(rf"/hls/{AUDIO}/{AUDIO}\.m3u8")
_TILES = b"text/vtt; charset=utf-8"
_SESSION = "/session"
_TEXT = re.compile(r"/(?P<kind>captions|chapters)/(?P<language>[0-9A-Za-z-]{1,64})\.vtt")
_CAPTIONS = re.compile(r"/hls/captions/(?P<language>[0-9A-Za-z-]{1,64})\.m3u8")
_CAPTIONS_SEGMENT = re.compile(r"/hls/captions/(?P<language>[0-9A-Za-z-]{1,64})\.hls\.vtt")
_THUMBNAIL = re.compile(r"/thumbnail\.jpg")
_STORYBOARD = re.compile(r"/storyboard(?:\.vtt|-(?P<epoch>\d{1,9})-(?P<n>\d{1,3})\.jpg)")
_DESCRIPTOR = re.compile(r"/player\.json")
_MP4 = re.compile(r"/mp4/(?:\d{1,4}p?/)?source\.mp4")


def is_video(path: str) -> bool:
    """Tell whether a path belongs to videos."""
    return path.startswith(PREFIX) or _OLD_PAGE.fullmatch(path) is not None


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a viewer, after routing."""

    scope: Scope
    media: Media
    session: str | None
    """What the children of a private playlist have to carry, None: nothing."""
    receive: Receive
    token: str | None = None

    @property
    def cache_scope(self) -> bytes | None:
        """Return the cache rule that private media force on every answer."""
        return None if self.media.video.public else PRIVATE

    @property
    def transport(self) -> bool:
        """Tell whether the viewer wants MPEG-TS: by the query, else by the project."""
        for pair in self.scope["query_string"].split(b"&"):
            if pair.startswith(b"format="):
                return bool(pair == b"format=ts")
        return self.media.video.hls_format == "ts"

    async def departure(self) -> None:
        """Return when the viewer has left."""
        while (await self.receive())["type"] != "http.disconnect":
            pass


Handler = Callable[[Request, re.Match[str]], Awaitable[Answer | None]]
"""Answers a path that matched, None: there is no such thing."""


class Delivery:
    """Serves media to viewers; `gate` decides on those of private videos."""

    def __init__(
        self,
        cache: MediaCache,
        segments: Segments,
        downloads: Downloads,
        transport: TransportView,
        store: Store,
        pages: PlayerPages,
        gate: Gate,
        arrivals: Arrivals,
    ) -> None:
        self._cache = cache
        self._arrivals = arrivals
        self._segments = segments
        self._downloads = downloads
        self._transport = transport
        self._store = store
        self._pages = pages
        self._gate = gate
        self._routes: tuple[tuple[re.Pattern[str], Handler], ...] = (
            (_SEGMENT, self._segment),
            (_MASTER, self._master),
            (_VARIANT, self._variant),
            (_AUDIO, self._audio),
            (_INIT, self._init),
            (_TRANSPORT, self._transport_segment),
            (_MP4, self._mp4),
            (_THUMBNAIL, self._thumbnail),
            (_DESCRIPTOR, self._descriptor),
            (_STORYBOARD, self._storyboard),
            (_TEXT, self._text),
            (_CAPTIONS, self._captions),
            (_CAPTIONS_SEGMENT, self._captions_segment),
        )

    async def shared(self, public_id: str) -> Shared | None:
        """Return what other sites may show of a video, None if that is nothing."""
        media = await self._cache.get(public_id)
        return None if media is None else self._pages.shared(media)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request below PREFIX."""
        if scope["method"] == "OPTIONS":
            answer = Answer(204, headers=answers.PREFLIGHT_HEADERS[len(answers.SHARED_HEADERS) :])
        elif scope["method"] not in ("GET", "HEAD"):
            title = "Method is not allowed for this route."
            refused = answers.refusal(problem(405, "method-not-allowed", title))
            answer = replace(refused, headers=((b"allow", b"GET, HEAD, OPTIONS"),))
        else:
            answer = await self._answer(scope, receive)
        await answers.send_answer(scope, send, self._store, answer)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        path = scope["path"]
        found = _PATH.fullmatch(path if path.startswith(PREFIX) else f"/vod{path}")
        if found is None:
            title = "Unrecognized request URL."
            return answers.refusal(problem(404, "unrecognized-request-url", title))
        media = await self._cache.get(found["id"])
        rest = found["rest"] or "/"
        if rest == "/":
            return await self._pages.render(scope, media, found["token"])
        if media is None:
            return answers.refusal(not_found("videoId"))
        if rest == _SESSION:
            return await self._begin(scope, media, found["token"])
        route = self._route(rest)
        # A token is not used up by what does not exist.
        try:
            token = found["token"]
            admission = None if route is None else await self._gate.admit(scope, media.video, token)
        except Problem as error:
            return answers.refusal(error)
        if route is None or admission is None:
            return answers.refusal(not_found("videoId"))
        answer = await self._file(
            Request(scope, media, admission.session, receive, found["token"]), *route
        )
        answer = named(answer or answers.refusal(not_found("videoId")), admission.session)
        return answer if media.video.access is None else for_this_viewer(answer)

    async def _file(
        self, request: Request, handler: Handler, found: re.Match[str]
    ) -> Answer | None:
        video_id = request.media.video.public_id
        try:
            try:
                return await handler(request, found)
            except ObjectMissing:  # it may have been replaced, and we not have heard of it
                self._cache.forget(video_id)
                media = await self._cache.get(video_id)
                again = None if media is None else replace(request, media=media)
                return None if again is None else await handler(again, found)
        except NotStoredYet:
            return Answer(503, headers=((b"retry-after", b"1"),))
        except ObjectMissing as error:
            log.warning("object missing", video=video_id, key=str(error))
            return Answer(503, headers=((b"retry-after", b"5"),))
        except StoreError as error:
            log.warning("store failed", video=video_id, reason=str(error))
            return Answer(503, headers=((b"retry-after", b"5"),))

    def _route(self, rest: str) -> tuple[Handler, re.Match[str]] | None:
        for pattern, handler in self._routes:
            if found := pattern.fullmatch(rest):
                return handler, found
        return None

    async def _begin(self, scope: Scope, media: Media, token: str | None) -> Answer:
        """Answer with the session that a token opens."""
        media_id = media.video.public_id
        if media.video.public:
            session = None if token is None else self._gate.public_session(media_id)
        else:
            session = await self._gate.begin(scope, media.video, token)
        if session is None:
            return answers.refusal(not_found("videoId"))
        body = json.dumps({"session_token": session})
        return named(answers.text(scope, b"application/json", body, PRIVATE), session)

    def _playlist(self, request: Request, body: str, lifetime: bytes) -> Answer:
        if request.session is not None:
            body = in_session(body, request.session)
        cache = request.cache_scope or lifetime
        return answers.text(request.scope, playlists.MEDIA_TYPE, body, cache)

    async def _master(self, request: Request, _: re.Match[str]) -> Answer | None:
        media = request.media
        if media.asset is None:
            return _not_yet(media)
        body = playlists.master(media.asset, media.captions, transport=request.transport)
        # It lists captions, which come and go.
        return self._playlist(request, body, answers.ASK_AGAIN)

    async def _variant(self, request: Request, found: re.Match[str]) -> Answer | None:
        asset = request.media.asset
        if asset is None or found["quality"] not in asset.renditions:
            return None
        if request.transport and is_extra(found["quality"]):
            return None  # MPEG-TS is made of H.264 only
        body = playlists.video(asset, transport=request.transport)
        return self._playlist(request, body, playlists.lifetime(asset))

    async def _audio(self, request: Request, _: re.Match[str]) -> Answer | None:
        asset = request.media.asset
        if asset is None or AUDIO not in asset.renditions:
            return None
        body = playlists.audio(asset, transport=request.transport)
        return self._playlist(request, body, playlists.lifetime(asset))

    async def _init(self, request: Request, found: re.Match[str]) -> Answer | None:
        asset = request.media.asset
        if asset is None or int(found["epoch"]) != asset.epoch:
            return None
        rendition = asset.renditions.get(found["quality"])
        if rendition is None:
            return None
        init = await self._segments.init(asset, rendition)
        kind = b"audio/mp4" if rendition.name == AUDIO else b"video/mp4"
        cache = request.cache_scope or answers.IMMUTABLE
        return Answer(200, kind, [init], cache, etag=asset.etag(rendition.name, "init"))

    async def _segment(self, request: Request, found: re.Match[str]) -> Answer | None:
        number = int(found["n"])
        asset = await self._arrived(request, int(found["epoch"]), number)
        rendition = None if asset is None else asset.renditions.get(found["quality"])
        if asset is None or rendition is None:
            return None
        segment = await self._segments.get(asset, rendition, number, request.departure)
        kind = b"audio/mp4" if rendition.name == AUDIO else b"video/mp4"
        cache = request.cache_scope or answers.IMMUTABLE
        etag = asset.etag(rendition.name, found["n"])
        whole = segment.rest is None
        return Answer(200, kind, segment.parts, cache, etag, ranges=whole, rest=segment.rest)

    async def _transport_segment(self, request: Request, found: re.Match[str]) -> Answer | None:
        number = int(found["n"])
        asset = await self._arrived(request, int(found["epoch"]), number)
        rendition = None if asset is None else asset.renditions.get(found["quality"])
        if asset is None or rendition is None:
            return None
        etag = asset.etag(rendition.name, f"{number}-ts")
        data = await self._transport.segment(asset, rendition, number, request.departure)
        cache = request.cache_scope or answers.IMMUTABLE
        return Answer(200, b"video/mp2t", [data], cache, etag, ranges=True)

    async def _arrived(self, request: Request, epoch: int, segment: int) -> AssetView | None:
        asset = request.media.asset
        if asset is not None and asset.epoch == epoch and segment < asset.arrived:
            return asset
        return await self._arrivals.asset(request.media, epoch, segment)

    async def _mp4(self, request: Request, _: re.Match[str]) -> Answer | None:
        asset, video = request.media.asset, request.media.video
        if asset is None or not video.mp4_support:
            return None
        parts = await self._downloads.parts(asset)
        if parts is None:
            return None
        headers: tuple[answers.Header, ...] = ()
        if b"dl=1" in request.scope["query_string"].split(b"&"):
            headers = ((b"content-disposition", answers.attachment(video.title, "mp4")),)
        cache = request.cache_scope or b"public, max-age=86400"
        etag = asset.etag("mp4", "source")
        return Answer(200, b"video/mp4", parts, cache, etag, ranges=True, headers=headers)

    async def _thumbnail(self, request: Request, _: re.Match[str]) -> Answer | None:
        key = request.media.thumbnail_key
        if key is None:
            return None
        if (size := await self._store.size(key)) is None:
            raise ObjectMissing(key)
        etag = b'"%s"' % key.rsplit("/", 1)[-1].encode()
        cache = request.cache_scope or b"public, max-age=60"
        parts = await answers.at_hand(self._store, [StoredRange(key, 0, size)])
        return Answer(200, b"image/jpeg", parts, cache, etag, ranges=True)

    async def _descriptor(self, request: Request, _: re.Match[str]) -> Answer | None:
        body = self._pages.descriptor(request.media, request.token)
        cache = request.cache_scope or answers.ASK_AGAIN
        return answers.text(request.scope, b"application/json", body, cache)

    async def _storyboard(self, request: Request, found: re.Match[str]) -> Answer | None:
        asset, number = request.media.asset, found["n"]
        if asset is None and number is None:
            return _not_yet(request.media)
        if asset is None or not asset.plan.renditions:
            return None
        if number is not None and int(found["epoch"]) != asset.epoch:
            return None
        if asset.storyboard_offsets is None and number is None:
            lowest = asset.renditions[asset.plan.renditions[0].name]
            return None if lowest.state == RenditionState.FAILED else _not_yet(request.media)
        offsets, part = asset.storyboard_offsets or (), 0 if number is None else int(number) + 1
        if asset.storyboard_key is None or part + 1 >= len(offsets):
            return None
        parts = [
            StoredRange(asset.storyboard_key, offsets[part], offsets[part + 1] - offsets[part])
        ]
        etag = asset.etag("storyboard", number or "list")
        if number is None and request.session is not None:
            text = await self._store.read(asset.storyboard_key, offsets[0], offsets[1])
            body = pictures_in_session(text.decode(), request.session)
            return answers.text(request.scope, _TILES, body, PRIVATE)
        if number is None:
            cache = request.cache_scope or b"public, max-age=60"
            return await answers.stored_text(request.scope, self._store, _TILES, parts, cache, etag)
        cache = request.cache_scope or answers.IMMUTABLE
        return Answer(200, b"image/jpeg", parts, cache, etag, ranges=True)

    async def _text(self, request: Request, found: re.Match[str]) -> Answer | None:
        media = request.media
        tracks = media.captions if found["kind"] == "captions" else media.chapters
        track = _track(tracks, found["language"])
        if track is None:
            return None
        cache = request.cache_scope or answers.ASK_AGAIN
        return await self._stored_text(request, subtitles.whole(track), cache, track.etag)

    async def _captions(self, request: Request, found: re.Match[str]) -> Answer | None:
        asset, track = request.media.asset, _track(request.media.captions, found["language"])
        if asset is None or track is None:
            return None
        body = playlists.captions(asset, track.language, transport=request.transport)
        return self._playlist(request, body, playlists.lifetime(asset))

    async def _captions_segment(self, request: Request, found: re.Match[str]) -> Answer | None:
        track = _track(request.media.captions, found["language"])
        if track is None:
            return None
        parts = await subtitles.segment(self._store, track, transport=request.transport)
        etag = track.etag[:-1] + (b'-ts"' if request.transport else b'-hls"')
        cache = request.cache_scope or answers.ASK_AGAIN
        return await self._stored_text(request, parts, cache, etag)

    async def _stored_text(
        self, request: Request, parts: Sequence[Part], cache: bytes, etag: bytes
    ) -> Answer:
        kind = subtitles.MEDIA_TYPE
        return await answers.stored_text(request.scope, self._store, kind, parts, cache, etag)


def _not_yet(media: Media) -> Answer | None:
    """Answer without a body: not an error, what is asked for comes, players come back."""
    return None if media.failed else Answer(202, headers=((answers.STAGE, media.stage.encode()),))


def _track(tracks: Sequence[TextView], language: str) -> TextView | None:
    return next((track for track in tracks if track.language == language), None)
