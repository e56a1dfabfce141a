"""Immutable objects of numpy tables: one header, then the arrays, each aligned.

Layout: magic (4 bytes), header size (u32, little-endian), JSON header
`{"meta": …, "tables": {name: [dtype, length]}}`, then the arrays in that order,
each starting at a multiple of 8. Reading makes views, never copies.
"""

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

MAGIC = b"TCT1"
_ALIGN = 8


class TableError(ValueError):
    """The bytes are not such an object."""


def _padding(size: int) -> int:
    return -size % _ALIGN


def pack(meta: Mapping[str, Any], tables: Mapping[str, np.ndarray[Any, Any]]) -> bytes:
    """Return one object that holds `meta` (JSON) and one-dimensional `tables`."""
    shapes = {name: [table.dtype.str, len(table)] for name, table in tables.items()}
    header = json.dumps({"meta": meta, "tables": shapes}).encode()
    header += b" " * _padding(8 + len(header))
    parts = [MAGIC, struct.pack("<I", len(header)), header]
    for table in tables.values():
        data = np.ascontiguousarray(table).tobytes()
        parts += [data, bytes(_padding(len(data)))]
    return b"".join(parts)


def unpack(
    data: bytes | memoryview,
) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
    """Return (meta, tables); the tables are read-only views of `data`.

    Raises:
        TableError: the bytes were not made by `pack`, or are cut short.
    """
    view = memoryview(data)
    if bytes(view[:4]) != MAGIC or len(view) < 8:
        msg = "not an object of tables"
        raise TableError(msg)
    (header_size,) = struct.unpack_from("<I", view, 4)
    header = json.loads(bytes(view[8 : 8 + header_size]))
    position = 8 + header_size
    tables: dict[str, np.ndarray[Any, Any]] = {}
    for name, (kind, length) in header["tables"].items():
        dtype = np.dtype(kind)
        size = dtype.itemsize * length
        if position + size > len(view):
            msg = f"table {name} is cut short"
            raise TableError(msg)
        tables[name] = np.frombuffer(view, dtype, length, position)
        position += size + _padding(size)
    return header["meta"], tables
