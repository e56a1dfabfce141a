"""How an encoder is doing: bits and pictures a second, distances between key frames."""

from collections import deque
from dataclasses import dataclass

WINDOW_S = 10
"""Over how many whole seconds rates are taken."""


@dataclass(slots=True)
class _Second:
    at_s: int
    received_bytes: int = 0
    pictures: int = 0


class Meter:
    """Counts what arrives; `now_s` is monotonic."""

    def __init__(self) -> None:
        self._seconds: deque[_Second] = deque(maxlen=WINDOW_S + 1)
        self._second = _Second(-1)  # the newest
        self._key_ms: int | None = None
        self.key_distance_ms: int | None = None

    def take(self, now_s: float, received_bytes: int, *, pictures: int) -> None:
        """Count the body of a tag."""
        at_s, second = int(now_s), self._second
        if second.at_s != at_s:
            second = self._second = _Second(at_s)
            self._seconds.append(second)
        second.received_bytes += received_bytes
        second.pictures += pictures

    def key(self, time_ms: int) -> None:
        """Note a key frame at a time of the encoder's."""
        if self._key_ms is not None and time_ms > self._key_ms:
            self.key_distance_ms = time_ms - self._key_ms
        self._key_ms = time_ms

    def rates(self, now_s: float) -> tuple[int, float]:
        """Return bit/s and pictures a second of the last seconds that are over."""
        over = [each for each in self._seconds if now_s - WINDOW_S - 1 < each.at_s < int(now_s)]
        if not over:
            return 0, 0.0
        lasting_s = int(now_s) - over[0].at_s
        received = sum(each.received_bytes for each in over)
        pictures = sum(each.pictures for each in over)
        return received * 8 // lasting_s, round(pictures / lasting_s, 2)
