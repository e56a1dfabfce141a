"""Answers that are given before the framework, and even the parser, is touched.

Most of what it costs to send a segment of 200 KB is Python: a call per header, a task, a
scope, messages. A `Shortcut` knows a whole answer instead, and one write sends it. A body
that is a stretch of a file does not even come into memory: the kernel sends it.
"""

import asyncio
import os
import re
import socket
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from telecine.http.posts import Posts

BUFFER_BYTES = 1 << 20
"""A whole body; longer ones are sent piece by piece by the application."""

_MORE = getattr(socket, "MSG_MORE", 0)  # the body follows: send no packet for the head alone


class Stretch(NamedTuple):
    """Bytes [offset, offset + size) of an open file, which whoever takes them closes."""

    descriptor: int
    offset: int
    size: int


class Answer(NamedTuple):
    """What follows the status line `200` and the date.

    `head`: the other headers and an empty line. `body`: how much of the room it fills, or
    where else it is.
    """

    head: bytes
    body: int | bytes | Stretch


class Waiter(Protocol):
    """A connection whose request waits."""

    def let_go(self, answer: Answer | None) -> None:
        """Take the answer; None: the application is to answer."""


class Later:
    """An answer that does not exist yet, for all who wait for the same one."""

    def __init__(self) -> None:
        self._waiters: dict[Waiter, None] = {}

    def add(self, waiter: Waiter) -> None:
        """Have `waiter` let go once there is an answer."""
        self._waiters[waiter] = None

    def leave(self, waiter: Waiter) -> None:
        """Forget a waiter: it has gone, or asks the application."""
        self._waiters.pop(waiter, None)

    def settle(self, outcome: "Answer | Later | None") -> None:
        """Let all go; to another one, if it takes them longer."""
        waiters, self._waiters = self._waiters, {}
        if isinstance(outcome, Later):
            for waiter in waiters:
                outcome.add(waiter)
            return
        for waiter in waiters:
            waiter.let_go(outcome)


Shortcut = Callable[[bytes, memoryview], Answer | None]
"""Takes a request's target and room for a body. Returns the answer, None to leave the request
to the application. Does not wait for anything."""

LiveShortcut = Callable[[bytes, bytes], Answer | Later | None]
"""Takes a request's target and the whole request in small letters. Returns the answer, or that
it comes later; None to leave the request to the application."""

Client = tuple[str, int] | None
"""Address and port of whoever asks."""

Overhear = Callable[[Client, bytes], None]
"""Takes a client and its whole request, once it is answered, if the request has client data
(CMCD): that changes no answer, so a shortcut is asked without it."""

_REQUEST = re.compile(
    rb"GET (/[!-~]*) HTTP/1\.1\r\n"
    rb"(?:"
    rb"(?!(?i:range|if-|transfer-encoding|expect|upgrade"
    # Possessive: or it would look for something else than `keep-alive` before the blank.
    rb"|c(?:ontent-length|onnection:[ \t]*+(?!keep-alive[ \t]*+\r))))"
    rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*\r\n"
    rb")*\r\n"
)
"""A whole request (RFC 9112, 3 and 5) without a body or anything to be decided about it."""


class AtOnce:
    """Tries the shortcut for the simplest of requests, on connections that are not behind."""

    def __init__(
        self,
        shortcut: Shortcut,
        overhear: Overhear | None = None,
        *,
        live: LiveShortcut = lambda *_: None,
        on_answer: Callable[[], None] = lambda: None,
        posts: Posts | None = None,
    ) -> None:
        """`live` is asked for what `shortcut` does not know; `on_answer` is told of answers.

        `posts` takes what players tell.
        """
        self._shortcut = shortcut
        self._live = live
        self._overhear = overhear
        self._on_answer = on_answer
        self._posts = posts
        self._buffer = bytearray(BUFFER_BYTES)
        self._dated: Sequence[tuple[bytes, bytes]] = ()
        self._begin = b""

    def answer(
        self,
        transport: asyncio.Transport,
        client: Client,
        data: bytes,
        dated: Sequence[tuple[bytes, bytes]],
    ) -> bool | Later:
        """Answer a request that came in one piece, False to have it parsed.

        `dated`: the headers of every answer, other ones each second. A `Later` is for the
        caller to wait for; the answer it gives goes to `give`.
        """
        if transport.get_write_buffer_size():
            return False
        if self._posts is not None and data.startswith(b"POST "):
            told = self._posts.answer(client, data, dated)
            if told is not None:
                transport.write(told)
            return told is not None
        request = _REQUEST.fullmatch(data)
        if request is None:
            return False
        target, lowered = request[1], data.lower()
        tells = b"cmcd" in lowered
        if tells:
            # Who asks is then told by a header, which counts or does not.
            if self._overhear is None or b"\r\nx-forwarded-" in lowered:
                return False
            target = _without_client_data(target)
        answer = self._shortcut(target, memoryview(self._buffer)) or self._live(target, lowered)
        if answer is None:
            return False
        if isinstance(answer, Later):
            return answer
        self._send(transport, answer, dated)
        if tells and self._overhear is not None:
            self._overhear(client, data)
        return True

    def give(
        self,
        transport: asyncio.Transport,
        client: Client,
        data: bytes,
        answer: Answer,
        dated: Sequence[tuple[bytes, bytes]],
    ) -> None:
        """Send the answer that the request `data` has waited for."""
        self._send(transport, answer, dated)
        if self._overhear is not None and b"cmcd" in data.lower():
            self._overhear(client, data)

    def _send(
        self, transport: asyncio.Transport, answer: Answer, dated: Sequence[tuple[bytes, bytes]]
    ) -> None:
        self._on_answer()
        if dated is not self._dated:
            lines = (name + b": " + value + b"\r\n" for name, value in dated)
            self._dated, self._begin = dated, b"".join((STATUS_LINE[200], *lines))
        head, body = self._begin + answer.head, answer.body
        if isinstance(body, Stretch):
            _send_file(transport, head, body)
            return
        if isinstance(body, bytes):
            transport.writelines([head, body])
            return
        transport.writelines([head, memoryview(self._buffer)[:body]])
        if transport.get_write_buffer_size():
            # The transport goes on with what its client was too slow for.
            self._buffer = bytearray(BUFFER_BYTES)


def _without_client_data(target: bytes) -> bytes:
    path, _, query = target.partition(b"?")
    others = [each for each in query.split(b"&") if each and each[:5] != b"CMCD="]
    return path + b"?" + b"&".join(others) if others else path


def _send_file(transport: asyncio.Transport, head: bytes, stretch: Stretch) -> None:
    """Send as much as the socket takes by the kernel, and the rest by the transport.

    The transport has nothing to write, so the order is kept.
    """
    wire = transport.get_extra_info("socket").fileno()
    sent, (descriptor, offset, size) = 0, stretch
    try:
        try:
            borrowed = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, wire)
            try:
                sent = borrowed.send(head, _MORE)
            finally:
                borrowed.detach()
            if sent == len(head):
                sent += os.sendfile(wire, descriptor, offset, size)
        except BlockingIOError:
            pass  # it takes nothing more for now
        except OSError:
            transport.abort()  # the client has gone
            return
        done = max(0, sent - len(head))
        if done < size:
            # It is in memory, as the shortcut has made sure.
            rest = os.pread(descriptor, size - done, offset + done)
            transport.writelines([head[sent:], rest])
            if len(rest) < size - done:
                transport.abort()
    finally:
        os.close(descriptor)
