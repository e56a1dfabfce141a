"""One live event: from its first media until it is completed, or stays away too long."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVarTuple
from uuid import UUID

import structlog

from telecine import clock, ids
from telecine.formats.errors import FormatError
from telecine.formats.flv.packets import Coded, Config, Packet, audio_packets, video_packets
from telecine.live.allowance import Allowance
from telecine.live.intake import CONFIG_WAIT_MS
from telecine.live.journal import Journal, Left
from telecine.live.ladder import Ladder, Rung, Transcoder
from telecine.live.layers import Layers
from telecine.live.meter import Meter
from telecine.live.model import SOURCE, Boundary, Ended, Output, Part, Place, Position, Targets
from telecine.live.mp3 import WAIT_MS, AacFromMp3, is_mp3
from telecine.live.packager import Packager
from telecine.live.ports import Broadcasts, Publisher, Stream
from telecine.live.record import Recorder
from telecine.live.relay import Relay
from telecine.live.rendition import Rendition
from telecine.live.restream import Restreams
from telecine.live.window import Window
from telecine.net.policy import OutboundPolicy
from telecine.storage.local import LocalStore

log = structlog.get_logger()

Given = TypeVarTuple("Given")

SILENCE_S = 3.0
"""After so long without media another publisher may take over."""


class Broadcast:
    """The media of one event and who takes it.

    `window_ms`: how far viewers can go back; `left`: what it goes on with, if another process
    had it. No media waits here: `push` cuts, stores and wakes in one go.
    """

    def __init__(
        self,
        stream: Stream,
        broadcasts: Broadcasts,
        store: LocalStore,
        part_ms: int,
        window_ms: int,
        policy: OutboundPolicy,
        transcoder: Transcoder | None = None,
        left: Left | None = None,
    ) -> None:
        self.stream = stream
        history = None if left is None else left.history
        window = Window(ids.nonce(), window_ms) if history is None else history.window(window_ms)
        self.session = window.session
        self.renditions: dict[str, Rendition] = {}
        self.source = self.renditions[SOURCE] = Rendition(SOURCE, window, self.renditions)
        self.publisher: Publisher | None = None
        self.event: UUID | None = None if left is None else left.event
        self.over = asyncio.Event()
        self.begun_s = clock.monotonic_s() - (0.0 if left is None else left.lasted_s)
        self.interruptions = 0
        self._media_s = 0.0
        self._allowance = Allowance()
        self._broadcasts = broadcasts
        self._store = store
        self._part_ms = part_ms
        self._packager = Packager(part_ms, Position() if history is None else history.position)
        self._transcoder = transcoder
        self._ladder: Ladder | None = None
        self._boundary: Boundary | None = None
        self._layers = Layers(stream.public_id, part_ms, self.renditions, self._rewinding)
        self._rung_recorders: list[Recorder] = []
        self._unheard: set[int] = set()  # further tracks of sound
        name, journal = stream.public_id, Journal(self.session)
        if history is not None:
            journal = history.journal()
        self._recorder = Recorder(
            broadcasts, store, window, name, kept=stream.record, journal=journal, history=history
        )
        self._meter = Meter()
        self._relay = Relay()
        self._mp3: AacFromMp3 | None = None
        if transcoder is not None:
            self._mp3 = AacFromMp3(stream.public_id, transcoder.runner, self._sound, self._refuse)
        self.restreams = Restreams(stream.public_id, self._relay, policy)
        self.restreams.change(stream.destinations)
        self.source.add(self._recorder.take)
        self._begun = asyncio.Event()
        self.suspended, self._untouched = False, left is not None  # nothing came since

    @property
    def window(self) -> Window:
        """Return what can be watched of the source's own quality."""
        return self.source.window

    @property
    def begun(self) -> bool:
        """Tell whether there was any media that could be used."""
        return self._begun.is_set() or self.event is not None

    @property
    def silent(self) -> bool:
        """Tell whether the publisher may be taken for dead."""
        return self.silent_s > SILENCE_S

    @property
    def silent_s(self) -> float:
        """Return for how long no media has come."""
        return clock.monotonic_s() - self._media_s

    def attach(self, publisher: Publisher) -> None:
        """Make a connection the one that media comes from."""
        former, self.publisher = self.publisher, publisher
        self._media_s = clock.monotonic_s()
        if former is not None:
            self._interrupt()
            former.close("another publisher took over")

    def detach(self, publisher: Publisher) -> bool:
        """Note that a connection is gone; tell whether it was the current one."""
        if self.publisher is not publisher:
            return False
        self.publisher = None
        self._interrupt()
        return True

    def expect(
        self,
        *,
        video: bool,
        audio: bool,
        size_px: tuple[int, int],
        wait_ms: int = CONFIG_WAIT_MS,
    ) -> None:
        """Take what the encoder says of its tracks."""
        self._packager.expect(video=video, audio=audio, size_px=size_px, wait_ms=wait_ms)
        self._layers.expect(audio=audio)

    def describe(self, values: Mapping[str, object]) -> None:
        """Take the encoder's own words on its tracks, for those who are sent the event."""
        with self._unforeseen("description"):
            self._relay.describe(values)

    def receive(self, video: bool, time_ms: int, body: bytes) -> None:
        """Take the body of an FLV tag. Raises FormatError."""
        if self.over.is_set():
            return
        with self._unforeseen("media"):
            self._receive(video, time_ms, body)

    def _receive(self, video: bool, time_ms: int, body: bytes) -> None:
        packets = video_packets(body) if video else audio_packets(body)
        self._allowance.spend(len(body), packets)
        pictures = 0
        for packet in packets:
            if packet.video and not packet.track and isinstance(packet, Coded):
                if packet.key and not pictures:
                    self._meter.key(time_ms)
                pictures += 1
        now_s = clock.monotonic_s()
        self._meter.take(now_s, len(body), pictures=pictures)
        if self._mp3 is not None and is_mp3(packets):
            self._media_s = now_s
            self._packager.wait_ms = WAIT_MS
            self._mp3.take(time_ms, packets)
        else:
            self._place(video, time_ms, body, packets)

    def _sound(self, time_ms: int, body: bytes) -> None:
        """Take sound that was made of the encoder's. Raises FormatError."""
        if not self.over.is_set():
            self._place(False, time_ms, body, audio_packets(body))

    def _place(self, video: bool, time_ms: int, body: bytes, packets: Sequence[Packet]) -> None:
        at_ms, jumped = self._relay.place(video, time_ms, packets)
        if jumped:
            self.interruptions += 1
            self._give(self._packager.interrupt())
            self._layers.interrupt()
        if packets:
            self._media_s = clock.monotonic_s()
            for packet in packets:
                self.push(at_ms, packet)
            self._relay.hand_on(video, at_ms, body, packets)

    def push(self, time_ms: int, packet: Packet) -> None:
        """Take a packet. Raises FormatError."""
        now_ms = clock.unix_ms()
        further = self._layers.by_track
        if further or packet.track or isinstance(packet, Config):
            self._layers.take(time_ms, packet, now_ms)
        if packet.track:
            if not packet.video and packet.track not in self._unheard:
                self._unheard.add(packet.track)
                log.warning("tracks left out", stream=self.stream.public_id, sound=packet.track)
            if self._ladder is not None and further:
                self._ladder.give_up("the encoder sends lower qualities itself")
            return
        if made := self._packager.push(time_ms, packet, now_ms):
            self._give(made)
        boundary = self._packager.begun
        if boundary is not None and boundary is not self._boundary:
            self._boundary = boundary
            self._layers.boundary(boundary)
            if self._ladder is not None:
                self._ladder.boundary(boundary)
        if further and packet.video and boundary is not None and isinstance(packet, Coded):
            self._layers.reached(time_ms)

    def qualities(self) -> list[dict[str, object]]:
        """Return what is watched below the source's quality, also what is only beginning."""
        rungs = () if self._ladder is None else self._ladder.rungs
        lower = [rung.told() for rung in rungs if not rung.gone.is_set()]
        return [*(layer.told() for layer in self._layers.found), *lower]

    def told(self) -> dict[str, Any]:
        """Return how the event and its encoder are doing, as the API's process reads it."""
        now_s = clock.monotonic_s()
        bitrate_bps, frame_rate = self._meter.rates(now_s)
        return {
            **(self.publisher.told() if self.publisher else {}),
            "publishing": self.publisher is not None,
            "silent_ms": round((now_s - self._media_s) * 1000),
            "lasting_s": round(now_s - self.begun_s, 1),
            "tracks": [each.told() for each in (*self._packager.formats, *self._layers.formats)],
            "bitrate": bitrate_bps,
            "frame_rate": frame_rate,
            "key_frame_distance_ms": self._meter.key_distance_ms,
            "interruptions": self.interruptions,
            "recording_failure": self._recorder.failure,
        }

    def end(self) -> None:
        """End the event; `run` reports it."""
        if self.over.is_set():
            return
        self.over.set()
        self._begun.set()
        with self._unforeseen("end"):
            self._give(self._packager.end())
        with self._unforeseen("layers"):
            self._layers.end()
        for each in (self.source, *self._layers.by_track.values()):
            if not each.window.ended:  # one of those failed, and others wait for it
                each.give((Ended(),))

    def suspend(self) -> None:
        """Stop, and leave the event to another process; viewers are told of no end."""
        if self.over.is_set():
            return
        if not self.begun:
            self.end()
            return
        self.suspended = True
        with self._unforeseen("interruption"):
            self._give(self._packager.interrupt())
        self.over.set()
        self._begun.set()
        self._recorder.suspend()

    async def run(self) -> None:
        """Report the event's begin, record it, report its end.

        What nobody foresaw ends the event as anything else does: its key is free again.
        """
        async with asyncio.TaskGroup() as group:
            converting = self._mp3 and group.create_task(self._guarded("sound", self._mp3.run))
            await self._guarded("event", self._run)
            if converting:
                converting.cancel()

    async def _run(self) -> None:
        await self._begun.wait()
        if not self.window.segments or (self.suspended and self._untouched):
            return
        if self.event is None:
            self.event = await self._broadcasts.started(self.stream)
        if self.event is None:
            self.end()
            self._refuse("the stream is gone, or on the air elsewhere")
            return
        log.info("broadcast started", stream=self.stream.public_id)
        async with asyncio.TaskGroup() as group:
            guarded, event, longest_s = self._guarded, self.event, self.stream.longest_restream_s
            recording = group.create_task(guarded("recording", self._recorder.run, event))
            below = [group.create_task(guarded("layers", self._layers.run, event))]
            sending = group.create_task(guarded("restreams", self.restreams.run, longest_s))
            with self._unforeseen("ladder"):
                self._ladder = self._make_ladder()
            if self._ladder is not None:
                task = guarded("ladder", self._transcode, self._ladder, event)
                below.append(group.create_task(task))
            await self.over.wait()
            sending.cancel()
            if self.suspended:
                for each in below:  # lower qualities begin anew
                    each.cancel()
                await recording
                if self._recorder.left:
                    log.info("broadcast left", stream=self.stream.public_id)
                    return
                self.source.give((Ended(),))
            elif self._ladder is not None:
                self._ladder.finish()
            await guarded("memory", self._broadcasts.ended, event)
            await recording
        await self._recorder.report()
        log.info("broadcast ended", stream=self.stream.public_id)

    async def forget(self) -> None:
        """Drop what is only kept for viewers who go back."""
        for recorder in (self._recorder, *self._rung_recorders, *self._layers.recorders):
            await self._guarded("rewinding", recorder.drop)

    async def read(self, place: Place) -> bytes:
        """Return the bytes of an old segment. Raises StoreError."""
        return await self._store.read(place.key, place.offset, place.offset + place.size_bytes)

    def _interrupt(self) -> None:
        if self.over.is_set():
            return
        self.interruptions += 1
        with self._unforeseen("interruption"):
            self._give(self._packager.interrupt())
            self._layers.interrupt()
            self._relay.interrupt()
            if self._mp3 is not None:
                self._mp3.interrupt()

    def _refuse(self, reason: str) -> None:
        if self.publisher is not None:
            self.publisher.close(reason)

    async def _guarded(
        self, part: str, work: Callable[[*Given], Awaitable[None]], *given: *Given
    ) -> None:
        with self._unforeseen(part):
            await work(*given)

    @contextlib.contextmanager
    def _unforeseen(self, part: str) -> Iterator[None]:
        """End the event where something fails in a way that nobody foresaw."""
        try:
            yield
        except FormatError:
            raise  # foreseen: whoever sent it is told
        except Exception:
            log.exception("broadcast failed", stream=self.stream.public_id, part=part)
            self.end()
            self._refuse("the server failed")

    def _give(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            self.source.give((output,))
            if isinstance(output, Part):
                self._begun.set()
                self._untouched = False
                self._allowance.cover(output.duration_ms)
            elif isinstance(output, Targets):
                self._layers.adopt(output)
                if self._ladder is not None:
                    self._ladder.adopt(output)

    def _make_ladder(self) -> Ladder | None:
        """Return what makes lower qualities, None: nothing is to, or can be."""
        picture = next((each for each in self._packager.formats if each.video), None)
        if self._transcoder is None or picture is None or self._layers.by_track:
            return None  # layers: the encoder has made the qualities itself
        heights, tracks = self._transcoder.rungs(picture.height_px), self._packager.formats
        rungs = [Rung(each, self._part_ms, self.renditions, tracks) for each in heights]
        if not rungs:
            return None
        for rung in rungs:
            recorder = self._rewinding(rung)
            rung.add(recorder.take)
            self._rung_recorders.append(recorder)
            self.renditions[rung.name] = rung
        sound = any(not each.video for each in tracks)
        return Ladder(self.stream.public_id, self._transcoder, self._relay, rungs, sound)

    def _rewinding(self, rendition: Rendition) -> Recorder:
        """Return what records a quality for viewers who go back."""
        return Recorder(
            self._broadcasts, self._store, rendition.window, self.stream.public_id, kept=False
        )

    async def _transcode(self, ladder: Ladder, event: UUID) -> None:
        """Make lower qualities; those that cannot go on go away."""
        await ladder.run(event, self._rung_recorders)
        for rung in ladder.rungs:
            if rung.gone.is_set():
                del self.renditions[rung.name]
