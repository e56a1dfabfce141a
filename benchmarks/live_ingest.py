"""CPU of the live process per publisher of 5 Mbps, recorded, and per target it is sent on to.

The same sockets are read without doing anything in the same run, which is what no server can do
without, and the same publishers publish to nginx with libnginx-mod-rtmp, which writes HLS, where
that is installed. What a target costs is compared with a child of ffmpeg's that sends a file on
without encoding it, which is spared the half of the work that is to receive. Publishers and targets
are processes of their own, over loopback; the CPU is that of the process under test alone.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import cast
from uuid import UUID, uuid4

import uvloop

from measure import make_source
from serving import cpu_s, family, free_port, machine
from telecine.ffmpeg.binary import find_ffmpeg
from telecine.live.broadcast import Broadcast
from telecine.live.ports import Destination, RecordingPlace, Shortfall, Stream
from telecine.live.rtmp_server import RtmpConnection
from telecine.live.strangers import Strangers
from telecine.live.studio import Studio
from telecine.net.policy import RTMP_PORTS, OutboundPolicy
from telecine.protocols.rtmp import messages
from telecine.protocols.rtmp.client import PublishClient
from telecine.protocols.rtmp.handshake import RANDOM_BYTES
from telecine.protocols.rtmp.session import Publish, PublishSession
from telecine.storage.local import LocalStore

RATE_BPS, FRAME_HZ, GOP = 5_000_000, 30, 60
FRAME_BYTES = RATE_BPS // 8 // FRAME_HZ
SETTLE_S = 3.0
_BETWEEN_S = 0.05
AVCC = bytes.fromhex("0142c00dffe100176742c00dda05067e7c0440000003004000000f03c50aa801000468ce0fc8")
ASC = bytes.fromhex("1190")

RTMP_MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
NGINX = """
load_module {module};
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; user root;
events {{ worker_connections 512; }}
rtmp {{ server {{ listen 127.0.0.1:{port}; access_log off;
  application s {{ live on; hls on; hls_path {folder}/hls; hls_nested on; hls_fragment 2s;
    hls_playlist_length 60s; }} }} }}
"""


class Memory:
    """Remembers nothing: the database is no part of this."""

    def __init__(self, targets: tuple[Destination, ...]) -> None:
        self._targets = targets

    async def authorise(self, stream_key: str) -> Stream | None:
        """Let anybody publish."""
        return Stream(uuid4(), f"li{stream_key}", record=True, destinations=self._targets)

    async def started(self, stream: Stream) -> UUID | None:
        """Forget it."""
        del stream
        return uuid4()

    async def ended(self, event: UUID) -> None:
        """Forget it."""

    async def recording_started(self, event: UUID, *, kept: bool) -> RecordingPlace:
        """Name a file."""
        del kept
        return RecordingPlace(uuid4(), f"live/{event}")

    async def recording_ended(
        self,
        recording: UUID,
        key: str,
        size_bytes: int,
        duration_s: float,
        cut: Shortfall | None = None,
    ) -> None:
        """Forget it."""

    async def recording_failed(self, recording: UUID, key: str, why: Shortfall) -> None:
        """Forget it."""

    async def recording_dropped(self, recording: UUID, key: str) -> None:
        """Forget it."""


def _picture(*, key: bool) -> bytes:
    """Return the body of a tag with one NAL unit, which nginx's module looks into."""
    unit = (b"\x65" if key else b"\x41") + b"\x80" * (FRAME_BYTES - 5)
    head = (b"\x17" if key else b"\x27") + b"\x01\x00\x00\x00"
    return head + len(unit).to_bytes(4) + unit


