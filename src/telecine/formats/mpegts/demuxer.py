"""MPEG-TS as it arrives into packets (ISO/IEC 13818-1): one program, pictures and sound.

What is damaged is left out; what is no MPEG-TS at all, or holds what nobody could watch, is
an error.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from telecine.formats.errors import FormatError
from telecine.formats.flv.packets import Packet
from telecine.formats.mpegts.packets import PACKET_BYTES, SYNC_BYTE
from telecine.formats.mpegts.pes_reader import PesReader
from telecine.formats.mpegts.sections import SectionReader, Stream, program_map_pid, streams_of
from telecine.formats.mpegts.tables import PAT_PID
from telecine.formats.mpegts.tracks import Timed, Track, left_out, milliseconds, tracks_of

MAX_SKIPPED_BYTES = 64 << 10
"""That are no packets, more than there are of packets since they began."""

MAX_UNKNOWN_BYTES = 8 << 20
"""Before it is said what the packets hold."""

_WRAP = 1 << 33


@dataclass(frozen=True, slots=True)
class Program:
    """What there will be. `left_out`: how many more tracks that nobody takes."""

    video: bool
    audio: bool
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Frame:
    """A packet. `time_ms`: when it is to be decoded; does not wrap around."""

    time_ms: int
    packet: Packet


class _Pid:
    """How the packets of one PID count, and who takes them."""

    def __init__(self, reader: SectionReader | PesReader, track: Track | None = None) -> None:
        self.counter: int | None = None
        self.reader = reader
        self.track = track


class Demuxer:
    """Holds at most one picture, one packet of sound, one section and 188 bytes."""

    def __init__(self) -> None:
        self._left = b""
        self._skipped_bytes = 0
        self._unknown_bytes = 0
        self._map_pid: int | None = None
        self._streams: list[Stream] | None = None
        self._association = _Pid(SectionReader())
        self._pids: dict[int, _Pid] = {PAT_PID: self._association}
        self._clock: int | None = None

    @property
    def damaged(self) -> int:
        """Return how many PES packets were left out."""
        readers = (each.reader for each in self._pids.values())
        return sum(each.damaged for each in readers if isinstance(each, PesReader))

    def feed(self, data: bytes) -> list[Program | Frame]:
        """Take bytes; return what they complete.

        Raises:
            FormatError: no MPEG-TS, or nothing in it that can be watched.
        """
        if self._left:
            data = self._left + data
        found: list[Program | Frame] = []
        at, end = 0, len(data) - PACKET_BYTES
        while at <= end:
            if data[at] == SYNC_BYTE:
                # Not 0: noise, too, has what looks like a packet now and then.
                self._skipped_bytes = max(0, self._skipped_bytes - PACKET_BYTES)
                found += self._packet(data, at)
                at += PACKET_BYTES
            else:
                begin, at = at, _synced(data, at)
                self._skip(at - begin)
        self._left = data[at:]
        return found

    def flush(self) -> list[Program | Frame]:
        """Return what is held: nothing follows. Raises FormatError."""
        found: list[Program | Frame] = []
        for each in self._pids.values():
            if isinstance(each.reader, PesReader) and each.track is not None:
                for pes in each.reader.flush():
                    found += self._frames(each.track, pes.pts, pes.dts, pes.payload)
        return found

    def _skip(self, count: int) -> None:
        self._skipped_bytes += count
        if self._skipped_bytes > MAX_SKIPPED_BYTES:
            raise FormatError("no MPEG-TS")

    def _packet(self, data: bytes, at: int) -> list[Program | Frame]:
        second, fourth = data[at + 1], data[at + 3]
        pid = self._pids.get((second & 0x1F) << 8 | data[at + 2])
        if self._map_pid is None or len(self._pids) <= 2:
            self._unknown_bytes += PACKET_BYTES
            if self._unknown_bytes > MAX_UNKNOWN_BYTES:
                raise FormatError("MPEG-TS without a program")
        if pid is None or second & 0x80 or fourth & 0xC0 or not fourth & 0x10:
            return []  # of others, damaged, encrypted, or without a payload
        begin, breaks = at + 4, False
        if fourth & 0x20:
            length = data[begin]
            breaks = bool(length and data[begin + 1] & 0x80)
            begin += 1 + length
            if begin >= at + PACKET_BYTES:
                return []
        counter, before = fourth & 15, pid.counter
        if counter == before and not breaks:
            return []  # sent twice, as it may be
        pid.counter = counter
        lost = before is not None and counter != (before + 1) & 15 and not breaks
        payload = data[begin : at + PACKET_BYTES]
        begins = bool(second & 0x40)
        if isinstance(pid.reader, SectionReader):
            sections = pid.reader.take(payload, begins=begins, lost=lost)
            return [each for section in sections for each in self._section(pid, section)]
        assert pid.track is not None  # noqa: S101 - it is made with one
        if lost:
            pid.track.interrupt()
        found: list[Program | Frame] = []
        for pes in pid.reader.take(payload, begins=begins, lost=lost):
            found += self._frames(pid.track, pes.pts, pes.dts, pes.payload)
        return found

    def _section(self, pid: _Pid, section: bytes) -> Iterator[Program | Frame]:
        if pid is self._association:
            place = program_map_pid(section)
            if place is not None and place not in (self._map_pid, PAT_PID):
                self._map_pid, self._streams = place, None
                self._pids = {PAT_PID: self._association, place: _Pid(SectionReader())}
            return
        streams = streams_of(section)
        if streams is None or self._map_pid is None or streams == self._streams:
            return
        self._streams = streams
        yield from self.flush()
        tracks = tracks_of(streams)
        self._pids = {PAT_PID: self._association, self._map_pid: pid}
        for place, track in tracks:
            self._pids.setdefault(place, _Pid(PesReader(joins=track.video), track))
        kinds = {track.video for _, track in tracks}
        yield Program(True in kinds, False in kinds, left_out(streams, tracks))

    def _frames(
        self, track: Track, pts: int | None, dts: int | None, payload: bytes
    ) -> list[Frame]:
        if dts is not None:
            dts = self._unwrapped(dts)
            self._clock = dts
        if pts is not None:
            pts = self._unwrapped(pts)
        return [_framed(each) for each in track.take(pts, dts, payload)]

    def _unwrapped(self, ticks: int) -> int:
        """Return the time closest to the last one that is `ticks` in 33 bits."""
        if self._clock is None:
            return ticks
        step = (ticks - self._clock) % _WRAP
        return self._clock + (step - _WRAP if step >= _WRAP // 2 else step)


def _framed(timed: Timed) -> Frame:
    return Frame(milliseconds(timed.ticks), timed.packet)


def _synced(data: bytes, at: int) -> int:
    """Return where packets seem to go on behind `at`, at most the end of `data`."""
    sync = bytes((SYNC_BYTE,))
    at = data.find(sync, at + 1)
    while at >= 0:
        if at + PACKET_BYTES >= len(data) or data[at + PACKET_BYTES] == SYNC_BYTE:
            return at
        at = data.find(sync, at + 1)
    return len(data)
