"""How many connections of one address may be open that nobody has let in yet."""

from collections import Counter

from telecine.protocols.places import place_of

MOST_AN_ADDRESS = 32
"""Encoders are strangers for a moment, and each of them costs memory until it is refused."""


class Strangers:
    """Counts them. Of IPv6, an address is a network of 64 bits: so many has every customer."""

    def __init__(self, most: int = MOST_AN_ADDRESS) -> None:
        self._most = most
        self._counts: Counter[str] = Counter()

    def arrive(self, host: str) -> str | None:
        """Count a connection; return what `leave` wants to know, None if it is one too many."""
        place = place_of(host)
        if self._counts[place] >= self._most:
            return None
        self._counts[place] += 1
        return place

    def leave(self, place: str) -> None:
        """Count a connection no longer: it was let in, or is gone."""
        self._counts[place] -= 1
        if self._counts[place] <= 0:
            del self._counts[place]
