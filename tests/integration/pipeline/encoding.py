"""Encodes one stretch of a file in a process of its own, as a machine among several would."""

import asyncio
import pickle
import sys
from pathlib import Path

from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import Runner
from telecine.pipeline.encode import encode_chunk
from telecine.pipeline.plan import PlanOptions, plan
from telecine.pipeline.probe import probe
from tests.integration.pipeline.test_encode import index_of, local


async def main(path: Path, first: int, end: int, out: Path, *, apart: bool) -> None:
    """Write init and pieces of segments [first, end): `apart` for viewers, or a chunk."""
    runner = Runner(find_ffmpeg(None), "required")
    probed = await probe(runner, local(path), path.name)
    made = plan(probed.probe, PlanOptions(passthrough=False))
    (lowest, *_) = made.renditions
    encoded = await encode_chunk(
        runner, local(path), index_of(probed), probed.probe, made, [lowest.name], first, end,
        apart=apart,
    )  # fmt: skip
    out.write_bytes(pickle.dumps((encoded[0].init, encoded[0].pieces)))


if __name__ == "__main__":
    source, begin, behind, written, manner = sys.argv[1:]
    task = main(Path(source), int(begin), int(behind), Path(written), apart=manner == "apart")
    asyncio.run(task)
