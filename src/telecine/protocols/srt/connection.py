"""One caller that has been accepted: packets in, media and packets out.

Times are those of any clock that only goes forward, in seconds.
"""

import struct
from dataclasses import dataclass

from telecine.protocols.srt import packets
from telecine.protocols.srt.crypto import Keys
from telecine.protocols.srt.handshake import Rejected
from telecine.protocols.srt.packets import ControlPacket, DataPacket, loss_list
from telecine.protocols.srt.receiver import Counts, Receiver

ACK_S = 0.01
KEEPALIVE_S = 1.0
PATIENCE_S = 0.5
"""What is missing is waited for longer than was agreed: encoders keep everything for a second
at least, and viewers of low-latency HLS have 0.6 s in hand."""

DEAD_S = 5.0
"""After so long without any packet a caller is gone (libsrt's own time)."""

_MAX_ACKS = 64
_FIRST_RTT_S = 0.1
_U32 = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Link:
    """How the way from a caller is doing."""

    rtt_s: float
    latency_s: float
    counts: Counts


class Connection:
    """The receiver's side. What is in `out` goes to the caller and is then cleared.

    `socket_id`: the caller's. Bounds: those of `Receiver`, and 64 acknowledgements that
    were not answered.
    """

    def __init__(
        self, socket_id: int, sequence: int, latency_s: float, keys: Keys | None, now_s: float
    ) -> None:
        self.out: list[bytes] = []
        self.ended: str | None = None  # why
        self._socket_id = socket_id
        self._keys = keys
        self._receiver = Receiver(sequence, latency_s + PATIENCE_S)
        self._latency_s = latency_s
        self._begun_s = now_s
        self._heard_s = now_s
        self._said_s = now_s
        self._rtt_s: float | None = None
        self._variance_s = _FIRST_RTT_S / 2
        self._acks: dict[int, tuple[float, int]] = {}  # when, up to what
        self._ack_number = 0
        self._acknowledged = self._answered = self._receiver.next_sequence
        self._acknowledged_s = now_s

    @property
    def link(self) -> Link:
        """Return how the way is doing."""
        return Link(self._rtt_s or 0.0, self._latency_s, self._receiver.counts)

    def take_data(self, packet: DataPacket, now_s: float) -> list[bytes]:
        """Take a packet of media; return the messages that it completes."""
        self._heard_s = now_s
        payload = packet.payload
        if len(payload) > packets.MAX_PAYLOAD_BYTES or not payload:
            return []
        if (self._keys is not None) != bool(packet.key):
            return []  # encryption is for both sides or for none
        if self._keys is not None:
            opened = self._keys.opened(packet.key, packet.sequence, payload)
            if opened is None:
                return []  # lost, for now: it is sent again when its key is known
            payload = opened
        messages, missing = self._receiver.take(packet, payload, now_s)
        if missing:
            self._say(packets.NAK, now_s, content=loss_list(missing))
        return messages

    def take_control(self, packet: ControlPacket, now_s: float) -> list[bytes]:
        """Take any other packet; return the messages that need not wait any more."""
        self._heard_s = now_s
        kind, content = packet.kind, packet.content
        if kind == packets.ACKACK:
            self._measure(packet.info, now_s)
        elif kind == packets.SHUTDOWN:
            self.ended = "the encoder ended it"
        elif kind == packets.DROP_REQUEST and len(content) >= 8:
            first, last = (number & 0x7FFF_FFFF for number in struct.unpack_from(">II", content))
            return self._receiver.drop(first, last, now_s)
        elif kind == packets.USER and packet.subtype == packets.KEY_REQUEST:
            self._change_keys(content, now_s)
        return []

    def advance(self, now_s: float) -> list[bytes]:
        """Do what is due, every `ACK_S`; return the messages that waited in vain."""
        if now_s - self._heard_s > DEAD_S:
            self.ended = self.ended or "nothing came in time"
        messages = self._receiver.advance(now_s)
        self._acknowledge(now_s)
        overdue = self._receiver.overdue(now_s, self._patience_s / 2)
        if overdue:
            self._say(packets.NAK, now_s, content=loss_list(overdue))
        if now_s - self._said_s >= KEEPALIVE_S:
            self._say(packets.KEEPALIVE, now_s)
        return messages

    def shut_down(self, now_s: float) -> None:
        """Tell the caller that it is over."""
        self._say(packets.SHUTDOWN, now_s)

    @property
    def _patience_s(self) -> float:
        """Return how long an answer may take."""
        return (self._rtt_s or _FIRST_RTT_S) + 4 * self._variance_s

    def _acknowledge(self, now_s: float) -> None:
        upto = self._receiver.next_sequence
        if upto == self._answered:
            return
        if upto == self._acknowledged and now_s - self._acknowledged_s < self._patience_s:
            return
        self._ack_number = (self._ack_number + 1) & _U32 or 1
        self._acks[self._ack_number] = now_s, upto
        if len(self._acks) > _MAX_ACKS:
            del self._acks[next(iter(self._acks))]
        self._acknowledged, self._acknowledged_s = upto, now_s
        rtt_us, variance_us = (
            round(each * 1e6) for each in (self._rtt_s or _FIRST_RTT_S, self._variance_s)
        )
        # The rates at the end are for statistics of the sender's.
        content = struct.pack(
            ">7I", upto, rtt_us & _U32, variance_us & _U32, self._receiver.free_packets, 0, 0, 0
        )
        self._say(packets.ACK, now_s, self._ack_number, content)

    def _measure(self, number: int, now_s: float) -> None:
        told = self._acks.pop(number, None)
        if told is None:
            return
        sent_s, self._answered = told
        sample_s = now_s - sent_s
        if self._rtt_s is None:
            self._rtt_s, self._variance_s = sample_s, sample_s / 2
        else:
            self._variance_s += (abs(self._rtt_s - sample_s) - self._variance_s) / 4
            self._rtt_s += (sample_s - self._rtt_s) / 8

    def _change_keys(self, message: bytes, now_s: float) -> None:
        if self._keys is None:
            return
        try:
            self._keys.take(message)
        except Rejected as error:
            self.ended = str(error)
        else:
            self._say(packets.USER, now_s, content=message, subtype=packets.KEY_ANSWER)

    def _say(
        self, kind: int, now_s: float, info: int = 0, content: bytes = b"", subtype: int = 0
    ) -> None:
        self._said_s = now_s
        stamp_us = round((now_s - self._begun_s) * 1e6) & _U32
        packet = ControlPacket(kind, subtype, info, stamp_us, self._socket_id, content)
        self.out.append(packets.write(packet))
