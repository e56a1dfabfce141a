"""Checks live playlists with partial segments: each by itself, and against the one before.

Rules of RFC 8216bis, and what Apple's players insist on. Each check returns sentences, an
empty list where all is well.
"""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

from telecine.formats.errors import FormatError
from telecine.formats.hls.tags import Tag, Uri, attributes, read_lines

LEAST_PART = Decimal("0.85")
"""Of the part target (4.4.4.9), but for parts that start or end something."""


@dataclass(slots=True)
class Part:
    """What EXT-X-PART says."""

    uri: str
    duration: Decimal
    independent: bool


@dataclass(slots=True)
class Segment:
    """What a playlist says of a segment, also of one that is not over."""

    parts: list[Part] = field(default_factory=list)
    uri: str | None = None
    duration: Decimal = Decimal(0)
    discontinuity: bool = False
    date: str | None = None  # EXT-X-PROGRAM-DATE-TIME
    mapped: str | None = None
    late: list[str] = field(default_factory=list)  # tags that stand behind its first part

    @property
    def empty(self) -> bool:
        """Tell whether nothing was said."""
        return not self.parts and self.uri is None


@dataclass(slots=True)
class Live:
    """What a playlist says. `skipped`: segments that a delta leaves out."""

    single: dict[str, str]
    control: dict[str, Decimal]
    segments: list[Segment]
    hints: list[dict[str, str]]
    reports: list[dict[str, str]]
    skipped: int
    ended: bool

    @property
    def target(self) -> Decimal:
        """Return EXT-X-TARGETDURATION."""
        return Decimal(self.single.get("EXT-X-TARGETDURATION", "0"))

    @property
    def part_target(self) -> Decimal:
        """Return PART-TARGET."""
        found = attributes(self.single.get("EXT-X-PART-INF", ""))
        return Decimal(found.get("PART-TARGET", "0"))

    @property
    def sequence(self) -> int:
        """Return EXT-X-MEDIA-SEQUENCE."""
        return int(self.single.get("EXT-X-MEDIA-SEQUENCE", "0"))

    @property
    def breaks(self) -> int:
        """Return EXT-X-DISCONTINUITY-SEQUENCE."""
        return int(self.single.get("EXT-X-DISCONTINUITY-SEQUENCE", "0"))

    @property
    def numbered(self) -> dict[int, Segment]:
        """Return the segments by their numbers."""
        return dict(enumerate(self.segments, self.sequence + self.skipped))

    @property
    def edge(self) -> tuple[int, int]:
        """Return number and part of the newest part; EXT-X-SKIP or not."""
        last = self.segments[-1]
        number = self.sequence + self.skipped + len(self.segments) - 1
        return number, max(0, len(last.parts) - 1)


_ONCE = (
    "EXT-X-VERSION",
    "EXT-X-TARGETDURATION",
    "EXT-X-MEDIA-SEQUENCE",
    "EXT-X-DISCONTINUITY-SEQUENCE",
    "EXT-X-SERVER-CONTROL",
    "EXT-X-PART-INF",
    "EXT-X-SKIP",
    "EXT-X-ENDLIST",
)
_NEEDED = _ONCE[:3] + _ONCE[4:6]


def check_live(text: str, begun_at: int = 0) -> list[str]:
    """Check one playlist; `begun_at` is the number of the first segment that ever was in it."""
    try:
        live = read_live(text)
    except FormatError as error:
        return [str(error)]
    problems = _check_header(text, live)
    if problems:
        return problems
    problems += _check_control(live)
    ends = [segment for segment in live.segments if segment.uri is not None]
    for number, segment in enumerate(live.segments):
        said = _check_segment(segment, live, last=number == len(live.segments) - 1)
        problems += [f"segment {live.sequence + live.skipped + number}: {each}" for each in said]
    if any(segment.uri is None for segment in live.segments[:-1]):
        problems.append("a segment without its URI is not the last one")
    if not live.skipped and live.segments and live.segments[0].mapped is None:
        problems.append("EXT-X-MAP is missing")
    total = sum((segment.duration for segment in ends), Decimal(0))
    if live.sequence > begun_at and not live.ended and not live.skipped and total < 3 * live.target:
        problems.append(f"only {total} s are left: three target durations must be")
    problems += _check_hints(live)
    return problems + _check_skip(live) + _check_old_parts(live)


