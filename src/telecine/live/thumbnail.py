"""The picture of an event: its newest key frame, decoded for whoever asks.

Nobody asks for most events, and a child process costs a tenth of a second of a core: so
pictures are made when they are asked for, at most every few seconds.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import structlog

from telecine import clock
from telecine.ffmpeg.errors import MediaError, RunnerError
from telecine.ffmpeg.runner import Limits, Runner, input_url, output_url
from telecine.ffmpeg.safety import INPUT_FLAGS
from telecine.live.broadcast import Broadcast
from telecine.live.window import Window

log = structlog.get_logger()

REFRESH_S = 5.0
MAX_WIDTH_PX = 1280
_QUALITY = 4  # of mjpeg, 2 (best) to 31
_AT_ONCE = 2
_LIMITS = Limits(cpu_s=10, memory_bytes=1 << 30, wall_s=20.0, niceness=5)


@dataclass(slots=True)
class _Known:
    """The newest picture of an event, and which part it is of."""

    jpeg: bytes | None = None
    place: tuple[int, int] | None = None
    made_s: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Thumbnails:
    """Makes pictures of events with `runner`."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._known: WeakKeyDictionary[Broadcast, _Known] = WeakKeyDictionary()
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def newest(self, event: Broadcast) -> bytes | None:
        """Return a JPEG that is a few seconds old at most, None: there are no pictures."""
        known = self._known.setdefault(event, _Known())
        async with known.lock:
            fresh = clock.monotonic_s() - known.made_s < REFRESH_S
            found = None if known.place is not None and fresh else _newest_key(event.window)
            if found is None or found[0] == known.place:
                return known.jpeg
            known.place, media = found
            try:
                async with self._slots:
                    known.jpeg = await self._made(media)
            except (MediaError, RunnerError) as error:
                log.warning("no thumbnail", stream=event.stream.public_id, reason=str(error))
            known.made_s = clock.monotonic_s()
            return known.jpeg

    async def _made(self, media: bytes) -> bytes:
        """Return the first picture of a fragmented MP4 as a JPEG."""
        shown = f"scale='min({MAX_WIDTH_PX},iw)':-2:out_color_matrix=bt601:out_range=pc"
        picture = bytearray()
        await self._runner.run(
            [
                "-v", "error",
                *INPUT_FLAGS,
                "-threads", "1",
                *input_url(),
                "-map", "0:v:0",
                "-vf", f"{shown},format=yuvj420p",
                "-frames:v", "1",
                "-c:v", "mjpeg",
                "-q:v", str(_QUALITY),
                "-map_metadata", "-1",
                "-f", "image2pipe",
                output_url(0),
            ],
            limits=_LIMITS,
            feed=_once(media),
            outputs=[picture.extend],
        )  # fmt: skip
        if not picture:
            raise MediaError("no-picture", "nothing was decoded")
        return bytes(picture)


def _newest_key(window: Window) -> tuple[tuple[int, int], bytes] | None:
    """Return the newest part that begins with a key frame: its place, and a file of it."""
    for segment in reversed(window.segments):
        for part in reversed(segment.parts):
            if part.independent:
                init = window.inits[part.init]
                place = part.msn, part.number
                return (place, init.data + part.data) if init.width_px else None
    return None


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
