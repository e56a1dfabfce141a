"""What of ffmpeg's messages means that the media is damaged.

Most warnings do not.
"""

import re
from dataclasses import dataclass

_DAMAGE = re.compile(
    rb"Error submitting packet to decoder|Decoding error: |corrupt decoded frame"
    rb"|error while decoding MB|Packet corrupt|Invalid track number|partial file"
)
# Also said of sound media, by a decoder that starts in the middle.
_MISSING = re.compile(
    rb"reference picture missing during reorder|Missing reference picture"
    rb"|Could not find ref with POC|Skipping invalid undecodable NALU"
)
_STARVED = re.compile(rb"malloc of size \d+ failed|Cannot allocate memory")
_REPEATED = re.compile(rb"Last message repeated (\d+) times")
_LONGEST_LINE_BYTES = 4096


@dataclass(slots=True)
class Complaints:
    """Counts them in a stream that comes in pieces."""

    damage: int = 0
    missing: int = 0
    """References to pictures that were never seen."""

    starved: bool = False
    """Memory was refused: what else went wrong is a consequence of it."""

    _rest: bytes = b""
    _last: tuple[bool, bool] = (False, False)

    def add(self, data: bytes) -> None:
        """Take what ffmpeg wrote."""
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-_LONGEST_LINE_BYTES:]
        for line in lines:
            repeated = _REPEATED.search(line)
            times = 1 if repeated is None else int(repeated[1])
            if repeated is None:
                self._last = (bool(_DAMAGE.search(line)), bool(_MISSING.search(line)))
            self.starved = self.starved or bool(_STARVED.search(line))
            self.damage += times * self._last[0]
            self.missing += times * self._last[1]
