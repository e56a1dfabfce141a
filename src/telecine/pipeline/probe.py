"""Asks the confined probe program what a source is.

Most of a probe is the start of its program, so one is kept that has started already.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction

import structlog

from telecine.ffmpeg.runner import Limits, MediaError, Run, Runner, RunnerError
from telecine.pipeline.codec import CodecError, probe_from_json
from telecine.pipeline.limits import PROBE_MEMORY_BYTES
from telecine.pipeline.model import Probe
from telecine.pipeline.probe_wire import GIVEN, REQUEST
from telecine.pipeline.reader import SourceReader

log = structlog.get_logger()

_PROGRAM = "telecine.pipeline.probe_program"

# One walk over all packets of a large file, as slow as a cold disk makes it.
_CPU_BASE_S = 30
_CPU_PER_GIB_S = 20
_WALL_FACTOR = 20

_ADVANCE_BYTES = 2 << 30
"""Larger files have programs of their own, whose limits fit them."""

_PREPARE_AFTER_S = 1.0
"""Starting one takes a fifth of a second of a core, which viewers of what was probed need."""

_LOOK_EVERY_S = 60.0  # whether it still waits

_MOST_ANSWER_BYTES = 64 << 20
_MOST_SAMPLES_BYTES = 512 << 20
_MOST_ASKED_BYTES = 512 << 20
_MOST_REQUESTS = 8


class NotYetError(MediaError):
    """The beginning of a source tells too little before `until_bytes` of it are there."""

    def __init__(self, detail: str, until_bytes: int) -> None:
        super().__init__("not-yet", detail)
        self.until_bytes = until_bytes


@dataclass(frozen=True, slots=True)
class Probed:
    """What the program found; `sample_index` where the source is an MP4 or MOV."""

    probe: Probe
    sample_index: bytes | None


@dataclass(frozen=True, slots=True)
class Apart:
    """A stretch of a file behind its beginning: what `reader` has lies from `start` on."""

    start: int
    reader: SourceReader

    @property
    def end(self) -> int:
        """Return the first byte of the file behind it."""
        return self.start + self.reader.size_bytes

    def holds(self, offset: int, size_bytes: int) -> bool:
        """Tell whether all of these bytes of the file are in it."""
        return self.start <= offset and offset + size_bytes <= self.end


class Prober:
    """Probes sources, each with a program of its own that has read nothing else.

    `prepare` starts a program in advance: it waits without using the processor, dies with
    this process and is killed by `close`. While `run` goes on there soon is one again.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._waiting: Run | None = None
        self._used = asyncio.Event()

    async def run(self) -> None:
        """See that a program waits, a moment after each probe, until cancelled."""
        while True:
            await asyncio.sleep(_PREPARE_AFTER_S)
            self._used.clear()
            await self.prepare()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await self._used.wait()

    async def prepare(self) -> None:
        """See that a program waits for the next source."""
        if self._waiting is not None and self._waiting.ended:
            log.warning("waiting probe program ended")
            await self.close()
        if self._waiting is None:
            try:
                limits = _limits(_ADVANCE_BYTES)
                self._waiting = self._runner.prepare_python(
                    _PROGRAM, limits=limits, arguments=["asked"], outputs=3
                )
            except RunnerError as error:  # the next probe starts its own, or says why not
                log.warning("no probe program in advance", reason=str(error))

    async def close(self) -> None:
        """End the program that waits, if one does."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            await waiting.close()

    async def probe(
        self,
        source: SourceReader,
        file_name: str,
        *,
        whole: bool = True,
        given_rate: Fraction | None = None,
        apart: Apart | None = None,
    ) -> Probed:
        """Probe a source as `probe` does, faster if a program waits for it."""
        self._used.set()
        waiting = self._waiting
        if waiting is None or waiting.ended or source.size_bytes > _ADVANCE_BYTES:
            return await probe(
                self._runner, source, file_name, whole=whole, given_rate=given_rate, apart=apart
            )
        self._waiting = None
        desk = _Desk(source, apart, _given(source, apart, given_rate, whole=whole))
        answer, samples = _Collected(_MOST_ANSWER_BYTES), _Collected(_MOST_SAMPLES_BYTES)
        await waiting.complete(desk.answers(), [answer.add, samples.add, desk.take])
        return _judged(answer, samples, file_name)


async def probe(
    runner: Runner,
    source: SourceReader,
    file_name: str,
    *,
    whole: bool = True,
    given_rate: Fraction | None = None,
    apart: Apart | None = None,
) -> Probed:
    """Probe a source. Its name is no evidence of anything and only used in errors.

    Not `whole`: it is the beginning of a file of which more will come. `given_rate`: of
    the frame grid, instead of the source's own. `apart`: what is there of the rest.

    Raises:
        NotYetError: what has come of it tells too little.
        MediaError: it cannot be served; `reason` says why.
        RunnerError: the program could not do its work; may be tried again.
    """
    answer, samples = _Collected(_MOST_ANSWER_BYTES), _Collected(_MOST_SAMPLES_BYTES)
    limits = _limits(source.size_bytes)
    if whole and given_rate is None and source.local_path is not None:
        await runner.run_python(
            _PROGRAM,
            limits=limits,
            arguments=["file"],
            input_file=source.local_path,
            outputs=[answer.add, samples.add],
        )
    else:
        desk = _Desk(source, apart, _given(source, apart, given_rate, whole=whole))
        await runner.run_python(
            _PROGRAM,
            limits=limits,
            arguments=["asked"],
            feed=desk.answers(),
            outputs=[answer.add, samples.add, desk.take],
        )
    return _judged(answer, samples, file_name)


def _given(
    source: SourceReader, apart: Apart | None, rate: Fraction | None, *, whole: bool
) -> bytes:
    """Return what the program is told first."""
    pair = (0, 0) if rate is None else (rate.numerator, rate.denominator)
    stretch = (0, 0) if apart is None else (apart.start, apart.end)
    return GIVEN.pack(source.size_bytes, whole, *pair, *stretch)


def _limits(size_bytes: int) -> Limits:
    cpu_s = _CPU_BASE_S + _CPU_PER_GIB_S * (size_bytes >> 30)
    wall_s = float(cpu_s * _WALL_FACTOR)
    # Nothing is said before the end, so silence proves nothing.
    return Limits(cpu_s=cpu_s, memory_bytes=PROBE_MEMORY_BYTES, wall_s=wall_s, stall_s=wall_s)


def _judged(answer: "_Collected", samples: "_Collected", file_name: str) -> Probed:
    """Read what the program wrote: it has read foreign bytes, so its word is not law."""
    try:
        body = json.loads(bytes(answer.data))
        if "refused" in body:
            refused = body["refused"]
            if "until_bytes" in refused:
                raise NotYetError(str(refused["detail"]), int(refused["until_bytes"]))
            raise MediaError(str(refused["reason"]), f"{file_name}: {refused['detail']}")
        found = probe_from_json(json.dumps(body["probe"]).encode())
    except (ValueError, KeyError, TypeError, CodecError) as error:
        raise MediaError("unreadable", f"{file_name}: no answer of the probe: {error}") from error
    return Probed(found, bytes(samples.data) or None)


class _Collected:
    """The bytes of one output, not more than its program has any reason to write."""

    def __init__(self, most_bytes: int) -> None:
        self.data = bytearray()
        self._most = most_bytes

    def add(self, data: bytes) -> None:
        self.data += data
        if len(self.data) > self._most:
            raise MediaError("unreadable", f"the probe says more than {self._most} bytes")


class _Desk:
    """Answers the program's requests for bytes of a source that is elsewhere."""

    def __init__(self, source: SourceReader, apart: Apart | None, given: bytes) -> None:
        self._source = source
        self._apart = apart
        self._given = given
        self._rest = b""
        self._requests: asyncio.Queue[tuple[int, int]] = asyncio.Queue(_MOST_REQUESTS)

    async def take(self, data: bytes) -> None:
        self._rest += data
        while len(self._rest) >= REQUEST.size:
            offset, size = REQUEST.unpack_from(self._rest)
            self._rest = self._rest[REQUEST.size :]
            inside = offset + size <= self._source.size_bytes or (
                self._apart is not None and self._apart.holds(offset, size)
            )
            if size > _MOST_ASKED_BYTES or not inside:
                raise MediaError("unreadable", f"the probe asks for {size} bytes at {offset}")
            await self._requests.put((offset, size))

    async def answers(self) -> AsyncIterator[bytes]:
        yield self._given
        while True:  # until the program ends
            offset, size = await self._requests.get()
            if self._apart is not None and self._apart.holds(offset, size):
                yield await self._apart.reader.read(offset - self._apart.start, size)
            else:
                yield await self._source.read(offset, size)
