"""A refused client that still sends reads the answer, and cannot stay, over real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.types import Receive, Scope, Send

from telecine.http import connection as connections
from telecine.http import lingering, server
from tests.fixtures.waiting import PATIENCE_S, until

pytestmark = pytest.mark.anyio

END_S = PATIENCE_S
"""Far more than any limit below, and less than those that are put out of the way."""

FOR_EVER_S = 1000.0


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Both loops: they differ in how they close."""
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADERS_S", 0.2)
    monkeypatch.setattr(lingering, "LINGER_S", FOR_EVER_S)


class Refused:
    """A client whose request the server has refused; nothing is buffered on its side."""

    def __init__(self, connection: socket.socket, running: server.Server) -> None:
        self.connection = connection
        self.running = running

    async def send(self, data: bytes) -> None:
        async with asyncio.timeout(END_S):
            await asyncio.get_running_loop().sock_sendall(self.connection, data)

    async def until_broken(self, data: bytes) -> None:
        """Send `data` again and again, with small pauses, until the connection breaks."""

        async def broken() -> bool:
            try:
                await self.send(data)
            except ConnectionError:
                return True
            return False

        await until(broken)

    async def until_end(self) -> bytes:
        """Return everything until the server has closed its side."""
        answered = b""
        async with asyncio.timeout(END_S):
            while data := await asyncio.get_running_loop().sock_recv(self.connection, 65536):
                answered += data
        return answered

    async def until_gone(self) -> None:
        """Wait until the server has no connection left."""

        async def gone() -> bool:
            return not self.running.server_state.connections

        await until(gone)


async def never(_scope: Scope, _receive: Receive, _send: Send) -> None:
    pytest.fail("a refused request was handed on")


@asynccontextmanager
async def refused() -> AsyncIterator[Refused]:
    """Give a client that has sent half of its headers and is late with the rest."""
    listener = socket.create_server(("127.0.0.1", 0))
    started = asyncio.Event()
    running = server.build(never, trusted_proxies=(), on_started=started.set)
    connection = socket.socket()
    connection.setblocking(False)
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(running.serve(sockets=[listener]))
        await started.wait()
        try:
            loop = asyncio.get_running_loop()
            await loop.sock_connect(connection, listener.getsockname())
            client = Refused(connection, running)
            await client.send(b"GET / HTTP/1.1\r\nx: ")
            yield client
        finally:
            connection.close()
            running.should_exit = True
            await serving


async def test_the_refused_reads_the_answer_and_may_go_on_sending() -> None:
    async with refused() as client:
        assert (await client.until_end()).startswith(b"HTTP/1.1 408 ")
        for _ in range(100):  # a reset would fail the second one
            await client.send(b"y" * 1000)
        assert client.running.server_state.connections


async def test_the_end_of_the_client_ends_it() -> None:
    async with refused() as client:
        await client.until_end()
        client.connection.shutdown(socket.SHUT_WR)
        await client.until_gone()


async def test_who_drips_on_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lingering, "LINGER_S", 0.2)
    async with refused() as client:
        await client.until_end()
        await client.until_broken(b"y")
        await client.until_gone()


async def test_who_sends_much_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lingering, "LINGER_BYTES", 100_000)
    async with refused() as client:
        await client.until_end()
        await client.until_broken(b"y" * 10_000)
        await client.until_gone()


async def test_who_sends_nothing_more_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lingering, "LINGER_S", 0.2)
    async with refused() as client:
        await client.until_end()
        await client.until_gone()
