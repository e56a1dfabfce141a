"""The outermost layer: what holds for every response, errors included.

Exact media types, CORS, rate-limit headers, request ids, one log line, HEAD.
"""

import re
from collections.abc import Awaitable, Callable, Iterable

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telecine import clock, ids
from telecine.http import ratelimit

log = structlog.get_logger()

_ALLOWED_HEADERS = (
    b"Authorization, Content-Range, Content-Type, Accept, AV-Origin-Client, AV-Origin-App, "
    b"AV-Origin-Sdk, Range, X-Token-Session, X-Request-Id, "
    b"Idempotency-Key, If-Match, If-None-Match, Content-Disposition, Tus-Resumable, "
    b"Upload-Length, Upload-Offset, Upload-Metadata, Upload-Defer-Length, Upload-Concat, "
    b"Upload-Checksum, Upload-Complete, Upload-Incomplete, Upload-Draft-Interop-Version, "
    b"Upload-Token, X-HTTP-Method-Override, X-Requested-With"
)
_EXPOSED_HEADERS = (
    b"X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Retry-After, "
    b"Content-Length, Content-Range, ETag, X-Token-Session, X-Request-Id, "
    b"Idempotent-Replayed, Retry-After, Location, Tus-Resumable, Tus-Version, Tus-Extension, "
    b"Tus-Max-Size, Tus-Checksum-Algorithm, Upload-Offset, Upload-Length, Upload-Metadata, "
    b"Upload-Defer-Length, Upload-Concat, Upload-Expires, Upload-Complete, Upload-Incomplete, "
    b"Upload-Limit, Accept-Patch"
)
_CORS = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", _EXPOSED_HEADERS),
    (b"timing-allow-origin", b"*"),
]
_PREFLIGHT = [
    *_CORS,
    (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
    (b"access-control-allow-headers", _ALLOWED_HEADERS),
    (b"access-control-max-age", b"86400"),
]
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_SECRETS_IN_PATHS = re.compile(r"(?<=/token/)[^/]+|(?<=/private/)[^/]+|(?<=/upload-tokens/)[^/]+")
_BODILESS = {204, 304}

Handles = Callable[[Scope], bool]


class Edge:
    """Wraps the application; see the module's description.

    `handles` tells whether it has an operation for a path and method.
    """

    def __init__(self, app: ASGIApp, handles: Handles) -> None:
        self._app = app
        self._handles = handles

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS" and not self._handles(scope):
            await _answer_preflight(send)
            return
        if "\0" in scope["path"]:
            # No id holds it, and PostgreSQL refuses it: look up what cannot exist.
            scope = {**scope, "path": scope["path"].replace("\0", "\ufffd")}
        request_id = _request_id(scope)
        head = scope["method"] == "HEAD"
        if head and not self._handles(scope):
            # The API's operations know GET only; their bodies are dropped below.
            scope = {**scope, "method": "GET"}
        exchange = _Exchange(scope, send, request_id, drop_body=head)
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._serve(exchange, receive, head=head)

    async def _serve(self, exchange: "_Exchange", receive: Receive, *, head: bool) -> None:
        started_s = clock.monotonic_s()
        try:
            await self._app(exchange.scope, receive, exchange.send)
        except ClientDisconnect:
            log.info("http.disconnected", path=exchange.path)
            return
        except Exception:
            # The edge is where a bug ends: the handler of the application has
            # answered 500 unless the response had begun; then it must be cut.
            log.exception("http.failed", path=exchange.path)
            if not exchange.finished:
                raise
        took_ms = round((clock.monotonic_s() - started_s) * 1000, 1)
        method = "HEAD" if head else exchange.scope["method"]
        tell = log.info if exchange.is_api else log.debug
        tell("http.request", method=method, path=exchange.path, status=exchange.status, ms=took_ms)


class _Exchange:
    """One request and what has been sent in answer."""

    def __init__(self, scope: Scope, send: Send, request_id: str, *, drop_body: bool) -> None:
        self.scope = scope
        self.status = 0
        self.finished = False
        self._send = send
        self._request_id = request_id.encode()
        self._drop_body = drop_body

    @property
    def path(self) -> str:
        """Return the path for the log, without the tokens that it may carry."""
        path: str = self.scope["path"]
        return _SECRETS_IN_PATHS.sub("***", path)

    @property
    def is_api(self) -> bool:
        """Tell whether an operation of the API, or nothing at all, has this path."""
        return "route" in self.scope or "endpoint" not in self.scope

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a message on, with the headers that all responses carry."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": self._headers(message.get("headers", ()))}
        elif message["type"] == "http.response.body":
            self.finished = not message.get("more_body", False)
            if self._drop_body:
                message = {**message, "body": b""}
        return self._send(message)

    def _headers(self, given: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        headers = list(given)
        empty = self.status in _BODILESS
        if self.status == 202:
            empty = any(k.lower() == b"content-length" and v == b"0" for k, v in headers)
        if empty:
            # Clients parse whatever has a media type, and fail on an empty text.
            headers = [pair for pair in headers if pair[0].lower() != b"content-type"]
        headers += _PREFLIGHT if self.scope["method"] == "OPTIONS" else _CORS
        headers.append((b"x-request-id", self._request_id))
        if self.is_api and not self.scope["path"].startswith("/auth/"):
            headers += ratelimit.rate_of(self.scope).headers()
        return headers


def common_headers(scope: Scope) -> list[tuple[bytes, bytes]]:
    """Return the headers of every answer that is none of the API's."""
    return [*_CORS, (b"x-request-id", _request_id(scope).encode())]


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return str(value, "ascii")
    return ids.nonce()


async def _answer_preflight(send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": list(_PREFLIGHT)})
    await send({"type": "http.response.body", "body": b""})
