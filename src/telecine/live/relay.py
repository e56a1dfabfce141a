"""Hands on what an encoder sends, as it is, to whoever forwards or transcodes it.

Times go on whatever the encoder's clock does, as those of the packager do: receivers have
one connection for an event that may have had several.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from telecine.formats.flv.packets import Config, Packet
from telecine.live.model import clock_step

JUMP_MS = 2000
"""A step above which the encoder's clock jumped, or below its negative."""

_AFTER_JUMP_MS = 33
_MOST_CONFIGS = 32


@dataclass(slots=True)  # freezing triples what it costs to make one
class Tag:
    """The body of an FLV tag, at a time of the event. `key`: pictures can begin with it."""

    video: bool
    time_ms: int
    body: bytes
    config: bool
    key: bool


class Receiver(Protocol):
    """Takes tags at once and without waiting: its own queue is its own affair."""

    def take(self, tag: Tag) -> None:
        """Take the next tag."""

    def describe(self, values: Mapping[str, object]) -> None:
        """Take what the encoder says of its tracks, again if it says so again."""


class Relay:
    """The tags of one event. `greeting` is what a receiver needs to know first."""

    def __init__(self) -> None:
        self.metadata: Mapping[str, object] | None = None
        self._receivers: list[Receiver] = []
        self._configs: dict[tuple[bool, tuple[int, ...]], Tag] = {}
        self.has_video = False
        self.enhanced: str | None = None  # a codec that classic RTMP does not have
        self._clock_ms: int | None = None  # the encoder's, at the last picture
        self._led = False  # whether it is that of a picture
        self._time_ms = 0

    def greeting(self) -> list[Tag]:
        """Return how the tracks are to be decoded."""
        return list(self._configs.values())

    def add(self, receiver: Receiver) -> None:
        """Give a receiver everything from now on."""
        self._receivers.append(receiver)

    def remove(self, receiver: Receiver) -> None:
        """Give a receiver nothing any more."""
        if receiver in self._receivers:
            self._receivers.remove(receiver)

    def describe(self, values: Mapping[str, object]) -> None:
        """Take what the encoder says of its tracks."""
        self.metadata = values
        for receiver in tuple(self._receivers):
            receiver.describe(values)

    def interrupt(self) -> None:
        """Note that what follows comes from another connection."""
        self._clock_ms = None

    def place(self, video: bool, time_ms: int, packets: Sequence[Packet]) -> tuple[int, bool]:
        """Return a tag's time on the timeline of the event, and whether the encoder's clock jumped.

        Pictures of the first track lead, sound where there are none.
        """
        leads = video or not self.has_video
        if len(packets) != 1 or packets[0].track or isinstance(packets[0], Config):
            if any(isinstance(each, Config) for each in packets):
                return self._time_ms, False
            # Further tracks have their place beside the pictures of the first, as sound has.
            first = any(not each.track for each in packets)
            leads = (video and first) or not self.has_video
        if self._clock_ms is None:
            step, jumped = _AFTER_JUMP_MS, False
        else:
            step = clock_step(self._clock_ms, time_ms)
            least_ms = 0 if self._led else -JUMP_MS
            jumped = leads and not least_ms <= step <= JUMP_MS
        if jumped:
            step = _AFTER_JUMP_MS
        at_ms = max(0, self._time_ms + step)
        if leads or self._clock_ms is None:
            self._clock_ms, self._time_ms, self._led = time_ms, at_ms, leads
        return at_ms, jumped

    def hand_on(self, video: bool, at_ms: int, body: bytes, packets: Sequence[Packet]) -> None:
        """Give a tag to all receivers."""
        config = key = False
        for each in packets:
            if isinstance(each, Config):
                config = True
            elif each.key and each.video and not each.track:
                key = True
        if not config and not self._receivers:
            return
        tag = Tag(video, at_ms, body, config, key)
        if config:
            self._learn(tag, [each for each in packets if isinstance(each, Config)])
        for receiver in tuple(self._receivers):
            receiver.take(tag)

    def _learn(self, tag: Tag, configs: Sequence[Config]) -> None:
        """Keep what receivers need to know first."""
        self.has_video |= tag.video
        if tag.body[0] & 0x80 if tag.video else tag.body[0] >> 4 == 9:
            self.enhanced = configs[0].codec
        place = tag.video, tuple(each.track for each in configs)
        if place in self._configs or len(self._configs) < _MOST_CONFIGS:
            self._configs[place] = tag
