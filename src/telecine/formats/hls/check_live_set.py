"""Checks live playlists of one presentation against each other (RFC 8216bis, 4.4.3.8, 6.2.4).

Each check returns sentences, an empty list where all is well.
"""

from collections import Counter
from collections.abc import Mapping

from telecine.formats.errors import FormatError
from telecine.formats.hls.check_live import Live, Segment, read_live
from telecine.formats.hls.playlist import Master, parse
from telecine.formats.hls.tags import attributes

_SAME = ("EXT-X-TARGETDURATION", "EXT-X-SERVER-CONTROL", "EXT-X-PART-INF")
_NEVER = "EXT-X-INDEPENDENT-SEGMENTS"


def check_live_master(text: str) -> list[str]:
    """Check the multivariant playlist of a live stream (4.4.6.2)."""
    try:
        master = parse(text)
    except FormatError as error:
        return [str(error)]
    if not isinstance(master, Master) or not master.renditions:
        return ["not a multivariant playlist"]
    problems = []
    if f"#{_NEVER}" in text.splitlines():
        problems.append("nobody knows whether all segments will begin with key frames")
    uris = Counter(variant.uri for variant in master.renditions)
    problems += [
        f"the variant {uri} stands {times} times" for uri, times in uris.items() if times > 1
    ]
    for line in text.splitlines():
        if line.startswith("#EXT-X-STREAM-INF:"):
            found = attributes(line.partition(":")[2])
            problems += [
                f"{name} is missing" for name in ("BANDWIDTH", "CODECS") if not found.get(name)
            ]
    return problems


def check_live_set(texts: Mapping[str, str]) -> list[str]:
    """Check playlists of the renditions of one event, each by its name."""
    try:
        lives = {name: read_live(text) for name, text in texts.items()}
    except FormatError as error:
        return [str(error)]
    problems, names = list[str](), list(lives)
    for name in names[1:]:
        first, other = lives[names[0]], lives[name]
        problems += [
            f"{name}: {tag} is {other.single.get(tag)}, of {names[0]} {first.single.get(tag)}"
            for tag in _SAME
            if first.single.get(tag) != other.single.get(tag)
        ]
        problems += [f"{name}: {said}" for said in _differences(first, other)]
    return problems


def check_reports(
    text: str, later: Mapping[str, str], earlier: Mapping[str, str] | None = None
) -> list[str]:
    """Check what a playlist reports on the other renditions (4.4.5.4).

    `later`: their playlists by their URIs, of the same time or a later one; `earlier`: those
    that were there before this one was made.
    """
    earlier = earlier or {}
    try:
        live = read_live(text)
        told = {each["URI"]: int(each["LAST-MSN"]) for each in live.reports}
        parts = {each["URI"]: int(each["LAST-PART"]) for each in live.reports}
        most = {uri: read_live(other).edge for uri, other in later.items()}
        least = {uri: read_live(other).edge for uri, other in earlier.items()}
    except (FormatError, KeyError, ValueError) as error:
        return [f"a report that cannot be read: {error!r}"]
    if live.ended:
        return []  # nobody needs to find a place in what comes next
    wanted = most.keys() | least.keys()
    problems = [f"{uri} is not reported on" for uri in sorted(wanted - told.keys())]
    for uri in sorted(wanted & told.keys()):
        said = told[uri], parts[uri]
        if uri in most and said > most[uri]:
            problems.append(f"{uri} is reported to be at {said}, it is at {most[uri]}")
        if uri in least and said < least[uri]:
            problems.append(f"{uri} is reported to be at {said}, it was at {least[uri]} before")
    return problems


def _differences(one: Live, other: Live) -> list[str]:
    """Compare the segments that both have."""
    said, ours, theirs = [], one.numbered, other.numbered
    breaks = _breaks(one), _breaks(other)
    first = min(ours.keys() & theirs.keys(), default=0)
    for number in sorted(ours.keys() & theirs.keys()):
        mine, its = ours[number], theirs[number]
        if mine.date != its.date:
            said.append(f"segment {number} is of {its.date}, not of {mine.date}")
        # Nothing was before the first segment of a rendition that begins later.
        if number > first and mine.discontinuity != its.discontinuity:
            said.append(f"segment {number} differs in its discontinuity")
        if breaks[0][number] != breaks[1][number]:
            said.append(f"segment {number} has the discontinuity sequence {breaks[1][number]}")
        cut_short = number + 1 not in ours or ours[number + 1].discontinuity
        # A track may end before another one does (6.2.4).
        cut_short |= other.ended and number + 1 not in theirs
        if not cut_short and _lasts_otherwise(mine, its):
            said.append(f"segment {number} lasts {its.duration} s, not {mine.duration} s")
    return said


def _lasts_otherwise(one: Segment, other: Segment) -> bool:
    over = one.uri is not None and other.uri is not None
    return over and abs(one.duration - other.duration) * 10 > one.duration


def _breaks(live: Live) -> dict[int, int]:
    """Return the discontinuity sequence number of each segment (6.2.1)."""
    found, count = {}, live.breaks
    for number, segment in live.numbered.items():
        count += segment.discontinuity
        found[number] = count
    return found
