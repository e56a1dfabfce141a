"""The `Content-Range` request header of uploads: its syntax and every rule for it (pure).

Whatever breaks a rule is answered with the documented problem, in the documented order:
`parse` is for what the header says alone, `check_held` for what it says beside what is
stored already, and the ranges' own checks for what the file turns out to be.
"""

import re
from dataclasses import dataclass
from typing import ClassVar

from starlette.datastructures import Headers

from telecine.domains.sources.models import Mode
from telecine.domains.sources.queries import Held
from telecine.http import multipart
from telecine.problems import Problem, problem

NAME = "Content-Range"
MAX_PARTS = 10_000
MIN_PART_BYTES = 5 * 1024 * 1024
MAX_TOTAL_BYTES = 52_428_800_000
"""Documented: 10,000 ranges of 5 MiB."""

MAX_SOURCE_BYTES = 30 * 1024**3
"""Documented: the largest source of a video."""

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

    mode: ClassVar[Mode] = Mode.PARTS

    @property
    def number(self) -> int:
        """Return the number under which the part is stored."""
        return self.part

    @property
    def is_first(self) -> bool:
        """Tell whether the file begins with this part."""
        return self.part == 1

    @property
    def length_bytes(self) -> int | None:
        """Return None: the size of a part is not told before it has come."""
        return None

    def is_last(self, held: Held) -> bool:
        """Tell whether this is known to be the last part."""
        return self.part == (held.total if self.total is None else self.total)

    def check_file(self, size_bytes: int, held: Held) -> None:
        """Raise Problem unless a part may have that size (bytes)."""
        if size_bytes < MIN_PART_BYTES and not self.is_last(held):
            title = "The uploaded file is too small."
            detail = f"The minimum size is {MIN_PART_BYTES} bytes, except for the last part."
            raise problem(400, "uploaded-file-too-small", title, "file", detail)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """`bytes first-last/total`, both inclusive."""

    first: int
    last: int
    total: int | None

    mode: ClassVar[Mode] = Mode.BYTES

    @property
    def number(self) -> int:
        """Return the number under which the range is stored: its first byte."""
        return self.first

    @property
    def is_first(self) -> bool:
        """Tell whether the file begins with this range."""
        return self.first == 0

    @property
    def length_bytes(self) -> int:
        """Return the number of bytes."""
        return self.last - self.first + 1

    def is_last(self, held: Held) -> bool:
        """Tell whether this is known to be the last range."""
        return self.last + 1 == (held.total if self.total is None else self.total)

    def check_file(self, size_bytes: int, held: Held) -> None:
        """Raise Problem unless the file is the range, and the range may have that size."""
        if size_bytes != self.length_bytes:
            raise _range_mismatch(str(size_bytes), self.length_bytes)
        if size_bytes < MIN_PART_BYTES and not self.is_last(held):
            title = 'The range in the "Content-Range" header is too small.'
            raise _of_bytes("range-too-small", title, str(MIN_PART_BYTES))


Range = PartRange | ByteRange


def _error(slug: str, title: str, detail: str | None = None) -> Problem:
    return problem(400, f"video-content-range-{slug}", title, NAME, detail)


def _of_bytes(slug: str, title: str, detail: str | None = None) -> Problem:
    return _error(f"by-bytes-{slug}", title, detail)


def _of_parts(slug: str, title: str, detail: str | None = None) -> Problem:
    return _error(f"by-part-{slug}", title, detail)


def _range_mismatch(file_bytes: str, range_bytes: int) -> Problem:
    title = (
        "The size of the file you sent is different than the range length you set in the "
        '"Content-Range" header.'
    )
    detail = f"The file has {file_bytes} bytes, the range {range_bytes}."
    return _of_bytes("range-mismatch", title, detail)


def too_large(given: Range | None, limit_bytes: int) -> Problem:
    """The file has more bytes than one request may carry; how many is not known."""
    if not isinstance(given, ByteRange):
        return multipart.file_too_large(limit_bytes)
    if given.length_bytes <= limit_bytes:
        return _range_mismatch(f"more than {limit_bytes}", given.length_bytes)
    title = 'The range in the "Content-Range" header is too large.'
    return _of_bytes("range-too-large", title, str(limit_bytes))


