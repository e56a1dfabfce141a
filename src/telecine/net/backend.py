"""The only place that opens connections to other people's servers."""

from collections.abc import Iterable

import httpcore
from httpcore import SOCKET_OPTION, AsyncNetworkBackend, AsyncNetworkStream

from telecine import clock
from telecine.net.errors import Refused
from telecine.net.policy import OutboundPolicy
from telecine.net.resolve import Resolver, resolve_public, system_resolver

_MOST_ADDRESSES = 4
_SHORTEST_ATTEMPT_S = 2.0
_CONNECT_S = 15.0


class GuardedBackend(AsyncNetworkBackend):
    """Resolves, checks every answer, and dials the number that was checked.

    TLS starts later on the stream and checks the certificate against the name. A
    name that is moved between check and connection leads nowhere else.
    """

    def __init__(
        self,
        policy: OutboundPolicy,
        resolver: Resolver = system_resolver,
        dialler: AsyncNetworkBackend | None = None,
    ) -> None:
        self._policy = policy
        self._resolver = resolver
        self._dialler = dialler or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        """Connect to the first address that answers. Raises OutboundError or httpcore's."""
        addresses = await resolve_public(host, port, self._policy, self._resolver)
        addresses = addresses[:_MOST_ADDRESSES]
        ends_s = clock.monotonic_s() + (timeout or _CONNECT_S)
        failure: Exception = httpcore.ConnectError(f"{host}: no address")
        for tried, address in enumerate(addresses):
            left_s = ends_s - clock.monotonic_s()
            if left_s <= 0:
                break
            share_s = min(left_s, max(_SHORTEST_ATTEMPT_S, left_s / (len(addresses) - tried)))
            try:
                return await self._dialler.connect_tcp(
                    address, port, share_s, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        """Refuse: no URL leads to a socket of this machine."""
        del timeout, socket_options
        msg = f"{path}: a socket of this machine"
        raise Refused(msg)

    async def sleep(self, seconds: float) -> None:
        """Wait, as the pool asks between attempts."""
        await self._dialler.sleep(seconds)
