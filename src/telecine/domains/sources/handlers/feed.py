"""Where the bytes of a download come from, as the transfer sees it."""

from typing import Protocol


class Sink(Protocol):
    """Takes bytes."""

    async def write(self, data: bytes | memoryview) -> None:
        """Append bytes."""


class Feed(Protocol):
    """A file on its way, from the offset on at which it was opened.

    `total`: its bytes, None while unknown. `position`: segments that `fill` has given
    out whole. `divisible`: what came before a failure can be kept, because the next
    feed can begin anywhere. `resumable`: leaving now costs nothing.
    """

    total: int | None
    validator: str | None
    position: int
    divisible: bool
    resumable: bool

    async def fill(self, sink: Sink, room_bytes: int) -> bool:
        """Write about `room_bytes`; tell whether these were the last.

        Raises:
            OutboundError: no more bytes can be had now.
        """
