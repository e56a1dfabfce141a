"""The handshake of SRT 1.3 and newer, as the listener sees it (section 4.3).

Induction tells the caller a cookie, and costs us nothing to remember; the conclusion that
brings it back holds what the caller wants, in extensions.
"""

import hmac
import struct
from dataclasses import dataclass, field, replace

from telecine.protocols.errors import ProtocolError
from telecine.protocols.srt.packets import MTU_BYTES

VERSION = 5
MAGIC = 0x4A17
INDUCTION = 1
CONCLUSION = 0xFFFF_FFFF
CONTENT_BYTES = 48

SRT_VERSION = 0x010503
_LEAST_SRT_VERSION = 0x010300

HS_REQUEST, HS_ANSWER, KEY_REQUEST, KEY_ANSWER, STREAM_ID, CONGESTION, FILTER, GROUP = range(1, 9)
_HAS_HS, _HAS_KEY, _HAS_OTHERS = 1, 2, 4
MAX_STREAM_ID_BYTES = 512

TSBPD_SEND, TSBPD_RECEIVE, CRYPT, DROPS_LATE, PERIODIC_NAK, REPEAT_FLAG, STREAM_MODE = (
    1 << bit for bit in range(7)
)
_OUR_FLAGS = TSBPD_SEND | TSBPD_RECEIVE | CRYPT | DROPS_LATE | PERIODIC_NAK | REPEAT_FLAG

ROGUE, VERSION_TOO_OLD, BAD_SECRET, UNSECURE = 1004, 1008, 1010, 1011
MESSAGE_API, NOT_LIVE, BAD_FILTER, BAD_GROUP, BAD_CIPHER = 1012, 1013, 1014, 1015, 1017
UNAUTHORIZED, BAD_MODE = 2401, 2405
"""Reasons to refuse: 1000 and the protocol's own, or 2000 and one like HTTP's."""

LEAST_LATENCY_MS = 120
MOST_LATENCY_MS = 10_000

WINDOW_PACKETS = 8192
"""What a sender may have on the way."""

_FIELDS = struct.Struct(">IHHIIIIII")


class Rejected(ProtocolError):
    """The handshake is refused with a code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """The content of a handshake packet; `extensions` are (type, content)."""

    version: int = VERSION
    encryption: int = 0
    flags: int = 0
    sequence: int = 0
    mtu_bytes: int = MTU_BYTES
    window_packets: int = WINDOW_PACKETS
    kind: int = CONCLUSION
    socket_id: int = 0
    cookie: int = 0
    peer: bytes = bytes(16)
    extensions: tuple[tuple[int, bytes], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller asks for; `stream_id` holds a secret.

    Latencies in ms; `key_message` is empty without encryption.
    """

    stream_id: str = field(repr=False)
    send_latency_ms: int
    receive_latency_ms: int
    key_message: bytes


def read(content: bytes) -> Handshake:
    """Read the content of a handshake packet. Raises ProtocolError: it ends early."""
    if len(content) < CONTENT_BYTES:
        raise ProtocolError(f"a handshake of {len(content)} bytes")
    (version, encryption, flags, sequence, mtu_bytes, window_packets, kind, socket_id, cookie) = (
        _FIELDS.unpack_from(content)
    )
    extensions, at = list[tuple[int, bytes]](), CONTENT_BYTES
    while kind == CONCLUSION and version == VERSION and at + 4 <= len(content):
        name, words = struct.unpack_from(">HH", content, at)
        at += 4 + 4 * words
        if at > len(content):
            raise ProtocolError("an extension of a handshake ends early")
        extensions.append((name, content[at - 4 * words : at]))
    return Handshake(
        version=version,
        encryption=encryption,
        flags=flags,
        sequence=sequence & 0x7FFF_FFFF,
        mtu_bytes=mtu_bytes,
        window_packets=window_packets,
        kind=kind,
        socket_id=socket_id,
        cookie=cookie,
        peer=content[32:CONTENT_BYTES],
        extensions=tuple(extensions),
    )


