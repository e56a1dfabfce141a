"""The end of a connection whose client still sends (RFC 9112, section 9.6).

A socket that is closed with bytes unread, or before bytes that are on their way,
answers them with a reset, and the client may drop our last response unread. So our
side is closed first, and what still comes is read and thrown away for a moment.
"""

import asyncio

LINGER_S = 2.0
"""From our last byte to the end of the connection, whatever the client does."""

LINGER_BYTES = 16 << 20
"""So much of what a client sends on is read; then the connection is cut."""


class Lingering:
    """A connection on which all has been said; it ends by itself."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._left_bytes = LINGER_BYTES
        self._deadline = loop.call_later(LINGER_S, transport.abort)
        if transport.can_write_eof():  # TLS has no half-closed connections
            transport.write_eof()

    def drop(self, data: bytes) -> None:
        """Throw received bytes away."""
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            self._transport.abort()

    def end(self) -> None:
        """Forget the deadline: the connection is gone."""
        self._deadline.cancel()
