"""Where players send their pings: `POST /vod`, `/live` and `/watch`, without credentials.

The id of the media says whose they are. Whether there is such a media is found out later:
the answer is the same, and nobody learns which ids exist.
"""

import hashlib
import hmac
import json
from datetime import date
from functools import lru_cache

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from telecine import clock, ids
from telecine.domains.analytics import countries, pings_v1, pings_v2, reports
from telecine.domains.analytics.buffer import (
    CLIENT_DATA,
    EVENTS,
    INVALID,
    LIMITED,
    Buffer,
    Sender,
)
from telecine.domains.analytics.reports import LIVE_STREAM, VIDEO, Report, Sample, Unreadable
from telecine.domains.analytics.shares import Shares
from telecine.http.problems import render
from telecine.net.countries import Countries
from telecine.problems import problem
from telecine.protocols.cmcd import ClientData

MAX_BYTES = 64 * 1024

_PREFIX = "ps"

_Answer = tuple[int, list[tuple[bytes, bytes]], bytes]
_NOTHING: _Answer = (204, [], b"")


@lru_cache(maxsize=16_384)
def _sender(key: bytes, places: Countries, day: int, address: str, user_agent: str) -> Sender:
    """Return who sends, by a hash of the day: nobody can be followed into the next one."""
    parts = ("analytics", date.fromordinal(day).isoformat(), address, user_agent)
    message = "\0".join(parts).encode("utf-8", "replace")
    country, city = places.place(address)
    return Sender(
        hmac.digest(key, message, "sha256")[:16],
        user_agent,
        country,
        None if country is None else countries.CONTINENT_OF.get(country),
        city,
    )


class Collector:
    """Takes pings into a buffer. `key` makes hashes of viewers (32 bytes).

    `places` knows where addresses are; `limit` is how many pings of one address are
    taken in a minute, None: all.
    """

    def __init__(
        self, buffer: Buffer, key: bytes, places: Countries, limit: int | None = None
    ) -> None:
        self._buffer = buffer
        self._shares = Shares(limit)
        self._key = key
        self._places = places
        self._paths = {"/vod": self._vod, "/live": self._live, "/watch": self._watch}

    @property
    def paths(self) -> tuple[str, ...]:
        """Where pings go."""
        return tuple(self._paths)

    def routes(self) -> list[Route]:
        """Return the routes; they stand on the base URL that players are given."""
        return [Route(path, _Pings(self), methods=["POST"]) for path in self._paths]

    def takes(self, scope: Scope) -> bool:
        """Tell whether a request is a ping."""
        return scope["path"] in self._paths and scope["method"] == "POST"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a ping, of those that `takes` tells of."""
        scope["endpoint"] = self  # it is none of the API's operations
        body = await _body(receive)
        answered = None if body is None else self.tell(scope, body)
        if answered is None:
            await _too_large()(scope, receive, send)
            return
        status, headers, answer = answered
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def tell(self, scope: Scope, body: bytes) -> _Answer | None:
        """Return the answer to a ping, None to one that is too long."""
        return self._paths[scope["path"]](scope, body) if len(body) <= MAX_BYTES else None

    def hear(
        self, scope: Scope, media_type: str, media_id: str, sample: Sample, told: ClientData
    ) -> None:
        """Take what a player told with a request for media that it got."""
        sid = told.session
        session_id = _session_of(sid, media_id)
        report = Report(
            generation=3,
            key=("3", sid, media_id),
            session_id=session_id,
            media_id=media_id,
            media_type=media_type,
            skew_ms=0,
            loaded_ms=sample.at_ms,
            last_ms=sample.at_ms,
            link_ms=0,
            referrer=reports.text(_header(scope, b"referer"), reports.MAX_REFERRER_CHARS),
            dropped=told.invalid,
            samples=(sample,),
        )
        self._add(scope, report, self._sender_of(scope))

    def mishear(self) -> None:
        """Count a request whose client data cannot be read."""
        CLIENT_DATA.labels(INVALID).inc()

    def _vod(self, scope: Scope, body: bytes) -> _Answer:
        return self._first_generation(scope, body, VIDEO)

    def _live(self, scope: Scope, body: bytes) -> _Answer:
        return self._first_generation(scope, body, LIVE_STREAM)

    def _first_generation(self, scope: Scope, body: bytes, media_type: str) -> _Answer:
        sender = self._sender_of(scope)
        ping = _parsed(body)
        # The same for the same ping: sent twice, it is one session.
        session_id = ids.named_id(_PREFIX, hashlib.sha256(_origin(ping) + sender.viewer).digest())
        try:
            report = pings_v1.read(ping, media_type, clock.unix_ms(), session_id)
        except Unreadable:
            EVENTS.labels(INVALID).inc()
            # Some players take every answer without a session for an error.
            return _session(session_id)
        self._add(scope, report, sender)
        return _session(report.session_id)

    def _watch(self, scope: Scope, body: bytes) -> _Answer:
        batch = _parsed(body)
        session_id = _session_of(*pings_v2.ids_of(batch))
        try:
            report = pings_v2.read(batch, clock.unix_ms(), session_id)
        except Unreadable:
            EVENTS.labels(INVALID).inc()
        else:
            self._add(scope, report, self._sender_of(scope))
        return _NOTHING

    def _add(self, scope: Scope, report: Report, sender: Sender) -> None:
        """Have a ping stored, unless its address has told too much. Nobody learns which."""
        if self._shares.take(_address(scope)):
            self._buffer.add(report, sender)
        elif report.samples:
            CLIENT_DATA.labels(LIMITED).inc()
        else:
            EVENTS.labels(LIMITED).inc(len(report.events))

    def _sender_of(self, scope: Scope) -> Sender:
        user_agent = _header(scope, b"user-agent")
        day = clock.now().toordinal()
        return _sender(self._key, self._places, day, _address(scope), user_agent)


@lru_cache(maxsize=65_536)
def _session_of(sid: str, media_id: str) -> str:
    """Return how the API calls a tab, or a player, with a media: again with each ping of it."""
    named = f"{sid}\0{media_id}".encode("utf-8", "replace")
    return ids.named_id(_PREFIX, hashlib.sha256(named).digest())


def _address(scope: Scope) -> str:
    return scope["client"][0] if scope.get("client") else ""


def _header(scope: Scope, wanted: bytes) -> str:
    found = next((value for name, value in scope["headers"] if name == wanted), b"")
    return bytes(found).decode("latin-1")


class _Pings:
    """The collector as an application: the router takes functions for handlers."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._collector(scope, receive, send)


async def _body(receive: Receive) -> bytes | None:
    """Return the body, None if it is longer than that of a ping."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False) and len(body) <= MAX_BYTES:
        message = await receive()
        body += message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return body if len(body) <= MAX_BYTES else None


def _session(session_id: str) -> _Answer:
    answer = json.dumps({"session": session_id}, separators=(",", ":")).encode()
    length = str(len(answer)).encode()
    headers = [(b"content-length", length), (b"content-type", b"application/json")]
    return 200, headers, answer


def _too_large() -> Response:
    detail = f"A ping has at most {MAX_BYTES} bytes."
    return render(problem(413, "invalid-payload", "The payload is too large.", detail=detail))


def _parsed(body: bytes) -> object:
    """Return the JSON of a ping under whatever media type, None if it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _origin(ping: object) -> bytes:
    """Return what tells one page of one player from another of the same viewer."""
    session = ping.get("session") if isinstance(ping, dict) else None
    if not isinstance(session, dict):
        return b""
    named = [session.get(name) for name in ("loaded_at", "video_id", "live_stream_id")]
    return repr(named).encode("utf-8", "replace")
