"""The handshake: who may publish, how they are refused, what it costs to ask."""

import struct
from dataclasses import replace

import pytest

from telecine.protocols.srt import crypto, handshake, packets
from telecine.protocols.srt.connection import DEAD_S
from telecine.protocols.srt.listener import (
    ASKING_S,
    MAX_ASKING,
    MAX_ASKING_OF_ONE,
    MAX_DERIVATIONS_IN_S,
    Address,
    Closed,
    Listener,
    Media,
    Publish,
    Refused,
)
from telecine.protocols.srt.packets import ControlPacket
from tests.fixtures.srt_wire import (
    ADDRESS,
    PASSPHRASE,
    SECRET,
    SrtCaller,
    admitted,
    asked,
    key_message,
)


def answered(listener: Listener, caller: SrtCaller) -> None:
    for data, _ in listener.to_send():
        caller.receive(data)


@pytest.mark.parametrize(
    "stream_id",
    [
        "the-key",
        "publish:the-key",
        "publish:the-key:user:password",
        "#!::r=the-key,m=publish",
        "#!::m=publish,u=somebody,r=the-key",
        "#!::r=the-key",
        "the-key?quality=1",
    ],
)
def test_every_form_of_a_stream_id(stream_id: str) -> None:
    (event,) = asked(Listener(SECRET), SrtCaller(stream_id))
    assert isinstance(event, Publish)
    assert event.key == "the-key"
    assert "the-key" not in repr(event.caller)


@pytest.mark.parametrize("stream_id", ["read:key", "#!::r=key,m=request", "#!::m=bidirectional"])
def test_who_wants_to_watch_is_in_the_wrong_place(stream_id: str) -> None:
    listener, caller = Listener(SECRET), SrtCaller(stream_id)
    (event,) = asked(listener, caller)
    assert isinstance(event, Refused)
    answered(listener, caller)
    assert caller.rejected == handshake.BAD_MODE


def test_an_accepted_caller_is_told_once_and_again() -> None:
    listener, caller = Listener(SECRET), SrtCaller(latency_ms=300)
    admitted(listener, caller)
    shake = caller.accepted
    assert shake is not None
    assert shake.sequence == caller.sequence
    ((kind, content),) = shake.extensions
    version, flags, receive_ms, send_ms = struct.unpack(">IIHH", content)
    assert (kind, receive_ms, send_ms) == (handshake.HS_ANSWER, 300, 300)
    assert version >= 0x010300
    assert flags & handshake.PERIODIC_NAK
    caller.accepted, own = None, caller.peer_id
    caller.peer_id = 0
    assert asked(listener, caller) == []  # its conclusion comes again: the answer was lost
    answered(listener, caller)
    assert caller.peer_id == own


@pytest.mark.parametrize(("wish_ms", "granted_ms"), [(0, 120), (120, 120), (65_535, 10_000)])
def test_latency_has_bounds(wish_ms: int, granted_ms: int) -> None:
    listener, caller = Listener(SECRET), SrtCaller(latency_ms=wish_ms)
    admitted(listener, caller)
    assert caller.accepted is not None
    assert struct.unpack(">IIHH", caller.accepted.extensions[0][1])[2] == granted_ms


def test_a_key_that_is_refused() -> None:
    listener, caller = Listener(SECRET), SrtCaller()
    (event,) = asked(listener, caller)
    assert isinstance(event, Publish)
    assert listener.to_send() == []  # nothing is said before somebody decided
    listener.refuse(event.caller, 0)
    answered(listener, caller)
    assert (caller.accepted, caller.rejected) == (None, handshake.UNAUTHORIZED)
    assert not listener.accept(event.caller, 0)
    assert asked(listener, caller) == []  # a repeated request gets the same answer
    answered(listener, caller)
    assert caller.rejected == handshake.UNAUTHORIZED
    assert listener.advance(6) == []
    assert listener.idle


