"""Packets of one caller into messages, in order, whatever the network does to them.

Media is handed out as soon as it is in order: nobody who packages it needs it delayed. What
is behind a gap waits for the gap to be filled, as long as it would have been delayed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from telecine.protocols.srt.handshake import WINDOW_PACKETS
from telecine.protocols.srt.packets import (
    ALONE,
    FIRST,
    LAST,
    SEQUENCE_BITS,
    TIMESTAMP_BITS,
    DataPacket,
    near,
)

MAX_MESSAGE_BYTES = 1 << 20
_CLOCK_WINDOW_S = 10.0
_LEAST_ASK_S = 0.02
_LISTENING_S = 0.03
"""From one `advance` to the next: all more is time in which nobody listened."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A packet behind a gap; `due_s`: when what is missing before it is given up.

    Without the time in which nobody listened.
    """

    place: int
    due_s: float
    payload: bytes


_GIVEN_UP = -1
"""The place of a packet that the sender has given up."""


@dataclass(slots=True)
class Counts:
    """What became of packets. `lost`: those found missing, of which `dropped` never came."""

    received: int = 0
    lost: int = 0
    dropped: int = 0
    repeated: int = 0


class Receiver:
    """Holds at most `WINDOW_PACKETS` packets and one message.

    `sequence`: number of the first packet; `latency_s`: how long a gap may last, which is
    looked at by `advance` about every 10 ms.
    """

    def __init__(self, sequence: int, latency_s: float) -> None:
        self._latency_s = latency_s
        # Numbers here do not wrap around.
        self._next = sequence
        self._highest = sequence - 1
        self._held: dict[int, _Held] = {}
        self._missing: dict[int, float] = {}  # when each was asked for; ascending
        self._clock = _SenderClock()
        self._advanced_s: float | None = None
        self._deaf_s = 0.0  # how long nobody called `advance` in time
        self._message: bytearray | None = None
        self.counts = Counts()

    @property
    def next_sequence(self) -> int:
        """Return the number of the first packet that is not here yet, of 31 bits."""
        return self._next & ((1 << SEQUENCE_BITS) - 1)

    @property
    def free_packets(self) -> int:
        """Return how many packets can be held."""
        return WINDOW_PACKETS - len(self._held)

    def take(
        self, packet: DataPacket, payload: bytes, now_s: float
    ) -> tuple[list[bytes], list[tuple[int, int]]]:
        """Take a packet; return the messages that it completes, and what to ask for now.

        That are ranges of numbers, both ends included. `payload` is that of the packet, not
        encrypted.
        """
        sequence = near(packet.sequence, SEQUENCE_BITS, self._next)
        due_s = self._clock.due_s(packet, now_s) + self._latency_s - self._deaf_s
        self.counts.repeated += packet.again
        if sequence < self._next or sequence in self._held:
            return [], []  # too late, or twice
        self.counts.received += 1
        messages: list[bytes] = []
        if sequence >= self._next + WINDOW_PACKETS:
            messages += self._give_up(sequence - WINDOW_PACKETS + 1)
        asked = self._find_missing(sequence, now_s)
        self._highest = max(self._highest, sequence)
        self._missing.pop(sequence, None)
        if sequence == self._next:
            self._next += 1
            messages += self._assemble(packet.place, payload)
            messages += self._in_order()
        else:
            self._held[sequence] = _Held(packet.place, due_s, payload)
        return messages, asked

    def drop(self, first: int, last: int, now_s: float) -> list[bytes]:
        """Note that the sender has given packets up; return what need not wait any more."""
        begin = max(near(first, SEQUENCE_BITS, self._next), self._next)
        end = min(near(last, SEQUENCE_BITS, self._next), self._next + WINDOW_PACKETS - 1)
        if begin > end:
            return []  # of long ago, or further ahead than anybody may send
        self._find_missing(begin, now_s)
        for sequence in range(begin, end + 1):
            if sequence not in self._held:
                due_s = now_s + self._latency_s - self._deaf_s
                self._held[sequence] = _Held(_GIVEN_UP, due_s, b"")
                self._missing.pop(sequence, None)
        self._highest = max(self._highest, end)
        return list(self._in_order())

    def advance(self, now_s: float) -> list[bytes]:
        """Give up what is missing for too long; return what was held behind it."""
        if self._advanced_s is not None:
            # What waits in the socket meanwhile is not late, nor what was asked for too late.
            self._deaf_s += max(0.0, now_s - self._advanced_s - _LISTENING_S)
        self._advanced_s = now_s
        messages: list[bytes] = []
        while self._held:
            first = self._next
            while first not in self._held:
                first += 1
            if self._held[first].due_s + self._deaf_s > now_s:
                break
            messages += self._give_up(first)
        return messages

    def overdue(self, now_s: float, after_s: float) -> list[tuple[int, int]]:
        """Return what is to be asked for again, after at least `after_s` each time."""
        before_s = now_s - max(after_s, _LEAST_ASK_S)
        ranges: list[tuple[int, int]] = []
        for sequence, asked_s in self._missing.items():
            if asked_s > before_s:
                continue
            if ranges and ranges[-1][1] == sequence - 1:
                ranges[-1] = ranges[-1][0], sequence
            else:
                ranges.append((sequence, sequence))
        for first, last in ranges:
            self._missing.update(dict.fromkeys(range(first, last + 1), now_s))
        return ranges

    def _find_missing(self, before: int, now_s: float) -> list[tuple[int, int]]:
        """Note what has been passed over; return it, as ranges."""
        first = max(self._highest + 1, self._next)
        if first >= before:
            return []
        self.counts.lost += before - first
        self._missing.update(dict.fromkeys(range(first, before), now_s))
        return [(first, before - 1)]

    def _give_up(self, until: int) -> Iterator[bytes]:
        """Go on at `until`, past what is missing before it."""
        while self._next < until:
            first = self._next
            end = min(until, first + WINDOW_PACKETS)  # nothing is held behind that
            while first < end and first not in self._held:
                first += 1
            self._skip(until if first == end else first)
            yield from self._in_order()

    def _skip(self, until: int) -> None:
        for number in range(self._next, min(until, self._next + WINDOW_PACKETS)):
            self._missing.pop(number, None)
        self.counts.dropped += until - self._next
        self._next = until
        self._message = None

    def _in_order(self) -> Iterator[bytes]:
        while (held := self._held.pop(self._next, None)) is not None:
            self._next += 1
            if held.place == _GIVEN_UP:
                self.counts.dropped += 1
                self._message = None
            else:
                yield from self._assemble(held.place, held.payload)

    def _assemble(self, place: int, payload: bytes) -> Iterator[bytes]:
        if place == ALONE:
            self._message = None
            yield payload
            return
        if place == FIRST:
            self._message = bytearray()
        if self._message is None:
            return  # its begin is lost
        self._message += payload
        if len(self._message) > MAX_MESSAGE_BYTES:
            self._message = None
        elif place == LAST:
            yield bytes(self._message)
            self._message = None


class _SenderClock:
    """When packets were due that took the shortest way lately: theirs is not our clock."""

    def __init__(self) -> None:
        self._last_us: int | None = None
        self._shortest_s = [0.0, 0.0]  # from their time to ours; of this window, of the last
        self._window_s = 0.0

    def due_s(self, packet: DataPacket, now_s: float) -> float:
        """Return when a packet would have come on that way."""
        last = packet.timestamp_us if self._last_us is None else self._last_us
        time_us = near(packet.timestamp_us, TIMESTAMP_BITS, last)
        offset_s = now_s - time_us / 1e6
        if self._last_us is None:
            self._shortest_s, self._window_s = [offset_s, offset_s], now_s
        elif not packet.again and now_s - self._window_s > _CLOCK_WINDOW_S:
            self._shortest_s, self._window_s = [offset_s, self._shortest_s[0]], now_s
        if not packet.again:
            self._last_us = max(last, time_us)
            self._shortest_s[0] = min(self._shortest_s[0], offset_s)
        return time_us / 1e6 + min(self._shortest_s)
