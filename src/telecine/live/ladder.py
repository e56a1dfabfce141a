"""Lower qualities of an event: one child of ffmpeg, fed with what the encoder sends.

It gets an FLV and gives one for each rung, with the pictures, times and key frames of the
source; so the same packager cuts the same segments, and no clock is guessed.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog

from telecine import clock
from telecine.ffmpeg.errors import MediaError, RunnerError
from telecine.ffmpeg.runner import Limits, Runner, input_url, output_url
from telecine.ffmpeg.safety import INPUT_FLAGS
from telecine.formats.codecs.live_tracks import TrackFormat
from telecine.formats.errors import FormatError
from telecine.formats.flv import tags
from telecine.formats.flv.packets import audio_packets, video_packets
from telecine.live.follower import Follower
from telecine.live.model import SOURCE, Boundary, Targets
from telecine.live.record import Recorder
from telecine.live.relay import Relay, Tag
from telecine.live.rendition import Rendition

log = structlog.get_logger()

MOST_RUNGS = 4
BACKLOG_BYTES = 16 << 20
"""What may wait for the child; a machine that is so far behind does not make it up."""

END_S = 10.0
_CODEC = "avc1.64002a"
_DAY_S = 24 * 3600
_LIMITS = Limits(cpu_s=64 * _DAY_S, memory_bytes=4 << 30, wall_s=30.0 * _DAY_S, stall_s=60.0)
_BITS_A_PIXEL = 2.6  # a second, at 30 Hz, of up to 720p; larger pictures need fewer
_LEAST_BPS = 120_000


@dataclass(frozen=True, slots=True)
class Transcoder:
    """What transcodes, and to which heights at most."""

    runner: Runner
    heights_px: tuple[int, ...]

    def rungs(self, source_height_px: int) -> tuple[int, ...]:
        """Return the heights below the source's, largest first."""
        lower = sorted({each for each in self.heights_px if each < source_height_px}, reverse=True)
        return tuple(lower[:MOST_RUNGS])


class Rung(Rendition):
    """One quality that the child makes."""

    def __init__(
        self,
        height_px: int,
        part_ms: int,
        among: Mapping[str, Rendition],
        of: Sequence[TrackFormat],
    ) -> None:
        super().__init__(f"{height_px}p", among[SOURCE].window.sibling(), among)
        self.height_px = height_px
        self.width_px = 0
        self.codecs = [_CODEC]
        for track in of:
            if track.video:
                self.width_px = track.width_px * height_px // track.height_px // 2 * 2
            else:
                self.codecs.append(track.codecs)
        self.packager = Follower(part_ms)
        self._reader = tags.TagReader()

    def told(self) -> dict[str, object]:
        """Return what the multivariant playlist shows, before there is a picture of it."""
        window, expected_bps = self.window, rate_bps(self.height_px) * 5 // 4
        init = window.inits.get(window.segments[-1].init) if window.segments else None
        return {
            "name": self.name,
            "peak_bps": max(window.peak_bps, expected_bps),
            "codecs": init.codecs if init else ",".join(self.codecs),
            "width_px": init.width_px if init else self.width_px,
            "height_px": self.height_px,
        }

    def read(self, data: bytes) -> None:
        """Take what the child wrote. Raises FormatError."""
        now_ms = clock.unix_ms()
        for kind, time_ms, body in self._reader.feed(data):
            if kind == tags.VIDEO:
                packets = video_packets(body)
            elif kind == tags.AUDIO:
                packets = audio_packets(body)
            else:
                continue
            for packet in packets:
                self.give(self.packager.push(time_ms, packet, now_ms))


