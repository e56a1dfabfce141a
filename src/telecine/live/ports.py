"""What live asks of those above it: may they publish, and what is to be remembered."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an event is sent on to: `server_url`/`stream_key`."""

    name: str
    server_url: str
    stream_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another node, which is heard of, has the event; `address`: its own, None: it has none."""

    node: str
    address: str | None


@dataclass(frozen=True, slots=True)
class Stream:
    """A live stream that somebody may publish to.

    `record`: whether its events become videos. `longest_s`: when they end by themselves,
    `longest_restream_s`: when they are no longer sent on to `destinations`. `elsewhere`: who
    had its event when that was asked.
    """

    project_id: UUID
    public_id: str
    record: bool
    longest_s: float | None = None
    longest_restream_s: float | None = None
    destinations: tuple[Destination, ...] = ()
    elsewhere: Elsewhere | None = None


@dataclass(frozen=True, slots=True)
class RecordingPlace:
    """A recording: its row, and the object to write."""

    id: UUID
    key: str


class Shortfall(enum.StrEnum):
    """Why a recording ends before its event does."""

    NO_ROOM = "recording-no-room"
    TOO_SLOW = "recording-too-slow"
    BROKEN = "recording-broken"


class Broadcasts(Protocol):
    """The memory of what is broadcast. Everything may be called again after a failure."""

    async def authorise(self, stream_key: str) -> Stream | None:
        """Return the stream of a key; None: there is none, or it is disabled."""

    async def started(self, stream: Stream) -> UUID | None:
        """Note that media arrives; None: the stream is gone, or another node has it."""

    async def ended(self, event: UUID) -> None:
        """Note that an event is over."""

    async def recording_started(self, event: UUID, *, kept: bool) -> RecordingPlace:
        """Note that a file begins to be written, and learn where."""

    async def recording_ended(
        self,
        recording: UUID,
        key: str,
        size_bytes: int,
        duration_s: float,
        cut: Shortfall | None = None,
    ) -> None:
        """Make what is to be made of a finished file, which stays readable under its key.

        `cut`: why it is not all of its event.
        """

    async def recording_failed(self, recording: UUID, key: str, why: Shortfall) -> None:
        """Tell the owner that nothing could be written; delete what there may be of the file."""

    async def recording_dropped(self, recording: UUID, key: str) -> None:
        """Delete a file that is no longer needed under its key."""


class Publisher(Protocol):
    """The connection of an encoder."""

    def close(self, reason: str) -> None:
        """End it."""

    def told(self) -> Mapping[str, Any]:
        """Return which protocol it speaks, and how its connection is doing."""
