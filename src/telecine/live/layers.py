"""Further video tracks of an encoder (E-RTMP v2): qualities that it has made itself.

Each is a rendition, cut where the first track is, with the first track's sound. So nothing
has to be transcoded.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

import structlog

from telecine.formats.codecs.live_tracks import TrackFormat
from telecine.formats.errors import FormatError
from telecine.formats.flv.packets import Config, Packet
from telecine.live.follower import Follower
from telecine.live.model import SOURCE, Boundary, Targets
from telecine.live.record import Recorder
from telecine.live.rendition import Rendition

log = structlog.get_logger()

MOST_LAYERS = 8
_MOST_WAITING, _MOST_WAITING_BYTES = 4000, 32 << 20
"""So many packets, and so many bytes of them, may be ahead of the first track."""

_HOLES = "it has not all segments that the first track has"

_LATE_MS = 20
"""Pictures of two tracks that are shown together may be so far apart."""


class Layer(Rendition):
    """The rendition of one track."""

    def __init__(
        self,
        track: int,
        part_ms: int,
        among: Mapping[str, Rendition],
        recorder: Callable[[Rendition], Recorder],
    ) -> None:
        like = among[SOURCE]
        super().__init__(f"track{track}", like.window.sibling(), among)
        self.packager = Follower(part_ms, _LATE_MS)
        self.recorder = recorder(self)
        self.add(self.recorder.take)
        self._like = like
        if self.window.targets is not None:
            self.packager.adopt(self.window.targets)

    @property
    def picture(self) -> TrackFormat | None:
        """Return what its pictures are, None as long as nobody knows."""
        return next((each for each in self.packager.formats if each.video), None)

    def told(self) -> dict[str, object]:
        """Return what the multivariant playlist shows, before the first segment is over."""
        found, like = self.picture, self._like.window
        assert found is not None  # noqa: S101 - it begins with its configuration
        init = like.inits.get(like.segments[-1].init) if like.segments else None
        share = found.height_px / init.height_px if init is not None and init.height_px else 1.0
        return {
            "name": self.name,
            "peak_bps": self.window.peak_bps or int(like.peak_bps * share * share),
            "codecs": ",".join(each.codecs for each in self.packager.formats),
            "width_px": found.width_px,
            "height_px": found.height_px,
        }


class Layers:
    """The further video tracks of one event; `run` records them until `end`.

    What comes waits until the first track has come as far, which says where segments begin.
    `renditions`: what can be watched of the event, which they are put into; `recorder` makes
    what records one of them. `by_track` is empty for most events: then `take` only needs to
    be told of configurations.
    """

    def __init__(
        self,
        stream: str,
        part_ms: int,
        renditions: dict[str, Rendition],
        recorder: Callable[[Rendition], Recorder],
    ) -> None:
        self.recorders: list[Recorder] = []
        self._stream = stream
        self._part_ms = part_ms
        self._renditions = renditions
        self._make_recorder = recorder
        self.by_track: dict[int, Layer] = {}
        self._refused: set[int] = set()
        self._sound: Config | None = None
        self._expects_sound = True
        self._waiting: deque[tuple[int, Packet, int]] = deque()
        self._waiting_bytes = 0
        self._reached_ms = 0
        self._over = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._event: UUID | None = None

    @property
    def formats(self) -> list[TrackFormat]:
        """Return what the pictures of each are."""
        return [each.picture for each in self.by_track.values() if each.picture is not None]

    @property
    def found(self) -> Sequence[Layer]:
        """Return what can be watched, the largest first."""
        shown = [each for each in self.by_track.values() if each.picture is not None]
        return sorted(shown, key=_height_px, reverse=True)

    def expect(self, *, audio: bool) -> None:
        """Take what the encoder says of its tracks."""
        self._expects_sound = audio

    def take(self, time_ms: int, packet: Packet, received_ms: int) -> None:
        """Take a packet of any track, at its time of the event. Raises FormatError."""
        if isinstance(packet, Config) and not packet.video and not packet.track:
            self._sound = packet
        if packet.video and packet.track and isinstance(packet, Config):
            self._learn(packet)
        elif self.by_track and (packet.track > 0) == packet.video:
            size = _size(packet)
            full = self._waiting_bytes + size > _MOST_WAITING_BYTES
            if full or len(self._waiting) >= _MOST_WAITING:
                self._let_go()
            self._waiting.append((time_ms, packet, received_ms))
            self._waiting_bytes += size

    def reached(self, time_ms: int) -> None:
        """Package what waited for the first track to come so far. Raises FormatError.

        What the first track promises of all parts must be known before the first is cut.
        """
        self._reached_ms = time_ms
        if self._renditions[SOURCE].window.targets is not None:
            self._package(time_ms)

    def _package(self, time_ms: int) -> None:
        while self._waiting and self._waiting[0][0] <= time_ms:
            _, packet, _ = entry = self._waiting.popleft()
            self._waiting_bytes -= _size(packet)
            if packet.video:
                self._push(packet.track, *entry)
                continue
            for track in tuple(self.by_track):
                self._push(track, *entry)

    def boundary(self, boundary: Boundary) -> None:
        """Learn where a segment of the first track begins."""
        for layer in self.by_track.values():
            layer.packager.follow(boundary)

    def adopt(self, targets: Targets) -> None:
        """Learn what the source promises; renditions promise the same."""
        for layer in self.by_track.values():
            layer.packager.adopt(targets)
            layer.window.take(targets)
        with contextlib.suppress(FormatError):  # of sound, which the first track has too
            self._package(self._reached_ms)

    def interrupt(self) -> None:
        """Close what is open: nothing follows, or something that does not join on.

        A track of which nothing has come of the newest segment begins anew, if it comes back.
        """
        with contextlib.suppress(FormatError):
            self._package(self._reached_ms)
        self._waiting.clear()
        self._waiting_bytes = 0
        for track, layer in tuple(self.by_track.items()):
            if layer.packager.behind:
                self._drop(track, layer, _HOLES)
            else:
                layer.give(layer.packager.interrupt())

    def end(self) -> None:
        """End all layers."""
        self._over.set()  # also where one of them fails
        self._waiting.clear()  # is behind the last picture of the first track
        for layer in self.by_track.values():
            layer.give(layer.packager.end())

    def _let_go(self) -> None:
        """Forget what waits, but for how sound is to be decoded: the first track has ended."""
        kept = [entry for entry in self._waiting if isinstance(entry[1], Config)][-1:]
        self._waiting = deque(kept)
        self._waiting_bytes = sum(_size(packet) for _, packet, _ in kept)

    async def run(self, event: UUID) -> None:
        """Record what viewers can go back to; it is no recording of its own."""
        async with asyncio.TaskGroup() as group:
            self._group, self._event = group, event
            for recorder in self.recorders:
                group.create_task(recorder.run(event))
            await self._over.wait()

    def _learn(self, packet: Config) -> None:
        layer = self.by_track.get(packet.track)
        if layer is None:
            if len(self.by_track) >= MOST_LAYERS or packet.track in self._refused:
                return
            layer = self._begin(packet.track)
        layer.give(layer.packager.push(0, replace(packet, track=0), 0))

    def _begin(self, track: int) -> Layer:
        layer = Layer(track, self._part_ms, self._renditions, self._make_recorder)
        self.by_track[track] = self._renditions[layer.name] = layer
        audio = self._expects_sound or self._sound is not None
        layer.packager.expect(video=True, audio=audio, size_px=(0, 0))
        if self._sound is not None:
            layer.give(layer.packager.push(0, self._sound, 0))
        self.recorders.append(layer.recorder)
        group, event = self._group, self._event
        if group is not None and event is not None:
            group.create_task(layer.recorder.run(event))
        log.info("quality of the encoder's", stream=self._stream, quality=layer.name)
        return layer

    def _push(self, track: int, time_ms: int, packet: Packet, received_ms: int) -> None:
        layer = self.by_track.get(track)
        if layer is None:
            return
        made = layer.packager.push(time_ms, replace(packet, track=0), received_ms)
        if not layer.packager.aligned:
            self._refused.add(track)
            self._drop(track, layer, "its key frames are not where those of the first track are")
        elif not layer.packager.fits:
            self._drop(track, layer, _HOLES)
        else:
            layer.give(made)

    def _drop(self, track: int, layer: Layer, reason: str) -> None:
        """Offer a layer no longer whose segments are not those of the first track."""
        log.warning("quality dropped", stream=self._stream, quality=layer.name, reason=reason)
        del self.by_track[track], self._renditions[layer.name]
        layer.leave(layer.recorder.take)
        layer.give(layer.packager.end())


def _size(packet: Packet) -> int:
    return len(packet.record if isinstance(packet, Config) else packet.data)


def _height_px(layer: Layer) -> int:
    return 0 if layer.picture is None else layer.picture.height_px
