"""A connection that publishes, from the handshake on: bytes in, events and bytes out.

    for event in session.receive(data):
        ...
    transport.write(session.to_send())

The owner answers `Publish` with `accept` or `refuse`; media that comes before is dropped,
so it should not read on meanwhile.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from telecine.protocols.errors import ProtocolError
from telecine.protocols.rtmp import amf0, messages
from telecine.protocols.rtmp.chunks import ChunkReader, encode
from telecine.protocols.rtmp.handshake import ServerHandshake
from telecine.protocols.rtmp.messages import Message

WINDOW_BYTES = 2_500_000
OUR_CHUNK_BYTES = 65_536
MAX_ANSWERS_BYTES = 64 << 10
MAX_COMMANDS = 64
"""Before media: encoders send five to ten."""

_LEAST_WINDOW_BYTES = 65_536
_MAX_AGGREGATED = 4096
_TRACKS = frozenset({messages.AUDIO, messages.VIDEO})

VIDEO_CODECS = ("avc1", "hvc1", "av01", "vp09")
AUDIO_CODECS = ("mp4a", "Opus")
_FORWARD = 4  # FourCcInfoMask.CanForward: we do not decode (E-RTMP v2, "Enhancing onConnect")
_PING = messages.PING_REQUEST.to_bytes(2)
_CAPABILITIES = 2 | 4 | 8  # multitrack, ModEx, nanosecond offsets


@dataclass(frozen=True, slots=True)
class Publish:
    """The client wants to publish; `key` is a secret."""

    app: str
    key: str


@dataclass(slots=True)  # freezing triples what it costs to make one
class Media:
    """A message with sound or pictures: an FLV tag's body."""

    video: bool
    timestamp_ms: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the client says of its media (`onMetaData`)."""

    values: dict[str, amf0.Value]


@dataclass(frozen=True, slots=True)
class Unpublish:
    """The client has ended its stream; it will close the connection itself."""


Event = Publish | Media | Metadata | Unpublish


class PublishSession:
    """The server's side of one connection; `s1_random` are 1,528 bytes.

    Bounds: those of `chunks` and `amf0`; `MAX_ANSWERS_BYTES` that `to_send` was not asked for,
    and `MAX_COMMANDS`.
    """

    def __init__(self, s1_random: bytes) -> None:
        self._handshake: ServerHandshake | None = ServerHandshake(s1_random)
        self._reader = ChunkReader()
        self._out = bytearray()
        self._app = ""
        self._media_stream = 1
        self._asked = False
        self._accepted = False
        self._answered = 0
        self._received_bytes = 0
        self._acknowledged_bytes = 0
        self._window_bytes = WINDOW_BYTES
        self._commands: dict[str, Callable[[Message, list[amf0.Value]], list[Event]]] = {
            "connect": self._connect,
            "createStream": self._create_stream,
            "publish": self._publish,
            "deleteStream": self._delete_stream,
            "closeStream": self._delete_stream,
            "play": self._play,
        }

    @property
    def shaken(self) -> bool:
        """Tell whether the handshake is over."""
        return self._handshake is None

    def to_send(self) -> bytes:
        """Return what is to be sent, and forget it."""
        if not self._out:
            return b""
        waiting = bytes(self._out)
        self._out.clear()
        return waiting

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes off the wire; return what they mean.

        Raises:
            ProtocolError: the connection is to be closed.
        """
        self._received_bytes += len(data)
        if self._handshake is not None:
            self._out += self._handshake.receive(data)
            if not self._handshake.done:
                return []
            data, self._handshake = self._handshake.trailing, None
        events: list[Event] = []
        for message in self._reader.feed(data):
            if self._accepted and message.kind in _TRACKS:
                video = message.kind == messages.VIDEO
                events.append(Media(video, message.timestamp_ms, message.payload))
            else:
                events += self._take(message)
                if len(self._out) > MAX_ANSWERS_BYTES:
                    raise ProtocolError("more answers are asked for than are read")
        if self._received_bytes - self._acknowledged_bytes >= self._window_bytes // 2:
            self._acknowledged_bytes = self._received_bytes
            read = messages.number(self._received_bytes)
            self._send(messages.control(messages.ACKNOWLEDGEMENT, read))
        return events

    def accept(self) -> None:
        """Tell the client to begin."""
        self._accepted = True
        begun = messages.number(self._media_stream)
        self._send(messages.user_control(messages.STREAM_BEGIN, begun))
        self._status("status", "NetStream.Publish.Start", "Publishing.")

    def refuse(self) -> None:
        """Tell the client that it may not publish under that name."""
        self._status("error", "NetStream.Publish.BadName", "Publishing was refused.")

    def fail(self, reason: str) -> None:
        """Tell a client that publishes why the connection ends."""
        if self._accepted:
            self._status("error", "NetStream.Failed", reason)

    def _take(self, message: Message) -> list[Event]:
        kind, payload = message.kind, message.payload
        if kind in (messages.COMMAND, messages.COMMAND_AMF3):
            return self._command(message)
        if kind in (messages.DATA, messages.DATA_AMF3):
            return self._data(payload[1:] if kind == messages.DATA_AMF3 else payload)
        if kind == messages.AGGREGATE:
            return self._aggregate(message) if self._accepted else []
        if kind == messages.WINDOW:
            self._window_bytes = max(_LEAST_WINDOW_BYTES, messages.read_number(payload) or 0)
        elif kind == messages.USER_CONTROL and payload[:2] == _PING and len(payload) >= 6:
            self._count()
            self._send(messages.user_control(messages.PING_RESPONSE, payload[2:6]))
        return []

    def _count(self) -> None:
        self._answered += 1
        if self._answered > MAX_COMMANDS and not self._accepted:
            raise ProtocolError(f"more than {MAX_COMMANDS} commands before any media")

    def _data(self, payload: bytes) -> list[Event]:
        values = amf0.decode(payload)
        if values[:1] == ["@setDataFrame"]:
            values = values[1:]
        if len(values) < 2 or values[0] != "onMetaData" or not isinstance(values[1], dict):
            return []
        return [Metadata(values[1])] if self._accepted else []

    def _aggregate(self, message: Message) -> list[Event]:
        """Take a message of several FLV tags apart (RTMP 1.0, 7.1.6)."""
        found: list[Event] = []
        data, at, base = message.payload, 0, None
        while at + 11 <= len(data) and len(found) < _MAX_AGGREGATED:
            size = int.from_bytes(data[at + 1 : at + 4])
            time = int.from_bytes(data[at + 4 : at + 7]) | data[at + 7] << 24
            base = time if base is None else base
            if at + 11 + size > len(data):
                break
            if data[at] in (messages.AUDIO, messages.VIDEO):
                shifted = (message.timestamp_ms + time - base) & 0xFFFFFFFF
                body = data[at + 11 : at + 11 + size]
                found.append(Media(data[at] == messages.VIDEO, shifted, body))
            at += 15 + size
        return found

    def _command(self, message: Message) -> list[Event]:
        self._count()
        amf3 = message.kind == messages.COMMAND_AMF3
        values = amf0.decode(message.payload[1:] if amf3 else message.payload)
        name = values[0] if values else None
        if not isinstance(name, str):
            return []
        handle = self._commands.get(name)
        if handle is not None:
            return handle(message, values)
        # releaseStream, FCPublish and others; those with number 0 want no answer.
        if transaction := _number(values, 1):
            self._result(transaction, None, None)
        return []

    def _connect(self, message: Message, values: list[amf0.Value]) -> list[Event]:
        del message
        told = values[2] if len(values) > 2 and isinstance(values[2], dict) else {}
        self._app = str(told.get("app") or "").partition("?")[0].strip("/")
        self._send(messages.control(messages.WINDOW, messages.number(WINDOW_BYTES)))
        limit = messages.number(WINDOW_BYTES) + bytes([messages.DYNAMIC_LIMIT])
        self._send(messages.control(messages.PEER_BANDWIDTH, limit))
        size = messages.number(OUR_CHUNK_BYTES)
        self._send(messages.control(messages.SET_CHUNK, size))
        properties = {"fmsVer": "FMS/3,5,7,7009", "capabilities": 31, "mode": 1}
        information: dict[str, Any] = {
            "level": "status",
            "code": "NetConnection.Connect.Success",
            "description": "Connection succeeded.",
            "objectEncoding": told.get("objectEncoding") or 0,
        }
        if told.keys() & {"fourCcList", "videoFourCcInfoMap", "audioFourCcInfoMap", "capsEx"}:
            information["capsEx"] = _CAPABILITIES
            information["fourCcList"] = [*VIDEO_CODECS, *AUDIO_CODECS]
            information["videoFourCcInfoMap"] = dict.fromkeys(VIDEO_CODECS, _FORWARD)
            information["audioFourCcInfoMap"] = dict.fromkeys(AUDIO_CODECS, _FORWARD)
        self._result(_number(values, 1), properties, information)
        return []

    def _create_stream(self, message: Message, values: list[amf0.Value]) -> list[Event]:
        del message
        self._result(_number(values, 1), None, self._media_stream)
        return []

    def _publish(self, message: Message, values: list[amf0.Value]) -> list[Event]:
        if self._asked:
            raise ProtocolError("a second publish on one connection")
        self._asked = True
        self._media_stream = message.stream_id or self._media_stream
        key = values[3] if len(values) > 3 else None
        # Encoders hang the query of their URL on the key.
        return [Publish(self._app, key.partition("?")[0] if isinstance(key, str) else "")]

    def _delete_stream(self, message: Message, values: list[amf0.Value]) -> list[Event]:
        del message, values
        return [Unpublish()] if self._accepted else []

    def _play(self, message: Message, values: list[amf0.Value]) -> list[Event]:
        del values
        self._media_stream = message.stream_id
        self._status("error", "NetStream.Play.Failed", "Streams are published here.")
        raise ProtocolError("it wants to play")

    def _result(self, transaction: float, properties: object, information: object) -> None:
        payload = amf0.encode("_result", transaction, properties, information)
        self._send(Message(messages.COMMAND, 0, 0, payload), chunk_stream=3)

    def _status(self, level: str, code: str, description: str) -> None:
        told = {"level": level, "code": code, "description": description}
        payload = amf0.encode("onStatus", 0, None, told)
        self._send(Message(messages.COMMAND, 0, self._media_stream, payload), chunk_stream=5)

    def _send(self, message: Message, chunk_stream: int = 2) -> None:
        self._out += encode(message, chunk_stream, OUR_CHUNK_BYTES)


def _number(values: list[amf0.Value], index: int) -> float:
    value = values[index] if len(values) > index else None
    return float(value) if isinstance(value, int | float) else 0.0
