"""From where somebody speaks, as far as one customer of a network goes."""

from ipaddress import IPv6Address, ip_address


def place_of(host: str) -> str:
    """Return what the addresses of one customer have in common.

    Of IPv6 a network of 64 bits: so many addresses has every customer (RFC 6177).
    """
    try:
        found = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return found.packed[:8].hex()
    return str(found)
