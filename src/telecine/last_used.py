"""Memory of what was used last."""

from collections import OrderedDict
from collections.abc import Callable, ValuesView
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class LastUsed(Generic[K, V]):
    """Values by key, as many as fit a limit: what was used longest ago is forgotten first.

    `size_of` tells what a value counts for when it is put in; without it each counts 1. The
    newest is kept whatever it counts. Not for several threads at once.
    """

    def __init__(self, limit: int, size_of: Callable[[V], int] | None = None) -> None:
        self._limit = limit
        self._size_of = size_of
        self._size = 0
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Return a value, which is the last used from now on; None if it is not there."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        """Keep a value in place of what its key had, and forget what is too much."""
        self.pop(key)
        self._values[key] = value
        self._size += self._count(value)
        while self._size > self._limit and len(self._values) > 1:
            _, oldest = self._values.popitem(last=False)
            self._size -= self._count(oldest)

    def pop(self, key: K) -> V | None:
        """Forget a value, and return it; None if it is not there."""
        value = self._values.pop(key, None)
        if value is not None:
            self._size -= self._count(value)
        return value

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()
        self._size = 0

    def values(self) -> ValuesView[V]:
        """Return all values, the last used last; nothing counts as used by that."""
        return self._values.values()

    def _count(self, value: V) -> int:
        return 1 if self._size_of is None else self._size_of(value)
