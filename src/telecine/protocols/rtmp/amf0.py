"""AMF0, in which RTMP's commands are written (Adobe AMF 0, December 2007).

Numbers are float, objects and ECMA arrays dict, null and undefined None.
"""

import struct
from collections.abc import Mapping, Sequence

from telecine.protocols.errors import ProtocolError

Value = float | bool | str | None | dict[str, "Value"] | list["Value"]
"""What AMF0 can say, as far as RTMP needs it."""

MAX_DEPTH = 8
MAX_VALUES = 64
MAX_PROPERTIES = 4096

_DOUBLE = struct.Struct(">d")


def decode(data: bytes) -> list[Value]:
    """Return all values of a command or data message, at most 64.

    Raises:
        ProtocolError: it ends early, nests deeper than 8, has more than 4,096 properties
            or a type that we do not know.
    """
    reader = _Reader(data)
    values: list[Value] = []
    while reader.at < len(data):
        if len(values) >= MAX_VALUES:
            raise ProtocolError(f"more than {MAX_VALUES} values in a message")
        values.append(reader.value(0))
    return values


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0
        self._properties_left = MAX_PROPERTIES

    def value(self, depth: int) -> Value:
        if depth > MAX_DEPTH:
            raise ProtocolError(f"values nest deeper than {MAX_DEPTH}")
        kind = self._take(1)[0]
        if kind == 0x11:  # AMF3 from here on: what follows the marker in practice is AMF0
            return self.value(depth + 1)
        if kind in (0x08, 0x0A):
            return self._array(kind, depth)
        if kind == 0x10:
            self._text(2)  # its class
            return self._object(depth)
        if kind == 0x03:
            return self._object(depth)
        return self._plain(kind)

    def _plain(self, kind: int) -> Value:
        if kind == 0x00:
            return float(_DOUBLE.unpack(self._take(8))[0])
        if kind == 0x01:
            return self._take(1) != b"\0"
        if kind == 0x02:
            return self._text(2)
        if kind in (0x05, 0x06):  # null, undefined
            return None
        if kind == 0x07:  # a reference
            self._take(2)
            return None
        if kind == 0x0B:  # a date, and a time zone that must be 0
            return float(_DOUBLE.unpack(self._take(10)[:8])[0])
        if kind in (0x0C, 0x0F):
            return self._text(4)
        raise ProtocolError(f"a value of type {kind}")

    def _array(self, kind: int, depth: int) -> Value:
        count = int.from_bytes(self._take(4))
        if kind == 0x08:
            return self._object(depth)  # the count is only a hint
        found: list[Value] = []
        for _ in range(count):
            self._spend()
            found.append(self.value(depth + 1))
        return found

    def _object(self, depth: int) -> dict[str, Value]:
        found: dict[str, Value] = {}
        while True:
            if self.at == len(self._data):
                return found  # some senders leave the end out
            name = self._text(2)
            if not name and self._data[self.at : self.at + 1] in (b"\x09", b""):
                self.at += 1
                return found
            self._spend()
            found[name] = self.value(depth + 1)

    def _spend(self) -> None:
        self._properties_left -= 1
        if self._properties_left < 0:
            raise ProtocolError(f"more than {MAX_PROPERTIES} properties in a message")

    def _text(self, length_bytes: int) -> str:
        data = self._take(int.from_bytes(self._take(length_bytes)))
        # What is handed on must not become longer than it was: U+FFFD has three bytes.
        return data.decode("utf-8", "replace").replace("\N{REPLACEMENT CHARACTER}", "?")

    def _take(self, count: int) -> bytes:
        taken = self._data[self.at : self.at + count]
        if len(taken) < count:
            raise ProtocolError("a value ends early")
        self.at += count
        return taken


def encode(*values: object) -> bytes:
    """Return values one after the other.

    Raises:
        TypeError: AMF0 has no such value.
        ValueError: a name is longer than 65,535 bytes.
    """
    out = bytearray()
    for value in values:
        _encode(out, value)
    return bytes(out)


def _encode(out: bytearray, value: object) -> None:
    if value is None:
        out.append(0x05)
    elif isinstance(value, bool):
        out += bytes((0x01, value))
    elif isinstance(value, int | float):
        out += b"\0" + _DOUBLE.pack(value)
    elif isinstance(value, str):
        text = value.encode()
        short = len(text) < 1 << 16
        out += (b"\x02" if short else b"\x0c") + len(text).to_bytes(2 if short else 4) + text
    elif isinstance(value, Mapping):
        out.append(0x03)
        for name, inner in value.items():
            named = name.encode()
            if len(named) >= 1 << 16:
                raise ValueError(f"a name of {len(named)} bytes")
            out += len(named).to_bytes(2) + named
            _encode(out, inner)
        out += b"\0\0\x09"
    elif isinstance(value, Sequence):
        out += b"\x0a" + len(value).to_bytes(4)
        for inner in value:
            _encode(out, inner)
    else:
        raise TypeError(f"AMF0 has no {type(value).__name__}")
