"""What the file of a recording does not say, beside it: with both, an event can go on.

The journal of a file has a line of JSON for each part, written before its bytes, and one in
front that tells what was before the file. A killed process leaves at most half a line, and
half of the last part that has one; `read` goes by what is whole of both.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from telecine.formats.errors import FormatError
from telecine.formats.mp4.multitrack import whole_fragments
from telecine.live.model import Init, Part, Place, Position, Targets, first_targets
from telecine.live.ports import RecordingPlace, Stream
from telecine.live.window import MEMORY_TARGETS, Segment, Window

SUFFIX = ".journal"


class JournalError(Exception):
    """A journal does not tell how its event goes on."""


class Journal:
    """Makes the lines of one rendition's files; `session` is that of its window."""

    def __init__(self, session: str, position: Position | None = None, breaks: int = 0) -> None:
        begun = position or Position()
        self._session = session
        self._targets = begun.targets
        self._parts, self._end_ms = begun.sequence, begun.end_ms
        self._breaks = breaks

    def opening(self, init: Init) -> bytes:
        """Return the first line of a file that begins with `init`."""
        told = asdict(init)
        told["data"] = len(init.data)
        targets = None if self._targets is None else asdict(self._targets)
        return _line(
            {
                "session": self._session,
                "init": told,
                "targets": targets,
                "parts": self._parts,
                "end_ms": self._end_ms,
                "breaks": self._breaks,
            }
        )

    def part(self, part: Part) -> bytes:
        """Return the line of the next part."""
        self._parts += 1
        self._end_ms += part.duration_ms
        self._breaks += part.discontinuity and part.number == 0
        # As `_line` would write it, several times a second.
        return b"[%d,%d,%d,%d,%d,%d,%d]\n" % (
            part.msn,
            part.number,
            part.duration_ms,
            part.independent,
            part.discontinuity,
            part.received_ms,
            len(part.data),
        )

    def promise(self, targets: Targets) -> bytes:
        """Return the line that tells what an event promises."""
        self._targets = targets
        return _line(asdict(targets))


def _line(told: object) -> bytes:
    return json.dumps(told, separators=(",", ":")).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class _Row:
    """The line of a part, where its bytes lie, and where its line ends."""

    msn: int
    number: int
    duration_ms: int
    independent: int
    discontinuity: int
    received_ms: int
    size_bytes: int
    offset: int
    line_end: int

    def read(self, file: BinaryIO) -> bytes:
        file.seek(self.offset)
        return file.read(self.size_bytes)

    def part(self, init: int, file: BinaryIO) -> Part:
        return Part(
            msn=self.msn,
            number=self.number,
            duration_ms=self.duration_ms,
            independent=bool(self.independent),
            init=init,
            discontinuity=bool(self.discontinuity),
            received_ms=self.received_ms,
            data=self.read(file),
        )


@dataclass(slots=True)
class History:
    """What is left of an event: all that its packager, window and recorder go on with.

    `size_bytes` and `duration_ms` are of the file, up to its last whole part, `journal_bytes`
    of its journal up to the line of that; `breaks` counts the discontinuities before the file.
    """

    session: str
    place: RecordingPlace
    init: Init
    targets: Targets
    parts: int
    end_ms: int
    breaks: int
    size_bytes: int
    duration_ms: int
    journal_bytes: int
    segments: list[Segment]

    @property
    def position(self) -> Position:
        """Return where the packager goes on."""
        return Position(
            init=self.init.data,
            inits=self.init.number + 1,
            msn=self.segments[-1].msn + 1,
            sequence=self.parts,
            end_ms=self.end_ms,
            targets=self.targets,
        )

    def journal(self) -> Journal:
        """Return what writes on in the journal."""
        breaks = self.breaks + sum(segment.discontinuity for segment in self.segments)
        return Journal(self.session, self.position, breaks)

    def window(self, length_ms: int) -> Window:
        """Return what can be watched: what lies in the file, the newest in memory too."""
        window = Window(self.session, length_ms)
        window.targets, window.inits[self.init.number] = self.targets, self.init
        window.discontinuities_gone = self.breaks
        kept_ms = sum(segment.duration_ms for segment in self.segments)
        for segment in self.segments:
            kept_ms -= segment.duration_ms
            if kept_ms > length_ms:
                window.discontinuities_gone += segment.discontinuity
            else:
                window.restore(segment)
        return window