class Ladder:
    """The rungs of one event. A `Receiver` of its relay; `run` until `finish`."""

    def __init__(
        self, stream: str, transcoder: Transcoder, relay: Relay, rungs: Sequence[Rung], sound: bool
    ) -> None:
        self.rungs = tuple(rungs)
        self._stream = stream
        self._transcoder = transcoder
        self._relay = relay
        self._sound = sound
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._waiting_bytes = 0
        self._waits_for_key = True
        self._failure: str | None = None
        self._patience: asyncio.Timeout | None = None
        for rung in self.rungs:
            rung.packager.expect(video=True, audio=sound, size_px=(0, 0))

    def boundary(self, boundary: Boundary) -> None:
        """Learn where a segment of the source begins."""
        for rung in self.rungs:
            rung.packager.follow(boundary)

    def adopt(self, targets: Targets) -> None:
        """Learn what the source promises; renditions promise the same."""
        for rung in self.rungs:
            rung.packager.adopt(targets)
            rung.window.take(targets)

    def take(self, tag: Tag) -> None:
        """Queue a tag for the child."""
        if self._failure is not None or (self._waits_for_key and not (tag.key or tag.config)):
            return
        self._waits_for_key &= not tag.key
        if self._waiting_bytes > BACKLOG_BYTES:
            self.give_up("this machine does not keep up")
            return
        kind = tags.VIDEO if tag.video else tags.AUDIO
        data = tags.tag(kind, tag.time_ms, tag.body)
        self._waiting_bytes += len(data)
        self._queue.put_nowait(data)

    def give_up(self, reason: str) -> None:
        """Let the rungs go away."""
        if self._failure is None:
            self._failure = reason
            self._queue.put_nowait(None)

    def describe(self, values: Mapping[str, object]) -> None:
        """Let it be: the child reads the configurations."""

    def finish(self) -> None:
        """Let the child write what it still has, if that does not take long."""
        self._queue.put_nowait(None)
        if self._patience is not None:
            self._patience.reschedule(asyncio.get_running_loop().time() + END_S)

    async def run(self, event: UUID, recorders: Sequence[Recorder]) -> None:
        """Transcode; renditions end with the event, or go away before."""
        async with asyncio.TaskGroup() as group:
            for recorder in recorders:
                group.create_task(recorder.run(event))
            await self._transcode()
            for rung, recorder in zip(self.rungs, recorders, strict=True):
                if self._failure is not None:
                    rung.leave(recorder.take)
                rung.give(rung.packager.end())

    async def _transcode(self) -> None:
        self._relay.add(self)
        names = [rung.name for rung in self.rungs]
        log.info("transcoding begins", stream=self._stream, qualities=names)
        try:
            async with asyncio.timeout(None) as self._patience:
                await self._transcoder.runner.run(
                    self._argv(),
                    limits=_LIMITS,
                    feed=self._feed(),
                    outputs=[rung.read for rung in self.rungs],
                )
        except (MediaError, RunnerError, FormatError) as error:
            self._failure = self._failure or str(error)
        except TimeoutError:
            log.warning("transcoding cut off", stream=self._stream)
        finally:
            self._patience = None  # over: `finish` must not touch it
            self._relay.remove(self)
        if self._failure is not None:
            log.warning("transcoding failed", stream=self._stream, reason=self._failure)

    async def _feed(self) -> AsyncIterator[bytes]:
        yield tags.header(video=True, audio=self._sound)
        for tag in self._relay.greeting():
            yield tags.tag(tags.VIDEO if tag.video else tags.AUDIO, tag.time_ms, tag.body)
        while (data := await self._queue.get()) is not None:
            self._waiting_bytes = max(0, self._waiting_bytes - len(data))
            yield data

    def _argv(self) -> list[str]:
        threads = str(max(1, 4 // len(self.rungs)))
        argv = [
            "-v", "error",
            "-copyts",  # the times of the source, to the millisecond
            "-threads", "1",  # frames of several threads come late
            "-analyzeduration", "100000",
            *INPUT_FLAGS,
            # Gives what comes at once; it is our own FLV, whatever is in it.
            "-format_whitelist", "live_flv",
            "-f", "live_flv",
            *input_url(),
        ]  # fmt: skip
        for index, rung in enumerate(self.rungs):
            rate = str(rate_bps(rung.height_px))
            argv += [
                "-map", "0:v:0",
                "-map", "0:a:0?",
                "-c:a", "copy",
                "-vf", f"scale=-2:{rung.height_px}",
                "-pix_fmt", "yuv420p",
                "-c:v", "libx264",
                "-preset", "veryfast",
                "-tune", "zerolatency",
                "-profile:v", "high",
                "-level:v", "4.2",  # so that CODECS are known before the first picture
                "-threads", threads,
                "-b:v", rate,
                "-maxrate", rate,
                "-bufsize", rate,
                # Key frames where the source has them, and nowhere else.
                "-g", "9999",
                "-sc_threshold", "0",
                "-force_key_frames", "source",
                "-forced-idr", "1",
                "-fps_mode", "passthrough",
                "-enc_time_base", "demux",
                "-f", "flv",
                "-flvflags", "no_duration_filesize",
                "-flush_packets", "1",
                output_url(index),
            ]  # fmt: skip
        return argv


def rate_bps(height_px: int) -> int:
    """Return the rate of a rung, as if its pictures were 16:9 at 30 Hz."""
    pixels = height_px * height_px * 16 // 9
    smaller: float = min(1.0, (921_600 / pixels) ** 0.35)
    return max(_LEAST_BPS, int(pixels * _BITS_A_PIXEL * smaller))
