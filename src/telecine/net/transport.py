"""A transport for httpx whose every connection is guarded, or goes to the proxy."""

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import httpcore
import httpx
from httpcore import AsyncNetworkBackend

from telecine.net.backend import GuardedBackend
from telecine.net.errors import Refused, TooSlow, Unreachable
from telecine.net.policy import OutboundPolicy
from telecine.net.resolve import Resolver, check_spelling, system_resolver
from telecine.net.urls import parse_url, port_of

_MOST_CONNECTIONS = 200
_KEPT_CONNECTIONS = 20
_KEPT_S = 15.0


class GuardedTransport(httpx.AsyncBaseTransport):
    """HTTP/1.1 over connections that `policy` allows; raises our errors, not httpx's.

    httpx cannot be given a backend, hence a pool of our own. Environment variables
    are not read: a proxy that they name would resolve behind our back.
    """

    def __init__(
        self,
        policy: OutboundPolicy,
        *,
        resolver: Resolver = system_resolver,
        dialler: AsyncNetworkBackend | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._policy = policy
        tls = trust or httpcore.default_ssl_context()
        if policy.proxy is None:
            self._pool = httpcore.AsyncConnectionPool(
                ssl_context=tls,
                max_connections=_MOST_CONNECTIONS,
                max_keepalive_connections=_KEPT_CONNECTIONS,
                keepalive_expiry=_KEPT_S,
                network_backend=GuardedBackend(policy, resolver, dialler),
            )
        else:
            self._pool = _through_proxy(httpx.Proxy(policy.proxy), tls, dialler)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and return the reply; redirects are the caller's.

        Raises:
            OutboundError: Refused, Unreachable or TooSlow.
        """
        url = parse_url(str(request.url))
        if self._policy.proxy is not None:
            check_spelling(url.host, port_of(url), self._policy)
        with _our_errors(url.host):
            reply = await self._pool.handle_async_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(
                        scheme=url.raw_scheme,
                        host=url.raw_host,
                        port=url.port,
                        target=url.raw_path,
                    ),
                    headers=request.headers.raw,
                    content=request.stream,
                    # Only this: others name sockets or other servers' certificates.
                    extensions={"timeout": request.extensions.get("timeout", {})},
                )
            )
        return httpx.Response(
            reply.status, headers=reply.headers, stream=_Body(reply, url.host), request=request
        )

    async def __aenter__(self) -> Self:
        """Open the pool."""
        await self._pool.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        """Close every connection."""
        await self._pool.__aexit__(kind, error, trace)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    def __init__(self, reply: httpcore.Response, host: str) -> None:
        self._reply = reply
        self._host = host

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _our_errors(self._host):
            async for data in self._reply.aiter_stream():
                yield data

    async def aclose(self) -> None:
        await self._reply.aclose()


def _through_proxy(
    proxy: httpx.Proxy, tls: ssl.SSLContext, dialler: AsyncNetworkBackend | None
) -> httpcore.AsyncHTTPProxy:
    return httpcore.AsyncHTTPProxy(
        proxy_url=httpcore.URL(
            scheme=proxy.url.raw_scheme,
            host=proxy.url.raw_host,
            port=proxy.url.port,
            target=b"/",
        ),
        proxy_auth=proxy.raw_auth,
        ssl_context=tls,
        proxy_ssl_context=tls if proxy.url.scheme == "https" else None,
        max_connections=_MOST_CONNECTIONS,
        max_keepalive_connections=_KEPT_CONNECTIONS,
        keepalive_expiry=_KEPT_S,
        network_backend=dialler or httpcore.AnyIOBackend(),
    )


@contextmanager
def _our_errors(host: str) -> Iterator[None]:
    try:
        yield
    except httpcore.TimeoutException as error:
        msg = f"{host}: does not answer"
        raise TooSlow(msg) from error
    except httpcore.UnsupportedProtocol as error:
        raise Refused(str(error)) from error
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError, OSError) as error:
        msg = f"{host}: {error}" if str(error) else f"{host}: the connection broke"
        raise Unreachable(msg) from error
