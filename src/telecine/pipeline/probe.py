"""Asks the confined probe program what a source is."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from telecine.ffmpeg.runner import Limits, MediaError, Runner
from telecine.pipeline.codec import CodecError, probe_from_json
from telecine.pipeline.limits import PROBE_MEMORY_BYTES
from telecine.pipeline.model import Probe
from telecine.pipeline.probe_wire import REQUEST
from telecine.pipeline.reader import SourceReader

_PROGRAM = "telecine.pipeline.probe_program"

# One walk over all packets of a large file, as slow as a cold disk makes it.
_CPU_BASE_S = 30
_CPU_PER_GIB_S = 20
_WALL_FACTOR = 20

_MOST_ANSWER_BYTES = 64 << 20
_MOST_SAMPLES_BYTES = 512 << 20
_MOST_ASKED_BYTES = 512 << 20
_MOST_REQUESTS = 8


@dataclass(frozen=True, slots=True)
class Probed:
    """What the program found; `sample_index` where the source is an MP4 or MOV."""

    probe: Probe
    sample_index: bytes | None


async def probe(runner: Runner, source: SourceReader, file_name: str) -> Probed:
    """Probe a source. Its name is no evidence of anything and only used in errors.

    Raises:
        MediaError: it cannot be served; `reason` says why.
        RunnerError: the program could not do its work; may be tried again.
    """
    answer, samples = _Collected(_MOST_ANSWER_BYTES), _Collected(_MOST_SAMPLES_BYTES)
    size = source.size_bytes
    limits = _limits(size)
    if source.local_path is not None:
        await runner.run_python(
            _PROGRAM,
            limits=limits,
            arguments=[str(size), "file"],
            input_file=source.local_path,
            outputs=[answer.add, samples.add],
        )
    else:
        desk = _Desk(source)
        await runner.run_python(
            _PROGRAM,
            limits=limits,
            arguments=[str(size), "asked"],
            feed=desk.answers(),
            outputs=[answer.add, samples.add, desk.take],
        )
    return _judged(bytes(answer.data), bytes(samples.data), file_name)


def _limits(size_bytes: int) -> Limits:
    cpu_s = _CPU_BASE_S + _CPU_PER_GIB_S * (size_bytes >> 30)
    wall_s = float(cpu_s * _WALL_FACTOR)
    # Nothing is said before the end, so silence proves nothing.
    return Limits(cpu_s=cpu_s, memory_bytes=PROBE_MEMORY_BYTES, wall_s=wall_s, stall_s=wall_s)


def _judged(answer: bytes, samples: bytes, file_name: str) -> Probed:
    """Read what the program wrote: it has read foreign bytes, so its word is not law."""
    try:
        body = json.loads(answer)
        if "refused" in body:
            refused = body["refused"]
            raise MediaError(str(refused["reason"]), f"{file_name}: {refused['detail']}")
        found = probe_from_json(json.dumps(body["probe"]).encode())
    except (ValueError, KeyError, TypeError, CodecError) as error:
        raise MediaError("unreadable", f"{file_name}: no answer of the probe: {error}") from error
    return Probed(found, samples or None)


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
        while True:  # until the program ends
            offset, size = await self._requests.get()
            yield await self._source.read(offset, size)
