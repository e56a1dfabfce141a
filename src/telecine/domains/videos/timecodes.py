"""Timecodes as the API writes them: `hh:mm:ss.ms`, `hh:mm:ss:frame`, `seconds` (pure)."""

import re
from fractions import Fraction

PATTERN = r"^(?:\d{2,3}:[0-5]\d:[0-5]\d(?:\.\d{1,3}|:\d{1,2})?|\d{1,7})$"
_PARTS = re.compile(
    r"(?:(\d{2,3}):([0-5]\d):([0-5]\d)(?:\.(?P<fraction>\d{1,3})|:(?P<frame>\d{1,2}))?"
    r"|(?P<seconds>\d{1,7}))",
    re.ASCII,
)


def milliseconds(timecode: str, frame_rate: Fraction) -> int:
    """Return the time in ms; `frame_rate` (Hz) gives the frame number its meaning.

    Raises:
        ValueError: it is no timecode.
    """
    match = _PARTS.fullmatch(timecode)
    if match is None:
        raise ValueError("not a timecode")
    if match["seconds"] is not None:
        return int(match["seconds"]) * 1000
    hours, minutes, seconds = int(match[1]), int(match[2]), int(match[3])
    whole_ms = ((hours * 60 + minutes) * 60 + seconds) * 1000
    if match["fraction"] is not None:
        return whole_ms + int(match["fraction"].ljust(3, "0"))
    return whole_ms + int(int(match["frame"] or 0) * 1000 / frame_rate)
