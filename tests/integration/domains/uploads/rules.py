"""The documented rules of uploads in parts and ranges, told a second time, and simply.

What is wrong with a request is found in the documented order: the state of the video,
syntax, zeros, absolute limits, mode, total, range beside the total, repetitions, the
file, its length beside the range, its smallest size.
"""

import re

_RANGE = "video-content-range"
_PART, _BYTES = f"{_RANGE}-by-part", f"{_RANGE}-by-bytes"
_MOST_PARTS = 10_000
_SYNTAX = re.compile(r"(?:bytes (\d+)-(\d+)|part (\d+))/(\d+|\*)")


class Rules:
    """What one video has got, and what it answers next."""

    def __init__(self, min_bytes: int) -> None:
        self._min_bytes = min_bytes
        self.taken: list[tuple[str | None, int]] = []
        self._mode: str | None = None
        self._total: int | None = None
        self._stored: dict[int, bytes] = {}  # by number, or by first byte
        self.is_complete = False

    @property
    def content(self) -> bytes:
        """Return the file that was put together."""
        return b"".join(self._stored[key] for key in sorted(self._stored))

    def answer(self, header: str | None, file: bytes) -> str | None:
        """Return the error of a request; None if it is taken, which is then noted."""
        if self.is_complete:
            return "video-source-already-uploaded"
        if header is None:
            error = self._whole(file)
        elif (found := _SYNTAX.fullmatch(header)) is None:
            error = f"{_RANGE}-malformed"
        elif found[3] is not None:
            error = self._part(int(found[3]), _number(found[4]), file)
        else:
            error = self._bytes(int(found[1]), int(found[2]), _number(found[4]), file)
        if error is None:
            self.taken.append((header, len(file)))
        return error

    def _whole(self, file: bytes) -> str | None:
        if self._mode is not None:
            return f"{_RANGE}-already-initiated"
        if not file:
            return "uploaded-file-empty"
        self._stored[0] = file
        self.is_complete = True
        return None

    def _part(self, part: int, total: int | None, file: bytes) -> str | None:
        known = self._total if total is None else total
        errors = [
            (part == 0, f"{_PART}-part-zero"),
            (total == 0, f"{_PART}-total-parts-zero"),
            (part > _MOST_PARTS, f"{_PART}-part-too-high-allowed"),
            ((total or 0) > _MOST_PARTS, f"{_PART}-total-parts-too-high"),
            (self._mode == "bytes", f"{_RANGE}-started-with-bytes"),
            (self._is_other(total), f"{_PART}-different-total-parts"),
            (
                total is not None and max(self._stored, default=0) > total,
                f"{_PART}-total-parts-too-low",
            ),
            (known is not None and part > known, f"{_PART}-part-too-high-total"),
            (part in self._stored, f"{_PART}-part-already-sent"),
            (not file, "uploaded-file-empty"),
            (len(file) < self._min_bytes and part != known, "uploaded-file-too-small"),
        ]
        return self._take("part", part, total, file, errors)

    def _bytes(self, first: int, last: int, total: int | None, file: bytes) -> str | None:
        known = self._total if total is None else total
        ends = {start: start + len(stored) - 1 for start, stored in self._stored.items()}
        errors = [
            (total == 0, f"{_BYTES}-total-bytes-zero"),
            (first > last, f"{_BYTES}-from-byte-too-high"),
            (self._mode == "part", f"{_RANGE}-started-with-part"),
            (self._is_other(total), f"{_BYTES}-different-total-bytes"),
            (
                total is not None and max(ends.values(), default=-1) >= total,
                f"{_BYTES}-total-bytes-too-low",
            ),
            (known is not None and last >= known, f"{_BYTES}-to-byte-too-high-total"),
            (
                any(start <= last and end >= first for start, end in ends.items()),
                f"{_BYTES}-range-overlap",
            ),
            (not file, "uploaded-file-empty"),
            (len(file) != last - first + 1, f"{_BYTES}-range-mismatch"),
            (
                len(file) < self._min_bytes and (known is None or last != known - 1),
                f"{_BYTES}-range-too-small",
            ),
        ]
        return self._take("bytes", first, total, file, errors)

    def _is_other(self, total: int | None) -> bool:
        return None not in (total, self._total) and total != self._total

    def _take(
        self,
        mode: str,
        key: int,
        total: int | None,
        file: bytes,
        errors: list[tuple[bool, str]],
    ) -> str | None:
        for is_so, slug in errors:
            if is_so:
                return slug
        self._mode, self._stored[key] = mode, file
        self._total = self._total if total is None else total
        held = len(self._stored) if mode == "part" else sum(map(len, self._stored.values()))
        self.is_complete = held == self._total
        return None


def _number(text: str) -> int | None:
    return None if text == "*" else int(text)
