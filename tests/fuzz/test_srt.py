"""Thousands of mutated SRT packets, from the port's bytes to parts; a soak takes 100,000."""

import random
import struct
import tracemalloc

import pytest
from hypothesis import settings

from telecine.formats.errors import FormatError
from telecine.formats.mpegts.demuxer import Demuxer, Frame
from telecine.live.model import Part
from telecine.live.packager import Packager
from telecine.protocols.srt import crypto, packets
from telecine.protocols.srt.listener import Caller, Closed, Event, Listener, Media, Publish
from tests.fixtures.srt_wire import ADDRESS, PASSPHRASE, SECRET, SrtCaller, key_message
from tests.fixtures.transport import show
from tests.fuzz.test_rtmp_sessions import mutated

PACKETS = 100_000 if settings.get_current_profile_name() == "soak" else 5_000
OF_A_SESSION = 100
KEPT_BYTES = 24 << 20
"""Above what the bounds of one caller add up to."""

KEY = bytes(range(16))
BOTH = key_message(crypto.BOTH, KEY + KEY)
STREAM = show(300)
PIECES = [STREAM[at : at + 1316] for at in range(0, len(STREAM), 1316)]
CONTROLS = (
    (packets.KEEPALIVE, b"", 0),
    (packets.ACK, bytes(28), 0),
    (packets.NAK, bytes(8), 0),
    (packets.ACKACK, b"", 0),
    (packets.DROP_REQUEST, struct.pack(">II", 0x7FFF_FF10, 0x7FFF_FF12), 0),
    (packets.CONGESTION, b"", 0),
    (8, b"", 0),
    (packets.USER, BOTH, packets.KEY_REQUEST),
    (packets.USER, b"", 99),
)


class Port:
    """A port and what comes of what is sent there, as the server takes it."""

    def __init__(self, passphrase: str = "") -> None:
        self.listener = Listener(SECRET, passphrase)
        self.parts = 0
        self._now_s = 0.0
        self._callers: dict[Caller, tuple[Demuxer, Packager]] = {}

    def take(self, data: bytes) -> list[bytes]:
        """Take a datagram; return what is answered."""
        self._now_s += 0.001
        for event in self.listener.receive(data, ADDRESS, self._now_s):
            self._handle(event)
        if round(self._now_s * 1000) % 10 == 0:
            for event in self.listener.advance(self._now_s):
                self._handle(event)
        return [answer for answer, _ in self.listener.to_send()]

    def _handle(self, event: Event) -> None:
        if isinstance(event, Publish):
            self.listener.accept(event.caller, self._now_s)
            self._callers[event.caller] = Demuxer(), Packager(200)
        elif isinstance(event, Closed):
            del self._callers[event.caller]
        elif isinstance(event, Media):
            try:
                self._media(event)
            except FormatError:
                self.listener.close(event.caller, self._now_s)
                del self._callers[event.caller]

    def _media(self, event: Media) -> None:
        if event.caller not in self._callers:
            return
        demuxer, packager = self._callers[event.caller]
        for found in demuxer.feed(event.payload):
            if isinstance(found, Frame):
                made = packager.push(found.time_ms & 0xFFFF_FFFF, found.packet, 0)
                self.parts += sum(isinstance(output, Part) for output in made)


def session(number: int, chance: random.Random, share: float) -> int:
    """Let one encoder send packets, of which a share is mutated; return how many parts came."""
    encrypts = number % 4 == 0
    port = Port(PASSPHRASE if encrypts else "")
    caller = SrtCaller(socket_id=number + 1)
    if encrypts:
        caller.message, caller.key = key_message(crypto.EVEN, KEY), KEY
    asked = caller.induction()
    (answer,) = port.take(asked)
    told = caller.conclude(answer)
    port.take(mutated(asked, chance))
    for data in port.take(mutated(told, chance, 16) if number % 8 == 1 else told):
        caller.receive(data)
    for at in range(OF_A_SESSION):
        if at % 10 == 9:
            caller.control(*chance.choice(CONTROLS))
        caller.send(PIECES[at % len(PIECES)], at / 1000)
        waiting, caller.out = caller.out, []
        if chance.random() < 0.1:
            chance.shuffle(waiting)
        for data in waiting:
            sent = mutated(data, chance) if chance.random() < share else data
            for answer in port.take(sent):
                if answer[0] == 0x80 and answer[1] == packets.ACK:
                    caller.receive(answer)
    return port.parts


def test_the_session_is_whole() -> None:
    chance = random.Random(3)
    assert session(0, chance, 0) > 10
    assert session(2, chance, 0) > 10


@pytest.mark.slow
def test_mutated_packets_end_in_parts_or_in_nothing() -> None:
    chance, sessions = random.Random(PACKETS), PACKETS // OF_A_SESSION * 2
    fine = sum(session(number, chance, 0.5) > 0 for number in range(sessions))
    assert fine > sessions // 4  # wounds are small enough to get far


@pytest.mark.slow
def test_any_datagram() -> None:
    port, chance = Port(), random.Random(5)
    for _ in range(PACKETS):
        assert len(port.take(chance.randbytes(chance.randrange(80)))) <= 1
    assert port.listener.idle


def test_mutated_packets_do_not_fill_the_memory() -> None:
    chance = random.Random(1)
    tracemalloc.start()
    for number in range(10):
        session(number, chance, 0.5)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < KEPT_BYTES


def test_a_caller_that_leaves_gaps_does_not_fill_the_memory() -> None:
    port, caller = Port(), SrtCaller()
    for data in port.take(caller.conclude(port.take(caller.induction())[0])):
        caller.receive(data)
    tracemalloc.start()
    for _ in range(12_000):
        caller.send(bytes(1400), 0)
        caller.sequence = (caller.sequence + 1) & 0x7FFF_FFFF
        port.take(caller.out.pop())
        caller.sent.clear()
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < KEPT_BYTES
