"""Whether a client's machine has what we answered (Linux: `ioctl_tcp`, SIOCOUTQ)."""

import asyncio
import fcntl
import struct
import termios
from collections.abc import Callable

SCOPE_KEY = "telecine.delivered"
"""Where a request's scope has a coroutine function: wait, tell whether it was taken."""

_LOOK_EVERY_S = 0.02
_PATIENCE_S = 10.0


async def delivered(transport: asyncio.Transport, is_lost: Callable[[], bool]) -> bool:
    """Wait until every byte that was written is acknowledged; False if it never was.

    `is_lost` tells that the connection broke before its answer was complete.
    """
    try:
        async with asyncio.timeout(_PATIENCE_S):
            while not is_lost():
                # Closed by ourselves, after the whole answer: nobody can be asked.
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
