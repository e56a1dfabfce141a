"""What the door of an encoder sees of an event."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from telecine.live.ports import Stream

CONFIG_WAIT_MS = 500
"""How long the configuration of a second track is waited for."""


class Intake(Protocol):
    """Takes what an encoder sends: an event of this process, or of another node.

    Nothing is taken any more once it is `over`.
    """

    stream: Stream
    over: asyncio.Event

    def expect(
        self,
        *,
        video: bool,
        audio: bool,
        size_px: tuple[int, int],
        wait_ms: int = CONFIG_WAIT_MS,
    ) -> None:
        """Take what the encoder says of its tracks.

        `wait_ms`: how far the second track may be behind the first.
        """

    def describe(self, values: Mapping[str, object]) -> None:
        """Take the encoder's own words on its tracks."""

    def receive(self, video: bool, time_ms: int, body: bytes) -> None:
        """Take the body of an FLV tag. Raises FormatError."""
