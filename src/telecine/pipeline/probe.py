"""Asks the confined probe program what a source is.

Most of a probe is the start of its program, so one is kept that has started already.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import structlog

from telecine.ffmpeg.runner import Limits, MediaError, Run, Runner, RunnerError
from telecine.pipeline.codec import CodecError, probe_from_json
from telecine.pipeline.limits import PROBE_MEMORY_BYTES
from telecine.pipeline.model import Probe
from telecine.pipeline.probe_wire import REQUEST, SIZE
from telecine.pipeline.reader import SourceReader

log = structlog.get_logger()

_PROGRAM = "telecine.pipeline.probe_program"

# One walk over all packets of a large file, as slow as a cold disk makes it.
_CPU_BASE_S = 30
_CPU_PER_GIB_S = 20
_WALL_FACTOR = 20

_ADVANCE_BYTES = 2 << 30
"""Larger files have programs of their own, whose limits fit them."""

_MOST_ANSWER_BYTES = 64 << 20
_MOST_SAMPLES_BYTES = 512 << 20
_MOST_ASKED_BYTES = 512 << 20
_MOST_REQUESTS = 8


@dataclass(frozen=True, slots=True)
class Probed:
    """What the program found; `sample_index` where the source is an MP4 or MOV."""

    probe: Probe
    sample_index: bytes | None


class Prober:
    """Probes sources, each with a program of its own that has read nothing else.

    `prepare` starts a program in advance: it waits without using the processor, dies with
    this process and is killed by `close`.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._waiting: Run | None = None

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

    async def probe(self, source: SourceReader, file_name: str) -> Probed:
        """Probe a source as `probe` does, faster if a program waits for it."""
        waiting = self._waiting
        if waiting is None or waiting.ended or source.size_bytes > _ADVANCE_BYTES:
            return await probe(self._runner, source, file_name)
        self._waiting = None
        desk = _Desk(source)
        answer, samples = _Collected(_MOST_ANSWER_BYTES), _Collected(_MOST_SAMPLES_BYTES)
        await waiting.complete(desk.answers(), [answer.add, samples.add, desk.take])
        return _judged(answer, samples, file_name)


async def probe(runner: Runner, source: SourceReader, file_name: str) -> Probed:
    """Probe a source. Its name is no evidence of anything and only used in errors.

    Raises:
        MediaError: it cannot be served; `reason` says why.
        RunnerError: the program could not do its work; may be tried again.
    """
    answer, samples = _Collected(_MOST_ANSWER_BYTES), _Collected(_MOST_SAMPLES_BYTES)
    limits = _limits(source.size_bytes)
    if source.local_path is not None:
        await runner.run_python(
            _PROGRAM,
            limits=limits,
            arguments=["file"],
            input_file=source.local_path,
            outputs=[answer.add, samples.add],
        )
    else:
        desk = _Desk(source)
        await runner.run_python(
            _PROGRAM,
            limits=limits,
            arguments=["asked"],
            feed=desk.answers(),
            outputs=[answer.add, samples.add, desk.take],
        )
    return _judged(answer, samples, file_name)


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

    def __init__(self, source: SourceReader) -> None:
        self._source = source
        self._rest = b""
        self._requests: asyncio.Queue[tuple[int, int]] = asyncio.Queue(_MOST_REQUESTS)

    async def take(self, data: bytes) -> None:
        self._rest += data
        while len(self._rest) >= REQUEST.size:
            offset, size = REQUEST.unpack_from(self._rest)
            self._rest = self._rest[REQUEST.size :]
            if size > _MOST_ASKED_BYTES or offset + size > self._source.size_bytes:
                raise MediaError("unreadable", f"the probe asks for {size} bytes at {offset}")
            await self._requests.put((offset, size))

    async def answers(self) -> AsyncIterator[bytes]:
        yield SIZE.pack(self._source.size_bytes)
        while True:  # until the program ends
            offset, size = await self._requests.get()
            yield await self._source.read(offset, size)
