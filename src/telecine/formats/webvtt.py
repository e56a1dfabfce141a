"""WebVTT files (W3C WebVTT): recognised, read as players read them; SubRip becomes one.

What players would skip (a cue whose times cannot be read) is skipped here as well.
"""

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from telecine.formats.errors import FormatError

_BOM = b"\xef\xbb\xbf"
_TIME = r"(?:(\d{2,}):)?([0-5]\d):([0-5]\d)\.(\d{3})"
_TIMING = re.compile(rf"[ \t]*{_TIME}[ \t]*-->[ \t]*{_TIME}(?:[ \t].*)?", re.ASCII)
_SUBRIP_TIME = r"(\d{1,3}):(\d{1,2}):(\d{1,2})[,.](\d{1,3})"
_SUBRIP_TIMING = re.compile(
    rf"[ \t]*{_SUBRIP_TIME}[ \t]*-->[ \t]*{_SUBRIP_TIME}(?:[ \t].*)?", re.ASCII
)
_FONT = re.compile(r"</?font\b[^>]*>|\{\\[^}]*\}", re.IGNORECASE)
_MARKUP = re.compile(r"</?[biu]>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_LANGUAGE = re.compile(r"Language:[ \t]*([A-Za-z0-9-]+)[ \t]*", re.IGNORECASE)
_LINE_END = re.compile(r"\r\n|\r|\n")
_MAX_HOURS_DIGITS = 6

ARROW = "-->"


@dataclass(frozen=True, slots=True)
class Cue:
    """A text and when it is shown, in milliseconds."""

    start_ms: int
    end_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class WebVtt:
    """What is in a file. `header_bytes`: its first line, with its end."""

    header_bytes: int
    cues: Sequence[Cue]
    skipped: int  # cues that players do not understand


def is_webvtt(data: bytes) -> bool:
    """Tell whether a file says of itself that it is WebVTT (section 4.1)."""
    rest = data.removeprefix(_BOM)
    return rest.startswith(b"WEBVTT") and rest[6:7] in {b"", b" ", b"\t", b"\n", b"\r"}


def parse(data: bytes) -> WebVtt:
    """Read a file.

    Raises:
        FormatError: it is none, no UTF-8, or has cues of which none can be shown.
    """
    if not is_webvtt(data):
        raise FormatError("It does not begin with WEBVTT.")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise FormatError(f"It is not UTF-8: byte {error.start} is wrong.") from None
    first = _LINE_END.search(text)
    header_bytes = len(data) if first is None else len(text[: first.end()].encode())
    cues, skipped = _cues(_LINE_END.split(text)[1:])
    if skipped and not cues:
        raise FormatError(
            "The times of its cues are not of the form 00:00:00.000 --> 00:00:02.000."
        )
    return WebVtt(header_bytes, cues, skipped)


def stated_language(data: bytes) -> str | None:
    """Return what a file says of its language: `Language: fr` in a line of its header.

    Players ignore it there (section 4.1); transcribers and large sites write it so.
    """
    for line in _LINE_END.split(data.decode("utf-8", "replace"))[1:]:
        found = _LANGUAGE.fullmatch(line)
        if found is not None:
            return found[1]
        if not line or ARROW in line:
            return None
    return None


def spoken_text(cues: Sequence[Cue]) -> str:
    """Return what cues say, a line for each, without markup; what is repeated, once.

    Captions that roll show each line again above the next one.
    """
    lines: list[str] = []
    for cue in cues:
        for line in cue.text.split("\n"):
            plain = " ".join(html.unescape(_TAG.sub("", line)).split())
            if plain and plain not in lines[-2:]:
                lines.append(plain)
    return "\n".join(lines)


def _cues(lines: Sequence[str]) -> tuple[list[Cue], int]:
    cues, skipped = [], 0
    for block in _blocks(lines):
        at = next((n for n, line in enumerate(block[:2]) if ARROW in line), None)
        if at is None:
            continue  # a comment, a style, a region
        timing = _TIMING.fullmatch(block[at])
        cue = None if timing is None else _cue(timing, "\n".join(block[at + 1 :]))
        if cue is None:
            skipped += 1
        else:
            cues.append(cue)
    return cues, skipped


def _blocks(lines: Sequence[str]) -> Iterator[list[str]]:
    block: list[str] = []
    for line in (*lines, ""):
        if line:
            block.append(line)
        elif block:
            yield block
            block = []


def _cue(timing: re.Match[str], text: str) -> Cue | None:
    if any(len(hours or "") > _MAX_HOURS_DIGITS for hours in timing.group(1, 5)):
        return None
    start_ms, end_ms = (_milliseconds(timing.groups()[at : at + 4]) for at in (0, 4))
    return Cue(start_ms, end_ms, text) if start_ms < end_ms else None


def _milliseconds(parts: Sequence[str | None]) -> int:
    hours, minutes, seconds, rest = (int(part or 0) for part in parts)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + rest


def with_timestamp_map(header: bytes, mpeg_ticks: int) -> bytes:
    """Return the first line of a file followed by where its time 0 is (RFC 8216, 3.5).

    `mpeg_ticks` is that moment in the media's MPEG-2 time, 90000 to a second.
    """
    end = b"" if header.endswith((b"\n", b"\r")) else b"\n"
    return header + end + b"X-TIMESTAMP-MAP=MPEGTS:%d,LOCAL:00:00:00.000\n" % mpeg_ticks


def is_subrip(data: bytes) -> bool:
    """Tell whether a file looks like SubRip: a number, then two times with commas."""
    lines = [line for line in _LINE_END.split(_legacy_text(data[:4096])) if line.strip()]
    at = 1 if lines and lines[0].strip().isdecimal() else 0
    return len(lines) > at and _SUBRIP_TIMING.fullmatch(lines[at].rstrip()) is not None


def from_subrip(data: bytes) -> bytes:
    """Return a SubRip file (`.srt`) as WebVTT.

    Bold, italic and underlined text stays so; colours and positions are dropped.

    Raises:
        FormatError: there is no cue in it.
    """
    output = ["WEBVTT"]
    lines = _LINE_END.split(_legacy_text(data))
    for n, line in enumerate(lines):
        timing = _SUBRIP_TIMING.fullmatch(line.rstrip())
        if timing is None:
            continue
        times = [_webvtt_time(timing.groups()[at : at + 4]) for at in (0, 4)]
        output += ["", f"{times[0]} {ARROW} {times[1]}"]
        output += [_webvtt_text(each) for each in _payload(lines, n + 1)]
    if len(output) == 1:
        raise FormatError("There is no cue in it.")
    return ("\n".join(output) + "\n").encode()


def _legacy_text(data: bytes) -> str:
    """Decode as programs that write SubRip encode: UTF-8, UTF-16, else Windows-1252."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _payload(lines: Sequence[str], at: int) -> Iterator[str]:
    """Yield the text of a cue: up to an empty line."""
    for line in lines[at:]:
        if not line.strip():
            return
        yield line


def _webvtt_time(parts: Sequence[str]) -> str:
    hours, minutes, seconds, rest = parts
    total_ms = _milliseconds([hours, minutes, seconds, "0"]) + int(rest.ljust(3, "0"))
    whole_s, milliseconds = divmod(total_ms, 1000)
    whole_min, second = divmod(whole_s, 60)
    hour, minute = divmod(whole_min, 60)
    return f"{hour:02}:{minute:02}:{second:02}.{milliseconds:03}"


def _webvtt_text(line: str) -> str:
    """Keep the tags that both formats have; anything else is text."""
    plain = _FONT.sub("", line).replace(ARROW, "->").replace("\0", "")
    kept, at = [], 0
    for tag in _MARKUP.finditer(plain):
        kept += [_escaped(plain[at : tag.start()]), tag[0].lower()]
        at = tag.end()
    return "".join([*kept, _escaped(plain[at:])])


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
