"""What comes out is what was sent, whatever the network does, as far as there is time."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telecine.protocols.srt import packets
from telecine.protocols.srt.connection import Link
from telecine.protocols.srt.handshake import WINDOW_PACKETS
from telecine.protocols.srt.listener import Event, Listener, Media
from telecine.protocols.srt.packets import ALONE, FIRST, LAST, DataPacket
from telecine.protocols.srt.receiver import MAX_MESSAGE_BYTES, Receiver
from tests.fixtures.srt_wire import SECRET, Network, SrtCaller, admitted, transmission


def numbered(count: int) -> Iterator[bytes]:
    return (b"payload %d" % number for number in range(count))


def media(events: list[Event]) -> list[bytes]:
    return [each.payload for each in events if isinstance(each, Media)]


def link_of(events: list[Event]) -> Link:
    caller = next(each.caller for each in events if isinstance(each, Media))
    assert caller.link is not None
    return caller.link


@pytest.mark.parametrize("seed", range(5))
def test_a_bad_network_loses_nothing(seed: int) -> None:
    listener, caller = Listener(SECRET), SrtCaller()  # numbers wrap around after 256 packets
    admitted(listener, caller)
    network = Network(seed, lost=0.05, twice=0.05, late=0.2, delay_s=0.005)
    events = transmission(listener, caller, network, numbered(3000))
    assert media(events) == list(numbered(3000))
    link = link_of(events)
    assert network.lost > 200
    assert link.counts.lost > 100
    assert (link.counts.dropped, link.counts.received) == (0, 3000)
    assert 0.009 < link.rtt_s < 0.04
    assert len(caller.sent) == 3000


def test_times_of_packets_wrap_around() -> None:
    listener, caller = Listener(SECRET), SrtCaller(first_stamp_us=(1 << 32) - 500_000)
    admitted(listener, caller)
    network = Network(1, lost=0.05, delay_s=0.005)
    assert media(transmission(listener, caller, network, numbered(1000))) == list(numbered(1000))


def test_a_good_network_costs_few_packets() -> None:
    listener, caller = Listener(SECRET), SrtCaller()
    admitted(listener, caller)
    events = transmission(listener, caller, Network(1), numbered(1000))
    assert media(events) == list(numbered(1000))
    kinds = [each.kind for each in caller.answers]
    assert kinds.count(packets.NAK) == 0
    assert 90 <= kinds.count(packets.ACK) <= 112


def test_what_never_comes_is_waited_for_as_long_as_was_agreed() -> None:
    receiver = Receiver(10, latency_s=0.12)
    assert take(receiver, 10, 0.0)[0] == [b"10"]
    assert take(receiver, 13, 0.01) == ([], [(11, 12)])
    assert take(receiver, 14, 0.02) == ([], [])
    assert receiver.advance(0.125) == []
    assert receiver.advance(0.135) == [b"13", b"14"]
    assert receiver.counts.dropped == 2
    assert take(receiver, 11, 0.136) == ([], [])  # too late
    assert take(receiver, 15, 0.137) == ([b"15"], [])
    assert receiver.overdue(9, 0) == []


def test_what_is_missing_is_asked_for_again_and_again() -> None:
    receiver = Receiver(0, latency_s=1)
    take(receiver, 0, 0)
    take(receiver, 5, 0)
    take(receiver, 3, 0)
    assert receiver.overdue(0.01, 0.03) == []
    assert receiver.overdue(0.04, 0.03) == [(1, 2), (4, 4)]
    assert receiver.overdue(0.05, 0.03) == []
    take(receiver, 1, 0.06)
    assert receiver.overdue(0.08, 0.03) == [(2, 2), (4, 4)]


def test_what_the_sender_gives_up_is_not_waited_for() -> None:
    receiver = Receiver(0, latency_s=1)
    take(receiver, 0, 0)
    take(receiver, 4, 0)
    assert receiver.drop(1, 2, 0) == []
    assert take(receiver, 3, 0) == ([b"3", b"4"], [])
    assert receiver.counts.dropped == 2
    assert receiver.drop(5, 6, 0) == []  # before they were missed
    assert take(receiver, 7, 0) == ([b"7"], [])
    assert receiver.drop(0, 3, 0) == []  # what is long here
    receiver.drop(20, 1 << 30, 0)  # what cannot be
    assert receiver.free_packets >= 0
    assert receiver.overdue(1, 0) == [(8, 19)]
    receiver.drop(1 << 29, (1 << 29) + 5, 0)  # far ahead
    receiver.drop(30, 10, 0)
    assert receiver.overdue(2, 0) == [(8, 19)]


def test_more_than_the_window_pushes_the_oldest_out() -> None:
    receiver = Receiver(0, latency_s=1000)
    for number in range(2, 4 * WINDOW_PACKETS, 2):
        take(receiver, number, 0)
        assert receiver.free_packets >= WINDOW_PACKETS // 2 - 1
    assert receiver.counts.dropped > WINDOW_PACKETS
    take(receiver, 1 << 29, 0)
    assert receiver.free_packets == WINDOW_PACKETS - 1
    assert receiver.overdue(1, 0) == [((1 << 29) - WINDOW_PACKETS + 1, (1 << 29) - 1)]


def test_messages_of_several_packets() -> None:
    receiver, places = Receiver(0, latency_s=0.1), [FIRST, 0, LAST, ALONE, FIRST, 0, LAST]
    made = [take(receiver, number, 0, place)[0] for number, place in enumerate(places)]
    assert made == [[], [], [b"012"], [b"3"], [], [], [b"456"]]
    take(receiver, 7, 0, FIRST)
    take(receiver, 9, 0, LAST)
    take(receiver, 10, 0)
    assert receiver.advance(1) == [b"10"]  # half a message is none
    assert take(receiver, 11, 0, LAST)[0] == []
    take(receiver, 12, 0, FIRST)
    for number in range(13, 13 + MAX_MESSAGE_BYTES // 1400 + 1):
        assert take(receiver, number, 0, 0, bytes(1400))[0] == []
    assert take(receiver, 13 + MAX_MESSAGE_BYTES // 1400 + 1, 0, LAST)[0] == []


def test_a_clock_that_drifts_shortens_nothing() -> None:
    receiver, now_s = Receiver(0, latency_s=0.12), 0.0
    for number in range(2000):  # their clock gains a second in 200
        now_s = number * 0.1
        stamp_us = round(now_s * 1.005e6)
        receiver.take(_packet(number, stamp_us=stamp_us), b"", now_s)
    receiver.take(_packet(2001, stamp_us=round(200.0 * 1.005e6)), b"x", 200.0)
    assert advanced(receiver, 200.0, 200.1) == []
    assert advanced(receiver, 200.1, 200.14) == [b"x"]


def test_what_nobody_listened_to_is_not_late() -> None:
    receiver = Receiver(0, latency_s=0.12)
    take(receiver, 0, 0)
    take(receiver, 2, 0)
    assert advanced(receiver, 0, 0.05) == []
    assert receiver.advance(3.05) == []  # the process stood still
    assert take(receiver, 1, 3.05)[0] == [b"1", b"2"]
    take(receiver, 4, 3.05)
    assert advanced(receiver, 3.05, 3.16) == []
    assert advanced(receiver, 3.16, 3.18) == [b"4"]


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 3), st.booleans()), max_size=80))
def test_nothing_comes_twice_or_out_of_order(steps: list[tuple[int, int, bool]]) -> None:
    receiver, now_s, out = Receiver(0, latency_s=0.1), 0.0, list[bytes]()
    for number, wait, drop in steps:
        now_s += 0.02 * wait
        if drop:
            out += receiver.drop(number, number + wait, now_s)
        else:
            out += take(receiver, number, now_s)[0]
        out += receiver.advance(now_s)
        receiver.overdue(now_s, 0.02)
    numbers = [int(each) for each in out]
    assert numbers == sorted(set(numbers))


def advanced(receiver: Receiver, from_s: float, to_s: float) -> list[bytes]:
    """Let time go by in steps of 10 ms."""
    steps = range(1, round((to_s - from_s) * 100) + 1)
    return [each for step in steps for each in receiver.advance(from_s + step / 100)]


def take(
    receiver: Receiver, number: int, now_s: float, place: int = ALONE, payload: bytes = b""
) -> tuple[list[bytes], list[tuple[int, int]]]:
    packet = _packet(number, place, round(now_s * 1e6))
    return receiver.take(packet, payload or b"%d" % number, now_s)


def _packet(number: int, place: int = ALONE, stamp_us: int = 0) -> DataPacket:
    return DataPacket(number & 0x7FFF_FFFF, place, 0, False, stamp_us, 1, b"")
