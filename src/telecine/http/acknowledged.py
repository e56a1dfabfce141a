"""Answers that we want to know the client has (Linux: `ioctl_tcp`, SIOCOUTQ)."""

import asyncio
import fcntl
import socket
import struct
import termios
from collections.abc import Awaitable, Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

SCOPE_KEY = "telecine.delivered"
"""Where a request's scope has a coroutine function: wait, tell whether it was taken."""

_LOOK_EVERY_S = 0.005
_PATIENCE_S = 10.0
_TCP_CLOSE = 7  # linux/tcp_states.h


class Acknowledged(Response):
    """An answer that calls `note` once the client's machine has acknowledged it.

    It is complete for the server only after that, so that a client which goes on with
    the same connection finds what was noted.
    """

    def __init__(self, answer: Response, note: Callable[[], Awaitable[None]]) -> None:
        super().__init__(answer.body, answer.status_code)
        self.raw_headers = answer.raw_headers
        self._note = note

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        del receive
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        try:
            delivered = scope.get(SCOPE_KEY)
            if delivered is None or await delivered():
                await self._note()
        finally:
            await send({"type": "http.response.body", "body": b""})


async def delivered(transport: asyncio.Transport, ended: Callable[[], bool | None]) -> bool:
    """Wait until every byte that was written is acknowledged; False if it never was.

    `ended` tells how the connection ended (see `ended_well`), None while it is there.
    """
    try:
        async with asyncio.timeout(_PATIENCE_S):
            while (well := ended()) is None:
                if _is_reset(transport):
                    return False
                if not transport.is_closing() and _outstanding_bytes(transport) == 0:
                    return True
                await asyncio.sleep(_LOOK_EVERY_S)
            return well
    except TimeoutError:
        return False


def ended_well(transport: asyncio.Transport, error: Exception | None) -> bool:
    """Tell, as a connection is lost, whether its client took all that it was sent.

    Who has read an answer may hang up at once. Who hangs up before it comes refuses it
    with a reset, which ends the connection as well: with an error, or unseen.
    """
    return error is None and not _is_reset(transport)


def _is_reset(transport: asyncio.Transport) -> bool:
    """Tell whether the other side refused what it was sent (`tcp_info`, its first byte)."""
    sock = transport.get_extra_info("socket")
    try:
        state = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    except (OSError, AttributeError):
        return False  # not a socket of this system
    return bool(state[0] == _TCP_CLOSE)


def _outstanding_bytes(transport: asyncio.Transport) -> int:
    waiting = transport.get_write_buffer_size()
    sock = transport.get_extra_info("socket")
    try:
        answer = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, struct.pack("i", 0))
    except (OSError, AttributeError, ValueError):
        return waiting  # not a socket of this system
    return waiting + int(struct.unpack("i", answer)[0])
