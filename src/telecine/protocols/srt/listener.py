"""All callers of one UDP port: datagrams in, events and datagrams out.

    for event in listener.receive(datagram, address, now_s):
        ...
    for datagram, address in listener.to_send():
        transport.sendto(datagram, address)

and `advance` every 10 ms while there is anybody. The owner answers `Publish` with `accept` or
`refuse`. Nothing here raises: whatever a datagram is, it concerns its caller alone.
"""

import hmac
from dataclasses import dataclass, field

from telecine.protocols.errors import ProtocolError
from telecine.protocols.places import place_of
from telecine.protocols.srt import handshake, packets
from telecine.protocols.srt.connection import Connection, Link
from telecine.protocols.srt.crypto import Keys
from telecine.protocols.srt.handshake import Handshake, Rejected, Wanted
from telecine.protocols.srt.packets import ControlPacket, DataPacket
from telecine.protocols.srt.streamid import publish_key

Address = tuple[str, int] | tuple[str, int, int, int]
"""As sockets give it."""

MAX_ASKING = 256
MAX_ASKING_OF_ONE = 16
"""Callers that have not been accepted; of one place (`place_of`). Others are not answered."""

ASKING_S = 10.0
REFUSED_S = 5.0
MAX_DERIVATIONS_IN_S = 64
"""Keys made of the passphrase: each takes a millisecond, and anybody may ask for one."""

_COOKIE_S = 60.0


@dataclass(eq=False, slots=True)
class Caller:
    """One caller, from its conclusion on; to the owner of the listener, a name.

    `place`: of its address, see `place_of`; `answer`: to its conclusion, as often as that
    comes; `until_s`: how long it is waited for its owner's decision, or remembered that it
    was refused.
    """

    address: Address
    place: str
    asked: Handshake
    until_s: float
    want: Wanted | None = None
    keys: Keys | None = None
    answer: bytes = b""
    socket_id: int = 0
    connection: Connection | None = None

    @property
    def link(self) -> Link | None:
        """Return how the way from it is doing; None: it has not been accepted."""
        return self.connection.link if self.connection else None


@dataclass(frozen=True, slots=True)
class Publish:
    """A caller wants to publish; `key` is a secret."""

    caller: Caller
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Media:
    """What an accepted caller sent: a message."""

    caller: Caller
    payload: bytes


