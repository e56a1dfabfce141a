"""Where a part of a form may end: the search that every byte of an upload goes through.

The C library's `memmem` takes a third of the time of `bytes.find`, and there are
gigabytes to search.
"""

import ctypes
from typing import Final

_SHORT_BYTES: Final = 4096  # calling the library costs more than finding


class Delimiter:
    """What ends a part (RFC 2046, 5.1.1): CRLF, two hyphens, the boundary.

    A boundary has no CR, so only the last one in some bytes may begin a delimiter that
    goes on behind them.
    """

    def __init__(self, boundary: bytes) -> None:
        self._wanted = b"\r\n--" + boundary

    def clear_bytes(self, data: bytes | memoryview) -> int:
        """Return how many of the first bytes are surely of the part, whatever follows."""
        found = find(data, self._wanted)
        if found >= 0:
            return found
        end = bytes(data[-len(self._wanted) + 1 :])
        last = end.rfind(b"\r")
        if last >= 0 and self._wanted.startswith(end[last:]):
            return len(data) - len(end) + last
        return len(data)


def find(data: bytes | memoryview, wanted: bytes) -> int:
    """Return where `wanted` is in `data` for the first time, -1 if it is not.

    A view is one of bytes that may be written to.
    """
    if _memmem is None or len(data) < _SHORT_BYTES:
        return bytes(data).find(wanted)
    # The address first: a pointer to a temporary object would be of no use.
    if isinstance(data, bytes):
        begin = ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0
    else:
        begin = ctypes.addressof(ctypes.c_char.from_buffer(data))
    found = _memmem(begin, len(data), wanted, len(wanted))
    return -1 if found is None else int(found) - begin


def _load() -> "ctypes._NamedFuncPointer | None":
    try:
        # It keeps the interpreter's lock: a search takes less than a change of threads.
        memmem = ctypes.PyDLL(None).memmem
    except (OSError, AttributeError):
        return None  # not a library that has it
    memmem.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    memmem.restype = ctypes.c_void_p
    return memmem


_memmem = _load()
