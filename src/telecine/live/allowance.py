"""How much an encoder may send, by its own clock: what it sends is kept in memory."""

from collections.abc import Iterable

from telecine.formats.errors import FormatError
from telecine.formats.flv.packets import Config, Packet

MOST_BYTES_A_MS = 12_500
"""100 Mbit/s of the encoder's own clock, which says what is kept in memory for how long."""

MOST_AHEAD_BYTES = 100 << 20
"""So much may come above that, at once or before there is anything to watch."""

MAX_CONFIG_BYTES = 64 << 10


class Allowance:
    """Weighs what comes against the media that it makes."""

    def __init__(self) -> None:
        self._ahead_bytes = 0

    def spend(self, size_bytes: int, packets: Iterable[Packet]) -> None:
        """Take note of a tag. Raises FormatError: it would fill the memory of all."""
        self._ahead_bytes += size_bytes
        if self._ahead_bytes > MOST_AHEAD_BYTES:
            raise FormatError(f"more than {MOST_BYTES_A_MS // 125} Mbit/s")
        if size_bytes > MAX_CONFIG_BYTES and any(isinstance(each, Config) for each in packets):
            raise FormatError(f"a codec's configuration of {size_bytes} bytes")

    def cover(self, duration_ms: int) -> None:
        """Take note of media that it made."""
        self._ahead_bytes = max(0, self._ahead_bytes - duration_ms * MOST_BYTES_A_MS)
