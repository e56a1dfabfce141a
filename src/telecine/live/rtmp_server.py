"""The socket of an encoder that speaks RTMP: reads, bounds what it may delay, hands on."""

import asyncio
from typing import Any, cast

import structlog

from telecine import ids
from telecine.formats.errors import FormatError
from telecine.live.intake import Intake
from telecine.live.strangers import Strangers
from telecine.live.studio import Studio
from telecine.protocols.errors import ProtocolError
from telecine.protocols.rtmp.handshake import RANDOM_BYTES
from telecine.protocols.rtmp.session import (
    Event,
    Media,
    Metadata,
    Publish,
    PublishSession,
    Unpublish,
)

log = structlog.get_logger()

HANDSHAKE_S = 5.0
PUBLISH_S = 10.0
IDLE_S = 15.0

MAX_UNREAD_BYTES = 64 << 10
"""Of answers: an encoder that takes none of them is not worth the memory."""

FAREWELL_S = 5.0
"""For so long the last answer may wait to be taken."""

APP = "s"


class RtmpConnection(asyncio.Protocol):
    """One connection. Whatever it does wrong ends it, and nothing else."""

    def __init__(self, studio: Studio, strangers: Strangers) -> None:
        self._studio = studio
        self._strangers = strangers
        self._stranger: str | None = None
        self._session = PublishSession(ids.random_bytes(RANDOM_BYTES))
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._farewell: asyncio.TimerHandle | None = None
        self._admission: asyncio.Task[None] | None = None
        self._broadcast: Intake | None = None
        self._media_s = 0.0
        self._peer = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Give the encoder time to shake hands."""
        self._transport = cast("asyncio.Transport", transport)
        self._peer = str((transport.get_extra_info("peername") or ("",))[0])
        self._stranger = self._strangers.arrive(self._peer)
        if self._stranger is None:
            self.close("too many connections of this address do not publish")
            return
        self._arm(HANDSHAKE_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the studio."""
        del exc
        self._disarm()
        if self._farewell is not None:
            self._farewell.cancel()
        self._introduced()
        self._transport = None
        if self._admission is not None:
            self._admission.cancel()
        self._leave()

    def data_received(self, data: bytes) -> None:
        """Take what was read."""
        shaken = self._session.shaken
        try:
            for event in self._session.receive(data):
                self._handle(event)
        except (ProtocolError, FormatError) as error:
            self._session.fail(str(error))
            self._send()
            self.close(str(error))
            return
        except Exception:
            stream = self._broadcast.stream.public_id if self._broadcast else None
            log.exception("rtmp failed", peer=self._peer, stream=stream)
            self.close("the server failed")
            return
        if self._session.shaken and not shaken:
            self._arm(PUBLISH_S)
        self._send()

    def close(self, reason: str) -> None:
        """End the connection; what was said last is still sent, if it is taken soon."""
        if self._transport is not None and not self._transport.is_closing():
            self._tell_end(reason)
            self._transport.close()
            self._farewell = self._loop.call_later(FAREWELL_S, self._transport.abort)

    def told(self) -> dict[str, Any]:
        """Return which protocol it speaks."""
        transport = self._transport
        secure = transport is not None and transport.get_extra_info("sslcontext") is not None
        return {"protocol": "rtmps" if secure else "rtmp"}

    def _handle(self, event: Event) -> None:
        if isinstance(event, Media):
            self._media_s = self._loop.time()
            if self._broadcast is not None and not self._broadcast.over.is_set():
                self._broadcast.receive(event.video, event.timestamp_ms, event.payload)
        elif isinstance(event, Publish):
            assert self._transport is not None  # noqa: S101 - data came through it
            self._transport.pause_reading()
            self._admission = self._loop.create_task(self._admit(event))
        elif isinstance(event, Metadata) and self._broadcast is not None:
            self._expect(self._broadcast, event)
        elif isinstance(event, Unpublish):
            self._leave()

    def _expect(self, broadcast: Intake, told: Metadata) -> None:
        size = told.values.get("width"), told.values.get("height")
        width, height = (
            int(each) if isinstance(each, float) and 0 < each < 1 << 15 else 0 for each in size
        )
        broadcast.expect(
            video="videocodecid" in told.values,
            audio="audiocodecid" in told.values,
            size_px=(width, height),
        )
        broadcast.describe(told.values)

    async def _admit(self, asked: Publish) -> None:
        known = asked.app == APP or asked.app.startswith(APP + "/")
        broadcast = await self._studio.admit(asked.key, self) if known else None
        self._admission = None
        if self._transport is None:
            if broadcast is not None:
                self._studio.gone(broadcast, self)
            return
        if broadcast is None:
            self._session.refuse()
            self._send()
            self.close("no stream has that key, or it is in use")
            return
        self._broadcast = broadcast
        self._introduced()
        self._session.accept()
        self._send()
        log.info("rtmp publishes", peer=self._peer, stream=broadcast.stream.public_id)
        self._media_s = self._loop.time()
        self._arm(IDLE_S)
        self._transport.resume_reading()

    def _tell_end(self, reason: str) -> None:
        stream = self._broadcast.stream.public_id if self._broadcast else None
        log.info("rtmp closed", peer=self._peer, stream=stream, reason=reason)

    def _introduced(self) -> None:
        if self._stranger is not None:
            self._strangers.leave(self._stranger)
            self._stranger = None

    def _leave(self) -> None:
        if self._broadcast is not None:
            self._studio.gone(self._broadcast, self)
            self._broadcast = None

    def _send(self) -> None:
        waiting = self._session.to_send()
        transport = self._transport
        if not waiting or transport is None or transport.is_closing():
            return
        transport.write(waiting)
        if transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
            self._tell_end("it does not read its answers")
            transport.abort()

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._deadline = self._loop.call_later(seconds, self._late)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        quiet_s = self._loop.time() - self._media_s
        if self._media_s and quiet_s < IDLE_S:
            self._arm(IDLE_S - quiet_s)
        else:
            self.close("nothing came in time")
