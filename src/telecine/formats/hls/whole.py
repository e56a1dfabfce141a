"""A foreign HLS presentation as one file: what to fetch and put back to back (pure).

Possible where nothing changes on the way: one finished, unencrypted playlist of MPEG-TS
or of fragments after a single initialisation section (RFC 8216bis, 3.1).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from telecine.formats.errors import FormatError
from telecine.formats.hls.playlist import Master, parse
from telecine.formats.hls.tags import Tag, attributes, read_lines

MAX_STRETCHES = 100_000

_BREAKS = {
    "EXT-X-DISCONTINUITY": "has discontinuities",
    "EXT-X-GAP": "has gaps",
    "EXT-X-I-FRAMES-ONLY": "has key frames only",
    "EXT-X-DEFINE": "uses variables",
    "EXT-X-SKIP": "is a delta update",
}


@dataclass(frozen=True, slots=True)
class Stretch:
    """A resource, or `size_bytes` of it from `offset` on. `uri` as the playlist has it."""

    uri: str
    offset: int = 0
    size_bytes: int | None = None


def best_variant(text: str) -> str | None:
    """Return the URI of the best variant; None if the playlist is a media playlist.

    Raises:
        FormatError: it is no playlist, is encrypted, or keeps its sound elsewhere.
    """
    if any(line.name == "EXT-X-TARGETDURATION" for line in _tags(text)):
        return None
    for line in _tags(text):
        if line.name == "EXT-X-SESSION-KEY" and attributes(line.value).get("METHOD") != "NONE":
            raise FormatError("the playlist is encrypted")
    master = parse(text)
    if not isinstance(master, Master) or not master.renditions:
        raise FormatError("the playlist names no variants")
    best = max(
        master.renditions, key=lambda each: (each.width_px * each.height_px, each.bandwidth_bps)
    )
    if any(media.group == best.audio for media in master.audio):
        raise FormatError("the playlist keeps its sound apart from its pictures")
    return best.uri


def stretches(text: str) -> Sequence[Stretch]:
    """Return what a media playlist consists of, in order.

    Raises:
        FormatError: it is live, encrypted, interrupted, or garbled.
    """
    tags = list(_tags(text))
    names = {tag.name for tag in tags}
    for name, why in _BREAKS.items():
        if name in names:
            msg = f"the playlist {why}"
            raise FormatError(msg)
    if "EXT-X-ENDLIST" not in names:
        raise FormatError("the playlist is live: it has no end")
    for tag in tags:
        if tag.name == "EXT-X-KEY" and attributes(tag.value).get("METHOD") != "NONE":
            raise FormatError("the playlist is encrypted")
    found = list(_stretches(text))
    if len(found) == (1 if "EXT-X-MAP" in names else 0):
        raise FormatError("the playlist has no segments")
    return found


def _tags(text: str) -> Iterator[Tag]:
    return (line for line in read_lines(text) if isinstance(line, Tag))


def _stretches(text: str) -> Iterator[Stretch]:
    head: Stretch | None = None
    given: str | None = None  # of the segment that follows
    before: Stretch | None = None
    count = 0
    for line in read_lines(text):
        if not isinstance(line, Tag):
            count += 1
            if count > MAX_STRETCHES:
                msg = f"the playlist has more than {MAX_STRETCHES} segments"
                raise FormatError(msg)
            before = Stretch(line.uri) if given is None else _ranged(line.uri, given, before)
            given = None
            yield before
        elif line.name == "EXT-X-BYTERANGE":
            given = line.value
        elif line.name == "EXT-X-MAP":
            found = _head(attributes(line.value))
            if head is None and before is not None:
                raise FormatError("the playlist changes its format on the way")
            if head is None:
                yield found
            elif head != found:
                raise FormatError("the playlist changes its format on the way")
            head = found


def _head(found: dict[str, str]) -> Stretch:
    if "URI" not in found:
        raise FormatError("EXT-X-MAP without URI")
    if "BYTERANGE" not in found:
        return Stretch(found["URI"])
    return _ranged(found["URI"], found["BYTERANGE"], Stretch(found["URI"], 0, 0))


def _ranged(uri: str, given: str, before: Stretch | None) -> Stretch:
    """Read `<length>[@<offset>]`; without an offset it follows the stretch before."""
    size, at, offset = given.partition("@")
    if not size.isdecimal() or (at and not offset.isdecimal()):
        msg = f"{given[:40]!r} is not a byte range"
        raise FormatError(msg)
    if at:
        return Stretch(uri, int(offset), int(size))
    if before is None or before.uri != uri or before.size_bytes is None:
        raise FormatError("a byte range that follows nothing")
    return Stretch(uri, before.offset + before.size_bytes, int(size))