@dataclass(frozen=True, slots=True)
class Closed:
    """A caller is gone; nothing more comes of it."""

    caller: Caller
    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A caller was refused for what its handshake says."""

    address: Address
    reason: str


Event = Publish | Media | Closed | Refused


class Listener:
    """The port. `secret` are random bytes; callers must know `passphrase` if there is one.

    Bounds: `MAX_ASKING` callers that were not accepted, and those of `Connection` for each
    that was.
    """

    def __init__(self, secret: bytes, passphrase: str = "") -> None:
        self._secret = secret
        self._passphrase = passphrase
        self._out: list[tuple[bytes, Address]] = []
        self._callers: dict[tuple[Address, int], Caller] = {}
        self._open: dict[int, Caller] = {}
        self._count = 0
        self._derivations, self._derivations_s = 0, 0.0

    @property
    def idle(self) -> bool:
        """Tell whether nobody calls: `advance` would do nothing."""
        return not self._callers

    def to_send(self) -> list[tuple[bytes, Address]]:
        """Return what is to be sent, and forget it."""
        waiting, self._out = self._out, []
        return waiting

    def receive(self, data: bytes, address: Address, now_s: float) -> list[Event]:
        """Take a datagram; return what it means."""
        try:
            packet = packets.read(data)
            if isinstance(packet, ControlPacket) and packet.kind == packets.HANDSHAKE:
                return self._shake_hands(handshake.read(packet.content), address, now_s)
        except ProtocolError:
            return []  # anybody may send anything to a port
        caller = self._open.get(packet.socket_id)
        if caller is None or caller.address != address or caller.connection is None:
            return []
        if isinstance(packet, DataPacket):
            payloads = caller.connection.take_data(packet, now_s)
        else:
            payloads = caller.connection.take_control(packet, now_s)
        return self._events(caller, caller.connection, payloads)

    def advance(self, now_s: float) -> list[Event]:
        """Do what is due; return what comes of it."""
        events: list[Event] = []
        for caller in list(self._callers.values()):
            if caller.connection is not None:
                payloads = caller.connection.advance(now_s)
                events += self._events(caller, caller.connection, payloads)
            elif caller.until_s < now_s:
                self._forget(caller)
                if not caller.answer:
                    events.append(Closed(caller, "nobody answered in time"))
        return events

    def accept(self, caller: Caller, now_s: float) -> bool:
        """Let a caller send; False: it is gone."""
        if caller.want is None or not self._waits(caller):
            return False
        caller.socket_id = self._new_socket_id()
        answer, latency_ms = handshake.concluded(caller.asked, caller.want, caller.socket_id)
        caller.connection = Connection(
            caller.asked.socket_id, caller.asked.sequence, latency_ms / 1000, caller.keys, now_s
        )
        self._open[caller.socket_id] = caller
        self._answer(caller, answer)
        return True

    def refuse(self, caller: Caller, now_s: float) -> None:
        """Tell a caller that it may not publish under its key."""
        if self._waits(caller):
            self._reject(caller, handshake.UNAUTHORIZED, now_s)

    def close(self, caller: Caller, now_s: float) -> None:
        """End a connection; no event tells of it."""
        if caller.connection is not None and self._open.get(caller.socket_id) is caller:
            caller.connection.shut_down(now_s)
            self._send(caller, caller.connection)
            self._forget(caller)

    def _events(self, caller: Caller, connection: Connection, payloads: list[bytes]) -> list[Event]:
        self._send(caller, connection)
        events: list[Event] = [Media(caller, payload) for payload in payloads]
        if connection.ended is not None:
            self._forget(caller)
            events.append(Closed(caller, connection.ended))
        return events

    def _send(self, caller: Caller, connection: Connection) -> None:
        self._out += [(each, caller.address) for each in connection.out]
        connection.out.clear()

    def _shake_hands(self, shake: Handshake, address: Address, now_s: float) -> list[Event]:
        minute = int(now_s // _COOKIE_S)
        if shake.kind == handshake.INDUCTION:
            made = handshake.cookie(self._secret, address, minute)
            self._write(handshake.induced(shake, made), shake.socket_id, address)
            return []
        if shake.kind != handshake.CONCLUSION or shake.cookie not in (
            handshake.cookie(self._secret, address, each) for each in (minute, minute - 1)
        ):
            return []
        known = self._callers.get((address, shake.socket_id))
        if known is not None:
            if known.answer:
                self._out.append((known.answer, address))
            return []
        waiting = [each for each in self._callers.values() if each.connection is None]
        place = place_of(address[0])
        of_one = sum(each.place == place for each in waiting)
        if len(waiting) >= MAX_ASKING or of_one >= MAX_ASKING_OF_ONE:
            return []
        return self._meet(Caller(address, place, shake, now_s + ASKING_S), now_s)

    def _meet(self, caller: Caller, now_s: float) -> list[Event]:
        try:
            caller.want = want = handshake.wanted(caller.asked)
            self._check_encryption(want)
            key = publish_key(want.stream_id)
            if want.key_message:
                if not self._may_derive(now_s):
                    return []  # it asks again soon
                caller.keys = Keys(self._passphrase)
                caller.keys.take(want.key_message)
        except Rejected as error:
            self._callers[caller.address, caller.asked.socket_id] = caller
            self._reject(caller, error.code, now_s)
            return [Refused(caller.address, str(error))]
        self._callers[caller.address, caller.asked.socket_id] = caller
        return [Publish(caller, key)]

    def _check_encryption(self, want: Wanted) -> None:
        if want.key_message and not self._passphrase:
            raise Rejected(handshake.UNSECURE, "an encryption that we have no passphrase for")
        if self._passphrase and not want.key_message:
            raise Rejected(handshake.UNSECURE, "it does not encrypt")

    def _waits(self, caller: Caller) -> bool:
        known = self._callers.get((caller.address, caller.asked.socket_id))
        return known is caller and not caller.answer

    def _may_derive(self, now_s: float) -> bool:
        if now_s - self._derivations_s >= 1:
            self._derivations, self._derivations_s = 0, now_s
        self._derivations += 1
        return self._derivations <= MAX_DERIVATIONS_IN_S

    def _reject(self, caller: Caller, code: int, now_s: float) -> None:
        caller.until_s = now_s + REFUSED_S
        self._answer(caller, handshake.refused(caller.asked, code))

    def _answer(self, caller: Caller, shake: Handshake) -> None:
        self._write(shake, caller.asked.socket_id, caller.address)
        caller.answer = self._out[-1][0]

    def _write(self, shake: Handshake, socket_id: int, address: Address) -> None:
        content = handshake.write(shake)
        packet = ControlPacket(packets.HANDSHAKE, 0, 0, 0, socket_id, content)
        self._out.append((packets.write(packet), address))

    def _forget(self, caller: Caller) -> None:
        self._callers.pop((caller.address, caller.asked.socket_id), None)
        self._open.pop(caller.socket_id, None)

    def _new_socket_id(self) -> int:
        while True:
            self._count += 1
            drawn = hmac.digest(self._secret, b"socket %d" % self._count, "sha256")
            number = int.from_bytes(drawn[:4]) & 0x3FFF_FFFF
            if number and number not in self._open:
                return number
