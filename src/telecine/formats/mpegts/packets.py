"""Transport packets (ISO/IEC 13818-1, 2.4.3): payloads cut into pieces of 188 bytes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

PACKET_BYTES = 188
PAYLOAD_BYTES = 184
SYNC_BYTE = 0x47
COUNTER = 16
"""Continuity counters count packets modulo this."""

Packets = npt.NDArray[np.uint8]
"""Rows of 188 bytes."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What a run of packets carries: a PES packet or a section.

    `pcr`: the clock (27 MHz) to put before it; `random_access`: decoding may start.
    """

    payload: bytes
    pcr: int | None = None
    random_access: bool = False


def packetise(pid: int, unit: Unit, counter: int, least: int = 1) -> Packets:
    """Return the packets of one unit, at least `least` of them.

    More than needed are made by leaving room in the last ones: each has one byte of
    the payload or more. `counter` is that of the first packet.
    """
    field = _adaptation_field(unit)
    data = np.frombuffer(unit.payload, np.uint8)
    begin_room = PAYLOAD_BYTES - len(field)
    count = max(1 + max(0, -(-(len(data) - begin_room) // PAYLOAD_BYTES)), least)
    packets = np.full((count, PACKET_BYTES), 0xFF, np.uint8)
    packets[:, 0] = SYNC_BYTE
    packets[:, 1] = pid >> 8
    packets[0, 1] |= 0x40  # a unit starts here
    packets[:, 2] = pid & 0xFF
    packets[:, 3] = 0x10 | (counter + np.arange(count)) % COUNTER
    at = min(begin_room, len(data) - (count - 1))
    _fill(packets[0], data[:at], field)
    # Full ones first, in one move; the last ones have a byte each at least.
    spare = len(data) - at - (count - 1)
    full = spare // (PAYLOAD_BYTES - 1)
    end = at + full * PAYLOAD_BYTES
    packets[1 : 1 + full, 4:] = data[at:end].reshape(full, PAYLOAD_BYTES)
    length = 1 + spare % (PAYLOAD_BYTES - 1)
    for number in range(1 + full, count):
        _fill(packets[number], data[end : end + length], b"")
        end, length = end + length, 1
    return packets


def _fill(packet: npt.NDArray[np.uint8], data: npt.NDArray[np.uint8], field: bytes) -> None:
    """Write one packet, with an adaptation field where it has to carry or to stuff."""
    stuffing = PAYLOAD_BYTES - len(field) - len(data)
    if field:
        packet[4 : 4 + len(field)] = np.frombuffer(field, np.uint8)
        packet[4] = len(field) - 1 + stuffing
    elif stuffing:
        packet[4] = stuffing - 1
        if stuffing > 1:
            packet[5] = 0  # no flags
    if field or stuffing:
        packet[3] |= 0x20
    packet[PACKET_BYTES - len(data) :] = data


def _adaptation_field(unit: Unit) -> bytes:
    """Return the adaptation field of a unit's first packet, without stuffing (2.4.3.4)."""
    if unit.pcr is None and not unit.random_access:
        return b""
    flags = (0x40 if unit.random_access else 0) | (0x10 if unit.pcr is not None else 0)
    clock = b""
    if unit.pcr is not None:
        base, extension = divmod(unit.pcr, 300)
        value = (base % (1 << 33)) << 15 | 0x3F << 9 | extension
        clock = value.to_bytes(6, "big")
    return bytes((1 + len(clock), flags)) + clock
