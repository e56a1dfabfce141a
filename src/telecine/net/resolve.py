"""From a host name to addresses that we may dial."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence

from telecine.net.addresses import Address, is_public, literal
from telecine.net.errors import Refused, TooSlow, Unreachable
from telecine.net.policy import OutboundPolicy

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns every address of a host as text. Raises OSError."""

_RESOLVE_S = 10.0
_LOCAL_SUFFIXES = (".localhost", ".local", ".internal", ".home.arpa")  # RFC 6761 and the like


async def system_resolver(host: str, port: int) -> Sequence[str]:
    """Ask the system, which also understands addresses such as `0x7f.1`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


async def resolve_public(
    host: str,
    port: int,
    policy: OutboundPolicy,
    resolver: Resolver = system_resolver,
) -> list[str]:
    """Return the addresses of `host`, to be dialled as they are: never resolve again.

    Every answer must be allowed: one private address among public ones is how names
    are made to point at us.

    Raises:
        Refused: an answer or the port is not allowed.
        TooSlow, Unreachable: there was no answer.
    """
    trusted = policy.trusts_host(host)
    try:
        async with asyncio.timeout(_RESOLVE_S):
            answers = await resolver(host, port)
    except TimeoutError as error:
        msg = f"{host}: name servers do not answer"
        raise TooSlow(msg) from error
    except (OSError, UnicodeError) as error:
        msg = f"{host}: no such host"
        raise Unreachable(msg) from error
    if not answers:
        msg = f"{host}: no such host"
        raise Unreachable(msg)
    for answer in answers:
        address = literal(answer)
        if address is None:
            msg = f"{host}: {answer!r} is not an address"
            raise Refused(msg)
        if not trusted:
            check_address(host, address, port, policy)
    return list(answers)


def check_address(host: str, address: Address, port: int, policy: OutboundPolicy) -> None:
    """Raise Refused unless `port` of `address`, which `host` leads to, is allowed."""
    if policy.allows(address, port):
        return
    if port not in policy.ports:
        msg = f"{host}: port {port} is not allowed"
        raise Refused(msg)
    # Not the address itself: whoever may see this may not map our networks.
    msg = f"{host}: not a public address (the operator may allow it)"
    raise Refused(msg)


def check_spelling(host: str, port: int, policy: OutboundPolicy) -> None:
    """Check a host that a proxy will resolve, as far as its spelling tells.

    Raises:
        Refused: it spells an address that is not allowed, in whatever notation, or it
            is a name that only local networks know.
    """
    if policy.trusts_host(host):
        return
    name = host.lower().rstrip(".")
    address = literal(name) or _odd_spelling(name)
    if address is not None:
        check_address(host, address, port, policy)
        return
    if "." not in name or f".{name}".endswith(_LOCAL_SUFFIXES):
        msg = f"{host}: not a public name (the operator may allow it)"
        raise Refused(msg)
    if port not in policy.ports:
        msg = f"{host}: port {port} is not allowed"
        raise Refused(msg)


def check_spelled_address(host: str, policy: OutboundPolicy) -> None:
    """Check a host long before it is asked: only an address that it spells can be told then.

    Raises:
        Refused: it spells an address, in whatever notation, that is neither public nor allowed.
    """
    name = host.lower().rstrip(".")
    address = literal(name) or _odd_spelling(name)
    if address is None or policy.trusts_host(host) or policy.trusts_address(address):
        return
    if not is_public(address):
        msg = f"{host}: not a public address (the operator may allow it)"
        raise Refused(msg)


def _odd_spelling(host: str) -> Address | None:
    """Return the IPv4 address that BSD's inet_aton reads: `2130706433`, `0x7f.1`."""
    try:
        return literal(socket.inet_ntoa(socket.inet_aton(host)))
    except (OSError, UnicodeError):
        return None
