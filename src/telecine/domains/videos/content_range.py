"""The `Content-Range` request header of uploads, as far as it can be judged alone (pure)."""

import re
from dataclasses import dataclass

from telecine.problems import Problem, problem

NAME = "Content-Range"
MAX_PARTS = 10_000
MAX_TOTAL_BYTES = 52_428_800_000
"""Documented: 10,000 ranges of 5 MiB."""

_SYNTAX = re.compile(
    r"\s*(?:bytes\s+(?P<first>\d{1,18})\s*-\s*(?P<last>\d{1,18})|part\s+(?P<part>\d{1,18}))"
    r"\s*/\s*(?P<total>\d{1,18}|\*)\s*",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class PartRange:
    """`part n/total`; the total is None while it is unknown (`*`)."""

    part: int
    total: int | None

    @property
    def whole(self) -> bool:
        """Tell whether this request carries the whole file."""
        return self.part == self.total == 1

    def check_size(self, size_bytes: int) -> None:
        """Accept any size: a part that is the whole file may be small."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """`bytes first-last/total`, both inclusive."""

    first: int
    last: int
    total: int | None

    @property
    def whole(self) -> bool:
        """Tell whether this request carries the whole file."""
        return self.first == 0 and self.total == self.last + 1

    def check_size(self, size_bytes: int) -> None:
        """Raise Problem unless the file has as many bytes as the range."""
        length = self.last - self.first + 1
        if size_bytes != length:
            raise _of_bytes(
                "range-mismatch",
                "The size of the file you sent is different than the range length you set in the "
                '"Content-Range" header.',
                f"The file has {size_bytes} bytes, the range {length}.",
            )


def _error(slug: str, title: str, detail: str | None = None) -> Problem:
    return problem(400, f"video-content-range-{slug}", title, NAME, detail)


def _of_bytes(slug: str, title: str, detail: str | None = None) -> Problem:
    return _error(f"by-bytes-{slug}", title, detail)


def _of_parts(slug: str, title: str, detail: str | None = None) -> Problem:
    return _error(f"by-part-{slug}", title, detail)


def parse(value: str) -> PartRange | ByteRange:
    """Return the range. Raises Problem in the documented order of precedence."""
    match = _SYNTAX.fullmatch(value)
    if match is None:
        raise _error(
            "malformed",
            'The value of the "Content-Range" header is malformed, the expected format is '
            '"bytes <from_byte>-<to_byte>/<total_bytes>" or "part <part>/<total_parts>".',
        )
    total = None if match["total"] == "*" else int(match["total"])
    if match["part"] is not None:
        return _checked_part(PartRange(int(match["part"]), total))
    return _checked_bytes(ByteRange(int(match["first"]), int(match["last"]), total))


def _checked_part(given: PartRange) -> PartRange:
    header = 'value in the "Content-Range" header'
    if given.part == 0:
        raise _of_parts("part-zero", f'The "part" {header} must be greater than 0.')
    if given.total == 0:
        raise _of_parts("total-parts-zero", f'The "total_parts" {header} must be greater than 0.')
    maximum = "is higher than the maximum number of parts allowed for a video."
    if given.part > MAX_PARTS:
        raise _of_parts("part-too-high-allowed", f'The "part" {header} {maximum}', str(MAX_PARTS))
    if given.total is not None and given.total > MAX_PARTS:
        title = f'The "total_parts" {header} {maximum}'
        raise _of_parts("total-parts-too-high", title, str(MAX_PARTS))
    if given.total is not None and given.part > given.total:
        title = (
            f'The "part" {header} is higher than the "total_parts" value you set for this video.'
        )
        raise _of_parts("part-too-high-total", title, str(given.total))
    return given


def _checked_bytes(given: ByteRange) -> ByteRange:
    header = 'value in the "Content-Range" header'
    if given.total == 0:
        raise _of_bytes("total-bytes-zero", f'The "total_bytes" {header} must be greater than 0.')
    if given.last >= MAX_TOTAL_BYTES:
        title = (
            f'The "to_byte" {header} is higher than the maximum upper bound allowed for a video.'
        )
        raise _of_bytes("to-byte-too-high-allowed", title, str(MAX_TOTAL_BYTES - 1))
    if given.total is not None and given.total > MAX_TOTAL_BYTES:
        title = f'The "total_bytes" {header} is higher than the maximum allowed limit.'
        raise _of_bytes("total-bytes-too-high", title, str(MAX_TOTAL_BYTES))
    if given.first > given.last:
        title = f'The "from_byte" {header} is higher than the "to_byte" value.'
        raise _of_bytes("from-byte-too-high", title)
    if given.total is not None and given.last >= given.total:
        title = (
            f'The "to_byte" {header} is higher than the "total_bytes" value you set for this video.'
        )
        raise _of_bytes("to-byte-too-high-total", title, str(given.total))
    return given
