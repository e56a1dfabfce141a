"""The sound of a video as programs that recognise speech take it: a WAV file."""

import asyncio
import struct
from io import BufferedWriter
from pathlib import Path

from telecine.ffmpeg.runner import Limits, Runner, output_url
from telecine.pipeline.audio import decoded_argv
from telecine.pipeline.model import Probe
from telecine.pipeline.reader import SourceReader

RATE_HZ = 16_000
_SAMPLE_BYTES = 2
_HEADER_BYTES = 44
_LARGEST = 0xFFFFFFFF
_MEMORY_BYTES = 1 << 30
_CPU_FLOOR_S = 60


def wav_bytes(duration_s: float) -> int:
    """Return how large the file of a video of this length is."""
    return _HEADER_BYTES + round(duration_s * RATE_HZ) * _SAMPLE_BYTES


async def write_wav(
    runner: Runner, source: SourceReader, probe: Probe, duration_s: float, path: Path
) -> None:
    """Write what is heard of a video, mono, 16 kHz, 16 bit, from its time 0 to its end.

    `source` must be a local file. Nothing of it is held in memory.

    Raises:
        MediaError: the sound cannot be decoded.
        RunnerError: the run was ended from outside, or by a limit on time.
        OSError: the file cannot be written.
    """
    if source.local_path is None:
        msg = "a local source is needed"
        raise ValueError(msg)
    samples = round(duration_s * RATE_HZ)
    argv = [
        *decoded_argv(probe, RATE_HZ, 1, 0, samples),
        "-c:a", "pcm_s16le",
        "-map_metadata", "-1",
        "-f", "s16le",
        output_url(0),
    ]  # fmt: skip
    limits = Limits(
        cpu_s=_CPU_FLOOR_S + round(4 * duration_s),
        memory_bytes=_MEMORY_BYTES,
        wall_s=120.0 + 8 * duration_s,
    )
    with path.open("wb") as file:
        file.write(_header(samples * _SAMPLE_BYTES))

        async def write(data: bytes) -> None:
            await asyncio.to_thread(_write, file, data)

        await runner.run(argv, limits=limits, input_file=source.local_path, outputs=[write])


def _write(file: BufferedWriter, data: bytes) -> None:
    file.write(data)


def _header(size_bytes: int) -> bytes:
    """Return the header of a WAV file (RIFF, "Multimedia Programming Interface 1.0").

    A size that does not fit in it is said to be the largest: readers go on to the end.
    """
    rate_bytes = RATE_HZ * _SAMPLE_BYTES
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        min(size_bytes + _HEADER_BYTES - 8, _LARGEST),
        b"WAVE",
        b"fmt ",
        16,
        1,  # PCM
        1,
        RATE_HZ,
        rate_bytes,
        _SAMPLE_BYTES,
        8 * _SAMPLE_BYTES,
        b"data",
        min(size_bytes, _LARGEST),
    )
