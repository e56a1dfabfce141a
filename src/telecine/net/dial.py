"""Connections to other people's servers that do not speak HTTP, under the same guard."""

import asyncio
import ssl
from collections.abc import Callable
from typing import TypeVar

from telecine import clock
from telecine.net.errors import Refused, TooSlow, Unreachable
from telecine.net.policy import OutboundPolicy
from telecine.net.resolve import Resolver, resolve_public, system_resolver

P = TypeVar("P", bound=asyncio.BaseProtocol)

_CONNECT_S = 10.0
_MOST_ADDRESSES = 4


async def dial(
    policy: OutboundPolicy,
    host: str,
    port: int,
    protocol: Callable[[], P],
    *,
    tls: ssl.SSLContext | None = None,
    resolver: Resolver = system_resolver,
) -> P:
    """Connect to the first address that answers; the certificate is checked for `host`.

    Raises:
        OutboundError: we may not go there, or nobody answers.
    """
    if policy.proxy is not None:
        msg = f"{host}: only HTTP goes through the proxy of this installation"
        raise Refused(msg)
    addresses = await resolve_public(host, port, policy, resolver)
    loop, failure = asyncio.get_running_loop(), ""
    ends_s = clock.monotonic_s() + _CONNECT_S
    for address in addresses[:_MOST_ADDRESSES]:
        try:
            async with asyncio.timeout(max(0.0, ends_s - clock.monotonic_s())):
                _, made = await loop.create_connection(
                    protocol, address, port, ssl=tls, server_hostname=host if tls else None
                )
        except TimeoutError:
            msg = f"{host}: does not answer"
            raise TooSlow(msg) from None
        except (OSError, ssl.CertificateError) as error:
            failure = error.strerror or str(error)
        else:
            return made
    msg = f"{host}: {failure}"
    raise Unreachable(msg)
