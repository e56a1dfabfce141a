"""The part of a file that becomes a video (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

from telecine.domains.videos import timecodes

ASSUMED_RATE = Fraction(25)
"""What `hh:mm:ss:frame` counts in, Hz: clips are fixed before any media is there."""


@dataclass(frozen=True, slots=True)
class Span:
    """From `start_ms` to `end_ms` of a file; `end_ms` None: to its end."""

    start_ms: int = 0
    end_ms: int | None = None

    @classmethod
    def of(cls, start: str | None, end: str | None) -> Self:
        """Read timecodes; a missing one is the file's start or end. Raises ValueError."""
        return cls(
            0 if start is None else timecodes.milliseconds(start, ASSUMED_RATE),
            None if end is None else timecodes.milliseconds(end, ASSUMED_RATE),
        )

    @classmethod
    def from_json(cls, stored: Mapping[str, int | None] | None) -> Self:
        """Rebuild what `as_json` returned; None is the whole file."""
        stored = stored or {}
        return cls(stored.get("start_ms") or 0, stored.get("end_ms"))

    def as_json(self) -> dict[str, int | None] | None:
        """Return it as it is stored in rows; None for the whole file."""
        if self.start_ms == 0 and self.end_ms is None:
            return None
        return {"start_ms": self.start_ms, "end_ms": self.end_ms}

    @property
    def empty(self) -> bool:
        """Tell whether nothing is left."""
        return self.end_ms is not None and self.start_ms >= self.end_ms

    def within(self, other: Self) -> Self:
        """Return this part of another part, in times of the file."""
        start_ms = other.start_ms + self.start_ms
        end_ms = other.end_ms
        if self.end_ms is not None:
            end_ms = other.start_ms + self.end_ms
            if other.end_ms is not None:
                end_ms = min(end_ms, other.end_ms)
        return type(self)(start_ms, end_ms)
