"""Plans one file in a process of its own, and tells what that took.

Of its children the kernel tells the most that one of them, or this process when it started
them, ever held: only the child of a small process shows its own memory.
"""

import asyncio
import json
import re
import resource
import sys
from pathlib import Path

from telecine.ffmpeg.binary import find_ffmpeg
from telecine.ffmpeg.runner import Runner
from telecine.pipeline.plan import plan
from telecine.pipeline.probe import probe
from telecine.storage.spool import LocalFile


def peak_bytes() -> int:
    """Return the most memory that this program held."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


async def main(path: Path) -> None:
    runner = Runner(find_ffmpeg(None), "required")
    found = await probe(runner, LocalFile(path, path.stat().st_size), path.name)
    made = plan(found.probe)
    probe_bytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    took = {"probe": probe_bytes, "plan": peak_bytes()}
    print(json.dumps({"frames": made.frames, "segments": made.segments, "bytes": took}))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
