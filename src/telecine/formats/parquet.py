"""Tables as Apache Parquet, a group of rows at a time.

Only what a flat table needs: columns of whole numbers, numbers, moments and texts, all of them
optional; plain values under gzip, in pages of version 1, which every reader knows
(https://parquet.apache.org/docs/file-format/). Metadata is Thrift's compact protocol.
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

MAGIC = b"PAR1"

_GZIP, _PLAIN, _RLE, _OPTIONAL = 2, 0, 3, 1
_LEVEL = 6
_I32, _I64, _BINARY, _LIST, _STRUCT, _TRUE = 5, 6, 8, 9, 12, 1
"""Types of the compact protocol."""


class Type(Enum):
    """What a column has: Parquet's number of its form, and of what it means."""

    INTEGER = (2, None)
    NUMBER = (5, None)
    MOMENT = (2, 10)  # microseconds since 1970, UTC
    TEXT = (6, 0)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Where the values of one column of one group are."""

    offset: int
    size: int
    plain_size: int
    count: int


class Writer:
    """Makes a file of `columns`; nothing of it is kept but where groups are."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._groups: list[list[_Chunk]] = []
        self._size = len(MAGIC)

    def begin(self) -> bytes:
        """Return what a file begins with."""
        return MAGIC

    def group(self, values: Sequence[Sequence[object]]) -> bytes:
        """Return a group of rows: for each column its values, None for those there are none of.

        Moments are microseconds since 1970.
        """
        parts: list[bytes] = []
        chunks = []
        for column, given in zip(self._columns, values, strict=True):
            page, plain_size = _page(column.type, given)
            chunks.append(_Chunk(self._size, len(page), plain_size, len(given)))
            self._size += len(page)
            parts.append(page)
        self._groups.append(chunks)
        return b"".join(parts)

    def end(self) -> bytes:
        """Return what a file ends with: its metadata."""
        rows = sum(group[0].count for group in self._groups)
        root = _struct((4, _BINARY, _text("schema")), (5, _I32, _varint(2 * len(self._columns))))
        metadata = _struct(
            (1, _I32, _int(1)),
            (2, _LIST, _list(_STRUCT, [root, *map(_element, self._columns)])),
            (3, _I64, _int(rows)),
            (4, _LIST, _list(_STRUCT, map(self._group, self._groups))),
            (6, _BINARY, _text("telecine")),
        )
        return metadata + len(metadata).to_bytes(4, "little") + MAGIC

    def _group(self, chunks: Sequence[_Chunk]) -> bytes:
        columns = [
            _struct((2, _I64, _int(chunk.offset)), (3, _STRUCT, _metadata(column, chunk)))
            for column, chunk in zip(self._columns, chunks, strict=True)
        ]
        return _struct(
            (1, _LIST, _list(_STRUCT, columns)),
            (2, _I64, _int(sum(chunk.plain_size for chunk in chunks))),
            (3, _I64, _int(chunks[0].count)),
        )


def _page(kind: Type, values: Sequence[object]) -> tuple[bytes, int]:
    """Return a page and its header, and how long both are without compression."""
    there = np.fromiter((each is not None for each in values), dtype=bool, count=len(values))
    known = [each for each in values if each is not None]
    levels = _levels(there)
    body = len(levels).to_bytes(4, "little") + levels + _plain(kind, known)
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, 31)
    packed = packer.compress(body) + packer.flush()
    about = _struct(
        (1, _I32, _int(len(values))),
        (2, _I32, _int(_PLAIN)),
        (3, _I32, _int(_RLE)),
        (4, _I32, _int(_RLE)),
    )
    header = _struct(
        (1, _I32, _int(0)),
        (2, _I32, _int(len(body))),
        (3, _I32, _int(len(packed))),
        (5, _STRUCT, about),
    )
    return header + packed, len(header) + len(body)


def _levels(there: "np.typing.NDArray[np.bool_]") -> bytes:
    """Return which values there are, as bits, or as a run where all are alike."""
    if there.all() or not there.any():
        return _varint(2 * len(there)) + bytes([bool(there.all())])
    bits = np.packbits(there, bitorder="little").tobytes()
    return _varint(2 * len(bits) + 1) + bits


def _plain(kind: Type, known: Sequence[object]) -> bytes:
    if kind is Type.TEXT:
        parts: list[bytes] = []
        for each in known:
            data = str(each).encode("utf-8", "replace")
            parts += (len(data).to_bytes(4, "little"), data)
        return b"".join(parts)
    return np.array(known, dtype="<f8" if kind is Type.NUMBER else "<i8").tobytes()


def _element(column: Column) -> bytes:
    form, meaning = column.type.value
    fields = [(1, _I32, _int(form)), (3, _I32, _int(_OPTIONAL)), (4, _BINARY, _text(column.name))]
    if meaning is not None:
        fields.append((6, _I32, _int(meaning)))
    if column.type is Type.TEXT:
        fields.append((10, _STRUCT, _struct((1, _STRUCT, _struct()))))
    elif column.type is Type.MOMENT:
        microseconds = _struct((2, _STRUCT, _struct()))
        moment = _struct((1, _TRUE, b""), (2, _STRUCT, microseconds))
        fields.append((10, _STRUCT, _struct((8, _STRUCT, moment))))
    return _struct(*fields)


def _metadata(column: Column, chunk: _Chunk) -> bytes:
    return _struct(
        (1, _I32, _int(column.type.value[0])),
        (2, _LIST, _list(_I32, [_int(_PLAIN), _int(_RLE)])),
        (3, _LIST, _list(_BINARY, [_text(column.name)])),
        (4, _I32, _int(_GZIP)),
        (5, _I64, _int(chunk.count)),
        (6, _I64, _int(chunk.plain_size)),
        (7, _I64, _int(chunk.size)),
        (9, _I64, _int(chunk.offset)),
    )


def _struct(*fields: tuple[int, int, bytes]) -> bytes:
    """Return a struct of fields: number (ascending), type, and value."""
    parts: list[bytes] = []
    last = 0
    for number, kind, value in fields:
        parts += (bytes([(number - last) << 4 | kind]), value)
        last = number
    return b"".join([*parts, b"\0"])


def _list(kind: int, items: Iterable[bytes]) -> bytes:
    given = list(items)
    if len(given) < 15:
        return bytes([len(given) << 4 | kind]) + b"".join(given)
    return bytes([0xF0 | kind]) + _varint(len(given)) + b"".join(given)


def _text(value: str) -> bytes:
    data = value.encode()
    return _varint(len(data)) + data


def _int(value: int) -> bytes:
    """Return a number of 32 or 64 bits, signed."""
    return _varint(value << 1 if value >= 0 else (-value << 1) - 1)


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
