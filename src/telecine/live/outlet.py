"""The socket to a server that an event is sent on to."""

import asyncio
from collections.abc import Mapping
from typing import cast

from telecine.protocols.errors import ProtocolError
from telecine.protocols.rtmp.client import PublishClient

_FLUSH_S = 5.0


class Outlet(asyncio.Protocol):
    """One connection: `accepted` once media may be sent, `lost` tells why it ended."""

    def __init__(self, session: PublishClient) -> None:
        loop = asyncio.get_running_loop()
        self.accepted: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[str] = loop.create_future()
        self._session = session
        self._transport: asyncio.Transport | None = None

    @property
    def enhanced(self) -> bool:
        """Tell whether the server says that it knows codecs by FourCC."""
        return self._session.enhanced

    @property
    def waiting_bytes(self) -> int:
        """Return how much the network has not taken yet."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        self._transport = cast("asyncio.Transport", transport)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Take what the server says."""
        try:
            self._session.receive(data)
        except ProtocolError as error:
            self.abort(str(error))
            return
        self._flush()
        if self._session.accepted and not self.accepted.done():
            self.accepted.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end."""
        self._transport = None
        self._end(f"the connection broke ({exc})" if exc else "the target closed the connection")

    def send(self, kind: int, time_ms: int, body: bytes) -> None:
        """Send sound or pictures."""
        self._session.send(kind, time_ms, body)
        self._flush()

    def describe(self, values: Mapping[str, object]) -> None:
        """Tell what the media is."""
        self._session.describe(values)
        self._flush()

    def close(self) -> None:
        """Say goodbye; what waits is still sent, if it is taken soon."""
        if self._transport is not None:
            self._session.finish()
            self._flush()
            self._transport.close()
            asyncio.get_running_loop().call_later(_FLUSH_S, self._transport.abort)
        self._end("closed")

    def abort(self, reason: str) -> None:
        """End at once."""
        if self._transport is not None:
            self._transport.abort()
        self._end(reason)

    def _flush(self) -> None:
        waiting = self._session.to_send()
        if waiting and self._transport is not None:
            self._transport.write(waiting)

    def _end(self, reason: str) -> None:
        if not self.accepted.done():
            self.accepted.set_exception(ConnectionError(reason))
            self.accepted.exception()  # retrieved: nobody may be waiting any more
        if not self.lost.done():
            self.lost.set_result(reason)
