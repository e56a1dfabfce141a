"""Answers whose arrival is noted, over real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from telecine.http import server
from telecine.http.acknowledged import Acknowledged
from tests.fixtures.waiting import until

pytestmark = pytest.mark.anyio

REQUEST = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n"


class Noting:
    """Counts the requests that came and the answers that were taken."""

    def __init__(self) -> None:
        self.ended = self.noted = 0
        self.before = asyncio.Event()
        self.before.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        await self.before.wait()
        headers = {"x-noted": str(self.noted)}
        await Acknowledged(Response(b"taken", headers=headers), self.note)(scope, receive, send)
        self.ended += 1

    async def note(self) -> None:
        self.noted += 1

    async def has_ended(self) -> bool:
        return self.ended == 1


@asynccontextmanager
async def serving(app: Noting) -> AsyncIterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    started = asyncio.Event()
    running = server.build(app, trusted_proxies=(), on_started=started.set)
    async with asyncio.TaskGroup() as group:
        group.create_task(running.serve(sockets=[listener]))
        await started.wait()
        try:
            yield listener.getsockname()[1]
        finally:
            running.should_exit = True


async def test_a_client_that_goes_on_finds_its_answer_noted() -> None:
    app = Noting()
    async with serving(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in range(3):
            writer.write(REQUEST + b"data")
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"x-noted: %d" % number in head
            assert await reader.readexactly(5) == b"taken"
        writer.close()


async def test_a_client_that_hangs_up_after_the_answer_has_it() -> None:
    app = Noting()
    async with serving(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(REQUEST + b"data")
        await reader.readuntil(b"taken")
        writer.close()
        await until(app.has_ended)
    assert app.noted == 1


async def test_a_client_that_left_before_the_answer_does_not_have_it() -> None:
    app = Noting()
    app.before.clear()
    async with serving(app) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(REQUEST + b"data")
        await writer.drain()
        # A reset, as from a machine that knows nothing of the connection any more.
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        writer.close()
        await writer.wait_closed()
        await asyncio.get_running_loop().run_in_executor(None, _settle, port)
        app.before.set()
        await until(app.has_ended)
    assert app.noted == 0


def _settle(port: int) -> None:
    """Let the server see what happened before: it accepts this connection after that."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"nonsense\r\n\r\n")
        sock.recv(100)
