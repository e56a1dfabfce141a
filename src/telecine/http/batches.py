"""How much of a body is collected before it is written: less, the more of them arrive."""

from collections.abc import Iterator
from contextlib import contextmanager

MOST_BYTES = 2 * 1024 * 1024
SHARED_BYTES = 12 * 1024 * 1024
"""What all bodies of a process may wait with together; but each writes one read at a time."""

LEAST_BYTES = 256 * 1000  # a read of uvloop

_bodies: set[object] = set()
"""Those that arrive at this process now."""


@contextmanager
def arriving() -> Iterator[None]:
    """Count a body that arrives while the block lasts."""
    body = object()
    _bodies.add(body)
    try:
        yield
    finally:
        _bodies.discard(body)


def batch_bytes() -> int:
    """Return with how much to write: large batches cost less, many of them hold memory."""
    return min(MOST_BYTES, max(LEAST_BYTES, SHARED_BYTES // max(1, len(_bodies))))
