"""How fast a body has to come: those who stall or drip would occupy the server."""

STALLS = 2
"""So many looks in a row without a byte of a body that we are ready to read."""

WINDOW_S = 30.0
WINDOW_BYTES = 30 << 10
"""A body must bring this much in each window: 1 KiB/s stops those who drip."""


class Pace:
    """How much of a body came in how much time."""

    __slots__ = ("_begin_bytes", "_begin_s", "_last_bytes", "_stalls")

    def __init__(self, begin_s: float, received: int) -> None:
        self._begin_s = begin_s
        self._begin_bytes = received
        self._last_bytes = received
        self._stalls = 0

    def is_too_slow(self, now_s: float, received: int) -> bool:
        """Compare with the last checks and, when it is over, with the window's begin."""
        self._stalls = self._stalls + 1 if received == self._last_bytes else 0
        self._last_bytes = received
        if self._stalls >= STALLS:
            return True
        if now_s - self._begin_s < WINDOW_S:
            return False
        dripping = received - self._begin_bytes < WINDOW_BYTES
        self._begin_s, self._begin_bytes = now_s, received
        return dripping
