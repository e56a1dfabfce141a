"""Where the bytes of a part go (pure)."""

from dataclasses import dataclass

from telecine.domains.sources.models import Mode

ENDLESS = 1 << 62
"""The end of a place that nothing bounds, in bytes."""


@dataclass(frozen=True, slots=True)
class Place:
    """Bytes [start, end) of the object that the parts of a source share."""

    start: int
    end: int

    @property
    def room_bytes(self) -> int:
        """Return how many bytes fit."""
        return self.end - self.start


def place_of(
    mode: Mode, number: int, length_bytes: int | None, unit_bytes: int | None
) -> Place | None:
    """Return the place of a part, None where it cannot be known.

    An offset says it outright. A part's number says it once the size of the parts is
    known, which the first stored part that is not the last tells; until then only the
    first part has a place, and that without an end.
    """
    if mode == Mode.BYTES:
        return Place(number, ENDLESS if length_bytes is None else number + length_bytes)
    if unit_bytes is not None:
        return Place((number - 1) * unit_bytes, number * unit_bytes)
    return Place(0, ENDLESS) if number == 1 else None
