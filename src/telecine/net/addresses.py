"""Which addresses are public: our own copy of the special-purpose registries (pure).

`ipaddress.is_global` is not enough: it follows the Python that runs, and 3.11 calls
192.0.0.8 global. Sources: IANA's IPv4 and IPv6 Special-Purpose Address Registries,
its IPv6 Global Unicast Address Assignments, and the multicast ranges.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_SPECIAL_4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network (RFC 791)
            "10.0.0.0/8",  # private (RFC 1918)
            "100.64.0.0/10",  # shared, behind carriers' NAT (RFC 6598)
            "127.0.0.0/8",  # loopback (RFC 1122)
            "168.63.129.16/32",  # a public number that one cloud answers on its hosts
            "169.254.0.0/16",  # link-local, clouds' metadata (RFC 3927)
            "172.16.0.0/12",  # private (RFC 1918)
            "192.0.0.0/24",  # protocol assignments (RFC 6890)
            "192.0.2.0/24",  # documentation (RFC 5737)
            "192.31.196.0/24",  # AS112 (RFC 7535)
            "192.52.193.0/24",  # multicast tunnels (RFC 7450)
            "192.88.99.0/24",  # 6to4 relays (RFC 7526)
            "192.168.0.0/16",  # private (RFC 1918)
            "192.175.48.0/24",  # AS112 (RFC 7534)
            "198.18.0.0/15",  # benchmarks (RFC 2544)
            "198.51.100.0/24",  # documentation (RFC 5737)
            "203.0.113.0/24",  # documentation (RFC 5737)
            "224.0.0.0/4",  # multicast (RFC 5771)
            "240.0.0.0/4",  # reserved, and the broadcast address (RFC 1112)
        ),
    )
)
_GLOBAL_6 = IPv6Network("2000::/3")  # all that IANA gives out (RFC 4291)
_SPECIAL_6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments, Teredo and ORCHID among them (RFC 2928)
            "2001:db8::/32",  # documentation (RFC 3849)
            "2002::/16",  # 6to4: carries any IPv4 address (RFC 3056)
            "2620:4f:8000::/48",  # AS112 (RFC 7534)
            "3fff::/20",  # documentation (RFC 9637)
        ),
    )
)


def is_public(address: Address) -> bool:
    """Tell whether `address` is an ordinary host's on the public internet.

    IPv4 inside IPv6 (mapped, compatible, NAT64, 6to4) never is, nor an address that
    needs a zone.
    """
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _SPECIAL_4)
    if address.scope_id is not None or address not in _GLOBAL_6:
        return False
    return not any(address in network for network in _SPECIAL_6)


def literal(host: str) -> Address | None:
    """Return the address that `host` spells in the usual way, None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None
