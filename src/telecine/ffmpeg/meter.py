"""What the runs of a piece of work used and said, also those that failed."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(slots=True)
class Meter:
    """Adds up all runs inside of a `metered` block."""

    cpu_s: float = 0.0
    last_words: str = ""
    """The end of what the last run wrote to stderr."""

    troubles: list[str] = field(default_factory=list)
    """Why a run was done again, in order."""


_METER: ContextVar[Meter | None] = ContextVar("meter", default=None)


@contextlib.contextmanager
def metered() -> Iterator[Meter]:
    """Count the runs of this task, and of tasks that it starts."""
    meter = Meter()
    token = _METER.set(meter)
    try:
        yield meter
    finally:
        _METER.reset(token)


def note_run(cpu_s: float, last_words: str) -> None:
    """Add a run that has ended."""
    meter = _METER.get()
    if meter is not None:
        meter.cpu_s += cpu_s
        meter.last_words = last_words


def note_trouble(reason: str) -> None:
    """Say that a run failed and will be done again in another manner."""
    meter = _METER.get()
    if meter is not None:
        meter.troubles.append(reason)