def test_a_cookie_is_for_one_address_and_a_minute() -> None:
    listener, caller = Listener(SECRET), SrtCaller()
    listener.receive(caller.induction(), ADDRESS, 0)
    ((answer, _),) = listener.to_send()
    conclusion = caller.conclude(answer)
    assert listener.receive(conclusion, ("192.0.2.2", 4000), 0) == []
    assert listener.receive(conclusion, ("192.0.2.1", 4001), 0) == []
    assert listener.receive(conclusion, ADDRESS, 121) == []
    assert listener.idle
    assert len(listener.receive(conclusion, ADDRESS, 119)) == 1


def test_asking_costs_nothing_until_the_cookie_is_back() -> None:
    listener = Listener(SECRET)
    for number in range(1000):
        induction = SrtCaller(socket_id=number + 1).induction()
        listener.receive(induction, ("192.0.2.1", number), 0)
        ((answer, _),) = listener.to_send()
        assert len(answer) <= len(induction)  # nothing to amplify with
    assert listener.idle


def test_few_may_wait_for_a_decision() -> None:
    listener, waiting = Listener(SECRET), list[Publish]()
    for number in range(2 * MAX_ASKING):
        address: Address = (f"192.0.2.{number % 64}", number)
        events = asked(listener, SrtCaller(socket_id=number + 1), address)
        waiting += [each for each in events if isinstance(each, Publish)]
    assert len(waiting) == MAX_ASKING
    of_one = Listener(SECRET)
    told = [asked(of_one, SrtCaller(socket_id=each + 1)) for each in range(2 * MAX_ASKING_OF_ONE)]
    assert sum(map(len, told)) == MAX_ASKING_OF_ONE
    closed = listener.advance(ASKING_S + 1)
    assert {type(each) for each in closed} == {Closed}
    assert len(closed) == MAX_ASKING
    assert listener.idle
    assert not listener.accept(waiting[0].caller, ASKING_S + 1)


def test_a_customer_of_ipv6_is_one_however_many_addresses_there_are() -> None:
    listener = Listener(SECRET)

    def met(network: str) -> int:
        told = [
            asked(listener, SrtCaller(socket_id=each + 1), (f"{network}::{each:x}", 1, 0, 0))
            for each in range(2 * MAX_ASKING_OF_ONE)
        ]
        return sum(map(len, told))

    assert met("2001:db8:0:1") == MAX_ASKING_OF_ONE
    assert met("2001:db8:0:2") == MAX_ASKING_OF_ONE  # somebody else
    assert met("2001:db8:0:1") == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"version": 4}, handshake.VERSION_TOO_OLD),
        ({"extensions": ()}, handshake.ROGUE),
        ({handshake.HS_REQUEST: struct.pack(">IIHH", 0x010200, 0xBF, 120, 120)},
         handshake.VERSION_TOO_OLD),
        ({handshake.HS_REQUEST: struct.pack(">IIHH", 0x010500, 0xFF, 120, 120)},
         handshake.MESSAGE_API),
        ({handshake.HS_REQUEST: struct.pack(">IIHH", 0x010500, 0xBE, 120, 120)},
         handshake.NOT_LIVE),
        ({handshake.CONGESTION: handshake.stream_id_content("file")}, handshake.NOT_LIVE),
        ({handshake.CONGESTION: handshake.stream_id_content("live")}, 0),
        ({handshake.FILTER: handshake.stream_id_content("fec,cols:10")}, handshake.BAD_FILTER),
        ({handshake.GROUP: bytes(8)}, handshake.BAD_GROUP),
        ({handshake.STREAM_ID: bytes(520)}, handshake.ROGUE),
        ({handshake.KEY_REQUEST: key_message(1, bytes(16))}, handshake.UNSECURE),
    ],
)  # fmt: skip
def test_what_is_refused_by_its_handshake(change: dict[object, object], code: int) -> None:
    listener, caller = Listener(SECRET), SrtCaller()
    listener.receive(caller.induction(), ADDRESS, 0)
    ((answer, _),) = listener.to_send()
    shake = handshake.read(caller.conclude(answer)[16:])
    extensions = {name: content for name, content in change.items() if isinstance(name, int)}
    if extensions:
        told = {**dict(shake.extensions), **extensions}
        shake = replace(shake, extensions=tuple(told.items()))  # type: ignore[arg-type]
    else:
        shake = replace(shake, **change)  # type: ignore[arg-type]
    packet = ControlPacket(packets.HANDSHAKE, 0, 0, 0, 0, handshake.write(shake))
    (event,) = listener.receive(packets.write(packet), ADDRESS, 0)
    assert isinstance(event, Refused if code else Publish)
    answered(listener, caller)
    assert caller.rejected == code


