"""A connection that sends media to somebody else's server: bytes in, bytes out.

Whatever `to_send` returns goes to the server, after the start, after each `receive` and after
each `send`. Media may be sent once the session is `accepted`.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from telecine.protocols.errors import ProtocolError
from telecine.protocols.rtmp import amf0, messages
from telecine.protocols.rtmp.chunks import ChunkReader, encode
from telecine.protocols.rtmp.handshake import ClientHandshake
from telecine.protocols.rtmp.messages import Message
from telecine.protocols.rtmp.session import AUDIO_CODECS, VIDEO_CODECS

CHUNK_BYTES = 4096
"""What the most common encoder uses: some services refuse larger ones."""

_PING = messages.PING_REQUEST.to_bytes(2)
_FORWARD = 4  # FourCcInfoMask.CanForward (E-RTMP v2, "Enhancing onConnect")
_CONNECT, _RELEASE, _ANNOUNCE, _CREATE, _PUBLISH = range(1, 6)
_MASK = "***"
_LONGEST_WORD = 200
_CHUNK_STREAMS: Final[Mapping[int, int]] = {
    messages.AUDIO: 4,
    messages.DATA: 5,
    messages.VIDEO: 6,
}


class Refused(ProtocolError):
    """The server does not want the stream; its words."""


class PublishClient:
    """The client's side of one connection; `c1_random` are 1,528 bytes.

    `app` and `url` are what the server is told of the address, `key` the name to publish
    under, a secret. Bounds: those of `chunks` and `amf0`, and what `to_send` has not been
    asked for.
    """

    def __init__(self, c1_random: bytes, app: str, url: str, key: str) -> None:
        self._handshake: ClientHandshake | None = ClientHandshake(c1_random)
        self._reader = ChunkReader()
        self._out = [self._handshake.opening]
        self._app, self._url, self._key = app, url, key
        self._media_stream = 1
        self._chunk_bytes = 128
        self._received_bytes = 0
        self._acknowledged_bytes = 0
        self._window_bytes = 2_500_000
        self.accepted = False
        self.enhanced = False

    def to_send(self) -> bytes:
        """Return what is to be sent, and forget it."""
        waiting, self._out = self._out, []
        return b"".join(waiting)  # not copied where it is one message, as it mostly is

    def receive(self, data: bytes) -> None:
        """Take bytes off the wire.

        Raises:
            Refused: the server says no.
            ProtocolError: it does not speak RTMP.
        """
        self._received_bytes += len(data)
        if self._handshake is not None:
            self._out.append(self._handshake.receive(data))
            if not self._handshake.done:
                return
            data, self._handshake = self._handshake.trailing, None
            self._connect()
        for message in self._reader.feed(data):
            self._take(message)
        if self._received_bytes - self._acknowledged_bytes >= self._window_bytes // 2:
            self._acknowledged_bytes = self._received_bytes
            read = messages.number(self._received_bytes)
            self._control(messages.control(messages.ACKNOWLEDGEMENT, read))

    def send(self, kind: int, time_ms: int, body: bytes) -> None:
        """Send sound, pictures or data, once `accepted`; times have 32 bits."""
        message = Message(kind, time_ms & 0xFFFFFFFF, self._media_stream, body)
        self._out.append(encode(message, _CHUNK_STREAMS[kind], self._chunk_bytes))

    def describe(self, values: Mapping[str, object]) -> None:
        """Tell what the media is (`onMetaData`), once `accepted`."""
        self.send(messages.DATA, 0, amf0.encode("@setDataFrame", "onMetaData", values))

    def finish(self) -> None:
        """Say that nothing follows."""
        if self.accepted:
            self._command("FCUnpublish", 6, None, self._key)
            self._command("deleteStream", 7, None, self._media_stream)

    def _connect(self) -> None:
        size = messages.number(CHUNK_BYTES)
        self._control(messages.control(messages.SET_CHUNK, size))
        self._chunk_bytes = CHUNK_BYTES
        told: dict[str, object] = {
            "app": self._app,
            "type": "nonprivate",
            "flashVer": "FMLE/3.0 (compatible; Telecine)",
            "tcUrl": self._url,
            "fourCcList": [*VIDEO_CODECS, *AUDIO_CODECS],
            "videoFourCcInfoMap": dict.fromkeys(VIDEO_CODECS, _FORWARD),
            "audioFourCcInfoMap": dict.fromkeys(AUDIO_CODECS, _FORWARD),
        }
        self._command("connect", _CONNECT, told)

    def _take(self, message: Message) -> None:
        kind, payload = message.kind, message.payload
        if kind in (messages.COMMAND, messages.COMMAND_AMF3):
            amf3 = kind == messages.COMMAND_AMF3
            self._obey(amf0.decode(payload[1:] if amf3 else payload))
        elif kind == messages.WINDOW:
            self._window_bytes = max(65_536, messages.read_number(payload) or 0)
        elif kind == messages.USER_CONTROL and payload[:2] == _PING and len(payload) >= 6:
            self._control(messages.user_control(messages.PING_RESPONSE, payload[2:6]))

    def _obey(self, values: list[amf0.Value]) -> None:
        name, transaction = (*values, None, None)[:2]
        told = values[3] if len(values) > 3 else None
        if name == "_error" and transaction in (_CONNECT, _CREATE, _PUBLISH):
            raise Refused(self._words(told))
        if name == "_result" and transaction == _CONNECT:
            self.enhanced = isinstance(told, dict) and bool(
                told.keys() & {"fourCcList", "videoFourCcInfoMap"}
            )
            self._command("releaseStream", _RELEASE, None, self._key)
            self._command("FCPublish", _ANNOUNCE, None, self._key)
            self._command("createStream", _CREATE, None)
        elif name == "_result" and transaction == _CREATE:
            if isinstance(told, float) and 0 < told < 1 << 32:
                self._media_stream = int(told)
            self._command("publish", _PUBLISH, None, self._key, "live", inside=True)
        elif name == "onStatus" and isinstance(told, dict):
            if told.get("level") == "error":
                raise Refused(self._words(told))
            self.accepted |= told.get("code") == "NetStream.Publish.Start"

    def _command(self, name: str, *values: object, inside: bool = False) -> None:
        stream = self._media_stream if inside else 0
        message = Message(messages.COMMAND, 0, stream, amf0.encode(name, *values))
        self._out.append(encode(message, 3, self._chunk_bytes))

    def _control(self, message: Message) -> None:
        self._out.append(encode(message, 2, self._chunk_bytes))

    def _words(self, told: amf0.Value) -> str:
        """Return what a server says of its refusal, short enough for a line of a log.

        Many of them repeat the name that was asked for, or what is before its query.
        """
        values = told if isinstance(told, dict) else {}
        words = []
        for name in ("code", "description"):
            if value := values.get(name):
                text = str(value)
                for secret in (self._key, self._key.partition("?")[0]):
                    for form in (secret, quote(secret, safe="")):
                        text = text.replace(form, _MASK) if form else text
                words.append(text[:_LONGEST_WORD])
        return f"the target refuses: {' - '.join(words) or 'no reason given'}"
