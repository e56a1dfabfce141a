"""A worker process: started by the supervisor."""

import asyncio
import os
import shlex
import shutil
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path

import structlog
import uvloop

from telecine.db.engine import Database
from telecine.db.notify import Listener
from telecine.domains.captions import handlers as caption_handlers
from telecine.domains.encodings import handlers, speeds, wants
from telecine.domains.encodings.explanations import cleaned
from telecine.domains.encodings.handlers import Bench
from telecine.domains.encodings.handlers.jit import JitEncoder
from telecine.domains.sources import handlers as source_handlers
from telecine.domains.summaries import handlers as summary_handlers
from telecine.domains.webhooks.delivering import Deliverer
from telecine.domains.webhooks.operations import EVENTS
from telecine.domains.words.commands import Command, Commands
from telecine.ffmpeg.binary import encoders, find_ffmpeg
from telecine.ffmpeg.runner import Runner
from telecine.ffmpeg.sharing import HostSlots, Precedence
from telecine.jobs.job import Job, Lane
from telecine.jobs.worker import LaneEnded, Patience, Periodic, Worker
from telecine.net.client import OutboundClient
from telecine.pipeline.encoders import ENCODERS
from telecine.pipeline.hardware import HARDWARE
from telecine.pipeline.probe import Prober
from telecine.pipeline.trial import obstacle
from telecine.processes import control, ingest, sweeping
from telecine.processes.control import Briefing, Child
from telecine.processes.measuring import Backlog
from telecine.processes.memory import give_back_large_blocks
from telecine.processes.secrets import sealer
from telecine.settings import Settings, usable_cores
from telecine.storage.open import open_store
from telecine.storage.spool import Spool

log = structlog.get_logger()

_SLOTS = {
    Lane.PROBE: 2,
    Lane.GROWING: 2,
    Lane.SYSTEM: 4,
    Lane.INGEST: ingest.SLOTS,
    Lane.EXTRA: 1,
    Lane.TRANSCRIPT: 1,
    Lane.SUMMARY: 1,
}
_ANNOUNCE_EVERY_S = 3600.0
_MEASURE_EVERY_S = 10.0
_BEGUN_S = 0.5
"""Until when the lanes have the cores of a start to themselves."""


def bench(settings: Settings, db: Database) -> Bench:
    """Build the place where media work is done."""
    ffmpeg = find_ffmpeg(str(settings.ffmpeg) if settings.ffmpeg else None)
    runner = Runner(ffmpeg, settings.sandbox)
    return Bench(
        db=db,
        store=open_store(
            settings.storage, os.environ, reserve_bytes=settings.disk_reserve_mib << 20
        ),
        runner=runner,
        prober=Prober(runner),
        spool=Spool(settings.data / "spool", reserve_bytes=settings.disk_reserve_mib << 20),
        extra_codecs=extra_codecs(settings, ffmpeg),
    )


def extra_codecs(settings: Settings, ffmpeg: Path) -> tuple[str, ...]:
    """Return the wanted codecs that this ffmpeg has encoders for; say which it has not."""
    if not settings.extra_codecs:
        return ()
    built_in = encoders(ffmpeg)
    missing = [codec for codec in settings.extra_codecs if ENCODERS[codec] not in built_in]
    for codec in missing:
        log.warning("not encoded in a codec", codec=codec, missing=ENCODERS[codec])
    return tuple(codec for codec in settings.extra_codecs if codec not in missing)


def commands(settings: Settings) -> Commands:
    """Return the operator's programs, and where they work; say which cannot be found."""
    for line in filter(None, (settings.transcript_command, settings.summary_command)):
        program = shlex.split(line)[0]
        if shutil.which(program) is None:
            log.warning("command not found", program=program)
    return Commands(
        folder=settings.data / "commands",
        reserve_bytes=settings.disk_reserve_mib << 20,
        transcript=Command.of(settings.transcript_command, settings.transcript_limit_s),
        summary=Command.of(settings.summary_command, settings.summary_limit_s),
    )


