"""CPU of the live process per publisher of 5 Mbps by SRT, against the same by RTMP.

Publishers are processes of their own, over loopback; the CPU is that of the process under
test alone, which packages and records. Some of the datagrams are lost on purpose.
"""

import argparse
import asyncio
import multiprocessing
import random
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any, cast

import uvloop

from live_ingest import AVCC, FRAME_BYTES, FRAME_HZ, GOP, SETTLE_S, Memory, measured
from telecine.formats.codecs import adts
from telecine.formats.codecs.h264 import parse_avcc
from telecine.formats.mpegts.packets import COUNTER, Unit, packetise
from telecine.formats.mpegts.pes import pes
from telecine.formats.mpegts.tables import (
    AUDIO_PID,
    PAT_PID,
    PMT_PID,
    VIDEO_PID,
    program_association,
    program_map,
)
from telecine.live.srt_server import SrtDoor
from telecine.live.studio import Studio
from telecine.protocols.srt import handshake, packets
from telecine.protocols.srt.packets import ALONE, ControlPacket, DataPacket
from telecine.storage.local import LocalStore

START = b"\0\0\0\1"
MESSAGE_BYTES = 7 * 188
KEPT = 4096
"""Packets that can be sent again."""


class Encoder(asyncio.DatagramProtocol):
    """Sends a stream, and again what is asked for. `lost`: a share that is never sent first."""

    def __init__(self, key: str, lost: float) -> None:
        self._key = key
        self._lost = lost
        self._chance = random.Random(1)
        self._transport: asyncio.DatagramTransport | None = None
        self._sent: dict[int, bytes] = {}
        self._counters: dict[int, int] = {}
        self._sequence = 1
        self._peer = 0
        self._begun_s = time.monotonic()
        self.accepted = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        self._transport = cast("asyncio.DatagramTransport", transport)
        asked = handshake.Handshake(version=4, flags=2, sequence=1, kind=1, socket_id=5)
        self._control(packets.HANDSHAKE, handshake.write(asked))

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Answer what is asked."""
        del addr
        packet = packets.read(data)
        assert isinstance(packet, ControlPacket)
        if packet.kind == packets.HANDSHAKE:
            shake = handshake.read(packet.content)
            if shake.kind == handshake.INDUCTION:
                told = handshake.conclusion(shake, self._key, 120)
                self._control(packets.HANDSHAKE, handshake.write(told))
            else:
                self._peer = shake.socket_id
                self.accepted.set_result(None)
        elif packet.kind == packets.ACK:
            self._control(packets.ACKACK, info=packet.info)
        elif packet.kind == packets.NAK:
            for first, last in packets.read_loss_list(packet.content):
                for number in range(first, last + 1):
                    self._send(self._sent[number])

    def frame(self, number: int, sounds: range) -> None:
        """Send a picture, and packets of sound."""
        key, dts = number % GOP == 0, number * 90_000 // FRAME_HZ + 90_000
        sets = parse_avcc(AVCC)
        units = [*sets.sps, *sets.pps, b"\x65"] if key else [b"\x41"]
        data = b"".join(START + unit for unit in units) + b"\xaa" * FRAME_BYTES
        parts = []
        if key:
            parts.append(self._packets(PAT_PID, program_association()))
            parts.append(self._packets(PMT_PID, program_map(video=True, audio=True)))
        parts.append(self._packets(VIDEO_PID, pes(0xE0, data, dts, dts)))
        for sound in sounds:
            packet = adts.header(48_000, 2, 340) + bytes(340)
            parts.append(self._packets(AUDIO_PID, pes(0xC0, packet, 90_000 + sound * 1920)))
        stream = b"".join(parts)
        for at in range(0, len(stream), MESSAGE_BYTES):
            self._message(stream[at : at + MESSAGE_BYTES])

    def _packets(self, pid: int, payload: bytes) -> bytes:
        made = packetise(pid, Unit(payload), self._counters.get(pid, 0))
        self._counters[pid] = (self._counters.get(pid, 0) + len(made)) % COUNTER
        return made.tobytes()

    def _message(self, payload: bytes) -> None:
        stamp_us = round((time.monotonic() - self._begun_s) * 1e6)
        packet = DataPacket(self._sequence, ALONE, 0, False, stamp_us, self._peer, payload)
        data = self._sent[self._sequence] = packets.write(packet)
        self._sent.pop(self._sequence - KEPT, None)
        self._sequence += 1
        if self._chance.random() >= self._lost:
            self._send(data)

    def _control(self, kind: int, content: bytes = b"", info: int = 0) -> None:
        self._send(packets.write(ControlPacket(kind, 0, info, 0, self._peer, content)))

    def _send(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.sendto(data)


async def _publish(port: int, key: str, lost: float) -> None:
    loop = asyncio.get_running_loop()
    _, encoder = await loop.create_datagram_endpoint(
        partial(Encoder, key, lost), remote_addr=("127.0.0.1", port)
    )
    await encoder.accepted
    begun_s, number, sound = time.monotonic(), 0, 0
    while True:
        due = number * 48_000 // FRAME_HZ // 1024 + 1
        encoder.frame(number, range(sound, due))
        number, sound = number + 1, due
        await asyncio.sleep(max(0.0, begun_s + number / FRAME_HZ - time.monotonic()))


def publish(port: int, count: int, lost: float) -> None:
    async def all_of_them() -> None:
        await asyncio.gather(*(_publish(port, str(number), lost) for number in range(count)))

    uvloop.run(all_of_them())


async def measured_srt(publishers: int, lost: float, seconds: float) -> tuple[float, int]:
    """Return the CPU of this process in percent of a core, and how many events there were."""
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio(Memory(()), LocalStore(Path(folder)), part_ms=200, window_s=60)
        loop = asyncio.get_running_loop()
        transport, door = await loop.create_datagram_endpoint(
            partial(SrtDoor, studio), local_addr=("127.0.0.1", 0)
        )
        port = transport.get_extra_info("sockname")[1]
        arguments = (port, publishers, lost)
        child = multiprocessing.Process(target=publish, args=arguments, daemon=True)
        child.start()
        await asyncio.sleep(SETTLE_S)
        cpu_s, clock_s = time.process_time(), time.monotonic()
        await asyncio.sleep(seconds)
        used = 100 * (time.process_time() - cpu_s) / (time.monotonic() - clock_s)
        on_air = len(studio.on_air)
        child.terminate()
        door.admit_no_more()
        await studio.close()
        transport.close()
    return used, on_air


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--publishers", type=int, default=10)
    parser.add_argument("--lost", type=float, default=0.02)
    parser.add_argument("--seconds", type=float, default=15.0)
    given = parser.parse_args()
    count = given.publishers
    rtmp = uvloop.run(measured(count, (), given.seconds)) / count
    print(f"RTMP, 5 Mbps each: {rtmp:.2f} % of a core")
    for lost in (0.0, given.lost):
        used, on_air = uvloop.run(measured_srt(count, lost, given.seconds))
        assert on_air == count, f"{on_air} of {count} publish"
        each = used / count
        print(f"SRT, {lost:.0%} lost: {each:.2f} % of a core, {each / rtmp:.1f} times RTMP")


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
