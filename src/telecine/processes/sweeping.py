"""What worker processes tidy up now and then, each sweep with its time from the settings.

Every sweep may run on several workers at once: rows are locked, and whoever comes second
finds nothing left to do. Those that read much are done by one worker at a time.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from sqlalchemy import func, select

from telecine import clock, ids
from telecine.db.engine import Database
from telecine.domains.accounts import sweeps as accounts
from telecine.domains.analytics.store import quality_rollups, rollups
from telecine.domains.analytics.store import sweeps as analytics
from telecine.domains.encodings import sweeps as encodings
from telecine.domains.encodings.operations import forsake
from telecine.domains.live_streams.sweeps import Abandoned
from telecine.domains.sources import sweeps as sources
from telecine.domains.uploads.tus import expiry as tus_expiry
from telecine.domains.videos import expiry, used_tokens
from telecine.domains.videos.orphans import Orphans
from telecine.domains.watermarks import sweeps as watermarks
from telecine.domains.webhooks import sweeps as webhooks
from telecine.jobs.worker import Periodic
from telecine.processes.measuring import SWEPT
from telecine.settings import Settings
from telecine.storage.spool import Spool
from telecine.storage.store import Store

_MINUTE_S, _HOUR_S = 60.0, 3600.0
_FIRST_AFTER_S = 10.0


@dataclass(frozen=True, slots=True)
class Sweep:
    """One kind of garbage. `run` removes it and tells how much; `alone`: see `run_alone`."""

    name: str
    every_s: float
    run: Callable[[], Awaitable[int]]
    alone: bool = False


def sweeps(settings: Settings, db: Database, store: Store, spool: Spool) -> list[Sweep]:
    """Return what is to be swept; what is kept for ever is not among it."""
    place = _Place(settings, db, store, spool)
    orphans = Orphans(db, store, timedelta(hours=settings.keep_orphans_h))
    abandoned = Abandoned(db, timedelta(seconds=settings.live_grace_s))
    wanted = [
        Sweep("sandbox videos", _MINUTE_S, place.sandbox_videos),
        Sweep("discarded videos", _MINUTE_S, place.discarded_videos),
        Sweep("expired uploads", _MINUTE_S, place.expired_uploads),
        Sweep("kept answers", _HOUR_S, place.kept_answers),
        Sweep("expired tokens", _HOUR_S, place.expired_tokens),
        Sweep("claims", _HOUR_S, place.claims),
        Sweep("old encodings", _HOUR_S, place.old_encodings),
        Sweep("watermarks", _HOUR_S, place.watermarks),
        Sweep("events", _HOUR_S, place.events),
        Sweep("abandoned broadcasts", _MINUTE_S, abandoned.sweep),
        Sweep("closed playbacks", _MINUTE_S, place.playbacks),
        Sweep("missing rollups", _MINUTE_S, place.rollups, True),
        Sweep("rollups of the quality", _MINUTE_S, place.quality_rollups, True),
        Sweep("analytics", _HOUR_S, place.analytics),
        Sweep("unfinished writes", _HOUR_S, place.unfinished_writes),
        Sweep("orphans", settings.sweep_orphans_every_h * _HOUR_S, place.orphans(orphans), True),
    ]
    if settings.keep_uploads_days:
        wanted.append(Sweep("abandoned uploads", _HOUR_S, place.abandoned_uploads))
    if settings.keep_empty_videos_days:
        wanted.append(Sweep("empty videos", _HOUR_S, place.empty_videos, True))
    return wanted


def periodic(settings: Settings, db: Database, store: Store, spool: Spool) -> list[Periodic]:
    """Return the sweeps as work of a worker, one after the other at first."""
    return [
        Periodic(
            f"sweep: {sweep.name}",
            sweep.every_s,
            partial(run, db, sweep),
            first_after_s=_FIRST_AFTER_S + number,
        )
        for number, sweep in enumerate(sweeps(settings, db, store, spool))
    ]


async def run(db: Database, sweep: Sweep) -> None:
    """Run a sweep and count what it removed."""
    removed = await (run_alone(db, sweep) if sweep.alone else sweep.run())
    SWEPT.labels(sweep.name).inc(removed)


async def run_alone(db: Database, sweep: Sweep) -> int:
    """Run a sweep unless another worker is at it."""
    number = int.from_bytes(ids.digest(f"sweep: {sweep.name}")[:8], signed=True)
    async with db.transaction() as tx:  # its end, of whatever kind, gives the lock back
        if not await tx.scalar(select(func.pg_try_advisory_xact_lock(number))):
            return 0
        return await sweep.run()


@dataclass(frozen=True, slots=True)
class _Place:
    settings: Settings
    db: Database
    store: Store
    spool: Spool

    async def sandbox_videos(self) -> int:
        before = clock.now() - timedelta(hours=self.settings.keep_sandbox_videos_h)
        return await expiry.delete_sandbox(self.db, before)

    async def discarded_videos(self) -> int:
        return await expiry.delete_discarded(self.db, clock.now())

    async def empty_videos(self) -> int:
        before = clock.now() - timedelta(days=self.settings.keep_empty_videos_days)
        return await expiry.delete_empty(self.db, before)

    async def expired_uploads(self) -> int:
        return await tus_expiry.expire(self.db, self.store)

    async def kept_answers(self) -> int:
        return await accounts.forget_answers(self.db, clock.now())

    async def expired_tokens(self) -> int:
        now = clock.now()
        used = await used_tokens.forget(self.db, now)
        return used + await accounts.forget_tokens(self.db, now)

    async def abandoned_uploads(self) -> int:
        before = clock.now() - timedelta(days=self.settings.keep_uploads_days)
        return await sources.drop_abandoned(self.db, self.store, before, forsake)

    async def claims(self) -> int:
        before = clock.now() - timedelta(hours=self.settings.keep_unfinished_h)
        return await sources.drop_claims(self.db, self.store, before)

    async def old_encodings(self) -> int:
        before = clock.now() - timedelta(hours=self.settings.keep_old_encodings_h)
        return await encodings.drop_old_epochs(self.db, self.store, before)

    async def watermarks(self) -> int:
        before = clock.now() - timedelta(hours=self.settings.keep_unfinished_h)
        return await watermarks.remove_unused(self.db, self.store, before)

    async def events(self) -> int:
        before = clock.now() - timedelta(days=self.settings.keep_events_days)
        return await webhooks.forget_events(self.db, before)

    async def playbacks(self) -> int:
        return await analytics.close(self.db, clock.now())

    async def rollups(self) -> int:
        now = clock.now()
        since = now - timedelta(days=self.settings.keep_analytics_days)
        await rollups.roll_up(self.db, now, since)
        return 0  # nothing is removed

    async def quality_rollups(self) -> int:
        now = clock.now()
        since = now - timedelta(days=self.settings.keep_analytics_days)
        await quality_rollups.roll_up(self.db, now, since)
        return 0

    async def analytics(self) -> int:
        now = clock.now()
        before = now - timedelta(days=self.settings.keep_analytics_days)
        await rollups.forget(self.db, before - timedelta(days=1))
        await quality_rollups.forget(self.db, before - timedelta(days=1))
        return await analytics.forget(self.db, before, now - timedelta(days=1))

    async def unfinished_writes(self) -> int:
        before = clock.now() - timedelta(hours=self.settings.keep_unfinished_h)
        staged = await self.store.sweep_unfinished(before)
        return len(staged) + len(await self.spool.sweep(before))

    def orphans(self, orphans: Orphans) -> Callable[[], Awaitable[int]]:
        async def sweep() -> int:
            return await orphans.sweep(clock.now())

        return sweep
