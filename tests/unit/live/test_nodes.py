"""Edges of other machines: each end proves that it has the secret of the installation."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from telecine.live.nodes import Door, Owners, split_address
from telecine.processes.certificates import door_of
from telecine.settings import Settings
from tests.fixtures.waiting import PATIENCE_S

pytestmark = pytest.mark.anyio

KEY, OTHER = b"k" * 32, b"o" * 32
Served = Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]


def door(folder: Path, key: bytes = KEY) -> Door:
    folder.mkdir(exist_ok=True)
    return door_of(Settings.model_validate({"data": folder}), key)


@contextlib.asynccontextmanager
async def opened(door: Door) -> AsyncIterator[tuple[str, list[bool]]]:
    """Open a door; yield its address, and who was let in."""
    admitted: list[bool] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        admitted.append(await door.admits(reader, writer))
        if admitted[-1]:
            writer.write(b"welcome")
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=door.context)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", admitted


def owners(tmp_path: Path, address: str, key: bytes = KEY) -> Owners:
    async def locate(public_id: str) -> str:
        assert public_id == "li1"
        return address

    return Owners(tmp_path / "nobody", locate, key)


async def told(found: Owners) -> bytes:
    async with asyncio.timeout(PATIENCE_S):
        reader, writer = await found.reach("li1")
        try:
            return await reader.read()
        finally:
            writer.close()


async def test_both_ends_have_the_secret(tmp_path: Path) -> None:
    async with opened(door(tmp_path / "node")) as (address, admitted):
        assert await told(owners(tmp_path, address)) == b"welcome"
    assert admitted == [True]
    # The certificate is made once.
    before = (tmp_path / "node" / "nodes.crt").read_bytes()
    door(tmp_path / "node")
    assert (tmp_path / "node" / "nodes.crt").read_bytes() == before


async def test_an_owner_with_another_secret_is_not_asked(tmp_path: Path) -> None:
    async with opened(door(tmp_path / "node", OTHER)) as (address, admitted):
        with pytest.raises(ConnectionError, match="another secret"):
            await told(owners(tmp_path, address))
    assert admitted in ([], [False])


async def test_an_edge_with_another_secret_is_not_served(tmp_path: Path) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    async with opened(door(tmp_path / "node")) as (address, admitted), asyncio.timeout(PATIENCE_S):
        host, port = split_address(address)
        reader, writer = await asyncio.open_connection(host, port, ssl=context)
        proof = await reader.readexactly(32)
        writer.write(proof)  # that of the owner proves nothing of an edge
        assert await reader.read() == b""
        writer.close()
    assert admitted == [False]


async def test_who_stands_between_cannot_pass_proofs_on(tmp_path: Path) -> None:
    between = door(tmp_path / "between", OTHER)

    async with opened(door(tmp_path / "node")) as (address, admitted):
        host, port = split_address(address)

        async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            far_reader, far_writer = await asyncio.open_connection(host, port, ssl=context)
            writer.write(await far_reader.readexactly(32))
            far_writer.write(await reader.read())
            far_writer.close()
            writer.close()

        server = await asyncio.start_server(pass_on, "127.0.0.1", 0, ssl=between.context)
        async with server:
            nearer = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            with pytest.raises(ConnectionError, match="another secret"):
                await told(owners(tmp_path, nearer))
    assert True not in admitted


async def test_a_node_that_does_not_listen_is_away(tmp_path: Path) -> None:
    async with opened(door(tmp_path / "node")) as (address, _):
        pass
    with pytest.raises(ConnectionError):
        await told(owners(tmp_path, address))


@pytest.mark.parametrize("address", ["live.lan", ":1937", "a:b", "x@live.lan:1", "live.lan:1/x"])
def test_addresses_have_a_host_and_a_port(address: str) -> None:
    with pytest.raises(ValueError, match=r"like|port|Port"):
        split_address(address)


def test_addresses_of_all_kinds() -> None:
    assert split_address("live.lan:1937") == ("live.lan", 1937)
    assert split_address("[fd00::5]:1937") == ("fd00::5", 1937)