async def equipped(settings: Settings, place: Bench) -> Bench:
    """Return the place with the hardware of the setting, if that was seen to work."""
    if settings.encoder == "software":
        return place
    encoder = HARDWARE[settings.encoder]
    reason = await obstacle(place.runner, encoder)
    if reason is not None:
        log.warning("encode in software", cannot_use=encoder.name, reason=cleaned(reason))
        return place
    log.info("encode in hardware", encoder=encoder.name)
    return replace(place, hardware=encoder)


def viewers_encoder(settings: Settings, place: Bench) -> JitEncoder:
    """Build what encodes the segments that viewers wait for."""
    folder = settings.data / "locks"
    slots = HostSlots(folder, settings.viewer_slots)
    return JitEncoder(place, slots, Precedence(folder, place.brake))


def beside_the_jobs(child: Child, place: Bench) -> tuple[Periodic, ...]:
    """Return what a worker does from time to time, but for the sweeps."""

    async def announce() -> None:
        child.announce_ready()

    async def tell_speed() -> None:
        given = child.settings.encoding_mpx_per_s
        px_per_s = None if given is None else round(given * 1e6)
        await speeds.announce(place.db, place.runner, usable_cores(), px_per_s)

    return (
        Periodic("announce", _ANNOUNCE_EVERY_S, announce),
        Periodic("speed", _ANNOUNCE_EVERY_S, tell_speed, _BEGUN_S),
        Periodic("backlog", _MEASURE_EVERY_S, Backlog(place.db).measure),
    )


async def work(child: Child, briefing: Briefing) -> None:
    """Do jobs until SIGTERM; without a database, wait for it."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - for the type checker
    stopping = asyncio.Event()

    def stop() -> None:
        # Both: a cancellation is lost where the database goes away at the same time,
        # which turns it into an error of the lanes.
        stopping.set()
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    db = Database(briefing.database_url)
    place = await equipped(child.settings, bench(child.settings, db))
    sweeps = sweeping.periodic(child.settings, db, place.store, place.spool)

    resources = AsyncExitStack()
    client = await resources.enter_async_context(
        OutboundClient(ingest.outbound_policy(child.settings))
    )
    sources = ingest.ingest_bench(child.settings, db, place.store, client)
    made_by = commands(child.settings)
    deliverer = Deliverer(db, client, sealer(child.settings, briefing))

    async def give_up(job: Job, reason: str) -> None:
        await handlers.record_giving_up(place, job, reason)
        await source_handlers.record_giving_up(sources, job, reason)
        await caption_handlers.record_giving_up(place, job, reason)
        await summary_handlers.record_giving_up(place, job, reason)

    viewers = viewers_encoder(child.settings, place)
    listener = Listener(briefing.database_url)
    listener.subscribe(wants.WANTED, lambda _: viewers.wake())
    listener.subscribe(EVENTS, lambda _: deliverer.wake())
    try:
        async with asyncio.TaskGroup() as beside:
            beside_jobs = (listener.run(), viewers.run(), deliverer.run(), place.prober.run())
            others = [beside.create_task(other) for other in beside_jobs]
            while not stopping.is_set():
                worker = Worker(
                    briefing.database_url,
                    {
                        **handlers.bind(place),
                        **source_handlers.bind(sources),
                        **caption_handlers.bind(place, made_by),
                        **summary_handlers.bind(place, made_by),
                    },
                    {**_SLOTS, Lane.LADDER: child.settings.encode_slots},
                    give_up,
                    periodic=(*beside_the_jobs(child, place), *sweeps),
                    patience=Patience(keep_finished_s=child.settings.keep_jobs_days * 86400.0),
                    folder=child.settings.data,
                )
                try:
                    await worker.run()
                except* LaneEnded:
                    log.warning("worker_lost_database")
            for other in others:
                other.cancel()
    except asyncio.CancelledError:
        log.debug("worker_stopped")
    finally:
        await resources.aclose()
        await place.prober.close()
        await db.close()


def main(arguments: Sequence[str]) -> None:
    """Run this process."""
    give_back_large_blocks()
    child = control.join(arguments)
    with suppress(asyncio.CancelledError):  # ended before it had anything to do
        uvloop.run(work(child, child.wait_for_briefing()))
