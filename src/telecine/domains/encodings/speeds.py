"""How fast the machines encode for a viewer who waits: measured once on each, and shared.

Which machine will make a segment is not known when it is listed, so the slowest counts.
"""

import platform
import socket
from datetime import timedelta
from pathlib import Path

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from telecine import clock
from telecine.db.engine import Database, Transaction
from telecine.domains.encodings.models import MachineSpeed
from telecine.ffmpeg.errors import MediaError, RunnerError
from telecine.ffmpeg.runner import Runner
from telecine.pipeline.encoders import THREADS
from telecine.pipeline.trial import software_px_per_cpu_s

log = structlog.get_logger()

_GONE_AFTER = timedelta(days=1)
_FORGOTTEN_AFTER = timedelta(days=30)  # containers have another name each time


async def slowest_px_per_s(tx: Transaction) -> int | None:
    """Return what the slowest machine of the last day encodes for one viewer, in pixels/s."""
    lately = MachineSpeed.seen_at > clock.now() - _GONE_AFTER
    return await tx.scalar(select(func.min(MachineSpeed.px_per_s)).where(lately))


async def announce(db: Database, runner: Runner, cores: int, px_per_s: int | None) -> None:
    """Say how fast this machine is: `px_per_s`, or what was measured on it, once.

    A machine that cannot be measured says nothing, and is trusted.
    """
    host, kind = socket.gethostname(), _kind(runner.ffmpeg, cores)
    if px_per_s is None:
        async with db.transaction() as tx:
            known = await tx.get(MachineSpeed, host)
            if known is not None and known.kind == kind:
                px_per_s = known.px_per_s
    if px_per_s is None:
        try:
            px_per_s = round(await software_px_per_cpu_s(runner) * min(cores, THREADS))
        except (MediaError, RunnerError) as error:
            log.warning("encoding_speed_unknown", reason=str(error))
            return
        log.info("encoding_speed_measured", megapixels_per_s=round(px_per_s / 1e6, 1))
    told = {"kind": kind, "px_per_s": px_per_s, "seen_at": clock.now()}
    async with db.transaction() as tx:
        statement = insert(MachineSpeed).values(host=host, **told)
        await tx.execute(statement.on_conflict_do_update(index_elements=["host"], set_=told))
        old = MachineSpeed.seen_at < clock.now() - _FORGOTTEN_AFTER
        await tx.execute(delete(MachineSpeed).where(old))


def _kind(ffmpeg: Path, cores: int) -> str:
    """Return what the speed depends on: another processor or ffmpeg is measured anew."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.partition(":")[2].strip() for line in lines if line[:10] == "model name")
    except (OSError, StopIteration):
        model = platform.machine()
    return f"{cores} cores of {model}, ffmpeg of {ffmpeg.stat().st_size} bytes"
