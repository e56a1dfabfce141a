"""Where requests may go: public hosts on known ports, and what the operator adds (pure)."""

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Self

from telecine.net.addresses import Address, Network, is_public

WEB_PORTS = frozenset({80, 443, 8080, 8443})
"""Ports of public hosts that speak HTTP; elsewhere a request could be mail or a login."""


class _RtmpPorts(Container[int]):
    def __contains__(self, port: object) -> bool:
        return isinstance(port, int) and (port in {80, 443} or port >= 1024)


RTMP_PORTS = _RtmpPorts()
"""Ports of public hosts that take RTMP: services choose them freely, but not among those of
logins and mail. Nothing a user chose is sent before the other side has shaken hands."""

_HOST_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundPolicy:
    """Which hosts we may dial.

    `networks` and `hosts` are the operator's own: they count as public, on every port.
    A host is a name in lower case; `.example.com` stands for every name below it. What
    such a name resolves to is not looked at. `ports` bounds all other hosts. `proxy` is
    the URL of an HTTP proxy that all requests go through; it resolves the names then,
    so that only addresses that are spelled out can be checked here.
    """

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()
    ports: Container[int] = WEB_PORTS
    proxy: str | None = field(default=None, repr=False)  # may hold a password

    @classmethod
    def of(
        cls, allow: Iterable[str], *, proxy: str | None = None, ports: Container[int] = WEB_PORTS
    ) -> Self:
        """Build a policy from what an operator writes: `10.0.0.0/8`, `nas.lan`, `*.lan`.

        Raises:
            ValueError: an entry is neither a network nor a host name, or the proxy's URL
                is none.
        """
        networks: list[Network] = []
        hosts: set[str] = set()
        for entry in allow:
            network = _network(entry)
            if network is not None:
                networks.append(network)
            else:
                hosts.add(_host_pattern(entry))
        if proxy is not None:
            _check_proxy(proxy)
        return cls(networks=tuple(networks), hosts=frozenset(hosts), ports=ports, proxy=proxy)

    def trusts_host(self, host: str) -> bool:
        """Tell whether the operator named `host`, or a domain above it."""
        labels = host.lower().rstrip(".").split(".")
        above = {"." + ".".join(labels[start:]) for start in range(1, len(labels))}
        return ".".join(labels) in self.hosts or not above.isdisjoint(self.hosts)

    def trusts_address(self, address: Address) -> bool:
        """Tell whether `address` is in a network that the operator named."""
        return any(address in network for network in self.networks)

    def allows(self, address: Address, port: int) -> bool:
        """Tell whether we may dial `port` of `address`."""
        if self.trusts_address(address):
            return True
        return is_public(address) and port in self.ports


def _network(entry: str) -> Network | None:
    try:
        return ip_network(entry.strip().strip("[]"))
    except ValueError as error:
        if "has host bits set" in str(error):
            raise
        return None


def _host_pattern(entry: str) -> str:
    name = entry.strip().lower().rstrip(".").removeprefix("*")
    labels = name.removeprefix(".").split(".")
    numeric = labels[-1].isdigit()  # a mistyped address, not a name
    if numeric or not all(labels) or not _HOST_CHARACTERS.issuperset(name):
        msg = f"{entry!r} is neither a network such as 10.0.0.0/8 nor a host such as nas.lan"
        raise ValueError(msg)
    return name


def _check_proxy(text: str) -> None:
    import httpx  # noqa: PLC0415 - 2 MB of a supervisor, which asks nobody

    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise ValueError("the proxy must be like http://proxy.lan:3128") from error
    if url.scheme not in {"http", "https"} or not url.host or url.path not in {"", "/"}:
        raise ValueError("the proxy must be like http://proxy.lan:3128")