def header_of(headers: Headers) -> str | None:
    """Return what a request says in the header; of two of them nobody knows which counts."""
    return ", ".join(headers.getlist(NAME)) if NAME in headers else None


def parse(value: str) -> Range:
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


def parsed(value: str | None) -> Range | None:
    """Return the range of a header, None if there is none or it is not valid."""
    try:
        return None if value is None else parse(value)
    except Problem:
        return None


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
    if given.total is not None and given.total > MAX_SOURCE_BYTES:
        limit = MAX_TOTAL_BYTES if given.total > MAX_TOTAL_BYTES else MAX_SOURCE_BYTES
        title = f'The "total_bytes" {header} is higher than the maximum allowed limit.'
        raise _of_bytes("total-bytes-too-high", title, str(limit))
    if given.first > given.last:
        title = f'The "from_byte" {header} is higher than the "to_byte" value.'
        raise _of_bytes("from-byte-too-high", title)
    return given


def check_held(given: Range | None, held: Held) -> None:
    """Raise Problem where a request does not go with what is stored of a source."""
    if held.mode is None:
        held = Held()
    elif given is None:
        title = 'This video source has already been initiated with a "Content-Range" upload.'
        raise _error("already-initiated", title)
    elif given.mode != held.mode:
        mine, other = ("part", "bytes") if held.mode == Mode.PARTS else ("bytes", "part")
        title = (
            f'This "Content-Range" upload has been started with "{mine}", you cannot continue it '
            f'with "{other}".'
        )
        raise _error(f"started-with-{mine}", title)
    if isinstance(given, PartRange):
        _check_held_parts(given, held)
    elif isinstance(given, ByteRange):
        _check_held_bytes(given, held)


def _check_held_parts(given: PartRange, held: Held) -> None:
    header = 'value in the "Content-Range" header'
    if None not in {given.total, held.total} and given.total != held.total:
        title = (
            f'The "total_parts" {header} must be the same than the one you already set for this '
            "video."
        )
        raise _of_parts("different-total-parts", title, str(held.total))
    if given.total is not None and held.highest > given.total:
        title = (
            f'The "total_parts" {header} is lower than or equal to a part number you already sent '
            "for this video."
        )
        raise _of_parts("total-parts-too-low", title, str(held.highest))
    total = held.total if given.total is None else given.total
    if total is not None and given.part > total:
        title = (
            f'The "part" {header} is higher than the "total_parts" value you set for this video.'
        )
        raise _of_parts("part-too-high-total", title, str(total))


def _check_held_bytes(given: ByteRange, held: Held) -> None:
    header = 'value in the "Content-Range" header'
    if None not in {given.total, held.total} and given.total != held.total:
        title = (
            f'The "total_bytes" {header} must be the same than the one you already set for this '
            "video."
        )
        raise _of_bytes("different-total-bytes", title, str(held.total))
    if given.total is not None and held.highest >= given.total:
        title = (
            f'The "total_bytes" {header} is lower than or equal to the upper bound of a range you '
            "already sent for this video."
        )
        raise _of_bytes("total-bytes-too-low", title, str(held.highest))
    total = held.total if given.total is None else given.total
    if total is not None and given.last >= total:
        title = (
            f'The "to_byte" {header} is higher than the "total_bytes" value you set for this video.'
        )
        raise _of_bytes("to-byte-too-high-total", title, str(total))


def part_already_sent(part: int) -> Problem:
    """The client sends a part again although it was told that it is stored."""
    title = (
        'The "part" value in the "Content-Range" header collides with a previous one you already '
        "sent for this video."
    )
    return _of_parts("part-already-sent", title, str(part))


def range_overlap(first: int, last: int) -> Problem:
    """The range has bytes that are stored already: those of [first, last]."""
    title = (
        'The range in the "Content-Range" header overlaps with a previous one you already sent '
        "for this video."
    )
    return _of_bytes("range-overlap", title, f"{first}-{last}")
