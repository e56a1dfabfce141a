"""How much one address may tell: so that none drowns what all others tell."""

from collections import Counter
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address

from telecine import clock

WINDOW_S = 60.0
_MOST = 100_000
"""Addresses that are counted at a time; with more of them, counting begins anew."""


class Shares:
    """Counts pings by address; `limit` is how many a minute may have, None: any number."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._until_s = 0.0
        self._counts: Counter[str] = Counter()

    def take(self, address: str) -> bool:
        """Count one more; tell whether it still is within the limit."""
        if self._limit is None:
            return True
        now_s = clock.monotonic_s()
        if now_s >= self._until_s or len(self._counts) >= _MOST:
            self._counts.clear()
            self._until_s = now_s + WINDOW_S
        whose = _network(address) if ":" in address else address
        self._counts[whose] += 1
        return self._counts[whose] <= self._limit


@lru_cache(maxsize=4096)
def _network(address: str) -> str:
    """Return the network of an IPv6 address that one customer has as a whole (64 bits)."""
    try:
        return str(int(IPv6Address(address.partition("%")[0])) >> 64)
    except AddressValueError:
        return address