def write(shake: Handshake) -> bytes:
    """Return the content of a handshake packet."""
    fields = _FIELDS.pack(
        shake.version,
        shake.encryption,
        shake.flags,
        shake.sequence,
        shake.mtu_bytes,
        shake.window_packets,
        shake.kind,
        shake.socket_id,
        shake.cookie,
    )
    parts = [fields, shake.peer]
    for name, content in shake.extensions:
        padded = content + bytes(-len(content) % 4)
        parts += [struct.pack(">HH", name, len(padded) // 4), padded]
    return b"".join(parts)


def cookie(secret: bytes, address: tuple[object, ...], minute: int) -> int:
    """Return what proves that a caller receives at its address: 32 bits, for a minute."""
    told = f"{address[0]} {address[1]} {minute}".encode()
    return int.from_bytes(hmac.digest(secret, told, "sha256")[:4])


def induced(asked: Handshake, value: int) -> Handshake:
    """Return the answer to an induction."""
    return replace(asked, version=VERSION, encryption=0, flags=MAGIC, cookie=value, extensions=())


def wanted(asked: Handshake) -> Wanted:
    """Return what a conclusion asks for.

    Raises:
        Rejected: it asks for what we do not have, or is none of a sender of ours.
    """
    if asked.version != VERSION:
        raise Rejected(VERSION_TOO_OLD, f"handshake of version {asked.version}")
    told = dict(asked.extensions)
    basics = told.get(HS_REQUEST, b"")
    if len(basics) < 12:
        raise Rejected(ROGUE, "a handshake without its extension")
    version, flags, receive_ms, send_ms = struct.unpack_from(">IIHH", basics)
    if version < _LEAST_SRT_VERSION:
        raise Rejected(VERSION_TOO_OLD, f"SRT of version {version:#x}")
    if flags & STREAM_MODE:
        raise Rejected(MESSAGE_API, "a stream of bytes, not of messages")
    if not flags & TSBPD_SEND:
        raise Rejected(NOT_LIVE, "a transmission without times")
    if told.get(CONGESTION, b"live") != b"live":
        name = _text(told[CONGESTION])
        if name != "live":
            raise Rejected(NOT_LIVE, f"congestion control {name!r}")
    if FILTER in told:
        raise Rejected(BAD_FILTER, "a packet filter")
    if GROUP in told:
        raise Rejected(BAD_GROUP, "a group of connections")
    named = told.get(STREAM_ID, b"")
    if len(named) > MAX_STREAM_ID_BYTES:
        raise Rejected(ROGUE, f"a stream id of {len(named)} bytes")
    return Wanted(_text(named), send_ms, receive_ms, told.get(KEY_REQUEST, b""))


def stream_id_content(text: str) -> bytes:
    """Return text as extensions have it: in words whose bytes are swapped."""
    return _swapped(text.encode())


def _text(content: bytes) -> str:
    return _swapped(content).rstrip(b"\0").decode("utf-8", "replace")


def _swapped(content: bytes) -> bytes:
    padded = content + bytes(-len(content) % 4)
    return b"".join(padded[at : at + 4][::-1] for at in range(0, len(padded), 4))


def concluded(asked: Handshake, want: Wanted, socket_id: int) -> tuple[Handshake, int]:
    """Return the answer that accepts a caller, and the latency in ms that it grants.

    The larger of both sides' wishes holds (section 4.4).
    """
    latency_ms = min(max(LEAST_LATENCY_MS, want.send_latency_ms), MOST_LATENCY_MS)
    basics = struct.pack(">IIHH", SRT_VERSION, _OUR_FLAGS, latency_ms, want.receive_latency_ms)
    extensions = [(HS_ANSWER, basics)]
    flags = _HAS_HS
    if want.key_message:
        extensions.append((KEY_ANSWER, want.key_message))
        flags |= _HAS_KEY
    answer = replace(
        asked,
        flags=flags,
        mtu_bytes=min(asked.mtu_bytes, MTU_BYTES),
        window_packets=WINDOW_PACKETS,
        socket_id=socket_id,
        extensions=tuple(extensions),
    )
    return answer, latency_ms


def refused(asked: Handshake, code: int) -> Handshake:
    """Return the answer that refuses a caller."""
    return replace(asked, version=VERSION, flags=0, kind=code, extensions=())


def conclusion(
    answer: Handshake, stream_id: str, latency_ms: int, key_message: bytes = b""
) -> Handshake:
    """Return what a caller says to the answer of its induction, as encoders do."""
    basics = struct.pack(">IIHH", SRT_VERSION, _OUR_FLAGS, latency_ms, latency_ms)
    extensions = [(HS_REQUEST, basics), (STREAM_ID, stream_id_content(stream_id))]
    if key_message:
        extensions.append((KEY_REQUEST, key_message))
    flags = _HAS_HS | _HAS_OTHERS | (_HAS_KEY if key_message else 0)
    return replace(answer, kind=CONCLUSION, flags=flags, extensions=tuple(extensions))