def test_a_passphrase_is_for_all() -> None:
    listener, caller = Listener(SECRET, PASSPHRASE), SrtCaller()
    (event,) = asked(listener, caller)
    assert isinstance(event, Refused)
    answered(listener, caller)
    assert caller.rejected == handshake.UNSECURE
    wrong = SrtCaller(socket_id=2, message=key_message(1, bytes(16), "another passphrase"))
    (event,) = asked(listener, wrong)
    assert isinstance(event, Refused)
    assert PASSPHRASE not in event.reason
    answered(listener, wrong)
    assert wrong.rejected == handshake.BAD_SECRET
    right = SrtCaller(socket_id=3, message=key_message(1, bytes(16)))
    admitted(listener, right)
    assert right.accepted is not None
    assert dict(right.accepted.extensions)[handshake.KEY_ANSWER] == right.message


def test_guessing_passphrases_is_slow() -> None:
    listener, told = Listener(SECRET, PASSPHRASE), 0
    message = key_message(crypto.EVEN, bytes(16), "another passphrase")
    for number in range(2 * MAX_DERIVATIONS_IN_S):
        caller = SrtCaller(socket_id=number + 1, message=message)
        told += len(asked(listener, caller, (f"192.0.2.{number}", 1)))
        listener.to_send()
    assert told == MAX_DERIVATIONS_IN_S


def test_packets_of_others_are_not_heard() -> None:
    listener, caller = Listener(SECRET), SrtCaller()
    admitted(listener, caller)
    caller.send(b"media", 0)
    (data,) = caller.out
    assert listener.receive(data, ("192.0.2.9", 4000), 0) == []
    assert listener.receive(data[:12] + bytes(4) + data[16:], ADDRESS, 0) == []
    (event,) = listener.receive(data, ADDRESS, 0)
    assert isinstance(event, Media)
    assert event.payload == b"media"


def test_connections_end_from_both_sides_and_by_silence() -> None:
    listener, callers = Listener(SECRET), [SrtCaller(socket_id=each) for each in (1, 2, 3)]
    for caller in callers:
        admitted(listener, caller)
    callers[0].control(packets.SHUTDOWN)
    (event,) = listener.receive(callers[0].out[0], ADDRESS, 1)
    assert isinstance(event, Closed)
    assert event.reason == "the encoder ended it"
    callers[1].control(packets.KEEPALIVE)
    listener.receive(callers[1].out[0], ADDRESS, 1)
    (event,) = listener.advance(DEAD_S + 0.5)
    assert isinstance(event, Closed)
    assert event.reason == "nothing came in time"
    answered(listener, callers[1])
    assert callers[1].answers[-1].kind == packets.KEEPALIVE
    (left,) = (each for each in listener.advance(9) if isinstance(each, Closed))
    assert listener.idle
    listener.to_send()
    listener.close(left.caller, 9)  # it is gone
    assert listener.to_send() == []


def test_the_owner_ends_a_connection() -> None:
    listener, caller = Listener(SECRET), SrtCaller()
    (event,) = asked(listener, caller)
    assert isinstance(event, Publish)
    listener.accept(event.caller, 0)
    listener.close(event.caller, 1)
    answered(listener, caller)
    assert [each.kind for each in caller.answers] == [packets.HANDSHAKE, packets.SHUTDOWN]
    assert listener.idle
