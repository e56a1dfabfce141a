"""CPU of the live process per publisher of 5 Mbps, recorded, and per target it is sent on to.

The same sockets are read without doing anything in the same run, which is what no server can do
without. Publishers and targets are processes of their own, over loopback; the CPU is that of the
process under test alone.
"""

import argparse
import asyncio
import multiprocessing
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import cast
from uuid import UUID, uuid4

import uvloop

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
AVCC = bytes.fromhex("0142c00dffe100176742c00dda05067e7c0440000003004000000f03c50aa801000468ce0fc8")
ASC = bytes.fromhex("1190")


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


async def _publish(port: int, key: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    session = PublishClient(bytes(RANDOM_BYTES), "s", "rtmp://127.0.0.1/s", key)
    while not session.accepted:
        writer.write(session.to_send())
        session.receive(await reader.read(1 << 16))
    session.send(messages.VIDEO, 0, b"\x17\x00\x00\x00\x00" + AVCC)
    session.send(messages.AUDIO, 0, b"\xaf\x00" + ASC)
    begun_s, frame, sound = time.monotonic(), 0, 0
    body = bytes(FRAME_BYTES)
    while True:
        head = b"\x17" if frame % GOP == 0 else b"\x27"
        session.send(messages.VIDEO, frame * 1000 // FRAME_HZ, head + b"\x01\x00\x00\x00" + body)
        while sound * 1024 / 48 < frame * 1000 / FRAME_HZ:
            session.send(messages.AUDIO, sound * 1024 // 48, b"\xaf\x01" + bytes(340))
            sound += 1
        writer.write(session.to_send())
        frame += 1
        await asyncio.sleep(max(0.0, begun_s + frame / FRAME_HZ - time.monotonic()))


def publish_to(port: int, keys: list[str]) -> None:
    """Publish 5 Mbps under each key until killed."""

    async def all_of_them() -> None:
        await asyncio.gather(*(_publish(port, key) for key in keys))

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
        if self._broadcast is None or not self._broadcast.begun:
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--publishers", type=int, default=10)
    parser.add_argument("--targets", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=15.0)
    given = parser.parse_args()
    told: multiprocessing.Queue[int] = multiprocessing.Queue()
    sink = multiprocessing.Process(target=take, args=(told,), daemon=True)
    sink.start()
    url = f"rtmp://127.0.0.1:{told.get()}/app"
    targets = tuple(Destination(str(n), url, f"key{n}") for n in range(given.targets))
    least = uvloop.run(measured(given.publishers, (), given.seconds, Discarding))
    alone = uvloop.run(measured(given.publishers, (), given.seconds))
    sent_on = uvloop.run(measured(given.publishers, targets, given.seconds))
    sink.terminate()
    print(
        f"sockets alone {least / given.publishers:.3f} %, {alone / least:.2f} times that with all:"
    )
    each = (sent_on - alone) / (given.publishers * given.targets)
    print(f"publishers {given.publishers}, 5 Mbps each: {alone / given.publishers:.3f} % of a core")
    print(f"targets {given.targets} of each: {each:.3f} % of a core for each target")


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
