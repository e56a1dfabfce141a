"""PES packets as they arrive (ISO/IEC 13818-1, 2.4.3.6)."""

from collections.abc import Iterator
from dataclasses import dataclass

from telecine.formats.errors import FormatError

MAX_UNIT_BYTES = 8 << 20
"""Of one picture: a key frame of 4K at 50 Mbps has 2 MB."""

_HEADER_BYTES = 9


@dataclass(frozen=True, slots=True)
class Pes:
    """The payload of a PES packet; times of 33 bits, in ticks of 90 kHz."""

    pts: int | None
    dts: int | None
    payload: bytes


class PesReader:
    """Puts the PES packets of one PID together. Holds at most one.

    `joins`: a packet without a time goes on with the picture of the one before it.
    """

    def __init__(self, *, joins: bool) -> None:
        self._joins = joins
        self._parts: list[bytes] = []
        self._held_bytes = 0
        self._due_bytes = 0  # 0: until the next one begins
        self._open = False
        self.damaged = 0

    def take(self, payload: bytes, *, begins: bool, lost: bool) -> Iterator[Pes]:
        """Yield the packets that a piece completes.

        Raises:
            FormatError: one of more than `MAX_UNIT_BYTES`.
        """
        if lost and self._open:
            self.drop()
        if begins:
            if self._joins and self._open and _is_timeless(payload):
                payload = payload[_HEADER_BYTES + payload[8] :]
            else:
                yield from self.flush()
                self._open = True
                size = int.from_bytes(payload[4:6])
                self._due_bytes = 6 + size if size else 0
        if not self._open:
            return
        self._parts.append(payload)
        self._held_bytes += len(payload)
        if self._held_bytes > MAX_UNIT_BYTES:
            raise FormatError(f"a picture of more than {MAX_UNIT_BYTES} bytes")
        if self._due_bytes and self._held_bytes >= self._due_bytes:
            yield from self.flush()

    def flush(self) -> Iterator[Pes]:
        """Yield what is held, if it is a packet."""
        data, due = b"".join(self._parts), self._due_bytes
        if self._open and (found := _read(data[:due] if due else data)) is not None:
            yield found
        elif self._open:
            self.damaged += 1
        self._forget()

    def drop(self) -> None:
        """Forget what is held: not all of it has come."""
        self.damaged += 1
        self._forget()

    def _forget(self) -> None:
        self._parts, self._held_bytes, self._due_bytes, self._open = [], 0, 0, False


def _is_timeless(payload: bytes) -> bool:
    return len(payload) >= _HEADER_BYTES and _is_pes(payload) and not payload[7] & 0x80


def _is_pes(data: bytes) -> bool:
    return data[:3] == b"\0\0\1" and data[6] & 0xC0 == 0x80


def _read(data: bytes) -> Pes | None:
    if len(data) < _HEADER_BYTES or not _is_pes(data):
        return None
    flags, begin = data[7], _HEADER_BYTES + data[8]
    pts = _stamp(data, 9) if flags & 0x80 and data[8] >= 5 else None
    dts = _stamp(data, 14) if flags & 0xC0 == 0xC0 and data[8] >= 10 else pts
    return Pes(pts, dts, data[begin:]) if begin <= len(data) else None


def _stamp(data: bytes, at: int) -> int:
    return (
        (data[at] >> 1 & 7) << 30
        | data[at + 1] << 22
        | (data[at + 2] >> 1) << 15
        | data[at + 3] << 7
        | data[at + 4] >> 1
    )
