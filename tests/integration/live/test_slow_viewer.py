"""A viewer whose line is far too slow for a stream, beside one who watches it live."""

import asyncio
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from telecine.formats.hls.check_live import read_live
from tests.chaos.killing import child, is_api
from tests.fixtures.broadcasting import OnAir, make_live_stream, publishing
from tests.fixtures.media import AAC, make_clip
from tests.fixtures.raw_http import Client
from tests.fixtures.server import TelecineServer, running_telecine
from tests.fixtures.waiting import PATIENCE_S, until
from tests.integration.live.test_on_air import Viewer

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

RATE_BPS = 6_000_000
SLOW_BYTES_A_PART = 10_000
"""50 KB/s: a part lasts a fifth of a second."""

CONNECTIONS = 6
"""As many as browsers open, by HTTP/1.1."""

SETTLED_PARTS = 100
"""Longer than what is held in memory of a stream: six and a half target durations of 2 s."""

SLOW_PARTS = 60
MOST_GROWN_BYTES = 24 << 20
"""One answer for each connection is on its way, not the 50 MB that were asked for."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TelecineServer]:
    data = tmp_path_factory.mktemp("slow-viewer") / "data"
    settings = {"TELECINE_API_PROCESSES": "1", "TELECINE_LIVE_LADDER": ""}
    with running_telecine(data, settings) as (_, server):
        yield server


def rich_clip() -> Path:
    """Return ten seconds that take what they are given."""
    return make_clip(
        "rich.flv",
        *("-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30:duration=10,noise=alls=60:allf=t"),
        *("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=10"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-bf", "0"),
        *("-g", "30", "-sc_threshold", "0", "-pix_fmt", "yuv420p", "-b:v", str(RATE_BPS)),
        *("-minrate", str(RATE_BPS), "-maxrate", str(RATE_BPS), "-bufsize", str(RATE_BPS)),
        *(*AAC, "-shortest"),
    )


def resident_bytes(pid: int) -> int:
    found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) << 10


class SlowViewer:
    """Asks for everything that there is, on several connections, and takes it in drops."""

    def __init__(self, stream: OnAir) -> None:
        self._url = urlsplit(stream.playlist_url)
        self._clients: list[tuple[Client, str]] = []
        self.taken = dict[str, bytes]()

    async def ask(self, names: list[str]) -> None:
        """Ask for all files, on each connection beginning with another one."""
        folder = self._url.path.rpartition("/")[0]
        for number in range(CONNECTIONS):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 10)
            sock.setblocking(False)
            address = (self._url.hostname, self._url.port)
            await asyncio.get_running_loop().sock_connect(sock, address)
            client = Client(*await asyncio.open_connection(sock=sock, limit=4 << 10))
            order = names[number:] + names[:number]
            for name in order:
                client.send(f"GET {folder}/{name} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            head = await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
            assert head.startswith(b"HTTP/1.1 200")
            self.taken[order[0]] = b""
            self._clients.append((client, order[0]))

    async def take(self, size: int) -> None:
        """Read as much on all connections together."""
        for client, name in self._clients:
            read = client.reader.readexactly(size // CONNECTIONS)
            self.taken[name] += await asyncio.wait_for(read, PATIENCE_S)

    def leave(self) -> None:
        for client, _ in self._clients:
            client.writer.transport.abort()


async def watch(viewer: Viewer) -> int:
    """Wait for what the playlist hints at and get it; return how many more parts were there."""
    hinted = read_live(viewer.text).hints[0]["URI"]
    await viewer.follow(1)
    segments = read_live(viewer.text).segments
    names = [part.uri for segment in segments for part in segment.parts]
    if hinted not in names:  # the segment ended with the part before
        return 0
    assert (await viewer.get(hinted))[4:8] == b"moof"
    return len(names) - 1 - names.index(hinted)


async def test_a_slow_viewer_is_nobody_elses_affair(
    client: httpx.AsyncClient, server: TelecineServer
) -> None:
    stream = await make_live_stream(server)
    viewer, slow, api = Viewer(client, stream), SlowViewer(stream), child(server.pid, is_api)
    async with publishing(stream.publish_url, rich_clip()):
        await until(viewer.playable)
        await viewer.reload()
        for _ in range(SETTLED_PARTS):
            await watch(viewer)
        before_bytes = most_bytes = resident_bytes(api)
        names = [each.uri for each in read_live(viewer.text).segments if each.uri is not None]
        await slow.ask(names[-CONNECTIONS * 2 :])
        for _ in range(SLOW_PARTS):
            late = await watch(viewer)
            # Further back than three target durations nobody calls it live (4.4.3.8, HOLD-BACK).
            assert late * 0.2 < 3 * read_live(viewer.text).target
            await slow.take(SLOW_BYTES_A_PART)
            most_bytes = max(most_bytes, resident_bytes(api))
        assert most_bytes - before_bytes < MOST_GROWN_BYTES
        assert "#EXT-X-DISCONTINUITY\n" not in viewer.text  # nor was its encoder held up
        for name, taken in slow.taken.items():
            assert (await viewer.get(name)).startswith(taken)
        slow.leave()
        await watch(viewer)
    await stream.complete()
    assert "edge cut off" not in server.log.read_text()