async def _publish(port: int, key: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    session = PublishClient(bytes(RANDOM_BYTES), "s", "rtmp://127.0.0.1/s", key)
    while not session.accepted:
        writer.write(session.to_send())
        received = await reader.read(1 << 16)
        if not received:
            raise SystemExit(f"publisher {key} was refused")
        session.receive(received)
    session.send(messages.VIDEO, 0, b"\x17\x00\x00\x00\x00" + AVCC)
    session.send(messages.AUDIO, 0, b"\xaf\x00" + ASC)
    begun_s, frame, sound = time.monotonic(), 0, 0
    pictures = {key: _picture(key=key) for key in (True, False)}
    while True:
        session.send(messages.VIDEO, frame * 1000 // FRAME_HZ, pictures[frame % GOP == 0])
        while sound * 1024 / 48 < frame * 1000 / FRAME_HZ:
            session.send(messages.AUDIO, sound * 1024 // 48, b"\xaf\x01" + bytes(340))
            sound += 1
        writer.write(session.to_send())
        frame += 1
        await asyncio.sleep(max(0.0, begun_s + frame / FRAME_HZ - time.monotonic()))


def publish_to(port: int, keys: list[str]) -> None:
    """Publish 5 Mbps under each key until killed."""

    async def all_of_them() -> None:
        async with asyncio.TaskGroup() as group:
            for key in keys:
                group.create_task(_publish(port, key))
                # So many at once from one address are not let in.
                await asyncio.sleep(_BETWEEN_S)

    uvloop.run(all_of_them())


def publish(port: int, count: int) -> None:
    publish_to(port, [str(number) for number in range(count)])


async def _take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    session, accepted = PublishSession(bytes(RANDOM_BYTES)), False
    while data := await reader.read(1 << 18):
        if accepted:
            continue  # it costs this process, which is not the one under test, nothing to read
        for event in session.receive(data):
            if isinstance(event, Publish):
                session.accept()
                accepted = True
        writer.write(session.to_send())


def take(told: "multiprocessing.Queue[int]") -> None:
    async def forever() -> None:
        server = await asyncio.start_server(_take, "127.0.0.1", 0)
        told.put(cast("tuple[str, int]", server.sockets[0].getsockname())[1])
        await server.serve_forever()

    uvloop.run(forever())


class Discarding(RtmpConnection):
    """Reads the socket and drops what it reads once media comes: the least that it can cost."""

    def data_received(self, data: bytes) -> None:
        """Take what was read, until there is media."""
        self._media_s = self._loop.time()
        if not isinstance(self._broadcast, Broadcast) or not self._broadcast.begun:
            super().data_received(data)


async def measured(
    publishers: int,
    targets: tuple[Destination, ...],
    seconds: float,
    connection: type[RtmpConnection] = RtmpConnection,
) -> float:
    """Return the CPU of this process in percent of a core."""
    with tempfile.TemporaryDirectory() as folder:
        policy = OutboundPolicy.of(["127.0.0.0/8"], ports=RTMP_PORTS)
        studio = Studio(
            Memory(targets), LocalStore(Path(folder)), part_ms=200, window_s=60, policy=policy
        )
        loop = asyncio.get_running_loop()
        door = await loop.create_server(
            partial(connection, studio, Strangers(2 * publishers)), "127.0.0.1", 0
        )
        port = door.sockets[0].getsockname()[1]
        child = multiprocessing.Process(target=publish, args=(port, publishers), daemon=True)
        child.start()
        await asyncio.sleep(SETTLE_S)
        cpu_s, clock_s = time.process_time(), time.monotonic()
        await asyncio.sleep(seconds)
        used = 100 * (time.process_time() - cpu_s) / (time.monotonic() - clock_s)
        child.terminate()
        door.close()
        await studio.close()
    return used


def nginx_rtmp() -> tuple[str | None, str]:
    """Return the program that has the module, or why there is none."""
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if program is None:
        return None, "nginx is not installed"
    if not RTMP_MODULE.exists():
        return None, "nginx has no module for RTMP (Debian: libnginx-mod-rtmp)"
    return program, ""


@contextlib.contextmanager
def nginx_writing(program: str, folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run nginx, which writes what is published to it as HLS."""
    folder.chmod(0o755)
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(module=RTMP_MODULE, folder=folder, port=port))
    server = subprocess.Popen([program, "-c", str(config)])
    try:
        yield server
    finally:
        server.terminate()
        server.wait()


def measured_nginx(program: str, publishers: int, seconds: float) -> float:
    """Return the CPU of nginx in percent of a core, of its worker and all."""
    port = free_port()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        with nginx_writing(program, folder, port) as server:
            time.sleep(1)
            child = multiprocessing.Process(target=publish, args=(port, publishers), daemon=True)
            child.start()
            time.sleep(SETTLE_S)
            pids = family(server.pid)
            used_s, clock_s = cpu_s(pids), time.monotonic()
            time.sleep(seconds)
            used = 100 * (cpu_s(pids) - used_s) / (time.monotonic() - clock_s)
            child.terminate()
            written = [path for path in folder.rglob("*.ts") if path.stat().st_size > 1 << 20]
        if len({path.parent for path in written}) != publishers:
            raise SystemExit(f"nginx wrote HLS of {len(written)} segments only")
    return used


def measured_children(url: str, targets: int, seconds: float) -> float:
    """Return the CPU of ffmpeg children that send 5 Mbps on, in percent of a core for each."""
    clip = make_source(60, "1280x720", gop=GOP, bit_rate="5M")
    arguments = ["-v", "error", "-nostdin", "-re", "-stream_loop", "-1", "-i", str(clip),
                 "-c", "copy", "-f", "flv"]  # fmt: skip
    children = [
        subprocess.Popen([str(find_ffmpeg(None)), *arguments, f"{url}/child{number}"])
        for number in range(targets)
    ]
    time.sleep(SETTLE_S)
    pids = [child.pid for child in children]
    used_s, clock_s = cpu_s(pids), time.monotonic()
    time.sleep(seconds)
    used = 100 * (cpu_s(pids) - used_s) / (time.monotonic() - clock_s)
    if any(child.poll() is not None for child in children):
        raise SystemExit("a child of ffmpeg's ended")
    for child in children:
        child.kill()
        child.wait()
    return used / targets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--publishers", type=int, default=10)
    parser.add_argument("--targets", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=15.0)
    given = parser.parse_args()
    print(machine())
    program, absent = nginx_rtmp()
    told: multiprocessing.Queue[int] = multiprocessing.Queue()
    sink = multiprocessing.Process(target=take, args=(told,), daemon=True)
    sink.start()
    url = f"rtmp://127.0.0.1:{told.get()}/app"
    targets = tuple(Destination(str(n), url, f"key{n}") for n in range(given.targets))
    least = uvloop.run(measured(given.publishers, (), given.seconds, Discarding))
    alone = uvloop.run(measured(given.publishers, (), given.seconds))
    sent_on = uvloop.run(measured(given.publishers, targets, given.seconds))
    child = measured_children(url, given.targets, given.seconds)
    sink.terminate()
    print(
        f"sockets alone {least / given.publishers:.3f} %, {alone / least:.2f} times that with all:"
    )
    each = (sent_on - alone) / (given.publishers * given.targets)
    print(f"publishers {given.publishers}, 5 Mbps each: {alone / given.publishers:.3f} % of a core")
    if program is None:
        print(f"no peer: {absent}")
    else:
        peer = measured_nginx(program, given.publishers, given.seconds)
        print(
            f"nginx, writing HLS: {peer / given.publishers:.3f} %; ours is {alone / peer:.2f} times"
        )
    print(f"targets {given.targets} of each: {each:.3f} % of a core for each target")
    print(f"ffmpeg -c copy, a child for each: {child:.3f} %; ours is {each / child:.2f} times that")


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
