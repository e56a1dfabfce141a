"""Encoders that come to another node than that of their event: their media is handed on to it.

An event stays where it began, with its window and its recording; so whoever publishes to it,
and at which node, makes no difference to its viewers. The node that an encoder came to asks
the owner, by the way that edges come, whether it may publish, and hands on what it sends.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from telecine import clock
from telecine.formats.errors import FormatError
from telecine.live.broadcast import Broadcast
from telecine.live.frames import FrameError, frame, read_frame
from telecine.live.intake import CONFIG_WAIT_MS
from telecine.live.nodes import Ends
from telecine.live.ports import Publisher, Stream

log = structlog.get_logger()

ANSWER_S = 3.0
"""For so long an owner is waited for that is asked whether an encoder may publish."""

IDLE_S = 15.0
"""Without media an encoder of another node is gone, whatever has become of that."""

BACKLOG_BYTES = 16 << 20
"""So much may wait for the owner to take it."""

_TELL_S = 1.0
"""How often the owner is told how an encoder's connection is doing."""

Dial = Callable[[str], Awaitable[Ends]]
"""Returns a connection to the owner at an address. Raises OSError."""


class InUse(Exception):
    """Somebody else publishes to the event, or its owner does not say who does."""


class Forwarded:
    """An event of another node (an `Intake`); `run` until it, or its `publisher`, goes away."""

    def __init__(self, stream: Stream, ends: Ends, publisher: Publisher) -> None:
        self.stream = stream
        self.over = asyncio.Event()
        self._reader, self._writer = ends
        self._publisher = publisher
        self._told_s = clock.monotonic_s()

    def expect(
        self,
        *,
        video: bool,
        audio: bool,
        size_px: tuple[int, int],
        wait_ms: int = CONFIG_WAIT_MS,
    ) -> None:
        """Hand on what the encoder says of its tracks."""
        self._hand_on(
            frame("expect", video=video, audio=audio, size_px=[*size_px], wait_ms=wait_ms)
        )

    def describe(self, values: Mapping[str, object]) -> None:
        """Hand on the encoder's own words, as far as they are plain ones."""
        plain = {
            key: each for key, each in values.items() if isinstance(each, str | float | int | None)
        }
        self._hand_on(frame("describe", values=plain))

    def receive(self, video: bool, time_ms: int, body: bytes) -> None:
        """Hand on the body of an FLV tag."""
        self._hand_on(frame("media", body, video=video, time_ms=time_ms))
        now_s = clock.monotonic_s()
        if now_s - self._told_s >= _TELL_S:
            self._told_s = now_s
            self._hand_on(frame("told", told={**self._publisher.told()}))

    def leave(self) -> None:
        """Note that the encoder is gone; what it sent last is still handed on."""
        self.over.set()
        self._writer.close()

    async def run(self) -> None:
        """Listen to the owner: it says when, and why, the encoder is to go."""
        reason = "the node of its event is gone"
        try:
            answer = await read_frame(self._reader)
            if answer is not None and answer[0]["kind"] == "close":
                reason = str(answer[0]["reason"])
        except FrameError as error:
            reason = str(error)
        self.turn_away(reason)

    def turn_away(self, reason: str) -> None:
        """Let the encoder go, if it has not gone by itself."""
        if not self.over.is_set():
            self._publisher.close(reason)
            self.leave()

    def _hand_on(self, told: bytes) -> None:
        if self.over.is_set():
            return
        self._writer.write(told)
        if self._writer.transport.get_write_buffer_size() > BACKLOG_BYTES:
            self.over.set()
            self._writer.transport.abort()
            self._publisher.close("the node of its event does not keep up")


async def ask(dial: Dial, address: str, stream: Stream, publisher: Publisher) -> Forwarded | None:
    """Ask the owner at `address` whether an encoder may publish; None: it has no event of it.

    Raises:
        InUse: it may not, or nobody answers.
    """
    ends: Ends | None = None
    accepted = False
    try:
        async with asyncio.timeout(ANSWER_S):
            ends = await dial(address)
            told = {**publisher.told()}
            ends[1].write(frame("publish", stream=stream.public_id, told=told))
            answer = await read_frame(ends[0])
        kind = None if answer is None else answer[0]["kind"]
        accepted = kind == "accepted"
        if kind not in ("accepted", "none"):
            raise InUse("on the air elsewhere" if kind == "refused" else "its node hangs up")
        return Forwarded(stream, ends, publisher) if accepted else None
    except (FrameError, OSError) as error:  # TimeoutError, too
        raise InUse("its node does not answer") from error
    finally:
        if ends is not None and not accepted:
            ends[1].close()


class Visitor:
    """An encoder that publishes through another node (a `Publisher`)."""

    def __init__(self, writer: asyncio.StreamWriter, told: Mapping[str, Any]) -> None:
        self._writer = writer
        self._told = told

    def close(self, reason: str) -> None:
        """Let its node end its connection."""
        if not self._writer.is_closing():
            self._writer.write(frame("close", reason=reason))
            self._writer.close()

    def told(self) -> Mapping[str, Any]:
        """Return which protocol it speaks, and how its connection to its node is doing."""
        return self._told

    async def publish(self, event: Broadcast, reader: asyncio.StreamReader) -> None:
        """Give an event what the encoder sends, until it goes away."""
        try:
            while True:
                async with asyncio.timeout(IDLE_S):
                    found = await read_frame(reader)
                if found is None:
                    return
                self._take(event, *found)
        except TimeoutError:
            self.close("nothing came in time")
        except (FormatError, FrameError) as error:
            self.close(str(error))

    def _take(self, event: Broadcast, head: dict[str, Any], data: bytes) -> None:
        """Take one frame. Raises FormatError."""
        kind = head["kind"]
        if kind == "media":
            event.receive(head["video"], head["time_ms"], data)
        elif kind == "expect":
            width_px, height_px = head["size_px"]
            event.expect(
                video=head["video"],
                audio=head["audio"],
                size_px=(width_px, height_px),
                wait_ms=head["wait_ms"],
            )
        elif kind == "describe":
            event.describe(head["values"])
        elif kind == "told":
            self._told = head["told"]
