"""Messages in chunks, interleaved on one connection (Adobe RTMP 1.0, 5.3)."""

import struct
from dataclasses import dataclass

from telecine.protocols.errors import ProtocolError
from telecine.protocols.rtmp import messages
from telecine.protocols.rtmp.messages import Message

DEFAULT_CHUNK_BYTES = 128
MAX_CHUNK_BYTES = 0xFFFFFF

MAX_MEDIA_BYTES = 8 << 20
"""Of one audio or video message: a key frame of 4K at 50 Mbps has 2 MB."""

MAX_OTHER_BYTES = 64 << 10
MAX_STREAMS = 32
MAX_PENDING_BYTES = 12 << 20
"""Of all messages together that have begun to arrive."""

_EXTENDED = 0xFFFFFF
_TRACKS = frozenset({messages.AUDIO, messages.VIDEO})
_HEADER_BYTES = (11, 7, 3, 0)
_LONGEST_HEADER_BYTES = 12
_FULL_HEADER = struct.Struct(">II")  # of a chunk, up to the message stream


@dataclass(slots=True)
class _Stream:
    """What a chunk stream remembers from one header to the next."""

    timestamp_ms: int = 0
    delta_ms: int = 0
    length: int = 0
    kind: int = 0
    stream_id: int = 0
    extended: int | None = None
    body: bytearray | None = None
    follows: bytes = b""  # the header of its further chunks, if that is one byte


