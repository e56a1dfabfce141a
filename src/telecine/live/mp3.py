"""Sound as MP3, which low-latency HLS does not have: a child of ffmpeg makes it AAC.

It gets an FLV with the sound alone and gives another one, at the times of the encoder.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import structlog

from telecine.ffmpeg.errors import MediaError, RunnerError
from telecine.ffmpeg.runner import Limits, Runner, input_url, output_url
from telecine.ffmpeg.safety import INPUT_FLAGS
from telecine.formats.errors import FormatError
from telecine.formats.flv import tags
from telecine.formats.flv.packets import Coded, Packet
from telecine.live.model import clock_step
from telecine.live.relay import JUMP_MS

log = structlog.get_logger()

WAIT_MS = 2000
"""How far its first packet may be behind the pictures: a child has to start."""

_BACKLOG_BYTES = 1 << 20  # half a minute
_BEGIN_MS = 1000  # so that what the encoder puts before its first packet has a time
_RATE_BPS = 128_000
_DAY_S = 24 * 3600
_LIMITS = Limits(cpu_s=_DAY_S, memory_bytes=1 << 30, wall_s=30.0 * _DAY_S, stall_s=120.0)
_TAG = b"\x2f"  # MP3; its own headers tell how many channels there are, and their rate

_ARGUMENTS = (
    "-v", "error",
    "-copyts",
    "-analyzeduration", "100000",
    *INPUT_FLAGS,
    # It is our own FLV, whatever is in it.
    "-format_whitelist", "live_flv",
    "-f", "live_flv",
    *input_url(),
    "-map", "0:a:0",
    "-af", "aresample=async=1000",  # holes are silence
    "-ac", "2",
    "-c:a", "aac",
    "-b:a", str(_RATE_BPS),
    "-f", "flv",
    "-flvflags", "no_duration_filesize",
    "-flush_packets", "1",
    output_url(0),
)  # fmt: skip


def is_mp3(packets: Sequence[Packet]) -> bool:
    """Tell whether a tag holds sound as MP3, of the first track."""
    return any(_is_mp3(each) for each in packets)


def _is_mp3(packet: Packet) -> bool:
    return packet.codec == ".mp3" and not packet.track


class _Stretch:
    """Sound that joins on: the work of one child. `begin_ms`: of the encoder's clock."""

    def __init__(self, begin_ms: int) -> None:
        self.begin_ms = self.last_ms = begin_ms
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.waiting_bytes = 0


class AacFromMp3:
    """Gives the sound of one event as bodies of FLV tags, as if its encoder had sent AAC.

    `give` takes a time in milliseconds and a body, and may raise FormatError; `fail` is told
    why there is no sound any more. `run` for as long as the event lasts: most events have no MP3,
    and then it does nothing.
    """

    def __init__(
        self,
        stream: str,
        runner: Runner,
        give: Callable[[int, bytes], None],
        fail: Callable[[str], None],
    ) -> None:
        self._stream = stream
        self._runner = runner
        self._give = give
        self._fail = fail
        self._current: _Stretch | None = None
        self._begun = asyncio.Event()  # another one is the current stretch

    def take(self, time_ms: int, packets: Sequence[Packet]) -> None:
        """Queue the sound of a tag. Raises FormatError: this machine does not keep up."""
        now = self._current
        if now is not None and not 0 <= clock_step(now.last_ms, time_ms) <= JUMP_MS:
            self.interrupt()
            now = None
        if now is None:
            now = self._current = _Stretch(time_ms)
            self._begun.set()
        if now.waiting_bytes > _BACKLOG_BYTES:
            raise FormatError("sound as MP3, faster than this machine converts it")
        now.last_ms = time_ms
        at_ms = _BEGIN_MS + clock_step(now.begin_ms, time_ms)
        for each in packets:
            if _is_mp3(each) and isinstance(each, Coded):
                data = tags.tag(tags.AUDIO, at_ms, _TAG + each.data)
                now.waiting_bytes += len(data)
                now.queue.put_nowait(data)

    def interrupt(self) -> None:
        """Note that what follows does not join on; what the child has still to give is dropped."""
        if self._current is not None:
            self._current.queue.put_nowait(None)
            self._current = None

    async def run(self) -> None:
        """Convert until cancelled; what was over before a child began with it is forgotten."""
        while True:
            await self._begun.wait()
            self._begun.clear()
            if self._current is not None:
                await self._convert(self._current)

    async def _convert(self, stretch: _Stretch) -> None:
        reader = tags.TagReader()

        def read(data: bytes) -> None:
            for kind, time_ms, body in reader.feed(data):
                if kind == tags.AUDIO and stretch is self._current:
                    self._give((stretch.begin_ms + time_ms - _BEGIN_MS) & 0xFFFFFFFF, body)

        log.info("sound is converted", stream=self._stream, codec="MP3")
        try:
            await self._runner.run(
                _ARGUMENTS, limits=_LIMITS, feed=self._feed(stretch), outputs=[read]
            )
        except (MediaError, RunnerError, FormatError) as error:
            log.warning("sound not converted", stream=self._stream, reason=str(error))
            if stretch is self._current:
                self._current = None
                self._fail("sound as MP3 that cannot be converted")

    async def _feed(self, stretch: _Stretch) -> AsyncIterator[bytes]:
        yield tags.header(video=False, audio=True)
        while (data := await stretch.queue.get()) is not None:
            stretch.waiting_bytes -= len(data)
            yield data
