"""What `ffmpeg -progress` says: blocks of key=value lines, closed by `progress=`."""

from dataclasses import dataclass

PROGRESS_PERIOD_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One block. Bit rate and size are left out: ffmpeg cannot know them on pipes."""

    frames: int
    media_us: int
    """Media time written so far, in microseconds."""
    ended: bool


class ProgressReader:
    """Takes bytes as they come and gives the blocks that are complete."""

    def __init__(self) -> None:
        self._rest = b""
        self._fields: dict[str, str] = {}

    def feed(self, data: bytes) -> list[Progress]:
        """Return the blocks that `data` completes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        blocks = []
        for line in lines:
            key, _, value = line.decode("ascii", "replace").strip().partition("=")
            self._fields[key] = value.strip()
            if key == "progress":
                blocks.append(self._block())
                self._fields.clear()
        return blocks

    def _block(self) -> Progress:
        return Progress(
            frames=_number(self._fields.get("frame")),
            # `out_time_ms` is in microseconds as well, whatever its name says.
            media_us=_number(self._fields.get("out_time_us")),
            ended=self._fields["progress"] == "end",
        )


def _number(text: str | None) -> int:
    """Return 0 where ffmpeg has no number yet (it then writes N/A)."""
    try:
        return int(text or 0)
    except ValueError:
        return 0