@dataclass(frozen=True, slots=True)
class Left:
    """An event that a killed process left, and whose encoder may still come back.

    `lasted_s`: since it began; `quiet_s`: since media was last written down.
    """

    stream: Stream
    event: UUID
    history: History
    lasted_s: float
    quiet_s: float


def read(path: Path, place: RecordingPlace) -> History:
    """Return what the file `path` and its journal tell. Raises OSError, JournalError."""
    *lines, _ = path.with_name(path.name + SUFFIX).read_bytes().split(b"\n")
    try:
        return _read(lines, path, place)
    except (ValueError, TypeError, KeyError, IndexError, FormatError) as error:
        raise JournalError(f"{place.key}: {error!r}") from error


def _read(lines: Sequence[bytes], path: Path, place: RecordingPlace) -> History:
    told = json.loads(lines[0])
    targets, init_bytes = told["targets"], told["init"].pop("data")
    at, size_bytes, rows = init_bytes, path.stat().st_size, list[_Row]()
    line_end = len(lines[0]) + 1
    for line in lines[1:]:
        line_end += len(line) + 1
        found = json.loads(line)
        if isinstance(found, dict):
            targets = found
            continue
        row = _Row(*[*found, at, line_end])
        at += row.size_bytes
        if at > size_bytes:
            break
        rows.append(row)
    with path.open("rb") as file:
        init = Init(**told["init"], data=file.read(init_bytes))
        while rows and not _is_whole(rows[-1].read(file)):
            rows.pop()
        if not rows:
            raise JournalError(f"{place.key}: no media was written")
        segments = _segments(rows, init.number, place.key)
        promised = Targets(**targets) if targets else _first_targets(rows, segments)
        _load(segments, rows, file, round(MEMORY_TARGETS * promised.segment_s * 1000))
    lasting_ms = sum(row.duration_ms for row in rows)
    return History(
        session=told["session"],
        place=place,
        init=init,
        targets=promised,
        parts=told["parts"] + len(rows),
        end_ms=told["end_ms"] + lasting_ms,
        breaks=told["breaks"],
        size_bytes=rows[-1].offset + rows[-1].size_bytes,
        duration_ms=lasting_ms,
        journal_bytes=rows[-1].line_end,
        segments=segments,
    )


def _is_whole(data: bytes) -> bool:
    return bool(data) and whole_fragments(data).size_bytes == len(data)


def _segments(rows: Iterable[_Row], init: int, key: str) -> list[Segment]:
    """Return the segments that the parts make; each is over, and none in memory."""
    made = []
    for _, group in groupby(rows, key=attrgetter("msn")):
        parts = list(group)
        first, size_bytes = parts[0], sum(part.size_bytes for part in parts)
        made.append(
            Segment(
                first.msn,
                init,
                bool(first.discontinuity),
                first.received_ms,
                duration_ms=sum(part.duration_ms for part in parts),
                ended=True,
                place=Place(key, first.offset, size_bytes),
            )
        )
    return made


def _first_targets(rows: Sequence[_Row], segments: Sequence[Segment]) -> Targets:
    """Return what is to be promised where the first segment was not over."""
    return first_targets(max(row.duration_ms for row in rows), segments[0].duration_ms)


def _load(
    segments: Sequence[Segment], rows: Sequence[_Row], file: BinaryIO, length_ms: int
) -> None:
    """Read the parts of the newest segments: players may still ask for each of them."""
    age_ms, wanted = 0, dict[int, Segment]()
    for segment in reversed(segments):
        if age_ms > length_ms:
            break
        wanted[segment.msn] = segment
        age_ms += segment.duration_ms
    for row in rows:
        if (found := wanted.get(row.msn)) is not None:
            found.parts.append(row.part(found.init, file))
