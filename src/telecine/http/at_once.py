"""Answers that are given before the framework is touched.

Half of what it costs to send a segment of 200 KB is Python: a task, a scope, messages. A
`Shortcut` fills the buffer of the process with a whole answer instead, and one write sends it.
"""

from collections.abc import Callable, Sequence

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

BUFFER_BYTES = 1 << 20
"""A whole answer with its headers; longer ones are sent piece by piece by the application."""

Shortcut = Callable[[bytes, Sequence[tuple[bytes, bytes]], memoryview], int]
"""Takes a request's target, its headers, and room for an answer: the headers that follow the
status line `200` and the date, an empty line, the body. Returns the answer's length in bytes,
0 to leave the request to the application. Does not wait for anything."""

_APPLICATION_ONLY = frozenset({b"content-length", b"transfer-encoding", b"expect", b"upgrade"})


class AtOnce:
    """Tries the shortcut for the simplest of requests, on connections that are not behind."""

    def __init__(self, shortcut: Shortcut) -> None:
        self._shortcut = shortcut
        self._buffer = bytearray(BUFFER_BYTES)

    def answer(self, connection: HttpToolsProtocol) -> bool:
        """Send the answer to a GET whose headers have arrived, False to do it otherwise."""
        parser, transport = connection.parser, connection.transport
        if (
            parser.get_method() != b"GET"
            or parser.get_http_version() != "1.1"
            or not parser.should_keep_alive()
            or transport.get_write_buffer_size()
            or not _APPLICATION_ONLY.isdisjoint(name for name, _ in connection.headers)
        ):
            return False
        head = STATUS_LINE[200]
        for name, value in connection.server_state.default_headers:
            head += name + b": " + value + b"\r\n"
        view, start = memoryview(self._buffer), len(head)
        filled = self._shortcut(connection.url, connection.headers, view[start:])
        if not filled:
            return False
        view[:start] = head
        transport.write(view[: start + filled])
        if transport.get_write_buffer_size():
            # The transport goes on with what its client was too slow for.
            self._buffer = bytearray(BUFFER_BYTES)
        return True
