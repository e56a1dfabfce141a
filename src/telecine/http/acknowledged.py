"""Answers that we want to know the client has (Linux: `ioctl_tcp`, SIOCOUTQ)."""

import asyncio
import fcntl
import struct
import termios
from collections.abc import Awaitable, Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

SCOPE_KEY = "telecine.delivered"
"""Where a request's scope has a coroutine function: wait, tell whether it was taken."""

_LOOK_EVERY_S = 0.005
_PATIENCE_S = 10.0


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


async def delivered(transport: asyncio.Transport, is_broken: Callable[[], bool]) -> bool:
    """Wait until every byte that was written is acknowledged; False if it never was.

    `is_broken` tells that the connection ended otherwise than by the client's own
    closing: who has read an answer may hang up at once.
    """
    try:
        async with asyncio.timeout(_PATIENCE_S):
            while not is_broken():
                if transport.is_closing() or _outstanding_bytes(transport) == 0:
                    return True
                await asyncio.sleep(_LOOK_EVERY_S)
    except TimeoutError:
        return False
    return False


def _outstanding_bytes(transport: asyncio.Transport) -> int:
    waiting = transport.get_write_buffer_size()
    sock = transport.get_extra_info("socket")
    try:
        answer = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, struct.pack("i", 0))
    except (OSError, AttributeError, ValueError):
        return waiting  # not a socket of this system
    return waiting + int(struct.unpack("i", answer)[0])
