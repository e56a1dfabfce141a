"""Thousands of mutated publications, from the socket's bytes to parts; a soak takes 100,000."""

import contextlib
import random
import tracemalloc

import pytest
from hypothesis import settings

from telecine.formats.errors import FormatError
from telecine.formats.flv.packets import audio_packets, video_packets
from telecine.live.model import Part
from telecine.live.packager import Packager
from telecine.protocols.errors import ProtocolError
from telecine.protocols.rtmp import messages
from telecine.protocols.rtmp.client import PublishClient
from telecine.protocols.rtmp.handshake import RANDOM_BYTES
from telecine.protocols.rtmp.session import Media, Publish, PublishSession
from tests.fixtures import rtmp_wire as wire
from tests.unit.live.test_packager import ASC, AVCC

SESSIONS = 100_000 if settings.get_current_profile_name() == "soak" else 5_000
KEPT_BYTES = 24 << 20
"""Above what the bounds of one session add up to."""


def _picture(number: int) -> bytes:
    key = number % 10 == 0
    return bytes([0x17 if key else 0x27, 1, 0, 0, 0]) + bytes(60)


OPENED = wire.OPENING + wire.C2 + wire.asking("key")
SENT = wire.chunk_size(4096) + wire.media(
    [
        (messages.VIDEO, 0, b"\x17\x00\x00\x00\x00" + AVCC),
        (messages.AUDIO, 0, b"\xaf\x00" + ASC),
        *(
            tag
            for n in range(30)
            for tag in (
                (messages.VIDEO, 40 * n, _picture(n)),
                (messages.AUDIO, 40 * n, b"\xaf\x01" + bytes(20)),
            )
        ),
    ],
    4096,
)


def mutated(data: bytes, chance: random.Random, begin: int = 0) -> bytes:
    """Return bytes with one to eight wounds behind `begin`."""
    out = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(begin, max(begin + 1, len(out)))
        kind = chance.randrange(5)
        if kind == 0:
            out[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            del out[at : at + chance.randint(1, 60)]
        elif kind == 2:
            out[at:at] = chance.randbytes(chance.randint(1, 60))
        elif kind == 3:
            out[at : at + 4] = chance.choice((b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff"))
        else:
            out[at:at] = out[max(0, at - 200) : at]
    return bytes(out)


def published(opened: bytes, data: bytes, chance: random.Random) -> int:
    """Take a session as the server does; return how many parts came of it."""
    session, packager, parts = PublishSession(bytes(RANDOM_BYTES)), Packager(200), 0
    reads = [opened]
    while data:
        reads.append(data[: chance.choice((1, 40, 400, 1 << 16))])
        data = data[len(reads[-1]) :]
    for read in reads:
        for event in session.receive(read):
            if isinstance(event, Publish):
                session.accept()
            elif isinstance(event, Media):
                packets_of = video_packets if event.video else audio_packets
                for packet in packets_of(event.payload):
                    made = packager.push(event.timestamp_ms, packet, 0)
                    parts += sum(isinstance(output, Part) for output in made)
        session.to_send()
    return parts + sum(isinstance(output, Part) for output in packager.end())


def test_the_session_is_whole() -> None:
    assert published(OPENED, SENT, random.Random(3)) >= 5


@pytest.mark.slow
def test_mutated_sessions_end_in_parts_or_in_our_errors() -> None:
    chance, fine = random.Random(SESSIONS), 0
    for number in range(SESSIONS):
        # Most openings are left alone, so that what follows is reached.
        opened = mutated(OPENED, chance) if number % 20 == 0 else OPENED
        with contextlib.suppress(ProtocolError, FormatError):
            fine += published(opened, mutated(SENT, chance), chance) > 0
    assert fine > SESSIONS // 20  # wounds are small enough to get far


def test_mutated_sessions_do_not_fill_the_memory() -> None:
    chance = random.Random(1)
    tracemalloc.start()
    for _ in range(200):
        with contextlib.suppress(ProtocolError, FormatError):
            published(OPENED, mutated(SENT, chance), chance)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < KEPT_BYTES


def test_servers_that_talk_nonsense_to_our_client() -> None:
    theirs, ours = PublishSession(bytes(RANDOM_BYTES)), _client()
    said = b""
    while data := ours.to_send():
        for event in theirs.receive(data):
            if isinstance(event, Publish):
                theirs.accept()
        said += (answer := theirs.to_send())
        ours.receive(answer)
    chance = random.Random(2)
    for _ in range(SESSIONS // 10):
        session = _client()
        with contextlib.suppress(ProtocolError):
            session.receive(mutated(said, chance, 3073))
        assert len(session.to_send()) < 1 << 16


def _client() -> PublishClient:
    return PublishClient(bytes(RANDOM_BYTES), "s", "rtmp://target/s", "key")
