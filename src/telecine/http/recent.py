"""A small memory of things that were looked up a moment ago."""

from typing import Generic, TypeVar

from telecine import clock

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """A bounded mapping whose entries live for `ttl_s` seconds at most."""

    def __init__(self, ttl_s: float, *, max_entries: int) -> None:
        self._ttl_s = ttl_s
        self._max_entries = max_entries
        self._entries: dict[K, tuple[float, V]] = {}

    def get(self, key: K) -> V | None:
        """Return the value of `key`, None if it is unknown or too old."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[0] <= clock.monotonic_s():
            del self._entries[key]
            return None
        return entry[1]

    def put(self, key: K, value: V, *, ttl_s: float | None = None) -> None:
        """Remember a value, for less than the usual time if `ttl_s` is smaller."""
        if len(self._entries) >= self._max_entries:
            # Forgetting everything costs one look-up each and needs no bookkeeping.
            self._entries.clear()
        lifetime_s = self._ttl_s if ttl_s is None else min(ttl_s, self._ttl_s)
        self._entries[key] = (clock.monotonic_s() + lifetime_s, value)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