class ChunkReader:
    """Puts messages together. Holds at most `MAX_PENDING_BYTES` and one header."""

    def __init__(self) -> None:
        self._chunk_bytes = DEFAULT_CHUNK_BYTES
        self._streams: dict[int, _Stream] = {}
        self._head = b""  # of a header that is not all here
        self._open: _Stream | None = None  # whose chunk is being read
        self._chunk_left = 0
        self._pending_bytes = 0

    def feed(self, data: bytes) -> list[Message]:
        """Take bytes off the wire; return the messages that they complete.

        A message that changes how chunks are read takes effect before the next one.

        Raises:
            ProtocolError: a header cannot be, or a bound is passed.
        """
        if self._head:
            data, self._head = self._head + data, b""
        done: list[Message] = []
        at, end = 0, len(data)
        while at < end:
            if self._open is None:
                whole = self._read_whole(data, at, end, done)
                if whole:
                    at = whole
                    continue
                header_end = self._read_header(data, at, end)
                if header_end is None:
                    self._head = data[at:]
                    break
                at = header_end
            at = self._read_body(data, at, end, done)
        return done

    def _read_whole(self, data: bytes, at: int, end: int, done: list[Message]) -> int:
        """Read sound or a picture that is all here, as most are; return where it ends.

        0: it is not, or something about it is rare; then nothing is done. It does in one go
        what `_read_header` and `_read_body` do, for this is what most time is spent with.
        """
        if end - at < _LONGEST_HEADER_BYTES:
            return 0
        first, second = _FULL_HEADER.unpack_from(data, at)
        form, time, stream = first >> 30, first & 0xFFFFFF, self._streams.get(first >> 24 & 63)
        if stream is None or form == 3 or stream.body is not None:
            return 0
        length, kind = (second >> 8, second & 0xFF) if form < 2 else (stream.length, stream.kind)
        begin, size = at + 1 + _HEADER_BYTES[form], self._chunk_bytes
        further = (length - 1) // size if length > size else 0
        stop = begin + length + further
        if stop > end or time == _EXTENDED or kind not in _TRACKS or length > MAX_MEDIA_BYTES:
            return 0
        if further:
            if data[begin + size : stop : size + 1] != stream.follows * further:
                return 0  # other messages are between its chunks
            chunks = bytearray(memoryview(data)[begin:stop])
            del chunks[size :: size + 1]  # the headers between them
            payload = bytes(chunks)
        else:
            payload = data[begin:stop]
        stream.length, stream.kind, stream.extended = length, kind, None
        if form:
            stream.delta_ms = time
            stream.timestamp_ms = (stream.timestamp_ms + time) & 0xFFFFFFFF
        else:
            stream.timestamp_ms, stream.delta_ms = time, 0
            stream.stream_id = int.from_bytes(data[at + 8 : at + 12], "little")
        done.append(Message(kind, stream.timestamp_ms, stream.stream_id, payload))
        return stop

    def _read_header(self, data: bytes, at: int, end: int) -> int | None:
        """Read a chunk's headers from `at`; return where its bytes begin, None: not all here."""
        form, number = data[at] >> 6, data[at] & 63
        at += 1
        if number < 2:
            more = number + 1
            if end - at < more:
                return None
            number = 64 + int.from_bytes(data[at : at + more], "little")
            at += more
        stream = self._streams.get(number)
        fields_end = at + _HEADER_BYTES[form]
        extended = stream is not None and form == 3 and stream.extended is not None
        if end < fields_end + (4 if extended else 0):
            return None
        if form < 3 and data[at : at + 3] == b"\xff\xff\xff":
            extended = True
            if end < fields_end + 4:
                return None
        if stream is None:
            stream = self._new_stream(number, form)
        if form < 3:
            self._new_message(stream, data, at, form)
            at = fields_end + (4 if extended else 0)
        else:
            # Some senders repeat the extended timestamp here, some do not.
            repeated = int.from_bytes(data[at : at + 4]) if extended else None
            if repeated is not None and repeated == stream.extended:
                at += 4
            if stream.body is None:
                stream.timestamp_ms = (stream.timestamp_ms + stream.delta_ms) & 0xFFFFFFFF
        self._begin_chunk(stream)
        return at

    def _new_stream(self, number: int, form: int) -> _Stream:
        if form > 1:
            raise ProtocolError(f"a chunk stream begins with a header of type {form}")
        if len(self._streams) >= MAX_STREAMS:
            raise ProtocolError(f"more than {MAX_STREAMS} chunk streams")
        made = self._streams[number] = _Stream()
        if number < 64:
            made.follows = bytes([0xC0 | number])
        return made

    def _new_message(self, stream: _Stream, data: bytes, at: int, form: int) -> None:
        if stream.body is not None:
            raise ProtocolError("a new header inside a message")
        time = int.from_bytes(data[at : at + 3])
        fields_end = at + _HEADER_BYTES[form]
        stream.extended = None
        if time == _EXTENDED:
            time = stream.extended = int.from_bytes(data[fields_end : fields_end + 4])
        if form < 2:
            stream.length = int.from_bytes(data[at + 3 : at + 6])
            stream.kind = data[at + 6]
        if form == 0:
            stream.stream_id = int.from_bytes(data[at + 7 : at + 11], "little")
            stream.timestamp_ms, stream.delta_ms = time, 0
        else:
            stream.delta_ms = time
            stream.timestamp_ms = (stream.timestamp_ms + time) & 0xFFFFFFFF

    def _begin_chunk(self, stream: _Stream) -> None:
        if stream.body is None:
            bound = MAX_MEDIA_BYTES if stream.kind in messages.MEDIA else MAX_OTHER_BYTES
            if stream.length > bound:
                msg = f"a message of type {stream.kind} and {stream.length} bytes"
                raise ProtocolError(msg)
            stream.body = bytearray()
        self._open = stream
        self._chunk_left = min(self._chunk_bytes, stream.length - len(stream.body))

    def _read_body(self, data: bytes, at: int, end: int, done: list[Message]) -> int:
        """Take the bytes of the open chunk; return where the next one begins."""
        stream = self._open
        assert stream is not None  # noqa: S101 - the callers' condition
        assert stream.body is not None  # noqa: S101
        take = min(self._chunk_left, end - at)
        stream.body += memoryview(data)[at : at + take]
        self._chunk_left -= take
        self._pending_bytes += take
        if self._chunk_left:
            return at + take
        self._open = None
        if len(stream.body) == stream.length:
            payload, stream.body = bytes(stream.body), None
            self._pending_bytes -= len(payload)
            message = Message(stream.kind, stream.timestamp_ms, stream.stream_id, payload)
            self._obey(message)
            done.append(message)
        elif self._pending_bytes > MAX_PENDING_BYTES:
            raise ProtocolError("too many unfinished messages")
        return at + take

    def _obey(self, message: Message) -> None:
        if message.kind == messages.SET_CHUNK:
            size = (messages.read_number(message.payload) or 0) & 0x7FFFFFFF
            if not 1 <= size <= MAX_CHUNK_BYTES:
                raise ProtocolError(f"a chunk size of {size} bytes")
            self._chunk_bytes = size
        elif message.kind == messages.ABORT:
            stream = self._streams.get(messages.read_number(message.payload) or 0)
            if stream is not None and stream.body is not None:
                self._pending_bytes -= len(stream.body)
                stream.body = None


def encode(message: Message, chunk_stream: int, chunk_bytes: int) -> bytes:
    """Return a message as chunks with a full header in front; `chunk_stream` is 2 to 63."""
    stamp = min(message.timestamp_ms, _EXTENDED)
    extended = message.timestamp_ms.to_bytes(4) if stamp == _EXTENDED else b""
    payload, stream_id = message.payload, message.stream_id.to_bytes(4, "little")
    head = _FULL_HEADER.pack(chunk_stream << 24 | stamp, len(payload) << 8 | message.kind)
    pieces = [head, stream_id, extended, payload[:chunk_bytes]]
    if len(payload) > chunk_bytes:
        further = bytes((0xC0 | chunk_stream,)) + extended
        for at in range(chunk_bytes, len(payload), chunk_bytes):
            pieces += further, payload[at : at + chunk_bytes]
    return b"".join(pieces)
