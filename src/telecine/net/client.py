"""The outbound client: every request to a server that somebody else named goes here."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx
from httpcore import AsyncNetworkBackend

import telecine
from telecine import clock
from telecine.net.errors import Refused, TooMuch, TooSlow, Unreachable
from telecine.net.policy import OutboundPolicy
from telecine.net.resolve import Resolver, system_resolver
from telecine.net.transport import GuardedTransport
from telecine.net.urls import joined, parse_url, same_origin

MAX_REDIRECTS = 5

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OURS = {
    "user-agent": f"Telecine/{telecine.__version__}",
    "accept": "*/*",
    # Bytes as they are: no expansion that we would have to bound.
    "accept-encoding": "identity",
}
_FOR_ONE_ORIGIN = ("authorization", "cookie")
_PACE_WINDOW_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one exchange may take. `total_s` spans redirects and the reading of the body.

    `idle_s` bounds a single wait; a body that comes with less than `slowest_bps` over a
    minute is given up as well.
    """

    total_s: float
    body_bytes: int
    connect_s: float = 10.0
    idle_s: float = 30.0
    slowest_bps: int = 0

    def as_timeout(self) -> dict[str, float]:
        """Return the bounds of single waits in httpcore's form."""
        return {
            "connect": self.connect_s,
            "read": self.idle_s,
            "write": self.idle_s,
            "pool": self.total_s,
        }


class Reply:
    """The head of a reply, and its body as it comes. `url` is where redirects led."""

    def __init__(self, url: httpx.URL, response: httpx.Response, limits: Limits) -> None:
        self.url = url
        self.status = response.status_code
        self.headers = response.headers
        self._response = response
        self._limits = limits

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield the body once, unchanged.

        Raises:
            OutboundError: it is too long, too slow, encoded, or broke off.
        """
        encoding = self.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in {"", "identity"}:
            msg = f"{self.url.host}: sent a {encoding} body that was not asked for"
            raise Unreachable(msg)
        most = self._limits.body_bytes
        announced = self.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > most:
            raise self._too_much()
        received = window_bytes = 0
        window_s = clock.monotonic_s()
        async for data in self._response.stream:  # type: ignore[union-attr]  # ours is async
            received += len(data)
            window_bytes += len(data)
            if received > most:
                raise self._too_much()
            yield data
            lasted_s = clock.monotonic_s() - window_s
            if lasted_s >= _PACE_WINDOW_S:
                if window_bytes * 8 < self._limits.slowest_bps * lasted_s:
                    msg = f"{self.url.host}: sends less than {self._limits.slowest_bps} bit/s"
                    raise TooSlow(msg)
                window_s, window_bytes = clock.monotonic_s(), 0

    async def read(self) -> bytes:
        """Return the whole body."""
        return b"".join([data async for data in self.chunks()])

    def _too_much(self) -> TooMuch:
        return TooMuch(f"{self.url.host}: the reply is larger than {self._limits.body_bytes} bytes")


class OutboundClient:
    """Sends requests to public hosts only; see `OutboundPolicy` for the exceptions.

    No cookies, no environment variables, no unasked compression. `resolver`, `dialler`
    and `trust` are for tests.
    """

    def __init__(
        self,
        policy: OutboundPolicy,
        *,
        resolver: Resolver = system_resolver,
        dialler: AsyncNetworkBackend | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._transport = GuardedTransport(policy, resolver=resolver, dialler=dialler, trust=trust)

    async def __aenter__(self) -> Self:
        """Open the pool of connections."""
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every connection."""
        await self._transport.__aexit__(kind, error, trace)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        limits: Limits,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> AsyncIterator[Reply]:
        """Send a request; the reply lives as long as the block, whatever its status.

        Redirects of GET and HEAD are followed, at most `MAX_REDIRECTS`; those of other
        methods are replies like any other.

        Raises:
            OutboundError: no reply that we may have came in time.
        """
        deadline = asyncio.timeout(limits.total_s)
        try:
            async with deadline:
                given = httpx.Headers({**_OURS, **httpx.Headers(headers)})
                reply, response = await self._follow(method, parse_url(url), given, content, limits)
                try:
                    yield reply
                finally:
                    await response.aclose()
        except TimeoutError as error:
            if not deadline.expired():
                raise
            msg = f"not done within {limits.total_s:.0f} s"
            raise TooSlow(msg) from error

    async def _follow(
        self,
        method: str,
        url: httpx.URL,
        headers: httpx.Headers,
        content: bytes | None,
        limits: Limits,
    ) -> tuple[Reply, httpx.Response]:
        follows = method in {"GET", "HEAD"}
        for _ in range(MAX_REDIRECTS + 1):
            request = httpx.Request(
                method,
                url,
                headers=headers,
                content=content,
                extensions={"timeout": limits.as_timeout()},
            )
            response = await self._transport.handle_async_request(request)
            location = response.headers.get("location")
            if not follows or response.status_code not in _REDIRECTS or location is None:
                return Reply(url, response, limits), response
            await response.aclose()
            target = joined(url, location)
            if not same_origin(url, target):
                for name in _FOR_ONE_ORIGIN:
                    headers.pop(name, None)
            url = target
        msg = f"more than {MAX_REDIRECTS} redirects"
        raise Refused(msg)