def check_live_update(before: str, after: str) -> list[str]:
    """Check a playlist against an earlier one of the same rendition (6.2.1)."""
    try:
        old, new = read_live(before), read_live(after)
    except FormatError as error:
        return [str(error)]
    problems = [
        f"{name} changed to {new.single.get(name)}"
        for name in ("EXT-X-TARGETDURATION", "EXT-X-PART-INF", "EXT-X-SERVER-CONTROL")
        if old.single.get(name) != new.single.get(name)
    ]
    if new.sequence < old.sequence or new.breaks < old.breaks:
        problems.append(f"the sequence went back from {old.sequence} to {new.sequence}")
    if old.ended and not new.ended:
        problems.append("EXT-X-ENDLIST is gone")
    first = new.sequence + new.skipped
    for number, segment in enumerate(old.segments, old.sequence + old.skipped):
        at = number - first
        if not 0 <= at < len(new.segments):
            if number >= first:
                problems.append(f"segment {number} is gone from the end")
            continue
        problems += [f"segment {number}: {said}" for said in _changes(segment, new.segments[at])]
    gone = [s for s in old.segments[: max(0, new.sequence - old.sequence)] if s.discontinuity]
    if not old.skipped and new.breaks != old.breaks + len(gone):
        problems.append(f"{len(gone)} discontinuities left, the sequence is {new.breaks}")
    return problems


def _changes(old: Segment, new: Segment) -> list[str]:
    said = []
    if old.uri is not None and (old.uri, old.duration) != (new.uri, new.duration):
        said.append(f"it was {old.uri} and is {new.uri}")
    if old.discontinuity != new.discontinuity:
        said.append("its discontinuity changed")
    kept = [(part.uri, part.duration) for part in new.parts]
    if kept and kept[: len(old.parts)] != [(part.uri, part.duration) for part in old.parts]:
        said.append("its parts changed")
    return said


def read_live(text: str) -> Live:
    """Read a live media playlist. Raises FormatError."""
    single: dict[str, str] = {}
    segments, open_segment = [], Segment()
    hints: list[dict[str, str]] = []
    reports: list[dict[str, str]] = []
    map_uri: str | None = None
    for line in read_lines(text):
        if isinstance(line, Uri):
            open_segment.uri = line.uri
            segments.append(open_segment)
            open_segment = Segment(mapped=map_uri)
        elif line.name == "EXT-X-PART":
            found = attributes(line.value)
            duration, independent = Decimal(found["DURATION"]), "INDEPENDENT" in found
            open_segment.parts.append(Part(found["URI"], duration, independent))
        elif line.name == "EXT-X-PRELOAD-HINT":
            hints.append(attributes(line.value))
        elif line.name == "EXT-X-RENDITION-REPORT":
            reports.append(attributes(line.value))
        elif line.name == "EXTINF":
            open_segment.duration = Decimal(line.value.partition(",")[0])
        elif line.name in ("EXT-X-DISCONTINUITY", "EXT-X-MAP", "EXT-X-PROGRAM-DATE-TIME"):
            if open_segment.parts:
                open_segment.late.append(line.name)
            open_segment.discontinuity |= line.name == "EXT-X-DISCONTINUITY"
            if line.name == "EXT-X-PROGRAM-DATE-TIME":
                open_segment.date = line.value
            if line.name == "EXT-X-MAP":
                map_uri = open_segment.mapped = attributes(line.value)["URI"]
        else:
            single[line.name] = line.value
    if not open_segment.empty:
        segments.append(open_segment)
    control = attributes(single.get("EXT-X-SERVER-CONTROL", ""))
    skip = attributes(single.get("EXT-X-SKIP", ""))
    return Live(
        single=single,
        control={name: Decimal(value) for name, value in control.items() if value[0].isdigit()},
        segments=segments,
        hints=hints,
        reports=reports,
        skipped=int(skip.get("SKIPPED-SEGMENTS", "0")),
        ended="EXT-X-ENDLIST" in single,
    )


