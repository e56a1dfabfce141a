"""Where players send their pings: `POST /vod`, `/live` and `/watch`, without credentials.

The id of the media says whose they are. Whether there is such a media is found out later:
the answer is the same, and nobody learns which ids exist.
"""

import hashlib
import hmac
import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from telecine import clock, ids
from telecine.domains.analytics import countries, pings_v1, pings_v2
from telecine.domains.analytics.buffer import EVENTS, INVALID, Buffer, Sender
from telecine.domains.analytics.reports import LIVE_STREAM, VIDEO, Unreadable
from telecine.http.body import read_bounded
from telecine.http.problems import render
from telecine.net.countries import Countries
from telecine.problems import problem

MAX_BYTES = 64 * 1024

_PREFIX = "ps"


class Collector:
    """Takes pings into a buffer. `key` makes hashes of viewers (32 bytes).

    `places` knows the countries of addresses, which are forgotten at once.
    """

    def __init__(self, buffer: Buffer, key: bytes, places: Countries) -> None:
        self._buffer = buffer
        self._key = key
        self._places = places

    def routes(self) -> list[Route]:
        """Return the routes; they stand on the base URL that players are given."""
        return [
            Route("/vod", self._vod, methods=["POST"]),
            Route("/live", self._live, methods=["POST"]),
            Route("/watch", self._watch, methods=["POST"]),
        ]

    async def _vod(self, request: Request) -> Response:
        return await self._first_generation(request, VIDEO)

    async def _live(self, request: Request) -> Response:
        return await self._first_generation(request, LIVE_STREAM)

    async def _first_generation(self, request: Request, media_type: str) -> Response:
        body = await read_bounded(request, MAX_BYTES)
        if len(body) > MAX_BYTES:
            return _too_large()
        sender = self._sender(request)
        ping = _parsed(body)
        # The same for the same ping: sent twice, it is one session.
        session_id = ids.named_id(_PREFIX, hashlib.sha256(_origin(ping) + sender.viewer).digest())
        try:
            report = pings_v1.read(ping, media_type, clock.unix_ms(), session_id)
        except Unreadable:
            EVENTS.labels(INVALID).inc()
            # Some players take every answer without a session for an error.
            return JSONResponse({"session": session_id})
        self._buffer.add(report, sender)
        return JSONResponse({"session": report.session_id})

    async def _watch(self, request: Request) -> Response:
        body = await read_bounded(request, MAX_BYTES)
        if len(body) > MAX_BYTES:
            return _too_large()
        batch = _parsed(body)
        named = "\0".join(pings_v2.ids_of(batch)).encode("utf-8", "replace")
        session_id = ids.named_id(_PREFIX, hashlib.sha256(named).digest())
        try:
            report = pings_v2.read(batch, clock.unix_ms(), session_id)
        except Unreadable:
            EVENTS.labels(INVALID).inc()
        else:
            self._buffer.add(report, self._sender(request))
        return Response(status_code=204)

    def _sender(self, request: Request) -> Sender:
        address = "" if request.client is None else request.client.host
        user_agent = request.headers.get("user-agent", "")
        # Another hash each day: who watched today cannot be followed into tomorrow.
        parts = ("analytics", clock.now().date().isoformat(), address, user_agent)
        message = "\0".join(parts).encode("utf-8", "replace")
        country = self._places.of(address)
        return Sender(
            hmac.digest(self._key, message, "sha256")[:16],
            user_agent,
            country,
            None if country is None else countries.CONTINENT_OF.get(country),
        )


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
