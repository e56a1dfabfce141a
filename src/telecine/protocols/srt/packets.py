"""SRT's packets (draft-sharabayko-srt-01, section 3), as far as a receiver meets them."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from telecine.protocols.errors import ProtocolError

HEADER_BYTES = 16
MTU_BYTES = 1500
MAX_PAYLOAD_BYTES = MTU_BYTES - 28 - HEADER_BYTES
"""What is left behind the headers of IPv4, UDP and SRT."""

HANDSHAKE, KEEPALIVE, ACK, NAK, CONGESTION, SHUTDOWN, ACKACK, DROP_REQUEST = range(8)
USER = 0x7FFF
"""Carries what handshakes carry as extensions: a message of that type."""

KEY_REQUEST, KEY_ANSWER = 3, 4

LAST, FIRST, ALONE = 1, 2, 3
"""Where in its message a packet is; 0 is between."""

_WORDS = struct.Struct(">IIII")
_CONTROL = 0x8000_0000
_RANGE = 0x8000_0000
_MAX_LOSS_WORDS = MAX_PAYLOAD_BYTES // 4

SEQUENCE_BITS = 31
TIMESTAMP_BITS = 32


@dataclass(frozen=True, slots=True)
class DataPacket:
    """Media. `key`: 0 in the clear, 1 under the even key, 2 under the odd one.

    `timestamp_us` is of 32 bits and wraps around, so does `sequence` of 31.
    """

    sequence: int
    place: int
    key: int
    again: bool
    timestamp_us: int
    socket_id: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class ControlPacket:
    """Everything else. `info` and `content` mean what `kind` says."""

    kind: int
    subtype: int
    info: int
    timestamp_us: int
    socket_id: int
    content: bytes


def read(data: bytes) -> DataPacket | ControlPacket:
    """Return what a datagram is. Raises ProtocolError: shorter than a header."""
    if len(data) < HEADER_BYTES:
        raise ProtocolError(f"a packet of {len(data)} bytes")
    first, second, timestamp_us, socket_id = _WORDS.unpack_from(data)
    if first & _CONTROL:
        kind, subtype = first >> 16 & 0x7FFF, first & 0xFFFF
        return ControlPacket(kind, subtype, second, timestamp_us, socket_id, data[HEADER_BYTES:])
    return DataPacket(
        first,
        second >> 30,
        second >> 27 & 3,
        bool(second & 0x0400_0000),
        timestamp_us,
        socket_id,
        data[HEADER_BYTES:],
    )


def write(packet: DataPacket | ControlPacket) -> bytes:
    """Return a packet as it goes over the wire."""
    if isinstance(packet, ControlPacket):
        first = _CONTROL | packet.kind << 16 | packet.subtype
        # A peer may read a word behind every header, so there is one.
        second, rest = packet.info, packet.content or bytes(4)
    else:
        first, rest = packet.sequence, packet.payload
        second = packet.place << 30 | packet.key << 27 | packet.again << 26
    stamp = packet.timestamp_us & 0xFFFF_FFFF
    return _WORDS.pack(first, second, stamp, packet.socket_id) + rest


def near(number: int, bits: int, expected: int) -> int:
    """Return the number closest to `expected` whose last `bits` bits are `number`."""
    step = (number - expected) & ((1 << bits) - 1)
    return expected + (step - (1 << bits) if step >> (bits - 1) else step)


def loss_list(ranges: Sequence[tuple[int, int]]) -> bytes:
    """Return ranges of lost sequence numbers, both ends included (appendix A).

    What does not fit into one packet is left out.
    """
    words: list[int] = []
    for first, last in ranges[:_MAX_LOSS_WORDS]:
        begin, end = (number & (_RANGE - 1) for number in (first, last))
        if len(words) + 1 + (first != last) > _MAX_LOSS_WORDS:
            break
        words += [begin] if first == last else [_RANGE | begin, end]
    return struct.pack(f">{len(words)}I", *words)


def read_loss_list(content: bytes) -> list[tuple[int, int]]:
    """Return what `loss_list` was given. Raises ProtocolError: it ends inside a range."""
    words = struct.unpack(f">{len(content) // 4}I", content[: len(content) // 4 * 4])
    found, at = list[tuple[int, int]](), 0
    while at < len(words):
        first = words[at] & (_RANGE - 1)
        if words[at] & _RANGE:
            at += 1
            if at == len(words):
                raise ProtocolError("a list of losses ends early")
        found.append((first, words[at]))
        at += 1
    return found
