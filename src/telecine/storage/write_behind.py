"""The disk begins to write while bytes still come: the fsync at the end finds little left.

Without it the kernel collects up to half a minute of a fast upload, and whoever sent the
last byte waits for all of it.
"""

import ctypes
import sys
from typing import Any, Final

EVERY_BYTES: Final = 8 << 20

_START_WRITING: Final = 2  # SYNC_FILE_RANGE_WRITE (linux/fs.h)


def _load() -> Any:  # noqa: ANN401 - a function of the C library, or None
    if not sys.platform.startswith("linux"):
        return None
    function = getattr(ctypes.CDLL(None), "sync_file_range", None)
    if function is not None:
        function.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
        function.restype = ctypes.c_int
    return function


_sync_file_range = _load()


def start_writing(descriptor: int) -> None:
    """Have the disk begin to write what is new of a file; does not wait for it.

    Makes nothing durable and tells of no error: fsync does both, and finds any error that
    came up meanwhile (`sync_file_range(2)` without a flag to wait leaves it unread).
    """
    if _sync_file_range is not None:
        _sync_file_range(descriptor, 0, 0, _START_WRITING)  # 0 bytes: up to the end
