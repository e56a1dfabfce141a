"""Lines of an HLS playlist (RFC 8216bis, 4.1 and 4.2)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from telecine.formats.errors import FormatError

MAX_PLAYLIST_CHARS = 16 << 20

ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"\r\n]*"|[^",\s]+)(?:,|$)')
UNQUOTABLE = re.compile(r'["\x00-\x1f\x7f]')


@dataclass(frozen=True, slots=True)
class Tag:
    """A line such as `#EXTINF:4.000000,`: `name` is EXTINF, `value` the rest."""

    line: int
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Uri:
    """A line that names a segment or a playlist."""

    line: int
    uri: str


def read_lines(text: str) -> Iterator[Tag | Uri]:
    """Yield tags and URIs; comments and empty lines are left out.

    Raises:
        FormatError: it does not start with #EXTM3U, or is larger than 16 MiB.
    """
    if len(text) > MAX_PLAYLIST_CHARS:
        raise FormatError(f"a playlist of {len(text)} characters")
    lines = text.splitlines()
    if not lines or lines[0] != "#EXTM3U":
        raise FormatError("the first line is not #EXTM3U")
    for number, line in enumerate(lines, 1):
        if line.startswith("#EXT"):
            name, _, value = line[1:].partition(":")
            yield Tag(number, name, value)
        elif line.strip() and not line.startswith("#"):
            yield Uri(number, line.strip())


def attributes(value: str) -> dict[str, str]:
    """Read an attribute list; quoted strings come without quotes.

    Raises:
        FormatError: it is none, or has a name twice.
    """
    found: dict[str, str] = {}
    at = 0
    while at < len(value):
        match = ATTRIBUTE.match(value, at)
        if match is None:
            raise FormatError(f"not an attribute list: {value[at : at + 80]!r}")
        name, raw = match.groups()
        if name in found:
            raise FormatError(f"the attribute {name} stands twice")
        found[name] = raw.strip('"')
        at = match.end()
    return found


def quoted(text: str) -> str:
    """Return a quoted string. What it cannot hold becomes an apostrophe or a blank."""
    safe = UNQUOTABLE.sub(lambda match: "'" if match[0] == '"' else " ", text)
    return f'"{safe}"'


def uri_line(uri: str) -> str:
    """Return a URI as a line of its own. Raises ValueError if it cannot be one."""
    if not uri or uri.startswith("#") or any(char.isspace() for char in uri):
        raise ValueError(f"{uri!r} cannot be a line of a playlist")
    return uri
