"""How a process deals with memory that it does not need any more."""

import ctypes
from contextlib import suppress

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
_LARGE_BYTES = 256 << 10


def give_back_large_blocks() -> None:
    """Return blocks of 256 KiB and more to the system as soon as they are free.

    glibc keeps more and more of them the larger they were (mallopt(3), M_MMAP_THRESHOLD): a
    process that looks at a film of hours now and then would hold twice what it needs. Other
    C libraries have no such setting and keep less.
    """
    with suppress(AttributeError):
        set_option = ctypes.CDLL(None).mallopt
        set_option(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        set_option(_M_TRIM_THRESHOLD, _LARGE_BYTES)
