"""RTMP messages: their types, and those that steer the connection itself (RTMP 1.0, 5.4, 7.1)."""

import struct
from dataclasses import dataclass

SET_CHUNK = 1
ABORT = 2
ACKNOWLEDGEMENT = 3
USER_CONTROL = 4
WINDOW = 5
PEER_BANDWIDTH = 6
AUDIO = 8
VIDEO = 9
DATA_AMF3 = 15
COMMAND_AMF3 = 17
DATA = 18
COMMAND = 20
AGGREGATE = 22

MEDIA = frozenset({AUDIO, VIDEO, AGGREGATE})

STREAM_BEGIN = 0
PING_REQUEST = 6
PING_RESPONSE = 7

DYNAMIC_LIMIT = 2

_U32 = struct.Struct(">I")


@dataclass(slots=True)  # freezing triples what it costs to make one
class Message:
    """One message. `timestamp_ms` is of 32 bits and wraps around; `stream_id` is 0 for control."""

    kind: int
    timestamp_ms: int
    stream_id: int
    payload: bytes


def control(kind: int, payload: bytes) -> Message:
    """Return a message about the connection itself."""
    return Message(kind, 0, 0, payload)


def number(value: int) -> bytes:
    """Return 32 bits, as most control messages hold."""
    return _U32.pack(value & 0xFFFFFFFF)


def read_number(payload: bytes) -> int | None:
    """Return the 32 bits of a control message, None if they are not there."""
    return None if len(payload) < 4 else int(_U32.unpack_from(payload)[0])


def user_control(event: int, value: bytes) -> Message:
    """Return a user control message (RTMP 1.0, 7.1.7)."""
    return control(USER_CONTROL, event.to_bytes(2) + value)
