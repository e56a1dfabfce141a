"""The only place that reads clocks, so that tests can hold time still."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time, timezone-aware, in UTC."""
    return datetime.now(UTC)


def monotonic_s() -> float:
    """Return seconds of a clock that never goes back (origin undefined)."""
    return time.monotonic()


def unix_ms() -> int:
    """Return milliseconds since 1970-01-01T00:00:00Z."""
    return time.time_ns() // 1_000_000
