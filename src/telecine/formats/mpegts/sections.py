"""Sections as they arrive, and what a program consists of (ISO/IEC 13818-1, 2.4.4)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from telecine.formats.mpegts.tables import crc32

ASSOCIATION, MAP = 0x00, 0x02
MAX_SECTION_BYTES = 1024
MAX_STREAMS = 64

REGISTRATION, EXTENSION = 0x05, 0x7F
_STUFFING = 0xFF  # stuffing behind the last section of a packet


@dataclass(frozen=True, slots=True)
class Stream:
    """An elementary stream. `kind`: its stream_type; `descriptors` by tag, the first of each."""

    kind: int
    pid: int
    descriptors: Mapping[int, bytes]

    @property
    def registration(self) -> bytes:
        """Return the name that somebody has registered for what it is, often none."""
        return self.descriptors.get(REGISTRATION, b"")[:4]


class SectionReader:
    """Puts the sections of one PID together. Holds at most one, and one packet."""

    def __init__(self) -> None:
        self._buffer = b""
        self._known = b""

    def take(self, payload: bytes, *, begins: bool, lost: bool) -> Iterator[bytes]:
        """Yield new sections, with all their bytes, whose checksum is right."""
        if lost:
            self._buffer = b""
        if begins:
            pointer = 1 + payload[0] if payload else 0
            if self._buffer:
                self._buffer += payload[1:pointer]
                yield from self._whole()
            self._buffer = payload[pointer:]
        elif self._buffer:
            self._buffer += payload
        yield from self._whole()

    def _whole(self) -> Iterator[bytes]:
        while len(self._buffer) >= 3 and self._buffer[0] != _STUFFING:
            size = 3 + (int.from_bytes(self._buffer[1:3]) & 0x0FFF)
            if size > MAX_SECTION_BYTES:
                break
            if len(self._buffer) < size:
                return
            section, self._buffer = self._buffer[:size], self._buffer[size:]
            if section != self._known and size >= 12 and crc32(section) == 0 and section[5] & 1:
                self._known = section
                yield section
        self._buffer = b""


def program_map_pid(section: bytes) -> int | None:
    """Return where the map of the first program is; None: this is no association of any."""
    if section[0] != ASSOCIATION:
        return None
    for at in range(8, len(section) - 7, 4):
        if int.from_bytes(section[at : at + 2]):  # 0 is the network's own table
            return int.from_bytes(section[at + 2 : at + 4]) & 0x1FFF
    return None


def streams_of(section: bytes) -> list[Stream] | None:
    """Return the streams of a program; None: this is no map of any."""
    if section[0] != MAP:
        return None
    found: list[Stream] = []
    at, end = 12 + (int.from_bytes(section[10:12]) & 0x0FFF), len(section) - 4
    while at + 5 <= end and len(found) < MAX_STREAMS:
        kind, pid = section[at], int.from_bytes(section[at + 1 : at + 3]) & 0x1FFF
        size = int.from_bytes(section[at + 3 : at + 5]) & 0x0FFF
        at += 5
        found.append(Stream(kind, pid, _descriptors(section[at : min(at + size, end)])))
        at += size
    return found


def _descriptors(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at + 2 <= len(data):
        content = data[at + 2 : at + 2 + data[at + 1]]
        found.setdefault(data[at], content)
        at += 2 + data[at + 1]
    return found
