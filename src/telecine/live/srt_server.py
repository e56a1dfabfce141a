"""The UDP socket of encoders that speak SRT: all of them come through one port."""

import asyncio
from typing import Any, cast

import structlog

from telecine import ids
from telecine.formats.errors import FormatError
from telecine.formats.flv.bodies import body
from telecine.formats.mpegts.demuxer import Demuxer, Frame, Program
from telecine.live.intake import Intake
from telecine.live.studio import Studio
from telecine.protocols.srt.connection import ACK_S
from telecine.protocols.srt.listener import (
    Address,
    Caller,
    Closed,
    Event,
    Listener,
    Media,
    Publish,
)

log = structlog.get_logger()

IDLE_S = 15.0
"""Without pictures and sound, whatever else comes."""

TRACK_WAIT_MS = 2000
"""Encoders collect up to 0.7 s of sound in a PES packet; the pictures are ahead by as much."""

_SECRET_BYTES = 32


class SrtEncoder:
    """One caller that may publish. Whatever it does wrong ends it, and nothing else."""

    def __init__(self, door: "SrtDoor", caller: Caller, now_s: float) -> None:
        self.caller = caller
        self.admission: asyncio.Task[None] | None = None
        self.broadcast: Intake | None = None
        self.media_s = now_s
        self._door = door
        self._demuxer = Demuxer()

    def close(self, reason: str) -> None:
        """End the connection."""
        self._door.hang_up(self, reason)

    def told(self) -> dict[str, Any]:
        """Return how the way from the encoder is doing."""
        link = self.caller.link
        if link is None:
            return {"protocol": "srt"}
        return {
            "protocol": "srt",
            "link": {
                "rtt_ms": round(link.rtt_s * 1000, 1),
                "latency_ms": round(link.latency_s * 1000),
                "received_packets": link.counts.received,
                "lost_packets": link.counts.lost,
                "dropped_packets": link.counts.dropped,
            },
        }

    def take(self, data: bytes, now_s: float) -> None:
        """Take what was received. Raises FormatError."""
        if self.broadcast is None:
            return
        if self.broadcast.over.is_set():
            self.media_s = now_s
            return
        self._give(self.broadcast, self._demuxer.feed(data), now_s)

    def finish(self, now_s: float) -> None:
        """Take the last picture, behind which nothing comes. Raises FormatError."""
        if self.broadcast is not None and not self.broadcast.over.is_set():
            self._give(self.broadcast, self._demuxer.flush(), now_s)

    def _give(self, broadcast: Intake, found: list[Program | Frame], now_s: float) -> None:
        for each in found:
            if isinstance(each, Program):
                broadcast.expect(
                    video=each.video, audio=each.audio, size_px=(0, 0), wait_ms=TRACK_WAIT_MS
                )
                if each.left_out:
                    stream = broadcast.stream.public_id
                    log.warning("tracks left out", stream=stream, count=each.left_out)
            else:
                self.media_s = now_s
                time_ms = each.time_ms & 0xFFFF_FFFF
                broadcast.receive(each.packet.video, time_ms, body(each.packet))


class SrtDoor(asyncio.DatagramProtocol):
    """The port. Callers must know `passphrase`, if there is one."""

    def __init__(self, studio: Studio, passphrase: str = "") -> None:
        self._studio = studio
        self._listener = Listener(ids.random_bytes(_SECRET_BYTES), passphrase)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.DatagramTransport | None = None
        self._encoders: dict[Caller, SrtEncoder] = {}
        self._next: asyncio.TimerHandle | None = None
        self._closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everybody."""
        del exc
        self._transport = None
        if self._next is not None:
            self._next.cancel()
        for encoder in list(self._encoders.values()):
            self._part(encoder)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Take a datagram."""
        now_s = self._loop.time()
        self._handle(self._listener.receive(data, cast("Address", addr), now_s), now_s)
        if self._next is None and not self._listener.idle:
            self._next = self._loop.call_later(ACK_S, self._advance)

    def admit_no_more(self) -> None:
        """Let those in who are in, and answer nobody else."""
        self._closing = True

    def hang_up(self, encoder: SrtEncoder, reason: str) -> None:
        """End the connection of an encoder."""
        if self._encoders.get(encoder.caller) is encoder:
            self._listener.close(encoder.caller, self._loop.time())
            self._send()
            self._tell("srt closed", encoder, reason)
            self._part(encoder)

    def _advance(self) -> None:
        """Do what is due, as long as there is anybody."""
        now_s = self._loop.time()
        idle = self._listener.idle
        self._next = None if idle else self._loop.call_later(ACK_S, self._advance)
        self._handle(self._listener.advance(now_s), now_s)
        for encoder in list(self._encoders.values()):
            if encoder.broadcast is not None and now_s - encoder.media_s > IDLE_S:
                self.hang_up(encoder, "no media came in time")

    def _handle(self, events: list[Event], now_s: float) -> None:
        for event in events:
            if isinstance(event, Media):
                self._media(event, now_s)
            elif isinstance(event, Publish):
                self._ask(event, now_s)
            elif isinstance(event, Closed):
                self._closed(event, now_s)
            else:
                log.info("srt refused", peer=event.address[0], reason=event.reason)
        self._send()

    def _media(self, event: Media, now_s: float) -> None:
        encoder = self._encoders.get(event.caller)
        if encoder is None:
            return  # it was ended by what came before
        try:
            encoder.take(event.payload, now_s)
        except FormatError as error:
            self.hang_up(encoder, str(error))

    def _closed(self, event: Closed, now_s: float) -> None:
        encoder = self._encoders.get(event.caller)
        if encoder is None:
            return
        reason = event.reason
        try:
            encoder.finish(now_s)
        except FormatError as error:
            reason = f"{reason}; {error}"
        self._tell("srt closed", encoder, reason)
        self._part(encoder)

    def _ask(self, event: Publish, now_s: float) -> None:
        if self._closing:
            return
        encoder = self._encoders[event.caller] = SrtEncoder(self, event.caller, now_s)
        encoder.admission = self._loop.create_task(self._admit(encoder, event.key))

    async def _admit(self, encoder: SrtEncoder, key: str) -> None:
        broadcast = await self._studio.admit(key, encoder)
        encoder.admission = None
        now_s = self._loop.time()
        if broadcast is None:
            self._listener.refuse(encoder.caller, now_s)
            self._send()
            self._tell("srt refused", encoder, "no stream has that key, or it is in use")
            self._part(encoder)
            return
        encoder.broadcast, encoder.media_s = broadcast, now_s
        if not self._listener.accept(encoder.caller, now_s):
            self._part(encoder)
            return
        self._send()
        self._tell("srt publishes", encoder)

    def _part(self, encoder: SrtEncoder) -> None:
        """Forget an encoder, and tell the studio."""
        self._encoders.pop(encoder.caller, None)
        if encoder.admission is not None:
            encoder.admission.cancel()
        if encoder.broadcast is not None:
            self._studio.gone(encoder.broadcast, encoder)
            encoder.broadcast = None

    def _tell(self, event: str, encoder: SrtEncoder, reason: str | None = None) -> None:
        broadcast, link = encoder.broadcast, encoder.caller.link
        told: dict[str, object] = {} if reason is None else {"reason": reason}
        if link is not None and reason is not None:
            told |= {"lost": link.counts.lost, "dropped": link.counts.dropped}
        stream = broadcast.stream.public_id if broadcast else None
        log.info(event, peer=encoder.caller.address[0], stream=stream, **told)

    def _send(self) -> None:
        for data, address in self._listener.to_send():
            if self._transport is not None:
                self._transport.sendto(data, address)
