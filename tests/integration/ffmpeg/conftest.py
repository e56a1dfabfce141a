import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from telecine.ffmpeg.runner import Limits, Runner
from telecine.ffmpeg.watch import Brake

LIMITS = Limits(cpu_s=30, memory_bytes=1 << 31, wall_s=60)

ENDLESS = ["-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x36", "-f", "rawvideo", "pipe:10"]
"""ffmpeg arguments that write pictures until somebody stops them."""


@pytest.fixture
def runner(ffmpeg_path: Path) -> Runner:
    return Runner(ffmpeg_path, "required")


@pytest.fixture
def brake() -> Iterator[Brake]:
    brake = Brake()
    yield brake
    brake.release()


@dataclass
class Loopback:
    """A TCP and a UDP port that nobody may reach."""

    tcp: socket.socket
    udp: socket.socket
    port: int = field(init=False)

    def __post_init__(self) -> None:
        self.port = self.tcp.getsockname()[1]

    def visits(self) -> int:
        """Return how many connections and datagrams arrived so far."""
        count = 0
        for receive in (self.tcp.accept, lambda: self.udp.recv(4096)):
            try:
                while True:
                    arrived = receive()
                    if isinstance(arrived, tuple):
                        arrived[0].close()
                    count += 1
            except BlockingIOError:
                pass
        return count


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        udp.bind(("127.0.0.1", tcp.getsockname()[1]))
        tcp.setblocking(False)
        udp.setblocking(False)
        yield Loopback(tcp, udp)