def _check_header(text: str, live: Live) -> list[str]:
    counts = Counter(line.name for line in read_lines(text) if isinstance(line, Tag))
    problems = [f"{name} stands {counts[name]} times" for name in _ONCE if counts[name] > 1]
    problems += [f"{name} is missing" for name in _NEEDED if not counts[name]]
    if "\r" in text or not text.endswith("\n"):
        problems.append("lines must end with LF alone")
    if int(live.single.get("EXT-X-VERSION", "0")) < (9 if live.skipped else 6):
        problems.append(f"EXT-X-VERSION {live.single.get('EXT-X-VERSION')} is too low")
    if not live.segments:
        problems.append("no segments")
    return problems


def _check_control(live: Live) -> list[str]:
    said = attributes(live.single.get("EXT-X-SERVER-CONTROL", "")).get("CAN-BLOCK-RELOAD")
    problems = [] if said == "YES" else [f"CAN-BLOCK-RELOAD is {said}"]
    if "EXT-X-INDEPENDENT-SEGMENTS" in live.single:
        problems.append("nobody knows whether all segments will begin with key frames")
    least = {
        "HOLD-BACK": 3 * live.target,
        "PART-HOLD-BACK": 3 * live.part_target,
        "CAN-SKIP-UNTIL": 6 * live.target,
    }
    return problems + [
        f"{name} is {live.control.get(name)}, at least {wanted} is needed"
        for name, wanted in least.items()
        if live.control.get(name, Decimal(0)) < wanted
    ]


def _check_segment(segment: Segment, live: Live, *, last: bool) -> list[str]:
    said = [f"{name} behind its first part" for name in segment.late]
    if segment.date is None:
        said.append("EXT-X-PROGRAM-DATE-TIME is missing")
    # Rounded to the nearest integer, halves up (4.4.3.1).
    if int(segment.duration + Decimal("0.5")) > live.target:
        said.append(f"it lasts {segment.duration} s, the target is {live.target}")
    if segment.uri is not None and segment.duration <= 0:
        said.append("it lasts no time")
    for number, part in enumerate(segment.parts):
        ends_segment = segment.uri is not None and number == len(segment.parts) - 1
        if part.duration > live.part_target:
            said.append(f"part {number} lasts {part.duration} s, the target is {live.part_target}")
        short = part.duration < LEAST_PART * live.part_target
        if short and not (part.independent or ends_segment):
            said.append(f"part {number} lasts only {part.duration} s")
    total = sum((part.duration for part in segment.parts), Decimal(0))
    if segment.uri is not None and segment.parts and total != segment.duration:
        said.append(f"its parts last {total} s, it lasts {segment.duration} s")
    if segment.uri is None and not last:
        said.append("it has no URI")
    return said


def _check_hints(live: Live) -> list[str]:
    kinds = Counter(hint.get("TYPE") for hint in live.hints)
    problems = [f"{count} hints of type {kind}" for kind, count in kinds.items() if count > 1]
    if live.ended and live.hints:
        problems.append("a hint behind the end")
    if not live.ended and not kinds["PART"]:
        problems.append("no hint of the next part")
    named = {part.uri for segment in live.segments for part in segment.parts}
    problems += [f"{hint['URI']} is there already" for hint in live.hints if hint["URI"] in named]
    told = Counter(report.get("URI") for report in live.reports)
    problems += [f"{count} reports on {uri}" for uri, count in told.items() if count > 1]
    return problems + [
        f"a report without {name}"
        for report in live.reports
        for name in ("URI", "LAST-MSN", "LAST-PART")
        if name not in report
    ]


def _check_skip(live: Live) -> list[str]:
    """Only what is further from the end than CAN-SKIP-UNTIL is left out (6.2.5.1)."""
    if not live.skipped:
        return []
    problems = ["a delta behind the end"] if live.ended else []
    boundary, left = live.control.get("CAN-SKIP-UNTIL", Decimal(0)), Decimal(0)
    for segment in live.segments:
        left += segment.duration or sum((part.duration for part in segment.parts), Decimal(0))
    if left < boundary:
        problems.append(f"only {left} s are not skipped, {boundary} s must be")
    return problems


def _check_old_parts(live: Live) -> list[str]:
    """Parts further than three target durations from the end are to be left out (4.4.4.9)."""
    age, problems = Decimal(0), []
    for segment in reversed(live.segments):
        if segment.parts and age > 3 * live.target:
            problems.append(f"parts of {segment.uri}, {age} s before the end")
        age += segment.duration or sum((part.duration for part in segment.parts), Decimal(0))
    return problems
